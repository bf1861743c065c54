-- The shop's books, once it is settled which actions differ.

-- Orders without an action: those that a partner referred are among what is planted.
CREATE OR REPLACE TEMP TABLE shop_others AS
WITH numbered AS (
    SELECT i, i < getvariable('shop_untracked') AS referred, hash(getvariable('shop_seed'), i, 'other') AS k
    FROM range(getvariable('shop_untracked')
        + (SELECT CAST(round(count(*) * getvariable('shop_organic')) AS BIGINT) FROM shop_actions)) t(i)
), dated AS (
    SELECT least(min(event), getvariable('shop_at') - INTERVAL 30 DAY) AS first,
        getvariable('shop_at') - INTERVAL 2 DAY AS last
    FROM shop_actions
)
SELECT concat(CASE WHEN referred THEN '8217' ELSE '7217' END, lpad(CAST(i * 7919 AS VARCHAR), 9, '0')) AS order_id,
    CASE WHEN draw(k, 'lead', 10) = 0 THEN 'App Purchase' ELSE 'Sale' END AS event_type, referred, sku,
    1 + draw(k, 'quantity', 3) AS quantity, CAST(price * quantity AS DECIMAL(18, 2)) AS amount,
    first + to_seconds(floor((epoch(last) - epoch(first)) * between_(k, 'ordered', 0, 1))) AS ordered
FROM numbered, dated JOIN products ON place = draw(k, 'product', (SELECT count(*) FROM products));

-- An order of an action. Its id and event type may be another order's too.
CREATE OR REPLACE TEMP TABLE shop_orders AS
WITH chosen AS (
    SELECT s.*, p.kind, c.worth_back, l.worth, TRY_CAST(s.amount AS DECIMAL(18, 2)) AS value,
        CAST((1 + draw(k, 'off by', 2000)) / 100 AS DECIMAL(18, 2)) AS off, l.worth > off * 2
            AND draw(k, 'sign', 2) = 0 AS less, draw(k, 'late', 30) = 0 AS late
    FROM shop_actions s LEFT JOIN shop_planted p ON p.n = s.n LEFT JOIN shop_cuts c ON c.n = s.n
    LEFT JOIN shop_lines l ON l.n = s.n AND l.place = 1
    WHERE s.place = 1 AND s.order_id <> '' AND p.kind IS DISTINCT FROM 'no_order'
)
SELECT n, order_id, event_type, kind,
    CASE kind WHEN 'amount' THEN CASE WHEN less THEN -off ELSE off END END AS off_by,
    CASE kind WHEN 'not_reversed' THEN CASE WHEN draw(k, 'cancelled', 4) = 0 THEN 'cancelled' ELSE 'returned' END
        WHEN 'not_corrected' THEN 'partly_returned' WHEN 'reversed_here' THEN 'placed' ELSE status END AS becomes,
    CASE WHEN kind = 'amount' THEN CAST(value + off_by AS VARCHAR)
        WHEN kind = 'not_corrected' THEN CAST(value - worth_back AS VARCHAR)
        WHEN becomes = 'returned' THEN '0.00' WHEN reversed THEN intended ELSE amount END AS amount,
    CASE kind WHEN 'currency' THEN list_filter(['EUR', 'GBP', 'CAD'], one -> one <> currency)[1 + draw(k, 'in', 2)]
        ELSE currency END AS currency,
    -- An order that was submitted late is tracked late: its dates tell nothing about which action is its own.
    event - CASE WHEN late THEN to_days(3 + draw(k, 'days late', 40)) ELSE to_seconds(draw(k, 'ordered', 90)) END
        AS ordered,
    CASE WHEN becomes = 'placed' THEN ordered
        ELSE least(getvariable('shop_at'), event + to_seconds(3600 + draw(k, 'changed', 1209600))) END AS changed,
    CASE kind WHEN 'duplicate' THEN 2 ELSE 1 END AS copies
FROM chosen;

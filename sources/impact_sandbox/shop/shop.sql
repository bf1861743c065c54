-- What the shop knows of the world, from what the API shows at an instant.
-- Variables: shop_seed, shop_at (UTC), shop_organic (orders that no partner referred, as a share of the actions),
-- shop_untracked (referred orders without an action).

-- An action: the order it is for, and how many actions that order has.
CREATE OR REPLACE TEMP TABLE shop_actions AS
WITH shown AS (
    SELECT a.n, a.id AS action_id, coalesce(v.record->>'$.Oid', a.oid, '') AS order_id,
        coalesce(v.record->>'$.ActionTrackerName', a.tracker_name, '') AS event_type,
        coalesce(v.record->>'$.Currency', 'USD') AS currency, v.state, v.event, v.begun,
        CASE WHEN v.record IS NULL THEN CAST(v.amount AS VARCHAR) ELSE v.record->>'$.Amount' END AS amount,
        coalesce(v.record->>'$.IntendedAmount', CAST(a.intended_amount AS VARCHAR)) AS intended,
        hash(getvariable('shop_seed'), a.id) AS k
    FROM versions v JOIN actions a ON a.n = v.n
    WHERE v.shown_from <= getvariable('shop_at') AND v.shown_to > getvariable('shop_at')
)
SELECT *, v.state = 'REVERSED' AS reversed, count(*) OVER same AS actions,
    row_number() OVER (same ORDER BY n) AS place,
    CASE WHEN reversed THEN CASE WHEN draw(k, 'cancelled', 4) = 0 THEN 'cancelled' ELSE 'returned' END
        WHEN TRY_CAST(amount AS DECIMAL(38, 8)) < TRY_CAST(intended AS DECIMAL(38, 8)) THEN 'partly_returned'
        ELSE 'placed' END AS status
FROM shown v WINDOW same AS (PARTITION BY event_type, order_id);

-- The lines of the order of an action: as they are now or, of a reversed action, as they were ordered.
CREATE OR REPLACE TEMP TABLE shop_lines AS
WITH listed AS (
    SELECT s.n, i.line, coalesce(i.record->>'$.Sku', p.sku) AS sku,
        coalesce(i.record->>'$.Quantity', CAST(i.quantity AS VARCHAR)) AS quantity,
        coalesce(i.record->>'$.SaleAmount', CAST(i.sale_amount AS VARCHAR)) AS amount,
        TRY_CAST(coalesce(i.record->>'$.SaleAmount', CAST(i.sale_amount AS VARCHAR)) AS DECIMAL(18, 2)) AS worth,
        TRY_CAST(coalesce(i.record->>'$.Quantity', CAST(i.quantity AS VARCHAR)) AS BIGINT) AS count
    FROM shop_actions s JOIN items i ON i.n = s.n LEFT JOIN products p ON p.place = i.product
    WHERE CASE WHEN s.reversed THEN i.begun = (SELECT min(begun) FROM items o WHERE o.n = s.n)
        ELSE i.shown_from <= getvariable('shop_at') AND i.shown_to > getvariable('shop_at') END
)
SELECT *, count(*) OVER (PARTITION BY n) AS lines, row_number() OVER (PARTITION BY n ORDER BY line) AS place
FROM listed;

-- One line of an order and what it would be worth had part of it come back: one piece of several, else all of it.
CREATE OR REPLACE TEMP TABLE shop_cuts AS
SELECT n, line, CASE WHEN count > 1 THEN count - 1 ELSE 0 END AS count_left,
    CASE WHEN count > 1 THEN CAST(worth * (count - 1) / count AS DECIMAL(18, 2)) ELSE 0 END AS worth_left,
    worth - worth_left AS worth_back
FROM shop_lines WHERE worth > 0.02 AND (count > 1 OR lines > 1)
QUALIFY row_number() OVER (PARTITION BY n ORDER BY count > 1 DESC, line) = 1;

CREATE OR REPLACE TEMP TABLE shop_planted (n BIGINT, kind VARCHAR);

-- order_items.csv: what customers keep. Lines know the id of their order alone, so orders whose id stands for several
-- event types have none.
WITH told_apart AS (
    SELECT * FROM shop_orders
    WHERE order_id NOT IN (SELECT order_id FROM shop_orders GROUP BY order_id HAVING count(DISTINCT event_type) > 1)
        AND becomes NOT IN ('returned', 'cancelled')
)
SELECT o.order_id, l.sku,
    CASE WHEN o.kind = 'not_corrected' AND c.line = l.line THEN CAST(c.count_left AS VARCHAR) ELSE l.quantity END
        AS quantity,
    CASE WHEN o.kind = 'not_corrected' AND c.line = l.line THEN CAST(c.worth_left AS VARCHAR)
        WHEN l.place = 1 AND o.off_by IS NOT NULL THEN CAST(l.worth + o.off_by AS VARCHAR) ELSE l.amount END AS amount
FROM told_apart o JOIN shop_lines l ON l.n = o.n LEFT JOIN shop_cuts c ON c.n = o.n
WHERE NOT (o.kind = 'not_corrected' AND c.line = l.line AND c.count_left = 0) IS TRUE
UNION ALL
SELECT order_id, sku, CAST(quantity AS VARCHAR), CAST(amount AS VARCHAR) FROM shop_others
ORDER BY ALL

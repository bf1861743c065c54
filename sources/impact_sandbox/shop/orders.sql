-- orders.csv
SELECT order_id, event_type, amount, currency, status,
    strftime(ordered, '%Y-%m-%dT%H:%M:%SZ') AS ordered_at, strftime(changed, '%Y-%m-%dT%H:%M:%SZ') AS updated_at,
    referred
FROM (
    SELECT order_id, event_type, amount, currency, becomes AS status, ordered, changed, 'true' AS referred,
        unnest(range(copies)) AS copy
    FROM shop_orders
    UNION ALL
    SELECT order_id, event_type, CAST(amount AS VARCHAR), 'USD', 'placed', ordered, ordered,
        CASE WHEN referred THEN 'true' ELSE 'false' END, 0
    FROM shop_others
)
ORDER BY ordered, order_id, event_type

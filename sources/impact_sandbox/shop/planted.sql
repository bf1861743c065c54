-- planted.csv: every action or order that differs. Actions that share an order are all listed; so are those without
-- an order id.
SELECT s.order_id, s.action_id, p.kind FROM shop_planted p JOIN shop_actions s ON s.n = p.n
UNION ALL
SELECT order_id, action_id, CASE WHEN order_id = '' THEN 'no_order' ELSE 'duplicate' END
FROM shop_actions WHERE order_id = '' OR actions > 1
UNION ALL
SELECT order_id, '', 'no_action' FROM shop_others WHERE referred
ORDER BY ALL

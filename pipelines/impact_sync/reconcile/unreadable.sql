-- Values of the orders and items that cannot be read: the table, the line, what is wrong.
select 'orders' as given, g.line, concat_ws('; ',
    case when g.order_id is null then 'order_id is empty' end,
    case when o.amount is null and g.amount is not null then number_problem('amount', g.amount) end,
    case when o.ordered_at is null and g.ordered_at is not null then time_problem('ordered_at', g.ordered_at) end,
    case when o.updated_at is null and g.updated_at is not null then time_problem('updated_at', g.updated_at) end,
    case when as_flag(g.referred) is null and g.referred is not null
        then format('referred is neither true nor false: {}', g.referred) end
) as problem
from given_orders g
join orders o on o.line = g.line
where g.order_id is null
    or (o.amount is null and g.amount is not null)
    or (o.ordered_at is null and g.ordered_at is not null)
    or (o.updated_at is null and g.updated_at is not null)
    or (g.referred is not null and as_flag(g.referred) is null)
union all
select 'items', line, concat_ws('; ',
    case when order_id is null then 'order_id is empty' end,
    case when sku is null then 'sku is empty' end,
    case when as_number(amount) is null and amount is not null then number_problem('amount', amount) end,
    case when as_count(quantity) is null and quantity is not null
        then format('quantity is not a whole number: {}', quantity) end
)
from given_items
where order_id is null or sku is null
    or (amount is not null and as_number(amount) is null)
    or (quantity is not null and as_count(quantity) is null)
union all
select 'items', min(line), format('the amounts of {} in order {} add up to more than a column holds', sku, any_value(order_id))
from given_items
group by as_key(order_id), sku
having count(amount) > 0 and try_cast(sum(as_number(amount)) as decimal(20, 8)) is null and count(as_number(amount)) > 0
order by 1 desc, 2

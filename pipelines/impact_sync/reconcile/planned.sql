-- The differences that a plan can correct, as rows of a file of corrections.
select
    l.action_id, case when l.kind = 'not_reversed' then 'reverse' else 'update' end as kind, r.code as reason, l.sku,
    case
        when l.kind = 'not_reversed' or (l.sku is not null and l.order_quantity = 0) then null
        when differ(l.expected_amount, l.action_amount) then cast(l.expected_amount as decimal(20, 4))::varchar
    end as amount,
    case when l.sku is not null and l.order_quantity <> l.action_quantity then l.order_quantity::varchar end as quantity,
    format('order {}: {}', l.order_id, replace(coalesce(l.order_status, 'placed'), '_', ' ')) as note
from lines l
join reasons r on r.meaning = case when l.kind = 'amount' then 'amount' else l.order_status end
where l.remedy = 'plan' and l.standing = 'open'
order by l.locking_date, l.action_id, l.sku

-- Partly returned orders by item, where both sides know the items of an order.
--
-- An action with an item that has no Sku is not compared so: the shop cannot name that item, and nobody can correct it.
-- One row for each Sku; `usable` is whether all of an order's differing items can be corrected one by one: the action
-- lists each of them, and once.
create table by_item as
with shop as (
    select m.event_type, m.key, m.action_id, i.sku, i.quantity, i.amount
    from partly m join items i on i.key = m.key
    where m.action_id not in (select a.id from actions a join usual u on u.currency = a.currency)
),
there as (
    select m.event_type, m.key, m.action_id, h.sku, h.quantity, h.sale_amount, h.payout, h.line_count
    from (select distinct event_type, key, action_id from shop) m
    join current_items c on c.action_id = m.action_id
    join held_items h on h.action_id = m.action_id
    where m.action_id not in (select action_id from held_items where sku = '')
),
sides as (
    select
        coalesce(s.event_type, t.event_type) as event_type, coalesce(s.key, t.key) as key,
        coalesce(s.action_id, t.action_id) as action_id, coalesce(s.sku, t.sku) as sku,
        s.sku is null as returned, t.sku is null as unknown,
        case when s.sku is null then 0 else s.quantity end as quantity,
        case when s.sku is null then 0 else s.amount end as amount,
        t.quantity as action_quantity, t.sale_amount as action_amount, t.payout, t.line_count
    from (select * from shop where action_id in (select action_id from there)) s
    full join there t on t.event_type = s.event_type and t.key = s.key and t.sku = s.sku
),
weighed as (
    select
        *,
        case
            when unknown then coalesce(quantity <> 0, true) and coalesce(amount <> 0, true)
            when returned then coalesce(action_quantity <> 0, false) or coalesce(action_amount <> 0, false)
            else coalesce(differ(amount, action_amount), false) or coalesce(quantity <> action_quantity, false)
        end as differs
    from sides
)
select *, not bool_or(differs and (unknown or line_count > 1)) over (partition by event_type, key) as usable
from weighed;

-- What has become of the differences that earlier reconciliations found, as far as these orders can say.
--
-- One that is no longer there is settled only if impact.com's side is no longer what it was then. If the action is as it
-- was, the orders, or the way in which they are compared, have changed: its money was never at stake, or still is.
create table lines as
select
    f.*,
    case
        when p.kind is null then 'new'
        when f.standing = 'locked' and p.standing <> 'locked' then 'locked unmended'
        else 'known'
    end as change,
    p.first_found_at
from found f
left join previous p
    on p.kind = f.kind and p.order_id is not distinct from f.order_id and p.event_type = f.event_type
    and p.action_id is not distinct from f.action_id and p.sku is not distinct from f.sku
union all by name
select
    p.* exclude (standing, change), 'settled' as standing,
    case
        when p.action_id is null then case when m.action_id is not null then 'settled' else 'orders changed' end
        when a.id is null or coalesce(p.action_state = 'REVERSED', false) <> coalesce(a.state = 'REVERSED', false)
            or p.currency is distinct from a.currency or (p.kind <> 'no_order' and p.actions <> coalesce(m.actions, 0))
            then 'settled'
        when p.sku is null
            then case when p.action_amount is distinct from a.amount then 'settled' else 'orders changed' end
        when exists (select 1 from by_item n where n.event_type = m.event_type and n.key = m.key)
            and (p.action_quantity is distinct from i.action_quantity or p.action_amount is distinct from i.action_amount)
            then 'settled'
        else 'orders changed'
    end as change
from previous p
left join met m on m.event_type = p.event_type and m.key = as_key(p.order_id)
left join actions a on a.id = p.action_id
left join by_item i on i.event_type = m.event_type and i.key = m.key and i.sku = p.sku
where not exists (
        select 1 from found f
        where p.kind = f.kind and p.order_id is not distinct from f.order_id and p.event_type = f.event_type
            and p.action_id is not distinct from f.action_id and p.sku is not distinct from f.sku
    )
    and case
        when p.kind = 'no_order' then exists (
            select 1 from keyed k join actions a on a.id = k.id join covered c
                on a.event_date >= c.since and a.event_date <= c.until
            where k.id = p.action_id and (select complete from coverage)
        )
        when m.in_bounds then case -- only what was given this time can say so
            when m.status in ('returned', 'cancelled') or m.state = 'REVERSED' then true
            when p.kind = 'no_action' then m.referred is not null or m.action_id is not null
            when p.kind = 'duplicate' then true
            when p.kind = 'currency' then m.currency is not null
            when p.kind = 'amount' then m.amount is not null
            when p.sku is not null
                then exists (select 1 from by_item n where n.event_type = m.event_type and n.key = m.key)
            else m.status is not null
        end
    end;

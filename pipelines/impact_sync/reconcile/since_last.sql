-- What has become of the differences that earlier reconciliations found, as far as these orders can say.
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
select p.* exclude (standing, change), 'settled' as standing, 'settled' as change
from previous p
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
        else exists (
            select 1 from met m
            where m.event_type = p.event_type and m.key = as_key(p.order_id) and m.in_bounds
                and case -- only what was given this time can say so
                    when m.status in ('returned', 'cancelled') or m.state = 'REVERSED' then true
                    when p.kind = 'no_action' then m.referred is not null or m.action_id is not null
                    when p.kind = 'duplicate' then true
                    when p.kind = 'currency' then m.currency is not null
                    when p.kind = 'amount' then m.amount is not null
                    when p.sku is not null then exists (
                        select 1 from by_item i where i.event_type = m.event_type and i.key = m.key
                    )
                    else m.status is not null
                end
        )
    end;

-- The differences: one row for each order, for each item of a partly returned one, for each action without an order.
create table found as
with weighed as (
    select
        m.*, u.ratio,
        case when u.ratio is null then m.amount else try_cast(round(m.amount * u.ratio, 4) as decimal(20, 8)) end as expected,
        exists (
            select 1 from ratios r where r.currency = m.action_currency and in_ratio(m.amount, m.action_amount, r.ratio)
        ) as usual_ratio,
        exists (
            select 1 from other_currencies c
            where c.currency = m.currency and c.action_currency = m.action_currency
        ) as usual_currency,
        i.key is not null as has_items, coalesce(i.differs, false) as items_differ
    from met m
    left join usual u on u.currency = m.action_currency
    left join (select event_type, key, bool_or(differs) as differs from by_item group by all) i
        on i.event_type = m.event_type and i.key = m.key
    where m.in_bounds
),
compared as (
    select
        *,
        case
            when action_id is null
                then case when referred and coalesce(status in ('placed', 'partly_returned'), true) then 'no_action' end
            when status in ('returned', 'cancelled') then case when state is distinct from 'REVERSED' then 'not_reversed' end
            when state = 'REVERSED' then case when status in ('placed', 'partly_returned') then 'reversed_here' end
            when currency <> action_currency then case when not usual_currency then 'currency' end
            when status = 'partly_returned' then case
                when has_items then case when items_differ then 'not_corrected' end
                when amount is null
                    then case when action_amount is not distinct from intended_amount then 'not_corrected' end
                when differ(amount, action_amount) and not usual_ratio then 'not_corrected'
            end
            when differ(amount, action_amount) and not usual_ratio then 'amount'
        end as alone
    from weighed
),
-- Of several, what the only one that is alive would be is what remains to be mended. If the order is listed more than
-- once, nobody knows its amount.
judged as (
    select
        *,
        case when orders > 1 or actions > 1 then 'duplicate' else alone end as kind,
        alone in ('not_reversed', 'reversed_here') or (orders = 1 and alone is not null) as amiss
    from compared
),
-- Each of several actions with one id is a line. If one of them counts, what is paid beyond the largest commission is
-- too much, spread over all; if the order was returned, everything is.
apart as (
    select * from judged where kind is not null and (kind <> 'duplicate' or coalesce(actions, 0) <= 1)
    union all by name
    select
        j.* replace (
            k.id as action_id, a.state as state, a.amount as action_amount, a.locking_date as locking_date,
            case
                when not k.live then null
                when j.status in ('returned', 'cancelled') then a.payout
                when j.live = 1 and j.alone in ('amount', 'not_corrected')
                    then share_of(a.payout, j.action_amount, j.expected)
                else share_of(a.payout, j.paid, j.paid_once)
            end as payout,
            changeable(a.state, a.cleared_date, a.locking_date, asked.as_of) as can_change
        )
    from judged j
    cross join asked
    join keyed k on k.event_type = j.event_type and k.key = j.key
    join actions a on a.id = k.id
    where j.kind = 'duplicate' and j.actions > 1
),
lines as (
    select
        j.kind, j.line, j.order_id, j.event_type, i.sku, j.action_id, coalesce(j.actions, 0) as actions, j.orders,
        j.live, j.amiss and (j.live = 0 or j.state is distinct from 'REVERSED') as amiss, j.status as order_status, j.state as action_state,
        case when i.sku is null then j.amount else i.amount end as order_amount, j.currency as order_currency,
        case when i.sku is null then j.action_amount else i.action_amount end as action_amount,
        j.action_currency as currency,
        case when j.kind in ('not_corrected', 'amount')
            then case when i.sku is null then j.expected else i.amount end end as expected_amount,
        i.quantity as order_quantity, i.action_quantity,
        case j.kind
            when 'not_reversed' then j.payout
            when 'reversed_here' then -j.intended_payout
            when 'duplicate' then case when j.actions > 1 then j.payout end
            when 'currency' then null
            when 'no_action' then null
            else case when i.sku is null then share_of(j.payout, j.action_amount, j.expected)
                when i.amount is null then share_of(i.payout, i.action_quantity, i.quantity)
                else share_of(i.payout, i.action_amount, i.amount) end
        end as commission,
        case when j.action_id is not null then j.locking_date end as locking_date, j.ordered_at,
        case
            when j.action_id is null and j.ordered_at > j.as_of - interval 1 hour then 'not due' -- actions show late
            when j.action_id is null and j.ordered_at < asked.reach then 'out of reach'
            when j.action_id is null then 'open'
            when j.action_id in (select action_id from gone) then 'out of reach'
            when not j.can_change then 'locked'
            when coalesce(j.updated_at, j.ordered_at) > j.as_of then 'not due'
            else 'open'
        end as standing,
        j.ratio is not null as scaled
    from apart j
    cross join asked
    left join by_item i
        on i.event_type = j.event_type and i.key = j.key and i.differs and i.usable and j.kind = 'not_corrected'
    union all by name
    select
        'no_order' as kind, a.oid as order_id, '' as event_type, a.id as action_id, 1 as actions, 0 as orders, 1 as live,
        a.state as action_state, a.amount as action_amount, a.currency,
        a.payout as commission, a.locking_date,
        case
            when a.id in (select action_id from gone) then 'out of reach'
            when changeable(a.state, a.cleared_date, a.locking_date, asked.as_of) then 'open'
            else 'locked'
        end as standing,
        false as scaled
    from orderless o
    join actions a on a.id = o.id
    cross join asked
)
select
    l.*, a.campaign_id, a.media_partner_name, a.event_date,
    case
        when kind in ('currency', 'no_action') then 'nothing'
        when kind = 'duplicate' then case when live > 1 or amiss then 'by hand' else 'nothing' end
        when kind in ('no_order', 'reversed_here') then 'by hand'
        when kind = 'not_reversed' then 'plan'
        when scaled then 'by hand'
        when sku is not null then 'plan'
        when coalesce(expected_amount > 0 and differ(expected_amount, action_amount), false) then 'plan'
        else 'by hand'
    end as remedy
from lines l
left join actions a on a.id = l.action_id;

-- What has changed since an instant, the month end say? One row for each change of an action's money, and each arrival.
--
-- Ask with: where changed_at > the instant and event_date <= it. kind: arrival (the action was seen for the first time:
-- late, where its event is not), reversal, restoration, correction. changed_at: when the change was seen here. The
-- changes of an action since an instant add up to what it is now less what it was then. An action whose currency
-- changed leaves the one (its payout with a minus) and enters the other.
select
    h.valid_from as changed_at,
    h.id as action_id, h.campaign_id, h.media_partner_id, h.media_partner_name, h.event_date,
    cast(date_trunc('month', h.event_date at time zone 'UTC') as date) as event_month,
    h.currency,
    case
        when p.id is null then 'arrival'
        when h.state = 'REVERSED' and coalesce(p.state, '') <> 'REVERSED' then 'reversal'
        when p.state = 'REVERSED' and coalesce(h.state, '') <> 'REVERSED' then 'restoration'
        else 'correction'
    end as kind,
    p.state as state_before, h.state,
    p.payout as payout_before, h.payout,
    coalesce(h.payout, 0) - case when p.currency is distinct from h.currency then 0 else coalesce(p.payout, 0) end
        as payout_change,
    p.amount as amount_before, h.amount,
    coalesce(h.amount, 0) - case when p.currency is distinct from h.currency then 0 else coalesce(p.amount, 0) end
        as amount_change
from action_history h
left join action_history p on p.id = h.id and p.valid_to = h.valid_from
where p.id is null
    or coalesce(p.payout, 0) <> coalesce(h.payout, 0)
    or coalesce(p.amount, 0) <> coalesce(h.amount, 0)
    or coalesce(p.state = 'REVERSED', false) <> coalesce(h.state = 'REVERSED', false)
    or p.currency is distinct from h.currency
union all
select
    h.valid_from, h.id, p.campaign_id, p.media_partner_id, p.media_partner_name, p.event_date,
    cast(date_trunc('month', p.event_date at time zone 'UTC') as date),
    p.currency, 'correction', p.state, h.state, p.payout, null, -coalesce(p.payout, 0), p.amount, null,
    -coalesce(p.amount, 0)
from action_history h
join action_history p on p.id = h.id and p.valid_to = h.valid_from
where p.currency is distinct from h.currency

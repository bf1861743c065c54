-- What has changed since an instant, such as the month end? One row for each change of an action's money, and each
-- arrival.
--
-- Filter with: where changed_at >= the instant and event_date < it, written with its offset. The changes of an action
-- since an instant add up to its present value minus its value then. An action whose currency changed leaves one
-- currency (its payout is negative) and enters the other.
--
-- changed_at: When the change was seen here
-- kind: arrival (seen for the first time, late if its event lies before the instant), reversal, restoration or
--   correction
-- state_before: The state before the change; NULL for an arrival
-- state: The state after it
-- payout_before: The commission before the change
-- payout: The commission after it
-- payout_change: By how much the commission changed in this currency
-- amount_before: The revenue before the change
-- amount: The revenue after it
-- amount_change: By how much the revenue changed in this currency
select
    valid_from as changed_at,
    id as action_id, campaign_id, media_partner_id, media_partner_name, event_date,
    cast(date_trunc('month', event_date at time zone 'account') as date) as event_month,
    currency, 'arrival' as kind,
    cast(null as varchar) as state_before, state,
    cast(null as decimal(20, 8)) as payout_before, payout, coalesce(payout, 0) as payout_change,
    cast(null as decimal(20, 8)) as amount_before, amount, coalesce(amount, 0) as amount_change
from action_history
where changed is null
union all
select
    h.valid_from, h.id, h.campaign_id, h.media_partner_id, h.media_partner_name, h.event_date,
    cast(date_trunc('month', h.event_date at time zone 'account') as date), h.currency,
    case
        when h.state = 'REVERSED' and coalesce(p.state, '') <> 'REVERSED' then 'reversal'
        when p.state = 'REVERSED' and coalesce(h.state, '') <> 'REVERSED' then 'restoration'
        else 'correction'
    end,
    p.state, h.state, p.payout, h.payout,
    coalesce(h.payout, 0) - case when p.currency is distinct from h.currency then 0 else coalesce(p.payout, 0) end,
    p.amount, h.amount,
    coalesce(h.amount, 0) - case when p.currency is distinct from h.currency then 0 else coalesce(p.amount, 0) end
from action_history h
join action_history p on p.id = h.id and p.valid_to = h.valid_from
where h.changed is not null and (
    coalesce(p.payout, 0) <> coalesce(h.payout, 0)
    or coalesce(p.amount, 0) <> coalesce(h.amount, 0)
    or coalesce(p.state = 'REVERSED', false) <> coalesce(h.state = 'REVERSED', false)
    or p.currency is distinct from h.currency
)
union all
select
    h.valid_from, h.id, p.campaign_id, p.media_partner_id, p.media_partner_name, p.event_date,
    cast(date_trunc('month', p.event_date at time zone 'account') as date),
    p.currency, 'correction', p.state, h.state, p.payout, null, -coalesce(p.payout, 0), p.amount, null,
    -coalesce(p.amount, 0)
from action_history h
join action_history p on p.id = h.id and p.valid_to = h.valid_from
where h.changed is not null and p.currency is distinct from h.currency

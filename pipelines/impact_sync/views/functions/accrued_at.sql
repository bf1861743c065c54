-- What was accrued, open, locked and paid as known at an instant? One row for each partner, currency and event month.
--
-- accrued_at(moment): an instant with its offset, or a day or time of the account's calendar, whose start is meant:
-- accrued_at('2026-02-01') is the end of January. It is what the warehouse knew then: changes that were read later are
-- not in it.
--
-- month: Month of the EventDate in the account's calendar, as its first day
-- amount: Revenue of the actions that are not reversed
-- accrued: Commission that is owed if nothing changes: the sum of open, locked and paid
-- open: Commission that a reversal could still take away
-- locked: Commission that can no longer change and is not paid
-- paid: Commission that is paid out
-- reversed: Commission that the reversed actions would have earned
-- client_cost: What the actions that are not reversed cost the brand, fees included
select
    media_partner_id, max(media_partner_name) as media_partner_name, currency, month,
    count(*) as actions,
    sum(case when stage = 'reversed' then 1 else 0 end) as actions_reversed,
    sum(case when stage <> 'reversed' then amount else 0 end) as amount,
    sum(case when stage <> 'reversed' then payout else 0 end) as accrued,
    sum(case when stage = 'open' then payout else 0 end) as open,
    sum(case when stage = 'locked' then payout else 0 end) as locked,
    sum(case when stage = 'paid' then payout else 0 end) as paid,
    sum(case when stage = 'reversed' then intended_payout else 0 end) as reversed,
    sum(case when stage <> 'reversed' then client_cost else 0 end) as client_cost
from (
    select
        media_partner_id, media_partner_name, currency, stage,
        cast(date_trunc('month', event_date at time zone 'account') as date) as month,
        coalesce(amount, 0) as amount, coalesce(payout, 0) as payout, coalesce(intended_payout, 0) as intended_payout,
        coalesce(client_cost, 0) as client_cost
    from settlement
) monthly
group by media_partner_id, currency, month

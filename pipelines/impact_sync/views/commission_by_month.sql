-- What commission is owed for each month? One row for each campaign, currency, event month and locking month.
--
-- Two calendars in one table, which basis tells apart: select one of them.
--
-- basis: Which date the month belongs to: event or locking
-- month: The month in the account's calendar, as its first day; NULL if the LockingDate is not known
-- amount: Revenue of the actions that are not reversed
-- accrued: Commission that is owed if nothing changes: the sum of pending, approved and paid
-- pending: Commission that is neither approved nor locked
-- approved: Commission that is approved or locked, but not paid
-- paid: Commission that is paid out
-- reversed: Commission that the reversed actions would have earned
select
    basis, campaign_id, campaign_name, currency, month,
    sum(actions) as actions,
    sum(case when stage = 'reversed' then actions else 0 end) as actions_reversed,
    sum(case when stage <> 'reversed' then amount else 0 end) as amount,
    sum(case when stage <> 'reversed' then payout else 0 end) as accrued,
    sum(case when stage = 'open' and not is_approved then payout else 0 end) as pending,
    sum(case when stage = 'locked' or stage = 'open' and is_approved then payout else 0 end) as approved,
    sum(case when stage = 'paid' then payout else 0 end) as paid,
    sum(case when stage = 'reversed' then intended_payout else 0 end) as reversed
from (
    select
        b.basis, s.campaign_id, s.campaign_name, s.currency, s.stage, s.is_approved,
        case when b.basis = 'event' then s.event_month else s.locking_month end as month,
        sum(s.actions) as actions, sum(s.amount) as amount, sum(s.payout) as payout,
        sum(s.intended_payout) as intended_payout
    from (
        select
            campaign_id, campaign_name, currency, stage, coalesce(state = 'APPROVED', false) as is_approved,
            cast(date_trunc('month', event_date at time zone 'account') as date) as event_month,
            cast(date_trunc('month', locking_date at time zone 'account') as date) as locking_month,
            count(*) as actions, coalesce(sum(amount), 0) as amount, coalesce(sum(payout), 0) as payout,
            coalesce(sum(intended_payout), 0) as intended_payout
        from settlement
        group by 1, 2, 3, 4, 5, 6, 7
    ) s
    cross join (values ('event'), ('locking')) as b (basis)
    group by 1, 2, 3, 4, 5, 6, 7
) monthly
group by basis, campaign_id, campaign_name, currency, month

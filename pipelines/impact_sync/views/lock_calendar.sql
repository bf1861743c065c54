-- What locks in the coming weeks? One row for each campaign, currency and week of the LockingDate.
--
-- Open actions only.
--
-- locking_week: The Monday that begins the week in the account's calendar; NULL if the LockingDate is not known
-- actions_approved: Number of those that are approved already
-- amount: Revenue of the actions
-- at_risk: Commission that becomes final in that week unless it is corrected before
-- first_lock: The first LockingDate within the week
-- last_lock: The last LockingDate within the week
select
    campaign_id, campaign_name, currency,
    cast(date_trunc('week', locking_date at time zone 'account') as date) as locking_week,
    count(*) as actions,
    sum(case when state = 'APPROVED' then 1 else 0 end) as actions_approved,
    sum(coalesce(amount, 0)) as amount,
    sum(at_risk) as at_risk,
    min(locking_date) as first_lock,
    max(locking_date) as last_lock
from settlement
where stage = 'open'
group by campaign_id, campaign_name, currency, cast(date_trunc('week', locking_date at time zone 'account') as date)

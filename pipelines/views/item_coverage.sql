-- How far are the items known? One row for each campaign and currency.
--
-- share_of_actions and share_of_amount: of the actions that the API knows, those whose items are current.
select
    campaign_id,
    currency,
    count(*) as actions,
    sum(case when items = 'current' then 1 else 0 end) as actions_current,
    sum(case when items = 'outdated' then 1 else 0 end) as actions_outdated,
    sum(case when items = 'missing' then 1 else 0 end) as actions_missing,
    sum(case when items = 'not found' then 1 else 0 end) as actions_not_found,
    sum(case when items = 'current' then 1.0 else 0.0 end)
        / nullif(sum(case when items <> 'not found' then 1 else 0 end), 0) as share_of_actions,
    sum(amount) as amount,
    sum(case when items = 'current' then amount end) as amount_current,
    cast(sum(case when items = 'current' then amount else 0 end) as double precision)
        / nullif(cast(sum(case when items <> 'not found' then amount end) as double precision), 0) as share_of_amount,
    min(fetched_at) as oldest_fetch,
    max(fetched_at) as latest_fetch
from item_state
group by campaign_id, currency

-- How complete are the items? One row for each campaign and currency.
--
-- actions_current: Actions whose items are current
-- actions_outdated: Actions that changed since their items were read
-- actions_missing: Actions whose items were never read
-- actions_not_found: Actions that the API does not know
-- share_of_actions: Share with current items among the actions that the API knows
-- amount: Revenue of all actions
-- amount_current: Revenue of those with current items
-- share_of_amount: Share of the revenue with current items, among the actions that the API knows
-- oldest_fetch: When the items that were read first were read
-- latest_fetch: When the items that were read last were read
-- actions_from_feed: Those whose current items the change feed says
-- actions_from_list: Those whose current items their own list says
-- share_from_feed: The part of share_of_actions that the change feed says
select
    campaign_id,
    currency,
    sum(actions) as actions,
    sum(case when items = 'current' then actions else 0 end) as actions_current,
    sum(case when items = 'outdated' then actions else 0 end) as actions_outdated,
    sum(case when items = 'missing' then actions else 0 end) as actions_missing,
    sum(case when items = 'not found' then actions else 0 end) as actions_not_found,
    cast(sum(case when items = 'current' then actions else 0 end) as double precision)
        / nullif(sum(case when items <> 'not found' then actions else 0 end), 0) as share_of_actions,
    sum(amount) as amount,
    sum(case when items = 'current' then amount end) as amount_current,
    cast(sum(case when items = 'current' then amount else 0 end) as double precision)
        / nullif(cast(sum(case when items <> 'not found' then amount end) as double precision), 0) as share_of_amount,
    min(oldest_fetch) as oldest_fetch,
    max(latest_fetch) as latest_fetch,
    sum(case when items = 'current' and known_by = 'feed' then actions else 0 end) as actions_from_feed,
    sum(case when items = 'current' and known_by = 'list' then actions else 0 end) as actions_from_list,
    cast(sum(case when items = 'current' and known_by = 'feed' then actions else 0 end) as double precision)
        / nullif(sum(case when items <> 'not found' then actions else 0 end), 0) as share_from_feed
from (
    select
        campaign_id, currency, items, known_by, count(*) as actions, sum(amount) as amount,
        min(fetched_at) as oldest_fetch, max(fetched_at) as latest_fetch
    from item_state
    group by campaign_id, currency, items, known_by
) counted
group by campaign_id, currency

-- Are the items of an action current? One row for each action.
--
-- The main cost is converting amounts to text: if only items is selected, only for rows written since items were read.
--
-- amount: Revenue of the action, as it stands
-- open_until: When the action locks, the end of 9999 if that is not known; NULL once it is paid
-- fingerprint: What affects items, the action's amounts; a mere change of state does not
-- fetched_at: When the items were requested or derived
-- fetched_fingerprint: The fingerprint then
-- failure: Why to request them again although the amounts have not changed
-- status: How the last request ended, as in item_fetches
-- item_count: Rows of action_items from the last answer
-- known_by: feed (added up from the change feed) or list (the action's own list); NULL if neither
-- items: missing (never read), outdated (changed since they were read, or not read completely), not found (the API knows
--   no such action) or current
select
    action_id, campaign_id, currency, amount, event_date, open_until,
    coalesce(known, $fingerprint) as fingerprint,
    fetched_at, fetched_fingerprint, failure, status, item_count,
    case when status = 'derived' then 'feed' when status in ('listed', 'rejected') then 'list' end as known_by,
    case
        when fetched_at is null then 'missing'
        when is_contradicted then 'outdated'
        when failure is not null or fetched_fingerprint is null or fetched_fingerprint <> known then 'outdated'
        when status = 'not found' then 'not found'
        else 'current'
    end as items
from (
    select
        a.id as action_id, a.campaign_id, a.currency, a.amount, a.event_date,
        a.delta_amount, a.payout, a.delta_payout,
        case
            when a.cleared_date is null then coalesce(a.locking_date, cast('9999-12-31 00:00:00+00' as timestamptz))
        end as open_until,
        case when a.synced_at >= f.fetched_at then $fingerprint end as known,
        f.fetched_at, f.status, f.item_count,
        -- Version 0.1.0 wrote a failure into the fingerprint, which otherwise has a '|' between any two amounts.
        case when position('|' in f.fingerprint) > 0 then f.fingerprint end as fetched_fingerprint,
        coalesce(f.failure, case when position('|' in f.fingerprint) = 0 then f.fingerprint end) as failure,
        $contradicted as is_contradicted
    from actions a
    left join item_fetches f on f.action_id = a.id
    $feeds
) a

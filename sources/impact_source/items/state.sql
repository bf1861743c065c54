-- Are the items of an action current? One row for each action.
--
-- items: missing (never read), outdated (changed since they were read, or not read completely), not found (the API
-- knows no such action), current.
-- fingerprint: what affects items; a mere change of state does not.
-- failure: why to request them again although the amounts have not changed.
-- open_until: when the action locks, '9999-12-31' if that is not known, NULL once it is paid.
-- The main cost is converting amounts to text: if only `items` is selected, only for rows written since items were read.
select
    action_id, campaign_id, currency, amount, event_date, open_until,
    coalesce(known, $fingerprint) as fingerprint,
    fetched_at, fetched_fingerprint, failure, status, item_count,
    case
        when fetched_at is null then 'missing'
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
        f.fetched_at, f.fingerprint as fetched_fingerprint, f.failure, f.status, f.item_count
    from actions a
    left join item_fetches f on f.action_id = a.id
) a

-- Are the items of an action current? One row for each action.
--
-- items: missing (never read), outdated (changed since they were read, or not read completely), not found (the API
-- knows no such action), current. fingerprint: what decides about items; a mere change of state leaves it.
-- open_until: when the action locks, '9999-12-31' if that is not known, NULL once it is paid.
-- The fingerprint stands twice, since making texts of amounts is what this costs: only where items were read.
select
    a.id as action_id, a.campaign_id, a.currency, a.amount, a.event_date,
    case
        when a.cleared_date is null then coalesce(a.locking_date, cast('9999-12-31 00:00:00+00' as timestamptz))
    end as open_until,
    $fingerprint as fingerprint,
    f.fetched_at, f.fingerprint as fetched_fingerprint, f.status, f.item_count,
    case
        when f.fetched_at is null then 'missing'
        when f.fingerprint is null or f.fingerprint <> $fingerprint then 'outdated'
        when f.status = 'not found' then 'not found'
        else 'current'
    end as items
from actions a
left join item_fetches f on f.action_id = a.id

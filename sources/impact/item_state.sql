-- Are the items of an action current? One row for each action.
--
-- items: missing (never read), outdated (changed since they were read, or not read completely), not found (the API
-- knows no such action), current. fingerprint: what decides about items; a mere change of state leaves it.
-- open_until: when the action locks, '9999-12-31' if that is not known, NULL once it is paid.
select
    action_id, campaign_id, currency, amount, event_date, open_until, fingerprint,
    fetched_at, fetched_fingerprint, status, item_count,
    case
        when fetched_at is null then 'missing'
        when fetched_fingerprint is null or fetched_fingerprint <> fingerprint then 'outdated'
        when status = 'not found' then 'not found'
        else 'current'
    end as items
from (
    select
        a.id as action_id, a.campaign_id, a.currency, a.amount, a.event_date,
        case
            when a.cleared_date is null then coalesce(a.locking_date, cast('9999-12-31 00:00:00+00' as timestamptz))
        end as open_until,
        coalesce(cast(a.amount as varchar), '') || '|' || coalesce(cast(a.delta_amount as varchar), '') || '|'
            || coalesce(cast(a.payout as varchar), '') || '|' || coalesce(cast(a.delta_payout as varchar), '') || '|'
            || coalesce(a.currency, '') as fingerprint,
        f.fetched_at, f.fingerprint as fetched_fingerprint, f.status, f.item_count
    from actions a
    left join item_fetches f on f.action_id = a.id
) fetched

-- How fresh is the warehouse, and has it been verified? One row for each campaign.
--
-- as_of: Every change up to this instant is here; NULL if the campaign was never read
-- actions: Number of actions; NULL if there are none
-- latest_event: The newest conversion
-- latest_change: When a row last changed here
-- verified_at: When impact verify last compared the campaign with the API and could read everything that it requested
-- drift: Actions that differed then and were not repaired; NULL if it was never verified
select
    c.id as campaign_id, c.name as campaign_name, u.as_of, a.actions, a.latest_event, a.latest_change,
    v.verified_at,
    case when v.verified_at is not null then coalesce(d.drift, 0) end as drift
from campaigns c
left join synced_until u on u.campaign_id = c.id
left join (
    select campaign_id, count(*) as actions, max(event_date) as latest_event, max(synced_at) as latest_change
    from actions
    group by campaign_id
) a on a.campaign_id = c.id
left join (
    select campaign_id, run_id, verified_at
    from (
        select
            w.campaign_id, w.run_id, r.finished as verified_at,
            row_number() over (partition by w.campaign_id order by r.finished desc, w.run_id) as place
        from sync_windows w
        join sync_runs r on r.run_id = w.run_id
        left join (
            select distinct run_id, campaign_id from sync_windows where outcome in ('failed', 'left out')
        ) f on f.run_id = w.run_id and f.campaign_id = w.campaign_id
        where w.pass = 'verify' and r.finished is not null and f.run_id is null
    ) ranked
    where place = 1
) v on v.campaign_id = c.id
left join (
    select campaign_id, run_id, count(distinct action_id) as drift
    from verify_results
    where repaired is not true
    group by campaign_id, run_id
) d on d.campaign_id = v.campaign_id and d.run_id = v.run_id

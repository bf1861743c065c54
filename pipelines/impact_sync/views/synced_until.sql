-- Up to when have the changes of a campaign been read? One row for each campaign that was read.
--
-- The other views show what can still change as of it, not as of the time of the query.
--
-- as_of: Every change up to this instant has been read: the end of the last complete window of the updated pass, and no
--   later than the start of the run
select w.campaign_id, max(least(w.window_end, r.until, r.started)) as as_of
from sync_windows w
join sync_runs r on r.run_id = w.run_id
where w.pass = 'updated' and w.outcome in ('whole', 'parted') and w.event_start is null and r.until is not null
group by w.campaign_id

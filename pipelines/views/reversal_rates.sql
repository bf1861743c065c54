-- How many actions are reversed, and how long after the event? One row for each campaign, partner and week since the event.
--
-- week: 0 is the first week after the event; weeks up to 26, and those that a partner's oldest action has seen.
-- actions: those whose event is at least so many whole weeks and one ago. reversed_in_week, reversed_by_week: of these,
-- reversed in that week, and up to it. reversal_rate: reversed_by_week by actions. reversed_undated: of these, reversed
-- before they were first seen here, so that nobody can tell when; in reversed_by_week of no week.
with reversed as (
    select id, max(valid_from) as seen
    from action_history
    where state = 'REVERSED' and ', ' || changed || ',' like '%, state,%'
    group by id
),
arrived as (
    select id, min(valid_from) as seen from action_history where state = 'REVERSED' and changed is null group by id
),
aged as (
    select
        s.campaign_id, s.media_partner_id, max(s.media_partner_name) as media_partner_name,
        floor(extract(epoch from s.as_of - s.event_date) / 604800) as age,
        case
            when s.stage <> 'reversed' then -1
            when r.seen is not null then floor(extract(epoch from r.seen - s.event_date) / 604800)
            when extract(epoch from n.seen - s.event_date) < 604800 then 0
        end as week,
        count(*) as actions
    from settlement s
    left join reversed r on r.id = s.action_id
    left join arrived n on n.id = s.action_id
    where s.event_date is not null and s.as_of is not null
    group by 1, 2, 4, 5
)
select
    a.campaign_id, a.media_partner_id, max(a.media_partner_name) as media_partner_name, w.week,
    sum(a.actions) as actions,
    sum(case when a.week = w.week then a.actions else 0 end) as reversed_in_week,
    sum(case when a.week between 0 and w.week then a.actions else 0 end) as reversed_by_week,
    sum(case when a.week is null then a.actions else 0 end) as reversed_undated,
    cast(sum(case when a.week between 0 and w.week then a.actions else 0 end) as double precision) / sum(a.actions)
        as reversal_rate
from aged a
join (
    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18),
        (19), (20), (21), (22), (23), (24), (25), (26)
) as w (week) on a.age > w.week
group by a.campaign_id, a.media_partner_id, w.week

-- What has moved since a month was closed? One row for each closed month, partner, currency and kind of change.
--
-- A month's accrued commission in close_lines and its changes add up to what is accrued for it now.
--
-- month: The closed month, as its first day
-- media_partner_id: The partner; empty if the action has none
-- currency: ISO 4217 code of the money; empty if the action has none
-- kind: arrival (an action of the month was seen after it was closed), reversal, restoration or correction
-- changes: Number of changes
-- payout_change: By how much the accrued commission changed
-- amount_change: By how much the revenue changed
-- first_change: When the first of them was seen here
-- last_change: When the last of them was seen here
select
    c.month, coalesce(m.media_partner_id, '') as media_partner_id, max(m.media_partner_name) as media_partner_name,
    coalesce(m.currency, '') as currency, m.kind,
    count(*) as changes,
    sum(m.payout_change) as payout_change,
    sum(m.amount_change) as amount_change,
    min(m.changed_at) as first_change,
    max(m.changed_at) as last_change
from closes c
join movements m on m.event_month = c.month and m.changed_at > c.known_at
group by c.month, coalesce(m.media_partner_id, ''), coalesce(m.currency, ''), m.kind

-- What has moved since a month was closed? One row for each closed month, partner, currency and kind of change.
--
-- A month's figures in close_lines and its changes add up to what is accrued for it now.
--
-- month: The closed month, as its first day
-- media_partner_id: The partner; empty if the action has none
-- currency: ISO 4217 code of the money; empty if the action has none
-- kind: arrival (an action of the month was seen after it was closed), reversal, restoration, correction, or other (the
--   rest, whose reason the history does not have: it was turned off, or the account's time zone is another than then)
-- changes: Number of changes; NULL for the rest
-- payout_change: By how much the accrued commission changed
-- amount_change: By how much the revenue changed
-- first_change: When the first of them was seen here
-- last_change: When the last of them was seen here
with moved as (
    select
        c.month, coalesce(m.media_partner_id, '') as media_partner_id, max(m.media_partner_name) as media_partner_name,
        coalesce(m.currency, '') as currency, m.kind, count(*) as changes, sum(m.payout_change) as payout_change,
        sum(m.amount_change) as amount_change, min(m.changed_at) as first_change, max(m.changed_at) as last_change
    from closes c
    join movements m on m.event_month = c.month and m.changed_at > c.known_at
    group by c.month, coalesce(m.media_partner_id, ''), coalesce(m.currency, ''), m.kind
),
balances as (
    select
        cast(date_trunc('month', event_date at time zone 'account') as date) as month,
        coalesce(media_partner_id, '') as media_partner_id, media_partner_name, coalesce(currency, '') as currency,
        coalesce(payout, 0) as payout, coalesce(amount, 0) as amount
    from settlement
    where stage <> 'reversed'
    union all
    select month, media_partner_id, media_partner_name, currency, -accrued, -amount from close_lines
    union all
    select month, media_partner_id, media_partner_name, currency, -payout_change, -amount_change from moved
)
select
    month, media_partner_id, media_partner_name, currency, kind, changes, payout_change, amount_change, first_change,
    last_change
from moved
union all
select
    b.month, b.media_partner_id, max(b.media_partner_name), b.currency, 'other', null, sum(b.payout), sum(b.amount),
    null, null
from balances b
join closes c on c.month = b.month
group by b.month, b.media_partner_id, b.currency
having sum(b.payout) <> 0 or sum(b.amount) <> 0

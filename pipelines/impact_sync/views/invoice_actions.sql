-- Which invoice should pay an action? One row for each action that is paid out (its ClearedDate is set).
--
-- An invoice pays what cleared in the months before its own, in the account's calendar, and after that of the partner's
-- earlier one for the same campaign and event month. Of several in one month, which pays an action is not known.
--
-- invoice_id: The invoice that should pay it, the first of several in one month; NULL if there is none yet for its partner, campaign and event month
-- is_missing: Whether there is none, although the partner has invoices of a later month
-- payout: Commission to the partner, as it stands
with periods as (
    select
        invoice_id, invoice_month, media_partner_id, campaign_id, event_month, currency,
        lag(invoice_month) over (
            partition by media_partner_id, campaign_id, event_month, currency order by invoice_month
        ) as previous_month
    from (
        select distinct
            tied_invoice_id as invoice_id, invoice_month, media_partner_id, campaign_id, event_month, currency
        from invoice_months
    ) distinct_months
),
latest as (
    select media_partner_id, currency, max(invoice_month) as invoice_month
    from invoice_months
    group by media_partner_id, currency
),
cleared as (
    select
        id, campaign_id, campaign_name, media_partner_id, media_partner_name, currency, payout, cleared_date,
        cast(date_trunc('month', event_date at time zone 'account') as date) as event_month,
        cast(date_trunc('month', cleared_date at time zone 'account') as date) as cleared_month
    from actions
    where cleared_date is not null and coalesce(state, '') <> 'REVERSED'
)
select
    c.id as action_id, p.invoice_id,
    p.invoice_id is null and coalesce(c.cleared_month < t.invoice_month, false) as is_missing,
    c.campaign_id, c.campaign_name, c.media_partner_id, c.media_partner_name, c.event_month, c.currency, c.payout,
    c.cleared_date
from cleared c
left join periods p
    on p.media_partner_id = c.media_partner_id and p.campaign_id = c.campaign_id and p.event_month = c.event_month
    and p.currency = c.currency and c.cleared_month < p.invoice_month
    and (p.previous_month is null or c.cleared_month >= p.previous_month)
left join latest t on t.media_partner_id = c.media_partner_id and t.currency = c.currency

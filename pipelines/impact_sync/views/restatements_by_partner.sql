-- What has changed at each partner? One row for each campaign, partner, currency, month of the change, event month and
-- kind of change.
--
-- The changes are those of movements: a partner's rows add up to what is accrued for it. An action that arrives in the
-- month of its event is one of them.
--
-- changed_month: Month in which the change was seen here, in the account's calendar, as its first day
-- kind: arrival (seen for the first time), reversal, restoration or correction
-- changes: Number of changes
-- payout_change: By how much the accrued commission changed
-- amount_change: By how much the revenue changed
select
    campaign_id, media_partner_id, max(media_partner_name) as media_partner_name, currency,
    cast(date_trunc('month', changed_at at time zone 'account') as date) as changed_month, event_month, kind,
    count(*) as changes,
    sum(payout_change) as payout_change,
    sum(amount_change) as amount_change
from movements
group by 1, 2, 4, 5, 6, 7

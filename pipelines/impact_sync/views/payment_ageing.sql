-- Which commission is locked but not paid, and for how long? One row for each campaign, partner and currency.
--
-- Days are counted in the account's calendar, from the LockingDate to as_of.
--
-- actions: Number of locked actions that are not paid
-- unpaid: Their commission: the sum of the next five
-- days_0_to_30: Commission that locked at most 30 days ago
-- days_31_to_60: Commission that locked 31 to 60 days ago
-- days_61_to_90: Commission that locked 61 to 90 days ago
-- days_over_90: Commission that locked more than 90 days ago
-- days_not_known: Commission of actions that are locked, on a date that is not known
-- first_lock: The earliest LockingDate among them
select
    campaign_id, max(campaign_name) as campaign_name, media_partner_id,
    max(media_partner_name) as media_partner_name, currency,
    max(as_of) as as_of,
    count(*) as actions,
    sum(payout) as unpaid,
    sum(case when days <= 30 then payout else 0 end) as days_0_to_30,
    sum(case when days between 31 and 60 then payout else 0 end) as days_31_to_60,
    sum(case when days between 61 and 90 then payout else 0 end) as days_61_to_90,
    sum(case when days > 90 then payout else 0 end) as days_over_90,
    sum(case when days is null then payout else 0 end) as days_not_known,
    min(locking_date) as first_lock
from (
    select
        campaign_id, campaign_name, media_partner_id, media_partner_name, currency, as_of, locking_date,
        coalesce(payout, 0) as payout,
        date_diff(
            'day', cast(locking_date at time zone 'account' as date), cast(as_of at time zone 'account' as date)
        ) as days
    from settlement
    where stage = 'locked'
) aged
group by campaign_id, media_partner_id, currency

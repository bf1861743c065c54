-- How is each partner doing, month by month? One row for each campaign, partner, currency and event month.
--
-- event_month: Month of the EventDate in the account's calendar, as its first day; NULL if the action has none
-- reversal_rate: Share of the actions that are reversed; it can still grow while actions are open
-- amount: Revenue of the actions that are not reversed
-- payout: Commission of the actions that are not reversed
-- at_risk: Commission of open actions, which a reversal could still take away
-- commission_rate: Commission divided by revenue
-- average_amount: Revenue per action that is not reversed
select
    campaign_id, max(campaign_name) as campaign_name, media_partner_id,
    max(media_partner_name) as media_partner_name, currency, event_month,
    count(*) as actions,
    sum(is_reversed) as actions_reversed,
    cast(sum(is_reversed) as double precision) / count(*) as reversal_rate,
    sum(kept_amount) as amount,
    sum(kept_payout) as payout,
    sum(at_risk) as at_risk,
    cast(sum(kept_payout) as double precision) / nullif(cast(sum(kept_amount) as double precision), 0)
        as commission_rate,
    cast(sum(kept_amount) as double precision) / nullif(count(*) - sum(is_reversed), 0) as average_amount
from (
    select
        campaign_id, campaign_name, media_partner_id, media_partner_name, currency, at_risk,
        cast(date_trunc('month', event_date at time zone 'account') as date) as event_month,
        case when stage = 'reversed' then 1 else 0 end as is_reversed,
        case when stage <> 'reversed' then coalesce(amount, 0) else 0 end as kept_amount,
        case when stage <> 'reversed' then coalesce(payout, 0) else 0 end as kept_payout
    from settlement
) monthly
group by campaign_id, media_partner_id, currency, event_month

-- How much of what a partner brings in a month stays? One row for each campaign, partner, currency and event month.
--
-- actions_open: Number of those that can still be reversed; while there are any, the rates can still grow
-- is_final: Whether none of the actions can change any more, by a reversal or by a restoration
-- reversal_rate: Share of the actions that are reversed
-- intended_payout: Commission before any modification
-- payout: Commission of the actions that are not reversed, as it stands
-- payout_lost: Commission that the reversed actions would have earned
-- lost_rate: payout_lost divided by intended_payout
select
    campaign_id, max(campaign_name) as campaign_name, media_partner_id,
    max(media_partner_name) as media_partner_name, currency, event_month,
    count(*) as actions,
    sum(is_reversed) as actions_reversed,
    sum(case when stage = 'open' then 1 else 0 end) as actions_open,
    max(case when can_change then 1 else 0 end) = 0 as is_final,
    cast(sum(is_reversed) as double precision) / count(*) as reversal_rate,
    sum(intended_payout) as intended_payout,
    sum(case when stage <> 'reversed' then coalesce(payout, 0) else 0 end) as payout,
    sum(is_reversed * intended_payout) as payout_lost,
    cast(sum(is_reversed * intended_payout) as double precision)
        / nullif(cast(sum(intended_payout) as double precision), 0) as lost_rate
from (
    select
        campaign_id, campaign_name, media_partner_id, media_partner_name, currency, stage, can_change, payout,
        coalesce(intended_payout, 0) as intended_payout,
        case when stage = 'reversed' then 1 else 0 end as is_reversed,
        cast(date_trunc('month', event_date at time zone 'account') as date) as event_month
    from settlement
) monthly
group by campaign_id, media_partner_id, currency, event_month

-- How is each partner doing? One row for each campaign, partner and currency.
--
-- reversal_rate: Share of the actions that are reversed
-- amount: Revenue of the actions that are not reversed
-- payout: Commission of the actions that are not reversed
-- at_risk: Commission of open actions, which a reversal could still take away
-- commission_rate: Commission divided by revenue
-- average_amount: Revenue per action that is not reversed
-- first_event: The first conversion
-- last_event: The last conversion
select
    campaign_id, max(campaign_name) as campaign_name, media_partner_id,
    max(media_partner_name) as media_partner_name, currency,
    count(*) as actions,
    sum(case when stage = 'reversed' then 1 else 0 end) as actions_reversed,
    cast(sum(case when stage = 'reversed' then 1 else 0 end) as double precision) / count(*) as reversal_rate,
    sum(case when stage <> 'reversed' then coalesce(amount, 0) else 0 end) as amount,
    sum(case when stage <> 'reversed' then coalesce(payout, 0) else 0 end) as payout,
    sum(at_risk) as at_risk,
    cast(sum(case when stage <> 'reversed' then payout end) as double precision)
        / nullif(cast(sum(case when stage <> 'reversed' then amount end) as double precision), 0) as commission_rate,
    cast(sum(case when stage <> 'reversed' then amount end) as double precision)
        / nullif(sum(case when stage <> 'reversed' and amount is not null then 1 else 0 end), 0) as average_amount,
    min(event_date) as first_event,
    max(event_date) as last_event
from settlement
group by campaign_id, media_partner_id, currency

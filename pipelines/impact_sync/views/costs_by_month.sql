-- What do partners cost, commission and fees? One row for each campaign, partner, currency and event month.
--
-- Only actions that are not reversed.
--
-- amount: Revenue of the actions
-- payout: Commission to the partner
-- client_cost: What the actions cost the brand: commission plus fees
-- fees: client_cost less the commission of the same actions
-- fee_rate: fees divided by that commission
-- cost_rate: client_cost divided by the revenue of the same actions
-- actions_without_cost: Number of actions whose cost the API does not tell; client_cost, fees and rates leave them out
select
    campaign_id, max(campaign_name) as campaign_name, media_partner_id,
    max(media_partner_name) as media_partner_name, currency, event_month,
    count(*) as actions,
    sum(coalesce(amount, 0)) as amount,
    sum(coalesce(payout, 0)) as payout,
    sum(coalesce(client_cost, 0)) as client_cost,
    sum(case when client_cost is not null then client_cost - coalesce(payout, 0) else 0 end) as fees,
    cast(sum(case when client_cost is not null then client_cost - coalesce(payout, 0) else 0 end) as double precision)
        / nullif(cast(sum(case when client_cost is not null then payout end) as double precision), 0) as fee_rate,
    cast(sum(client_cost) as double precision)
        / nullif(cast(sum(case when client_cost is not null then amount end) as double precision), 0) as cost_rate,
    sum(case when client_cost is null then 1 else 0 end) as actions_without_cost
from (
    select
        campaign_id, campaign_name, media_partner_id, media_partner_name, currency, amount, payout, client_cost,
        cast(date_trunc('month', event_date at time zone 'account') as date) as event_month
    from settlement
    where stage <> 'reversed'
) monthly
group by campaign_id, media_partner_id, currency, event_month

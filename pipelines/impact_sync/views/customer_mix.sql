-- Which customers do partners bring, new or existing, and with which promo code? One row for each campaign, partner,
-- currency, event month, customer status and promo code.
--
-- customer_status: The brand's label for the customers, NEW for example; NULL if the actions have none
-- promo_code: The promotional code that was used; NULL for actions without one
-- amount: Revenue of the actions that are not reversed
-- payout: Commission of the actions that are not reversed
-- client_cost: What these cost the brand, fees included
select
    campaign_id, max(campaign_name) as campaign_name, media_partner_id,
    max(media_partner_name) as media_partner_name, currency, event_month, customer_status, promo_code,
    count(*) as actions,
    sum(case when stage = 'reversed' then 1 else 0 end) as actions_reversed,
    sum(case when stage <> 'reversed' then coalesce(amount, 0) else 0 end) as amount,
    sum(case when stage <> 'reversed' then coalesce(payout, 0) else 0 end) as payout,
    sum(case when stage <> 'reversed' then coalesce(client_cost, 0) else 0 end) as client_cost
from (
    select
        campaign_id, campaign_name, media_partner_id, media_partner_name, currency, customer_status, promo_code, stage,
        amount, payout, client_cost,
        cast(date_trunc('month', event_date at time zone 'account') as date) as event_month
    from settlement
) monthly
group by campaign_id, media_partner_id, currency, event_month, customer_status, promo_code

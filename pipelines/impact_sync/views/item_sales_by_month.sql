-- What was sold, month by month? One row for each campaign, currency, category, Sku and event month, over the actions
-- whose items were read.
--
-- item_coverage shows how much of the account this covers.
--
-- currency: ISO 4217 code of the money: the item's, or else the action's
-- category: The product's category
-- sku: The item's stock-keeping unit
-- item_name: The product's name, from any action of the month whose list was read
-- actions: Number of actions with the Sku
-- units: Units sold, without reversed actions
-- amount: Revenue of the item, without reversed actions
-- payout: Commission on the item, without reversed actions
-- average_price: Revenue per unit
select
    campaign_id, currency, category, sku, event_month,
    max(item_name) as item_name,
    count(*) as actions,
    sum(is_reversed) as actions_reversed,
    sum(units) as units,
    sum(amount) as amount,
    sum(payout) as payout,
    cast(sum(amount) as double precision) / nullif(sum(units), 0) as average_price
from (
    select
        a.campaign_id, coalesce(i.sale_amount_currency, a.currency) as currency, i.category, i.sku, i.item_name,
        cast(date_trunc('month', a.event_date at time zone 'account') as date) as event_month,
        case when a.state = 'REVERSED' then 1 else 0 end as is_reversed,
        case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.quantity, 0) else 0 end as units,
        case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.sale_amount, 0) else 0 end as amount,
        case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.payout, 0) else 0 end as payout
    from action_items i
    join actions a on a.id = i.action_id
) monthly
group by campaign_id, currency, category, sku, event_month

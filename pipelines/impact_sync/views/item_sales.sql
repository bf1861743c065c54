-- What was sold? One row for each campaign, currency, category and Sku, over the actions whose items were read.
--
-- item_coverage shows how much of the account this covers.
--
-- currency: ISO 4217 code of the money: the item's, or else the action's
-- category: The product's category
-- sku: The item's stock-keeping unit
-- item_name: The product's name, from any action whose list was read
-- actions: Number of actions with the Sku
-- units: Units sold, without reversed actions
-- amount: Revenue of the item, without reversed actions
-- payout: Commission on the item, without reversed actions
-- average_price: Revenue per unit
-- actions_from_feed: Actions whose items the change feed says, without names until their lists are read
select
    a.campaign_id, coalesce(i.sale_amount_currency, a.currency) as currency, i.category, i.sku,
    max(i.item_name) as item_name,
    count(*) as actions,
    sum(case when a.state = 'REVERSED' then 1 else 0 end) as actions_reversed,
    sum(case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.quantity, 0) else 0 end) as units,
    sum(case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.sale_amount, 0) else 0 end) as amount,
    sum(case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.payout, 0) else 0 end) as payout,
    cast(
        sum(case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.sale_amount, 0) else 0 end) as double precision
    ) / nullif(sum(case when coalesce(a.state, '') <> 'REVERSED' then coalesce(i.quantity, 0) else 0 end), 0)
        as average_price,
    sum(case when f.status = 'derived' then 1 else 0 end) as actions_from_feed
from action_items i
join actions a on a.id = i.action_id
left join item_fetches f on f.action_id = i.action_id
group by 1, 2, 3, 4

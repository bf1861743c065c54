-- What was sold? One row for each campaign, currency, category and Sku, over the actions whose items were read.
--
-- actions: those with the Sku. units, amount and payout count actions that are not reversed. average_price: amount per
-- unit. actions_from_feed: those whose items the change feed says, without names until their lists are read; item_name
-- is from any of the others. item_coverage shows how much of the account this covers.
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

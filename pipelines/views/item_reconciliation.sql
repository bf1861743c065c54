-- Which actions' items do not add up to the action? One row for each such action whose items are current.
--
-- The differences are the action's value less the sum over its items. other_currency: an item is in another currency
-- than the action, so that the difference says nothing.
select
    a.id as action_id,
    a.campaign_id,
    a.media_partner_name,
    a.event_date,
    a.state,
    a.currency,
    s.item_count,
    a.amount,
    i.amount as items_amount,
    coalesce(a.amount, 0) - coalesce(i.amount, 0) as amount_difference,
    a.payout,
    i.payout as items_payout,
    coalesce(a.payout, 0) - coalesce(i.payout, 0) as payout_difference,
    coalesce(i.low <> a.currency or i.high <> a.currency, false) as other_currency
from item_state s
join actions a on a.id = s.action_id
left join (
    select
        action_id,
        sum(sale_amount) as amount,
        sum(payout) as payout,
        min(least(coalesce(sale_amount_currency, payout_currency), coalesce(payout_currency, sale_amount_currency)))
            as low,
        max(greatest(coalesce(sale_amount_currency, payout_currency), coalesce(payout_currency, sale_amount_currency)))
            as high
    from action_items
    group by action_id
) i on i.action_id = a.id
where s.items = 'current'
    and (coalesce(a.amount, 0) <> coalesce(i.amount, 0) or coalesce(a.payout, 0) <> coalesce(i.payout, 0))

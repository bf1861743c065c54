-- Which actions' items do not add up to the action? One row for each such action whose items are current, or were read
-- with a value that could not be typed (see rejected_records).
--
-- item_count: Rows of action_items from the last answer
-- amount: Revenue of the action
-- items_amount: The sum over its items
-- amount_difference: The action's value minus the sum over its items
-- payout: Commission of the action
-- items_payout: The sum over its items
-- payout_difference: The action's value minus the sum over its items
-- other_currency: Whether an item is in another currency than the action, so that the difference means nothing
-- known_by: What says the items: feed (added up from the change feed) or list
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
    exists (
        select 1
        from action_items o
        where o.action_id = a.id and (o.sale_amount_currency <> a.currency or o.payout_currency <> a.currency)
    ) as other_currency,
    s.known_by
from actions a
left join (
    select action_id, sum(sale_amount) as amount, sum(payout) as payout
    from action_items
    group by action_id
) i on i.action_id = a.id
join item_state s on s.action_id = a.id
where (coalesce(a.amount, 0) <> coalesce(i.amount, 0) or coalesce(a.payout, 0) <> coalesce(i.payout, 0))
    and (s.items = 'current' or s.failure like 'rejected%')

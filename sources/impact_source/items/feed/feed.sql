-- Items from the change feed: what its rows say of each action, by Sku, and whether that can be relied on.
-- $scope is a condition on the changes `u`, $fingerprint what affects the items of the action `a`.

-- name: lines
-- The changes of each action and Sku added up. `latest` and `moved` are two readings of Quantity: the units after the
-- last change, or the sum of what the changes moved; `last` is the last change. An item that is left without worth and
-- units was removed, which a list may show or not.
select *, sale_amount = 0 and payout = 0 and coalesce($units = 0, false) as is_removed
from (
    select
        action_id, coalesce(sku, '') as sku,
        sum(delta_amount) as sale_amount, sum(delta_payout) as payout,
        cast(sum(quantity) as bigint) as moved,
        arg_max(quantity, update_date) as latest, arg_max(category, update_date) as category,
        count(*) as changes, count(distinct update_date) as instants,
        count(delta_amount) + count(delta_payout) + count(quantity) as told,
        min(currency) as currency, max(currency) as other_currency, max(update_date) as last
    from action_updates u
    where $scope
    group by action_id, coalesce(sku, '')
) added_up

-- name: sums
-- The same by action. Items that are left without worth but not without units may have been removed or have become
-- free: it is certain that they are still listed only if the complete action was reversed by a change that named each.
select
    a.id as action_id, a.campaign_id, a.event_date, $fingerprint as fingerprint,
    l.changes, l.last, l.items, l.removed, l.changes > l.items + l.removed as is_changed, l.quantities_differ,
    coalesce(a.state = 'REVERSED', false) as is_reversed,
    coalesce(
        l.are_named and l.items > 0 and l.sale_amount = a.amount and l.payout = a.payout
        and l.currency = a.currency and l.other_currency = a.currency
        and (not l.any_worthless or (l.all_worthless and l.first_last = l.last and a.state = 'REVERSED')),
        false
    ) as adds_up
from (
    select
        action_id, sum(sale_amount) as sale_amount, sum(payout) as payout,
        min(currency) as currency, max(other_currency) as other_currency,
        cast(sum(changes) as bigint) as changes, max(last) as last,
        count(*) filter (where not is_removed) as items, count(*) filter (where is_removed) as removed,
        min(last) filter (where not is_removed) as first_last,
        bool_and(sku <> '' and changes = instants and told = 3 * changes) as are_named,
        bool_or(sale_amount = 0 and payout = 0 and not is_removed) as any_worthless,
        bool_and(sale_amount = 0 and payout = 0) as all_worthless,
        bool_or(moved is distinct from latest) as quantities_differ
    from ($lines) summed
    group by action_id
) l
join actions a on a.id = l.action_id

-- name: candidates
-- Actions of a campaign whose items the feed knows and the warehouse does not, or not as they are after the last change.
select s.action_id
from ($sums) s
left join item_fetches f on f.action_id = s.action_id
where $is_clear
    and (
        f.action_id is null
        or (f.status = 'derived' and f.changes <> s.changes)
        or (f.status <> 'derived' and s.last > f.fetched_at)
    )
order by s.action_id

-- name: items
-- The items of the actions in scope that add up.
select
    l.action_id, l.sku, h.item_name, l.category, l.$units as quantity,
    l.sale_amount, l.currency as sale_amount_currency, l.payout, l.currency as payout_currency
from ($lines) l
join ($sums) s on s.action_id = l.action_id
left join action_items h on h.action_id = l.action_id and h.sku = l.sku
where $is_clear and not (l.is_removed and $removed = 'gone')
order by l.action_id, l.sku

-- name: fetches
-- Their rows of `item_fetches`.
select
    s.action_id, s.fingerprint, s.changes, s.items + case when $removed = 'listed' then s.removed else 0 end as item_count
from ($sums) s
where $is_clear
order by s.action_id

-- name: compared
-- Lists of items that arrived since an instant, beside what the feed says of the same actions. A list that is worth
-- something else than its action, or was adjusted after the last change, may be newer than both if it arrived lately.
select
    is_newer, is_same, by_latest, by_moved, by_gone, by_listed, count(*) as actions, min(action_id) as example,
    min(fetched_at) as fetched_at
from (
    select
        s.action_id, min(s.fetched_at) as fetched_at,
        min(s.fetched_at) > %s and coalesce(
            max(b.adjustment_date) > max(s.last) + interval '1 minute'
            or sum(b.sale_amount) is distinct from min(s.amount) or sum(b.payout) is distinct from min(s.paid),
            false
        ) as is_newer,
        bool_and(
            b.is_removed
            or (
                b.sku_there is not null and b.sku_here is not null
                and b.sale_amount is not distinct from b.sale_amount_here
                and b.payout is not distinct from b.payout_here
                and coalesce(b.category, '') = coalesce(b.category_here, '')
            )
        ) as is_same,
        bool_and(b.is_removed or b.quantity is not distinct from b.latest) as by_latest,
        bool_and(b.is_removed or b.quantity is not distinct from b.moved) as by_moved,
        bool_and(not b.is_removed or b.sku_there is null) as by_gone,
        bool_and(
            not b.is_removed or coalesce(b.sale_amount = 0 and b.payout = 0 and b.quantity = 0, false)
        ) as by_listed
    from (
        select s.*, f.fetched_at, a.amount, a.payout as paid
        from ($sums) s
        join item_fetches f on f.action_id = s.action_id
        join actions a on a.id = s.action_id
        where s.adds_up and f.status = 'listed' and f.failure is null and f.fetched_at > %s and f.fetched_at > s.last
    ) s
    join (
        select
            coalesce(i.action_id, l.action_id) as action_id, i.sku as sku_there, l.sku as sku_here,
            i.sale_amount, i.payout, i.category, i.quantity, i.adjustment_date, coalesce(l.is_removed, false) as is_removed,
            l.sale_amount as sale_amount_here, l.payout as payout_here, l.category as category_here, l.latest, l.moved
        from ($lines) l
        full join (
            select i.* from action_items i join item_fetches f on f.action_id = i.action_id where f.status = 'listed'
        ) i on i.action_id = l.action_id and i.sku = l.sku
    ) b on b.action_id = s.action_id
    group by s.action_id
) judged
group by is_newer, is_same, by_latest, by_moved, by_gone, by_listed

-- name: sample
-- Actions whose items to request as a proof: first those that tell a reading ($tells), then by $order: of each kind the
-- newest and the oldest, or simply the latest to change.
select action_id, campaign_id, fingerprint
from (
    select
        s.action_id, s.campaign_id, s.fingerprint, s.last, case when $tells then 0 else 1 end as tells,
        least(
            row_number() over (partition by $kind order by s.event_date desc, s.action_id),
            row_number() over (partition by $kind order by s.event_date, s.action_id)
        ) as place
    from ($sums) s
    left join item_fetches f on f.action_id = s.action_id
    where s.adds_up and (f.action_id is null or f.status <> 'listed')
) drawn
order by $order, action_id
limit $number

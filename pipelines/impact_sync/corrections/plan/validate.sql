-- Which requested corrections can be sent, what would they change, and what is wrong with the rest?
--
-- One row for each requested one, in DuckDB. `requested` holds texts as written; `actions`, `items` (as the warehouse
-- knows them), `fetched` (actions whose items were read), `largest` (the largest amount that an action of a campaign has
-- or had, by currency), `unsettled` (actions with a correction that may still take
-- effect) and `used` (how often we already changed an action) come from the warehouse. A row with a `problem` may not
-- be sent, nor any other row of its action: a correction is sent completely or not at all.
with asked as (
    select
        r.line, r.action_id as named, r.action_tracker_id, r.order_id, lower(r.kind) as kind, r.reason,
        r.disposition_code, r.sku, r.category, r.customer_status, upper(r.currency) as currency, r.note,
        r.amount as amount_text, r.delta as delta_text, r.quantity as quantity_text,
        as_number(r.amount) as amount, as_number(r.delta) as delta,
        case when regexp_full_match(r.quantity, '\d{1,9}') then cast(r.quantity as bigint) end as quantity,
        coalesce(r.reason = $reset, false) and lower(r.kind) = 'update' as resets
    from requested r
),
candidates as (
    select k.line, a.id from asked k join actions a on a.id = k.named
    union all
    select k.line, a.id
    from asked k join actions a on a.action_tracker_id = k.action_tracker_id and a.oid = k.order_id
    where k.named is null
),
found as (
    select line, count(*) as candidates, min(id) as id from candidates group by line
),
met as (
    select
        k.*, coalesce(f.candidates, 0) as candidates, a.id as action_id, a.campaign_id, a.currency as account_currency,
        a.state, a.amount as action_amount, a.payout, a.intended_amount, a.intended_payout, a.locking_date,
        a.cleared_date, a.customer_status as old_customer_status,
        a.oid as held_order_id, a.action_tracker_id as held_tracker_id,
        i.sku is not null as item_held, i.quantity as old_quantity, i.sale_amount, i.payout as item_payout,
        i.category as old_category, i.line_count, i.sku is not null or d.item_count is not null as items_read,
        u.plan_id as unsettled_plan, coalesce(n.calls, 0) as calls,
        exists (select 1 from items t where t.action_id = a.id and t.adjustment_date is not null) as items_adjusted
    from asked k
    left join found f on f.line = k.line
    left join actions a on a.id = f.id and f.candidates = 1
    left join items i on i.action_id = a.id and i.sku = k.sku
    left join fetched d on d.action_id = a.id
    left join unsettled u on u.action_id = a.id
    left join used n on n.action_id = a.id
),
valued as (
    select
        *,
        case when sku is null then action_amount else sale_amount end as old_amount,
        case
            when kind = 'reverse' then null
            when resets then intended_amount
            when amount is not null then amount
            when delta is not null then sale_amount + delta
        end as new_amount,
        case when sku is null then payout else item_payout end as base_payout,
        -- What the amount becomes, as far as is known: a quantity alone may change the amount or not.
        case
            when kind = 'reverse' then 0
            when resets then intended_amount
            when quantity = 0 then 0
            when amount is not null then amount
            when delta is not null then sale_amount + delta
            when quantity is not null and old_quantity > 0
                then try_cast(round(cast(sale_amount as double) * quantity / old_quantity, 2) as decimal(20, 8))
            when sku is null then action_amount
            else sale_amount
        end as expected_amount
    from met
),
-- The commission that a change of the amount moves, at the rate of what is there.
rated as (
    select
        *,
        case
            when kind = 'reverse' or resets or expected_amount is not distinct from old_amount then null
            when old_amount <> 0
                then cast(base_payout as double) * cast(expected_amount - old_amount as double) / cast(old_amount as double)
            when intended_amount <> 0
                then cast(intended_payout as double) * cast(expected_amount as double) / cast(intended_amount as double)
        end as rated_change
    from valued
),
alone as (
    select
        *,
        nullif(concat_ws('; ',
            case when kind is null then 'kind is empty: update or reverse'
                when kind not in ('update', 'reverse') then format('kind is {}: update or reverse', kind) end,
            case when named is null and (action_tracker_id is null or order_id is null)
                    then 'it does not name an action: give action_id, or action_tracker_id and order_id'
                when candidates > 1 then format('{} actions have this order: give the action_id', candidates)
                when candidates = 0 then 'the warehouse has no such action: check it, or run `impact sync`' end,
            case when named is not null and order_id is not null and action_id is not null
                and (order_id is distinct from held_order_id
                    or coalesce(action_tracker_id, held_tracker_id) is distinct from held_tracker_id)
                then 'action_id and order_id name different actions' end,
            case when cleared_date is not null then format('it was paid on {}', strftime(timezone($zone, cleared_date), '%Y-%m-%d'))
                when locking_date <= $now
                    then format('it locked on {} UTC', strftime(timezone('UTC', locking_date), '%Y-%m-%d %H:%M'))
                when state = 'REVERSED' and kind = 'reverse' then 'it is reversed already: it would change nothing'
                when state = 'REVERSED' and not resets then format('it is reversed: only {} restores it', $reset)
                when state not in ('PENDING', 'REVERSED')
                    then format('its state is {}, so it can no longer be changed', state) end,
            case when unsettled_plan is not null
                then format('an earlier correction of it is not settled: plan {}', unsettled_plan) end,
            case when calls >= $most
                then format('it was modified {} times by corrections: it takes at most {}', calls, $most) end,
            case when reason is null then 'reason is empty: a reason code of an update, a disposition code of a reversal'
                when kind = 'reverse' and not list_contains($codes, reason)
                    then format('{} is not a disposition code: {}', reason, array_to_string($codes, ', '))
                when kind = 'update' and not resets and not list_contains($reasons, reason)
                    then format('{} is not a reason code: {}', reason, array_to_string($reasons, ', ')) end,
            case when disposition_code is not null and kind = 'reverse' then 'a reversal has its code in reason'
                when not list_contains($reasons, disposition_code)
                    then format('{} is not a disposition code of an update', disposition_code) end,
            case when amount is null and amount_text is not null then number_problem('amount', amount_text)
                when amount < 0 then format('amount is {}: an amount cannot be below 0', amount_text)
                when amount <> round(amount, 4) then format('amount has more than four decimals: {}', amount_text) end,
            case when delta is null and delta_text is not null then number_problem('delta', delta_text)
                when delta <> round(delta, 4) then format('delta has more than four decimals: {}', delta_text)
                when delta + sale_amount < 0
                    then format('delta takes the item below 0: it has {}', shown(sale_amount)) end,
            case when quantity is null and quantity_text is not null
                then format('quantity is not a whole number: {}', quantity_text) end,
            case when amount_text is not null and delta_text is not null
                then 'give either amount or delta, not both' end,
            case when abs(new_amount) >= 1e12 or (expected_amount is null and quantity is not null and sale_amount is not null)
                    then 'the amount would have more than twelve digits'
                when abs(rated_change) >= 1e12 then 'its commission would have more than twelve digits' end,
            case when length(category) > $longest
                then format('category has {} characters: at most {}', length(category), $longest) end,
            case when kind = 'reverse' and coalesce(sku, amount_text, delta_text, quantity_text, category,
                    customer_status) is not null then 'a reversal takes no values: it takes back the whole action'
                when resets and coalesce(sku, amount_text, delta_text, quantity_text, category, customer_status)
                    is not null then format('{} takes no values: it undoes every change', $reset)
                when sku is null and coalesce(delta_text, quantity_text, category) is not null
                    then 'delta, quantity and category are of an item: its sku is missing'
                when sku is not null and coalesce(amount_text, delta_text, quantity_text, category) is null
                    then 'nothing is asked for the item: amount, delta, quantity or category'
                when kind = 'update' and not resets
                    and coalesce(sku, amount_text, customer_status) is null
                    then 'nothing is asked for: amount, customer_status, or something for a sku' end,
            case when kind = 'reverse' or sku is null or action_id is null then null
                when not items_read then 'its items were never read: run `impact items` first'
                when not item_held then format('the action has no item {}', sku)
                when line_count > 1
                    then format('the action lists the sku {} times: it is unclear which is meant', line_count) end,
            case when currency <> account_currency
                then format('the currency is {}, the action has {}', currency, account_currency) end,
            case when kind <> 'update' or action_id is null then null
                when resets then case when state is distinct from 'REVERSED' and not items_adjusted
                    and action_amount is not distinct from intended_amount
                    and payout is not distinct from intended_payout then 'it was never changed: nothing to undo' end
                when coalesce(amount, new_amount, old_amount) is not distinct from old_amount
                    and coalesce(quantity, old_quantity) is not distinct from old_quantity
                    and coalesce(category, old_category) is not distinct from old_category
                    and coalesce(customer_status, old_customer_status) is not distinct from old_customer_status
                    and (amount is not null or delta is not null or quantity is not null or category is not null
                        or customer_status is not null)
                    then 'it would change nothing' end
        ), '') as problem
    from rated
),
together as (
    select
        *,
        case
            when action_id is null then null
            when count(*) over same > 1 and min(line) over same < line
                then format('line {} asks for the same {}', min(line) over same,
                    case when sku is null then 'action' else 'item' end)
            when count(*) over same > 1
                then format('line {} asks for the same {}', max(line) over same,
                    case when sku is null then 'action' else 'item' end)
            when min(kind) over action <> max(kind) over action then 'another line has another kind for this action'
            when min(reason) over action <> max(reason) over action
                or min(disposition_code) over action <> max(disposition_code) over action
                then 'lines of one action leave together and need one reason'
            when min(customer_status) over action <> max(customer_status) over action
                then 'another line has another customer_status for this action'
            when bool_or(sku is null and amount_text is not null) over action and bool_or(sku is not null) over action
                then 'give either the amount of the whole order or amounts of its items, not both'
        end as clash
    from alone
    window
        action as (partition by action_id),
        same as (partition by action_id, coalesce(sku, ''))
),
judged as (
    select
        *,
        coalesce(
            nullif(concat_ws('; ', problem, clash), ''),
            case when action_id is not null
                and bool_or(problem is not null or clash is not null) over (partition by action_id)
                then 'another line of this action cannot be sent' end
        ) as wrong,
        coalesce(action_amount, 0)
            + sum(case when sku is null then 0 else expected_amount - sale_amount end) over (partition by action_id)
            as action_left
    from together
)
select
    line, wrong as problem, named, order_id, sku, action_id, campaign_id, account_currency as currency, kind, reason,
    disposition_code, note,
    bool_or(delta is not null) over (partition by action_id) as relative,
    bool_or(kind = 'reverse' or (sku is null and amount = 0 and action_amount <> 0)
        or (sku is not null and action_amount <> 0 and action_left = 0)) over (partition by action_id) as reverses,
    old_amount, new_amount, delta, old_quantity, quantity as new_quantity, old_category, category as new_category,
    old_customer_status, customer_status as new_customer_status, state as action_state, action_amount,
    payout as action_payout, locking_date,
    case
        when kind = 'reverse' then -payout
        when resets then intended_payout - payout
        when expected_amount is not distinct from old_amount
            then case when customer_status is null and category is null then 0 end
        else try_cast(round(rated_change, 4) as decimal(20, 8))
    end as commission_moved,
    customer_status is not null or category is not null or (quantity is not null and amount is null and delta is null)
        as commission_open,
    case
        when kind = 'update' and not resets and expected_amount > coalesce(old_amount, 0)
            and ((old_amount > 0 and expected_amount > $unusual * old_amount) or expected_amount > l.largest_amount)
            then expected_amount
    end as unusual_amount,
    l.largest_amount, base_payout, sku is not null and action_id is not null and not items_read as unread,
    dense_rank() over (order by min_line) as call
from (select *, min(line) over (partition by coalesce(action_id, 'line ' || line)) as min_line from judged) j
left join largest l on l.of_campaign = j.campaign_id and l.of_currency = j.account_currency
order by line

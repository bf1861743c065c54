-- What differs in so many orders that it is a matter of how amounts are counted, not of single orders.

-- One action amount divided by its order's amount, where a tenth of a currency's orders, and at least 20, share it.
create table ratios as
with pairs as (
    select action_currency as currency, amount, action_amount, count(*) over (partition by action_currency) as pairs
    from met
    where comparable and in_bounds and amount >= 20
)
select currency, count(*) as orders, any_value(pairs) as pairs,
    round(sum(cast(action_amount as double)) / sum(cast(amount as double)), 6) as ratio
from pairs
where differ(amount, action_amount)
group by currency, round(cast(action_amount as double) / cast(amount as double), 3)
having count(*) >= greatest(20, any_value(pairs) / 10);

-- The ratio that most orders of a currency share: what an order's amount is multiplied with to compare it.
create table usual as
select currency, arg_max(ratio, orders) as ratio, count(*) as ratios from ratios group by currency;

-- Pairs of currencies that half of an action currency's orders, and at least 20, have.
create table other_currencies as
with pairs as (
    select currency, action_currency, count(*) over (partition by action_currency) as pairs
    from met
    where in_bounds and orders = 1 and actions = 1 and live = 1
)
select currency, action_currency, count(*) as orders, any_value(pairs) as pairs
from pairs
where currency <> action_currency
group by currency, action_currency
having count(*) >= greatest(20, any_value(pairs) / 2);

-- The orders with their values read. `key` is the order id as it is matched; an empty event type fits every action.
create table orders as
select
    g.line, g.order_id, as_key(g.order_id) as key, coalesce(g.event_type, '') as event_type,
    as_number(g.amount) as amount, upper(g.currency) as currency, s.ours as status,
    try_cast(g.ordered_at as timestamptz) as ordered_at, try_cast(g.updated_at as timestamptz) as updated_at,
    coalesce(as_flag(g.referred), asked.referred) as referred
from given_orders g
cross join asked
left join statuses s on s.theirs = as_word(g.status);

create table items as
select as_key(order_id) as key, sku, sum(as_count(quantity)) as quantity, sum(as_number(amount)) as amount
from given_items
group by all;

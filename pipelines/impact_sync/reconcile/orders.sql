-- The orders with their values read. `key` is the order id as it is matched; an empty event type fits every action.
create table orders as
select
    g.line, g.order_id, as_key(g.order_id) as key, coalesce(g.event_type, '') as event_type,
    as_number(g.amount) as amount, upper(g.currency) as currency, s.ours as status,
    as_time(g.ordered_at) as ordered_at, as_time_until(g.ordered_at) as ordered_until,
    as_time(g.updated_at) as updated_at,
    coalesce(as_flag(g.referred), asked.referred) as referred
from given_orders g
cross join asked
left join statuses s on s.theirs = as_word(g.status);

-- A Sku that is listed twice is one item. What one of its rows does not say is not known of it.
create table items as
select
    as_key(order_id) as key, sku,
    case when count(quantity) = count(*) then sum(as_count(quantity))::bigint end as quantity,
    case when count(amount) = count(*) then try_cast(sum(as_number(amount)) as decimal(20, 8)) end as amount
from given_items
group by all;

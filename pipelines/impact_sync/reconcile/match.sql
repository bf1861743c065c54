-- Each order beside the action that has its id, within its event type; no date decides.

-- The event types of the orders, by id or by name, and the account's trackers that they stand for: those that have
-- order ids at all.
create table types as
select distinct o.event_type, t.action_tracker_id
from (select distinct event_type from orders) o
join (select action_tracker_id, action_tracker_name from actions group by all having count(oid) > 0) t
    on o.event_type = '' or o.event_type = t.action_tracker_id or o.event_type = t.action_tracker_name;

-- Up to when every action of an event type has been read.
create table due as
select t.event_type, min(c.as_of) as as_of
from types t
join (select distinct action_tracker_id, campaign_id from actions) a
    on a.action_tracker_id is not distinct from t.action_tracker_id
join campaigns c on c.campaign_id = a.campaign_id
group by t.event_type;

-- Orders that are listed more than once have no values of their own: which line counts is not guessed.
create table repeated as
select event_type, key, count(*) as orders from orders group by event_type, key having count(*) > 1;

create table per_order as
select event_type, key, 1 as orders, line, order_id, amount, currency, status, ordered_at, updated_at, referred
from orders
anti join repeated using (event_type, key)
union all
select
    event_type, key, any_value(r.orders), min(line), any_value(order_id), any_value(amount), any_value(currency),
    any_value(status), any_value(ordered_at), any_value(updated_at), bool_or(referred)
from orders
join repeated r using (event_type, key)
group by event_type, key;

-- The actions by the keys that orders of their event type may have, and whether one has it.
create table keyed as
select
    t.event_type, as_key(a.oid) as key, a.id, a.state is distinct from 'REVERSED' as live, a.payout, a.event_date,
    exists (select 1 from per_order o where o.event_type = t.event_type and o.key = as_key(a.oid)) as has_order
from actions a
join types t on t.action_tracker_id is not distinct from a.action_tracker_id;

-- An action that orders of several event types have, of one by its id and by its name for example, or of none and one:
-- then these are the same order, listed more than once.
create table shared as
select k.event_type, k.key, max(n.orders) as orders
from keyed k
join (
    select id, sum(o.orders)::bigint as orders
    from keyed join per_order o using (event_type, key)
    group by id
    having count(*) > 1
) n on n.id = k.id
where k.has_order
group by k.event_type, k.key;

update per_order o set orders = s.orders from shared s where s.event_type = o.event_type and s.key = o.key;

-- The action of an order. If there are several, whatever their states, none is chosen; where one alone is alive, it is
-- what the order is compared with.
create table per_action as
select
    event_type, key, count(*) as actions, count(*) filter (live) as live, coalesce(min(id) filter (live), min(id)) as action_id,
    sum(payout) filter (live) as paid, max(payout) filter (live) as paid_once
from keyed
where has_order
group by event_type, key;

create table met as
select
    o.*, p.actions, p.live, p.action_id, p.paid, p.paid_once,
    a.state, a.amount as action_amount, a.payout, a.intended_amount, a.intended_payout,
    a.currency as action_currency, a.locking_date,
    changeable(a.state, a.cleared_date, a.locking_date, asked.as_of) as can_change,
    coalesce(c.as_of, d.as_of, asked.as_of) as as_of,
    coalesce(o.ordered_at >= asked.since, true) and coalesce(o.ordered_at <= asked.until, true) as in_bounds,
    o.orders = 1 and p.actions = 1 and p.live = 1 and coalesce(o.status, 'placed') = 'placed' and o.amount > 0
        and a.amount is not null and coalesce(o.currency = a.currency, true) as comparable
from per_order o
cross join asked
left join per_action p on p.event_type = o.event_type and p.key = o.key
left join actions a on a.id = p.action_id
left join campaigns c on c.campaign_id = a.campaign_id
left join due d on d.event_type = o.event_type;

-- The time that the orders cover: as asked, else from the first to the last of them; nothing if neither is known.
create table covered as
select
    coalesce(any_value(asked.since), min(o.ordered_at)) as since,
    coalesce(any_value(asked.until), max(o.ordered_until), case when any_value(asked.since) is not null
        then any_value(asked.as_of) end) as until
from orders o cross join asked;

-- Actions of that time, of the orders' event types, that no order has.
create table without_order as
select distinct k.id
from keyed k
join covered c on k.event_date >= c.since and k.event_date <= c.until
where k.live and not k.has_order;

delete from without_order where id in (select id from keyed where has_order); -- by another event type's name

-- If none of the orders stands, or most actions have no order, these are not all orders of the time: then no action is
-- wrong for want of one.
create table coverage as
select
    n.actions, o.orderless,
    (select bool_or(coalesce(status in ('placed', 'partly_returned'), true)) from orders)
        and (o.orderless < 20 or o.orderless <= n.actions / 2) as complete
from (
    select count(*) as actions
    from actions a
    join covered c on a.event_date >= c.since and a.event_date <= c.until
    where a.state is distinct from 'REVERSED'
        and coalesce(a.action_tracker_id, '') in (select coalesce(action_tracker_id, '') from types)
) n
cross join (select count(*) as orderless from without_order) o;

create table orderless as
select id from without_order where (select complete from coverage);

-- Partly returned orders whose items may be compared one by one. Items name no event type: those of an id that orders of
-- two have could be either's.
create table partly as
select m.event_type, m.key, m.action_id
from met m
where m.status = 'partly_returned' and m.orders = 1 and m.actions = 1 and m.live = 1 and m.in_bounds
    and coalesce(m.currency = m.action_currency, true) and exists (select 1 from items i where i.key = m.key)
    and not exists (select 1 from per_order o where o.key = m.key and o.event_type <> m.event_type);

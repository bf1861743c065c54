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

create table keyed as
select t.event_type, as_key(a.oid) as key, a.id, a.state is distinct from 'REVERSED' as live, a.payout
from actions a
join types t on t.action_tracker_id is not distinct from a.action_tracker_id;

-- Orders that are listed more than once have no values of their own: which line counts is not guessed.
create table per_order as
select
    event_type, key, count(*) as orders, min(line) as line, any_value(order_id) as order_id,
    any_value(amount) as amount, any_value(currency) as currency, any_value(status) as status,
    any_value(ordered_at) as ordered_at, any_value(updated_at) as updated_at, bool_or(referred) as referred
from orders
group by event_type, key;

-- The action of an order. If there are several, whatever their states, none is chosen.
create table per_action as
select
    k.event_type, k.key, count(*) as actions, count(*) filter (k.live) as live, min(k.id) as action_id,
    sum(k.payout) filter (k.live) as paid, max(k.payout) filter (k.live) as paid_once
from keyed k
semi join per_order o on o.event_type = k.event_type and o.key = k.key
group by k.event_type, k.key;

create table met as
select
    o.*, p.actions, p.live, p.action_id, p.paid, p.paid_once, a.campaign_id, a.action_tracker_name, a.media_partner_name,
    a.state, a.amount as action_amount, a.payout, a.intended_amount, a.intended_payout,
    a.currency as action_currency, a.event_date, a.locking_date,
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
    coalesce(any_value(asked.until), max(o.ordered_at), case when any_value(asked.since) is not null
        then any_value(asked.as_of) end) as until
from orders o cross join asked;

-- Actions that happened in that time, of the orders' event types, and whether an order has them.
create table covered_actions as
select k.id, bool_or(o.key is not null) as has_order
from keyed k
join actions a on a.id = k.id
join covered c on a.event_date >= c.since and a.event_date <= c.until
left join per_order o on o.event_type = k.event_type and o.key = k.key
where k.live
group by k.id;

-- How many have none. If none of the orders stands, or most actions have none, these are not all orders of the time:
-- then no action is wrong for want of an order.
create table coverage as
select
    count(*) as actions, count(*) filter (not has_order) as orderless,
    (select bool_or(coalesce(status in ('placed', 'partly_returned'), true)) from orders)
        and (orderless < 20 or orderless <= actions / 2) as complete
from covered_actions;

create table orderless as
select id from covered_actions where not has_order and (select complete from coverage);

-- Partly returned orders whose items may be compared one by one.
create table partly as
select m.event_type, m.key, m.action_id
from met m
where m.status = 'partly_returned' and m.orders = 1 and m.actions = 1 and m.live = 1 and m.in_bounds
    and coalesce(m.currency = m.action_currency, true) and exists (select 1 from items i where i.key = m.key);

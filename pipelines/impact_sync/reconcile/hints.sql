-- How many orders without an action would have one if ids were compared less exactly: asked for, never done unasked.
with orders_left as (
    select event_type, key from per_order anti join per_action using (event_type, key)
),
actions_left as (
    select k.event_type, k.key from keyed k anti join per_order o on o.event_type = k.event_type and o.key = k.key
)
select
    (select count(*) from orders_left o semi join actions_left a
        on a.event_type = o.event_type and lower(a.key) = lower(o.key)) as "case",
    (select count(*) from orders_left o semi join actions_left a
        on a.event_type = o.event_type and without_blanks(a.key) = without_blanks(o.key)) as blanks,
    (select count(*) from orders_left o semi join actions_left a
        on a.event_type = o.event_type and ltrim(a.key, '0') = ltrim(o.key, '0')) as zeros

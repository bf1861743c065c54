-- Maintains the versions of a table's rows. `a` is a row of $table, `h` a version in $history, `p` the one before it.
-- $since is a condition on an instant: an earlier run has settled everything older.

-- name: copy
-- Insert the rows of the table that no open version was written with, or after.
insert into $history ($columns, synced_at, valid_from $more_columns)
select $a_columns, a.synced_at, a.synced_at $more_values
from $table a
where a.synced_at $since and not exists (
    select 1 from $history h
    where $same_ha and h.valid_to is null and h.synced_at >= a.synced_at and h.synced_at $since
)

-- name: several
-- Select the open versions of rows that have more than one.
valid_to is null and ($key) in (
    select $key from $history
    where valid_to is null and ($key) in (select $key from $history where valid_to is null and synced_at $since)
    group by $key having count(*) > 1
)

-- name: keep_one
-- Keep one of several versions that began at the same instant, because a load was repeated or two runs worked at once.
delete from $history where $row_id in (
    select row_id from (
        select $row_id as row_id, row_number() over (
            partition by $key, valid_from
            order by valid_to desc nulls first, synced_at desc nulls last, changed desc nulls last
        ) as place
        from $history where $among
    ) copies
    where place > 1
)

-- name: drop_unchanged
-- Of several open versions, drop those equal to the one before.
delete from $history where ($key, valid_from) in (
    select $key, valid_from from (
        select
            *, row_number() over (partition by $key order by valid_from) as place,
            count(*) over (partition by $key, valid_from) as copies, $earlier
        from $history where $among
    ) chain
    where place > 1 and copies = 1 and $unchanged
)

-- name: close
-- Of several open versions, end all but the last where the next begins.
update $history h set valid_to = n.following
from (
    select $key, valid_from, lead(valid_from) over (partition by $key order by valid_from) as following
    from (select distinct $key, valid_from from $history where $among) instants
) n
where $same_hn and h.valid_from = n.valid_from and n.following is not null

-- name: name_changes
-- List in each version the columns in which it differs from the one before.
update $history h set changed = c.changed
from (
    select $h_key, h.valid_from, concat_ws(', ', $changed) as changed
    from $history h join $history p on $same_hp and p.valid_to = h.valid_from
    where p.valid_to $since and h.changed is null and h.synced_at $since
) c
where $same_hc and h.valid_from = c.valid_from

-- name: touch
-- Give open versions the instant of their row: otherwise every later run would compare a row that was written again
-- unchanged.
update $history h set synced_at = a.synced_at
from $table a
where $same_ha and h.valid_to is null and h.synced_at < a.synced_at and a.synced_at $since

-- name: adjoin
-- End each version where the next began; the last one is open, for an item as long as its row exists.
update $history h set valid_to = $wanted
from (
    select $key, valid_from, lead(valid_from) over (partition by $key order by valid_from) as following
    from (select distinct $key, valid_from from $history) instants
) n
where $same_hn and h.valid_from = n.valid_from and h.valid_to is distinct from $wanted

-- name: wanted_of_items
case
    when n.following is not null then least(h.valid_to, n.following)
    when not exists (select 1 from $table a where $same_ha) then coalesce(h.valid_to, $now)
end

-- name: rewrite
-- Rewrite open versions that were written with their row but differ from it.
update $history h set $a_values
from $table a
where $same_ha and h.valid_to is null and h.synced_at >= a.synced_at and ($differs_ha)

-- name: close_vanished
-- End versions of items that are missing from a later list.
update $history h set valid_to = f.fetched_at
from $fetches f
where f.action_id = h.action_id and h.valid_to is null and f.fetched_at > h.valid_from and f.fetched_at $since
    and not exists (select 1 from $table a where $same_ha)

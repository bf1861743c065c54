-- What can be wrong with the versions of a table's rows, and the repair. Each query returns the keys concerned.

-- name: intervals
-- Select the intervals of keys that have versions; the row itself is the last one, and open.
select $key, valid_from, valid_to, changed, false as is_row from $versions
union all
select $key, synced_at, null, changed, true from $table t where exists (select 1 from $versions v where $same_tv)

-- name: repeated
select $key from ($intervals) i group by $key, valid_from having count(*) > 1

-- name: apart
-- A gap is none where the next version says that the one before it was not kept. An item can be gone for a while.
select $key, valid_from, following from (
    select
        $key, valid_from, valid_to, is_row,
        lead(valid_from) over (partition by $key order by valid_from, valid_to) as following,
        lead(changed) over (partition by $key order by valid_from, valid_to) as next_changed
    from ($intervals) i
) h
where (is_row and following is not null)
    or (not is_row and (valid_to is null or valid_to <= valid_from or valid_to > following))
    or (valid_to < following and next_changed is distinct from '' and $adjoin)

-- name: keep_one
-- Keep one of several versions that began at the same instant.
delete from $versions where $row_id in (
    select row_id from (
        select $row_id as row_id, row_number() over (partition by $key, valid_from order by valid_to desc nulls last) as place
        from $versions
    ) copies
    where place > 1
)

-- name: drop_later
-- Drop versions that began with the row or after it: it is the latest.
delete from $versions v where exists (select 1 from $table t where $same_tv and t.synced_at <= v.valid_from)

-- name: adjoin
-- End each version where the next begins; one whose end is unknown ends now.
update $versions v set valid_to = coalesce(n.following, $now)
from ($apart) n
where $same_nv and v.valid_from = n.valid_from

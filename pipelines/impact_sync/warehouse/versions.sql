-- Merges rows into a table and keeps what they replace. `a` is a row that arrives, `t` a row of the table, `c` a row of
-- the chain: the rows of one key that are held or arrive, in order, without those equal to the row before.

-- name: chain
-- List the rows of keys that are held or arrive more than once. `_dlt_until` is the instant of the next row.
create temporary table impact_chain as
with held as (
    select * from $table t where exists (select 1 from $arrived a where $replaces)
),
touched as (
    select $key from held union select $key from $arrived a group by $key having count(*) > 1
),
numbered as (
    select *, row_number() over (partition by $key order by _dlt_held desc, synced_at nulls first) as _dlt_place
    from (
        select $columns, 1 as _dlt_held from held
        union all
        select $columns, 0 from $arrived a where exists (select 1 from touched c where $same_ac)
    ) r
),
compared as (
    select $n_columns, n._dlt_held, n._dlt_place,
        n._dlt_place = 1 or $is_gone_p as _dlt_first, $is_gone_n as _dlt_gone, concat_ws(', ', $differing) as _dlt_differing
    from numbered n left join numbered p on $same_np and p._dlt_place = n._dlt_place - 1
)
select $others,
    coalesce(changed, case when not _dlt_first and $keep then _dlt_differing when $known then '' end) as changed,
    _dlt_held, _dlt_gone, lead(synced_at) over (partition by $c_key order by _dlt_place) as _dlt_until
from compared c $join_known
where _dlt_first or _dlt_gone or _dlt_differing <> ''

-- name: supersede
insert into $versions ($kept, valid_from, valid_to)
select $kept, synced_at, _dlt_until from impact_chain where _dlt_until > synced_at and not _dlt_gone

-- name: delete
delete from $table t
where exists (select 1 from $arrived a where $replaces)
    and not exists (select 1 from impact_chain c where $same_ct and c._dlt_held = 1 and c._dlt_until is null)

-- name: replace
insert into $table ($columns)
select $columns from impact_chain where _dlt_held = 0 and _dlt_until is null and not _dlt_gone

-- name: add
insert into $table ($columns)
select $others, coalesce(a.changed, case when $known then '' end)
from $arrived a $join_known
where not $is_gone_a and not exists (select 1 from impact_chain c where $same_ac)

-- name: end
drop table impact_chain

-- name: history
-- Every version of $what that was observed: one row for each, the current one from valid_from until valid_to, which is
-- NULL for what is current now. changed: the columns that differ from the version before.
select $columns from $versions
union all
select $current from $table

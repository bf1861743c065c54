-- Merges rows into a table and keeps what they replace. `a` is a row that arrives, `t` a row of the table, `c` says what
-- changes. Several answers about one key are merged in rounds, one after the other.

-- name: rounds
-- Take the answers about a key that are not its first one.
create temporary table impact_rounds as
select $all_columns, n._dlt_id_of_row, n._dlt_round
from $arrived a
join (
    select $row_id as _dlt_id_of_row,
        row_number() over (partition by $key order by synced_at nulls first) as _dlt_round
    from $arrived a
) n on n._dlt_id_of_row = a.$row_id
where n._dlt_round > 1

-- name: single
-- Of rows that somebody doubled, keep the latest: the rest relies on one row for each key.
delete from $table where $held_id in (
    select _dlt_id_of_row from (
        select t.$held_id as _dlt_id_of_row,
            row_number() over (partition by $t_key order by t.synced_at desc) as _dlt_copy
        from $table t where exists (select 1 from $arrived a where $same_at)
    ) held
    where _dlt_copy > 1
)

-- name: changes
-- List the rows that are replaced or removed, from when on, and the columns that differ.
create temporary table impact_changes as
select * from (
    select $t_key, a.synced_at as _dlt_until, $is_gone as _dlt_gone, concat_ws(', ', $differing) as _dlt_differing
    from $arrived a join $table t on $same_at
    where $in_round
) changes
where _dlt_gone or _dlt_differing <> ''

-- name: supersede
insert into $versions ($kept, valid_from, valid_to)
select $t_kept, t.synced_at, c._dlt_until
from $table t join impact_changes c on $same_ct
where c._dlt_until > t.synced_at

-- name: delete
delete from $table t where exists (select 1 from impact_changes c where $same_ct)

-- name: insert
-- Insert what replaces a row, and what is new. A row that arrives as it is held leaves that one. Beside all of a large
-- table, DuckDB would keep the complete rows that arrive in memory: so only those keys of it that arrive.
insert into $table ($columns)
select $a_columns, coalesce(a.changed, case when $keeps then c._dlt_differing when $is_known then '' end)
from $arrived a left join impact_changes c on $same_ac $join_known
where $in_round and not $is_gone and not exists (
    select 1 from (select $t_key from $table t where exists (select 1 from $arrived a where $same_at)) t where $same_at
)

-- name: end_of_round
drop table impact_changes

-- name: end
drop table impact_rounds

-- name: history
-- Every version of $what that was observed: one row for each, the current one from valid_from until valid_to, which is
-- NULL for what is current now. changed: the columns that differ from the version before.
select $columns from $versions
union all
select $current from $table

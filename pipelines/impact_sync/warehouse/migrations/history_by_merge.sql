-- Moves a history that was kept as a table to the versions that were replaced, and to the rows themselves. `h` is a
-- version in $history, `t` a row of $table. A run that broke off may have left several open versions of a row.

-- name: closed
insert into $versions ($kept) select $kept from $history where valid_to is not null

-- name: stray
-- Open versions without a row: of items that a later list did not name, or of rows that somebody deleted.
insert into $versions ($others, valid_to)
select $others, coalesce(lead(valid_from) over (partition by $key order by valid_from), $ended, current_timestamp)
from $history h
where valid_to is null and not exists (select 1 from $table t where $same_th)

-- name: settled
update $table t set synced_at = h.valid_from, $settled
from $history h where $same_th and h.valid_to is null and h.synced_at = t.synced_at

-- name: unsettled
create temporary table impact_unsettled as
with keys as (
    select distinct $t_key
    from $history h join $table t on $same_th
    where h.valid_to is null and h.valid_from <> t.synced_at
)
select $h_columns from $history h where h.valid_to is null and exists (select 1 from keys k where $same_hk)
union all
select $t_columns from $table t where exists (select 1 from keys k where $same_tk)

-- name: take
delete from $table t where exists (select 1 from impact_unsettled k where $same_tk)

-- name: done
drop table impact_unsettled

-- name: replace
drop table $history

-- name: view
create view $history as $view

-- name: replace_in_postgres
-- Views that others built on the table are created again on the view, with their grants.
do $$impact$$ declare again text[]; one text; begin
with recursive above as (
    select to_regclass('$history')::oid as oid, 0 as depth
    union
    select r.ev_class, a.depth + 1
    from above a join pg_depend d on d.refobjid = a.oid and d.refclassid = 'pg_class'::regclass
    join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass and r.ev_class <> a.oid
), latest as (
    select oid, max(depth) as depth from above group by oid
), statements as (
    select l.depth, 0 as place, format('create %s %s as %s',
        case c.relkind when 'm' then 'materialized view' else 'view' end, c.oid::regclass, pg_get_viewdef(c.oid)) as sql
    from latest l join pg_class c on c.oid = l.oid where l.depth > 0
    union all
    select l.depth, 1, format('grant %s on %s to %s%s', privilege_type, c.oid::regclass,
        case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
        case when is_grantable then ' with grant option' else '' end)
    from latest l join pg_class c on c.oid = l.oid, aclexplode(c.relacl) where grantee <> c.relowner
)
select array_agg(sql order by depth, place) into again from statements;
drop table $history cascade;
create view $history as $view;
foreach one in array coalesce(again, '{}') loop execute one; end loop;
end $$impact$$

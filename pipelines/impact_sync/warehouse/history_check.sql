-- What can be wrong with the versions of a table's rows: each query returns the keys concerned. `a` is a row of $table,
-- `h` a version in $history. $settled is a condition on an instant: the next run settles everything younger.

-- name: repeated
select $key from $history group by $key, valid_from having count(*) > 1

-- name: several
select $key from $history where valid_to is null and synced_at $settled
group by $key having count(distinct valid_from) > 1

-- name: none
select $a_key from $table a
where a.synced_at $settled and not exists (select 1 from $history h where $same_ha and h.valid_to is null)

-- name: different
select $h_key from $table a join $history h on $same_ha and h.valid_to is null
where a.synced_at $settled and h.synced_at $settled and ($differs_ha)

-- name: stray
select $h_key from $history h
where h.valid_to is null and h.synced_at $settled
    and not exists (select 1 from $table a where $same_ha)
    and not exists (select 1 from $fetches f where f.action_id = h.action_id and not (f.fetched_at $settled))

-- name: apart
select $key from (
    select
        $key, valid_from, valid_to, lead(valid_from) over (partition by $key order by valid_from, valid_to) as following
    from $history
) h
where valid_to <= valid_from or valid_to $apart following

-- The last line of each difference that was still there when last looked at, in SQL that DuckDB and Postgres share.
select {columns}
from (
    select
        {columns},
        row_number() over (
            partition by kind, order_id, event_type, action_id, sku order by found_at desc, run_id
        ) as nth
    from {lines}
) latest
where nth = 1 and standing <> 'settled'

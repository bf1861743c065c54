-- How the values of orders are read, and what a difference is.

-- A status or a flag as it is compared: without regard to case, and to blanks or underscores between words.
create macro as_word(t) as lower(replace(trim(t), ' ', '_'));

create macro without_blanks(t) as regexp_replace(t, '[\s\x{a0}]+', '', 'g');

create macro as_flag(t) as case
    when as_word(t) in ('true', 'yes', 'y', '1') then true
    when as_word(t) in ('false', 'no', 'n', '0') then false
end;

-- A whole number, which a database may have kept as a decimal.
create macro as_count(t) as case when regexp_full_match(t, '\d{1,9}(\.0+)?') then cast(cast(t as decimal(20, 8)) as bigint) end;

-- An instant of a year that has four digits; in the connection's time zone if it has no offset.
create macro as_time(t) as case
    when regexp_matches(t, '^\d{4}-')
        and try_cast(t as timestamptz) between timestamptz '0001-01-02 00:00:00Z' and timestamptz '9999-12-30 00:00:00Z'
        then try_cast(t as timestamptz)
end;

-- Until when that may have been: a date without a time is that whole day.
create macro as_time_until(t) as case
    when regexp_full_match(t, '\d{4}-\d{1,2}-\d{1,2}')
        then cast(cast(as_time(t) as date) + 1 as timestamptz) - interval 1 microsecond
    else as_time(t)
end;

create macro time_problem(name, t) as format('{} is not an ISO 8601 instant or date: {}', name, t);

-- Whether an action can still be corrected.
create macro changeable(state, cleared_date, locking_date, as_of) as
    cleared_date is null and coalesce(locking_date > as_of, true) and coalesce(state in ('PENDING', 'REVERSED'), true);

-- The API rounds to cents: amounts closer than half a cent are equal.
create macro differ(a, b) as abs(a - b) > 0.005;

-- Both sides are rounded where a ratio lies between them.
create macro in_ratio(a, b, ratio) as abs(a * ratio - b) <= 0.015 + a / 1000000;

-- The share of some commission that a change of the amount moves; NULL if it is more than a column of money holds.
create macro share_of(commission, was, becomes) as try_cast(
    round(cast(commission as double) * cast(was - becomes as double) / nullif(cast(was as double), 0), 4) as decimal(20, 8)
);

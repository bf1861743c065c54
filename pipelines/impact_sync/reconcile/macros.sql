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

create macro time_problem(name, t) as format('{} is not an ISO 8601 instant or date: {}', name, t);

-- Whether an action can still be corrected.
create macro changeable(state, cleared_date, locking_date, as_of) as
    cleared_date is null and coalesce(locking_date > as_of, true) and coalesce(state in ('PENDING', 'REVERSED'), true);

-- The API rounds to cents: amounts closer than half a cent are equal.
create macro differ(a, b) as abs(a - b) > 0.005;

-- Both sides are rounded where a ratio lies between them.
create macro in_ratio(a, b, ratio) as abs(a * ratio - b) <= 0.015 + a / 1000000;

-- The share of some commission that a change of the amount moves.
create macro share_of(commission, was, becomes) as
    round(cast(commission as double) * cast(was - becomes as double) / nullif(cast(was as double), 0), 4)::decimal(20, 8);

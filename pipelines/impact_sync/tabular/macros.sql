-- How numbers are read that were written as text.

-- A number with a decimal point or comma; `1,234` may be either, and does not count as a number.
create macro as_number(t) as try_cast(case
    when regexp_full_match(t, '[+-]?\d{1,12}(\.(\d{1,2}|\d{4,8}))?') then t
    when regexp_full_match(t, '[+-]?\d{1,12},(\d{1,2}|\d{4,8})') then replace(t, ',', '.')
    when regexp_full_match(t, '[+-]?\d{1,3}(\.\d{3})+,\d{1,8}') then replace(replace(t, '.', ''), ',', '.')
    when regexp_full_match(t, '[+-]?\d{1,3}(,\d{3})+\.\d{1,8}') then replace(t, ',', '')
end as decimal(20, 8));

create macro number_problem(name, t) as case
    when regexp_full_match(t, '[+-]?\d{1,12}[.,]\d{3}')
        then format('{} may be thousands or decimals: {}; write all digits, or four decimals', name, t)
    else format('{} is not a number: {}', name, t)
end;

create macro shown(n) as regexp_replace(regexp_replace(n::varchar, '(\.\d*?)0+$', '\1'), '\.$', '');

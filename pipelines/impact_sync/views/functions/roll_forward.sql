-- How did accrued commission get from one balance to the next? One row for each partner, currency and event month.
--
-- roll_forward(opens, closes): two instants with their offsets, or days or times of the account's calendar, whose
-- starts are meant. opening + arrivals + corrections + restorations - reversals = closing, to the last digit. The
-- balances are those of accrued_at; nothing if the second instant lies before the first.
--
-- month: Month of the EventDate in the account's calendar, as its first day
-- opening: Commission accrued as known at the first instant
-- arrivals: Commission of actions that were seen for the first time since
-- corrections: Changes of commission that are neither reversals nor restorations
-- restorations: Commission that came back with restored actions
-- reversals: Commission that went with reversed actions
-- closing: Commission accrued as known at the second instant
with bounds as (
    select $opens as opened_at, $closes as closed_at
),
parts as (
    select
        h.media_partner_id, h.media_partner_name, h.currency,
        cast(date_trunc('month', h.event_date at time zone 'account') as date) as month,
        case
            when h.valid_from <= b.opened_at and (h.valid_to is null or h.valid_to > b.opened_at)
            then coalesce(h.payout, 0) else 0
        end as opening,
        case
            when h.valid_from <= b.closed_at and (h.valid_to is null or h.valid_to > b.closed_at)
            then coalesce(h.payout, 0) else 0
        end as closing,
        'balance' as kind, 0 as payout_change
    from action_history h
    cross join bounds b
    where coalesce(h.state, '') <> 'REVERSED' and b.opened_at <= b.closed_at
        and h.valid_from <= b.closed_at and (h.valid_to is null or h.valid_to > b.opened_at)
    union all
    select m.media_partner_id, m.media_partner_name, m.currency, m.event_month, 0, 0, m.kind, m.payout_change
    from movements m
    cross join bounds b
    where m.changed_at > b.opened_at and m.changed_at <= b.closed_at
)
select
    media_partner_id, max(media_partner_name) as media_partner_name, currency, month,
    sum(opening) as opening,
    sum(case when kind = 'arrival' then payout_change else 0 end) as arrivals,
    sum(case when kind = 'correction' then payout_change else 0 end) as corrections,
    sum(case when kind = 'restoration' then payout_change else 0 end) as restorations,
    -sum(case when kind = 'reversal' then payout_change else 0 end) as reversals,
    sum(closing) as closing
from parts
group by media_partner_id, currency, month

-- Why is more or less commission accrued than before? One row for each arrival, and each change of what an action adds.
--
-- A reversed action adds nothing. All changes up to an instant add up to what was accrued then. An action that goes
-- from one partner, month or currency to another leaves the one, in a row of its own, and enters the other.
--
-- changed_at: When the change was seen here
-- kind: arrival (seen for the first time), reversal, restoration or correction
-- payout_change: By how much the accrued commission changed
-- amount_change: By how much the revenue changed
with versions as (
    select
        id, campaign_id, media_partner_id, media_partner_name, currency, valid_from, valid_to, changed,
        cast(date_trunc('month', event_date at time zone 'account') as date) as event_month,
        coalesce(state = 'REVERSED', false) as is_reversed,
        case when coalesce(state, '') <> 'REVERSED' then coalesce(payout, 0) else 0 end as payout,
        case when coalesce(state, '') <> 'REVERSED' then coalesce(amount, 0) else 0 end as amount
    from action_history
),
pairs as (
    select
        a.id, a.campaign_id, a.media_partner_id, a.media_partner_name, a.currency, a.event_month, a.payout, a.amount,
        b.id as id_before, b.campaign_id as campaign_before, b.media_partner_id as partner_before,
        b.media_partner_name as name_before, b.currency as currency_before, b.event_month as month_before,
        coalesce(b.payout, 0) as payout_before, coalesce(b.amount, 0) as amount_before,
        coalesce(a.valid_from, b.valid_to) as changed_at,
        case
            when a.changed is null and a.id is not null then 'arrival'
            when a.is_reversed and not b.is_reversed then 'reversal'
            when b.is_reversed and not a.is_reversed then 'restoration'
            else 'correction'
        end as kind,
        a.id is not null and b.id is not null and a.media_partner_id is not distinct from b.media_partner_id
            and a.currency is not distinct from b.currency and a.event_month is not distinct from b.event_month as stays
    from versions a
    full join (select * from versions where valid_to is not null) b on b.id = a.id and b.valid_to = a.valid_from
),
changes as (
    select
        changed_at, id as action_id, campaign_id, media_partner_id, media_partner_name, event_month, currency, kind,
        payout - case when stays then payout_before else 0 end as payout_change,
        amount - case when stays then amount_before else 0 end as amount_change
    from pairs
    where id is not null
    union all
    select
        changed_at, id_before, campaign_before, partner_before, name_before, month_before, currency_before, kind,
        -payout_before, -amount_before
    from pairs
    where id_before is not null and not stays
)
select
    changed_at, action_id, campaign_id, media_partner_id, media_partner_name, event_month, currency, kind,
    payout_change, amount_change
from changes
where kind = 'arrival' or payout_change <> 0 or amount_change <> 0

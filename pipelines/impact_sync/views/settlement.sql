-- Is this commission settled, or can it still change? One row for each action.
--
-- amount: Revenue of the action, as it stands
-- payout: Commission to the partner, as it stands
-- intended_payout: Commission before any modification
-- stage: reversed; paid (ClearedDate is set); locked (it can no longer be modified); open: approved or not, its
--   LockingDate is not known or lies after as_of, or it is in an unknown state
-- can_change: Whether it is open, or reversed but not locked yet, so that it can still be restored
-- can_change_until: Its LockingDate; NULL if it cannot change or the date is not known
-- at_risk: Commission that a reversal could still take away
-- client_cost: What the action costs the brand: commission plus fees
-- partner_group: The partner's groups in the campaign, by name and separated by commas; NULL if there is none, or the
--   groups are not read
select
    action_id, campaign_id, campaign_name, media_partner_id, media_partner_name, state, currency, amount, payout,
    intended_payout, event_date, locking_date, cleared_date, as_of, stage, can_change,
    case when can_change then locking_date end as can_change_until,
    case when stage = 'open' then coalesce(payout, 0) else 0 end as at_risk,
    oid, promo_code, customer_status, client_cost, referring_date, partner_group
from (
    select
        id as action_id, a.campaign_id, campaign_name, media_partner_id, media_partner_name, state, currency, amount,
        payout, intended_payout, event_date, locking_date, cleared_date, s.as_of,
        case
            when state = 'REVERSED' then 'reversed'
            when cleared_date is not null or state = 'PAID' then 'paid'
            when locking_date <= s.as_of or state = 'LOCKED' then 'locked'
            else 'open'
        end as stage,
        cleared_date is null and coalesce(locking_date > s.as_of, true) and coalesce(state not in ('PAID', 'LOCKED'), true)
            as can_change,
        oid, promo_code, customer_status, client_cost, referring_date, g.partner_group
    from actions a
    left join synced_until s on s.campaign_id = a.campaign_id
    left join (
        select m.campaign_id, m.partner_id, string_agg(n.name, ', ' order by n.name) as partner_group
        from partner_group_members m
        join partner_groups n on n.campaign_id = m.campaign_id and n.id = m.group_id
        group by m.campaign_id, m.partner_id
    ) g on g.campaign_id = a.campaign_id and g.partner_id = a.media_partner_id
) staged

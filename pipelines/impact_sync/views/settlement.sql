-- Is this commission settled, or can it still change? One row for each action.
--
-- stage: reversed; paid (ClearedDate is set); locked (it can no longer be modified); open. An action is open, approved
-- or not, if its LockingDate is not known or lies after as_of; so is one in an unknown state. can_change: open, or
-- reversed but not locked yet, so it can still be restored. can_change_until: its LockingDate, NULL if it cannot change
-- or the date is not known. at_risk: commission that a reversal could still take away.
select
    action_id, campaign_id, campaign_name, media_partner_id, media_partner_name, state, currency, amount, payout,
    intended_payout, event_date, locking_date, cleared_date, as_of, stage, can_change,
    case when can_change then locking_date end as can_change_until,
    case when stage = 'open' then coalesce(payout, 0) else 0 end as at_risk
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
            as can_change
    from actions a
    left join synced_until s on s.campaign_id = a.campaign_id
) staged

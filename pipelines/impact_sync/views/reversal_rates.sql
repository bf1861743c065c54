-- What share of the actions is reversed, by age? One row for each campaign, partner, currency and week since the event.
--
-- Young actions can still be reversed, so their rate only grows; a partner's true rate shows in weeks old enough to
-- have locked.
--
-- week: Full weeks from the event to as_of, 0 for the newest
-- actions_open: Number of those that can still be reversed
-- reversal_rate: actions_reversed divided by actions
-- payout_lost: Commission that the reversed ones would have earned
select
    campaign_id, media_partner_id, media_partner_name, currency, week,
    actions, actions_reversed, actions_open,
    cast(actions_reversed as double precision) / actions as reversal_rate,
    payout_lost
from (
    select
        campaign_id, media_partner_id, max(media_partner_name) as media_partner_name, currency,
        cast(floor((extract(epoch from as_of) - extract(epoch from event_date)) / 604800) as integer) as week,
        count(*) as actions,
        sum(case when stage = 'reversed' then 1 else 0 end) as actions_reversed,
        sum(case when stage = 'open' then 1 else 0 end) as actions_open,
        sum(case when stage = 'reversed' then coalesce(intended_payout, 0) else 0 end) as payout_lost
    from settlement
    where event_date is not null and as_of is not null
    group by 1, 2, 4, 5
) aged

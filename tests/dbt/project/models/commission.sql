select campaign_id, currency, stage, count(*) as actions, sum(payout) as payout
from {{ source('impact', 'settlement') }}
group by campaign_id, currency, stage

"""What the latest run over each campaign could not read, according to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from impact_source.actions.events import Outcome
from impact_source.dialect import literal
from impact_source.plan.passes import Pass
from impact_source.sql import Tables, in_utc

_UNREAD = """
select campaign_id, pass, window_start, window_end, outcome, reason
from (
    select w.campaign_id, w.pass, w.window_start, w.window_end, w.outcome, w.reason,
        dense_rank() over (partition by w.campaign_id, k.verifies order by r.started desc, r.run_id) as age
    from sync_windows w
    join sync_runs r on r.run_id = w.run_id
    join (
        select run_id, max(case when pass = '{verify}' then 1 else 0 end) as verifies from sync_windows group by run_id
    ) k on k.run_id = w.run_id
) ranked
where age = 1 and outcome in ({outcomes})
order by campaign_id, pass, window_start, window_end, reason
"""


@dataclass(frozen=True)
class UnreadWindow:
    """A window of the latest sync, or the latest verify, that could not be read; `reason` says why.

    `ahead` marks one that was read after a failed one, and is read again: its cursor stays before both.
    """

    campaign_id: str
    pass_: str
    start: datetime
    end: datetime
    outcome: str
    reason: str | None


def find_unread(tables: Tables) -> list[UnreadWindow]:
    """Windows that the latest sync and the latest verify of each campaign did not read, or will read again."""
    outcomes = ", ".join(map(literal, (Outcome.FAILED, Outcome.LEFT_OUT, Outcome.AHEAD)))
    rows = tables.rows(_UNREAD.format(verify=Pass.VERIFY.value, outcomes=outcomes))
    return [UnreadWindow(c, p, in_utc(start), in_utc(end), outcome, why) for c, p, start, end, outcome, why in rows]

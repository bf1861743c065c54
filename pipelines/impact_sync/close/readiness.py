"""Whether a month is completely read, and proven to be what the API says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from impact_source.plan.cursors import Cursors, Mark
from impact_source.sql import in_utc
from impact_source.warehouse import Warehouse

from ..views import clock_problem
from .month import Month

_VERIFIED = """
select w.campaign_id, r.run_id, r.finished
from (
    select campaign_id, run_id, min(window_start) as first_instant, max(window_end) as last_instant,
        max(case when outcome in ('failed', 'left out') then 1 else 0 end) as failed
    from sync_windows
    where pass = 'verify'
    group by campaign_id, run_id
) w
join sync_runs r on r.run_id = w.run_id
where w.failed = 0 and r.finished is not null and w.first_instant <= %s and w.last_instant >= %s and r.started >= %s
order by r.finished
"""
_DRIFT = """
select campaign_id, run_id, count(distinct action_id)
from verify_results
where month = %s and finding <> 'back' and repaired is not true
group by campaign_id, run_id
"""


@dataclass(frozen=True)
class Readiness:
    """What speaks against closing a month, and since when all campaigns are verified for it (None: one is not)."""

    reasons: tuple[str, ...]
    verified_at: datetime | None


def judge(warehouse: Warehouse, state: Mapping[str, Any], campaigns: Iterable[str], month: Month) -> Readiness:
    """Judge by the cursors in the source's `state`, by what was rejected, and by the verifications of the month."""
    clocks = clock_problem(warehouse, month.time_zone, (month.start, month.end))
    reasons = [clocks] if clocks else []
    verified: list[datetime | None] = []
    bounds = (month.start, month.end, month.end)  # one that was asked for days to come has seen nothing of them
    runs = {id_: (run_id, in_utc(at)) for id_, run_id, at in warehouse.rows(_VERIFIED, *bounds)}
    held = warehouse.holds("verify_results")
    drift = {row[:2]: row[2] for row in warehouse.rows(_DRIFT, str(month))} if held else {}
    for id_ in campaigns:
        reasons += _unread(
            Cursors({"campaigns": {id_: dict(state.get("campaigns", {}).get(id_, {}))}}, id_), id_, month
        )
        if rejected := _rejected(warehouse, id_, month):
            reasons.append(f"campaign {id_}: {rejected:,} records could not be typed completely, see rejected_records")
        run_id, at = runs.get(id_, (None, None))
        verified.append(at)
        if at is None:
            reasons.append(f"campaign {id_} was not verified since the month ended: run `impact verify`")
        elif number := drift.get((id_, run_id)):
            reasons.append(f"campaign {id_}: {number:,} actions differ from the API: run `impact verify --repair`")
    known = [at for at in verified if at]
    return Readiness(tuple(reasons), min(known) if known and len(known) == len(verified) else None)


def _unread(cursors: Cursors, campaign_id: str, month: Month) -> Iterator[str]:
    begun, *reached = map(cursors.get, (Mark.BEGUN, Mark.UPDATED, Mark.LOCKING))
    ends = [at for at in reached if at]
    if len(ends) < len(reached):
        yield f"campaign {campaign_id} was never read completely: run `impact sync`"
    elif min(ends) < month.end:
        yield f"campaign {campaign_id} was read up to {min(ends):%Y-%m-%d %H:%M} UTC only: run `impact sync`"
    if begun and begun > month.start:
        yield f"campaign {campaign_id} was read from {begun:%Y-%m-%d %H:%M} UTC on only: set an earlier start_date"


def _rejected(warehouse: Warehouse, campaign_id: str, month: Month) -> int:
    """Number of rejected records of the month, those of an unknown month included."""
    found = warehouse.rejected(campaign_id).values()
    rows = warehouse.actions(pa.chunked_array([[one.action_id for one in found if one.action_id]], pa.string()))
    events = dict(zip(rows["id"].to_pylist(), rows["event_date"].to_pylist(), strict=True)) if rows else {}
    dates = [events.get(one.action_id) for one in found]
    return sum(at is None or month.start <= in_utc(at) < month.end for at in dates)

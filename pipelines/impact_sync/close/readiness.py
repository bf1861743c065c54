"""Whether a month is completely read, and proven to be what the API says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from impact_source.actions.events import Outcome
from impact_source.items.queue import state_sql
from impact_source.plan.cursors import Cursors, Mark
from impact_source.sql import in_utc
from impact_source.warehouse import Warehouse

from ..views import clock_problem
from .month import Month

_VERIFIED = """
select w.campaign_id, r.run_id, r.finished, i.outcome, i.reason
from (
    select campaign_id, run_id, min(window_start) as first_instant, max(window_end) as last_instant,
        max(case when outcome in ('failed', 'left out') then 1 else 0 end) as failed
    from sync_windows
    where pass = 'verify'
    group by campaign_id, run_id
) w
join sync_runs r on r.run_id = w.run_id
left join sync_windows i on i.run_id = w.run_id and i.campaign_id = w.campaign_id and i.pass = 'items'
where w.failed = 0 and r.finished is not null and w.first_instant <= %s and w.last_instant >= %s and r.started >= %s
order by r.finished
"""
_DERIVED = """
select campaign_id, count(*) from ({state}) s
where items = 'current' and known_by = 'feed' and event_date >= %s and event_date < %s
group by campaign_id
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


@dataclass(frozen=True)
class _Verified:
    """The latest verification of a campaign for a month; `items`: how reading its sample of items ended, if any."""

    run_id: str
    at: datetime
    items: str | None
    reason: str | None

    def lacks(self, derived: int) -> str | None:
        """What it did not compare of the items of a month that has so many actions with derived ones; None: nothing."""
        if derived and not self.items:
            return f"the items of {derived:,} actions come from the change feed and were not compared with any list"
        return self.reason if derived and self.items != Outcome.COMPLETE else None


def judge(
    warehouse: Warehouse, state: Mapping[str, Any], campaigns: Iterable[str], month: Month, *, items: bool = True
) -> Readiness:
    """Judge by the cursors in the source's `state`, by what was rejected, and by the verifications of the month.

    Those have to cover items too if the account's `items` are wanted and some of the month's are derived.
    """
    clocks = clock_problem(warehouse, month.time_zone, (month.start, month.end))
    reasons = [clocks] if clocks else []
    verified: list[datetime | None] = []
    bounds = (month.start, month.end, month.end)  # one that was asked for days to come has seen nothing of them
    runs = {id_: _Verified(run, in_utc(at), *rest) for id_, run, at, *rest in warehouse.rows(_VERIFIED, *bounds)}
    derived = _derived(warehouse, month) if items else {}
    held = warehouse.holds("verify_results")
    drift = {row[:2]: row[2] for row in warehouse.rows(_DRIFT, str(month))} if held else {}
    for id_ in campaigns:
        reasons += _unread(_cursors(state, id_), id_, month)
        if rejected := _rejected(warehouse, id_, month):
            reasons.append(f"campaign {id_}: {rejected:,} records could not be typed completely, see rejected_records")
        if (run := runs.get(id_)) is None:
            reasons.append(f"campaign {id_} was not verified since the month ended: run `impact verify`")
            verified.append(None)
            continue
        lack = run.lacks(derived.get(id_, 0))
        verified.append(None if lack else run.at)
        if lack:
            reasons.append(f"campaign {id_}: {lack}: run `impact verify`")
        if number := drift.get((id_, run.run_id)):
            reasons.append(f"campaign {id_}: {number:,} actions differ from the API: run `impact verify --repair`")
    known = [at for at in verified if at]
    return Readiness(tuple(reasons), min(known) if known and len(known) == len(verified) else None)


def was_read(state: Mapping[str, Any], campaigns: Iterable[str], month: Month) -> bool:
    """Whether anything of the month was ever read, of any of the campaigns."""
    for cursors in (_cursors(state, id_) for id_ in campaigns):
        begun, reached = cursors.get(Mark.BEGUN), cursors.get(Mark.UPDATED)
        if reached and reached > month.start and (begun is None or begun < month.end):
            return True
    return False


def _cursors(state: Mapping[str, Any], campaign_id: str) -> Cursors:
    return Cursors({"campaigns": {campaign_id: dict(state.get("campaigns", {}).get(campaign_id, {}))}}, campaign_id)


def _derived(warehouse: Warehouse, month: Month) -> dict[str, int]:
    """Number of the month's actions whose items are derived from the change feed, by campaign."""
    if not warehouse.holds("item_fetches", "changes"):
        return {}
    return dict(warehouse.rows(_DERIVED.format(state=state_sql(warehouse)), month.start, month.end))


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

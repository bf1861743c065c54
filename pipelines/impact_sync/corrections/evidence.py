"""What the warehouse shows by now of calls without a good outcome: a row that came late may change it.

A sync checks this after it has landed. No request is sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import dlt
import pyarrow as pa
from impact_source.warehouse import Warehouse

from ..warehouse.open import beside
from .journal.calls import Call
from .journal.columns import Correction, Status
from .journal.file import JournalFile
from .journal.table import Journal
from .live import Live, not_as_asked, tells

_RECENT = timedelta(days=30)
"""How long after sending a call is checked; what an action shows later than that has other causes."""


@dataclass(frozen=True)
class Seen:
    """An action as the warehouse has it, and when its row and, by Sku, those of its items were read."""

    live: Live
    read_at: datetime
    items_read_at: dict[str, datetime]


def weigh(pipeline: dlt.Pipeline, now: datetime) -> int:
    """Confirm the calls that the warehouse shows by now; return how many corrections that settled."""
    journal = Journal(pipeline)
    calls = [call for call in journal.doubtful(now - _RECENT) if _may_turn(call)]
    if not calls:
        return 0
    seen = _seen(Warehouse(pipeline), {call.action_id for call in calls})
    file, settled = JournalFile(beside(pipeline)), 0
    for call in calls:
        found = turned(call, seen[call.action_id]) if call.action_id in seen else []
        if not found:
            continue
        since = f"{seen[call.action_id].read_at:%Y-%m-%d %H:%M} UTC"
        said = f"the action shows it, read {since}"
        told = [(row, Status.CONFIRMED, "; ".join(filter(None, (row.outcome, said)))) for row in found]
        journal.record_rows(told, now)
        settled += len(told)
        ids = {row.correction_id for row in found}
        if file.path.exists() and all(row.status == Status.CONFIRMED or row.correction_id in ids for row in call.rows):
            file.stands(call, Status.CONFIRMED, now)
    return settled


def turned(call: Call, seen: Seen) -> list[Correction]:
    """The rows of a call that the action shows as requested, read after the call left.

    Lines of a call take effect together: one can stand alone only if the API was seen to have carried the call out.
    """
    waiting = [row for row in call.rows if row.status != Status.CONFIRMED]
    shown = [row for row in waiting if _read_since(row, seen) and not not_as_asked(call, row, seen.live)]
    alone = all(row.status == Status.DIVERGED for row in waiting)
    return shown if alone or len(shown) == len(waiting) else []


def _may_turn(call: Call) -> bool:
    """Whether a call's action can prove it.

    A relative amount counts only if the API said that it carried out the change; otherwise somebody else may have
    caused the same sum.
    """
    carried_out = any(row.status == Status.DIVERGED or row.processed_at is not None for row in call.rows)
    return carried_out or (tells(call) and not call.first.relative)


def _read_since(row: Correction, seen: Seen) -> bool:
    """Whether the evidence for a row was read after its call left: before that it may have been the same by chance."""
    read_at = seen.read_at
    if row.sku is not None and not row.reverses:
        read_at = seen.items_read_at.get(row.sku, seen.read_at)
    return row.claimed_at is not None and read_at > row.claimed_at


def _seen(warehouse: Warehouse, ids: Collection[str]) -> dict[str, Seen]:
    wanted = pa.chunked_array([pa.array(sorted(ids), pa.string())])
    actions, items = warehouse.actions(wanted), warehouse.lookup("action_items", "action_id", wanted)
    by_action: dict[str, dict[str, Any]] = defaultdict(dict)
    for item in items.to_pylist() if items else []:
        by_action[item["action_id"]][item["sku"]] = item
    return {
        row["id"]: Seen(
            Live(row, by_action[row["id"]]),
            row["synced_at"],
            {sku: item["synced_at"] for sku, item in by_action[row["id"]].items()},
        )
        for row in (actions.to_pylist() if actions else [])
    }

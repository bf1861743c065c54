"""Rows of the ledgers: records that could not be typed, and actions that differ from the API or are gone. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from .parse import Rejected

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """Where a record was read: the run, the campaign, the pass (or `items`), the answer, the window that held it."""

    run_id: str
    campaign_id: str
    pass_: str
    read_at: datetime
    start: datetime | None = None
    end: datetime | None = None


def rejected_row(record: Rejected, origin: Origin) -> Row:
    """The row of `rejected_records` for an action."""
    return _rejected_row(record, origin, record.id, record.id or _hash(record.raw))


def rejected_update_row(record: Rejected, origin: Origin) -> Row:
    """The row of `rejected_records` for a change of the change feed."""
    return _rejected_row(record, origin, None, record.id or _hash(record.raw))


def rejected_item_row(record: Rejected, origin: Origin, action_id: str) -> Row:
    """The row of `rejected_records` for an item of an action."""
    return _rejected_row(record, origin, action_id, _hash(f"{action_id} {record.raw}"))


def rejected_reference_row(record: Rejected, origin: Origin) -> Row:
    """The row of `rejected_records` for a record of a list that surrounds the actions, which the pass names."""
    row = _rejected_row(record, origin, None, f"{origin.pass_} {record.id or _hash(record.raw)}")
    return row | {"campaign_id": origin.campaign_id or None}


def _rejected_row(record: Rejected, origin: Origin, action_id: str | None, key: str) -> Row:
    return {
        "id": key,
        "action_id": action_id,
        "campaign_id": origin.campaign_id,
        "raw": record.raw,
        "reason": record.reason,
        "null_columns": ", ".join(record.null_columns) or None,
        "ask_again": record.ask_again,
        "run_id": origin.run_id,
        "pass": origin.pass_,
        "window_start": origin.start,
        "window_end": origin.end,
        "rejected_at": origin.read_at,
        "resolved": False,
    }


def resolved_row(key: str, rejected_at: datetime) -> Row:
    """The row that removes a record from `rejected_records`, because it can be read now."""
    return {"id": key, "rejected_at": rejected_at, "resolved": True}


def finding(  # noqa: PLR0913 - the columns of a row
    run_id: str,
    campaign_id: str,
    action_id: str,
    what: str,
    found_at: datetime,
    *,
    month: str | None = None,
    column: str = "",
    here: str | None = None,
    there: str | None = None,
    repaired: bool = False,
) -> Row:
    """A row of `verify_results`: one action that differs; a stale action has a row for each column."""
    return {
        "run_id": run_id,
        "campaign_id": campaign_id,
        "action_id": action_id,
        "month": month,
        "finding": what,
        "column_name": column,
        "here": here,
        "there": there,
        "repaired": repaired,
        "found_at": found_at,
    }


def back(run_id: str, campaign_id: str, action_id: str, found_at: datetime) -> Row:
    """The row of `verify_results` for an action that was gone and was met again."""
    return finding(run_id, campaign_id, action_id, "back", found_at, repaired=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

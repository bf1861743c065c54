"""impact.com as a dlt source: every action of a brand's account, kept true through all its later changes.

    pipeline = dlt.pipeline("impact", destination="duckdb", dataset_name="impact")
    pipeline.run(impact())

The window contract: a campaign is read along its last-updated date and along its LockingDate, in windows of at most
45 days that share their boundaries, each from a cursor in dlt state that moves only when everything up to it was
received and is part of the same load package. Rows are merged on `id`; rows that did not change are not written.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from sources.impact.client import Client
from sources.impact.columns import ACTION, CAMPAIGN, SYNCED_AT, hints
from sources.impact.errors import BudgetSpent, ConfigurationError
from sources.impact.landing import Landing
from sources.impact.settings import Settings, parse_instant
from sources.impact.tables import empty
from sources.impact.walk import Ask, Packages, Walk
from sources.impact.warehouse import Warehouse

__all__ = ["Ask", "Settings", "Walk", "impact"]

MERGE: Any = {"disposition": "merge", "strategy": "delete-insert"}
CONTRACT: Any = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}
_log = logging.getLogger(__name__)
_KEY = {"id": {"nullable": False}}
_STAMP = {"synced_at": {"dedup_sort": "desc"}}
_WINDOW: Any = {
    "run_id": {"data_type": "text", "nullable": False, "description": "The run that read the window"},
    "campaign_id": {"data_type": "text", "nullable": False, "description": "The campaign that was read"},
    "pass": {
        "data_type": "text",
        "nullable": False,
        "description": "updated, locking, unseen or verify",
    },
    "window_start": {"data_type": "timestamp", "nullable": False, "description": "First instant of the window"},
    "window_end": {"data_type": "timestamp", "nullable": False, "description": "Last instant of the window"},
}
_WINDOW_RESULT: Any = {
    "event_start": {"data_type": "timestamp", "description": "First EventDate, where the window was parted by it"},
    "event_end": {"data_type": "timestamp", "description": "Last EventDate, where the window was parted by it"},
    "total": {"data_type": "bigint", "description": "Actions in the window, as the API counts them (@total)"},
    "rows": {"data_type": "bigint", "description": "Actions received"},
    "pages": {"data_type": "bigint", "description": "Pages of the window"},
    "requests": {"data_type": "bigint", "description": "Requests sent for it, repeated ones included"},
    "seconds": {"data_type": "double", "description": "Time its requests took, added up"},
    "outcome": {
        "data_type": "text",
        "description": "whole, parted (in parts that add up), or why not: too full, moved",
    },
}
_REJECTED: Any = {
    "id": {"data_type": "text", "nullable": False, "description": "The action's id, else a hash of the record"},
    "raw": {"data_type": "text", "description": "The record as JSON, as it came"},
    "reason": {"data_type": "text", "description": "Why it could not be typed"},
    "action_id": {"data_type": "text", "description": "The action's id, NULL where the record has none"},
    "rejected_at": {
        "data_type": "timestamp",
        "dedup_sort": "desc",
        "description": "When the answer that holds it arrived",
    },
    "resolved": {"data_type": "bool", "hard_delete": True, "description": "True removes the row; never seen here"},
}
FINDINGS: Any = {
    "run_id": {"data_type": "text", "nullable": False, "description": "The run that found it"},
    "campaign_id": {"data_type": "text", "description": "The action's campaign"},
    "action_id": {"data_type": "text", "nullable": False, "description": "The action that differs"},
    "month": {"data_type": "text", "description": "Month of its EventDate, as YYYY-MM"},
    "finding": {"data_type": "text", "description": "missing here, stale here, or gone at the source"},
    "column_name": {"data_type": "text", "nullable": False, "description": "The column that differs, if stale"},
    "here": {"data_type": "text", "description": "The value in the warehouse"},
    "there": {"data_type": "text", "description": "The value at the API"},
    "repaired": {"data_type": "bool", "description": "Whether it was mended, or acknowledged if gone"},
    "found_at": {"data_type": "timestamp", "description": "When it was found (the server's clock)"},
}
"""Columns of `verify_results`; its key is `FINDING_KEY`."""
FINDING_KEY = ["run_id", "action_id", "column_name"]


@dlt.source(name="impact", section="impact", max_table_nesting=0, schema_contract=CONTRACT)
def impact(
    settings: Settings | None = None,
    *,
    campaigns: tuple[str, ...] = (),
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    walk: Packages | None = None,
) -> tuple[DltResource, ...]:
    """Actions, campaigns, the ledger of windows and the records that could not be typed.

    `settings` come from dlt's configuration when not given; `since` and `until` (ISO 8601 or dates) bound the run.
    Everything goes into one load package; give a `walk` of your own to cut it into several (`Walk.package`).
    Raises the errors of `sources.impact.errors`; where only the hour's requests are spent it logs so, lands what was
    read and goes on from there in the next run.
    """
    ask = Ask(tuple(campaigns), _instant(since), _instant(until))

    @dlt.resource(name="pages", selected=False)
    def pages() -> Iterator[Landing]:
        state = dlt.current.source_state()
        selected = set(dlt.current.source().selected_resources)
        if not {"actions", "rejected_records"} <= selected:
            msg = "actions and rejected_records go together: a cursor vouches for what is in both, so load both"
            raise ConfigurationError(msg)
        if walk is not None:
            yield from walk.package(state)
            return
        yield from _whole_walk(settings or Settings.resolve(), ask, state)

    return (pages, *_tables(pages))


def _tables(pages: DltResource) -> Iterator[DltResource]:
    @dlt.transformer(
        name="actions",
        data_from=pages,
        primary_key="id",
        write_disposition=MERGE,
        columns=hints((*ACTION, SYNCED_AT), **_KEY, **_STAMP),
    )
    def actions(landing: Landing) -> Iterator[pa.Table]:
        if landing.actions is not None:
            yield landing.actions
        elif landing.campaigns is not None:  # comes first and once: an account without actions has the table too
            yield empty(ACTION)

    @dlt.transformer(
        name="campaigns",
        data_from=pages,
        primary_key="id",
        write_disposition=MERGE,
        columns=hints((*CAMPAIGN, SYNCED_AT), **_KEY, **_STAMP),
    )
    def campaigns(landing: Landing) -> Iterator[pa.Table]:
        if landing.campaigns is not None:
            yield landing.campaigns

    @dlt.transformer(
        name="rejected_records",
        data_from=pages,
        primary_key="id",
        write_disposition=MERGE,
        columns=_REJECTED | {name: hint | {"nullable": True} for name, hint in _WINDOW.items()},
    )
    def rejected_records(landing: Landing) -> Iterator[list[dict[str, Any]]]:
        yield landing.rejected

    @dlt.transformer(name="sync_windows", data_from=pages, write_disposition="append", columns=_WINDOW | _WINDOW_RESULT)
    def sync_windows(landing: Landing) -> Iterator[list[dict[str, Any]]]:
        yield landing.windows

    @dlt.transformer(
        name="verify_results", data_from=pages, primary_key=FINDING_KEY, write_disposition=MERGE, columns=FINDINGS
    )
    def verify_results(landing: Landing) -> Iterator[list[dict[str, Any]]]:
        yield landing.findings

    yield from (actions, campaigns, rejected_records, sync_windows, verify_results)


def _whole_walk(settings: Settings, ask: Ask, state: Any) -> Iterator[Landing]:  # noqa: ANN401 - dlt's state
    """All of a run in the one package that `pipeline.run(impact())` makes."""
    warehouse = Warehouse(dlt.current.pipeline(), dlt.current.source_schema().name)
    try:
        with (
            Client(settings) as client,
            Walk(client, warehouse, uuid.uuid4().hex, ask, package_rows=sys.maxsize) as walk,
        ):
            yield from walk.package(state)
        if walk.stopped is not None:
            raise walk.stopped
    except BudgetSpent as error:
        _log.warning("stopped early, run again: %s", error)


def _instant(moment: str | datetime | None) -> datetime | None:
    return None if moment is None else parse_instant(moment)

"""The tables that the views read, in a warehouse of the test: rows are inserted instead of synced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dlt
from impact_source.reference.lists import LISTS
from impact_source.rows.columns import ACTION, CAMPAIGN, SYNCED_AT, hints
from impact_source.rows.ours import FEEDS, FETCHES, FINDINGS, HISTORY, ITEMS, WINDOW, WINDOW_RESULT
from impact_source.sql import Tables
from impact_sync.close.columns import CLOSE_LINES, CLOSES
from impact_sync.load import runs
from impact_sync.views import create_over, texts
from impact_sync.warehouse.open import open_pipeline

TABLES: dict[str, dict[str, Any]] = {
    "actions": hints((*ACTION, SYNCED_AT)),
    "campaigns": hints((*CAMPAIGN, SYNCED_AT)),
    "action_items": ITEMS,
    "action_history": HISTORY,
    "item_fetches": FETCHES,
    "item_feeds": FEEDS,
    "sync_windows": WINDOW | WINDOW_RESULT,
    "sync_runs": runs.COLUMNS,
    "verify_results": FINDINGS,
    "closes": CLOSES,
    "close_lines": CLOSE_LINES,
    **{table.name: table.hints for one in LISTS for table in one.tables},
}
_TYPES = {
    "text": "varchar",
    "timestamp": "timestamptz",
    "bigint": "bigint",
    "double": "double precision",
    "bool": "boolean",
    "decimal": "decimal(20, 8)",
    "date": "date",
}
JAN_15 = "2026-01-15T12:00:00Z"
PENDING: dict[str, Any] = {
    "id": "1",
    "campaign_id": "1000",
    "campaign_name": "Acme",
    "media_partner_id": "11",
    "media_partner_name": "Ada",
    "state": "PENDING",
    "currency": "USD",
    "amount": 100,
    "payout": 10,
    "event_date": "2026-01-05T10:00:00Z",
    "locking_date": "2026-02-10T00:00:00Z",
}


class Ledgers:
    """Every table of ours, empty, with the views and functions over them."""

    def __init__(self, pipeline: dlt.Pipeline, time_zone: str) -> None:
        self._tables, self.dataset = Tables(pipeline), pipeline.dataset_name
        with pipeline.sql_client() as client:
            if not client.has_dataset():
                client.create_dataset()
        with self._tables.transaction() as client:
            for table, columns in TABLES.items():
                listed = ", ".join(f'"{name}" {_TYPES[hint["data_type"]]}' for name, hint in columns.items())
                client.execute_sql(f"create table {self._tables.name(table)} ({listed})")
        create_over(self._tables, self.dataset, texts(time_zone), time_zone)

    def add(self, table: str, **values: object) -> None:
        """Add a row; columns that are not named are NULL."""
        names, marks = ", ".join(f'"{name}"' for name in values), ", ".join(["%s"] * len(values))
        sql = f"insert into {self._tables.name(table)} ({names}) values ({marks})"
        self._tables.execute(sql, *values.values())

    def version(self, action: Mapping[str, object], since: str, until: str | None = None, **changes: object) -> None:
        """Add a version of an action to the history, and the action itself if it is the current one."""
        row = {**action, **changes}
        self.add("action_history", **row, valid_from=since, valid_to=until)
        if until is None:
            row.pop("changed", None)
            self.add("actions", **row, synced_at=since)

    def read(self, until: str = JAN_15, campaign_id: str = "1000", **window: object) -> None:
        """Add a run that read a campaign up to an instant, as far as the given window says."""
        usual = {"window_start": "2026-01-01T00:00:00Z", "window_end": until, "pass": "updated", "outcome": "whole"}
        run = {"started": until, "until": until, "finished": until, "outcome": "done", "exit_code": 0}
        self.add("sync_runs", run_id=until, **run)
        self.add("sync_windows", run_id=until, campaign_id=campaign_id, **(usual | window))

    def ask(self, sql: str, zone: str = "UTC") -> list[tuple[Any, ...]]:
        """Rows of a query in a session of this time zone; `impact` is the schema."""
        with self._tables.transaction() as client:
            client.execute_sql(f"set {'local ' * (self._tables.dialect == 'postgres')}timezone = '{zone}'")
            rows = [tuple(row) for row in client.execute_sql(sql) or []]
            client.execute_sql("set timezone = 'UTC'")
        return rows


@contextmanager
def ledgers(time_zone: str = "UTC") -> Iterator[Ledgers]:
    """The tables and views in the configured warehouse, empty; the account's calendar is that of a time zone."""
    with open_pipeline() as pipeline:
        yield Ledgers(pipeline, time_zone)

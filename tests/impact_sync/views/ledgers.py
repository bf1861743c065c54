"""The tables that the views read, in a DuckDB for the test: rows are inserted instead of synced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
from impact_source.rows.columns import ACTION, CAMPAIGN, SYNCED_AT, hints
from impact_source.rows.ours import FEEDS, FETCHES, FINDINGS, HISTORY, ITEMS, WINDOW, WINDOW_RESULT
from impact_sync.load import runs
from impact_sync.views import texts

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
}
_TYPES = {
    "text": "varchar",
    "timestamp": "timestamptz",
    "bigint": "bigint",
    "double": "double",
    "bool": "boolean",
    "decimal": "decimal(20, 8)",
}
JAN_15 = "2026-01-15T12:00:00Z"


class Ledgers:
    """Every table of ours, empty, with the views over them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        for table, columns in TABLES.items():
            listed = ", ".join(f"{name} {_TYPES[hint['data_type']]}" for name, hint in columns.items())
            connection.execute(f"create table {table} ({listed})")
        for name, text in texts().items():
            connection.execute(f"create view {name} as {text}")

    def add(self, table: str, **values: object) -> None:
        """Add a row; columns that are not named are NULL."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._connection.execute(f"insert into {table} ({names}) values ({marks})", list(values.values()))

    def read(self, until: str = JAN_15, campaign_id: str = "1000", **window: object) -> None:
        """Add a run that read a campaign up to an instant, as far as the given window says."""
        usual = {"window_start": "2026-01-01T00:00:00Z", "window_end": until, "pass": "updated", "outcome": "whole"}
        self.add("sync_runs", run_id=until, until=until, finished=until, outcome="done", exit_code=0)
        self.add("sync_windows", run_id=until, campaign_id=campaign_id, **(usual | window))

    def ask(self, sql: str, zone: str = "UTC") -> list[tuple[Any, ...]]:
        """Rows of a query in a session of this time zone."""
        self._connection.execute(f"set timezone = '{zone}'")
        return self._connection.execute(sql).fetchall()


@contextmanager
def ledgers() -> Iterator[Ledgers]:
    """The tables and views, removed afterwards."""
    with duckdb.connect() as connection:
        yield Ledgers(connection)

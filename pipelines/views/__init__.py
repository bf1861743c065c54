"""Views over the tables: one file of plain SQL each, created after every load in the warehouse's own dialect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import dlt
from dlt.destinations.sql_client import SqlClientBase

from sources.impact.item_queue import STATE
from sources.impact.warehouse import Warehouse, render

_NEEDS_FIRST = ("actions", "item_fetches", "action_items")
_BASE = "item_state"
"""The view that others are built on; its SQL is what the queue of items is derived from."""


def texts() -> dict[str, str]:
    """The SQL of every view by its name, in DuckDB's dialect, in the order of creation."""
    folder = files(__package__)
    found = {path.name[:-4]: path.read_text() for path in folder.iterdir() if path.name.endswith(".sql")}
    return {_BASE: STATE} | dict(sorted(found.items()))


def create_views(pipeline: dlt.Pipeline) -> None:
    """Create the views anew: they may have changed with this version."""
    warehouse = Warehouse(pipeline)
    if not all(map(warehouse.holds, _NEEDS_FIRST)):
        return
    with pipeline.sql_client() as client, _inside(client) as name_in_full:
        if name_in_full:  # not every warehouse replaces a view whose columns have changed
            for name in reversed(texts()):
                client.execute_sql(f"drop view if exists {client.make_qualified_table_name(name)}")
        for name, text in texts().items():
            view = client.make_qualified_table_name(name)
            if name_in_full:
                client.execute_sql(f"create view {view} as {render(text, client)}")
            else:
                client.execute_sql(f"create or replace view {view} as {text}")


@contextmanager
def _inside(client: SqlClientBase[Any]) -> Iterator[bool]:
    """Whether the views have to name their tables in full.

    Not in DuckDB: full names would begin with that of the file, under which it may not be attached later.
    """
    if client.capabilities.sqlglot_dialect != "duckdb":
        yield True
        return
    ((catalog, schema),) = client.execute_sql("select current_database(), current_schema()") or []
    client.execute_sql(f"use {client.fully_qualified_dataset_name()}")
    try:
        yield False
    finally:
        quote = client.escape_column_name
        client.execute_sql(f"use {quote(catalog)}.{quote(schema)}")

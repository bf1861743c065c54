"""The configured warehouse, whichever it is, and its comparison with an account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dlt
from impact_sync.views import texts
from impact_sync.warehouse.open import open_pipeline
from impact_sync.warehouse.versions import HISTORIES

from tests.support.account import Account
from tests.support.finance import assert_rolls_forward

_OWN = ("corrections", "reconciliations", "reconciliation_lines")
"""Tables that dlt does not load."""


class Reader:
    """Reads from an open warehouse: opening one takes longer than most queries."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._pipeline = pipeline

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse; `{name}` is a table's full name."""
        with self._pipeline.sql_client() as client:
            names = {*texts(), *HISTORIES, *self._pipeline.default_schema.tables, *_OWN}
            text = sql.format_map({name: client.make_qualified_table_name(name) for name in names})
            return [tuple(row) for row in client.execute_sql(text) or []]

    def held(self, table: str) -> list[dict[str, Any]]:
        """Rows of a table, without our own columns."""
        columns = [c for c in self._pipeline.default_schema.get_table_columns(table) if not c.startswith("_dlt")]
        rows = self.query(f"select {', '.join(columns)} from {{{table}}}")
        ours = {"synced_at", "pass", "changed", "removed"}
        return [{k: v for k, v in zip(columns, row, strict=True) if k not in ours} for row in rows]


@contextmanager
def reading() -> Iterator[Reader]:
    """Open whatever warehouse is configured, to read from it."""
    with open_pipeline(read_only=True) as pipeline:
        yield Reader(pipeline)


def query(sql: str) -> list[tuple[Any, ...]]:
    """Rows of whatever warehouse is configured; `{name}` is a table's full name."""
    with reading() as reader:
        return reader.query(sql)


def held(table: str) -> list[dict[str, Any]]:
    """Rows of a table, without our own columns."""
    with reading() as reader:
        return reader.held(table)


def assert_true(world: Account) -> None:
    """Every column of every action and item is what the API says; the history's open versions are the same rows."""
    with reading() as reader:
        _assert_true(world, reader)


def _assert_true(world: Account, reader: Reader) -> None:
    here = {row["id"]: row for row in reader.held("actions")}
    truth = world.truth()
    assert here.keys() == truth.keys()
    wrong = {id_: row for id_, row in truth.items() if any(here[id_].get(name) != v for name, v in row.items())}
    assert not wrong, list(wrong.items())[:2]
    items = {(row["action_id"], row["sku"]): row for row in reader.held("action_items")}
    known = {row[0] for row in reader.query("select action_id from {item_state} where items = 'current'")}
    expected = {key: row for key, row in world.item_truth().items() if key[0] in known}
    items = {key: row for key, row in items.items() if key[0] in known}
    assert items.keys() == expected.keys()
    assert not [key for key, row in expected.items() if any(items[key].get(name) != v for name, v in row.items())]
    assert reader.query(
        "select count(*) from {actions} a left join {action_history} h on h.id = a.id and h.valid_to is null "
        "and h.synced_at = a.synced_at and h.payout is not distinct from a.payout where h.id is null"
    ) == [(0,)]
    assert reader.query(
        "select count(*) from (select id from {action_history} where valid_to is null group by id "
        "having count(*) > 1) several"
    ) == [(0,)]
    assert_rolls_forward(reader.query)

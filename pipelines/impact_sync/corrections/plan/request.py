"""What is requested: a CSV or Parquet file or a query becomes one table of texts, with the line of each row.

`validate.sql` reads the numbers and says what is wrong with a row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.resources import files
from pathlib import Path

import dlt
import pyarrow as pa

from ... import tabular
from ...warehouse.user_query import run_query

COLUMNS = (
    *("action_id", "action_tracker_id", "order_id", "kind", "reason", "disposition_code", "sku", "amount", "delta"),
    *("quantity", "category", "customer_status", "currency", "note"),
)
_NEEDED = ("kind", "reason")

EXAMPLE = files(__package__) / "example.csv"
"""A file to start from."""


def _lacks(names: Collection[str]) -> list[str]:
    lacks = [name for name in _NEEDED if name not in names]
    if not lacks and "action_id" not in names and not {"action_tracker_id", "order_id"} <= set(names):
        return ["action_id (or action_tracker_id and order_id)"]
    return lacks


_FORM = tabular.Form(
    COLUMNS,
    _lacks,
    as_written=("sku",),
    ids=("action_id", "action_tracker_id", "order_id"),
    aliases={"item_sub_total_delta": "delta", "item_subtotal_delta": "delta", "oid": "order_id"},
)


def read_file(path: Path) -> pa.Table:
    """The rows of a file: `line`, then `COLUMNS` as text, NULL for an empty cell. Raises `ConfigurationError`."""
    return _table(tabular.read_file(path, _FORM))


def read_query(pipeline: dlt.Pipeline, sql: str) -> pa.Table:
    """The rows of a query in the warehouse, which must not change anything there; in the form of `read_file`."""
    return _table(tabular.read_arrow(run_query(pipeline, sql), _FORM, "the query"))


def _table(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(list(batches), _FORM.schema)

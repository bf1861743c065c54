"""`impact publish`: table by table, the ledgers last, so that the lake never vouches for rows it does not hold."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import dlt
import duckdb
import pyarrow as pa
from impact_source.errors import ConfigurationError
from impact_source.rows.naming import LAKE
from impact_source.rows.ours import VERSIONS
from impact_source.warehouse import Warehouse

from ..console.memory import release
from ..views import create_views, zone_of
from ..warehouse.duckdb.destination import little_memory
from ..warehouse.open import open_pipeline, source_state
from ..warehouse.versions import HISTORIES, history_views
from . import delta
from .ledger import Ledger
from .place import Lake
from .rows import HASH, Difference, Shape

_LAST = ("sync_windows", "sync_runs")
"""The tables that vouch for rows of the others: `as_of` is derived from these."""
_MEMORY = "64MB"
"""What DuckDB may hold of the comparison, which goes on on disk beyond that."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """What publishing did to one table of an account."""

    table: str
    rows: int
    written: int
    removed: int


def publish(lake: Lake, *, whole: bool = False) -> list[Written]:
    """Bring this account's rows in the lake up to date with the warehouse; `whole` replaces all of them.

    Raises `ConfigurationError` if there is no warehouse, or the name in the lake belongs to another one.
    """
    with (
        open_pipeline() as pipeline,
        little_memory(pipeline),
        TemporaryDirectory(prefix="impact-publish-") as folder,
        duckdb.connect(Path(folder) / "compare.duckdb") as connection,
    ):
        connection.execute(
            f"set timezone = 'UTC'; set enable_progress_bar = false; set threads = 1; set memory_limit = '{_MEMORY}'"
        )
        create_views(pipeline)  # a run that broke off may have left none
        warehouse = Warehouse(pipeline)
        if not warehouse.holds():
            msg = "there is nothing to publish yet: run `impact sync` first"
            raise ConfigurationError(msg)
        mark = source_state(pipeline).get("account", "")
        ledger = Ledger(lake, mark)
        before = ledger.claim()
        shapes = list(_shapes(pipeline, warehouse))
        written = [_publish_table(connection, warehouse, lake, shape, whole=whole) for shape in shapes]
        for name in sorted(before - {shape.name for shape in shapes}):
            removed = delta.again(lake, partial(delta.delete_rows, lake, name))
            written.append(Written(name, 0, 0, removed))
        ledger.close(
            [shape.name for shape in shapes], datetime.now(UTC), version("impact-sync"), zone_of(pipeline).name
        )
        return written


def _publish_table(
    connection: duckdb.DuckDBPyConnection, warehouse: Warehouse, lake: Lake, shape: Shape, *, whole: bool
) -> Written:
    def here() -> pa.RecordBatchReader:
        return warehouse.stream(shape.name, shape.columns)

    def once() -> Written:
        table = delta.open_table(lake, shape.name, shape.published)
        there = delta.read_columns(table, lake.account, (*shape.key, HASH))
        difference = Difference(connection, shape, here, there, whole=whole)
        if difference.replaces:
            delta.replace(table, lake.account, difference.all_rows(lake.account))
        elif difference.changed and not difference.held:
            delta.append(table, difference.all_rows(lake.account))
        elif difference.changed or difference.gone:
            delta.merge(table, lake.account, shape.key, difference.rows(lake.account))
        release()
        delta.compact(table, lake.account)
        _log.info("published %s: %s rows written, %s removed", shape.name, difference.changed, difference.gone)
        return Written(shape.name, difference.here, difference.changed, difference.gone)

    return delta.again(lake, once)


def _shapes(pipeline: dlt.Pipeline, warehouse: Warehouse) -> Iterator[Shape]:
    """Yield our tables and the views of all versions, without dlt's own columns and those that mark removed rows.

    A field of the API whose name from an older release is one that the lake needs is left out too.
    """
    schema = pipeline.default_schema
    tables = {str(table["name"]): table for table in schema.data_tables(seen_data_only=True)}
    tables |= {view: tables[VERSIONS[HISTORIES[view]]] for view in history_views(schema)}
    for shown, table in sorted(tables.items(), key=lambda one: (one[0] in _LAST, one[0])):
        columns = {str(name): hint for name, hint in table["columns"].items()}
        key = tuple(name for name, hint in columns.items() if hint.get("primary_key")) or ("_dlt_id",)
        names = [
            name
            for name, hint in columns.items()
            if name in key or not (name.startswith("_dlt") or hint.get("hard_delete") or name in LAKE)
        ]
        yield Shape(shown, key, warehouse.schema(str(table["name"]), names))

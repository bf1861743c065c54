"""The version of a warehouse: read when it is opened, raised step by step, written into a new one.

It is stored in the table `schema_versions`, one row per step, in the transaction of the step.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import dlt
from impact_source.errors import ConfigurationError
from impact_source.sql import Tables

from .step import FIRST, Existing, Step

TABLE = "schema_versions"
_JOURNAL = "corrections"
_PROGRAM = version("impact-sync")
_VIEWS = "select table_name from information_schema.views where table_schema = %s"
_COLUMNS = "version bigint, applied_at timestamptz, program text"
_log = logging.getLogger(__name__)


@contextmanager
def versioned(pipeline: dlt.Pipeline, *, read_only: bool, steps: Sequence[Step]) -> Iterator[None]:
    """Keep a warehouse at this program's version: migrate one of an earlier release, write the version into a new one.

    Raises `ConfigurationError` if a later release wrote it, or if an earlier one did and it is `read_only`.
    """
    if pipeline.default_schema_name:
        (_require if read_only else _migrate)(pipeline, steps)
        yield
        return
    try:
        yield
    except BaseException:
        with suppress(Exception):
            _stamp(pipeline, steps)
        raise
    _stamp(pipeline, steps)


def read_version(pipeline: dlt.Pipeline) -> int | None:
    """The schema version of a warehouse; None if it has none."""
    if TABLE not in _find(pipeline, [TABLE]).columns:
        return None
    ((held,),) = Tables(pipeline).rows(f"select max(version) from {TABLE}")
    return None if held is None else int(held)


def _require(pipeline: dlt.Pipeline, steps: Sequence[Step]) -> None:
    if pending := _pending(read_version(pipeline) or FIRST, steps):
        msg = (
            f"an earlier release wrote the warehouse (schema version {pending[0].version - 1}, this program needs "
            f"{pending[-1].version}): run `impact sync` first, which migrates it"
        )
        raise ConfigurationError(msg)


def _migrate(pipeline: dlt.Pipeline, steps: Sequence[Step]) -> None:
    held = read_version(pipeline)
    pending = _pending(held or FIRST, steps)
    for step in pending:
        _log.info("migrating the warehouse to schema version %s", step.version)
        _apply(pipeline, step)
    if held is None and not pending:
        _apply(pipeline, Step(FIRST))


def _pending(held: int, steps: Sequence[Step]) -> list[Step]:
    latest = steps[-1].version if steps else FIRST
    if held > latest:
        msg = (
            f"a later release wrote the warehouse (schema version {held}, impact-sync {_PROGRAM} knows {latest}): "
            "install the latest release, for example with `pip install --upgrade impact-sync`"
        )
        raise ConfigurationError(msg)
    return [step for step in steps if step.version > held]


def _stamp(pipeline: dlt.Pipeline, steps: Sequence[Step]) -> None:
    """Write the version into a warehouse that has just been created."""
    if not pipeline.default_schema_name:
        return
    with pipeline.sql_client() as client:
        created = client.has_dataset()
    if created:
        _apply(pipeline, Step(steps[-1].version if steps else FIRST))


def _apply(pipeline: dlt.Pipeline, step: Step) -> None:
    if step.change_state is not None:
        with pipeline.managed_state(extract_state=True) as state:
            step.change_state(state.get("sources", {}).get("impact", {}))
        pipeline.normalize()
        pipeline.load()
    if step.change_schema is not None:
        step.change_schema(_find(pipeline))
        pipeline.schemas.save_schema(pipeline.default_schema)
        with pipeline.destination_client() as job_client:
            job_client.update_stored_schema()
    former = [name for name in step.former if name not in _views(pipeline)]
    existing = _find(pipeline, [*pipeline.default_schema.data_table_names(), *former, _JOURNAL, TABLE])
    table = existing.name(TABLE)
    with Tables(pipeline).transaction() as client:
        for statement in (*step.sql(existing), f"create table if not exists {table} ({_COLUMNS})"):
            client.execute_sql(statement)
        client.execute_sql(f"insert into {table} values (%s, %s, %s)", step.version, datetime.now(UTC), _PROGRAM)


def _find(pipeline: dlt.Pipeline, names: Sequence[str] = ()) -> Existing:
    """Those of the tables that exist. dlt's schema does not know our own."""
    with pipeline.destination_client() as opened:
        client: Any = opened  # of any SQL destination
        found = {name: tuple(columns) for name, columns in client.get_storage_tables(names) if columns} if names else {}
    tables = Tables(pipeline)
    return Existing(found, tables.name, pipeline.default_schema, tables.dialect)


def _views(pipeline: dlt.Pipeline) -> set[str]:
    """The views, in DuckDB and Postgres: dlt lists them among the tables."""
    tables = Tables(pipeline)
    rows = tables.execute(_VIEWS, pipeline.dataset_name) if tables.dialect in {"duckdb", "postgres"} else ()
    return {str(row[0]) for row in rows}

"""`python -m impact_sync.warehouse.to_postgres FILE` copies a DuckDB warehouse into the configured Postgres database.

All rows, with the cursors and the journal of corrections among them, arrive in one transaction: a move that fails or is
killed leaves at most empty tables behind, and can be started again. dlt creates the tables that it knows, so that their
types are those of any Postgres warehouse; the others get the types that they have in the file. Views follow with the
next load.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import dlt
import duckdb
import sqlglot
from adbc_driver_postgresql import dbapi
from dlt.common.schema import Schema
from impact_source.dialect import literal, quote
from impact_source.errors import ConfigurationError, ImpactError

from ..console.exits import Exit
from ..console.failures import guarded
from .configured import DATASET, kind
from .duckdb.file import connected
from .open import beside, open_pipeline

_DUCKDB: Final = {"IMPACT__DESTINATION": "duckdb", "DESTINATION__DUCKDB__CREDENTIALS": ""}
_ROWS_A_BATCH: Final = 50_000
_NUL: Final = "replace({0}, chr(0), '␀') as {0}"
"""Postgres cannot store the character; a load replaces it in the same way."""
_VERSIONS: Final = "_dlt_version"
"""dlt's table of schemas: it has a row already, for the tables that were created."""


def move(path: Path) -> dict[str, int]:
    """Copy the warehouse in `path` into the configured Postgres database; return the number of rows by table.

    The file of the journal moves along, so that nothing can be sent from both. Raises `ConfigurationError` if there is
    no such warehouse, it is not of this release's version, or the database already holds one; `ImpactError` if the
    commit failed, after the file had moved.
    """
    if kind() != "postgres":
        msg = "no Postgres database is configured: set IMPACT__DESTINATION=postgres and its credentials"
        raise ConfigurationError(msg)
    schema = _read_schema(path)
    with open_pipeline() as pipeline, connected(path, 0, read_only=True) as connection:
        if pipeline.default_schema_name:
            msg = "the database already holds a warehouse: name an empty one in DESTINATION__POSTGRES__CREDENTIALS"
            raise ConfigurationError(msg)
        journal, place = path.with_name(f"{path.name}.corrections.jsonl"), beside(pipeline)
        if journal.exists() and place.exists():
            msg = f"{place} is the journal of another warehouse: move it away"
            raise ConfigurationError(msg)
        _create_tables(pipeline, schema, connection)
        moved = False
        try:
            with _copied(pipeline, schema, connection) as rows:
                if journal.exists():  # before the commit: at no time can anything be sent from both
                    shutil.move(journal, place)
                    moved = True
        except dbapi.Error as error:
            if not moved:
                raise
            msg = (
                f"the move may have failed in its last step: {error}. The journal's file is {place} by now, and "
                f"nothing is sent from {path} without it. Run the move again: it goes on, or says that the database "
                f"already holds the warehouse. To stay with DuckDB instead, move the file back to {journal}"
            )
            raise ImpactError(msg) from error
    return rows


@contextmanager
def _configured(path: Path) -> Iterator[None]:
    """The file as the configured warehouse."""
    before = {name: os.environ.get(name) for name in _DUCKDB}
    os.environ.update(_DUCKDB | {"DESTINATION__DUCKDB__CREDENTIALS": str(path)})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _read_schema(path: Path) -> Schema:
    with _configured(path), open_pipeline(read_only=True) as pipeline:
        return pipeline.default_schema.clone()


def _create_tables(pipeline: dlt.Pipeline, schema: Schema, connection: duckdb.DuckDBPyConnection) -> None:
    pipeline.schemas.save_schema(schema)
    pipeline.sync_schema(schema.name)
    with pipeline.sql_client() as client:
        for table in _tables(connection):
            if table not in schema.tables:
                types = (f"{quote(name)} {_type(text)}" for name, text in _columns(connection, table))
                name = client.make_qualified_table_name(table)
                client.execute_sql(f"create table if not exists {name} ({', '.join(types)})")


@contextmanager
def _copied(pipeline: dlt.Pipeline, schema: Schema, connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, int]]:
    """The number of rows by table, all of which were copied; they are committed when the block ends."""
    with pipeline.sql_client() as opened:
        client: Any = opened  # our own, which knows the lock of this run
        address, proof = client.credentials.to_native_representation(), client.lock.proof
    rows = {}
    with dbapi.connect(address) as server, server.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        cursor.execute(proof)
        for table in _tables(connection):
            columns = _columns(connection, table)
            names = ", ".join(_NUL.format(quote(name)) if text == "VARCHAR" else quote(name) for name, text in columns)
            where = f"where version_hash <> {literal(schema.stored_version_hash or '')}" if table == _VERSIONS else ""
            found = connection.execute(f"select {names} from {quote(DATASET)}.{quote(table)} {where}")
            with found.to_arrow_reader(_ROWS_A_BATCH) as batches:
                rows[table] = cursor.adbc_ingest(table, batches, mode="append", db_schema_name=pipeline.dataset_name)
        yield rows
        server.commit()


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    sql = (
        "select table_name from duckdb_tables() where schema_name = ? and database_name = current_database() order by 1"
    )
    return [str(name) for (name,) in connection.execute(sql, [DATASET]).fetchall()]


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """The columns of a table and their types, in order."""
    sql = (
        "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ? "
        "and database_name = current_database() order by column_index"
    )
    return [(str(name), str(text)) for name, text in connection.execute(sql, [DATASET, table]).fetchall()]


def _type(text: str) -> str:
    """A type of DuckDB's in Postgres."""
    return sqlglot.exp.DataType.build(text, dialect="duckdb").sql(dialect="postgres")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(file: Path) -> None:
    """Copy the DuckDB warehouse FILE into the Postgres database that is configured, which must not hold one yet."""

    def command() -> int:
        rows = move(file.absolute())
        click.echo(
            f"{sum(rows.values()):,} rows of {len(rows)} tables were copied: run `impact sync`, then `impact verify`"
        )
        return Exit.DONE

    raise SystemExit(guarded(command))


if __name__ == "__main__":
    main()

"""Asks a query in another database: Postgres, SQLite, or a DuckDB file. Each is opened so that it can only be read.

Postgres and SQLite are read through their own drivers: DuckDB would have to download an extension for each.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow as pa
from impact_source.errors import ConfigurationError
from impact_source.parsing import in_zone

from ..extras import needed

_ROWS = 50_000
_SQLITE = (".sqlite", ".sqlite3", ".db")
_POSTGRES = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)
_SECRET = re.compile(r"[@=]|://")
"""What a file's name does not have, but the address of a server, in which there may be a password."""
_ONE = "it must be one select, which only reads"
_UNKNOWN = (
    "the database is given as postgresql://user:password@host/name, sqlite:FILE or duckdb:FILE (a file that ends in "
    ".sqlite, .sqlite3, .db or .duckdb needs no prefix)"
)


@contextmanager
def reading(address: str, sql: str) -> Iterator[pa.RecordBatchReader]:
    """The rows of a query. Raises `ConfigurationError` that says what is wrong, without the address's password."""
    kind, _, rest = address.partition(":")
    path = Path(rest if kind in ("sqlite", "duckdb") else address)
    if _POSTGRES.match(address):
        with needed("postgres", "a database in Postgres"), _postgres(address, sql) as found:
            yield found
    elif kind == "sqlite" or path.suffix in _SQLITE:
        with _sqlite(_there(path), sql) as found:
            yield found
    elif kind == "duckdb" or path.suffix == ".duckdb":
        with _duckdb(_there(path), sql) as found:
            yield found
    else:
        raise ConfigurationError(_UNKNOWN)


def _there(path: Path) -> Path:
    if not path.is_file():
        if _SECRET.search(str(path)):
            raise ConfigurationError(_UNKNOWN)
        msg = f"there is no database {path}"
        raise ConfigurationError(msg)
    return path


@contextmanager
def _duckdb(path: Path, sql: str) -> Iterator[pa.RecordBatchReader]:
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            if [one.type for one in connection.extract_statements(sql)] != [duckdb.StatementType.SELECT]:
                raise _unusable(_ONE)
            connection.execute("set timezone = 'UTC'")
            yield connection.sql(sql).to_arrow_reader(_ROWS)
    except duckdb.Error as error:
        raise _unusable(error) from None


@contextmanager
def _sqlite(path: Path, sql: str) -> Iterator[pa.RecordBatchReader]:
    try:
        with (
            closing(
                sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)
            ) as connection,
            closing(connection.execute(sql)) as cursor,
        ):
            yield _texts(cursor)
    except sqlite3.Error as error:
        raise _unusable(error) from None


@contextmanager
def _postgres(address: str, sql: str) -> Iterator[pa.RecordBatchReader]:
    import psycopg2  # noqa: PLC0415 - only its users have the drivers

    try:
        with closing(_connect(address)) as connection:
            connection.set_session(readonly=True)
            with connection.cursor(name="orders") as cursor:  # a declared cursor takes one select
                cursor.execute(sql)
                yield _texts(cursor)
    except psycopg2.Error as error:
        raise _unusable(str(error).strip().splitlines()[0]) from None


def _connect(address: str) -> Any:  # noqa: ANN401 - a connection of psycopg2
    import psycopg2  # noqa: PLC0415 - only its users have the drivers

    try:
        return psycopg2.connect(_POSTGRES.sub("postgresql://", address))
    except psycopg2.Error as error:
        reason = str(error).strip().splitlines()[0]
        # An address that cannot be parsed is shown in part, which may be the password's.
        unread = reason.startswith("invalid") or "@" in reason or "dsn" in reason
        said = "its address cannot be read (write special characters as in a URL: %2F for /)" if unread else reason
        msg = f"the database of the orders cannot be opened: {said}"
        raise ConfigurationError(msg) from None


def _unusable(reason: object) -> ConfigurationError:
    return ConfigurationError(f"the query cannot be used in that database: {reason}")


def _texts(cursor: Any) -> pa.RecordBatchReader:  # noqa: ANN401 - each driver has its own
    """The rows of a cursor as texts."""
    rows = cursor.fetchmany(_ROWS)
    if cursor.description is None:
        raise _unusable(_ONE)
    schema = pa.schema([(column[0], pa.string()) for column in cursor.description])

    def batches() -> Iterator[pa.RecordBatch]:
        some = rows
        while some:
            columns = zip(*some, strict=True)
            yield pa.record_batch([pa.array(map(_text, column), pa.string()) for column in columns], schema)
            some = cursor.fetchmany(_ROWS)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _text(value: object) -> str | None:
    """A value as text: in UTC, and with four decimals instead of three, which would read as thousands."""
    match value:
        case None:
            return None
        case float() | Decimal():
            try:
                text = f"{round(Decimal(str(value)), 8):f}"
            except InvalidOperation:  # infinite, or with more digits than anybody means: whoever reads it says so
                return str(value)
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return f"{text}0" if re.search(r"\.\d{3}$", text) else text
        case datetime():
            return (in_zone(value, UTC) if value.tzinfo else value).isoformat()
        case bytes():
            return value.decode(errors="replace")
        case _:
            return str(value)

"""Runs a user's query: exactly one statement, which only reads, in a transaction that can do nothing else."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import sqlglot
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.sql_client import SqlClientBase
from impact_source.errors import ConfigurationError
from impact_source.sql import fetch_arrow
from sqlglot import exp
from sqlglot.errors import SqlglotError

from ..console.exits import root_cause

_ONE = "it must be one select, which only reads"
_WRITES = (exp.DML, exp.DDL, exp.Into, exp.Lock, exp.Command)
_PLAIN_STRINGS = "set local standard_conforming_strings = on"
"""If a backslash could end a text elsewhere than we think, another statement could hide in it."""

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # unknown statements are refused, which says enough


class _NotOneSelect(ValueError):
    pass


def run_query(pipeline: dlt.Pipeline, sql: str) -> pa.Table:
    """The rows of a user's query in the warehouse.

    It may read whatever the user who runs us may read, files included; it can write nothing, neither to the warehouse
    nor to a file. Raises `ConfigurationError` if it is not one select, or if the warehouse cannot guarantee this.
    """
    with pipeline.sql_client() as client:
        try:
            return _read(client, sql)
        except (_NotOneSelect, DatabaseException, duckdb.Error, SqlglotError) as error:
            msg = f"the query cannot be used: {root_cause(error)}"
            raise ConfigurationError(msg) from None
        finally:
            with suppress(DatabaseException):  # a failed query has ended its transaction
                client.execute_sql("rollback")


def _read(client: SqlClientBase[Any], sql: str) -> pa.Table:
    match client.capabilities.sqlglot_dialect:
        case "duckdb":
            select = _duckdb_select(client.native_connection, sql)
            client.execute_sql("begin transaction read only")
        case "postgres":
            select = _postgres_select(sql)
            client.execute_sql("begin transaction read only")
            client.execute_sql(_PLAIN_STRINGS)
        case other:
            msg = f"{other} has no read-only transaction that we know of: write the rows to a file and name that"
            raise _NotOneSelect(msg)
    return fetch_arrow(client, select)


def _duckdb_select(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The text, confirmed to be one select by DuckDB itself, which would execute everything in it."""
    if [one.type for one in connection.extract_statements(sql)] != [duckdb.StatementType.SELECT]:
        raise _NotOneSelect(_ONE)
    return sql


def _postgres_select(sql: str) -> str:
    """The select as parsed, rendered again: anything that we did not see in it is not sent either."""
    parsed = sqlglot.parse(sql, dialect="postgres")
    statements = [one for one in parsed if one is not None and not isinstance(one, exp.Semicolon)]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query) or statements[0].find(*_WRITES):
        raise _NotOneSelect(_ONE)
    return statements[0].sql(dialect="postgres", comments=False)

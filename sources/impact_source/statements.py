"""Executes SQL at the destination of a pipeline, any SQL destination of dlt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dlt
from dlt.destinations.sql_client import SqlClientBase

from .dialect import transpile


class Statements:
    """Executes statements: as they are, or rendered from DuckDB's dialect over tables by their bare names."""

    def __init__(self, pipeline: dlt.Pipeline, schema: str = "impact") -> None:
        self._pipeline, self._schema = pipeline, schema
        # Creating a client costs dlt tens of milliseconds, a page's worth of work.
        self._sql: SqlClientBase[Any] | None = None
        self._rendered: dict[str, str] = {}

    def refresh(self) -> None:
        """Read the schema again: a load may have changed it."""
        self._rendered.clear()
        self._sql = None

    @property
    def dialect(self) -> str:
        """The name of the warehouse's dialect in sqlglot."""
        return str(self._client.capabilities.sqlglot_dialect)

    @property
    def takes_nul(self) -> bool:
        """Whether a text can contain a NUL: in DuckDB it can; elsewhere we do not rely on it."""
        return self.dialect == "duckdb"

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        """Rows of a query, with `%s` for each parameter."""
        return self.execute(self.render(sql), *params)

    def execute(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        """Rows of a statement in the warehouse's own dialect, with full table names."""
        with self._client as client:
            return [tuple(row) for row in client.execute_sql(sql, *params) or []]

    @contextmanager
    def transaction(self) -> Iterator[SqlClientBase[Any]]:
        """Execute statements on the yielded client: all of them take effect, or none."""
        with self._client as client, client.begin_transaction():
            yield client

    def render(self, sql: str) -> str:
        """Render a query over tables by their bare names, in DuckDB's dialect, for this warehouse."""
        if self.dialect == "duckdb":  # dlt has put our dataset first in its search path
            return sql
        if sql not in self._rendered:
            self._rendered[sql] = transpile(sql, self._client)
        return self._rendered[sql]

    def name(self, table: str) -> str:
        """The full name of a table in this warehouse."""
        return self._client.make_qualified_table_name(table)

    def column(self, name: str) -> str:
        """The name of a column, quoted for this warehouse."""
        return self._client.escape_column_name(name)

    def literal(self, value: str) -> str:
        """A text, quoted for this warehouse."""
        return str(self._client.capabilities.escape_literal(value))

    @property
    def _client(self) -> SqlClientBase[Any]:
        if self._sql is None:
            known = self._schema in self._pipeline.schemas
            self._sql = self._pipeline.sql_client(self._schema) if known else self._pipeline.sql_client()
        return self._sql

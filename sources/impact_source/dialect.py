"""SQL as text: names, literals, files of statements, and one dialect rendered as another."""

from __future__ import annotations

import re
from datetime import datetime
from importlib.resources import files
from string import Template
from typing import Any

import sqlglot
from dlt.destinations.sql_client import SqlClientBase
from sqlglot import exp

_LATEST = "(array_agg({} order by {} desc))[1]"
"""DuckDB's `arg_max` in Postgres, which has none."""
_PARAMETER = re.compile(r"%s\b")


def quote(name: str) -> str:
    """A name in standard SQL, which DuckDB and Postgres read."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in standard SQL, which DuckDB and Postgres read."""
    return "'" + text.replace("'", "''") + "'"


def instant(moment: datetime) -> str:
    """An instant in standard SQL."""
    return f"cast({literal(moment.isoformat())} as timestamp with time zone)"


def read_statements(package: str, file: str) -> dict[str, Template]:
    """The statements of a `.sql` file beside the code, by name; a line `-- name: ...` precedes each."""
    _, *parts = re.split(r"^-- name: (\w+)$", files(package).joinpath(file).read_text(), flags=re.MULTILINE)
    return {name: Template(text.strip()) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def transpile(sql: str, client: SqlClientBase[Any]) -> str:
    """Render a query in DuckDB's dialect, with bare names and `%s` for parameters, for a client."""
    query = sqlglot.parse_one(_PARAMETER.sub("?", sql), dialect="duckdb")
    dialect, capabilities = client.capabilities.sqlglot_dialect, client.capabilities
    for name in query.find_all(exp.Identifier):
        if name.quoted:
            name.set("this", capabilities.casefold_identifier(name.name))
    if dialect == "postgres":
        for latest in list(query.find_all(exp.ArgMax)):
            latest.replace(
                sqlglot.parse_one(_LATEST.format(latest.this.sql(), latest.expression.sql()), dialect=dialect)
            )
    local = {cte.alias for cte in query.find_all(exp.CTE)}
    for table in list(query.find_all(exp.Table)):
        if table.name and not table.db and table.name not in local:
            qualified = exp.to_table(client.make_qualified_table_name(table.name), dialect=dialect)
            table.replace(exp.alias_(qualified, table.alias_or_name, table=True))
    for parameter in list(query.find_all(exp.Placeholder)):
        parameter.replace(exp.Var(this="%s"))
    return query.sql(dialect=dialect)

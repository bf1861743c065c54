"""The SQL that creates one account's tables and views in an engine that reads Delta.

Each table becomes a temporary view of the account's rows; each of our views is rendered in the engine's dialect. The
functions that ask about an instant are left out: engines differ in how they are written.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from impact_source.errors import ConfigurationError
from sqlglot import exp

from ..views import complete, reads, texts
from .delta import again, find_table
from .ledger import read, tables_of
from .place import Lake
from .rows import ACCOUNT, HASH

_SPARK = {"spark", "databricks"}


def views(lake: Lake, dialect: str = "spark") -> Iterator[str]:
    """Yield the statements in order. Days, weeks and months are those of the account's time zone.

    Raises `ConfigurationError` if nothing was published under the account's name.
    """
    row = again(lake, lambda: read(lake))
    if row is None or not row["tables"]:
        msg = f"the lake {lake.url} has no tables of the account {lake.account!r}: run `impact publish` first"
        raise ConfigurationError(msg)
    there = set(tables_of(row))
    for name in sorted(there):
        yield f"create or replace temporary view {name} as {_own(lake, name)}"
    # An earlier release counted in UTC.
    for name, full in texts(row.get("time_zone") or "UTC").items():
        text = complete(full, there.__contains__)
        if reads(text) <= there:
            there.add(name)
            yield f"create or replace temporary view {name} as {_render(text, dialect)}"


def _render(text: str, dialect: str) -> str:
    query = sqlglot.parse_one(text, dialect="duckdb")
    if dialect in _SPARK:  # which has no `at time zone`; what stands in for it is right in sessions of UTC alone
        for local in list(query.find_all(exp.AtTimeZone)):
            local.replace(exp.func("convert_timezone", local.args["zone"], local.this))
    return query.sql(dialect=dialect, comments=False)


def _own(lake: Lake, name: str) -> str:
    table = find_table(lake, name)
    fields = table.schema().fields if table is not None else []
    columns = ", ".join(f"`{field.name}`" for field in fields if field.name not in (ACCOUNT, HASH))
    return f"select {columns} from delta.`{lake.table(name)}` where {ACCOUNT} = '{lake.account}'"

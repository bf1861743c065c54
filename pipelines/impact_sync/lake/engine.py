"""The SQL that creates one account's tables and views in an engine that reads Delta.

Each table becomes a temporary view of the account's rows; each of our views is rendered in the engine's dialect. The
functions that ask about an instant are left out: engines differ in how they are written.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from impact_source.errors import ConfigurationError

from ..views import complete, reads, texts
from .delta import again, find_table
from .ledger import read, tables_of
from .place import Lake
from .rows import ACCOUNT, HASH


def views(lake: Lake, dialect: str = "spark") -> Iterator[str]:
    """Yield the statements in order: run them in a session whose time zone is UTC.

    Raises `ConfigurationError` if nothing was published under the account's name.
    """
    row = again(lake, lambda: read(lake))
    if row is None or not row["tables"]:
        msg = f"the lake {lake.url} has no tables of the account {lake.account!r}: run `impact publish` first"
        raise ConfigurationError(msg)
    there = set(tables_of(row))
    for name in sorted(there):
        yield f"create or replace temporary view {name} as {_own(lake, name)}"
    for name, full in texts().items():
        text = complete(full, there.__contains__)
        if reads(text) <= there:
            there.add(name)
            query = sqlglot.parse_one(text, dialect="duckdb").sql(dialect=dialect, comments=False)
            yield f"create or replace temporary view {name} as {query}"


def _own(lake: Lake, name: str) -> str:
    table = find_table(lake, name)
    fields = table.schema().fields if table is not None else []
    columns = ", ".join(f"`{field.name}`" for field in fields if field.name not in (ACCOUNT, HASH))
    return f"select {columns} from delta.`{lake.table(name)}` where {ACCOUNT} = '{lake.account}'"

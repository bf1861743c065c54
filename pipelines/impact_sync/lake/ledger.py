"""The lake's table `publications`: one row per account: its owner, its tables, and when they were last complete."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
from impact_source.errors import ConfigurationError
from impact_source.rows.columns import TIME

from . import delta
from .place import Lake
from .rows import ACCOUNT, GONE

NAME = "publications"
_COLUMNS = pa.schema(
    [
        (ACCOUNT, pa.string()),
        ("warehouse", pa.string()),
        ("tables", pa.string()),
        ("published_at", TIME),
        ("version", pa.string()),
    ]
)
_ROW = _COLUMNS.append(pa.field(GONE, pa.bool_()))


class Ledger:
    """An account's row. `mark` is the fingerprint of the AccountSID whose data the warehouse holds."""

    def __init__(self, lake: Lake, mark: str) -> None:
        self._lake, self._mark = lake, mark

    def claim(self) -> set[str]:
        """Take the account's name in the lake, and return the names of the tables published before.

        Raises `ConfigurationError` if the name belongs to another account, whose rows would be deleted.
        """

        def once() -> set[str]:
            row = read(self._lake)
            if row is None:
                self._write(None, None, None)
                return set()
            if row["warehouse"] != self._mark:
                msg = f"in the lake, {self._lake.account!r} is another account: choose another name with --account"
                raise ConfigurationError(msg)
            return set(tables_of(row))

        return delta.again(self._lake, once)

    def close(self, tables: list[str], at: datetime, version: str) -> None:
        """Record that all tables equal the warehouse."""
        delta.again(self._lake, lambda: self._write(",".join(tables), at, version))

    def _write(self, tables: str | None, at: datetime | None, version: str | None) -> None:
        values = (self._lake.account, self._mark, tables, at, version, False)
        row = pa.Table.from_pylist([dict(zip((*_COLUMNS.names, GONE), values, strict=True))], _ROW)
        delta.merge(delta.open_table(self._lake, NAME, _COLUMNS), self._lake.account, (), row)


def read(lake: Lake) -> dict[str, Any] | None:
    """Read the row of the lake's account; None if it was never published."""
    table = delta.find_table(lake, NAME)
    reader = delta.read_columns(table, lake.account, _COLUMNS.names) if table is not None else None
    rows = reader.read_all().to_pylist() if reader is not None else []
    return rows[0] if rows else None


def tables_of(row: dict[str, Any]) -> list[str]:
    """Names of the tables in an account's row."""
    return [name for name in (row["tables"] or "").split(",") if name]

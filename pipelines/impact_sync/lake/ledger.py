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
        ("time_zone", pa.string()),
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
                self._write()
                return set()
            if row["warehouse"] != self._mark:
                msg = f"in the lake, {self._lake.account!r} is another account: choose another name with --account"
                raise ConfigurationError(msg)
            return set(tables_of(row))

        return delta.again(self._lake, once)

    def close(self, tables: list[str], at: datetime, version: str, time_zone: str) -> None:
        """Record that all tables equal the warehouse, and the time zone whose months are its views'."""
        told = {"tables": ",".join(tables), "published_at": at, "version": version, "time_zone": time_zone}
        delta.again(self._lake, lambda: self._write(**told))

    def _write(self, **told: Any) -> None:  # noqa: ANN401 - columns of the row
        own = {ACCOUNT: self._lake.account, "warehouse": self._mark, GONE: False}
        row = pa.Table.from_pylist([own | told], _ROW)
        delta.merge(delta.open_table(self._lake, NAME, _COLUMNS), self._lake.account, (), row)


def read(lake: Lake) -> dict[str, Any] | None:
    """Read the row of the lake's account; None if it was never published."""
    table = delta.find_table(lake, NAME)
    if table is None:
        return None
    there = {field.name for field in table.schema().fields}  # an earlier release may have created it
    rows = delta.read_columns(table, lake.account, [name for name in _COLUMNS.names if name in there]).read_all()
    return next(iter(rows.to_pylist()), None)


def tables_of(row: dict[str, Any]) -> list[str]:
    """Names of the tables in an account's row."""
    return [name for name in (row["tables"] or "").split(",") if name]

"""What must hold for versions: none begins twice, and each ends where the next begins, the last with the row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import dlt
from impact_source.dialect import instant, read_statements
from impact_source.rows.columns import CHANGED
from impact_source.rows.ours import ITEM_KEY, VERSIONS
from impact_source.sql import Tables
from typing_extensions import override

from .versions import HISTORIES

_STATEMENTS = read_statements(__package__, "history_check.sql")
_KEYS = {"actions": ["id"], "action_items": ITEM_KEY}
_ROW_IDS = {"duckdb": "rowid", "postgres": "ctid"}
"""The column that tells apart two rows that are equal in every column, by dialect."""
_SHOWN = 5
"""The most keys that a fault names."""


class Wrong(StrEnum):
    """What can be wrong, as it is shown."""

    REPEATED = "versions that begin at the same instant"
    APART = "versions that do not end where the next begins"


@dataclass(frozen=True)
class Fault:
    """One fault of a history: how many rows it concerns, and the keys of a few."""

    history: str
    wrong: Wrong
    count: int
    keys: tuple[str, ...]

    @override
    def __str__(self) -> str:
        """In words."""
        more = ", …" if self.count > len(self.keys) else ""
        return f"{self.history}: {self.count:,} {self.wrong} ({', '.join(self.keys)}{more})"


def find_faults(pipeline: dlt.Pipeline) -> Iterator[Fault]:
    """What is wrong with the versions; reads only."""
    tables = Tables(pipeline)
    for history, table in _versioned(tables):
        fill, key = _filler(tables, table), " || ' ' || ".join(_KEYS[table])
        for wrong in Wrong:
            found = fill(wrong.name.lower())
            ((count,),) = tables.execute(f"select count(*) from ({found}) found")
            if count:
                keys = tables.execute(f"select distinct {key} from ({found}) found order by 1 limit {_SHOWN}")
                yield Fault(history, wrong, int(count), tuple(row[0] for row in keys))


def repair_versions(pipeline: dlt.Pipeline, now: datetime) -> None:
    """Make the versions adjoin, up to their rows; what ends at no known instant ends at `now`."""
    tables = Tables(pipeline)
    names = ("keep_one", "drop_later", "adjoin") if tables.dialect in _ROW_IDS else ("drop_later", "adjoin")
    for _, table in _versioned(tables):
        fill = _filler(tables, table, now=instant(now), row_id=_ROW_IDS.get(tables.dialect, ""))
        with tables.transaction() as client:
            for name in names:
                client.execute_sql(fill(name))


def _versioned(tables: Tables) -> list[tuple[str, str]]:
    """The histories, each with its table, that have versions."""
    return [
        (history, table)
        for history, table in HISTORIES.items()
        if tables.holds(VERSIONS[table]) and tables.holds(table, CHANGED.name)
    ]


def _filler(tables: Tables, table: str, **more: str) -> Callable[[str], str]:
    """Fills in a statement about a table and its versions."""
    key = _KEYS[table]
    parts = {"table": tables.name(table), "versions": tables.name(VERSIONS[table]), "key": ", ".join(key)} | more
    parts |= {f"same_{one}v": " and ".join(f"{one}.{name} = v.{name}" for name in key) for one in "tn"}
    parts["adjoin"] = "true" if table == "actions" else "false"
    for name in ("intervals", "apart"):
        parts[name] = _STATEMENTS[name].substitute(parts)
    return lambda name: _STATEMENTS[name].substitute(parts)

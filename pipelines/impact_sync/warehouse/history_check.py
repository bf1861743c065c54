"""What must hold for versions: one open for each row, equal to it, and intervals that adjoin. Read only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from impact_source.dialect import instant, read_statements
from impact_source.sql import Tables
from typing_extensions import override

from .versioned import Versioned

_STATEMENTS = read_statements(__package__, "history_check.sql")
_SHOWN = 5
"""The most keys that a fault names."""


class Wrong(StrEnum):
    """What can be wrong, as it is shown."""

    REPEATED = "versions that begin at the same instant"
    SEVERAL = "rows with several open versions"
    NONE = "rows without an open version"
    DIFFERENT = "open versions that differ from their row"
    STRAY = "open versions without a row"
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


def find_faults(tables: Tables, versioned: Versioned, before: datetime | None) -> Iterator[Fault]:
    """What is wrong with one history.

    A run that broke off leaves unsettled versions of rows that it wrote after the previous run ended (`before`): these
    are not faults, the next run settles them.
    """
    settled = f"<= {instant(before)}" if before else "is not null"
    key = " || ' ' || ".join(versioned.key)
    for wrong in Wrong:
        if wrong is Wrong.STRAY and not versioned.of_items:
            continue  # an action whose row is gone is missing, which verify finds by itself
        apart = ">" if versioned.of_items else "<>"
        sql = versioned.fill(_STATEMENTS[wrong.name.lower()], tables, settled=settled, apart=apart)
        ((count,),) = tables.execute(f"select count(*) from ({sql}) found")
        if count:
            keys = tables.execute(f"select distinct {key} from ({sql}) found order by 1 limit {_SHOWN}")
            yield Fault(versioned.history, wrong, int(count), tuple(row[0] for row in keys))

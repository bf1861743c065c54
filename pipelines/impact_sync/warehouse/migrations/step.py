"""What a step is, and what it finds in a warehouse. No I/O, and nothing that takes long to import."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

FIRST: Final = 1
"""The version of a warehouse without one: release 0.1.0 wrote none."""


@dataclass(frozen=True)
class Existing:
    """The columns of the tables that exist, and the full name of a table in SQL."""

    columns: Mapping[str, Collection[str]]
    name: Callable[[str], str]


@dataclass(frozen=True)
class Step:
    """Leads to the schema version `version`: by statements, in one transaction, and by a change of the source's state.

    Statements are in DuckDB's dialect. A step must be repeatable, and change nothing if there is nothing to do: tables
    may be missing, the state lands before the statements are committed, and a warehouse in the new form may not have
    its version yet.
    """

    version: int
    sql: Callable[[Existing], Iterable[str]] = lambda _: ()
    change_state: Callable[[MutableMapping[str, Any]], None] | None = None

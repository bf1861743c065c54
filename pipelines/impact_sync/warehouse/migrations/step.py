"""What a step is, and what it finds in a warehouse. No I/O, and nothing that takes long to import."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dlt.common.schema import Schema

FIRST: Final = 1
"""The version of a warehouse without one: release 0.1.0 wrote none."""


@dataclass(frozen=True)
class Existing:
    """The columns of the tables that exist, and the full name of a table in SQL."""

    columns: Mapping[str, Collection[str]]
    name: Callable[[str], str]
    schema: Schema
    """The tables as dlt knows them."""
    dialect: str
    """That of the warehouse, as sqlglot names it."""


@dataclass(frozen=True)
class Step:
    """Leads to the schema version `version`: by statements, in one transaction, and by changes of what dlt keeps.

    Statements use full names. A step must be repeatable, and change nothing if there is nothing to do: tables may be
    missing, the state and then dlt's schema land before the statements are committed, and a warehouse in the new form
    may not have its version yet.
    """

    version: int
    sql: Callable[[Existing], Iterable[str]] = lambda _: ()
    change_state: Callable[[MutableMapping[str, Any]], None] | None = None
    """Changes the source's state."""
    change_schema: Callable[[Existing], None] | None = None
    """Changes dlt's schema; then the tables and columns that it has are created where they are missing."""
    former: Collection[str] = ()
    """Tables that the changed schema no longer has, and the statements need."""

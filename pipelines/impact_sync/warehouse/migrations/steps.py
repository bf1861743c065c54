"""The numbered steps, and which of them a warehouse needs. No I/O, and nothing that takes long to import."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

FIRST: Final = 1
"""The version of a warehouse without one: release 0.1.0 wrote none."""


@dataclass(frozen=True)
class Tables:
    """What a step finds: the columns of the existing tables, and the tables' full names in SQL."""

    columns: Mapping[str, Collection[str]]
    qualified: Callable[[str], str]


@dataclass(frozen=True)
class Step:
    """Leads to the schema version `version`: by statements, in one transaction, and by a change of the source's state.

    A step must be repeatable, and change nothing if there is nothing to do: tables may be missing, the state lands
    before the statements are committed, and a warehouse in the new form may not have its version yet.
    """

    version: int
    sql: Callable[[Tables], Iterable[str]] = lambda _: ()
    change_state: Callable[[MutableMapping[str, Any]], None] | None = None


STEPS: Final[Sequence[Step]] = ()
"""In order, without a gap. A new step gets its own module here, and a test in `tests/upgrade`."""
SCHEMA_VERSION: Final = STEPS[-1].version if STEPS else FIRST
"""The version that this program writes."""

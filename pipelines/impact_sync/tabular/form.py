"""What a table of a user's may hold: its columns, the names that they may have, what it cannot do without."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import pyarrow as pa
from dlt.common.normalizers.naming.snake_case import NamingConvention
from impact_source.errors import ConfigurationError

Lacks: TypeAlias = Callable[[Collection[str]], list[str]]
_naming = NamingConvention()


@dataclass(frozen=True)
class Form:
    """The columns of a table, and what may be done about others."""

    columns: tuple[str, ...]
    lacks: Lacks
    """The columns that are missing beside these."""
    as_written: tuple[str, ...] = ()
    """Columns in which leading and trailing blanks count."""
    ids: tuple[str, ...] = ()
    """Columns in which a spreadsheet that wrote a CSV may have replaced digits by an exponent: that is refused."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The user's own names of columns, by ours."""
    skips: bool = False
    """Whether columns with other names are left out; otherwise they are refused."""
    empty: str = "there is nothing to plan"
    """What it means if there are no rows."""

    @property
    def schema(self) -> pa.Schema:
        """`line`, then all columns as text."""
        return pa.schema([("line", pa.int64()), *((name, pa.string()) for name in self.columns)])

    def header(self, found: Sequence[str], source: str) -> list[str | None]:
        """Our names of the columns, None for one that is left out. Raises `ConfigurationError`."""
        names = self._names(found, source)
        known = f"the columns are {', '.join(self.columns)}"
        unknown = [repr(raw) for raw, name in zip(found, names, strict=True) if name is None]
        if unknown and not self.skips:
            msg = f"{source}: unknown column {', '.join(unknown)}; {known}"
            raise ConfigurationError(msg)
        ours = [name for name in names if name]
        if twice := sorted({name for name in ours if ours.count(name) > 1}):
            msg = f"{source}: duplicate column {', '.join(twice)}"
            raise ConfigurationError(msg)
        if lacks := self.lacks(ours):
            has = f"; it has {', '.join(map(repr, found))}" if self.skips else ""
            msg = f"{source}: missing column {', '.join(lacks)}; {known}{has}"
            raise ConfigurationError(msg)
        return names

    def _names(self, found: Sequence[str], source: str) -> list[str | None]:
        stripped = [raw.strip() for raw in found]
        for ours, theirs in self.renamed.items():
            if theirs not in stripped:
                msg = f"{source}: no column {theirs!r} for {ours}; it has {', '.join(map(repr, found))}"
                raise ConfigurationError(msg)
        given = {theirs: ours for ours, theirs in self.renamed.items()}
        names = []
        for raw in stripped:
            name = raw and _naming.normalize_identifier(raw)
            name = self.aliases.get(name, name)
            usable = name in self.columns and name not in self.renamed
            names.append(given.get(raw) or (name if usable else None))
        return names

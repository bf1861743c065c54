"""A table whose rows have versions, with the names for statements over it and its history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import Template

from impact_source.dialect import literal
from impact_source.sql import Tables


@dataclass(frozen=True)
class Versioned:
    """The names of a table and its history, the key, and the columns that both have."""

    table: str
    history: str
    key: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def of_items(self) -> bool:
        """Whether its rows are items: an item can be gone for a while, an action cannot."""
        return "action_id" in self.key

    def fill(self, statement: Template, tables: Tables, **more: str) -> str:
        """A statement with full names, the parts about the key and the columns, and `more`."""
        names = {"table": self.table, "history": self.history, "fetches": "item_fetches"}
        in_full = {part: tables.name(name) for part, name in names.items()}
        return statement.substitute(in_full, **dict(self._keys()), **dict(self._columns(tables)), **more)

    def _keys(self) -> Iterator[tuple[str, str]]:
        yield "key", ", ".join(self.key)
        for alias in "ah":
            yield f"{alias}_key", ", ".join(f"{alias}.{name}" for name in self.key)
        for other in "anpc":
            yield f"same_h{other}", " and ".join(f"h.{name} = {other}.{name}" for name in self.key)

    def _columns(self, tables: Tables) -> Iterator[tuple[str, str]]:
        quoted = {name: tables.column(name) for name in self.columns}
        compared = {name: column for name, column in quoted.items() if name not in self.key}
        yield "columns", ", ".join(quoted.values())
        yield "a_columns", ", ".join(f"a.{column}" for column in quoted.values())
        yield "a_values", ", ".join(f"{column} = a.{column}" for column in compared.values())
        yield "differs_ha", " or ".join(f"a.{column} is distinct from h.{column}" for column in compared.values())
        earlier = {column: f"p{place}" for place, column in enumerate(compared.values())}
        before = f"over (partition by {', '.join(self.key)} order by valid_from)"
        yield "earlier", ", ".join(f"lag({column}) {before} as {name}" for column, name in earlier.items())
        yield "unchanged", " and ".join(f"{column} is not distinct from {name}" for column, name in earlier.items())
        changed = (
            f"case when h.{column} is distinct from p.{column} then {literal(name)} end"
            for name, column in compared.items()
        )
        yield "changed", ", ".join(changed)

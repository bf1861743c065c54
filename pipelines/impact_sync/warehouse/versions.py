"""Versions are made by the merge: what a row replaces goes to a table of versions in the transaction that replaces it.

`action_versions` and `action_item_versions` hold only versions that were replaced, or items that were removed. The
current version is the row itself, valid from its `synced_at`; `action_history` and `action_item_history` are views of
both. So nothing is written twice, and a run that breaks off leaves tables that agree. A row that arrives as it was
leaves the one that is held, and the instant since when it is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlt.common.schema import Schema
from dlt.common.schema.utils import (
    get_columns_names_with_prop,
    get_first_column_name_with_prop,
    has_table_seen_data,
    is_complete_column,
)
from impact_source.dialect import literal, quote, read_statements
from impact_source.rows.columns import CHANGED, KEPT_BY_US
from impact_source.rows.ours import VERSIONS

HISTORIES = {"action_history": "actions", "action_item_history": "action_items"}
"""The view of all versions, with the table that holds the current ones."""
VERSIONED = ("duckdb", "postgres")
"""The destinations whose merges keep versions."""
_STATEMENTS = read_statements(__package__, "versions.sql")
_OF_THE_ROW = {"valid_from": "synced_at", "valid_to": "cast(null as timestamptz)"}
"""What columns of a version are in the current row."""


@dataclass(frozen=True)
class Merge:
    """The merge into one table that has versions: the table as dlt knows it, and the table of its versions."""

    table: Any
    versions: str
    """Its name in SQL."""
    kept: Collection[str]
    """Its columns; none before the history is first turned on: then there is no such table."""
    on: bool
    """Whether the history is turned on."""

    def statements(self, table: str, arrived: str, row_id: str, rounds: int) -> list[str]:
        """The statements of one transaction that merge what has arrived, in order; each is one line.

        `row_id` identifies an arrived row, `rounds` is the most of them that have the same key.
        """
        parts = dict(self._parts()) | {"table": table, "versions": self.versions, "row_id": row_id, "arrived": arrived}
        later = f"select 1 from impact_rounds r where r._dlt_id_of_row = a.{row_id}"
        parts["held_id"] = "ctid" if row_id == "ctid" else "rowid"  # in Postgres, and in DuckDB
        first = parts | {"in_round": "true" if rounds == 1 else f"not exists ({later})"}
        found = [_fill("single", parts), *self._round(first)]
        for number in range(2, rounds + 1):
            taken = f"(select * from impact_rounds where _dlt_round = {number})"
            found += self._round(parts | {"in_round": "true", "arrived": taken})
        return found if rounds == 1 else [_fill("rounds", parts), *found, _fill("end", parts)]

    def _round(self, parts: Mapping[str, str]) -> Iterator[str]:
        """Merge rows with different keys."""
        names = ("changes", *(["supersede"] if self._keeps else []), "delete", "insert", "end_of_round")
        return (_fill(name, parts) for name in names)

    @property
    def key(self) -> list[str]:
        """The columns that identify a row."""
        return get_columns_names_with_prop(self.table, "primary_key")

    @property
    def kept_in(self) -> list[str]:
        """The table of versions, if there is one."""
        return [self.versions] if self.kept else []

    @property
    def stays(self) -> str:
        """The condition for a row that arrives to be a row of the table."""
        return f"{quote(self._removed)} is not true" if self._removed else "true"

    @property
    def _removed(self) -> str | None:
        return get_first_column_name_with_prop(self.table, "hard_delete")

    @property
    def _keeps(self) -> bool:
        return self.on and bool(self.kept)

    def _parts(self) -> Iterator[tuple[str, str]]:
        removed = self._removed
        known = [name for name, hint in self.table["columns"].items() if is_complete_column(hint)]
        others = [name for name in known if name != CHANGED.name]
        columns = [*others, CHANGED.name]
        kept = [name for name in columns if name in self.kept]
        ours = {*self.key, *KEPT_BY_US, removed}
        compared = [name for name in others if name not in ours and not name.startswith("_dlt")]
        differs = "case when a.{0} is distinct from t.{0} then {1} end"
        yield "key", _listed(self.key)
        yield "t_key", _listed(self.key, "t")
        same = {
            pair: " and ".join("{1}.{0} = {2}.{0}".format(quote(name), *pair) for name in self.key)
            for pair in ("at", "ct", "ac", "av")
        }
        yield from ((f"same_{pair}", condition) for pair, condition in same.items())
        yield "columns", _listed(columns)
        yield "a_columns", _listed(others, "a")
        yield "all_columns", _listed(columns, "a")
        yield "kept", _listed(kept)
        yield "t_kept", _listed(kept, "t")
        yield "differing", ", ".join(differs.format(quote(name), literal(name)) for name in compared)
        yield "is_gone", f"coalesce(a.{quote(removed)}, false)" if removed else "false"
        first = quote(self.key[0])
        yield "keeps", f"c.{first} is not null" if self._keeps else "false"
        versions = f"(select distinct {_listed(self.key)} from {self.versions}) v"
        yield "is_known", f"v.{first} is not null" if self.kept else "false"
        yield "join_known", f"left join {versions} on {same['av']}" if self.kept else ""


def find_merge(schema: Schema, table: Any, named: Callable[[str], str], *, on: bool) -> Merge | None:  # noqa: ANN401 - dlt's table
    """The merge into a table, if its rows have versions; `named` returns the full name of a table."""
    name = VERSIONS.get(table["name"])
    if name is None or CHANGED.name not in table["columns"]:
        return None
    return Merge(table, named(name), _columns(schema, name), on)


def history_views(schema: Schema) -> dict[str, str]:
    """The SQL of the views of all versions, as far as there are tables for them, over tables by their bare names."""
    views = {}
    for view, table in HISTORIES.items():
        held, columns = _columns(schema, table), _columns(schema, VERSIONS[table])
        names = [name for name in columns if name in held or name in _OF_THE_ROW]
        if CHANGED.name in held and names:
            views[view] = _STATEMENTS["history"].substitute(
                what="an action" if table == "actions" else "an item",
                columns=_listed(names),
                current=", ".join(_OF_THE_ROW.get(name, quote(name)) for name in names),
                versions=VERSIONS[table],
                table=table,
            )
    return views


def _columns(schema: Schema, table: str) -> list[str]:
    """The columns of a table that has been loaded."""
    known = schema.tables.get(table)
    return [*known["columns"]] if known and has_table_seen_data(known) else []


def _listed(names: Collection[str], alias: str = "") -> str:
    return ", ".join(f"{alias}.{quote(name)}" if alias else quote(name) for name in names)


def _fill(name: str, parts: Mapping[str, str]) -> str:
    """A statement on one line: dlt splits a file of statements at the ends of lines."""
    lines = _STATEMENTS[name].substitute(parts).splitlines()
    return " ".join(line.strip() for line in lines if not line.startswith("--"))

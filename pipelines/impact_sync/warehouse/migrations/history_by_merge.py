"""Version 2: the tables of all versions make way for tables of those that were replaced, and for views of all.

Closed versions move. The open one of a row is the row itself, which gets what the version says: since when it is
valid, the pass that saw it, what changed. Other open versions of a row, which a run left that broke off, are merged as
if they arrived now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from .step import Existing, Step


@dataclass(frozen=True)
class _Former:
    """A table of all versions, with the table of the rows and that of the versions that were replaced."""

    history: str
    table: str
    versions: str
    key: tuple[str, ...]
    added: tuple[str, ...]
    """The columns that the rows get."""


_ROUNDS: Final = 20
"""More open versions of a row than two load packages can have left."""
_DIALECTS: Final = ("duckdb", "postgres")
"""Where versions are kept."""
_FORMER: Final = (
    _Former("action_history", "actions", "action_versions", ("id",), ("pass", "changed")),
    _Former("action_item_history", "action_items", "action_item_versions", ("action_id", "sku"), ("changed",)),
)


def _move_tables(existing: Existing) -> None:
    """In dlt's schema, the table of all versions becomes the one of those that were replaced."""
    schema = existing.schema
    for one in _FORMER if existing.dialect in _DIALECTS else ():
        if one.history in schema.tables:
            moved: Any = schema.drop_tables([one.history])[0]
            columns: Any = {name: {"nullable": True} | hint for name, hint in moved["columns"].items()}
            schema.update_table(moved | {"name": one.versions, "columns": columns})
            schema.update_table({"name": one.table, "columns": {name: columns[name] for name in one.added}})


def _move_versions(existing: Existing) -> Iterator[str]:
    for one in _FORMER if existing.dialect in _DIALECTS else ():
        if {one.history, one.table, one.versions} <= existing.columns.keys():
            yield from _move(existing, one)


def _move(existing: Existing, one: _Former) -> Iterator[str]:
    from impact_source.dialect import read_statements  # noqa: PLC0415 - it takes long to import

    from ..versions import find_merge, history_views  # noqa: PLC0415 - the same

    statements = read_statements(__package__, "history_by_merge.sql")
    parts = dict(_parts(existing, one)) | {"view": history_views(existing.schema)[one.history]}
    for name in ("closed", "stray", "settled", "unsettled", "take"):
        yield statements[name].substitute(parts)
    if merge := find_merge(existing.schema, existing.schema.tables[one.table], existing.name, on=True):
        row_id = "ctid" if existing.dialect == "postgres" else "rowid"
        yield from merge.statements(parts["table"], "impact_unsettled", row_id, _ROUNDS)
    for name in ("done", *(("replace_in_postgres",) if existing.dialect == "postgres" else ("replace", "view"))):
        yield statements[name].substitute(parts)


def _parts(existing: Existing, one: _Former) -> Iterator[tuple[str, str]]:
    of_history, of_row = existing.columns[one.history], existing.columns[one.table]
    for part in ("history", "table", "versions"):
        yield part, existing.name(getattr(one, part))
    kept = [name for name in of_history if name in existing.columns[one.versions]]
    yield "kept", _listed(kept)
    yield "others", _listed(name for name in kept if name != "valid_to")
    yield "key", _listed(one.key)
    yield "t_key", _listed(one.key, "t.")
    for a, b in ("th", "hk", "tk"):
        yield f"same_{a}{b}", " and ".join(f"{a}.{name} = {b}.{name}" for name in one.key)
    yield "settled", ", ".join(f"{_quoted(name)} = h.{_quoted(name)}" for name in one.added)
    of_version = {"synced_at": "h.valid_from"} | {name: "null" for name in of_row if name not in of_history}
    yield "h_columns", ", ".join(f"{of_version.get(name, f'h.{_quoted(name)}')} as {_quoted(name)}" for name in of_row)
    yield "t_columns", _listed(of_row, "t.")
    has_lists = one.table == "action_items" and "item_fetches" in existing.columns
    lists = f"from {existing.name('item_fetches')} f where f.action_id = h.action_id and f.fetched_at > h.valid_from"
    yield "ended", f"(select max(f.fetched_at) {lists})" if has_lists else "null"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _listed(names: Iterable[str], alias: str = "") -> str:
    return ", ".join(f"{alias}{_quoted(name)}" for name in names)


STEP: Final = Step(2, _move_versions, change_schema=_move_tables, former=tuple(one.history for one in _FORMER))

"""Writes `models/impact.yml`, the dbt source of the warehouse, from what the tables and views themselves declare.

    python pipelines/dbt_impact/generate.py

Every table and view with its columns and their descriptions; tests that keys are unique and present, and that items
belong to actions; the freshness of the account. A test of the project fails if the file is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from dlt.extract import DltResource, DltSource
from impact_source import impact, impact_reference
from impact_source.account import State
from impact_source.rows.landing import Landing
from impact_source.rows.ours import HISTORY, ITEM_HISTORY
from impact_sync.close.columns import CLOSE_LINES, CLOSES
from impact_sync.corrections.journal.columns import COLUMNS as JOURNAL
from impact_sync.corrections.journal.columns import TABLE
from impact_sync.load.runs import COLUMNS as RUNS
from impact_sync.reconcile.columns import LINES, RECONCILIATIONS
from impact_sync.views import texts
from impact_sync.views.header import about, columns

FILE = Path(__file__).parent / "models" / "impact.yml"
_HEADER = "# Written by generate.py beside this folder: change the declarations, not this file.\n"
_PARENTS = {
    "action_items": ("action_id", "actions", "id"),
    "item_fetches": ("action_id", "actions", "id"),
    "invoice_lines": ("invoice_id", "invoices", "id"),
}
"""The column of a table that names a row of another."""
_VERSIONS = {
    "version": {"description": "Version of the warehouse's own tables, after each step; see impact --version"},
    "applied_at": {"description": "When the step was taken"},
    "program": {"description": "Version of impact-sync that took it"},
}
_OCCASIONAL = {
    TABLE: {field.name: field.description for field in JOURNAL},
    "reconciliations": {field.name: field.description for field in RECONCILIATIONS},
    "reconciliation_lines": {field.name: field.description for field in LINES},
    "closes": {name: hint["description"] for name, hint in CLOSES.items()},
    "close_lines": {name: hint["description"] for name, hint in CLOSE_LINES.items()},
}
"""Tables that are there once a correction was planned, orders were reconciled, or a month was closed: without tests."""
_FRESHNESS = {
    "warn_after": {"count": 1, "period": "day"},
    "error_after": {"count": 3, "period": "day"},
}
_READ_UP_TO = "select min(as_of) from {{ source('impact', 'freshness') }}"
"""The campaign that is furthest behind decides."""


class _Nothing:
    """A run that reads nothing: only its tables are of interest."""

    def package(self, state: State) -> Iterator[Landing]:
        """No rows."""
        del state
        return iter(())


def build() -> str:
    """The text of the file."""
    sources = (impact(walk=_Nothing(), history=True), impact_reference(walk=_Nothing()))
    tables = {name: table for source in sources for name, table in _declared(source)}
    tables["action_history"] = _table("action_history", HISTORY, _key(HISTORY))
    tables["action_item_history"] = _table("action_item_history", ITEM_HISTORY, _key(ITEM_HISTORY))
    tables["sync_runs"] = _table("sync_runs", RUNS, ["run_id"])
    tables["schema_versions"] = _table("schema_versions", _VERSIONS, ["version"])
    for name, described in _OCCASIONAL.items():
        tables[name] = _table(name, {column: {"description": text} for column, text in described.items()}, [])
    views = [_view(name, text) for name, text in texts().items()]
    source = {
        "name": "impact",
        "description": "impact.com, kept true by impact-sync: actions, their items, and what surrounds them",
        "database": "{{ var('impact_database') or target.database }}",
        "schema": "{{ var('impact_schema') }}",
        "tables": [*(table for _, table in sorted(tables.items())), *sorted(views, key=lambda view: str(view["name"]))],
    }
    text = yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=120)
    return _HEADER + str(text)


def _declared(source: DltSource) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of a source, by name."""
    resource: DltResource
    for resource in source.resources.selected.values():
        schema = resource.compute_table_schema()
        hints: Mapping[str, Any] = schema["columns"]
        yield (
            resource.name,
            _table(resource.name, hints, [name for name, hint in hints.items() if hint.get("primary_key")]),
        )


def _key(versions: Mapping[str, Any]) -> list[str]:
    """The key of a table of versions: its columns that are never NULL."""
    return [name for name, hint in versions.items() if hint.get("nullable") is False]


def _table(name: str, hints: Mapping[str, Any], key: Sequence[str]) -> dict[str, Any]:
    shown = {column: hint for column, hint in hints.items() if not hint.get("hard_delete")}
    parent = _PARENTS.get(name)
    table: dict[str, Any] = {"name": name}
    if name == "actions":
        table["config"] = {"freshness": _FRESHNESS, "loaded_at_query": _READ_UP_TO}
    if len(key) > 1:
        table["data_tests"] = [{"unique_together": {"arguments": {"columns": list(key)}}}]
    table["columns"] = [
        _column(column, hint, unique=[column] == list(key), key=column in key, parent=parent)
        for column, hint in shown.items()
    ]
    return table


def _column(
    name: str, hint: Mapping[str, Any], *, unique: bool, key: bool, parent: tuple[str, str, str] | None
) -> dict[str, Any]:
    tests: list[Any] = ["unique"] if unique else []
    if key or hint.get("nullable") is False:
        tests.append("not_null")
    if parent and parent[0] == name:
        _, table, field = parent
        tests.append({"relationships": {"arguments": {"to": f"source('impact', '{table}')", "field": field}}})
    column: dict[str, Any] = {"name": name}
    if text := hint.get("description"):
        column["description"] = text
    return column | ({"data_tests": tests} if tests else {})


def _view(name: str, text: str) -> dict[str, Any]:
    listed = [{"name": column, "description": description} for column, description in columns(text).items()]
    return {"name": name, "description": about(text), "columns": listed}


if __name__ == "__main__":
    FILE.write_text(build(), encoding="utf-8")

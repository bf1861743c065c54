"""The tables as dlt resources: each takes its rows from the landings of one resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from .rows.columns import ACTION, CAMPAIGN, CHANGED, PASS, SYNCED_AT, UPDATE, Column, hints
from .rows.items import no_items
from .rows.landing import Landing, seen_by
from .rows.ledger import Row
from .rows.ours import (
    FEEDS,
    FETCHES,
    FINDING_KEY,
    FINDINGS,
    HISTORY,
    ITEM_HISTORY,
    ITEM_KEY,
    ITEMS,
    KEY,
    REJECTED,
    REMOVED,
    STAMP,
    VERSIONS,
    WINDOW,
    WINDOW_RESULT,
)
from .rows.parse import empty

MERGE: Any = {"disposition": "merge", "strategy": "delete-insert"}
CONTRACT: Any = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}
_Declare: TypeAlias = Callable[[Callable[[Landing], Iterator[pa.Table]]], DltResource]


def declare_actions(pages: DltResource) -> Iterator[DltResource]:
    """Actions, their campaigns, and the changes that the change feed lists."""

    @_merged(pages, "actions", ACTION, PASS, CHANGED)
    def actions(landing: Landing) -> Iterator[pa.Table]:
        if landing.actions is not None:
            yield landing.actions
        elif landing.campaigns is not None:  # comes first and once: an account without actions gets the table too
            yield seen_by(empty(ACTION), "")

    @_merged(pages, "campaigns", CAMPAIGN)
    def campaigns(landing: Landing) -> Iterator[pa.Table]:
        if landing.campaigns is not None:
            yield landing.campaigns

    @_merged(pages, "action_updates", UPDATE)
    def action_updates(landing: Landing) -> Iterator[pa.Table]:
        if landing.updates is not None:
            yield landing.updates
        elif landing.campaigns is not None:
            yield empty(UPDATE)

    yield from (actions, campaigns, action_updates)


def _merged(pages: DltResource, name: str, columns: tuple[Column, ...], *more: Column) -> _Declare:
    """A table of what the API returns, merged on its id."""
    return dlt.transformer(
        name=name,
        data_from=pages,
        primary_key="id",
        write_disposition=MERGE,
        columns=hints((*columns, SYNCED_AT, *more), id=KEY, synced_at=STAMP),
    )


def declare_rejected(pages: DltResource) -> DltResource:
    """Records that could not be typed, of actions and of items."""
    return _ledger(pages, "rejected_records", "id", REJECTED, lambda landing: landing.rejected)


def _ledger(
    pages: DltResource,
    name: str,
    key: str | list[str],
    columns: dict[str, Any],
    rows_of: Callable[[Landing], list[Row]],
) -> DltResource:
    """A table of plain rows that exists from the first run on."""

    @dlt.transformer(name=name, data_from=pages, primary_key=key, write_disposition=MERGE, columns=columns)
    def ledger(landing: Landing) -> Iterator[Any]:
        yield from [rows] if (rows := rows_of(landing)) else []
        if landing.declared:
            yield dlt.mark.materialize_table_schema()

    return ledger


def declare_ledgers(pages: DltResource) -> Iterator[DltResource]:
    """What was read, and what differs from the API."""

    @dlt.transformer(name="sync_windows", data_from=pages, write_disposition="append", columns=WINDOW | WINDOW_RESULT)
    def sync_windows(landing: Landing) -> Iterator[list[dict[str, Any]]]:
        yield from [landing.windows] if landing.windows else []

    verify_results = _ledger(pages, "verify_results", FINDING_KEY, FINDINGS, lambda landing: landing.findings)
    yield from (sync_windows, verify_results)


def declare_items(pages: DltResource) -> Iterator[DltResource]:
    """Items, when those of each action were read, and what is known of each campaign's change feed."""

    @dlt.transformer(
        name="action_items",
        data_from=pages,
        primary_key=ITEM_KEY,
        merge_key="action_id",
        write_disposition=MERGE,
        columns=ITEMS,
    )
    def action_items(landing: Landing) -> Iterator[pa.Table]:
        if landing.items is not None:
            yield landing.items

    @dlt.transformer(
        name="item_fetches", data_from=pages, primary_key="action_id", write_disposition=MERGE, columns=FETCHES
    )
    def item_fetches(landing: Landing) -> Iterator[pa.Table]:
        if landing.fetches is not None:
            yield landing.fetches

    item_feeds = _ledger(pages, "item_feeds", "campaign_id", FEEDS, lambda landing: landing.feeds)
    yield from (action_items, item_fetches, item_feeds)


def declare_reference(pages: DltResource, name: str, key: Sequence[str], columns: dict[str, Any]) -> DltResource:
    """A table of what surrounds the actions."""

    @dlt.transformer(name=name, data_from=pages, primary_key=list(key), write_disposition=MERGE, columns=columns)
    def rows(landing: Landing) -> Iterator[pa.Table]:
        if name in landing.reference:
            yield landing.reference[name]

    return rows


def declare_versions(pages: DltResource) -> DltResource:
    """The versions of actions that were replaced: `impact sync` writes them as it merges `actions`."""
    return _versions(pages, "actions", HISTORY, empty(ACTION), lambda landing: landing.actions)


def declare_item_versions(pages: DltResource) -> DltResource:
    """The versions of items that were replaced or removed, in the same way."""
    return _versions(pages, "action_items", ITEM_HISTORY, no_items(), lambda landing: landing.items)


def _versions(
    pages: DltResource,
    table: str,
    columns: dict[str, Any],
    none: pa.Table,
    rows_of: Callable[[Landing], pa.Table | None],
) -> DltResource:
    """A table of versions: no rows come from here, only columns, as the API adds fields."""
    known, key = {*columns, REMOVED}, [name for name, hint in columns.items() if hint["nullable"] is False]

    @dlt.transformer(
        name=VERSIONS[table], data_from=pages, primary_key=key, write_disposition="append", columns=columns
    )
    def versions(landing: Landing) -> Iterator[pa.Table]:
        rows = none if landing.declared else rows_of(landing)
        if rows is None or (known.issuperset(rows.column_names) and not landing.declared):
            return
        known.update(rows.column_names)
        rows = rows.slice(0, 0).drop_columns([name for name in (REMOVED,) if name in rows.column_names])
        yield rows.append_column("valid_from", rows[SYNCED_AT.name])

    return versions

"""impact.com as a dlt source: every action of a brand's account, kept true through all its later changes.

    pipeline = dlt.pipeline("impact", destination="duckdb", dataset_name="impact")
    pipeline.run(impact())
    pipeline.run(impact_items())

The window contract: a campaign is read along its last-updated date and along its LockingDate, in windows of at most
45 days that share their boundaries, each from a cursor in dlt state that moves only when everything up to it was
received and is part of the same load package. Rows are merged on `id`; rows that did not change are not written.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from .account import Ask
from .actions.landing import Landing, item_versions, versions
from .actions.run import Packages, Walk
from .api.client import Client
from .errors import BudgetSpent, ConfigurationError
from .items.landing import ItemLanding
from .items.run import ItemAsk, ItemPackages, ItemWalk
from .rows.columns import ACTION, CAMPAIGN, SYNCED_AT, hints
from .rows.ours import (
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
    WINDOW,
    WINDOW_RESULT,
)
from .rows.parse import empty
from .settings import Settings, parse_end, parse_start
from .warehouse import Warehouse

__all__ = ["Ask", "ItemAsk", "ItemWalk", "Settings", "Walk", "impact", "impact_items"]

MERGE: Any = {"disposition": "merge", "strategy": "delete-insert"}
CONTRACT: Any = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}
_log = logging.getLogger(__name__)


@dlt.source(name="impact", section="impact", max_table_nesting=0, schema_contract=CONTRACT)
def impact(  # noqa: PLR0913 - what a user may choose
    settings: Settings | None = None,
    *,
    campaigns: tuple[str, ...] = (),
    since: str | date | None = None,
    until: str | date | None = None,
    walk: Packages | None = None,
    history: bool = False,
) -> tuple[DltResource, ...]:
    """Actions, campaigns, the ledger of windows and the records that could not be typed.

    `settings` come from dlt's configuration when not given; `since` and `until` bound the run: ISO 8601, or
    dates, which are whole days (UTC).
    With `refresh` of `pipeline.run`, in each of its modes, everything is read anew.
    Everything goes into one load package; give a `walk` of your own to cut it into several (`Walk.package`).
    `history` declares the tables of versions too; `impact sync` closes and completes them in SQL.
    Raises the errors of `impact_source.errors`; where only the hour's requests are spent it logs so, lands what was
    read and goes on from there in the next run. A window or an action that cannot be read is logged as an error and
    recorded in `sync_windows` (`outcome` failed); everything else lands, and the next run asks for it again.
    """
    ask = Ask(tuple(campaigns), parse_start(since) if since else None, parse_end(until) if until else None)

    @dlt.resource(name="pages", selected=False)
    def pages() -> Iterator[Landing]:
        state = dlt.current.source_state()
        selected = set(dlt.current.source().selected_resources)
        if not {"actions", "rejected_records", "item_fetches"} <= selected:
            msg = "actions, rejected_records and item_fetches go together: a cursor vouches for what is in all of them"
            raise ConfigurationError(msg)
        refresh = dlt.current.load_package_state()["state"].get("refresh")
        if walk is not None:
            if refresh:
                msg = "a walk cannot be refreshed: each of its load packages would empty the tables again"
                raise ConfigurationError(msg)
            yield from walk.package(state)
            return
        if refresh:  # the tables are emptied when this package loads, so all of it has to be read
            state.pop("campaigns", None)
        yield from _whole_walk(settings or Settings.resolve(), ask, state, emptied=bool(refresh))

    return (pages, *_tables(pages), *(_history_tables(pages) if history else ()))


def _tables(pages: DltResource) -> Iterator[DltResource]:
    @dlt.transformer(
        name="actions",
        data_from=pages,
        primary_key="id",
        write_disposition=MERGE,
        columns=hints((*ACTION, SYNCED_AT), id=KEY, synced_at=STAMP),
    )
    def actions(landing: Landing) -> Iterator[pa.Table]:
        if landing.actions is not None:
            yield landing.actions
        elif landing.campaigns is not None:  # comes first and once: an account without actions has the table too
            yield empty(ACTION)

    @dlt.transformer(
        name="campaigns",
        data_from=pages,
        primary_key="id",
        write_disposition=MERGE,
        columns=hints((*CAMPAIGN, SYNCED_AT), id=KEY, synced_at=STAMP),
    )
    def campaigns(landing: Landing) -> Iterator[pa.Table]:
        if landing.campaigns is not None:
            yield landing.campaigns

    yield from (actions, campaigns)
    yield from _ledger_tables(pages)
    yield from _item_tables(pages)


def _ledger_tables(pages: DltResource) -> Iterator[DltResource]:
    @dlt.transformer(
        name="rejected_records",
        data_from=pages,
        primary_key="id",
        write_disposition=MERGE,
        columns=REJECTED,
    )
    def rejected_records(landing: Landing) -> Iterator[Any]:
        yield from [landing.rejected] if landing.rejected else []
        if landing.declared:
            yield dlt.mark.materialize_table_schema()

    @dlt.transformer(name="sync_windows", data_from=pages, write_disposition="append", columns=WINDOW | WINDOW_RESULT)
    def sync_windows(landing: Landing) -> Iterator[list[dict[str, Any]]]:
        yield from [landing.windows] if landing.windows else []

    @dlt.transformer(
        name="verify_results", data_from=pages, primary_key=FINDING_KEY, write_disposition=MERGE, columns=FINDINGS
    )
    def verify_results(landing: Landing) -> Iterator[Any]:
        yield from [landing.findings] if landing.findings else []
        if landing.declared:
            yield dlt.mark.materialize_table_schema()

    yield from (rejected_records, sync_windows, verify_results)


@dlt.source(name="impact", section="impact", max_table_nesting=0, schema_contract=CONTRACT)
def impact_items(
    settings: Settings | None = None,
    *,
    max_requests: int | None = None,
    walk: ItemPackages | None = None,
    history: bool = False,
) -> tuple[DltResource, ...]:
    """Items of the actions that the pipeline's warehouse holds and whose items are not current, most valuable first.

    Run it after `impact()`, which notes whose items are out of date. It sends one request an action, `max_requests`
    at the most, and leaves a tenth of the hour to others; run it again for the rest. A run that was killed while it
    loaded must be resumed from its working folder, as dlt does by itself; a `walk` of several packages needs no folder.
    """

    @dlt.resource(name="item_lists", selected=False)
    def item_lists() -> Iterator[ItemLanding]:
        state = dlt.current.source_state()
        if dlt.current.load_package_state()["state"].get("refresh"):
            msg = (
                "impact_items cannot be refreshed: its tables belong to impact() too. Run impact() with refresh, "
                "then impact_items() without"
            )
            raise ConfigurationError(msg)
        if walk is not None:
            yield from walk.package(state)
            return
        yield from _whole_drain(settings or Settings.resolve(), max_requests, state)

    @dlt.transformer(
        name="rejected_records", data_from=item_lists, primary_key="id", write_disposition=MERGE, columns=REJECTED
    )
    def rejected_records(landing: ItemLanding) -> Iterator[list[dict[str, Any]]]:
        yield from [landing.rejected] if landing.rejected else []

    versions = [_item_history(item_lists)] if history else []
    return (item_lists, *_item_tables(item_lists), rejected_records, *versions)


def _item_tables(pages: DltResource) -> Iterator[DltResource]:
    @dlt.transformer(
        name="action_items",
        data_from=pages,
        primary_key=ITEM_KEY,
        merge_key="action_id",
        write_disposition=MERGE,
        columns=ITEMS,
    )
    def action_items(landing: Landing | ItemLanding) -> Iterator[pa.Table]:
        if landing.items is not None:
            yield landing.items

    @dlt.transformer(
        name="item_fetches", data_from=pages, primary_key="action_id", write_disposition=MERGE, columns=FETCHES
    )
    def item_fetches(landing: Landing | ItemLanding) -> Iterator[pa.Table]:
        if landing.fetches is not None:
            yield landing.fetches

    yield from (action_items, item_fetches)


def _history_tables(pages: DltResource) -> Iterator[DltResource]:
    known = {*HISTORY}

    @dlt.transformer(
        name="action_history",
        data_from=pages,
        primary_key=["id", "valid_from"],
        write_disposition="append",
        columns=HISTORY,
    )
    def action_history(landing: Landing) -> Iterator[pa.Table]:
        if landing.actions is not None and not known.issuperset(landing.actions.column_names):
            yield versions(landing.actions.slice(0, 0), "")  # a column that the API has added
            known.update(landing.actions.column_names)
        if landing.versions is not None:
            yield landing.versions

    yield from (action_history, _item_history(pages))


def _item_history(pages: DltResource) -> DltResource:
    known = {*ITEM_HISTORY, REMOVED}

    @dlt.transformer(
        name="action_item_history",
        data_from=pages,
        primary_key=[*ITEM_KEY, "valid_from"],
        write_disposition="append",
        columns=ITEM_HISTORY,
    )
    def action_item_history(landing: Landing | ItemLanding) -> Iterator[pa.Table]:
        """No rows, only columns: they are copied from `action_items` once those have landed."""
        if landing.items is None:
            return
        if isinstance(landing, Landing) or not known.issuperset(landing.items.column_names):
            items = landing.items.slice(0, 0)
            yield item_versions(items.drop_columns([name for name in (REMOVED,) if name in items.column_names]))
            known.update(landing.items.column_names)

    return action_item_history


def _whole_walk(settings: Settings, ask: Ask, state: Any, *, emptied: bool) -> Iterator[Landing]:  # noqa: ANN401 - dlt's state
    """All of a run in the one package that `pipeline.run(impact())` makes."""
    warehouse = Warehouse(dlt.current.pipeline(), dlt.current.source_schema().name, emptied=emptied)
    try:
        with (
            Client(settings) as client,
            Walk(client, warehouse, uuid.uuid4().hex, ask, package_rows=sys.maxsize) as walk,
        ):
            yield from walk.package(state)
        if walk.stopped is not None:
            raise walk.stopped
        for failure in walk.unread.failures:
            _log.error("could not be read, the next run asks again: %s", failure)
    except BudgetSpent as error:
        _log.warning("stopped early, run again: %s", error)


def _whole_drain(settings: Settings, most: int | None, state: Any) -> Iterator[ItemLanding]:  # noqa: ANN401 - dlt's state
    warehouse = Warehouse(dlt.current.pipeline(), dlt.current.source_schema().name)
    ask = ItemAsk(max_requests=settings.items_max_requests if most is None else most)
    with Client(settings) as client, ItemWalk(client, warehouse, uuid.uuid4().hex, ask) as walk:
        while not walk.finished:
            yield from walk.package(state)
    if isinstance(walk.stopped, BudgetSpent):
        _log.warning("items are left, run again: %s", walk.stopped)
    elif walk.stopped is not None:
        raise walk.stopped

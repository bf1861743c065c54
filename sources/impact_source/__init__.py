"""impact.com as a dlt source: every action of a brand's account, kept in step with all its later changes.

    pipeline = dlt.pipeline("impact", destination="duckdb", dataset_name="impact")
    pipeline.run(impact())
    pipeline.run(impact_items())

The window contract: a campaign is read along its last-updated date and along its LockingDate, in windows of at most 45
days that share their boundaries, each from a cursor in dlt state. A cursor moves only when everything up to it was
received and is part of the same load package. Rows are merged on `id`; unchanged rows are not written.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import dlt
from dlt.extract import DltResource

from .account import Ask
from .account_zone import keep, settle
from .actions.run import Packages, Walk
from .api.client import Client
from .campaigns import list_campaigns
from .errors import BudgetSpent, ConfigurationError
from .items.run import ItemAsk, ItemPackages, ItemWalk
from .parsing import parse_bound
from .reference.lists import LISTS
from .reference.run import ReferencePackages, ReferenceWalk
from .rows.landing import Landing
from .settings import Settings
from .tables import (
    CONTRACT,
    declare_actions,
    declare_item_versions,
    declare_items,
    declare_ledgers,
    declare_reference,
    declare_rejected,
    declare_versions,
)
from .warehouse import Warehouse

__all__ = ["Ask", "ItemAsk", "ItemWalk", "Settings", "Walk", "impact", "impact_items", "impact_reference"]

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

    `settings` come from dlt's configuration when not given. `since` and `until` bound the run: ISO 8601, in the
    account's time zone unless they have an offset; dates count as complete days. With `refresh` of `pipeline.run`, in
    each of its modes, everything is read from scratch. Everything goes into one load package; pass your own `walk` to
    split it into several (`Walk.package`).
    `history` also declares the tables of versions, which only `impact sync` fills: it writes them in the transaction
    that merges the rows, and dlt's own merge has no place for that. Raises the errors of `impact_source.errors`. If
    only the hourly limit is reached, it logs that and lands what was read; the next run continues from there. A window
    or an action that cannot be read is logged as an error and recorded in `sync_windows` (`outcome` failed); everything
    else lands, and the next run requests it again.
    """
    ask = Ask(tuple(campaigns), parse_bound(since) if since else None, parse_bound(until) if until else None)

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
        if refresh:  # the tables are emptied when this package loads, so everything has to be read
            state.pop("campaigns", None)
            state.pop("reference", None)
        yield from _walk_at_once(settings or Settings.resolve(), ask, state, emptied=bool(refresh))

    versions = (declare_versions(pages), declare_item_versions(pages)) if history else ()
    rejected = declare_rejected(pages)
    return (pages, *declare_actions(pages), rejected, *declare_ledgers(pages), *declare_items(pages), *versions)


@dlt.source(name="impact", section="impact", max_table_nesting=0, schema_contract=CONTRACT)
def impact_items(
    settings: Settings | None = None,
    *,
    max_requests: int | None = None,
    walk: ItemPackages | None = None,
    history: bool = False,
) -> tuple[DltResource, ...]:
    """Items of the actions in the pipeline's warehouse whose items are not current, most valuable first.

    Run it after `impact()`, which records whose items are out of date. It sends one request per action, at most
    `max_requests`, and leaves a tenth of the hourly limit to others; run it again for the rest. A run that was killed
    while it loaded must be resumed from its working folder, as dlt does by itself; a `walk` of several packages needs
    no folder.
    """

    @dlt.resource(name="item_lists", selected=False)
    def item_lists() -> Iterator[Landing]:
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
        yield from _drain_at_once(settings or Settings.resolve(), max_requests, state)

    versions = (declare_item_versions(item_lists),) if history else ()
    return (item_lists, *declare_items(item_lists), declare_rejected(item_lists), *versions)


@dlt.source(name="impact", section="impact", max_table_nesting=0, schema_contract=CONTRACT)
def impact_reference(
    settings: Settings | None = None, *, walk: ReferencePackages | None = None
) -> tuple[DltResource, ...]:
    """What surrounds the actions: company, partners and their groups, contracts, action inquiries, invoices.

    Reads what is due: each list once a day (UTC). `settings.reference` chooses the tables. A list that the token may
    not read, or that the API does not have, is logged and left out; one that cannot be read is logged as an error, and
    read again by the next run.
    """

    @dlt.resource(name="reference_lists", selected=False)
    def reference_lists() -> Iterator[Landing]:
        state = dlt.current.source_state()
        if dlt.current.load_package_state()["state"].get("refresh"):
            msg = "impact_reference cannot be refreshed: run impact() with refresh, then impact_reference() without"
            raise ConfigurationError(msg)
        if walk is not None:
            yield from walk.package(state)
            return
        yield from _reference_at_once(settings or Settings.resolve(), state)

    tables = (
        declare_reference(reference_lists, table.name, table.key, table.hints) for one in LISTS for table in one.tables
    )
    return (reference_lists, *tables, declare_rejected(reference_lists))


def _walk_at_once(settings: Settings, ask: Ask, state: Any, *, emptied: bool) -> Iterator[Landing]:  # noqa: ANN401 - dlt's state
    """The complete run in the one package that `pipeline.run(impact())` makes; it keeps no versions."""
    settings = replace(settings, history=False)
    warehouse = Warehouse(dlt.current.pipeline(), dlt.current.source_schema().name, emptied=emptied)
    try:
        with Client(settings) as client:
            zone = settle(client, state, warehouse, dated=ask.is_dated)
            with Walk(client, warehouse, uuid.uuid4().hex, ask, package_rows=sys.maxsize) as walk:
                yield from walk.package(state)
            keep(state, zone)
        if walk.stopped is not None:
            raise walk.stopped
        for failure in walk.unread.failures:
            _log.error("could not be read, the next run asks again: %s", failure)
    except BudgetSpent as error:
        _log.warning("stopped early, run again: %s", error)


def _drain_at_once(settings: Settings, most: int | None, state: Any) -> Iterator[Landing]:  # noqa: ANN401 - dlt's state
    warehouse = Warehouse(dlt.current.pipeline(), dlt.current.source_schema().name)
    ask = ItemAsk(max_requests=settings.items_max_requests if most is None else most)
    with Client(settings) as client:
        list_campaigns(client)  # which sets the clock
        with ItemWalk(client, warehouse, uuid.uuid4().hex, ask, at_once=True) as walk:
            while not walk.finished:
                yield from walk.package(state)
    if isinstance(walk.stopped, BudgetSpent):
        _log.warning("items are left, run again: %s", walk.stopped)
    elif walk.stopped is not None:
        raise walk.stopped


def _reference_at_once(settings: Settings, state: Any) -> Iterator[Landing]:  # noqa: ANN401 - dlt's state
    warehouse = Warehouse(dlt.current.pipeline(), dlt.current.source_schema().name)
    with Client(settings) as client:
        campaigns = list_campaigns(client).choose(settings.campaign_ids)
        settle(client, state, warehouse)
        walk = ReferenceWalk(client, warehouse, uuid.uuid4().hex, lambda: campaigns)
        yield from walk.package(state)
    for refused in walk.refused:
        _log.warning("left out: %s", refused)
    for failure in walk.failures:
        _log.error("could not be read, the next run asks again: %s", failure)
    if walk.stopped is not None:
        _log.warning("stopped early, run again: %s", walk.stopped)

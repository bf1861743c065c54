"""Reads actions and their items by id and loads them into the warehouse as a sync does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltSource
from impact_source import impact
from impact_source.account import State
from impact_source.actions.landing import Lander
from impact_source.items.landing import ItemLander
from impact_source.items.queue import Listing, Status, state_sql
from impact_source.plan.gone import Gone
from impact_source.rows.landing import Landing

from ..load.session import Load
from .journal.calls import Call
from .live import Live, by_sku
from .reading import ActionReader, not_listed, rows_of


@dataclass(frozen=True)
class Landed:
    """Actions that have landed, by id; those that the API does not know; all others could not be read."""

    live: dict[str, Live] = field(default_factory=dict)
    gone: dict[str, Gone] = field(default_factory=dict)


class Rereader(ActionReader):
    """Reads actions and loads them into the warehouse."""

    def __init__(self, load: Load) -> None:
        super().__init__(load.client, load.warehouse)
        self._load, self._warehouse = load, load.warehouse
        self._actions = Lander(load.warehouse, load.run_id)
        self._items = ItemLander(load.warehouse, load.run_id)

    def land(self, calls: Sequence[Call]) -> Landed:
        """Load the actions of some calls, with their items, into the warehouse."""
        self._actions.new_package()
        landings: list[Landing] = []
        found: dict[str, dict[str, Any]] = {}
        gone: dict[str, Gone] = {}
        for campaign_id in {call.first.campaign_id for call in calls}:
            self._actions.watches[campaign_id].gone = self._warehouse.gone(campaign_id)
        for batch in self.read(calls):
            known = self._actions.watches[batch.reading.campaign_id].gone
            gone |= {id_: known.get(id_, Gone(batch.read_at, batch.read_at)) for id_ in batch.gone}
            landings.append(self._actions.land(batch))
            found |= {row["id"]: row for row in batch.records.table.to_pylist()}
        campaigns = {id_: row["campaign_id"] for id_, row in found.items()}
        listings = {listing.queued.action_id: listing for listing in self.list_items(campaigns)}
        self._land_items(list(listings.values()), landings)
        needed = {call.action_id for call in calls if call.items}
        live = {}
        for id_, listing in listings.items():
            listed = listing.status == Status.LISTED
            if id_ in needed and not listed:
                self.fail(id_, campaigns[id_], not_listed(listing))
            elif id_ not in self.unread:
                live[id_] = Live(found[id_], by_sku(rows_of(listing)) if listed else None)
        return Landed(live, gone)

    def land_items(self, actions: Mapping[str, str]) -> None:
        """Load the items of actions into the warehouse; `actions` holds their campaigns by id."""
        self._land_items(self.list_items(actions), [])

    def _land_items(self, listings: Sequence[Listing], before: Sequence[Landing]) -> None:
        for package in self._packages(listings, before):
            self._load(package)

    def _packages(self, listings: Sequence[Listing], before: Sequence[Landing]) -> Iterator[DltSource]:
        """The rows that were read; once they have landed, those that vouch for them: each table commits on its own."""
        history, items = self._load.client.settings.history, self._items.land(listings)
        landings = [*before, Landing(items=items.items, rejected=items.rejected)]
        yield impact(walk=_Landings(landings), history=history)
        if items.fetches is not None and len(items.fetches):
            yield impact(walk=_Landings([Landing(fetches=self._fingerprinted(items.fetches))]))

    def _fingerprinted(self, fetches: pa.Table) -> pa.Table:
        """Rows of `item_fetches` with the current fingerprint of their actions, which have landed by now."""
        self._warehouse.refresh()
        ids = fetches["action_id"].to_pylist()
        sql = f"select action_id, fingerprint from ({state_sql(self._warehouse)}) s where action_id in "
        known = dict(self._warehouse.rows(f"{sql} ({', '.join(['%s'] * len(ids))})", *ids))
        prints = pa.array([known.get(id_) for id_ in ids], pa.string())
        blank = pc.equal(fetches["fingerprint"], "")
        place = fetches.schema.get_field_index("fingerprint")
        return fetches.set_column(place, "fingerprint", pc.if_else(blank, prints, fetches["fingerprint"]))


class _Landings:
    """The rows of one load package."""

    def __init__(self, landings: Sequence[Landing]) -> None:
        self._landings = landings

    def package(self, state: State) -> Iterator[Landing]:  # noqa: ARG002 - no cursor moves
        yield from self._landings

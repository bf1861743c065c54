"""Actions and their items, read by their ids and brought into the warehouse by the route that a sync takes."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import dlt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.corrections.calls import Call
from pipelines.corrections.live import Live, by_sku
from pipelines.history import History
from sources.impact import impact
from sources.impact.client import Client
from sources.impact.columns import ACTION
from sources.impact.errors import InvalidAnswer, NotFound
from sources.impact.item_landing import ItemLander, item_reader, no_items, one_a_sku
from sources.impact.item_queue import STATE, Queued, Status
from sources.impact.item_reading import ItemReader
from sources.impact.landing import Lander, Landing
from sources.impact.reading import Batch, WindowReader
from sources.impact.spool import Listing
from sources.impact.tables import Reader
from sources.impact.walk import State
from sources.impact.warehouse import Warehouse

_DECIDING = frozenset({"amount", "payout", "locking_date", "cleared_date"})
"""Columns without which nobody can say whether an action still is what a plan saw."""


class Rereader:
    """Reads actions that corrections are about. Close it, or use it as a context; the client then sends no more."""

    def __init__(self, client: Client, pipeline: dlt.Pipeline) -> None:
        self._client, self._pipeline = client, pipeline
        self._warehouse = Warehouse(pipeline)
        run_id = uuid.uuid4().hex
        self._history = client.settings.history
        self._kept = History(pipeline, on=self._history)
        self._actions = Lander(self._warehouse, run_id, history=self._history)
        self._items = ItemLander(self._warehouse, run_id)
        self._windows = WindowReader(client, client.settings.page_size, self._warehouse)
        self._lists = ItemReader(client)
        self._reader = Reader(ACTION)

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon what is not asked for yet."""
        self._lists.close()
        self._windows.close()

    def look(self, call: Call) -> Live | None:
        """The action now, with its items where the call is about some; None if the API does not know it."""
        try:
            answer = self._client.action(call.action_id)
        except NotFound:
            return None
        found = self._reader.read(b"[" + answer.value + b"]", answer.read_at)
        for record in (*found.rejected, *found.misfits):
            if not record.null_columns or _DECIDING.intersection(record.null_columns):
                msg = f"action {call.action_id} cannot be typed: {record.reason}"
                raise InvalidAnswer(msg)
        (action,) = found.table.to_pylist()
        return Live(action, self._items_of(call) if call.items else None)

    def land(self, calls: Sequence[Call]) -> dict[str, Live]:
        """The actions of some calls with their items, by id, as they have landed; without those that are gone."""
        self._actions.new_package()
        landings: list[Landing] = []
        found: dict[str, dict[str, Any]] = {}
        for batch in self._read(calls):
            landings.append(self._actions.land(batch))
            found |= {row["id"]: row for row in batch.records.table.to_pylist()}
        listings = self._list({id_: row["campaign_id"] for id_, row in found.items()})
        self._land_items(listings, landings)
        listed = {listing.queued.action_id: by_sku(_rows(listing)) for listing in listings}
        return {id_: Live(action, listed.get(id_)) for id_, action in found.items()}

    def land_items(self, actions: Mapping[str, str]) -> None:
        """Bring the items of actions into the warehouse; `actions` holds their campaigns by their ids."""
        self._land_items(self._list(actions), [])

    def _land_items(self, listings: Sequence[Listing], before: Sequence[Landing]) -> None:
        items = self._items.land(listings)
        landings = [*before, Landing(items=items.items, rejected=items.rejected)]
        self._pipeline.run(impact(walk=_Package(landings), history=self._history))
        self._kept.actions(self._actions.earliest if before else None)
        self._kept.items(min((one.read_at for one in listings), default=None))
        if items.fetches is not None and len(items.fetches):
            # What they vouch for has landed: each table commits on its own.
            self._pipeline.run(impact(walk=_Package([Landing(fetches=self._fingerprinted(items.fetches))])))

    def _items_of(self, call: Call) -> dict[str, dict[str, Any]]:
        (listing,) = self._list({call.action_id: call.first["campaign_id"]})
        return by_sku(_rows(listing))

    def _read(self, calls: Iterable[Call]) -> Iterator[Batch]:
        ids: dict[str, list[str]] = defaultdict(list)
        for call in calls:
            ids[call.first["campaign_id"]].append(call.action_id)
        for campaign_id, some in ids.items():
            for event in self._windows.read_singly(campaign_id, list(dict.fromkeys(some))):
                if isinstance(event, Batch):
                    yield event
            if failures := self._windows.unread.failures:
                raise failures[0].error

    def _list(self, actions: Mapping[str, str]) -> list[Listing]:
        """The items of actions, given by id with their campaigns. Raises where one gives no valid answer."""
        listings = list(self._lists.read([Queued(id_, campaign_id, "") for id_, campaign_id in actions.items()]))
        if self._lists.stopped is not None:
            raise self._lists.stopped
        if failed := [one.queued.action_id for one in listings if one.status == Status.FAILED]:
            msg = f"the items of {len(failed)} actions could not be read, {failed[0]} first: run again"
            raise InvalidAnswer(msg)
        return listings

    def _fingerprinted(self, fetches: pa.Table) -> pa.Table:
        """Rows of `item_fetches` with the fingerprint that their actions have now that they have landed."""
        self._warehouse.refresh()
        ids = fetches["action_id"].to_pylist()
        sql = f"select action_id, fingerprint from ({self._warehouse.render(STATE)}) s where action_id in "
        known = dict(self._warehouse.rows(f"{sql} ({', '.join(['%s'] * len(ids))})", *ids))
        prints = pa.array([known.get(id_) for id_ in ids], pa.string())
        blank = pc.equal(fetches["fingerprint"], "")
        place = fetches.schema.get_field_index("fingerprint")
        return fetches.set_column(place, "fingerprint", pc.if_else(blank, prints, fetches["fingerprint"]))


class _Package:
    """One load package."""

    def __init__(self, landings: Sequence[Landing]) -> None:
        self._landings = landings

    def package(self, state: State) -> Iterator[Landing]:  # noqa: ARG002 - no cursor moves
        yield from self._landings


def _rows(listing: Listing) -> pa.Table:
    reader = item_reader()
    pages = [reader.read(page, listing.read_at).table for page in listing.pages]
    return one_a_sku(pa.concat_tables(pages, promote_options="default")) if pages else no_items()

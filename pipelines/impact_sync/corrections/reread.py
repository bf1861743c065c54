"""Actions and their items, read by their ids and brought into the warehouse by the route that a sync takes."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from impact_source import impact
from impact_source.actions.landing import Lander, Landing
from impact_source.actions.reading import Batch, WindowReader
from impact_source.actions.run import State
from impact_source.actions.unread import Failure
from impact_source.api.client import Client
from impact_source.errors import InvalidAnswer, NotFound, ReadingError
from impact_source.items.landing import ItemLander, item_reader, no_items, one_a_sku
from impact_source.items.queue import STATE, Queued, Status
from impact_source.items.reading import ItemReader
from impact_source.items.spool import Listing
from impact_source.plan.gone import Gone
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.rows.columns import ACTION
from impact_source.rows.parse import Reader, Records, Rejected
from impact_source.warehouse import Warehouse

from ..warehouse.history import History
from .journal.calls import Call
from .live import Live, by_sku

_DECIDING = frozenset({"amount", "payout", "locking_date", "cleared_date"})
"""Columns without which nobody can say whether an action still is what a plan saw."""


@dataclass(frozen=True)
class Landed:
    """Actions as they have landed, by id; those that the API does not know; every other one could not be read."""

    live: dict[str, Live] = field(default_factory=dict)
    gone: dict[str, Gone] = field(default_factory=dict)


class Rereader:
    """Reads actions that corrections are about. Close it, or use it as a context; the client then sends no more.

    An action that cannot be read stops no other one: it is in `unread` until it can. Raises where so many in a row have
    no valid answer that the API must be down.
    """

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
        self.unread: dict[str, Failure] = {}

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon what is not asked for yet."""
        self._lists.close()
        self._windows.close()

    def look(self, call: Call) -> Live | ReadingError:
        """The action now, with its items where the call is about some; or why it cannot be read.

        `NotFound` may be the word of a replica that lags behind: `land` tells whether the action is gone.
        """
        try:
            live = self._look(call)
        except NotFound as error:
            return error
        except ReadingError as error:
            self._windows.unread.fail(self._failed(call.action_id, call.first.campaign_id, error))
            return error
        self._windows.unread.succeed(self._reading(call.first.campaign_id), one_by_one=True)
        self.unread.pop(call.action_id, None)
        return live

    def land(self, calls: Sequence[Call]) -> Landed:
        """Bring the actions of some calls, with their items, into the warehouse."""
        self._actions.new_package()
        landings: list[Landing] = []
        found: dict[str, dict[str, Any]] = {}
        gone: dict[str, Gone] = {}
        for batch in self._read(calls):
            known = self._actions.watches[batch.reading.campaign_id].gone
            gone |= {id_: known.get(id_, Gone(batch.read_at, batch.read_at)) for id_ in batch.gone}
            landings.append(self._actions.land(batch))
            found |= {row["id"]: row for row in batch.records.table.to_pylist()}
        campaigns = {id_: row["campaign_id"] for id_, row in found.items()}
        listings = {listing.queued.action_id: listing for listing in self._list(campaigns)}
        self._land_items(list(listings.values()), landings)
        needed = {call.action_id for call in calls if call.items}
        live = {}
        for id_, listing in listings.items():
            listed = listing.status == Status.LISTED
            if id_ in needed and not listed:
                self._failed(id_, campaigns[id_], _not_listed(listing))
            elif id_ not in self.unread:
                live[id_] = Live(found[id_], by_sku(_rows(listing)) if listed else None)
        return Landed(live, gone)

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

    def _look(self, call: Call) -> Live:
        answer = self._client.action(call.action_id)
        found = self._reader.read(b"[" + answer.value + b"]", answer.read_at)
        for _, error in _untyped(found):
            raise error
        (action,) = found.table.to_pylist()
        return Live(action, self._items_of(call) if call.items else None)

    def _items_of(self, call: Call) -> dict[str, dict[str, Any]]:
        (listing,) = self._list({call.action_id: call.first.campaign_id})
        if listing.status != Status.LISTED:
            raise _not_listed(listing)
        return by_sku(_rows(listing))

    def _read(self, calls: Iterable[Call]) -> Iterator[Batch]:
        ids: dict[str, list[str]] = defaultdict(list)
        for call in calls:
            ids[call.first.campaign_id].append(call.action_id)
        for campaign_id, some in ids.items():
            self._actions.watches[campaign_id].gone = self._warehouse.gone(campaign_id)
            before, met = len(self._windows.unread.failures), set[str]()
            for event in self._windows.read_singly(campaign_id, list(dict.fromkeys(some))):
                if isinstance(event, Batch):
                    known = {*event.gone, *event.ids.to_pylist()}
                    met |= known
                    for id_ in known:
                        self.unread.pop(id_, None)
                    for record, error in _untyped(event.records):
                        met.add(str(record.id))
                        self._failed(str(record.id), campaign_id, error)
                    yield event
            for failure in self._windows.unread.failures[before:]:
                met.add(str(failure.action_id))
                self.unread[str(failure.action_id)] = failure
            for id_ in set(some) - met:
                self._failed(id_, campaign_id, InvalidAnswer("not asked for, as so many before it could not be read"))

    def _failed(self, action_id: str, campaign_id: str, error: ReadingError) -> Failure:
        failure = Failure(self._reading(campaign_id), error, action_id)
        self.unread[action_id] = failure
        return failure

    def _reading(self, campaign_id: str) -> Reading:
        now = self._client.clock.now().replace(microsecond=0)
        return Reading(campaign_id, Pass.UNSEEN, Window(now, now))

    def _list(self, actions: Mapping[str, str]) -> list[Listing]:
        """The items of actions, given by id with their campaigns."""
        listings = list(self._lists.read([Queued(id_, campaign_id, "") for id_, campaign_id in actions.items()]))
        if self._lists.stopped is not None:
            raise self._lists.stopped
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


def _untyped(records: Records) -> Iterator[tuple[Rejected, InvalidAnswer]]:
    """Records that do not tell what decides about a correction."""
    for record in (*records.rejected, *records.misfits):
        if not record.null_columns or _DECIDING.intersection(record.null_columns):
            yield record, InvalidAnswer(f"it cannot be typed: {record.reason}")


def _not_listed(listing: Listing) -> InvalidAnswer:
    """Why an action that the API knows is not judged by its items."""
    return InvalidAnswer(
        f"its items cannot be read: {listing.reason or 'the API says that it does not know the action'}"
    )


def _rows(listing: Listing) -> pa.Table:
    reader = item_reader()
    pages = [reader.read(page, listing.read_at).table for page in listing.pages]
    return one_a_sku(pa.concat_tables(pages, promote_options="default")) if pages else no_items()

"""Reads actions and their items by id. What cannot be read stops nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import pyarrow as pa
from impact_source.actions.events import Batch
from impact_source.actions.reading import WindowReader
from impact_source.actions.unread import Failure
from impact_source.api.client import Client
from impact_source.errors import InvalidAnswer, NotFound, ReadingError
from impact_source.items.queue import Listing, Queued, Status
from impact_source.items.reading import ItemReader
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.rows.columns import ACTION
from impact_source.rows.items import item_reader, merge_lines, no_items
from impact_source.rows.parse import Reader, Records, Rejected
from impact_source.warehouse import Warehouse

from .journal.calls import Call
from .live import Live, by_sku

_DECIDING = frozenset({"amount", "payout", "locking_date", "cleared_date"})
"""Columns that decide whether an action still is what a plan saw."""


class ActionReader:
    """Reads the actions of corrections. Close it, or use it as a context; the client then sends no more.

    An action that cannot be read does not stop the others: it is in `unread` until it can be. Raises if so many in a
    row have no valid answer that the API must be down.
    """

    def __init__(self, client: Client, warehouse: Warehouse) -> None:
        self._client = client
        self._windows = WindowReader(client, client.settings.page_size, warehouse)
        self._lists = ItemReader(client)
        self._reader = Reader(ACTION)
        self.unread: dict[str, Failure] = {}

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon pending requests."""
        self._lists.close()
        self._windows.close()

    def look(self, call: Call) -> Live | ReadingError:
        """The action now, with its items if the call is about some; or why it cannot be read.

        `NotFound` may come from a lagging replica: `land` decides whether the action is gone.
        """
        try:
            live = self._look(call)
        except NotFound as error:
            return error
        except ReadingError as error:
            self._windows.unread.fail(self.fail(call.action_id, call.first.campaign_id, error))
            return error
        self._windows.unread.succeed(self._reading(call.first.campaign_id), one_by_one=True)
        self.unread.pop(call.action_id, None)
        return live

    def read(self, calls: Iterable[Call]) -> Iterator[Batch]:
        """The actions of some calls; what cannot be read is in `unread`."""
        ids: dict[str, list[str]] = defaultdict(list)
        for call in calls:
            ids[call.first.campaign_id].append(call.action_id)
        for campaign_id, some in ids.items():
            before, met = len(self._windows.unread.failures), set[str]()
            for event in self._windows.read_singly(campaign_id, list(dict.fromkeys(some))):
                if isinstance(event, Batch):
                    known = {*event.gone, *event.ids.to_pylist()}
                    met |= known
                    for id_ in known:
                        self.unread.pop(id_, None)
                    for record, error in _untyped(event.records):
                        met.add(str(record.id))
                        self.fail(str(record.id), campaign_id, error)
                    yield event
            for failure in self._windows.unread.failures[before:]:
                met.add(str(failure.action_id))
                self.unread[str(failure.action_id)] = failure
            for id_ in set(some) - met:
                self.fail(
                    id_, campaign_id, InvalidAnswer("not requested, because too many before it could not be read")
                )

    def list_items(self, actions: Mapping[str, str]) -> list[Listing]:
        """The items of actions, given by id with their campaigns."""
        listings = list(self._lists.read([Queued(id_, campaign_id, "") for id_, campaign_id in actions.items()]))
        if self._lists.stopped is not None:
            raise self._lists.stopped
        return listings

    def fail(self, action_id: str, campaign_id: str, error: ReadingError) -> Failure:
        """Record that an action could not be read."""
        failure = Failure(self._reading(campaign_id), error, action_id)
        self.unread[action_id] = failure
        return failure

    def _look(self, call: Call) -> Live:
        answer = self._client.action(call.action_id)
        found = self._reader.read(b"[" + answer.value + b"]", answer.read_at)
        for _, error in _untyped(found):
            raise error
        (action,) = found.table.to_pylist()
        return Live(action, self._items_of(call) if call.items else None)

    def _items_of(self, call: Call) -> dict[str, dict[str, Any]]:
        (listing,) = self.list_items({call.action_id: call.first.campaign_id})
        if listing.status != Status.LISTED:
            raise not_listed(listing)
        return by_sku(rows_of(listing))

    def _reading(self, campaign_id: str) -> Reading:
        now = self._client.clock.now().replace(microsecond=0)
        return Reading(campaign_id, Pass.UNSEEN, Window(now, now))


def _untyped(records: Records) -> Iterator[tuple[Rejected, InvalidAnswer]]:
    """Records that lack what decides about a correction."""
    for record in (*records.rejected, *records.misfits):
        if not record.null_columns or _DECIDING.intersection(record.null_columns):
            yield record, InvalidAnswer(f"it cannot be typed: {record.reason}")


def not_listed(listing: Listing) -> InvalidAnswer:
    """Why an action that the API knows cannot be judged by its items."""
    return InvalidAnswer(
        f"its items cannot be read: {listing.reason or 'the API says that it does not know the action'}"
    )


def rows_of(listing: Listing) -> pa.Table:
    """The items in a list, one row per Sku."""
    reader = item_reader()
    pages = [reader.read(page, listing.read_at).table for page in listing.pages]
    return merge_lines(pa.concat_tables(pages, promote_options="default")) if pages else no_items()

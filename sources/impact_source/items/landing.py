"""Turns lists of items into rows to write: typed, one per Sku, for the actions whose items changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ..rows.columns import ACTION_ID
from ..rows.items import changed_items, item_reader, merge_lines, merge_what_fits, of_action
from ..rows.landing import Landing
from ..rows.ledger import Origin, Row, rejected_item_row, resolved_row
from ..rows.ours import FETCH_TABLE
from ..rows.parse import Rejected, without_nul
from ..warehouse import Warehouse
from .queue import Listing, Status


@dataclass
class ItemTally:
    """What a run read: actions requested, items received; actions not found, with newly rejected items, failed.

    `derived` counts the actions whose items were added up from the change feed, `again` those that the next run
    requests again: failed, or with rejected items, new or not.
    """

    actions: int = 0
    items: int = 0
    not_found: int = 0
    rejected: int = 0
    failed: int = 0
    again: int = 0
    derived: int = 0


class ItemLander:
    """Takes the lists of one run."""

    def __init__(self, warehouse: Warehouse, run_id: str) -> None:
        self.tally = ItemTally()
        self._warehouse, self._run_id = warehouse, run_id
        self._reader = item_reader()

    def land(self, listings: Sequence[Listing]) -> Landing:
        """The part of the lists that has to be written: all items of an action, or none if none changed."""
        tables, fetches, rejected = [], [], []
        received: dict[str, datetime] = {}
        for listing in listings:
            queued = listing.queued
            status, count = listing.status, None
            if status == Status.LISTED:
                table, bad = self._items_of(listing)
                tables.append(table)
                received[queued.action_id] = listing.read_at
                count = len(table)
                origin = Origin(self._run_id, queued.campaign_id, "items", listing.read_at)
                rejected += [rejected_item_row(record, origin, queued.action_id) for record in bad]
                if any(record.ask_again for record in bad):
                    status = Status.REJECTED
            if not (status == Status.FAILED and queued.status == Status.DERIVED):  # what the feed says still stands
                fetches.append(_fetch(listing, status, count))
            self._count(status, count or 0)
        asked = pa.chunked_array([[listing.queued.action_id for listing in listings]], pa.string())
        known = self._known_rejected(asked, received)
        self.tally.rejected += len({row["action_id"] for row in rejected if row["id"] not in known})
        still = {row["id"] for row in rejected}
        rejected += [resolved_row(id_, at) for id_, at in known.items() if id_ not in still]
        # Even an action that was never read may have items here, from a run that was killed.
        held = self._warehouse.lookup("action_items", ACTION_ID.name, asked)
        items = pa.concat_tables(tables, promote_options="default") if tables else None
        return Landing(
            items=None if items is None else changed_items(items, received, held),
            fetches=pa.Table.from_pylist(fetches, FETCH_TABLE),
            rejected=rejected,
        )

    def count_derived(self, landing: Landing) -> None:
        """Count actions whose items were derived from the change feed."""
        self.tally.derived += len(landing.fetches) if landing.fetches is not None else 0

    def _items_of(self, listing: Listing) -> tuple[pa.Table, tuple[Rejected, ...]]:
        """An action's items, one row per Sku, and those that could not be typed, or not completely."""
        pages = [self._reader.read(page, listing.read_at) for page in listing.pages]
        table = pa.concat_tables([page.table for page in pages], promote_options="default")
        if not self._warehouse.takes_nul:
            table = without_nul(table)
        rejected = tuple(record for page in pages for record in (*page.rejected, *page.misfits))
        try:
            table = merge_lines(table)
        except pa.ArrowInvalid:
            table, more = merge_what_fits(table, listing.pages)
            rejected += more
        return of_action(listing.queued.action_id, table), rejected

    def _known_rejected(self, asked: pa.ChunkedArray, received: Collection[str]) -> dict[str, datetime]:
        """Items of the received actions that were rejected before: by record key, the time of that."""
        rows = self._warehouse.lookup("rejected_records", ACTION_ID.name, asked)
        if rows is None:
            return {}
        found = rows.filter(pc.equal(rows["pass"], "items")).to_pylist()
        return {row["id"]: row["rejected_at"] for row in found if row["action_id"] in received}

    def _count(self, status: str, items: int) -> None:
        self.tally.actions += 1
        self.tally.items += items
        self.tally.not_found += status == Status.NOT_FOUND
        self.tally.failed += status == Status.FAILED
        self.tally.again += status in (Status.FAILED, Status.REJECTED)


def _fetch(listing: Listing, status: str, count: int | None) -> Row:
    """The row of `item_fetches`."""
    reason = {Status.REJECTED: "an item could not be typed", Status.FAILED: listing.reason}.get(Status(status))
    return {
        "action_id": listing.queued.action_id,
        "fetched_at": listing.read_at,
        "fingerprint": listing.queued.fingerprint,
        "failure": None if reason is None else f"{status}: {reason}",
        "status": str(status),
        "item_count": count,
    }

"""Lists of items become what lands: typed rows, one a Sku, of the actions whose items changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ..rows.columns import ACTION_ID, ITEM, LINE_COUNT, SYNCED_AT, Kind
from ..rows.diff import differing_rows
from ..rows.ours import FETCH_TABLE, REMOVED
from ..rows.parse import Reader, Rejected, without_nul
from ..warehouse import Warehouse
from .queue import Queued, Status
from .spool import Listing

_ACTION_ID = pa.field(ACTION_ID.name, pa.string(), nullable=False)
_SUMMED = [column.name for column in ITEM if column.kind in (Kind.MONEY, Kind.COUNT)]


@dataclass(frozen=True)
class ItemLanding:
    """Rows for the warehouse: `items` and `fetches` are typed tables, `rejected` plain rows."""

    items: pa.Table | None = None
    fetches: pa.Table | None = None
    rejected: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class ItemTally:
    """What a run read: actions asked for, items received; actions not found, with newly rejected items, failed.

    `again` are those that the next run asks for again: failed, or with rejected items, new or not.
    """

    actions: int = 0
    items: int = 0
    not_found: int = 0
    rejected: int = 0
    failed: int = 0
    again: int = 0


class ItemLander:
    """Takes the lists of one run."""

    def __init__(self, warehouse: Warehouse, run_id: str) -> None:
        self.tally = ItemTally()
        self.earliest: datetime | None = None
        """When the first list arrived."""
        self._warehouse, self._run_id = warehouse, run_id
        self._reader = item_reader()

    def land(self, listings: Sequence[Listing]) -> ItemLanding:
        """What of the lists has to be written. All items of an action are written, or none if none changed."""
        tables, fetches, rejected, received = [], [], [], []
        for listing in listings:
            self.earliest = min(self.earliest or listing.read_at, listing.read_at)
            queued, status, count = listing.queued, listing.status, None
            if status == Status.LISTED:
                table, bad = self._items_of(listing)
                tables.append(table)
                received.append(queued)
                count = len(table)
                rejected += [self._rejected_row(listing, record) for record in bad]
                if any(record.ask_again for record in bad):
                    status = Status.REJECTED
            fetches.append(_fetch(listing, status, count))
            self._count(status, count or 0)
        asked = pa.chunked_array([[listing.queued.action_id for listing in listings]], pa.string())
        known = self._known_rejected(asked, {one.action_id for one in received})
        self.tally.rejected += len({row["action_id"] for row in rejected if row["id"] not in known})
        still = {row["id"] for row in rejected}
        rejected += [{"id": id_, "rejected_at": at, "resolved": True} for id_, at in known.items() if id_ not in still]
        # Of an action that was never read there may be items all the same: of a run that was killed.
        held = self._warehouse.lookup("action_items", ACTION_ID.name, asked)
        return ItemLanding(_changed(tables, received, held), _fetches(fetches), rejected)

    def _items_of(self, listing: Listing) -> tuple[pa.Table, tuple[Rejected, ...]]:
        """An action's items, one row a Sku, and those that could not be typed, or not all of them."""
        pages = [self._reader.read(page, listing.read_at) for page in listing.pages]
        table = pa.concat_tables([page.table for page in pages], promote_options="default")
        if not self._warehouse.takes_nul:
            table = without_nul(table)
        rejected = tuple(record for page in pages for record in (*page.rejected, *page.misfits))
        try:
            table = one_a_sku(table)
        except pa.ArrowInvalid:
            table, more = _without_overflow(table, listing.pages)
            rejected += more
        return table.add_column(0, _ACTION_ID, pa.array([listing.queued.action_id] * len(table), pa.string())), rejected

    def _known_rejected(self, asked: pa.ChunkedArray, received: set[str]) -> dict[str, datetime]:
        """Items of the actions that were received, rejected before: by the key of the record, when that was."""
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

    def _rejected_row(self, listing: Listing, record: Rejected) -> dict[str, Any]:
        action_id = listing.queued.action_id
        mark = hashlib.sha256(f"{action_id} {record.raw}".encode()).hexdigest()
        return {
            "id": mark,
            "action_id": action_id,
            "campaign_id": listing.queued.campaign_id,
            "raw": record.raw,
            "reason": record.reason,
            "null_columns": ", ".join(record.null_columns) or None,
            "ask_again": record.ask_again,
            "run_id": self._run_id,
            "pass": "items",
            "rejected_at": listing.read_at,
            "resolved": False,
        }


def item_reader() -> Reader:
    """A reader of items."""
    return Reader(ITEM, keyed=False)


def no_items() -> pa.Table:
    """The table `action_items` without rows."""
    table = one_a_sku(item_reader().read(b"[]", datetime.now(UTC)).table)
    return table.add_column(0, _ACTION_ID, pa.array([], pa.string()))


def one_a_sku(table: pa.Table) -> pa.Table:
    """The lines of an action as one row a Sku: sums, the number of lines, and the first line's other fields.

    A Sku that is not there is ''. Raises `pa.ArrowInvalid` where a sum does not fit its column.
    """
    table = table.set_column(0, pa.field("sku", pa.string(), nullable=False), pc.fill_null(table["sku"], ""))
    lines = pa.field(LINE_COUNT.name, pa.int64())
    place = table.schema.get_field_index(SYNCED_AT.name)
    if pc.count_distinct(table["sku"]).as_py() == len(table):
        return table.add_column(place, lines, pa.array([1] * len(table), pa.int64()))
    first = pc.ScalarAggregateOptions(skip_nulls=False)
    rest = [name for name in table.column_names if name not in ("sku", *_SUMMED)]
    wanted = [(name, "sum", None) for name in _SUMMED] + [(name, "first", first) for name in rest]
    grouped = table.group_by("sku", use_threads=False).aggregate([*wanted, ("sku", "count")])
    columns = {"sku": grouped["sku"]} | {name: grouped[f"{name}_{how}"] for name, how, _ in wanted}
    summed = pa.table({name: columns[name] for name in table.column_names}).cast(table.schema)
    return summed.add_column(place, lines, grouped["sku_count"])


def _without_overflow(table: pa.Table, pages: Iterable[bytes]) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """The lines with one row a Sku, less the Skus whose sums do not fit their column, whose lines are rejected."""
    tables, reasons = [one_a_sku(table.slice(0, 0))], {}
    for sku in pc.unique(table["sku"]).to_pylist():
        mine = pc.is_null(table["sku"]) if sku is None else pc.fill_null(pc.equal(table["sku"], sku), fill_value=False)
        try:
            tables.append(one_a_sku(table.filter(mine)))
        except pa.ArrowInvalid as error:
            reasons[sku or ""] = f"the lines of one Sku cannot be added up: {error}"
    raws = [raw for page in pages for raw in msgspec.json.decode(page, type=list[msgspec.Raw])]
    rejected = []
    for raw in raws:
        record = msgspec.json.decode(raw)
        sku = str(record.get("Sku") or "") if isinstance(record, dict) else ""
        if sku in reasons:
            rejected.append(Rejected(sku, bytes(raw).decode(errors="replace"), reasons[sku]))
    return pa.concat_tables(tables), tuple(rejected)


def _changed(tables: list[pa.Table], received: list[Queued], held: pa.Table | None) -> pa.Table | None:
    """Items of the actions that differ from what is held, with tombstones for actions left with none.

    An item that did not change keeps the `synced_at` that it has.
    """
    if not tables:
        return None
    new = pa.concat_tables(tables, promote_options="default")
    if held is None:
        return new if len(new) else None
    ours = pa.array([queued.action_id for queued in received], pa.string())
    held = held.filter(pc.is_in(held[ACTION_ID.name], value_set=ours))
    held = held.drop_columns([name for name in (REMOVED,) if name in held.column_names])
    place = pc.index_in(_keys(new), value_set=_keys(held))
    before = held.take(place)
    differs = differing_rows(new, before, place)
    stamp = pc.if_else(differs, new[SYNCED_AT.name], before[SYNCED_AT.name].cast(new[SYNCED_AT.name].type))
    at = new.schema.get_field_index(SYNCED_AT.name)
    new = new.set_column(at, new.schema.field(at), stamp)
    gone = held.filter(pc.invert(pc.is_in(_keys(held), value_set=_keys(new))))[ACTION_ID.name]
    touched = pa.concat_arrays([new.filter(differs)[ACTION_ID.name].combine_chunks(), gone.combine_chunks()])
    rows = new.filter(pc.is_in(new[ACTION_ID.name], value_set=touched))
    left = pc.unique(touched.filter(pc.invert(pc.is_in(touched, value_set=new[ACTION_ID.name].combine_chunks()))))
    tombstones = pa.table(
        {
            ACTION_ID.name: left,
            "sku": pa.array([""] * len(left), pa.string()),
            REMOVED: pa.array([True] * len(left), pa.bool_()),
        },
        schema=pa.schema([new.schema.field(ACTION_ID.name), new.schema.field("sku"), (REMOVED, pa.bool_())]),
    )
    if not len(left):
        return rows if len(rows) else None
    return pa.concat_tables([rows, tombstones], promote_options="default")


def _keys(items: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(items[ACTION_ID.name], items["sku"], "\x1f").combine_chunks()


def _fetch(listing: Listing, status: str, count: int | None) -> dict[str, Any]:
    """The row of `item_fetches`. What is to be asked for again has a fingerprint that no action has."""
    again = status in (Status.REJECTED, Status.FAILED)
    return {
        "action_id": listing.queued.action_id,
        "fetched_at": listing.read_at,
        "fingerprint": f"{status} {listing.read_at.isoformat()}" if again else listing.queued.fingerprint,
        "status": str(status),
        "item_count": count,
    }


def _fetches(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, FETCH_TABLE)

"""Items of an action as rows: one per Sku, and which of them changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from .columns import ACTION_ID, ITEM, KNOWN_BY, LINE_COUNT, SYNCED_AT, Kind
from .diff import differing_rows
from .ours import FETCH_TABLE, REMOVED
from .parse import Reader, Rejected

_ACTION_ID = pa.field(ACTION_ID.name, pa.string(), nullable=False)
_SKU = pa.field("sku", pa.string(), nullable=False)
_KEY = pa.schema([_ACTION_ID, _SKU])
LIST, FEED = "list", "feed"
"""The values of `known_by`."""
TOLD = ("category", "quantity", "sale_amount", "sale_amount_currency", "payout", "payout_currency")
"""What the change feed says of an item; the rest is NULL, or as the last list said."""
DERIVED = "derived"
"""The status in `item_fetches` of an action whose items were added up from the change feed."""
_SUMMED = [column.name for column in ITEM if column.kind in (Kind.MONEY, Kind.COUNT)]


def item_reader() -> Reader:
    """A reader of items."""
    return Reader(ITEM, keyed=False)


def no_items() -> pa.Table:
    """The table `action_items` without rows."""
    return of_action("", merge_lines(item_reader().read(b"[]", datetime.now(UTC)).table))


def of_action(action_id: str, items: pa.Table) -> pa.Table:
    """The items, with the id of their action."""
    return items.add_column(0, _ACTION_ID, pa.array([action_id] * len(items), pa.string()))


def merge_lines(table: pa.Table) -> pa.Table:
    """The lines of an action as one row per Sku: sums, the number of lines, and the first line's other fields.

    A missing Sku becomes ''. Raises `pa.ArrowInvalid` if a sum does not fit its column.
    """
    table = table.set_column(0, _SKU, pc.fill_null(table["sku"], ""))
    lines = pa.field(LINE_COUNT.name, pa.int64())
    place = table.schema.get_field_index(SYNCED_AT.name)
    table = table.add_column(place, KNOWN_BY.name, pa.array([LIST] * len(table), pa.string()))
    if pc.count_distinct(table["sku"]).as_py() == len(table):
        return table.add_column(place, lines, pa.array([1] * len(table), pa.int64()))
    first = pc.ScalarAggregateOptions(skip_nulls=False)
    rest = [name for name in table.column_names if name not in ("sku", *_SUMMED)]
    wanted = [(name, "sum", None) for name in _SUMMED] + [(name, "first", first) for name in rest]
    grouped = table.group_by("sku", use_threads=False).aggregate([*wanted, ("sku", "count")])
    columns = {"sku": grouped["sku"]} | {name: grouped[f"{name}_{how}"] for name, how, _ in wanted}
    summed = pa.table({name: columns[name] for name in table.column_names}).cast(table.schema)
    return summed.add_column(place, lines, grouped["sku_count"])


def merge_what_fits(table: pa.Table, pages: Iterable[bytes]) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """The same if some sums do not fit their column: the lines of those Skus are rejected."""
    tables, reasons = [merge_lines(table.slice(0, 0))], {}
    for sku in pc.unique(table["sku"]).to_pylist():
        mine = pc.is_null(table["sku"]) if sku is None else pc.fill_null(pc.equal(table["sku"], sku), fill_value=False)
        try:
            tables.append(merge_lines(table.filter(mine)))
        except pa.ArrowInvalid as error:
            reasons[sku or ""] = f"the lines of one Sku cannot be added up: {error}"
    raws = [raw for page in pages for raw in msgspec.json.decode(page, type=list[msgspec.Raw])]
    rejected = []
    for raw in raws:
        record = msgspec.json.decode(raw)
        if isinstance(record, dict) and (sku := str(record.get("Sku") or "")) in reasons:
            rejected.append(Rejected(sku, bytes(raw).decode(errors="replace"), reasons[sku]))
    return pa.concat_tables(tables), tuple(rejected)


def changed_items(new: pa.Table, received: Mapping[str, datetime], held: pa.Table | None) -> pa.Table | None:
    """All items of the actions with any item different from `held`, and markers that remove those that are gone.

    `new` holds the items of the actions that were `received`, each at an instant. An unchanged item keeps its
    `synced_at`.
    """
    if held is None:
        return new if len(new) else None
    held = held.filter(pc.is_in(held[ACTION_ID.name], value_set=pa.array(list(received), pa.string())))
    held = held.drop_columns([name for name in (REMOVED,) if name in held.column_names])
    place = pc.index_in(_keys(new), value_set=_keys(held))
    differs = differing_rows(new, _with_source(held), place)
    before = held[SYNCED_AT.name].cast(new[SYNCED_AT.name].type).take(place)
    stamp = pc.if_else(differs, new[SYNCED_AT.name], before)
    at = new.schema.get_field_index(SYNCED_AT.name)
    new = new.set_column(at, new.schema.field(at), stamp)
    gone = held.filter(pc.invert(pc.is_in(_keys(held), value_set=_keys(new)))).select(_KEY.names)
    touched = [rows[ACTION_ID.name].combine_chunks() for rows in (new.filter(differs), gone)]
    rows = new.filter(pc.is_in(new[ACTION_ID.name], value_set=pa.concat_arrays(touched)))
    if not len(gone):
        return rows if len(rows) else None
    return pa.concat_tables([rows, _removed(gone, received)], promote_options="default")


def _with_source(held: pa.Table) -> pa.Table:
    """Rows with `known_by`, which version 0.1.0 did not write."""
    if KNOWN_BY.name not in held.column_names:
        return held.append_column(KNOWN_BY.name, pa.array([LIST] * len(held), pa.string()))
    at = held.schema.get_field_index(KNOWN_BY.name)
    return held.set_column(at, KNOWN_BY.name, pc.fill_null(held[KNOWN_BY.name], LIST))


def _removed(keys: pa.Table, received: Mapping[str, datetime]) -> pa.Table:
    """Rows that remove these items when merged, as of the answer that no longer lists them."""
    instants = [received[id_] for id_ in keys[ACTION_ID.name].to_pylist()]
    rows = keys.cast(_KEY).append_column(SYNCED_AT.name, pa.array(instants, SYNCED_AT.kind.arrow))
    return rows.append_column(REMOVED, pa.array([True] * len(keys), pa.bool_()))


def _keys(items: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(items[ACTION_ID.name], items["sku"], "\x1f").combine_chunks()


def outdate(held: pa.Table, read_at: datetime) -> pa.Table:
    """Rows of `item_fetches` with a failure, so that these items are requested again."""
    failures = pa.array([f"updated before {read_at.isoformat()}"] * len(held), pa.string())
    known = held.drop_columns([name for name in ("failure",) if name in held.column_names])
    known = known.append_column("failure", failures)
    for name in set(FETCH_TABLE.names) - set(known.column_names):  # not in older warehouses
        known = known.append_column(name, pa.nulls(len(held), FETCH_TABLE.field(name).type))
    return known.select(FETCH_TABLE.names).cast(FETCH_TABLE)

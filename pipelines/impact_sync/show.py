"""`impact show`: one action and its items, live beside those in the warehouse, and its changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from impact_source import Settings
from impact_source.api.client import Client
from impact_source.errors import ConfigurationError, NotFound, UnsafeId
from impact_source.rows.columns import ACTION, KEPT_BY_US, KNOWN_BY, LINE_COUNT
from impact_source.rows.diff import differing_columns
from impact_source.rows.items import FEED, TOLD, item_reader, merge_lines
from impact_source.rows.ours import REMOVED
from impact_source.rows.parse import Reader, Records
from impact_source.sql import in_utc
from impact_source.warehouse import Warehouse

from .console.exits import Exit
from .console.screen import console, table
from .warehouse.configured import kind
from .warehouse.duckdb.file import duckdb_path
from .warehouse.open import open_pipeline

_ABSENT = "-"
_SHOWN = 20
"""Skus named in an error."""
_CHANGES = """
select update_date, sku, delta_amount, delta_payout, quantity, disposition, state from action_updates
where action_id = %s {sku} order by update_date, sku, id
"""


@dataclass(frozen=True)
class Found:
    """One action and its items, here or there; None if unknown altogether.

    `warehouse` is whether there is one, `items_read` whether it ever read these items.
    """

    action: pa.Table | None
    items: pa.Table | None
    items_read: bool = True
    warehouse: bool = True
    changes: Sequence[tuple[Any, ...]] = ()
    """Those that the change feed lists, as in `action_updates`."""

    @property
    def by_feed(self) -> bool:
        """Whether the change feed says any of the items."""
        return self.items is not None and FEED in _sources(self.items)


def run(action_id: str, sku: str | None) -> int:
    """Print both sides; 0 if they agree, 1 if they differ or there is nothing to compare with.

    Raises `ConfigurationError` for an action, or an item of an action with items, that neither side knows.
    """
    try:
        there = _ask(settings := Settings.resolve(), action_id, sku)
    except UnsafeId as error:
        raise ConfigurationError(str(error)) from None
    here = _look_up(action_id, sku)
    if here.action is None and there.action is None:
        msg = f"neither the API nor the warehouse knows the action {action_id}"
        raise ConfigurationError(msg)
    if sku is not None and not _skus(here, there):
        _check_sku(settings, action_id, sku)
    same = _show_action(here.action, there.action, warehouse=here.warehouse)
    same_items = _show_items(here.items, there.items)
    _show_changes(here.changes)
    console().print(_verdict(here, same=same, same_items=same_items), soft_wrap=True)
    return Exit.DONE if same and same_items and here.items_read else Exit.DRIFT


def _skus(*sides: Found) -> list[str]:
    """The Skus of the items on either side."""
    return sorted({str(sku) for side in sides if side.items is not None for sku in side.items["sku"].to_pylist()})


def _check_sku(settings: Settings, action_id: str, sku: str) -> None:
    """Raise `ConfigurationError` with the Skus that an action has, if it has any, as it lacks this one."""
    if skus := _skus(_look_up(action_id, None), _ask(settings, action_id, None)):
        more = f" and {len(skus) - _SHOWN:,} more" if len(skus) > _SHOWN else ""
        msg = f"the action {action_id} has no item {sku}, here or there; it has {', '.join(skus[:_SHOWN])}{more}"
        raise ConfigurationError(msg)


def _verdict(here: Found, *, same: bool, same_items: bool) -> str:
    """The result of the comparison; what was never read does not count as different."""
    if not here.warehouse:
        return "There is no warehouse yet to compare with: `impact sync` creates it."
    if same and not here.items_read:
        return "The action agrees. Its items were never read: `impact items` reads them, the most valuable first."
    if same and same_items and here.by_feed:
        return "Warehouse and API agree on all that the change feed says; `impact items` will read names and rebates."
    if same and same_items:
        return "Warehouse and API agree."
    return "Warehouse and API differ: `impact sync` reads what changed, `impact items` the items that wait."


def _ask(settings: Settings, action_id: str, sku: str | None) -> Found:
    """What the API returns now."""
    with Client(settings) as client:
        try:
            answer = client.action(action_id)
        except NotFound:
            return Found(None, None)
        action = _typed(Reader(ACTION).read(b"[" + answer.value + b"]", answer.read_at))
        reader = item_reader()
        try:
            if sku is not None:
                item = client.item(action_id, sku)
                pages = [_typed(reader.read(b"[" + item.value + b"]", item.read_at))]
            else:
                pages = [_typed(reader.read(a.value.records, a.read_at)) for a in client.items(action_id)]
        except NotFound:
            pages = [_typed(reader.read(b"[]", answer.read_at))]
    return Found(action, merge_lines(pa.concat_tables(pages, promote_options="default")))


def _typed(records: Records) -> pa.Table:
    for record in (*records.rejected, *records.misfits):
        console(error=True).print(f"Cannot be typed: {record.reason}: {record.raw}", soft_wrap=True)
    return records.table


def _look_up(action_id: str, sku: str | None) -> Found:
    """What the warehouse holds."""
    if kind() == "duckdb" and not duckdb_path().exists():
        return Found(None, None, items_read=False, warehouse=False)
    with open_pipeline(read_only=True) as pipeline:
        warehouse = Warehouse(pipeline)
        wanted = pa.chunked_array([[action_id]], pa.string())
        items = warehouse.lookup("action_items", "action_id", wanted)
        if items is not None:
            items = items.drop_columns([name for name in ("action_id", REMOVED) if name in items.column_names])
            items = items if sku is None else items.filter(pc.equal(items["sku"], sku))
        read = warehouse.lookup("item_fetches", "action_id", wanted) is not None
        changes: list[tuple[Any, ...]] = []
        if warehouse.holds("action_updates"):
            sql = _CHANGES.format(sku="" if sku is None else "and coalesce(sku, '') = %s")
            changes = warehouse.rows(sql, action_id, *([] if sku is None else [sku]))
        return Found(warehouse.lookup("actions", "id", wanted), items, read, changes=changes)


def _show_action(here: pa.Table | None, there: pa.Table | None, *, warehouse: bool) -> bool:
    """Print the action field by field, with differences marked; return whether all agrees."""
    names = dict.fromkeys(name for side in (here, there) if side is not None for name in side.column_names)
    rows = table("Action", "column", "warehouse", "API", "", texts=("warehouse", "API"))
    differing = _differing(here, there)
    for name in names:
        if name not in KEPT_BY_US:
            rows.add_row(name, _cell(here, name), _cell(there, name), "differs" if name in differing else "")
    console().print(rows)
    if there is None or not len(there):
        console().print("The API does not know this action (any more).")
    if here is None and warehouse:
        console().print("The warehouse does not hold this action.")
    return not differing and here is not None and there is not None and len(there) > 0


def _show_items(here: pa.Table | None, there: pa.Table | None) -> bool:
    """Print the items side by side; return whether they agree."""
    rows = table("Items", "sku", "column", "warehouse", "API", "", texts=("warehouse", "API"))
    skus = sorted({sku for side in (here, there) if side is not None for sku in side["sku"].to_pylist()})
    agree = True
    for sku in skus:
        mine, theirs = (_of(side, sku) for side in (here, there))
        differing = _differing_items(mine, theirs)
        agree &= not differing and mine is not None and theirs is not None
        lines = dict.fromkeys(name for side in (theirs, mine) if side is not None for name in side.column_names)
        for name in lines:
            if name != "sku" and name not in KEPT_BY_US and (name != LINE_COUNT.name or name in differing):
                mark = "differs" if name in differing else ""
                rows.add_row(sku, name, _cell(mine, name), _cell(theirs, name), mark)
    if skus:
        console().print(rows)
    else:
        console().print("No items, here or there.")
    return agree


def _show_changes(changes: Sequence[tuple[Any, ...]]) -> None:
    """Print what the change feed lists of the action."""
    numbers = ("amount", "payout", "quantity")
    rows = table(
        "Changes, as of the last sync", "date", "sku", *numbers, "why", "state", numbers=numbers, texts=("why",)
    )
    for date, sku, amount, payout, quantity, why, state in changes:
        moved = (_ABSENT if value is None else f"{value:+f}" for value in (amount, payout))
        cells = (_ABSENT if value is None else str(value) for value in (quantity, why, state))
        rows.add_row(f"{in_utc(date):%Y-%m-%d %H:%M:%S}" if date else _ABSENT, sku or _ABSENT, *moved, *cells)
    if changes:
        console().print(rows)


def _of(side: pa.Table | None, sku: str) -> pa.Table | None:
    rows = None if side is None else side.filter(pc.equal(side["sku"], sku))
    return rows if rows is not None and len(rows) else None


def _differing(here: pa.Table | None, there: pa.Table | None) -> set[str]:
    """Names of the columns that differ; none if one side has no row, as there is nothing to compare."""
    if here is None or there is None or not len(there):
        return set()
    return {name for name, mask in differing_columns(there, here).items() if mask[0].as_py()}


def _differing_items(here: pa.Table | None, there: pa.Table | None) -> set[str]:
    """The same of an item: if the change feed says it, in what that says."""
    differing = _differing(here, there) - {KNOWN_BY.name}
    return differing.intersection(TOLD) if here is not None and FEED in _sources(here) else differing


def _sources(items: pa.Table) -> list[str | None]:
    found: list[str | None] = items[KNOWN_BY.name].to_pylist() if KNOWN_BY.name in items.column_names else []
    return found


def _cell(side: pa.Table | None, name: str) -> str:
    value: Any = None if side is None or not len(side) or name not in side.column_names else side[name][0].as_py()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return _ABSENT if value is None else str(value)

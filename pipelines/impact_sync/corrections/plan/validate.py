"""Checks requested corrections against the rules of the API and what the warehouse holds, all at once, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

import dlt
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from impact_source.api.changes import CATEGORY_MAX, DISPOSITION_CODES, MODIFICATIONS_MAX, REASONS, RESET
from impact_source.rows.columns import ACTION, ITEM, LINE_COUNT, MONEY
from impact_source.settings import Settings
from impact_source.warehouse import Warehouse

from ...tabular import MACROS
from ..journal.queries import Queries

_SQL = files(__package__).joinpath("validate.sql").read_text()
_TEXT_KEY = pa.string()
UNUSUAL: Final = 10
"""An amount that becomes more than so many times what it was is worth a second look."""


@dataclass(frozen=True)
class Invalid:
    """A row that may not be sent: its line, what it refers to, and why."""

    line: int
    what: str
    problem: str


@dataclass(frozen=True)
class Unusual:
    """An amount that may be a mistake: far more than it was, or more than any other of its campaign, the largest."""

    line: int
    what: str
    was: Decimal | None
    becomes: Decimal
    largest: Decimal | None
    currency: str | None


@dataclass(frozen=True)
class Checked:
    """The rows that can be sent, each with its `call`, and those that cannot."""

    rows: list[dict[str, Any]]
    invalid: list[Invalid]
    unread: dict[str, str]
    """Actions with corrections of items that were never read, by id, with their campaigns."""

    @property
    def unusual(self) -> list[Unusual]:
        """Amounts of the rows that can be sent that are worth a second look, those that grow most first."""
        names = ("line", "old_amount", "unusual_amount", "largest_amount", "currency")
        found = [
            Unusual(line, _what(one), *rest)
            for one in self.rows
            for line, *rest in [[one[name] for name in names]]
            if one["unusual_amount"] is not None
        ]
        return sorted(found, key=lambda one: (one.was or Decimal(0)) - one.becomes)


def validate(
    requested: pa.Table, pipeline: dlt.Pipeline, journal: Queries, settings: Settings, now: datetime
) -> Checked:
    """Check what is requested. `now` decides what has locked."""
    warehouse = Warehouse(pipeline)
    actions = _actions(warehouse, requested)
    held = {
        "actions": actions,
        "items": _rows(warehouse, "action_items", "action_id", actions["id"], _ITEMS),
        "fetched": _rows(warehouse, "item_fetches", "action_id", actions["id"], _FETCHED),
        "largest": _largest(warehouse),
    } | journal.engaged()
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(MACROS)
        for name, table in {"requested": requested, **held}.items():
            connection.register(name, table)
        rows = connection.execute(_SQL, _parameters(settings, now)).to_arrow_table().to_pylist()
    invalid = [Invalid(row["line"], _what(row), row["problem"]) for row in rows if row["problem"]]
    unread = {row["action_id"]: row["campaign_id"] for row in rows if row["unread"]}
    return Checked([_weighed(row) for row in rows if not row["problem"]], invalid, unread)


_ACTIONS = pa.schema([(column.name, column.kind.arrow) for column in ACTION])
_ITEMS = pa.schema([("action_id", _TEXT_KEY), *((c.name, c.kind.arrow) for c in (*ITEM, LINE_COUNT))])
_LARGEST = pa.schema([("of_campaign", _TEXT_KEY), ("of_currency", _TEXT_KEY), ("largest_amount", MONEY)])
_FETCHED = pa.schema([("action_id", _TEXT_KEY), ("item_count", pa.int64())])


def _actions(warehouse: Warehouse, requested: pa.Table) -> pa.Table:
    """The actions named by id or by order id, each once."""
    by_id = _rows(warehouse, "actions", "id", requested["action_id"].drop_null(), _ACTIONS)
    by_order = _rows(warehouse, "actions", "oid", requested["order_id"].drop_null(), _ACTIONS)
    more = by_order.filter(pc.invert(pc.is_in(by_order["id"], value_set=by_id["id"].combine_chunks())))
    return pa.concat_tables([by_id, more])


def _largest(warehouse: Warehouse) -> pa.Table:
    """The largest amount that an action of a campaign has, or had before it was reduced, by currency."""
    known = [name for name in ("amount", "intended_amount") if warehouse.holds("actions", name)]
    sql = f"select campaign_id, currency, {', '.join(f'max({name})' for name in known)} from actions group by 1, 2"
    rows = [
        {"of_campaign": campaign, "of_currency": currency, "largest_amount": max(filter(None, amounts), default=None)}
        for campaign, currency, *amounts in warehouse.rows(sql)
    ]
    return pa.Table.from_pylist(rows, _LARGEST)


def _rows(warehouse: Warehouse, table: str, key: str, values: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
    found = warehouse.lookup(table, key, values)
    if found is None:
        return schema.empty_table()
    missing = [name for name in schema.names if name not in found.column_names]
    for name in missing:  # a column that never had a value
        found = found.append_column(name, pa.nulls(len(found), schema.field(name).type))
    return found.select(schema.names).cast(schema)


def _parameters(settings: Settings, now: datetime) -> Mapping[str, Any]:
    """The values that the rules compare with."""
    return {
        "now": now,
        "zone": settings.zone.key,
        "reset": RESET,
        "most": MODIFICATIONS_MAX,
        "longest": CATEGORY_MAX,
        "unusual": UNUSUAL,
        "reasons": [*REASONS, *settings.custom_codes],
        "codes": [*DISPOSITION_CODES, *settings.custom_codes],
    }


def _weighed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the commission at stake: the change, or all of it if that is not known."""
    moved, base = row["commission_moved"], abs(row["base_payout"] or Decimal(0))
    touched = base if moved is None else max(abs(moved), base if row["commission_open"] else Decimal(0))
    return row | {"commission_touched": touched}


def _what(row: dict[str, Any]) -> str:
    named = row["action_id"] or row["named"] or (f"order {row['order_id']}" if row["order_id"] else "-")
    return f"{named} {row['sku']}" if row["sku"] else str(named)

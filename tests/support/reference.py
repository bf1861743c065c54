"""What surrounds the actions, as the sandbox has it and as the warehouse holds it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from impact_sandbox import World
from impact_sandbox.times import parse_time
from impact_source.settings import REFERENCE

from tests.support.account import Account, snake

Row = dict[str, Any]
Query = Callable[[str], tuple[list[str], list[tuple[Any, ...]]]]
KEYS = {
    "company": ("uri",),
    "media_partners": ("id",),
    "partner_groups": ("campaign_id", "id"),
    "partner_group_members": ("campaign_id", "group_id", "partner_id"),
    "contracts": ("campaign_id", "id"),
    "action_inquiries": ("id",),
    "invoices": ("id",),
    "invoice_lines": ("invoice_id", "kind", "line"),
}
_RESOURCES = {
    "company": "CompanyInformation",
    "media_partners": "MediaPartners",
    "partner_groups": "MediaPartnerGroups",
    "contracts": "Contracts",
    "action_inquiries": "ActionInquiries",
    "invoices": "Invoices",
}
_MONEY = {
    *("transaction_amount", "expected_payout", "final_payout", "total_amount", "total_vat_amount"),
    *("net_item_amount", "vat_item_amount", "total_item_amount", "action_amount", "other_amount"),
}


def plain(value: object) -> object:
    """A JSON value with its leaves as what they mean, in whichever wire format they came."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    text = "" if value is None else str(value)
    return parse_time(text) or text


def typed(name: str, value: object) -> object:
    """The value of a field in the column `name`, by rules written independently of the source."""
    if isinstance(value, Mapping | list):
        return plain(value)
    text = str(value)
    if text == "":
        return None
    if name in _MONEY:
        return Decimal(text)
    if name == "actions":
        return int(text)
    return parse_time(text) if name.endswith("_date") or name.startswith("date_") else text


def row(record: Mapping[str, Any], **own: object) -> Row:
    """A record as its row."""
    return {snake(field): typed(snake(field), value) for field, value in record.items()} | own


def truth(world: World) -> dict[str, dict[tuple[Any, ...], Row]]:
    """Every row of every table by its key, as the API shows it now."""
    rows: dict[str, list[Row]] = {table: [] for table in REFERENCE}
    for table, resource in _RESOURCES.items():
        for record in world.reference(resource):
            own = {"campaign_id": record["Uri"].split("/")[4]} if "/Campaigns/" in record["Uri"] else {}
            lists = {"MediaPartners", "LineItems", "DetailedLineItems"} & record.keys()
            rows[table].append(row({field: value for field, value in record.items() if field not in lists}, **own))
            members = record.get("MediaPartners", [])
            rows["partner_group_members"] += [row(member, group_id=record["Id"], **own) for member in members]
            for kind, field in (("line", "LineItems"), ("detail", "DetailedLineItems")):
                for number, line in enumerate(record.get(field, []), 1):
                    rows["invoice_lines"].append(row(line, invoice_id=record["Id"], kind=kind, line=number))
    return {table: {tuple(one[name] for name in KEYS[table]): one for one in found} for table, found in rows.items()}


def asked(one: Account, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of columns and rows of a query on a DuckDB file."""
    with one.opened() as connection:
        cursor = connection.execute(sql)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()


def held(query: Query, table: str) -> dict[tuple[Any, ...], Row]:
    """Every row of a table by its key; JSON is read."""
    names, found = query(f"select * from impact.{table}")
    rows = ({name: _read(value) for name, value in zip(names, values, strict=True)} for values in found)
    return {tuple(one[name] for name in KEYS[table]): one for one in rows}


def _read(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return plain(json.loads(value))
    return value


def wrong(world: World, query: Query, *tables: str) -> Iterator[str]:
    """What differs from the API in these tables, or in all."""
    there = truth(world)
    for table in tables or REFERENCE:
        here = held(query, table)
        if here.keys() != there[table].keys():
            yield f"{table}: missing {there[table].keys() - here.keys()}, too many {here.keys() - there[table].keys()}"
        for key in here.keys() & there[table].keys():
            for name, value in there[table][key].items():
                if here[key].get(name) != value:
                    yield f"{table} {key} {name}: {here[key].get(name)!r}, not {value!r}"


def assert_true(one: Account, *tables: str) -> None:
    """Every column of every row of these tables, or of all, is what the sandbox says now."""
    assert list(wrong(one.world, lambda sql: asked(one, sql), *tables))[:5] == []

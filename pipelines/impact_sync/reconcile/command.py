"""`impact reconcile` as the user sees it: what differs and what it costs, what has changed, what can be done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from impact_source import Settings
from impact_source.errors import ConfigurationError

from ..console.exits import Exit
from ..console.screen import console, table
from ..corrections.plan.request import COLUMNS
from ..corrections.plan.run import Plan, Source, plan
from ..corrections.show import show_plan
from .comparison import IGNORABLE, Normalised
from .given import ITEMS, ORDERS, Given
from .ledger import BODY
from .run import SHOWN, Ask, Found, reconcile

_SELECT = re.compile(r"\s*(select|from|with)\b", re.IGNORECASE)
_IN_WORDS = {
    "not_reversed": "returned or cancelled, not reversed",
    "not_corrected": "partly returned, not corrected",
    "amount": "another amount",
    "currency": "another currency",
    "no_action": "order without an action",
    "no_order": "action without an order",
    "duplicate": "several with one id",
    "reversed_here": "reversed, but alive in the shop",
}


def run(ask: Ask) -> int:
    """Compare, show what differs, plan what can be corrected if asked, return the exit code."""
    settings = Settings.resolve() if ask.plans else None  # what is missing there is said before anything is done
    found = reconcile(ask)
    show(found, ask)
    if settings is not None and len(found.planned):
        show_plan(store_plan(settings, ask, found))
    return Exit.DRIFT if found.head["correctable"] else Exit.DONE


def asked(  # noqa: PLR0913 - one for each option
    orders: str | None,
    *,
    sql: str | None,
    database: str | None,
    items: str | None,
    maps: Sequence[str],
    since: date | None,
    until: date | None,
    ignored: Sequence[str],
    referred: bool,
    output: str | None,
    plans: bool,
) -> Ask:
    """What the options ask for. Raises `ConfigurationError`."""
    if (orders is None) == (sql is None):
        msg = "give either ORDERS, a CSV or Parquet file, or --sql"
        raise ConfigurationError(msg)
    address = database or dlt.secrets.get("impact.orders_database")
    given = _given(orders, sql, address, _renamed(maps, ORDERS))
    by_item = None
    if items is not None:
        query = _SELECT.match(items) and not Path(items).is_file()
        by_item = _given(None if query else items, items if query else None, address, _renamed(maps, ITEMS))
    if database and not (given.sql or (by_item and by_item.sql)):
        msg = "--database is asked by --sql or by a query as --items: there is neither"
        raise ConfigurationError(msg)
    return Ask(
        given,
        by_item,
        since,
        until,
        _normalised(ignored),
        referred,
        Path(output) if output else None,
        plans,
    )


def _given(file: str | None, sql: str | None, address: str | None, renamed: Mapping[str, str]) -> Given:
    return Given(Path(file), renamed=renamed) if file else Given(sql=sql, address=address, renamed=renamed)


def _renamed(maps: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """The user's names by ours, of those that a table may have; `items.sku=artikel` is for the items alone."""
    found = {}
    for one in maps:
        ours, equals, theirs = one.partition("=")
        of_items, name = ours.startswith("items."), ours.removeprefix("items.")
        if not equals or not theirs or name not in (ITEMS if of_items else ORDERS):
            msg = f"--map {one}: give ours=theirs; ours is one of {', '.join(ORDERS)}, or items. and {', '.join(ITEMS)}"
            raise ConfigurationError(msg)
        if of_items is (columns is ITEMS):
            found[name] = theirs.strip()
    return found


def _normalised(ignored: Sequence[str]) -> Normalised:
    prefixes = [one.removeprefix("prefix=") for one in ignored if one.startswith("prefix=")]
    others = [one for one in ignored if not one.startswith("prefix=")]
    if unknown := [one for one in others if one not in IGNORABLE]:
        msg = f"--ignore {unknown[0]}: it is one of {', '.join(IGNORABLE)}, prefix=TEXT"
        raise ConfigurationError(msg)
    if len(prefixes) > 1 or "" in prefixes:
        msg = "--ignore prefix=TEXT: give one text"
        raise ConfigurationError(msg)
    return Normalised(frozenset(others), *prefixes)


def show(found: Found, ask: Ask) -> None:
    """Print what a reconciliation found."""
    out, head = console(), found.head
    if found.totals:
        totals = table(
            "Differences", "what", "state", "currency", "number", "overpaid", "underpaid", "can be corrected",
            numbers=("number", "overpaid", "underpaid"), texts=("what",),
        )  # fmt: skip
        for one in found.totals:
            money = (_money(one["too_much"]), _money(one["too_little"] and -one["too_little"]))
            how = {"plan": "by a plan", "by hand": "by hand"}.get(one["remedy"], "no")
            what = _IN_WORDS[one["kind"]]
            cells = (one["standing"], one["currency"] or "", f"{one['differences']:,}", *money)
            totals.add_row(what, *cells, how if one["standing"] == "open" else "no")
        out.print(totals)
        out.print(_foremost(found.foremost))
        if head["differences"] > SHOWN:
            where = f"select * from impact.{BODY} where run_id = '{head['run_id']}'"
            out.print(f"and {head['differences'] - SHOWN:,} more: {where}", soft_wrap=True)
    out.print(
        f"{head['orders']:,} orders compared as of {_minute(head['as_of'])} UTC, {head['matched']:,} with an action."
    )
    for ignored in (*sorted(ask.normalised.ignored), *filter(None, [ask.normalised.prefix])):
        out.print(f"Ids were compared without regard to {ignored}.")
    for one in found.changes:
        if one["change"] != "new":
            out.print(_changed(one))
    for note in found.notes:
        out.print(f"Note: {note}.", soft_wrap=True)
    if ask.output:
        out.print(f"All differences are in {ask.output}.", soft_wrap=True)
    out.print(_verdict(found))


def _foremost(lines: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - a table
    columns = ("order", "action", "what", "shop", "impact.com", "commission", "open until")
    rows = table("What matters most", *columns, numbers=("commission",), texts=("what", "shop", "impact.com"))
    for one in lines:
        what = _IN_WORDS[one["kind"]] + (f": {one['sku']}" if one["sku"] is not None else "")
        lock = _minute(one["locking_date"]) if one["locking_date"] else ""
        until = lock if one["standing"] == "open" else one["standing"]
        shop = _side(one["order_status"], one["order_amount"], one["order_currency"], one["order_quantity"])
        here = _side(one["action_state"], one["action_amount"], one["currency"], one["action_quantity"])
        commission = "" if one["commission"] is None else f"{one['commission']:+,.2f}"
        rows.add_row(one["order_id"] or "", one["action_id"] or "", what, shop, here, commission, until)
    return rows


def _side(state: str | None, amount: Decimal | None, currency: str | None, quantity: int | None) -> str:
    pieces = (
        f"{quantity:,} x" if quantity is not None else None,
        _money(amount),
        currency if amount is not None else None,
    )
    return " ".join(filter(None, (state and state.replace("_", " "), *pieces)))


def _changed(one: Mapping[str, Any]) -> str:
    money = "" if one["commission"] is None else f" ({one['commission']:+,.2f} {one['currency']} of commission)"
    number = f"{one['differences']:,}"
    match one["change"]:
        case "settled":
            return f"Settled since: {number}{money}."
        case "locked unmended":
            return f"Locked before they were corrected: {number}{money}."
        case _:
            return f"Known from earlier reconciliations: {number}{money}."


def _verdict(found: Found) -> str:
    number = found.head["correctable"]
    if not number:
        return "Nothing can be corrected." if found.head["differences"] else "No difference."
    planned = len(found.planned)
    said = f"{number:,} can still be corrected"
    return f"{said}, {planned:,} of them by a plan: --plan stores one." if planned else f"{said}, by hand."


def store_plan(settings: Settings, ask: Ask, found: Found) -> Plan:
    """Store a plan of what can be corrected, checked as any other."""
    rows = found.planned.append_column("line", pa.array(range(1, len(found.planned) + 1), pa.int64()))
    for name in COLUMNS:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(len(rows), pa.string()))
    name = f"reconciliation {found.head['run_id']} of {ask.orders}"
    return plan(settings, Source(rows=rows.select(["line", *COLUMNS]), name=name), skip_invalid=True)


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"

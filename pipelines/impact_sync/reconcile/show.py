"""A reconciliation on the screen: what differs and what it costs, what has changed, what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..console.grid import Grid
from ..console.screen import console, table
from .asking import Ask
from .ledger import BODY
from .run import SHOWN, Found

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

_BY_HAND = {
    "not_corrected": "decide what is left of the order, and correct it: no amount or item says so beyond doubt",
    "amount": "decide which amount is right, and correct it",
    "no_order": "find out what it was for; if there was no order, reverse it",
    "duplicate": "find out which one counts, correct it if it differs, and reverse the others",
    "reversed_here": "a correction with the reason RESET restores it",
    "no_action": "corrections cannot create one: submit the conversion to impact.com, or look at the tracking",
    "currency": "corrections cannot change it: look at what the shop's page sends to impact.com",
}
"""What a person can do about an open difference that no plan corrects."""


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
    for kind in sorted({one["kind"] for one in found.totals if one["standing"] == "open" and one["remedy"] != "plan"}):
        out.print(f"{_IN_WORDS[kind].capitalize()}: {_BY_HAND[kind]}.", soft_wrap=True)
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
    out.print(_verdict(found, plans=ask.plans))


def _foremost(lines: Sequence[Mapping[str, Any]]) -> Grid:
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
    money = ", whose commission is not known"
    if one["commission"] is not None:
        money = f" ({one['commission']:+,.2f} {one['currency']} of commission)"
    number = f"{one['differences']:,}"
    match one["change"]:
        case "settled":
            return f"Settled at impact.com since: {number}{money}."
        case "orders changed":
            return (
                f"No longer found, although nothing has changed at impact.com: {number}{money}. "
                "The orders now say otherwise, or are compared in another way."
            )
        case "locked unmended":
            return f"Locked before they were corrected: {number}{money}."
        case _:
            return f"Known from earlier reconciliations: {number}{money}."


def _verdict(found: Found, *, plans: bool) -> str:
    number = found.head["correctable"]
    if not number:
        return "Nothing can be corrected." if found.head["differences"] else "No difference."
    planned = len(found.planned)
    said = f"{number:,} can still be corrected"
    how = "." if plans else ": --plan stores one."
    return f"{said}, {planned:,} of them by a plan{how}" if planned else f"{said}, by hand."


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"

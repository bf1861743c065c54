"""Corrections in tables: old and new side by side, and the money that they move."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from ..console.grid import Grid
from ..console.screen import console, table
from .journal.calls import Call
from .journal.columns import Correction
from .plan.validate import Unusual

MOST = 50
"""Lines shown of a longer list."""
_FEW = 5
"""Unusual amounts shown of more."""


def changes(title: str, calls: list[Call]) -> Grid:
    """Old and new values of the first corrections."""
    columns = ("line", "action", "item", "change", "was", "becomes", "commission", "open until", "reason")
    rows = table(title, *columns, numbers=("line", "commission"), texts=("change",))
    shown = [row for call in calls for row in call.rows]
    for row in shown[:MOST]:
        head = (str(row.line), row.action_id, row.sku or "")
        rest = (_signed(row.commission_moved), _day(row.locking_date), row.reason)
        for what, was, becomes in moves(row):
            rows.add_row(*head, what, was, becomes, *rest)
            head = rest = ("", "", "")
    if len(shown) > MOST:
        rows.caption = f"and {len(shown) - MOST:,} more"
    return rows


def unusual(found: Sequence[Unusual]) -> Grid:
    """The amounts that grow most."""
    amounts = ("was", "becomes", "largest so far")
    rows = table("Unusual", "line", "action", *amounts, "currency", numbers=("line", *amounts))
    for one in found[:_FEW]:
        rows.add_row(str(one.line), one.what, *map(_number, (one.was, one.becomes, one.largest)), one.currency or "")
    if len(found) > _FEW:
        rows.caption = f"and {len(found) - _FEW:,} more"
    return rows


def moves(row: Correction) -> list[tuple[str, str, str]]:
    """What changes: its name, its value before and after."""
    found = []
    if row.kind == "reverse" or row.reverses:
        found.append(("state", row.action_state or "", "REVERSED"))
    elif row.action_state == "REVERSED":
        found.append(("state", "REVERSED", "PENDING"))
    if row.new_amount is not None and row.new_amount != row.old_amount:
        name = "amount" if row.delta is None else f"amount ({_signed(row.delta)})"
        found.append((name, _number(row.old_amount), _number(row.new_amount)))
    found += [
        (name, str(was or ""), str(becomes))
        for name in ("quantity", "category", "customer_status")
        if (becomes := getattr(row, f"new_{name}")) is not None and becomes != (was := getattr(row, f"old_{name}"))
    ]
    return found or [("all changes", "", "undone")]


def money(rows: Iterable[Correction], calls: int) -> str:
    """The commission that moves and that is at stake, in a sentence."""
    moved, touched, unsure = defaultdict(Decimal), defaultdict(Decimal), 0  # type: ignore[var-annotated]
    for row in rows:
        currency = row.currency or ""
        moved[currency] += row.commission_moved or Decimal(0)
        touched[currency] += row.commission_touched or Decimal(0)
        unsure += row.commission_moved is None
    sums = ", ".join(f"{moved[c]:+,.2f} {c} (touching {touched[c]:,.2f})".strip() for c in sorted(moved))
    told = f"{calls:,} calls; commission changes by about {sums} at the actions' current rates"
    return told + (f", not counting {unsure:,} whose effect is unknown." if unsure else ".")


def _number(value: Decimal | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _signed(value: Decimal | None) -> str:
    return "?" if value is None else f"{value:+,.2f}"


def _day(moment: datetime | None) -> str:
    return "unknown" if moment is None else minute(moment)


def minute(moment: datetime) -> str:
    """An instant to the minute, UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def more(number: int, where: str) -> None:
    """Print that there are more rows than shown, and where."""
    if number > 0:
        console().print(f"… and {number:,} more ({where}).")

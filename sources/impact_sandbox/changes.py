"""What a manual change does to the items of an action, for the change feed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from .records import Record, amount

Cause = Literal["tracked", "modified", "reversed", "restored", "approved"]
_MARKS = frozenset({"AdjustmentDate", "AdjustmentReason"})
_TOO_MUCH = Decimal(10) ** 18
_NOTHING = {"Quantity": "0", "SaleAmount": "0", "Payout": "0"}


@dataclass(frozen=True)
class Line:
    """What a change did to one item; `amount` and `payout` are the differences that it made."""

    sku: str
    category: str
    quantity: str
    quantity_was: str
    removed: bool
    changed: bool
    amount: Decimal
    payout: Decimal


def cause_of(old: str | None, new: str, *, edited: bool) -> Cause | None:
    """Return what brings an action from one state to another (None: before it was tracked); None for no change."""
    if old is None:
        return "tracked"
    if "REVERSED" in {old, new} and old != new:
        return "reversed" if new == "REVERSED" else "restored"
    if edited:
        return "modified"
    return "approved" if old != new == "APPROVED" else None


def compare_items(old: Sequence[Record], new: Sequence[Record], cause: Cause) -> list[Line]:
    """Compare an action's items before and after a change; equal Skus are paired in order.

    A modification that changes no item counts as a change of each.
    """
    before, after = dict(_numbered(old)), dict(_numbered(new))
    pairs = [(before.get(key), after.get(key)) for key in {**after, **before}]
    differ = [_content(was) != _content(now) for was, now in pairs]
    every = cause != "modified" or not any(differ)
    return [_line(was, now, changed=every or differs) for (was, now), differs in zip(pairs, differ, strict=True)]


def _numbered(items: Sequence[Record]) -> Iterator[tuple[tuple[str, int], Record]]:
    seen: Counter[str] = Counter()
    for item in items:
        yield (item["Sku"], seen[item["Sku"]]), item
        seen[item["Sku"]] += 1


def _content(item: Record | None) -> Record:
    return {name: value for name, value in (item or {}).items() if name not in _MARKS}


def _line(was: Record | None, now: Record | None, *, changed: bool) -> Line:
    told, old, new = now or was or {}, was or _NOTHING, now or _NOTHING
    return Line(
        told["Sku"],
        told.get("Category", ""),
        new["Quantity"],
        old["Quantity"],
        removed=now is None,
        changed=changed,
        amount=_number(new["SaleAmount"]) - _number(old["SaleAmount"]),
        payout=_number(new["Payout"]) - _number(old["Payout"]),
    )


def _number(text: str) -> Decimal:
    """Read an amount; one that is not a number, or larger than any price, counts as 0."""
    value = amount(text)
    return value if value is not None and value.is_finite() and abs(value) < _TOO_MUCH else Decimal(0)

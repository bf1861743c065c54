"""An action as the API returns it now: is it still what the plan saw, and does it show what was requested? No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from impact_source.api.changes import format_number
from impact_source.rows.diff import REVERSED

from .journal.calls import Call
from .journal.columns import Correction

_CENT = Decimal("0.005")
"""Amounts closer than this are equal: the API rounds to cents."""
_OPEN = ("PENDING", REVERSED, None)


@dataclass(frozen=True)
class Live:
    """An action and its items by Sku, typed as in the warehouse; items are None if they were not requested."""

    action: Mapping[str, Any]
    items: Mapping[str, Mapping[str, Any]] | None = None


def by_sku(items: pa.Table) -> dict[str, dict[str, Any]]:
    """Items by their Sku."""
    return {row["sku"]: row for row in items.to_pylist()}


def changed_since(call: Call, live: Live, now: datetime) -> str | None:
    """Why a call may no longer be sent: its action locked, or is not what the plan saw. None if it may."""
    action, first = live.action, call.first
    lock = action["locking_date"]
    if action["state"] not in _OPEN or action["cleared_date"] is not None:
        return f"its state is now {action['state']}, so it can no longer be changed"
    if lock is not None and lock <= now:
        return f"it locked on {lock:%Y-%m-%d %H:%M} UTC"
    told = [
        _differs("state", first.action_state, action["state"]),
        _differs("amount", first.action_amount, action["amount"]),
        _differs("payout", first.action_payout, action["payout"]),
    ]
    if any(row.new_customer_status for row in call.rows):
        told.append(_differs("customer_status", first.old_customer_status, action["customer_status"]))
    for row in call.items:
        item = (live.items or {}).get(row.sku or "")
        if item is None:
            told.append(f"item {row.sku} is gone")
            continue
        told += [
            _differs(f"amount of {row.sku}", row.old_amount, item["sale_amount"]),
            _differs(f"quantity of {row.sku}", row.old_quantity, item["quantity"]),
            _differs(f"category of {row.sku}", row.old_category, item["category"]),
        ]
    return "; ".join(one for one in told if one) or None


def not_as_asked(call: Call, row: Correction, live: Live) -> str | None:
    """How the action differs from what a correction requested; None if it does not."""
    action = live.action
    reversed_ = action["state"] == REVERSED
    if row.reverses:
        return None if reversed_ else f"its state is {action['state']}, not {REVERSED}"
    if reversed_:
        return f"its state is {REVERSED}"
    wrong = [] if row.sku is not None else list(_action_wrong(call, row, action))
    if row.new_customer_status and action["customer_status"] != row.new_customer_status:
        wrong.append(_instead("customer_status", action["customer_status"], row.new_customer_status))
    if row.sku is not None:
        wrong += _item_wrong(row, (live.items or {}).get(row.sku))
    return "; ".join(wrong) or None


def shows(call: Call, live: Live | None) -> bool:
    """Whether the action shows everything that a call requested."""
    return live is not None and not any(not_as_asked(call, row, live) for row in call.rows)


def tells(call: Call) -> bool:
    """Whether the action can prove a call: what the plan saw must differ from what each of its rows requested."""
    return all(_other(row) for row in call.rows)


def _other(row: Correction) -> bool:
    if row.reverses or row.action_state == REVERSED:
        return bool(row.reverses != (row.action_state == REVERSED))
    amount: bool = row.new_amount is not None and not _same(row.new_amount, row.old_amount)
    names = ("quantity", "category", "customer_status")
    asked = [(getattr(row, f"new_{name}"), getattr(row, f"old_{name}")) for name in names]
    return amount or any(new is not None and new != old for new, old in asked)


def _action_wrong(call: Call, row: Correction, action: Mapping[str, Any]) -> Iterator[str]:
    asked = action["intended_amount"] if call.resets else row.new_amount
    if asked is not None and not _same(asked, action["amount"]):
        yield _instead("amount", action["amount"], asked)


def _item_wrong(row: Correction, item: Mapping[str, Any] | None) -> Iterator[str]:
    if item is None:
        if row.new_quantity != 0:
            yield f"item {row.sku} is gone"
        return
    asked = Decimal(0) if row.new_quantity == 0 else row.new_amount
    if asked is not None and not _same(asked, item["sale_amount"]):
        yield _instead(f"amount of {row.sku}", item["sale_amount"], asked)
    if row.new_quantity is not None and item["quantity"] != row.new_quantity:
        yield _instead(f"quantity of {row.sku}", item["quantity"], row.new_quantity)
    if row.new_category is not None and item["category"] != row.new_category:
        yield _instead(f"category of {row.sku}", item["category"], row.new_category)


def _differs(name: str, before: Any, now: Any) -> str | None:  # noqa: ANN401 - any column
    if before == now:
        return None
    return f"{name} is now {_shown(now)}, was {_shown(before)} when planned"


def _same(one: Decimal | None, other: Decimal | None) -> bool:
    return one == other if one is None or other is None else abs(one - other) <= _CENT


def _instead(name: str, shown: Any, asked: Any) -> str:  # noqa: ANN401 - any column
    return f"{name} is {_shown(shown)} instead of {_shown(asked)}"


def _shown(value: Any) -> str:  # noqa: ANN401 - any column
    return "empty" if value is None else format_number(value) if isinstance(value, Decimal) else str(value)

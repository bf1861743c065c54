"""What a write does when its submission is processed: a change of the action, or codes that say why not.

Codes that begin with SANDBOX_ are in no published list: the API's own codes for these cases are not known.

A write takes effect completely or not at all. Decisions where the documents leave room:

- Every identifier sent must match the action. A write by an order with several actions hits the newest one.
- Nothing changes an action that is approved or past its LockingDate, whenever the write was sent:
  SANDBOX_ACTION_LOCKED.
- An action whose amount becomes 0 is reversed, by Amount or by its items. One that had no amount is not.
- Payouts follow amounts at the rate they had; amounts are rounded to cents; an item below 0 is SANDBOX_INVALID_AMOUNT.
- RESET restores what the action and its items were recorded with, reversed or not.
- If an action lists a Sku twice, the first is meant.
- Each effect counts as one of the action's modifications and has its own deltas, 0 if no amount changes. Nothing
  recognises a repeated write: the same ItemSubTotalDelta twice moves the amount twice.

`Rules` select other readings: of orders with several actions (SANDBOX_ACTION_REF_NOT_UNIQUE), of changes to reversed
actions, of quantities, of updates that change nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .edits import Editor
from .records import Record, amount, cents, spread
from .rules import Rules
from .times import parse_time
from .writes import RESET, ItemChange, Write, value_faults

ZERO = Decimal(0)


@dataclass(frozen=True)
class Outcome:
    """How a submission ended: the codes of its errors, empty for success, and the action as it was found."""

    errors: tuple[str, ...]
    action: Record | None = None


class ImpossibleError(Exception):
    """A write cannot take effect; says the code to report."""


@dataclass(frozen=True)
class _Sums:
    """An action's amount and payout."""

    sold: Decimal
    paid: Decimal


def process(editor: Editor, write: Write) -> Outcome:
    """Carry out a write, or return why it cannot take effect."""
    codes = [fault.code for fault in value_faults(write, editor.rules)]
    found = editor.find(write.action_id, write.tracker_id, write.order_id)
    if not found or (found[1:] and editor.rules.shared_order == "refused"):
        codes.append("SANDBOX_ACTION_REF_NOT_UNIQUE" if found else "ACTION_REF_NOT_FOUND")
        return Outcome(tuple(dict.fromkeys(codes)))
    action, items = editor.look(found[0])
    codes += _obstacles(editor, write, action, items)
    if not codes:
        try:
            _carry_out(editor, write, action, items)
        except ImpossibleError as impossible:
            codes.append(str(impossible))
    return Outcome(tuple(dict.fromkeys(codes)), action)


def _obstacles(editor: Editor, write: Write, action: Record, items: Sequence[Record]) -> Iterator[str]:
    lock = parse_time(action["LockingDate"])
    if action["State"] == "APPROVED" or (lock and lock <= editor.now):
        yield "SANDBOX_ACTION_LOCKED"
    if editor.memory.modifications[action["Id"]] >= editor.rules.most_modifications:
        yield "SANDBOX_MODIFICATION_LIMIT_REACHED"
    if action["State"] == "REVERSED" and not write.resets:
        again = write.kind == "Reversal" and editor.rules.second_reversal == "nothing"
        revives = write.kind == "Modification" and editor.rules.reversed_takes_updates
        if not (again or revives):
            yield "SANDBOX_ACTION_REVERSED"
    if {change.sku for change in write.items} - {item["Sku"] for item in items}:
        yield "SANDBOX_SKU_NOT_FOUND"


def _carry_out(editor: Editor, write: Write, action: Record, items: list[Record]) -> None:
    if write.kind == "Reversal":
        if action["State"] == "REVERSED":
            return
        editor.reverse(action["Id"], touches=editor.rules.reversal_touches, reason=write.reason)
    elif not (_reset(editor, action, items) if write.resets else _update(editor, write, action, items)):
        return
    editor.memory.modifications[action["Id"]] += 1


def _reset(editor: Editor, action: Record, items: list[Record]) -> bool:
    """Restore what an action was recorded with; return whether that counts as a modification."""
    first, recorded = editor.original(action["Id"])
    regained = {name: first[name] for name in ("Amount", "Payout", "ClientCost", "CustomerStatus")}
    regained["State"] = "PENDING"
    marks = editor.adjusted(RESET)
    marked = [{**item, **marks} for item in recorded]
    same = regained.items() <= action.items() and marked == [{**item, **marks} for item in items]
    if same and not editor.rules.unchanged_touches:
        return False
    touches = action["State"] != "REVERSED" or editor.rules.reversal_touches
    editor.rewrite(action["Id"], regained, marked, RESET, touches=touches)
    return True


def _update(editor: Editor, write: Write, action: Record, items: list[Record]) -> bool:
    """Set the values of an update; return whether that counts as a modification."""
    old = _sums(action, "Amount")
    new, changed = _new_items(editor, write, action, items)
    if write.amount is not None:
        new = _at_rate(Decimal(cents(Decimal(write.amount))), new, action)
        changed = spread(changed, cents(new.sold), cents(new.paid), editor.adjusted(write.reason))
    fields = {} if write.customer_status is None else {"CustomerStatus": write.customer_status}
    if new.sold == ZERO != old.sold:
        if fields:
            editor.rewrite(action["Id"], fields, None, write.reason)
        editor.reverse(action["Id"], touches=editor.rules.reversal_touches, reason=write.reason)
        return True
    if new.sold and action["State"] == "REVERSED":
        fields["State"] = "PENDING"
    if not editor.rules.unchanged_touches and new == old and changed == items and fields.items() <= action.items():
        return False
    fields |= {"Amount": _shown(action["Amount"], new.sold), "Payout": _shown(action["Payout"], new.paid)}
    editor.rewrite(action["Id"], fields, changed if changed != items else None, write.reason)
    return True


def _new_items(editor: Editor, write: Write, action: Record, items: list[Record]) -> tuple[_Sums, list[Record]]:
    """Return the items after an update, and the action's amounts with their differences added."""
    old = _sums(action, "Amount")
    changes = {change.sku: change for change in write.items}
    changed: list[Record] = []
    for item in items:
        change = changes.pop(item["Sku"], None)
        if change is None:
            changed.append(item)
        elif not (_quantity(change.quantity) == 0 and editor.rules.zero_quantity == "removes"):
            updated = _new_item(item, change, action, editor.rules)
            changed.append({**updated, **editor.adjusted(write.reason)} if updated != item else item)
    moved = _Sums(*(_total(changed, name) - _total(items, name) for name in ("SaleAmount", "Payout")))
    return _Sums(old.sold + moved.sold, old.paid + moved.paid), changed


def _new_item(item: Record, change: ItemChange, action: Record, rules: Rules) -> Record:
    old, had, has = _sums(item, "SaleAmount"), _quantity(item["Quantity"]), _quantity(change.quantity)
    sold = old.sold
    if has == 0:
        sold = ZERO
    elif change.amount is not None:
        sold = Decimal(change.amount)
    elif change.delta is not None:
        sold += Decimal(change.delta)
    elif has is not None and had and rules.quantity_scales_amount:
        sold = sold * has / had
    if sold < 0:
        raise ImpossibleError("SANDBOX_INVALID_AMOUNT")  # noqa: EM101 - a code
    new = _at_rate(Decimal(cents(sold)), old, action) if sold != old.sold else old
    fields = {"SaleAmount": _shown(item["SaleAmount"], new.sold), "Payout": _shown(item["Payout"], new.paid)}
    if has is not None:
        fields["Quantity"] = str(has)
    if change.category is not None:
        fields["Category"] = change.category
    return {**item, **fields}


def _at_rate(sold: Decimal, old: _Sums, action: Record) -> _Sums:
    """Return a new amount with its payout: at the rate of the old one, or the action's intended rate if that was 0."""
    base = old if old.sold else _sums(action, "IntendedAmount", "IntendedPayout")
    return _Sums(sold, Decimal(cents(base.paid * sold / base.sold)) if base.sold else old.paid)


def _sums(record: Record, sold: str, paid: str = "Payout") -> _Sums:
    return _Sums(amount(record.get(sold)) or ZERO, amount(record.get(paid)) or ZERO)


def _total(items: Sequence[Record], name: str) -> Decimal:
    return sum((amount(item[name]) or ZERO for item in items), ZERO)


def _quantity(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _shown(old: str, new: Decimal) -> str:
    """Write an amount; an unchanged one stays as it was shown."""
    return old if (amount(old) or ZERO) == new else cents(new)

"""What a write requests: the form of a PUT or DELETE to `/Actions`, read and checked.

A form that is not a valid request is refused at once, with a 400 that names the fields: a parameter that is unknown,
sent twice or in the URL; neither ActionId nor ActionTrackerId with OrderId; no Reason (PUT) or DispositionCode
(DELETE); item parameters without their Sku, Skus out of sequence or sent twice; Amount and ItemSubTotalDelta for one
item; new values beside RESET. A body that is not form-encoded is a 415.

Whatever depends on the action or the account's settings is left to the submission, and so are values: codes that are
not configured, text that is not a number, a Category that is too long. With `Rules.values_checked`, values are checked
at once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .answers import Refusal
from .query import read_parameters, refuse_unknown
from .rules import Rules

REASONS = (
    *("ORDER_UPDATE", "ITEM_RETURNED", "CONS_FRAUD", "CONS_ERROR", "ORDER_ERROR", "PUB_ACT_DISPUTE"),
    *("ADV_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS", "ITEM_OUT_OF_STOCK", "TEST_ACTION", "PARTNER_NOT_ACTIVE"),
    *("CREDITED_DIFFERENT_MP", "OTHER"),
)
RESET = "RESET"
DISPOSITION_CODES = (
    *("REJECTED", "CONS_INFO_INVALID", "CONS_ERROR", "CONS_FRAUD", "ITEM_RETURNED", "ITEM_OUT_OF_STOCK"),
    *("ORDER_ERROR", "PUB_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS", "MP_RETURNED", "OTHER", "CREDITED_DIFFERENT_MP"),
    *("ADV_ACT_DISPUTE", "TEST_ACTION"),
)
LONGEST_CATEGORY = 255
FORM = "application/x-www-form-urlencoded"

_IDENTIFIERS = frozenset({"ActionId", "ActionTrackerId", "OrderId"})
_ITEM_NAMES = ("Quantity", "Category", "Amount", "ItemSubTotalDelta")
_VALUES = frozenset({"Amount", "CustomerStatus"})
_INDEXED = re.compile(rf"(Sku|{'|'.join(_ITEM_NAMES)})([2-9]|[1-9][0-9]+)?")
_MONEY = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_DELTA = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?")
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class ItemChange:
    """The changes requested for one item, as sent; `suffix` is its number in the form, empty for the first."""

    suffix: str
    sku: str
    quantity: str | None = None
    category: str | None = None
    amount: str | None = None
    delta: str | None = None


@dataclass(frozen=True)
class Write:
    """A change of one action that was accepted for processing; its values are as sent, not yet checked."""

    kind: Literal["Modification", "Reversal"]
    payload: str
    reason: str
    action_id: str | None = None
    tracker_id: str | None = None
    order_id: str | None = None
    disposition_code: str | None = None
    amount: str | None = None
    customer_status: str | None = None
    items: tuple[ItemChange, ...] = ()

    @property
    def resets(self) -> bool:
        """Whether it undoes earlier changes."""
        return self.kind == "Modification" and self.reason == RESET


@dataclass(frozen=True)
class Fault:
    """An invalid value: the code that a submission reports, and the parameter."""

    code: str
    field: str


def read_write(method: str, body: str, content_type: str, rules: Rules) -> Write:
    """Read the form of a PUT or a DELETE. Raises `Refusal` for one that is refused at once."""
    if (body or content_type) and content_type.partition(";")[0].strip().lower() != FORM:
        raise Refusal(415, f"The body must be {FORM}", "Content-Type")
    form = read_parameters(body)
    write = _read_update(form, rules) if method == "PUT" else _read_reversal(form)
    write = replace(write, payload=body)
    if rules.values_checked == "at_once" and (faults := list(value_faults(write, rules))):
        fields = dict.fromkeys(fault.field for fault in faults)
        raise Refusal(400, f"Parameters have invalid values: {', '.join(fields)}", *fields)
    return write


def value_faults(write: Write, rules: Rules) -> Iterator[Fault]:
    """Return what is wrong with the values of a write, as far as that shows without its action."""
    if write.kind == "Reversal":
        if write.reason not in {*DISPOSITION_CODES, *rules.custom_codes}:
            yield Fault("SANDBOX_INVALID_DISPOSITION_CODE", "DispositionCode")
    else:
        codes = {*REASONS, *rules.custom_codes}
        if not write.resets and write.reason not in codes:
            yield Fault("SANDBOX_INVALID_REASON", "Reason")
        if write.disposition_code is not None and write.disposition_code not in codes:
            yield Fault("SANDBOX_INVALID_DISPOSITION_CODE", "DispositionCode")
    if write.customer_status is not None and write.customer_status not in rules.customer_statuses:
        yield Fault("SANDBOX_INVALID_CUSTOMER_STATUS", "CustomerStatus")
    yield from _malformed(write)


def _malformed(write: Write) -> Iterator[Fault]:
    checked = [("ActionTrackerId", write.tracker_id, _WHOLE), ("Amount", write.amount, _MONEY)]
    for item in write.items:
        checked += [
            (f"Quantity{item.suffix}", item.quantity, _WHOLE),
            (f"Amount{item.suffix}", item.amount, _MONEY),
            (f"ItemSubTotalDelta{item.suffix}", item.delta, _DELTA),
        ]
        if item.category is not None and len(item.category) > LONGEST_CATEGORY:
            yield Fault("MALFORMED", f"Category{item.suffix}")
    for field, value, pattern in checked:
        if value is not None and not pattern.fullmatch(value):
            yield Fault("MALFORMED", field)


def _read_update(form: Mapping[str, str], rules: Rules) -> Write:
    indexed = {name for name in form if _INDEXED.fullmatch(name)}
    refuse_unknown(form, _IDENTIFIERS | _VALUES | {"Reason", "DispositionCode"} | indexed)
    _require_identifiers(form)
    _require(form, "Reason")
    items = _read_items(form, rules)
    values = sorted(form.keys() - _IDENTIFIERS - {"Reason", "DispositionCode"})
    if form["Reason"] == RESET and values:
        raise Refusal(400, f"{RESET} takes no new values", *values)
    return Write(
        "Modification",
        "",
        form["Reason"],
        *_identifiers(form),
        disposition_code=form.get("DispositionCode"),
        amount=None if items and rules.amount_beside_sku == "item" else form.get("Amount"),
        customer_status=form.get("CustomerStatus"),
        items=items,
    )


def _read_reversal(form: Mapping[str, str]) -> Write:
    refuse_unknown(form, _IDENTIFIERS | {"DispositionCode"})
    _require_identifiers(form)
    _require(form, "DispositionCode")
    return Write("Reversal", "", form["DispositionCode"], *_identifiers(form))


def _read_items(form: Mapping[str, str], rules: Rules) -> tuple[ItemChange, ...]:
    """Read the changes requested for items: `Sku`, `Sku2`, `Sku3` and so on, each with its own parameters."""
    suffixes = {match[2] or "" for name in form if (match := _INDEXED.fullmatch(name)) and name != "Amount"}
    items: list[ItemChange] = []
    for place, suffix in enumerate(sorted(suffixes, key=lambda suffix: int(suffix or 1)), start=1):
        if suffix != (str(place) if place > 1 else ""):
            missing = f"Sku{place if place > 1 else ''}"
            raise Refusal(400, f"Items must be numbered in sequence: {missing} is missing", missing)
        _require(form, f"Sku{suffix}")
        items.append(_read_item(form, suffix, rules))
        if items[-1].sku in {item.sku for item in items[:-1]}:
            raise Refusal(400, "A Sku was sent more than once", f"Sku{suffix}")
    return tuple(items)


def _read_item(form: Mapping[str, str], suffix: str, rules: Rules) -> ItemChange:
    quantity, category, amount, delta = (form.get(name + suffix) for name in _ITEM_NAMES)
    if not suffix and rules.amount_beside_sku == "order":
        amount = None
    if amount is not None and delta is not None:
        raise Refusal(400, "Amount and ItemSubTotalDelta exclude each other", f"ItemSubTotalDelta{suffix}")
    return ItemChange(suffix, form[f"Sku{suffix}"], quantity, category, amount, delta)


def _require_identifiers(form: Mapping[str, str]) -> None:
    if form.get("ActionId"):
        return
    pair = ("ActionTrackerId", "OrderId")
    missing = [name for name in pair if not form.get(name)]
    if missing:
        fields = missing if len(missing) == 1 else ["ActionId"]
        raise Refusal(400, "Either ActionId or ActionTrackerId and OrderId are required", *fields)


def _require(form: Mapping[str, str], name: str) -> None:
    if not form.get(name):
        raise Refusal(400, f"{name} is required", name)


def _identifiers(form: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    return form.get("ActionId") or None, form.get("ActionTrackerId") or None, form.get("OrderId") or None

"""What may be written to an action, updates and reversals, and the form they are sent as. No I/O.

The API has no idempotency key. `Amount`, `Quantity`, `Category` and `CustomerStatus` set values, so the same update
twice does no more than once; `ItemSubTotalDelta` is relative, and twice moves the money twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final, Self, TypeAlias
from urllib.parse import urlencode

from typing_extensions import override

REASONS: Final = (  # reference: the default reason codes of an update
    *("ORDER_UPDATE", "ITEM_RETURNED", "CONS_FRAUD", "CONS_ERROR", "ORDER_ERROR", "PUB_ACT_DISPUTE"),
    *("ADV_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS", "ITEM_OUT_OF_STOCK", "TEST_ACTION", "PARTNER_NOT_ACTIVE"),
    *("CREDITED_DIFFERENT_MP", "OTHER"),
)
RESET: Final = "RESET"  # observed: the reason that undoes earlier changes, a reversal included
DISPOSITION_CODES: Final = (  # reference: the reasons of a reversal
    *("REJECTED", "CONS_INFO_INVALID", "CONS_ERROR", "CONS_FRAUD", "ITEM_RETURNED", "ITEM_OUT_OF_STOCK"),
    *("ORDER_ERROR", "PUB_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS", "MP_RETURNED", "OTHER", "CREDITED_DIFFERENT_MP"),
    *("ADV_ACT_DISPUTE", "TEST_ACTION"),
)
MODIFICATIONS_MAX: Final = 1_000  # reference: the most modifications of an action
CATEGORY_MAX: Final = 255  # reference: characters

FORM: Final = "application/x-www-form-urlencoded"
"""The body of a change."""


@dataclass(frozen=True)
class Target:
    """The action to change: by its id, or by event type and order id, which must match one action alone."""

    action_id: str = ""
    action_tracker_id: str = ""
    order_id: str = ""

    def __post_init__(self) -> None:
        """Refuse what identifies no action: better here than by a request that counts against the limit."""
        if not self.action_id and not (self.action_tracker_id and self.order_id):
            msg = "a change needs an action_id, or an action_tracker_id and an order_id"
            raise ValueError(msg)

    def form(self) -> dict[str, str]:
        """Its parameters."""
        named = {"ActionId": self.action_id, "ActionTrackerId": self.action_tracker_id, "OrderId": self.order_id}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class ItemChange:
    """What to set on one item; None leaves a value. `amount` is absolute, `delta` is added: not both."""

    sku: str
    quantity: int | None = None
    category: str | None = None
    amount: Decimal | None = None
    delta: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what the API does not define."""
        if self.amount is not None and self.delta is not None:
            msg = f"item {self.sku}: amount sets, delta adds; give one of them"
            raise ValueError(msg)

    def form(self, number: int) -> Iterator[tuple[str, str]]:
        """Its parameters, for item `number` (from 1) of an update."""
        suffix = "" if number == 1 else str(number)
        yield f"Sku{suffix}", self.sku
        if self.quantity is not None:
            yield f"Quantity{suffix}", str(self.quantity)
        if self.category is not None:
            yield f"Category{suffix}", self.category
        if self.amount is not None:
            yield f"Amount{suffix}", format_number(self.amount)
        if self.delta is not None:
            yield f"ItemSubTotalDelta{suffix}", format_number(self.delta)


@dataclass(frozen=True)
class Update:
    """Sets values of an action or of its items. `amount` is the order's new total, in the action's currency."""

    target: Target
    reason: str
    amount: Decimal | None = None
    customer_status: str | None = None
    items: tuple[ItemChange, ...] = ()
    disposition_code: str | None = None

    method: ClassVar = "PUT"

    def __post_init__(self) -> None:
        """Refuse an `Amount` that could mean the order's or the first item's."""
        if self.amount is not None and self.items:
            msg = "an update sets the amount of the order or of its items, not of both"
            raise ValueError(msg)

    def form(self) -> dict[str, str]:
        """The parameters as they are sent."""
        form = self.target.form() | {"Reason": self.reason}
        if self.disposition_code is not None:
            form["DispositionCode"] = self.disposition_code
        if self.amount is not None:
            form["Amount"] = format_number(self.amount)
        if self.customer_status is not None:
            form["CustomerStatus"] = self.customer_status
        for number, item in enumerate(self.items, start=1):
            form |= dict(item.form(number))
        return form


@dataclass(frozen=True)
class Reversal:
    """Takes an action back: its partner is not paid."""

    target: Target
    disposition_code: str

    method: ClassVar = "DELETE"

    def form(self) -> dict[str, str]:
        """The parameters as they are sent."""
        return self.target.form() | {"DispositionCode": self.disposition_code}


Write: TypeAlias = Update | Reversal


@dataclass(frozen=True)
class Request:
    """A change exactly as sent: its method, and the form that is its body. As text, `PUT ActionId=…&Reason=…`."""

    method: str
    form: str

    @classmethod
    def of(cls, write: Write) -> Self:
        """The request that a change is sent as."""
        return cls(write.method, urlencode(write.form()))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a request from its text."""
        method, _, form = text.partition(" ")
        return cls(method, form)

    @override
    def __str__(self) -> str:
        """Method and form."""
        return f"{self.method} {self.form}"


def format_number(number: Decimal) -> str:
    """A number without exponent or trailing zeros: `12.5`, `-3`, `100`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

"""What may be written to an action: updates and reversals as the form they are sent as, and what is answered. No I/O.

The API has no idempotency key. `Amount`, `Quantity`, `Category` and `CustomerStatus` set values, so that the same
update twice does no more than once; `ItemSubTotalDelta` is relative, and moves the money twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final, Self, TypeAlias
from urllib.parse import unquote, urlencode, urlsplit

import msgspec
from typing_extensions import override

from ..errors import (
    InvalidAnswer,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ScopeError,
    TransientError,
    WindowTooFull,
)
from ..settings import parse_start
from . import protocol
from .protocol import Body

REASONS: Final = (  # reference: the default reason codes of an update
    *("ORDER_UPDATE", "ITEM_RETURNED", "CONS_FRAUD", "CONS_ERROR", "ORDER_ERROR", "PUB_ACT_DISPUTE"),
    *("ADV_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS", "ITEM_OUT_OF_STOCK", "TEST_ACTION", "PARTNER_NOT_ACTIVE"),
    *("CREDITED_DIFFERENT_MP", "OTHER"),
)
RESET: Final = "RESET"  # observed: the reason that undoes earlier changes, a reversal included
DISPOSITION_CODES: Final = (  # reference: what a reversal may be explained with
    *("REJECTED", "CONS_INFO_INVALID", "CONS_ERROR", "CONS_FRAUD", "ITEM_RETURNED", "ITEM_OUT_OF_STOCK"),
    *("ORDER_ERROR", "PUB_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS", "MP_RETURNED", "OTHER", "CREDITED_DIFFERENT_MP"),
    *("ADV_ACT_DISPUTE", "TEST_ACTION"),
)
MODIFICATIONS_MAX: Final = 1_000  # reference: an action takes no more
CATEGORY_MAX: Final = 255  # reference: characters

FORM: Final = "application/x-www-form-urlencoded"
"""What the body of a change is."""
_LIST: Final = "APISubmissions"
_NO_ERROR: Final = frozenset({"", "none", "null"})
"""How an API says that there was no error, beside saying nothing."""
_SUCCESS = range(200, 300)
_ERRORS_FROM = 400


@dataclass(frozen=True)
class Target:
    """The action that is meant: by its id, or by event type and order id, which must name one action alone."""

    action_id: str = ""
    action_tracker_id: str = ""
    order_id: str = ""

    def __post_init__(self) -> None:
        """Refuse what names no action: better here than by a request that counts."""
        if not self.action_id and not (self.action_tracker_id and self.order_id):
            msg = "a change needs an action_id, or an action_tracker_id and an order_id"
            raise ValueError(msg)

    def form(self) -> dict[str, str]:
        """Its parameters."""
        named = {"ActionId": self.action_id, "ActionTrackerId": self.action_tracker_id, "OrderId": self.order_id}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class ItemChange:
    """What is set of one item; None leaves it. `amount` is absolute, `delta` is added: one of them at the most."""

    sku: str
    quantity: int | None = None
    category: str | None = None
    amount: Decimal | None = None
    delta: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what the API has no answer for."""
        if self.amount is not None and self.delta is not None:
            msg = f"item {self.sku}: amount sets, delta adds; give one of them"
            raise ValueError(msg)

    def form(self, number: int) -> Iterator[tuple[str, str]]:
        """Its parameters, as those of item `number` (from 1) of an update."""
        suffix = "" if number == 1 else str(number)
        yield f"Sku{suffix}", self.sku
        if self.quantity is not None:
            yield f"Quantity{suffix}", str(self.quantity)
        if self.category is not None:
            yield f"Category{suffix}", self.category
        if self.amount is not None:
            yield f"Amount{suffix}", plain(self.amount)
        if self.delta is not None:
            yield f"ItemSubTotalDelta{suffix}", plain(self.delta)


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
        """Refuse an `Amount` that could be the order's or the first item's."""
        if self.amount is not None and self.items:
            msg = "an update sets the amount of the order or of its items, not of both"
            raise ValueError(msg)

    def form(self) -> dict[str, str]:
        """The parameters as they are sent."""
        form = self.target.form() | {"Reason": self.reason}
        if self.disposition_code is not None:
            form["DispositionCode"] = self.disposition_code
        if self.amount is not None:
            form["Amount"] = plain(self.amount)
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
    """A change exactly as it leaves: its method, and the form that is its body. As text, `PUT ActionId=…&Reason=…`."""

    method: str
    form: str

    @classmethod
    def of(cls, write: Write) -> Self:
        """The request that a change is sent as."""
        return cls(write.method, urlencode(write.form()))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The request that a text stands for."""
        method, _, form = text.partition(" ")
        return cls(method, form)

    @override
    def __str__(self) -> str:
        """Method and form."""
        return f"{self.method} {self.form}"


@dataclass(frozen=True)
class Queued:
    """A change that was accepted for processing: `batch_id` is what its submission is asked for by."""

    batch_id: str
    status: int = protocol.HTTP_OK
    """Of the answer."""


class Submission(msgspec.Struct, frozen=True, rename="pascal"):
    """What the API says of a change that was accepted; every value as sent, `''` for none."""

    batch_id: str
    status: str = ""
    type: str = ""
    payload: str = ""
    submission_date: str = ""
    completion_date: str = ""
    error_type: str = ""
    error_reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether it has been processed."""
        return self.status.replace(" ", "").lower() == "complete"

    @property
    def errors(self) -> tuple[str, ...]:
        """The codes of what kept it from taking effect; none if nothing did, which some say with the word NONE."""
        codes = tuple(word for word in self.error_reason.split() if word.lower() not in _NO_ERROR)
        kind = self.error_type.strip()
        return codes or (() if kind.lower() in _NO_ERROR else (kind,))

    @property
    def submitted(self) -> datetime | None:
        """When it was accepted, UTC; None where that cannot be read."""
        try:
            return parse_start(self.submission_date)
        except ValueError:
            return None


def plain(number: Decimal) -> str:
    """A number without exponent and without zeros that say nothing: `12.5`, `-3`, `100`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_queued(status: int, headers: Mapping[str, str], body: Body) -> Queued:
    """What a change was answered with.

    Raises `OutcomeUnknown` where it may have been accepted all the same: a 5xx, a redirect, a 200 that is no answer.
    All else says that it was not: `RequestRefused`, `NotFound`, `CredentialsError`, `ScopeError`, `RateLimited`.
    """
    if status in _SUCCESS:
        try:
            queued = msgspec.json.decode(body, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError) as error:
            msg = f"the answer to the change is none ({error}): it begins with {bytes(body[:40])!r}"
            raise OutcomeUnknown(msg, status) from None
        uri = queued.get("QueuedUri")
        if not isinstance(uri, str) or not (batch_id := _batch_id(uri)):
            msg = f"the answer to the change names no submission: {bytes(body[:200])!r}"
            raise OutcomeUnknown(msg, status)
        return Queued(batch_id, status)
    if status < _ERRORS_FROM:
        msg = f"the API answers the change with a redirect ({status}), which is not followed"
        raise OutcomeUnknown(msg, status)
    try:
        protocol.raise_for_status(status, headers, body)
    except RateLimited:
        raise
    except TransientError as error:
        raise OutcomeUnknown(str(error), status) from None
    except ScopeError as error:
        msg = str(error).replace("may not read this", "may not change actions")
        raise ScopeError(msg) from None
    except WindowTooFull as error:  # what a 400 without fields means to a list
        raise RequestRefused(str(error).replace("the window", "the change")) from None
    msg = f"the API answers the change with {status}"
    raise OutcomeUnknown(msg, status)


def _batch_id(uri: str) -> str:
    """The submission that a link leads to, whatever the link is written like; empty if it leads to none."""
    try:
        path = urlsplit(uri.strip()).path
    except ValueError:
        return ""
    last = unquote(path.rstrip("/").rpartition("/")[2].removesuffix(".json"))
    return "" if last == _LIST else last


def read_submission(batch_id: str, status: int, headers: Mapping[str, str], body: Body) -> Submission:
    """One submission. Raises as `protocol.read_object` does."""
    return _submission(protocol.read_object(status, headers, body, BatchId=batch_id))


def read_submissions(records: memoryview) -> list[Submission]:
    """The submissions of a page of their list."""
    return [_submission(bytes(raw)) for raw in msgspec.json.decode(records, type=list[msgspec.Raw])]


def _submission(raw: bytes) -> Submission:
    try:
        fields = msgspec.json.decode(raw, type=dict[str, object])
        told = {name: "" if value is None else str(value) for name, value in fields.items()}
        return msgspec.convert(told, Submission)
    except (msgspec.MsgspecError, RecursionError) as error:
        msg = f"the submission cannot be read: {error}"
        raise InvalidAnswer(msg) from None

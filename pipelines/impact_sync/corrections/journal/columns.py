"""A row of the journal: each column once, with its type and meaning; and the statuses of a correction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_type_hints

from ...warehouse.own_tables import COUNT, FLAG, MONEY, TEXT, TIME, Field

TABLE: Final = "corrections"


class Status(StrEnum):
    """The status of a correction."""

    PLANNED = "planned"
    """Nothing was sent."""
    SENDING = "sending"
    """Claimed by an `apply`: it may be on its way."""
    ACCEPTED = "accepted"
    """Queued by the API for processing."""
    UNKNOWN = "unknown"
    """Sent, but it is not known yet whether it took effect."""
    RETURNED = "returned"
    """Rejected for lack of scope, credentials or requests: no effect; a person may have it sent again."""
    CONFIRMED = "confirmed"
    """Processed, and the action shows what was requested."""
    REFUSED = "refused"
    """Not carried out; the outcome says why."""
    DIVERGED = "diverged"
    """Processed, and the action shows something else."""
    LEFT_OUT = "left out"
    """Not sent: the action was no longer what the plan saw."""


LEFT: Final = (Status.PLANNED, Status.SENDING, Status.ACCEPTED)
"""Statuses that leave work for an `apply`."""
WAITING: Final = (Status.UNKNOWN, Status.RETURNED)
"""Statuses that wait for a person's decision, unless the action itself settles it."""
UNSETTLED: Final = (Status.SENDING, Status.ACCEPTED, Status.UNKNOWN)
"""Statuses that may still take effect: until then no other change of the action is planned."""
NOT_DONE: Final = (Status.REFUSED, Status.DIVERGED, Status.LEFT_OUT)
"""Final statuses in which a correction is not as requested."""
NEVER_LEFT: Final = (Status.PLANNED, Status.LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One row of the journal, which is one line of a plan: what was planned, sent and answered."""

    correction_id: Annotated[str, "The correction: the plan and the line; the key of this table"]
    plan_id: Annotated[str, "The plan that it belongs to"]
    call_id: Annotated[str, "The one request that sends it; lines of one action share it"]
    line: Annotated[int, "Line of the file that requested it, or row of the query"]
    source: Annotated[str, "The file, or the query"]
    note: Annotated[str | None, "Why, in the words of the person who requested it"] = None
    actor: Annotated[str, "Who planned it: the setting sources.impact.actor"]
    action_id: Annotated[str, "The action; joins actions.id"]
    campaign_id: Annotated[str, "The action's campaign"]
    currency: Annotated[str | None, "Currency of all money in the row"] = None
    kind: Annotated[str, "update (values are set or moved) or reverse (the action is taken back)"]
    reason: Annotated[str, "Reason code of an update, disposition code of a reversal"]
    disposition_code: Annotated[str | None, "Disposition code sent with an update's reason"] = None
    sku: Annotated[str | None, "The item; NULL if the action itself is meant"] = None
    relative: Annotated[bool, "Whether its request changes an amount by a difference: it must never be sent twice"]
    reverses: Annotated[bool, "Whether the action ends reversed: by request, or because its amount becomes 0"]
    old_amount: Annotated[Decimal | None, "Amount of the action or item that the plan saw"] = None
    new_amount: Annotated[Decimal | None, "Amount that it should have afterwards; NULL if none is requested"] = None
    delta: Annotated[Decimal | None, "The requested difference, if it is one"] = None
    old_quantity: Annotated[int | None, "The item's quantity that the plan saw"] = None
    new_quantity: Annotated[int | None, "The requested quantity"] = None
    old_category: Annotated[str | None, "The item's category that the plan saw"] = None
    new_category: Annotated[str | None, "The requested category"] = None
    old_customer_status: Annotated[str | None, "The customer status that the plan saw"] = None
    new_customer_status: Annotated[str | None, "The requested customer status"] = None
    action_state: Annotated[str | None, "State of the action that the plan saw"] = None
    action_amount: Annotated[Decimal | None, "Amount of the action that the plan saw"] = None
    action_payout: Annotated[Decimal | None, "Commission of the action that the plan saw"] = None
    locking_date: Annotated[datetime | None, "When the action locks, as the plan saw it: too late from then on"] = None
    commission_moved: Annotated[
        Decimal | None, "By how much the commission should change, at its old rate; negative if it falls"
    ] = None
    commission_touched: Annotated[
        Decimal | None, "How much commission is at stake: the change, or all of it if that is not known"
    ] = None
    request: Annotated[str, "Method and form of the request, exactly as sent"]
    status: Annotated[str, "planned, sending, accepted, unknown, returned, confirmed, refused, diverged or left out"]
    outcome: Annotated[str | None, "What became of it, in words"] = None
    planned_at: Annotated[datetime, "When it was planned"]
    claim: Annotated[str | None, "The apply that claimed it for sending: an id, its host and its process"] = None
    claimed_at: Annotated[datetime | None, "When it was claimed, immediately before it was sent"] = None
    http_status: Annotated[int | None, "Status of the API's answer; NULL if none came"] = None
    answer: Annotated[str | None, "What the API answered, or what went wrong on the way"] = None
    answered_at: Annotated[datetime | None, "When the answer came, or was given up on"] = None
    batch_id: Annotated[str | None, "The API's id of the submission, for looking up its outcome"] = None
    processed_at: Annotated[datetime | None, "When the API was seen to have processed it without an error"] = None
    searched_at: Annotated[
        datetime | None, "When the list of submissions was searched for a request whose answer was lost"
    ] = None
    settled_at: Annotated[datetime | None, "When the outcome was known"] = None
    settled_by: Annotated[str | None, "The person who settled or released it, if the API did not"] = None


def _field(name: str, hint: Any) -> Field:  # noqa: ANN401 - a type is any object
    type_, description = get_args(hint)
    kind = next(kind for kind in (get_args(type_) or (type_,)) if kind is not NoneType)
    return Field(name, _TYPES[kind], description)


_TYPES = {str: TEXT, Decimal: MONEY, int: COUNT, datetime: TIME, bool: FLAG}
COLUMNS: Final = tuple(_field(*one) for one in get_type_hints(Correction, include_extras=True).items())
NAMES: Final = tuple(column.name for column in COLUMNS)

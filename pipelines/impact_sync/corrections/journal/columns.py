"""A row of the journal: each column once, with its type and what it means; and where a correction stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_type_hints

TABLE: Final = "corrections"
TEXT, MONEY, COUNT, TIME, FLAG = "text", "decimal(20, 8)", "bigint", "timestamptz", "boolean"


class Status(StrEnum):
    """Where a correction stands."""

    PLANNED = "planned"
    """Nothing was sent."""
    SENDING = "sending"
    """Claimed by an `apply`: it may be on its way."""
    ACCEPTED = "accepted"
    """Queued by the API for processing."""
    UNKNOWN = "unknown"
    """It left, and whether it took effect is not known yet."""
    RETURNED = "returned"
    """Rejected for lack of scope, credentials or requests: without effect; a person may have it sent again."""
    CONFIRMED = "confirmed"
    """Processed, and the action shows what was asked."""
    REFUSED = "refused"
    """Not carried out; the outcome says why."""
    DIVERGED = "diverged"
    """Processed, and the action shows something else."""
    LEFT_OUT = "left out"
    """Not sent: the action was no longer what the plan saw."""


LEFT: Final = (Status.PLANNED, Status.SENDING, Status.ACCEPTED)
"""What an `apply` still has work with."""
WAITING: Final = (Status.UNKNOWN, Status.RETURNED)
"""What waits for a person's decision, unless the action itself settles it."""
UNSETTLED: Final = (Status.SENDING, Status.ACCEPTED, Status.UNKNOWN)
"""What may take effect yet: no other change of the action is planned meanwhile."""
NOT_DONE: Final = (Status.REFUSED, Status.DIVERGED, Status.LEFT_OUT)
"""How a correction ends that is not as it was asked for."""
NEVER_LEFT: Final = (Status.PLANNED, Status.LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One row of the journal, which is one line of a plan: what was planned, sent and answered."""

    correction_id: Annotated[str, "The correction: the plan and the line; the key of this table"]
    plan_id: Annotated[str, "The plan that it is part of"]
    call_id: Annotated[str, "The one request that it leaves with; lines of one action share it"]
    line: Annotated[int, "Line of the file that asked for it, or row of the query"]
    source: Annotated[str, "The file, or the query"]
    note: Annotated[str | None, "Why, in the words of whoever asked"] = None
    actor: Annotated[str, "Who planned it: the setting sources.impact.actor"]
    action_id: Annotated[str, "The action; joins actions.id"]
    campaign_id: Annotated[str, "The action's campaign"]
    currency: Annotated[str | None, "Currency of all money in the row"] = None
    kind: Annotated[str, "update (values are set or moved) or reverse (the action is taken back)"]
    reason: Annotated[str, "Reason code of an update, disposition code of a reversal"]
    disposition_code: Annotated[str | None, "Disposition code sent beside an update's reason"] = None
    sku: Annotated[str | None, "The item; NULL where the action itself is meant"] = None
    relative: Annotated[bool, "Whether its request changes an amount by a difference: must never be sent twice"]
    reverses: Annotated[bool, "Whether the action ends reversed: asked for, or because its amount comes to 0"]
    old_amount: Annotated[Decimal | None, "Amount of the action or item that the plan saw"] = None
    new_amount: Annotated[Decimal | None, "Amount that it should have afterwards; NULL if none is asked for"] = None
    delta: Annotated[Decimal | None, "The difference that is asked for, where it is one"] = None
    old_quantity: Annotated[int | None, "The item's quantity that the plan saw"] = None
    new_quantity: Annotated[int | None, "The quantity asked for"] = None
    old_category: Annotated[str | None, "The item's category that the plan saw"] = None
    new_category: Annotated[str | None, "The category asked for"] = None
    old_customer_status: Annotated[str | None, "The customer status that the plan saw"] = None
    new_customer_status: Annotated[str | None, "The customer status asked for"] = None
    action_state: Annotated[str | None, "State of the action that the plan saw"] = None
    action_amount: Annotated[Decimal | None, "Amount of the action that the plan saw"] = None
    action_payout: Annotated[Decimal | None, "Commission of the action that the plan saw"] = None
    locking_date: Annotated[datetime | None, "When the action locks, as the plan saw it: too late from then on"] = None
    commission_moved: Annotated[
        Decimal | None, "By how much the commission should move, at the rate it had; negative if it sinks"
    ] = None
    commission_touched: Annotated[
        Decimal | None, "How much commission is at stake: what moves, or all of it if that is not known"
    ] = None
    request: Annotated[str, "Method and form of the request, as it is sent"]
    status: Annotated[str, "planned, sending, accepted, unknown, returned, confirmed, refused, diverged or left out"]
    outcome: Annotated[str | None, "What became of it, in words"] = None
    planned_at: Annotated[datetime, "When it was planned"]
    claim: Annotated[
        str | None, "The apply that claimed it for sending: a mark, and the host and process it ran on"
    ] = None
    claimed_at: Annotated[datetime | None, "When it was claimed, immediately before it left"] = None
    http_status: Annotated[int | None, "Status of the API's answer; NULL if none came"] = None
    answer: Annotated[str | None, "What the API answered, or what went wrong on the way"] = None
    answered_at: Annotated[datetime | None, "When the answer came, or was given up"] = None
    batch_id: Annotated[str | None, "The API's id of the submission, by which its outcome is looked up"] = None
    processed_at: Annotated[datetime | None, "When the API was seen to have processed it without an error"] = None
    searched_at: Annotated[
        datetime | None, "When the list of submissions was searched for a request whose answer was lost"
    ] = None
    settled_at: Annotated[datetime | None, "When the outcome was known"] = None
    settled_by: Annotated[str | None, "The person who settled or released it, where the API did not"] = None


@dataclass(frozen=True)
class Field:
    """One column of the table."""

    name: str
    type: str
    description: str


def _field(name: str, hint: Any) -> Field:  # noqa: ANN401 - a type is any object
    type_, description = get_args(hint)
    kind = next(kind for kind in (get_args(type_) or (type_,)) if kind is not NoneType)
    return Field(name, _TYPES[kind], description)


_TYPES = {str: TEXT, Decimal: MONEY, int: COUNT, datetime: TIME, bool: FLAG}
COLUMNS: Final = tuple(_field(*one) for one in get_type_hints(Correction, include_extras=True).items())
NAMES: Final = tuple(column.name for column in COLUMNS)

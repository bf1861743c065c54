"""The journal's columns, once: name, type and what it means. One row is one line of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

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
    """It left, and whether it took effect cannot be told yet."""
    RETURNED = "returned"
    """Turned away for want of scope, credentials or requests: without effect; a person may have it sent again."""
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
"""What waits for a person's word, unless the action itself tells."""
UNSETTLED: Final = (Status.SENDING, Status.ACCEPTED, Status.UNKNOWN)
"""What may take effect yet: no other change of the action is planned meanwhile."""
NOT_DONE: Final = (Status.REFUSED, Status.DIVERGED, Status.LEFT_OUT)
"""How a correction ends that is not as it was asked for."""
NEVER_LEFT: Final = (Status.PLANNED, Status.LEFT_OUT)


@dataclass(frozen=True)
class Field:
    """One column."""

    name: str
    type: str
    description: str


COLUMNS: Final = (
    Field("correction_id", TEXT, "The correction: the plan and the line; the key of this table"),
    Field("plan_id", TEXT, "The plan that it is part of"),
    Field("call_id", TEXT, "The one request that it leaves with; lines of one action share it"),
    Field("line", COUNT, "Line of the file that asked for it, or row of the query"),
    Field("source", TEXT, "The file, or the query"),
    Field("note", TEXT, "Why, in the words of whoever asked"),
    Field("actor", TEXT, "Who planned it: the setting sources.impact.actor"),
    Field("action_id", TEXT, "The action; joins actions.id"),
    Field("campaign_id", TEXT, "The action's campaign"),
    Field("currency", TEXT, "Currency of all money in the row"),
    Field("kind", TEXT, "update (values are set or moved) or reverse (the action is taken back)"),
    Field("reason", TEXT, "Reason code of an update, disposition code of a reversal"),
    Field("disposition_code", TEXT, "Disposition code sent beside an update's reason"),
    Field("sku", TEXT, "The item; NULL where the action itself is meant"),
    Field("relative", FLAG, "Whether its request moves an amount by a difference: never to be sent twice"),
    Field("reverses", FLAG, "Whether the action ends reversed: asked for, or because its amount comes to 0"),
    Field("old_amount", MONEY, "Amount of the action or item that the plan saw"),
    Field("new_amount", MONEY, "Amount that it should have afterwards; NULL if none is asked for"),
    Field("delta", MONEY, "The difference that is asked for, where it is one"),
    Field("old_quantity", COUNT, "The item's quantity that the plan saw"),
    Field("new_quantity", COUNT, "The quantity asked for"),
    Field("old_category", TEXT, "The item's category that the plan saw"),
    Field("new_category", TEXT, "The category asked for"),
    Field("old_customer_status", TEXT, "The customer status that the plan saw"),
    Field("new_customer_status", TEXT, "The customer status asked for"),
    Field("action_state", TEXT, "State of the action that the plan saw"),
    Field("action_amount", MONEY, "Amount of the action that the plan saw"),
    Field("action_payout", MONEY, "Commission of the action that the plan saw"),
    Field("locking_date", TIME, "When the action locks, as the plan saw it: too late from then on"),
    Field("commission_moved", MONEY, "By how much the commission should move, at the rate it had; below 0 it sinks"),
    Field(
        "commission_touched", MONEY, "How much commission is at stake: what moves, or all of it if that is not known"
    ),
    Field("request", TEXT, "Method and form of the request, as it is sent"),
    Field("status", TEXT, "planned, sending, accepted, unknown, returned, confirmed, refused, diverged or left out"),
    Field("outcome", TEXT, "What became of it, in words"),
    Field("planned_at", TIME, "When it was planned"),
    Field("claim", TEXT, "The apply that claimed it for sending: a mark, and the host and process it ran on"),
    Field("claimed_at", TIME, "When it was claimed, immediately before it left"),
    Field("http_status", COUNT, "Status of the API's answer; NULL if none came"),
    Field("answer", TEXT, "What the API answered, or what went wrong on the way"),
    Field("answered_at", TIME, "When the answer came, or was given up"),
    Field("batch_id", TEXT, "The API's submission, by which it tells what became of the request"),
    Field("processed_at", TIME, "When the API was seen to have processed it without an error"),
    Field("searched_at", TIME, "When the list of submissions was searched for a request whose answer was lost"),
    Field("settled_at", TIME, "When the outcome was known"),
    Field("settled_by", TEXT, "The person who settled or released it, where the API did not tell"),
)
NAMES: Final = tuple(field.name for field in COLUMNS)

"""The tables of closed months, and the hash over the lines of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from impact_source.rows.columns import MONEY
from impact_source.rows.ours import KEY

_MONEY: Any = {"data_type": "decimal", "precision": 38, "scale": MONEY.scale}
"""Sums may have more digits than what they add up."""
_MONTH: Any = KEY | {"data_type": "date"}
CLOSES: Any = {
    "month": _MONTH | {"description": "The month in the account's calendar, as its first day; the key of this table"},
    "time_zone": {"data_type": "text", "description": "IANA name of the zone whose calendar that was"},
    "closed_at": {"data_type": "timestamp", "description": "When it was closed, by this machine's clock"},
    "known_at": {
        "data_type": "timestamp",
        "description": "The figures are what the warehouse knew at this instant; close_changes has what was seen later",
    },
    "as_of": {
        "data_type": "timestamp",
        "description": "Every change of every campaign up to this instant is in the figures; NULL if one was not read",
    },
    "run_id": {"data_type": "text", "description": "The sync that the figures rest on; joins sync_runs"},
    "verified_at": {
        "data_type": "timestamp",
        "description": "Every campaign was verified for the month, at this instant or later; NULL if one was not",
    },
    "exceptions": {
        "data_type": "text",
        "description": "What was not read or not verified, if it was closed nevertheless; NULL if nothing",
    },
    "note": {"data_type": "text", "description": "What the person who closed it had to say"},
    "lines": {"data_type": "bigint", "description": "Number of its rows in close_lines"},
    "hash": {
        "data_type": "text",
        "description": "SHA-256 over its rows in close_lines: impact close compares it and tells if they were changed",
    },
    "version": {"data_type": "text", "description": "Version of impact-sync"},
}
CLOSE_LINES: Any = {
    "month": _MONTH | {"description": "The month in the account's calendar, as its first day; joins closes"},
    "media_partner_id": KEY | {"data_type": "text", "description": "The partner; empty if the actions have none"},
    "media_partner_name": {"data_type": "text", "description": "The partner's name"},
    "currency": KEY
    | {"data_type": "text", "description": "ISO 4217 code of the money; empty if the actions have none"},
    "actions": {"data_type": "bigint", "description": "Number of actions with an event in the month"},
    "actions_reversed": {"data_type": "bigint", "description": "Number of those that are reversed"},
    "amount": _MONEY | {"description": "Revenue of the actions that are not reversed"},
    "accrued": _MONEY | {"description": "Commission that is owed if nothing changes: the sum of open, locked and paid"},
    "open": _MONEY | {"description": "Commission that a reversal could still take away"},
    "locked": _MONEY | {"description": "Commission that can no longer change and is not paid"},
    "paid": _MONEY | {"description": "Commission that is paid out"},
    "reversed": _MONEY | {"description": "Commission that the reversed actions would have earned"},
    "client_cost": _MONEY | {"description": "What the actions that are not reversed cost the brand, fees included"},
}


@dataclass(frozen=True)
class Line:
    """A row of `close_lines`."""

    month: date
    media_partner_id: str
    media_partner_name: str | None
    currency: str
    actions: int
    actions_reversed: int
    amount: Decimal
    accrued: Decimal
    open: Decimal
    locked: Decimal
    paid: Decimal
    reversed: Decimal
    client_cost: Decimal


@dataclass(frozen=True)
class Close:
    """A row of `closes`."""

    month: date
    time_zone: str
    closed_at: datetime
    known_at: datetime
    as_of: datetime | None
    run_id: str | None
    verified_at: datetime | None
    exceptions: str | None
    note: str | None
    lines: int
    hash: str
    version: str


def hash_of(lines: Iterable[Line]) -> str:
    """The hash over lines, in the order of partners and currencies; money counts with its eight decimals."""
    ordered = sorted(lines, key=attrgetter("media_partner_id", "currency"))
    told = [[_text(value) for value in asdict(line).values()] for line in ordered]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _text(value: object) -> str | None:
    if isinstance(value, Decimal):
        return f"{value:.{MONEY.scale}f}"
    return None if value is None else str(value)

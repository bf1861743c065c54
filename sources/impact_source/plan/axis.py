"""The dates that actions can be filtered by."""

from __future__ import annotations

from enum import Enum


class Axis(Enum):
    """The date that a list of actions is filtered by; the value is its pair of parameters."""

    UPDATED = ("StartDate", "EndDate")
    EVENT = ("ActionDateStart", "ActionDateEnd")
    LOCKING = ("LockingDateStart", "LockingDateEnd")

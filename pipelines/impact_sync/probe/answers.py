"""What the probe asks, and the form of its answers: names of readings, never anything of the account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """The questions, in the order of the sheet."""

    MONEY = "money is sent as"
    EMPTY = "an empty date is sent as"
    TIMES = "times are sent"
    ORDER = "actions are listed"
    ALONE = "a list of one is sent as"
    ITEMS_KEY = "the key of the list of items is"
    TWINS = "one Sku twice in an action"
    MANY = "too many matches are refused by"
    TOTAL = "the words of that refusal"
    PAGE_SIZE = "a PageSize above 20,000"
    PAGE_ROWS = "the rows of a page are"
    LOCKING_UNIT = "bounds of LockingDate are compared to the"
    LOCKING_END = "the end of a LockingDate range is"
    EVENT_UNIT = "bounds of ActionDate are compared to the"
    EVENT_END = "the end of an ActionDate range is"
    FILTERS = "several filters"
    DEFAULT = "the default of 7 days, by LockingDate alone,"
    EVENT_YEARS = "the limit of three years, by ActionDate,"
    LOCKING_YEARS = "the limit of three years, by LockingDate,"
    EARLY = "LockingDate after an early approval"
    CLEARING = "being paid (ClearedDate)"
    FEED = "the change feed (ActionUpdates)"
    FEED_ROWS = "the change feed has"
    FEED_SUMS = "the deltas of the change feed"
    HEADERS = "the request limit is told by"
    RESET = "the reset of the limit is"


@dataclass(frozen=True)
class Answer:
    """A reading by its name, or why there is none."""

    text: str
    told: bool = True


def untold(why: str) -> Answer:
    """The answer to a question that the account gives no evidence on."""
    return Answer(f"could not be told: {why}", told=False)


class Untellable(Exception):
    """Ends a question that the account gives no evidence on."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

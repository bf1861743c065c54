"""Whether a campaign's change feed says what the lists of items say, judged by the actions that have both. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from ...rows.ledger import Row

ENOUGH: Final = 30
"""Lists that have to agree before items are derived."""
_TICK: Final = timedelta(microseconds=1)
_NEWER_MAX: Final = 0.1
"""The most lists, compared with those that agree, of which it is not known yet whether they do."""


class Verdict(StrEnum):
    """Whether items are derived from a campaign's feed, as recorded in `item_feeds`."""

    UNPROVEN = "unproven"
    PROVEN = "proven"
    CONTRADICTED = "contradicted"
    REFUSED = "refused"


class Quantity(StrEnum):
    """What Quantity is in the feed: of an item after the change, by how much it changed, or not known yet."""

    LATEST = "latest"
    MOVED = "moved"
    EITHER = "either"


class Removed(StrEnum):
    """Whether lists show an item that is left without worth and units, or not known yet."""

    GONE = "gone"
    LISTED = "listed"
    EITHER = "either"


_Reading = TypeVar("_Reading", Quantity, Removed)


@dataclass(frozen=True)
class Feed:
    """What is known of a campaign's feed. Lists that arrived up to `checked_at` have been compared."""

    campaign_id: str
    verdict: Verdict = Verdict.UNPROVEN
    quantity: Quantity = Quantity.EITHER
    removed: Removed = Removed.EITHER
    agreed: int = 0
    example: str | None = None
    checked_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether lists can still prove it, or contradict it."""
        return self.verdict in {Verdict.UNPROVEN, Verdict.PROVEN}

    @property
    def row(self) -> Row:
        """The row of `item_feeds`."""
        return {
            "campaign_id": self.campaign_id,
            "status": self.verdict.value,
            "quantity": self.quantity.value,
            "removed": self.removed.value,
            "agreed": self.agreed,
            "example": self.example,
            "checked_at": self.checked_at,
        }


@dataclass(frozen=True)
class Compared:
    """A number of actions that compare alike; `example` is one of them, the earliest list arrived at `fetched_at`.

    `is_newer`: the list may show a change that the feed does not show yet. `is_same`: Skus, categories and amounts
    agree. `by_...`: so does the rest by this reading.
    """

    is_newer: bool
    is_same: bool
    by_latest: bool
    by_moved: bool
    by_gone: bool
    by_listed: bool
    actions: int
    example: str
    fetched_at: datetime


def judge(feed: Feed, compared: Iterable[Compared], now: datetime, *, drained: bool = False) -> Feed:
    """What is known of the feed after comparing more lists with it.

    `drained`: there is no further action whose list could be compared; then any agreement is enough.
    """
    compared = list(compared)
    certain, newer = ([one for one in compared if one.is_newer is wanted] for wanted in (False, True))
    agreed = feed.agreed
    for one in certain:
        read = _read(feed, one)
        if read is None:
            return replace(feed, verdict=Verdict.CONTRADICTED, example=one.example, checked_at=now)
        feed, agreed = read, agreed + one.actions
    differing = [one for one in newer if _read(feed, one) is None]
    agreed += sum(one.actions for one in newer if one not in differing)
    waiting = sum(one.actions for one in differing)
    again = min([now, *(one.fetched_at - _TICK for one in differing)])  # these are compared again
    verdict = feed.verdict
    if verdict is Verdict.UNPROVEN:
        enough = agreed >= ENOUGH or (drained and agreed > 0)
        verdict = Verdict.PROVEN if enough and waiting <= agreed * _NEWER_MAX else Verdict.UNPROVEN
    if not compared and feed.checked_at is not None:
        again = feed.checked_at
    return replace(feed, verdict=verdict, agreed=agreed, example=None, checked_at=again)


def _read(feed: Feed, one: Compared) -> Feed | None:
    """The feed with the readings by which the lists agree with it; None if they do not."""
    quantity = _narrow(feed.quantity, {Quantity.LATEST: one.by_latest, Quantity.MOVED: one.by_moved}, Quantity.EITHER)
    removed = _narrow(feed.removed, {Removed.GONE: one.by_gone, Removed.LISTED: one.by_listed}, Removed.EITHER)
    if not one.is_same or quantity is None or removed is None:
        return None
    return replace(feed, quantity=quantity, removed=removed)


def _narrow(known: _Reading, fits: Mapping[_Reading, bool], either: _Reading) -> _Reading | None:
    """The reading known so far, or the only one that fits; None if it does not fit."""
    if known != either:
        return known if fits[known] else None
    left = [reading for reading, fit in fits.items() if fit]
    return either if len(left) == len(fits) else next(iter(left), None)

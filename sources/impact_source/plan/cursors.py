"""How far each campaign was read: the instants kept in dlt's state, and how they may move. Pure."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Mark(StrEnum):
    """The instants kept in a campaign's state."""

    UPDATED = "updated"
    """Cursor of the updated pass."""
    LOCKING = "locking"
    """Cursor of the locking pass."""
    RECHECKED = "rechecked"
    """When future locks were last re-read."""
    BEGUN = "begun"
    """The instant since which the updated pass has read everything. It moves back if `start_date` does."""
    FOLLOWED = "followed"
    """Since when the locking pass follows locks; the first backfill read what had locked before."""
    FEED = "feed"
    """Cursor of the change feed."""
    FEED_BEGUN = "feed_begun"
    """The instant since which the change feed was read completely. It moves back if `start_date` does."""


class Cursors:
    """A campaign's marks in dlt's state, where they are ISO 8601 text."""

    def __init__(self, state: MutableMapping[str, Any], campaign_id: str) -> None:
        self._marks: dict[str, str] = state.setdefault("campaigns", {}).setdefault(campaign_id, {})

    def get(self, mark: Mark) -> datetime | None:
        """The instant of the mark; None before its first move."""
        text = self._marks.get(mark.value)
        return datetime.fromisoformat(text).astimezone(UTC) if text else None

    def move(self, mark: Mark, to: datetime) -> None:
        """Move a mark forward; `begun` marks move back, `followed` stays."""
        stands = self.get(mark)
        back = mark in {Mark.BEGUN, Mark.FEED_BEGUN}
        if stands is None or (to < stands if back else to > stands and mark is not Mark.FOLLOWED):
            self._marks[mark.value] = to.isoformat()

    def forget(self, *marks: Mark) -> None:
        """Forget these marks, or all: what they vouch for is not there."""
        for mark in marks or Mark:
            self._marks.pop(mark.value, None)

    def pull_back(self, now: datetime) -> None:
        """Move marks that lie ahead of the server's clock back to it."""
        for mark in Mark:
            if (stands := self.get(mark)) and stands > now:
                self._marks[mark.value] = now.isoformat()

"""Actions that the API once did not know: when to request them again, and when that is news. Pure.

A lagging replica says the same of an action that exists: every run checks such a finding again for some days, then
rarely, until the action is met again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

EVERY_RUN_FOR: Final = timedelta(days=7)
"""How long after it was first found every run requests a gone action."""
THEN_EVERY: Final = timedelta(days=7)
"""The interval between later requests."""
CERTAIN_AFTER: Final = timedelta(days=1)
"""How long after it was first found a still unknown action counts as gone for decisions about money."""


@dataclass(frozen=True)
class Gone:
    """An action that was found gone and not met since: when that was first and last recorded."""

    first: datetime
    last: datetime
    acknowledged: bool = False
    """Whether a `verify --repair` acknowledged it."""

    @property
    def certain_from(self) -> datetime:
        """From when a further answer that says the same may decide about money; a single one never does."""
        return self.first + CERTAIN_AFTER

    def is_due(self, now: datetime) -> bool:
        """Whether to request it again."""
        return now - self.first < EVERY_RUN_FOR or self.is_news(now)

    def is_news(self, now: datetime) -> bool:
        """Whether to record again that it is still gone: not at every check."""
        return now - self.last >= THEN_EVERY

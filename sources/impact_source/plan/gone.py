"""Actions that the API once said it does not know: when to ask again, and when that is news. Pure.

A replica that lags behind says the same of an action that is there: such a finding is looked at again by every run for
some days, then rarely, and ends as soon as the action is met again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

EVERY_RUN_FOR: Final = timedelta(days=7)
"""So long after it was first found an action that is gone is asked for by every run."""
THEN_EVERY: Final = timedelta(days=7)
"""And after that once in so long a time."""
CERTAIN_AFTER: Final = timedelta(days=1)
"""So long after it was first found an action that is still not known is taken for gone where money is decided."""


@dataclass(frozen=True)
class Gone:
    """An action that was found gone and was not met since: when that was first and last recorded."""

    first: datetime
    last: datetime
    acknowledged: bool = False
    """Whether a `verify --repair` acknowledged it."""

    @property
    def certain_from(self) -> datetime:
        """When a further answer that says the same may decide about money; a single one never does."""
        return self.first + CERTAIN_AFTER

    def is_due(self, now: datetime) -> bool:
        """Whether it is asked for again."""
        return now - self.first < EVERY_RUN_FOR or self.is_news(now)

    def is_news(self, now: datetime) -> bool:
        """Whether it is worth recording that it is still gone: not each time it is looked at."""
        return now - self.last >= THEN_EVERY

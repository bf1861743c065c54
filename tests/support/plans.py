"""An instant that plans start from, and where cursors and windows lie around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from impact_source.plan.cursors import Cursors
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.settings import PAGES_MAX, Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
SETTINGS = Settings("sid", "token")
HORIZON = Window(NOW - 1000 * DAY, NOW)
SIZE = 10
"""Rows per page."""
FIT = SIZE * PAGES_MAX
"""Rows that one window may hold."""
LOCKS = Reading("1000", Pass.LOCKING, Window(NOW, NOW + 40 * DAY))


def cursors(**marks: datetime) -> Cursors:
    """Cursors of campaign 1 that stand where `marks` say."""
    return Cursors({"campaigns": {"1": {name: moment.isoformat() for name, moment in marks.items()}}}, "1")

"""When an action that the API does not know is requested again, by plain calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from impact_source.plan.gone import Gone

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("first", "last", "due", "news"),
    [
        (NOW, NOW, True, False),
        (NOW - 7 * DAY + SECOND, NOW - DAY, True, False),
        (NOW - 7 * DAY, NOW - DAY, False, False),
        (NOW - 90 * DAY, NOW - 7 * DAY + SECOND, False, False),
        (NOW - 90 * DAY, NOW - 7 * DAY, True, True),
    ],
)
def test_an_action_that_is_gone_is_asked_for_by_each_run_of_a_week_and_weekly_after_that(
    first: datetime,
    last: datetime,
    due: bool,  # noqa: FBT001 - the expected value
    news: bool,  # noqa: FBT001
) -> None:
    """A lagging replica costs no action its updates, and one that is gone for good costs a request a week."""
    gone = Gone(first, last)
    assert (gone.is_due(NOW), gone.is_news(NOW)) == (due, news)

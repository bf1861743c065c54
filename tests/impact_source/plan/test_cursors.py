"""How the instants in a campaign's state are written, and how they move. No network."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from impact_source.plan.cursors import Cursors, Mark

from tests.support.plans import DAY, NOW, cursors


def test_marks_of_a_new_campaign_are_kept_in_the_state() -> None:
    """A cursor that is not written to the state would make the next run read three years again."""
    state: dict[str, object] = {}
    Cursors(state, "1").move(Mark.UPDATED, NOW)
    assert state == {"campaigns": {"1": {"updated": NOW.isoformat()}}}


def test_marks_are_told_in_utc() -> None:
    """Whatever offset a mark was written with, it is compared and written in UTC."""
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    stands = cursors(updated=east).get(Mark.UPDATED)
    assert stands == NOW
    assert stands.tzinfo is UTC


@pytest.mark.parametrize(
    ("mark", "by", "expected"),
    [
        (Mark.UPDATED, DAY, DAY),
        (Mark.UPDATED, -DAY, 0 * DAY),
        (Mark.BEGUN, -DAY, -DAY),
        (Mark.BEGUN, DAY, 0 * DAY),
        (Mark.FOLLOWED, DAY, 0 * DAY),
        (Mark.FOLLOWED, -DAY, 0 * DAY),
    ],
)
def test_each_mark_moves_its_own_way(mark: Mark, by: timedelta, expected: timedelta) -> None:
    """Cursors move forward, the beginning of what was read moves backward, and following of locks begins once."""
    at = cursors(**{mark.value: NOW})
    at.move(mark, NOW + by)
    assert at.get(mark) == NOW + expected


def test_marks_ahead_of_the_servers_clock_are_pulled_back() -> None:
    """A cursor from a clock that ran ahead would skip what changes until then."""
    at = cursors(updated=NOW + DAY, locking=NOW - DAY)
    at.pull_back(NOW)
    marks = {mark.value: at.get(mark) for mark in Mark if at.get(mark)}
    assert marks == {"updated": NOW, "locking": NOW - DAY}

"""How actions that no window returned are read again. No network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from impact_source.plan.passes import Bounds, Pass, Reading
from impact_source.plan.unseen import plan_unseen
from impact_source.plan.windows import SECOND, Window
from impact_source.settings import HISTORY_MAX, WINDOW_MAX

from tests.support.plans import DAY, NOW

BOUNDS = Bounds(NOW, NOW)


def unseen(ids: Mapping[str, datetime | None], held: int = 1, size: int = 10) -> tuple[list[Window], list[str]]:
    """The windows that re-read some actions, with `held` actions in each, and the ids that are requested singly."""
    readings, singles = plan_unseen("1", ids, lambda _: held, Bounds(NOW, NOW), size)
    return [reading.window for reading in readings], singles


def test_open_actions_older_than_the_apis_reach_are_asked_for_by_id() -> None:
    """No window may begin before three years ago, and an action that is not requested goes stale for good."""
    edge = NOW - HISTORY_MAX
    old = {f"old {n}": edge - SECOND * (n + 1) for n in range(3)}
    new = {f"new {n}": edge + SECOND * n for n in range(3)}
    assert unseen(old | new) == ([Window(edge, edge + 3 * SECOND)], sorted(old))
    assert unseen(old) == ([], sorted(old))


def test_open_actions_without_an_event_date_are_asked_for_by_id() -> None:
    """An action without a date can only be requested by its id."""
    assert unseen({"a": None, "b": NOW, "c": NOW, "d": NOW}) == ([Window(NOW, NOW + SECOND)], ["a"])


def test_unseen_actions_are_read_by_whichever_way_takes_fewer_requests() -> None:
    """A window costs its pages: three actions among two pages are read by it, two are requested by id."""
    three = {"a": NOW, "b": NOW, "c": NOW + DAY}
    assert unseen(three, held=20) == ([Window(NOW, NOW + DAY + SECOND)], [])
    assert unseen(three, held=21) == ([], ["a", "b", "c"])
    assert unseen({"a": NOW}, held=1) == ([], ["a"])


def test_events_that_lie_where_two_windows_meet_are_read_once() -> None:
    """An action at the end of a full window of 45 days belongs to the next one, and stops no run."""
    edge = NOW - 100 * DAY + WINDOW_MAX
    unseen = {"a": NOW - 100 * DAY, "b": edge - SECOND, "c": edge, "d": edge}

    def one_page(window: Window) -> int:
        return window.span // SECOND and 10

    readings, single = plan_unseen("1", unseen, one_page, BOUNDS, 10)
    assert readings == [
        Reading("1", Pass.UNSEEN, Window(NOW - 100 * DAY, edge)),
        Reading("1", Pass.UNSEEN, Window(edge, edge + SECOND)),
    ]
    assert single == []

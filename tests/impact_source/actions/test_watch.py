"""What a run still has to request: what it should have met and has not. No network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from impact_source.actions.watch import Watch, windows_of
from impact_source.plan.gone import Gone
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.warehouse import Refused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
REFUSED = Refused("1", "updated", NOW - DAY, NOW)


def test_a_record_that_was_not_met_is_asked_for_by_its_id_or_by_its_window() -> None:
    """Otherwise a record that could not be typed once would stay unread for ever."""
    keyless = replace(REFUSED, action_id=None, pass_="locking")
    watch = Watch({"2": NOW}, {"1": REFUSED, "a hash": keyless, "clear": replace(REFUSED, again=False)})
    assert watch.missing == {"1": REFUSED, "a hash": keyless}
    assert watch.unseen == {"2": NOW, "1": None}
    assert windows_of("1000", watch.missing.values()) == [Reading("1000", Pass.LOCKING, Window(NOW - DAY, NOW))]


def test_a_record_that_is_rejected_again_is_no_news_and_not_missing() -> None:
    """It was requested and is recorded already."""
    watch = Watch({"1": NOW}, {"1": REFUSED})
    assert not watch.reject("1", "1")
    assert watch.reject("2", "2")
    assert not watch.reject("2", "2")
    assert watch.open == {}
    assert watch.missing == {}
    assert watch.met(["1"]) == []


def test_a_record_that_can_be_read_now_is_resolved_once() -> None:
    """Its row is removed; one that still lacks a value stays."""
    watch = Watch({"1": NOW, "3": NOW}, {"1": REFUSED, "2": REFUSED})
    assert watch.meet(["1", "2", "3"], {"2"}) == ["1"]
    assert watch.meet(["1"], set()) == []
    assert watch.open == {}
    assert watch.rejected.keys() == {"2"}


def test_a_record_whose_window_no_longer_has_it_was_met() -> None:
    """Every window that may hold it was read and did not reject it."""
    watch = Watch(rejected={"a hash": replace(REFUSED, action_id=None)})
    assert watch.met(watch.missing) == ["a hash"]


def test_open_actions_are_asked_for_by_id_where_their_window_was_read() -> None:
    """A window that could not be read says nothing about its contents; an action without a date is in no window."""
    watch = Watch({"read": NOW, "unread": NOW - 5 * DAY, "undated": None})
    assert watch.unmet([Window(NOW - 6 * DAY, NOW - 4 * DAY)], NOW) == {"read", "undated"}


def test_an_action_that_is_known_to_be_gone_is_asked_for_by_id_now_and_then() -> None:
    """There may be many; each further answer that says the same is recorded once a week."""
    watch = Watch({"old": NOW, "new": NOW}, gone={"old": Gone(NOW - 20 * DAY, NOW - 8 * DAY), "new": Gone(NOW, NOW)})
    assert watch.unmet([], NOW) == {"old"}
    assert watch.newly_gone(["old", "new", "another"], NOW) == ["old", "another"]


def test_an_action_that_was_gone_comes_back_once() -> None:
    """From then on it is an action like any other."""
    watch = Watch(gone={"1": Gone(NOW, NOW)})
    assert watch.meet_gone(["1", "2"]) == ["1"]
    assert watch.meet_gone(["1"]) == []

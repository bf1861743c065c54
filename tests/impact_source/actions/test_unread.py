"""When a run stops requesting what cannot be read, and what it says of it, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from impact_source.actions.unread import Failure, Unread
from impact_source.errors import InvalidAnswer, NotFound, ReadingError, RequestRefused, ScopeError, Unavailable
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REFUSED = RequestRefused("no such parameter")


def reading(campaign: str = "1", pass_: Pass = Pass.UPDATED, day: int = 0) -> Reading:
    """A window of a day."""
    begin = NOW + timedelta(days=day)
    return Reading(campaign, pass_, Window(begin, begin + timedelta(days=1)))


def failure(campaign: str = "1", error: ReadingError = REFUSED, *, day: int = 0, action: str | None = None) -> Failure:
    """A failed reading."""
    return Failure(reading(campaign, day=day), error, action)


def test_after_three_windows_that_fail_the_rest_of_their_pass_is_not_asked_for() -> None:
    """Other campaigns and passes, and actions that are read one by one, are still requested."""
    unread = Unread()
    for day in range(3):
        assert not unread.gave_up(reading())
        unread.fail(failure(day=day))
    assert unread.gave_up(reading())
    assert not unread.gave_up(reading(), one_by_one=True)
    assert not unread.gave_up(reading("2"))
    assert not unread.gave_up(reading(pass_=Pass.LOCKING))


def test_after_six_actions_that_fail_no_more_are_read_one_by_one() -> None:
    """A campaign's windows are still requested."""
    unread = Unread()
    for number in range(6):
        assert not unread.gave_up(reading(), one_by_one=True)
        unread.fail(failure(action=str(number)))
    assert unread.gave_up(reading(), one_by_one=True)
    assert not unread.gave_up(reading())


@pytest.mark.parametrize(("read", "gave_up"), [({}, False), ({"one_by_one": True}, True)])
def test_what_was_read_in_between_restarts_the_count(
    read: dict[str, bool],
    gave_up: bool,  # noqa: FBT001 - the expected value
) -> None:
    """Three in a row means no window between them was read; an action does not count as a window."""
    unread = Unread()
    for _ in range(2):
        unread.fail(failure())
    unread.succeed(reading(), **read)
    for _ in range(2):
        unread.fail(failure())
    assert unread.gave_up(reading()) is gave_up


def test_a_run_that_leaves_nothing_out_says_so() -> None:
    """Counts by campaign start without entries: the summary says of no campaign that actions were left out."""
    unread = Unread()
    unread.succeed(reading())
    unread.fail(failure())
    assert unread.actions_left_out == {}
    assert unread.left_out == []


@pytest.mark.parametrize("error", [Unavailable("502"), InvalidAnswer("no JSON"), ScopeError("403")])
def test_nine_readings_without_a_valid_answer_end_the_run(error: ReadingError) -> None:
    """Whatever they concern, if nothing is answered in between, the API is down: the ninth error is raised."""
    unread = Unread()
    for number in range(8):
        unread.fail(failure(str(number), error))
    with pytest.raises(type(error)) as raised:
        unread.fail(failure("8", error))
    assert raised.value is error
    assert len(unread.failures) == 9


@pytest.mark.parametrize("answered", ["a refusal", "a window"])
def test_an_answer_shows_that_the_api_is_up(answered: str) -> None:
    """One that was read, or was refused in words, restarts the count."""
    unread, error = Unread(), Unavailable("502")
    for number in range(8):
        unread.fail(failure(str(number), error))
    if answered == "a refusal":
        unread.fail(failure("8"))
    else:
        unread.succeed(reading("8"))
    for number in range(8):
        unread.fail(failure(str(number), error))
    with pytest.raises(Unavailable):
        unread.fail(failure("9", error))


def test_refusals_of_a_campaign_that_is_gone_are_no_failures() -> None:
    """Its windows are recorded as not read, and no more of it is requested; missing answers fail as always."""
    unread = Unread()
    unread.lost = ("1",)
    first, then = failure(error=NotFound("404")), failure(day=1)
    unread.fail(first)
    unread.fail(then)
    assert unread.failures == []
    assert unread.refused == {"1": first}
    assert unread.gave_up(reading())
    assert unread.gave_up(reading(), one_by_one=True)
    assert unread.concerns("1")
    assert not unread.concerns("2")
    assert unread.windows("1", Pass.UPDATED) == [first.reading]
    unread.fail(failure(error=Unavailable("502")))
    unread.fail(failure("2"))
    assert [str(one.error) for one in unread.failures] == ["502", "no such parameter"]
    assert not unread.gave_up(reading("2"))


def test_windows_that_were_not_read_are_those_that_failed_and_those_left_out() -> None:
    """Only those of one campaign's pass; an action that was read by itself is not a window."""
    unread = Unread()
    unread.fail(failure(day=1))
    unread.fail(failure(day=2, action="7"))
    unread.fail(failure("2", day=3))
    unread.left_out += [reading(day=4), reading(pass_=Pass.LOCKING, day=5), reading("2", day=6)]
    assert unread.windows("1", Pass.UPDATED) == [reading(day=1), reading(day=4)]
    assert unread.windows("2", Pass.UPDATED) == [reading("2", day=3), reading("2", day=6)]
    assert unread.windows("1", Pass.LOCKING) == [reading(pass_=Pass.LOCKING, day=5)]
    assert unread.concerns("1")
    assert unread.concerns("2")
    assert not unread.concerns("3")


def test_where_nothing_was_read_and_no_answer_says_why_the_first_error_is_the_runs() -> None:
    """A single refusal in words, or anything that was read, makes it a run with gaps, not a failed one."""
    unread = Unread()
    assert unread.unanswered is None
    first = Unavailable("502")
    unread.fail(failure(error=first))
    unread.fail(failure(error=ScopeError("403")))
    assert unread.unanswered is first
    unread.fail(failure())
    assert unread.unanswered is None
    read = Unread()
    read.succeed(reading("2"))
    read.fail(failure(error=first))
    assert read.unanswered is None


def test_what_could_not_be_read_is_named_once() -> None:
    """Campaign and window come before the reason, unless it names the campaign itself."""
    window = str(reading())
    assert str(failure()) == f"{window}: no such parameter"
    assert str(failure(action="7")) == "campaign 1, action 7: no such parameter"
    itself = ReadingError(f"{window}: changed while it was read")
    assert str(failure(error=itself)) == f"{window}: changed while it was read"
    assert str(failure("12", itself)) == f"{reading('12')}: {itself}"

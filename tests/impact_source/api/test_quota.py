"""The hourly limit is never overrun. The clock is an argument, so no test waits."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.api.budget import Budget
from impact_source.api.headers import Limits
from impact_source.api.quota import Quota
from impact_source.errors import BudgetSpent


class Time:
    """A clock that moves only when somebody waits."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def budget(per_hour: int, max_wait: float = 0.0, time: Time | None = None) -> Budget:
    """A budget with its own clock."""
    time = time or Time()
    return Budget(per_hour, max_wait, clock=lambda: time.now, wait=time.wait)


def test_no_more_than_the_hour_allows_leave() -> None:
    """The request after the last is refused, and the message says when there are more."""
    hour = budget(3)
    for _ in range(3):
        hour.take()
    with pytest.raises(BudgetSpent, match="more in 60 min"):
        hour.take()


def test_the_hour_slides() -> None:
    """An hour after a request there is room for another."""
    time = Time()
    hour = budget(2, max_wait=3600, time=time)
    hour.take()
    time.now = 1800
    hour.take()
    hour.take()
    assert time.now == 3600


def test_a_short_wait_is_waited() -> None:
    """If the API says that requests are used up for 40 more seconds, the run waits that long."""
    time = Time()
    hour = budget(1000, max_wait=60, time=time)
    hour.hear(Limits(1000, 0, 40))
    hour.take()
    assert time.now == 41, "a second more: the header rounds"


def test_the_apis_count_wins_where_others_spend_too() -> None:
    """Requests sent by somebody else with the same account count."""
    hour = budget(1000)
    hour.hear(Limits(1000, 1, 1800))
    hour.take()
    with pytest.raises(BudgetSpent):
        hour.take()


def test_an_older_answer_does_not_give_requests_back() -> None:
    """Answers of parallel requests arrive in any order; the lowest count within the hour holds."""
    hour = budget(1000)
    hour.hear(Limits(1000, 5, 1800))
    hour.hear(Limits(1000, 9, 1800))
    assert hour.remaining == 5


def test_requests_in_flight_are_not_given_twice() -> None:
    """Three requests are out when the first answer says 10 left: it may not count the other two, so 8 remain."""
    hour = budget(1000)
    for _ in range(3):
        hour.take()
    hour.hear(Limits(1000, 10, 1800))
    assert hour.remaining == 8
    hour.hear(Limits(1000, 9, 1800))
    assert hour.remaining == 8, "the second answer is one of those two"
    hour.take()
    assert hour.remaining == 7


def test_a_request_without_an_answer_is_no_longer_in_flight() -> None:
    """Failed requests do not reduce the next hour's limit for ever."""
    hour = budget(1000)
    for _ in range(3):
        hour.take()
    for _ in range(2):
        hour.hear()
    hour.hear(Limits(1000, 10, 1800))
    assert hour.remaining == 10


def test_a_smaller_hour_that_the_api_tells_holds() -> None:
    """An account that is allowed less than is configured gets no more requests, even if a later answer is silent."""
    hour = budget(1000)
    hour.hear(Limits(20, None, None))
    hour.hear(Limits(None, 15, 1800))
    assert hour.per_hour == 20


def test_what_the_api_counted_is_forgotten_at_its_reset_and_not_before() -> None:
    """Requests that others spent come back when the limit resets; our own come back one by one."""
    time = Time()
    hour = budget(1000, time=time)
    hour.take()
    hour.hear(Limits(1000, 0, 40))
    time.now = 40.9
    assert hour.remaining == 0
    time.now = 41
    assert hour.remaining == 999


def test_a_refusal_counts_as_nothing_left() -> None:
    """A 429 empties the budget until its reset, whatever its headers say remains."""
    hour = budget(1000)
    hour.hear(Limits(1000, 7, 30), refused=True)
    assert hour.remaining == 0


def test_threads_together_never_overrun() -> None:
    """Eight threads that take what they can get take no more than there is."""
    hour = budget(100)
    taken: list[int] = []

    def take() -> None:
        try:
            while True:
                hour.take()
                taken.append(1)
        except BudgetSpent:
            pass

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == hour.spent == 100


def test_waiting_ends_when_the_run_is_abandoned() -> None:
    """Ctrl-C while waiting for the hourly limit does not wait for it."""
    hour = Budget(1, max_wait=7200)
    hour.take()
    ended: list[str] = []

    def wait() -> None:
        try:
            hour.take()
        except BudgetSpent as error:
            ended.append(str(error))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    hour.stop()
    thread.join(timeout=60)
    assert ended == ["stopped while waiting for the hourly limit to reset"]


def test_a_new_hour_is_recognised_where_no_reset_is_told() -> None:
    """Without a reset header, a large rise of what remains means that the hourly limit has reset."""
    hour = budget(10_000)
    hour.hear(Limits(1000, 3, None))
    hour.hear(Limits(1000, 990, None))
    assert hour.remaining == 990


def test_an_exact_wait_is_waited_and_a_longer_one_is_not() -> None:
    """`max_wait` is the longest wait, and the message says how long it would be."""
    time = Time()
    hour = budget(1000, max_wait=60, time=time)
    hour.pause(60)
    assert time.now == 60
    with pytest.raises(BudgetSpent, match=r"more in 2 min, longer than max_wait allows \(1 min\): run again then"):
        hour.pause(120)
    with pytest.raises(BudgetSpent, match=r"more in 2 min: run again then"):
        budget(1000).pause(120)


def test_waiting_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Sixteen threads that wait for the same reset are one line of the log; a later reset is another."""
    time = Time()
    hour = Budget(1000, 7200, clock=lambda: time.now, wait=lambda _: None)
    for seconds in (40, 41, 40, 1_000):
        hour.pause(seconds)
    time.now = 5.0
    hour.pause(995)
    assert [record.getMessage() for record in caplog.records] == [
        "the hourly request limit is reached: waiting 40 s",
        "the hourly request limit is reached: waiting 1000 s",
    ]


def test_a_rest_takes_its_time() -> None:
    """A request is repeated after the requested wait, and at once without one."""
    time = Time()
    hour = budget(1000, time=time)
    hour.rest(0.5)
    assert time.now == 0.5
    waited: list[float] = []
    Budget(1, 0, clock=lambda: 0.0, wait=waited.append).rest(0)
    assert waited == []


def test_as_many_requests_are_sent_as_were_allowed() -> None:
    """A share of the hourly limit is left to others, and no more than `most` are sent, whatever is left."""
    hour = budget(100)
    hour.take()
    with hour.sparing(0.1, most=3):
        assert hour.allowed == 3
        for _ in range(3):
            hour.take()
        assert hour.allowed == 0
        with pytest.raises(BudgetSpent, match="all allowed requests were sent"):
            hour.take()
    assert hour.allowed == hour.remaining == 96


def test_spared_requests_are_waited_for_as_well() -> None:
    """If as many remain as are spared, the wait is until the API's reset, not longer."""
    time = Time(10)
    hour = budget(1000, max_wait=3_600, time=time)
    hour.hear(Limits(1000, 100, 40))
    with hour.sparing(0.1):
        hour.take()
    assert time.now == 51
    assert hour.remaining == 999


def test_our_own_requests_are_waited_for_where_the_api_has_some_left() -> None:
    """An hour after our own first request there is room, although the API would allow more."""
    time = Time(10)
    hour = budget(3, max_wait=3_600, time=time)
    for now in (10, 20, 30):
        time.now = now
        hour.take()
        hour.hear(Limits(1000, 500, 600))
    hour.take()
    assert time.now == 3_610
    with hour.sparing(2 / 3):
        hour.take()
    assert time.now == 7_210


@pytest.mark.parametrize(("per_hour", "left", "minutes"), [(1, 0, 60), (1, 500, 60), (2, 0, 10)])
def test_the_wait_that_is_told_is_the_whole_one(per_hour: int, left: int, minutes: int) -> None:
    """Of our own hour and the API's, the one that resets last counts, if it has to reset."""
    hour = budget(per_hour)
    hour.take()
    hour.hear(Limits(1000, left, 600))
    with pytest.raises(BudgetSpent, match=f"more in {minutes} min"):
        hour.take()


def test_a_wait_that_is_not_enough_is_not_begun() -> None:
    """If the API's reset comes within `max_wait` but our own hour ends later, the run ends at once."""
    time = Time()
    hour = budget(2, max_wait=900, time=time)
    hour.take()
    time.now = 1_800
    hour.take()
    hour.hear(Limits(1000, 0, 600))
    with pytest.raises(BudgetSpent, match="more in 30 min"):
        hour.take()
    assert time.now == 1_800


def test_no_wait_of_an_hour_is_made_up_where_nothing_was_sent() -> None:
    """With all requests spared none can be sent; the message gives an hour."""
    hour = budget(10)
    with hour.sparing(1.0), pytest.raises(BudgetSpent, match="more in 60 min"):
        hour.take()


@pytest.mark.parametrize(("told", "left"), [(21, 5), (22, 22)])
def test_a_rise_of_more_than_is_on_its_way_is_a_new_hour(told: int, left: int) -> None:
    """Sixteen answers can be late; a larger rise means a new allowance."""
    hour = budget(1000)
    hour.hear(Limits(1000, 5, 1800))
    hour.hear(Limits(1000, told, 1800))
    assert hour.remaining == left


def test_at_its_reset_an_hour_is_over() -> None:
    """The first answer after a reset counts, however small its number; without a reset header, it lasts an hour."""
    time = Time()
    hour = budget(1000, time=time)
    hour.hear(Limits(1000, 5, 40))
    time.now = 41
    hour.hear(Limits(1000, 9, None))
    assert hour.remaining == 9
    time.now = 41 + 3_600
    assert hour.remaining == 9
    time.now = 41 + 3_601
    assert hour.remaining == 1000


def test_a_reset_that_is_told_again_moves_with_it() -> None:
    """Within an hour its end is as the latest answer says, and stays if an answer says nothing."""
    time = Time()
    hour = budget(1000, time=time)
    hour.hear(Limits(1000, 5, 40))
    hour.hear(Limits(1000, 5, 80))
    hour.hear(Limits(1000, 4, None))
    time.now = 80.9
    assert hour.remaining == 4
    time.now = 81
    assert hour.remaining == 1000


def test_the_first_answer_is_of_the_hour_in_which_it_came() -> None:
    """Whatever the machine's clock counts from, what the API says applies from then on."""
    time = Time()
    hour = budget(1000, time=time)
    hour.hear(Limits(None, 7, None))
    assert hour.remaining == 7
    assert hour.per_hour == 1000


GAPS = st.lists(st.integers(0, 4_000), max_size=30)
"""Whole seconds, so that sums of them are exact."""
HEARD = st.lists(
    st.tuples(
        st.integers(0, 4_000),
        st.builds(Limits, st.none(), st.none() | st.integers(0, 9), st.none() | st.integers(0, 4_000)),
        st.booleans(),
    ),
    max_size=30,
)
"""Answers: seconds since the one before, what it says, and whether it is a 429."""


@given(st.integers(1, 5), GAPS)
def test_whoever_waits_as_long_as_is_said_never_sends_too_many(per_hour: int, gaps: list[int]) -> None:
    """No hour, whenever it begins, has more requests than allowed."""
    quota, now, sent = Quota(per_hour), 0.0, []
    for gap in gaps:
        now += gap
        now += quota.wait(now)
        quota.take(now)
        sent.append(now)
    assert all(later - first >= 3_600 for first, later in zip(sent, sent[per_hour:], strict=False))


@given(st.integers(1, 5), st.integers(0, 4), HEARD)
def test_a_wait_is_as_long_as_it_has_to_be(per_hour: int, spared: int, heard: list[tuple[int, Limits, bool]]) -> None:
    """Whatever was sent and heard, the wait ends when more requests are left than spared, and not a second earlier."""
    quota, now, spared = Quota(per_hour), 0.0, min(spared, per_hour - 1)
    for gap, limits, refused in heard:
        now += gap
        if not quota.wait(now):
            quota.take(now)
        quota.hear(limits, now, refused=refused)
    if wait := quota.wait(now, spared):
        assert quota.left(now) <= spared
        assert quota.wait(now + wait - 1, spared) == 1
    assert quota.wait(now + wait, spared) == 0
    assert quota.left(now + wait) > spared


@given(st.integers(0, 50), st.integers(0, 20), st.integers(1, 4_000))
def test_no_more_are_sent_before_the_reset_than_the_api_says_remain(told: int, out: int, reset: int) -> None:
    """What remains may or may not count requests in flight: they are subtracted."""
    quota = Quota(1_000)
    for _ in range(out + 1):
        quota.take(0.0)
    quota.hear(Limits(None, told, reset), 0.0)
    assert quota.left(0.0) == told - out
    sent = 0
    while not quota.wait(0.5):
        quota.take(0.5)
        sent += 1
    assert sent == max(0, told - out)
    assert quota.wait(0.5) == reset + 0.5

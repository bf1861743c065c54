"""The hour's requests are never overrun. The clock is an argument, so no test waits."""

from __future__ import annotations

import threading

import pytest

from sources.impact.budget import Budget
from sources.impact.errors import BudgetSpent
from sources.impact.protocol import Limits


class Time:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def budget(per_hour: int, max_wait: float = 0.0, time: Time | None = None) -> Budget:
    """A budget on a clock of its own."""
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
    """Where the API says that requests are spent for 40 seconds more, the run waits them."""
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
    """Requests that failed do not eat into the next hour for ever."""
    hour = budget(1000)
    for _ in range(3):
        hour.take()
    for _ in range(2):
        hour.hear()
    hour.hear(Limits(1000, 10, 1800))
    assert hour.remaining == 10


def test_a_smaller_hour_that_the_api_tells_holds() -> None:
    """An account that is allowed less than is configured is not asked for more, also where a later answer is silent."""
    hour = budget(1000)
    hour.hear(Limits(20, None, None))
    hour.hear(Limits(None, 15, 1800))
    assert hour.per_hour == 20


def test_what_the_api_counted_is_forgotten_at_its_reset_and_not_before() -> None:
    """Requests that others spent come back with the hour; our own come back one by one."""
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
    """Ctrl-C while waiting for the hour to turn does not wait for it."""
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
    assert ended == ["stopped while waiting for the hour to turn"]


def test_a_new_hour_is_recognised_where_no_reset_is_told() -> None:
    """Without a reset header, a large rise of what remains means that the hour has turned."""
    hour = budget(10_000)
    hour.hear(Limits(1000, 3, None))
    hour.hear(Limits(1000, 990, None))
    assert hour.remaining == 990

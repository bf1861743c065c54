"""How a request is repeated, without a server: each test says what is sent, and how long it waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from impact_source.api.retries import Retries
from impact_source.api.wire import Answer
from impact_source.errors import BudgetSpent, ImpactError, InvalidAnswer, NotFound, RateLimited, TooSlow, Unavailable


class Sender:
    """Fails with these errors, one per request and the last one for ever; answers where one is None."""

    def __init__(self, *errors: ImpactError | None) -> None:
        self._errors = errors
        self.sent = 0

    def __call__(self) -> Answer[str]:
        """Send a request."""
        error = self._errors[min(self.sent, len(self._errors) - 1)]
        self.sent += 1
        if error is not None:
            raise error
        return Answer("here", datetime.now(UTC), 0.0)


def never(_: float) -> None:
    """Fail if anything waits."""
    pytest.fail("nothing is to be waited for")


def test_waits_grow_with_jitter() -> None:
    """Starting at a tenth of the wait, each is twice as long, up to twenty times the wait; jitter adds up to one."""
    waited: list[float] = []
    with pytest.raises(Unavailable):
        Retries(12, 2.0, waited.append).repeat(Sender(Unavailable("503")))
    assert len(waited) == 11
    for number, wait in enumerate(waited):
        assert min(40, 0.2 * 2**number) <= wait <= min(40, 0.2 * 2**number) + 2


def test_without_a_wait_there_is_none() -> None:
    """Zero is zero, however often a request fails; it can still be stopped before it is repeated."""
    waited: list[float] = []
    with pytest.raises(Unavailable):
        Retries(4, 0.0, waited.append).repeat(Sender(Unavailable("503")))
    assert waited == [0.0] * 3


@pytest.mark.parametrize(("asked", "sent"), [(None, 3), (2, 2), (9, 3)])
def test_a_request_is_sent_as_often_as_may_be(asked: int | None, sent: int) -> None:
    """As configured, or fewer times if requested; the error says how often."""
    send = Sender(TooSlow("504"))
    with pytest.raises(TooSlow) as caught:
        Retries(3, 0.0, lambda _: None).repeat(send, asked)
    assert send.sent == caught.value.requests == sent


def test_an_answer_says_how_many_requests_it_took(caplog: pytest.LogCaptureFixture) -> None:
    """What may pass is sent again, and so is what is refused for lack of requests; each retry is logged."""
    send = Sender(Unavailable("503"), RateLimited("429"), InvalidAnswer("null"), None)
    answer = Retries(2, 0.0, lambda _: None).repeat(send)
    assert (answer.value, answer.requests) == ("here", 4)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["503; trying again", "null; trying again"]


def test_what_no_retry_helps_is_sent_once() -> None:
    """An error that is final is raised at once, without a wait."""
    send = Sender(NotFound("404"))
    with pytest.raises(NotFound):
        Retries(8, 1.0, never).repeat(send)
    assert send.sent == 1


def test_an_api_that_refuses_for_ever_ends_the_run() -> None:
    """Although the sender waits after each refusal, their number is limited."""
    send = Sender(RateLimited("429"))
    with pytest.raises(BudgetSpent, match="keeps refusing requests although the hourly limit has reset"):
        Retries(8, 1.0, never).repeat(send)
    assert send.sent == 5


@pytest.mark.parametrize("error", [BudgetSpent("stopped"), KeyboardInterrupt()])
def test_a_wait_that_is_ended_ends_the_retries(error: BaseException) -> None:
    """What the wait raises is raised, and nothing more is sent."""
    send = Sender(Unavailable("503"))

    def stop(_: float) -> None:
        raise error

    with pytest.raises(type(error)):
        Retries(8, 1.0, stop).repeat(send)
    assert send.sent == 1


def test_the_longest_request_has_an_end() -> None:
    """Threads wait this long: for every refusal, every wait, and the last answer."""
    retries = Retries(8, 2.0, never)
    assert retries.longest(900, 600) == 5 * 900 + 40 + 2 * (300 + 600)

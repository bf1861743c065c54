"""Repeats a request: after a wait if that can help, and again each time the hourly limit resets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import tenacity

from ..errors import BudgetSpent, RateLimited, ReadingError, TransientError
from .wire import Answer

_PATIENCE = 300.0
"""Seconds after which a request is not repeated any more."""
_REFUSALS = 5
"""How often one request waits for the hourly limit to reset before it gives up."""
_LONGEST = 20
"""How many times longer than the first a wait can become."""
_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Retries:
    """Sends a request up to `attempts` times while it may succeed, waiting about `wait` seconds at first."""

    attempts: int
    wait: float
    rest: Callable[[float], None]

    def repeat(self, send: Callable[[], Answer[T]], attempts: int | None = None) -> Answer[T]:
        """The final answer to a request.

        After a 429 it is sent again: `send` waits for the hourly limit to reset. Raises `BudgetSpent` if that does not
        help.
        """
        most = min(attempts or self.attempts, self.attempts)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_succeed),
            stop=tenacity.stop_after_attempt(most) | tenacity.stop_after_delay(_PATIENCE),
            wait=tenacity.wait_exponential(self.wait / 10, max=_LONGEST * self.wait)
            + tenacity.wait_random(0, self.wait),
            sleep=self.rest,
            before_sleep=_log_retry,
            reraise=True,
        )
        requests = 0

        def attempt() -> Answer[T]:
            nonlocal requests
            requests += 1
            try:
                return replace(send(), requests=requests)
            except ReadingError as error:
                error.requests = requests
                raise

        for _ in range(_REFUSALS):
            try:
                return retrying(attempt)
            except RateLimited as error:
                _log.info("%s", error)
        msg = "the API keeps refusing requests although the hourly limit has reset: run again later"
        raise BudgetSpent(msg)

    def longest(self, max_wait: float, one: float) -> float:
        """Seconds within which a request ends if an answer takes `one` and each reset `max_wait`; some to spare."""
        return _REFUSALS * max_wait + _LONGEST * self.wait + 2 * (_PATIENCE + one)


def _may_succeed(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, RateLimited)


def _log_retry(state: tenacity.RetryCallState) -> None:
    _log.warning("%s; trying again", state.outcome and state.outcome.exception())

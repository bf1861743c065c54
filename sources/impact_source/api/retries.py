"""How a request is repeated: after a while where that can help, and once more each time the hourly limit resets."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import stamina

from ..errors import BudgetSpent, RateLimited, ReadingError, TransientError
from .wire import Answer

ATTEMPTS = 8
"""How often a request is sent that may succeed yet."""
_PATIENCE = 300.0
"""Seconds that one request is retried for at the most."""
_REFUSALS = 5
"""How often one request waits for the hour to turn before it gives up."""
_log = logging.getLogger(__name__)

T = TypeVar("T")


def repeat(send: Callable[[], Answer[T]], rest: Callable[[float], None], attempts: int) -> Answer[T]:
    """What a request is answered with in the end; `rest` is called for the seconds before each attempt.

    A refusal for want of budget is repeated as often as `send` waits for the hour to turn. Raises `BudgetSpent` where
    that is not enough.
    """
    sent = itertools.count(1)
    for _ in range(_REFUSALS):
        try:
            for attempt in stamina.retry_context(_may_succeed, attempts=attempts, timeout=_PATIENCE, wait_max=0.0):
                with attempt:
                    rest(_backoff(attempt.num))
                    return _count(send, next(sent))
        except RateLimited as error:
            _log.info("%s", error)
    msg = "the API keeps refusing requests although the hour has turned: run again later"
    raise BudgetSpent(msg)


def longest(max_wait: float, one: float) -> float:
    """Seconds after which a request has ended that takes `one` each time and waits `max_wait`, with some to spare."""
    return _REFUSALS * max_wait + 2 * (_PATIENCE + one)


def _count(send: Callable[[], Answer[T]], requests: int) -> Answer[T]:
    try:
        return replace(send(), requests=requests)
    except ReadingError as error:
        error.requests = requests
        raise


def _backoff(attempt: int) -> float:
    """Seconds before an attempt. Ours, as stamina's own sleep cannot be ended when the run is abandoned."""
    if attempt == 1 or stamina.is_testing():
        return 0.0
    return min(20.0, 0.1 * 2.0 ** (attempt - 2) + random.random())  # noqa: S311 - jitter is no secret


def _may_succeed(error: Exception) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, RateLimited)

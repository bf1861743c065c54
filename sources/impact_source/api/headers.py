"""Reads the request limit and the server's clock from the headers of an answer. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EPOCH_FROM = 1_000_000_000
"""A reset above this is an epoch second; below it, seconds to wait. Both are in use."""
_EPOCH_UNTIL = 100_000_000_000
"""An epoch above this counts milliseconds, or smaller units: as seconds it would be the year 5138."""
_HOUR = 3_600.0
_WAIT_MAX = 24 * _HOUR
"""Seconds: no API that counts by the hour means a longer wait, unless the number is in milliseconds."""
_RESETS = ("retry-after", "x-ratelimit-reset", "ratelimit-reset", "x-ratelimit-reset-hour")


@dataclass(frozen=True)
class Limits:
    """What an answer says of the request budget; `reset` is the seconds until all of it is available again."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


def read_limits(headers: Mapping[str, str], now: datetime | None = None) -> Limits:
    """The request budget from whichever known headers an answer carries (names in any case)."""
    lower = {name.lower(): value for name, value in headers.items()}

    def number(*names: str) -> float | None:
        for name in names:
            try:
                value = float(lower[name].split(",")[0].split(";")[0])
            except (KeyError, ValueError):
                continue
            if math.isfinite(value):
                return value
        return None

    now = now or read_date(headers) or datetime.now(UTC)
    until = _instant(lower.get("retry-after"))  # HTTP also allows a date
    waits = [until.timestamp() - now.timestamp()] if until else [_wait(number(name), now) for name in _RESETS]
    reset = next((max(0.0, wait) for wait in waits if wait is not None and wait <= _WAIT_MAX), None)
    limit = number("x-ratelimit-limit", "x-ratelimit-limit-hour", "ratelimit-limit")
    remaining = number("x-ratelimit-remaining", "x-ratelimit-remaining-hour", "ratelimit-remaining")
    return Limits(
        limit=None if limit is None or limit < 1 else int(limit),
        remaining=None if remaining is None else max(0, int(remaining)),
        reset=reset,
    )


def _wait(number: float | None, now: datetime) -> float | None:
    """The seconds to wait that a number in any unit means; None if it cannot mean a wait."""
    if number is None or number < 0:
        return None
    if number < _EPOCH_FROM:
        return number / 1000 if _WAIT_MAX < number <= 1000 * _HOUR else number
    in_seconds = (number / unit for unit in (1, 10**3, 10**6, 10**9))  # seconds, milliseconds, or smaller units
    epoch = next((seconds for seconds in in_seconds if seconds < _EPOCH_UNTIL), None)
    return None if epoch is None else max(0.0, epoch - now.timestamp())


def read_date(headers: Mapping[str, str]) -> datetime | None:
    """The server's clock by the answer's Date header, to the second."""
    return _instant(next((value for name, value in headers.items() if name.lower() == "date"), None))


def _instant(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None

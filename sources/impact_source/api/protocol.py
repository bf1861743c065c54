"""Builds the query for a list of actions, and reads what a refusal means. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from ..errors import (
    CredentialsError,
    ImpactError,
    InvalidAnswer,
    NotFound,
    RateLimited,
    RequestRefused,
    ScopeError,
    TooSlow,
    Unavailable,
    WindowTooFull,
)
from ..plan.axis import Axis
from ..plan.windows import SECOND, Window, instant, round_second
from .headers import read_limits

HTTP_OK = 200
Body: TypeAlias = bytes | bytearray

_SLOW = frozenset({408, 502, 503, 504})
"""What a gateway answers if the API takes too long."""
_MANY = re.compile(
    r"too (many|large|much|big)|exceed|more than|match|reduce|narrow|page ?size|date range", re.IGNORECASE
)
"""Words of a refusal that may mean too many rows. A smaller query shows whether they do (`narrowing.plan_probes`)."""
_ROWS = re.compile(
    r"(\d[\d,.]*)\s*(?:matching\s+)?(?:records?|rows?|results?|actions?|matches|entries|conversions?)\b"
    r"|\b(?:total|found|match(?:es|ed)?|count)\b\D{0,12}?(\d[\d,.]*)",
    re.IGNORECASE,
)
_ROWS_MAX = 1_000_000_000
"""A larger number is not a row count."""


_OF_MANY = frozenset({"pagesize", *(name.lower() for axis in Axis for name in axis.value)})
"""Fields that a refusal of too many rows may name, in lower case: changing them could make it fewer."""


def build_actions_query(
    campaign_id: str, windows: Mapping[Axis, Window], page_size: int, state: str | None = None
) -> dict[str, str]:
    """Query parameters that list a campaign's actions lying in a window of each of these dates."""
    params = {"CampaignId": campaign_id}
    for axis, window in windows.items():
        start, end = axis.value
        last = max(
            round_second(window.end, up=True), round_second(window.start) + SECOND
        )  # it may be compared to the second
        params |= {start: instant(window.start), end: instant(last)}
    if state is not None:
        params["State"] = state
    return params | {"PageSize": str(page_size)}


def raise_for_status(status: int, headers: Mapping[str, str], body: Body) -> None:
    """Raise the error that a status other than 200 means, named by what to do next."""
    if status == HTTP_OK:
        return
    message, fields = _read_error(body)
    raise _error(status, message, fields, read_limits(headers).reset)


def read_refusal(status: int, body: Body) -> RequestRefused:
    """The refusal in a body, whatever the status says."""
    return _refusal(status, *_read_error(body))


def _read_error(body: Body) -> tuple[str, dict[str, str]]:
    """The message of an error and what is wrong with each of its fields, as far as the body says."""
    try:
        answer = msgspec.json.decode(body)
        message = str(answer.get("Message") or "")
        errors = answer.get("Errors") or []
        if isinstance(errors, dict):
            errors = [errors]
        return message, {str(item.get("Field", "")): str(item.get("Message", "")) for item in errors}
    except (msgspec.DecodeError, AttributeError, TypeError, RecursionError):
        return "", {}


def _error(  # noqa: PLR0911 - one answer for each status
    status: int, message: str, fields: dict[str, str], wait: float | None
) -> ImpactError:
    said = f": {message}" if message else ""
    match status:  # the table of what each status means to us
        case 401:
            return CredentialsError(f"the API refuses the credentials (401){said}; check account_sid and auth_token")
        case 403:
            return ScopeError(
                f"the token may not read this (403){said}; give it the scope in impact.com's API settings"
            )
        case 404:
            return NotFound(f"the API has no such object (404){said}")
        case 429:
            return RateLimited(f"the hourly request limit is reached (429){said}", wait)
        case _ if status < 300:  # noqa: PLR2004 - the class of success
            return InvalidAnswer(f"the API answers {status}, where 200 was expected")
        case _ if status >= 500 or status in {408, 425}:  # noqa: PLR2004 - server errors; took too long, too early
            return (TooSlow if status in _SLOW else Unavailable)(f"the API answers {status}{said}")
        case 400:
            return _refusal(status, message, fields)
    refused = _refusal(status, message, fields)
    return RequestRefused(str(refused), refused.fields, refused.said)


def _refusal(status: int, message: str, fields: dict[str, str]) -> RequestRefused:
    """A refusal of the parameters; `WindowTooFull` where it may mean that too many rows match."""
    said = "; ".join([*([message] if message else []), *(f"{field}: {why}" for field, why in fields.items())])
    text = f"the API refuses the request ({status}){': ' if said else ''}{said}"
    named = {field.lower() for field in fields}
    if named <= _OF_MANY and (named or not message or _MANY.search(message)):
        return WindowTooFull(text, tuple(fields), said, _total_in(message))
    return RequestRefused(text, tuple(fields), said)


def _total_in(message: str) -> int | None:
    """The largest number in a refusal: if it names both the limit and the total, the total is the larger."""
    numbers = [int(re.sub(r"\D", "", found[1] or found[2])) for found in _ROWS.finditer(message)]
    return max((number for number in numbers if number < _ROWS_MAX), default=None)

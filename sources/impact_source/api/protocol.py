"""What is asked of the API and what an answer means. No I/O: (status, headers, body) in, data or an error out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec
import pyarrow as pa

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
from ..rows.nesting import flatten

HTTP_OK = 200
Body: TypeAlias = bytes | bytearray
_LIST = 3
"""Levels down to the values of a record in a list: the answer, the list, the record."""
_EPOCH_FROM = 1_000_000_000
"""A reset above this is an epoch second; below it is a number of seconds to wait. Both are in use."""
_EPOCH_UNTIL = 100_000_000_000
"""An epoch above this counts milliseconds, or less: as seconds it would be the year 5138."""
_HOUR = 3_600.0
_WAIT_MAX = 24 * _HOUR
"""Seconds: a longer wait is not meant where requests are counted by the hour, unless in milliseconds."""
_RESETS = ("retry-after", "x-ratelimit-reset", "ratelimit-reset", "x-ratelimit-reset-hour")


_SLOW = frozenset({408, 502, 503, 504})
"""What a gateway answers when the API takes too long."""
_MANY = re.compile(
    r"too (many|large|much|big)|exceed|more than|match|reduce|narrow|page ?size|date range", re.IGNORECASE
)
"""Words of a refusal that may mean too many rows. Whether they do, a smaller question tells (`narrowing.probes`)."""
_ROWS = re.compile(
    r"(\d[\d,.]*)\s*(?:matching\s+)?(?:records?|rows?|results?|actions?|matches|entries|conversions?)\b"
    r"|\b(?:total|found|match(?:es|ed)?|count)\b\D{0,12}?(\d[\d,.]*)",
    re.IGNORECASE,
)
_ROWS_MAX = 1_000_000_000
"""A larger number is no number of rows."""


_OF_MANY = frozenset({"pagesize", *(name.lower() for axis in Axis for name in axis.value)})
"""Fields that a refusal of too many rows may name, in lower case: those that could make it fewer."""


@dataclass(frozen=True)
class Page:
    """One page of a list: `records` is a JSON list, a view of the answer; `total` counts the rows of all pages."""

    records: memoryview
    total: int | None
    number: int
    pages: int
    next: str | None
    size: int | None = None
    """Records a page, as the answer says; it may be less than was asked for."""


@dataclass(frozen=True)
class Limits:
    """What an answer says of the request budget; `reset` is the seconds until it is whole again."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


def actions_params(
    campaign_id: str, windows: Mapping[Axis, Window], page_size: int, state: str | None = None
) -> dict[str, str]:
    """Query parameters that list a campaign's actions which lie in a window of each of these dates."""
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


def read_page(status: int, headers: Mapping[str, str], body: Body, *keys: str) -> Page:
    """The page that an answer holds under the first of `keys` that it has.

    Raises what `raise_for_status` does, and `InvalidAnswer` where a 200 is not a list: that is never "no rows".
    """
    answer = _decode(status, headers, body)
    key = next((name for name in keys if name in answer), None)
    if key is None and _text(answer, "Status").upper() == "ERROR":
        raise _refusal(status, *_read_error(body))
    if key is None:
        msg = f"the answer has no list {keys[0]!r}"
        raise InvalidAnswer(msg)
    records = memoryview(answer[key])
    if bytes(records[:1]) == b"{":  # a list of one is sometimes sent as the object alone
        alone = bytes(_decode(status, headers, body, depth=_LIST - 1)[key])
        records = memoryview(b"[" + alone + b"]")
    if bytes(records[:1]) != b"[":
        msg = f"the answer has no list in {key!r} but {bytes(records[:40])!r}"
        raise InvalidAnswer(msg)
    return Page(
        records=records,
        total=_whole_number(answer, "@total"),
        number=_whole_number(answer, "@page") or 1,
        pages=_whole_number(answer, "@numpages") or 1,
        next=_text(answer, "@nextpageuri") or None,
        size=_whole_number(answer, "@pagesize"),
    )


def count_records(page: Page) -> int:
    """How many records a page holds."""
    return len(msgspec.json.decode(page.records, type=list[msgspec.Raw]))


def page_link(first: Page, number: int) -> str:
    """The link to page `number` of the list that `first` begins, made from its link to page 2."""
    if first.next is None:
        msg = f"the answer says {first.pages} pages and links to none"
        raise InvalidAnswer(msg)
    path, _, query = first.next.partition("?")
    parameters = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name.lower() != "page"]
    return f"{path}?{urlencode([*parameters, ('Page', str(number))])}"


def read_object(status: int, headers: Mapping[str, str], body: Body, **wanted: str) -> bytes:
    """The one object that an answer holds, as JSON; it must have these fields. Raises as `read_page` does."""
    answer = _decode(status, headers, body, depth=1)
    for key, value in wanted.items():
        if (found := _text(answer, key)) != value:
            msg = f"asked for the object whose {key} is {value!r}, the answer has {found[:40]!r}"
            raise InvalidAnswer(msg)
    return msgspec.json.encode(answer)


def raise_for_status(status: int, headers: Mapping[str, str], body: Body) -> None:
    """Raise the error that a status other than 200 means, named by what to do next."""
    if status == HTTP_OK:
        return
    message, fields = _read_error(body)
    raise _error(status, message, fields, read_limits(headers))


def read_limits(headers: Mapping[str, str], now: datetime | None = None) -> Limits:
    """The request budget from whichever of its known headers an answer carries (names in any case)."""
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
    until = _instant(lower.get("retry-after"))  # HTTP allows a date there
    waits = [until.timestamp() - now.timestamp()] if until else [_wait(number(name), now) for name in _RESETS]
    reset = next((max(0.0, wait) for wait in waits if wait is not None and wait <= _WAIT_MAX), None)
    limit = number("x-ratelimit-limit", "x-ratelimit-limit-hour", "ratelimit-limit")
    remaining = number("x-ratelimit-remaining", "x-ratelimit-remaining-hour", "ratelimit-remaining")
    return Limits(
        limit=None if limit is None or limit < 1 else int(limit),
        remaining=None if remaining is None else max(0, int(remaining)),
        reset=reset,
    )


def _wait(told: float | None, now: datetime) -> float | None:
    """The seconds that a number in whichever unit tells to wait; None for one that cannot be meant."""
    if told is None or told < 0:
        return None
    if told < _EPOCH_FROM:
        return told / 1000 if _WAIT_MAX < told <= 1000 * _HOUR else told
    in_seconds = (told / unit for unit in (1, 10**3, 10**6, 10**9))  # as it stands, milliseconds, or less
    epoch = next((seconds for seconds in in_seconds if seconds < _EPOCH_UNTIL), None)
    return None if epoch is None else max(0.0, epoch - now.timestamp())


def read_date(headers: Mapping[str, str]) -> datetime | None:
    """The server's clock as the answer's Date header tells it, to the second."""
    return _instant(next((value for name, value in headers.items() if name.lower() == "date"), None))


def _instant(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None


def _decode(status: int, headers: Mapping[str, str], body: Body, depth: int = _LIST) -> dict[str, msgspec.Raw]:
    """The answer's fields as they came; where they are nested too deeply to be read, those below `depth` are text."""
    raise_for_status(status, headers, body)
    if not _is_utf8(body):
        body = body.decode(errors="replace").encode()  # one bad byte costs a character, not the page
    try:
        try:
            return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except RecursionError:
            return msgspec.json.decode(flatten(bytes(body), depth), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        msg = f"the answer is no JSON object ({error}): it begins with {body[:40]!r}"
        raise InvalidAnswer(msg) from None


def _is_utf8(body: Body) -> bool:
    """Whether all of it is text; Arrow sees that without making the text, which takes up to four times the page."""
    ends = pa.array([0, len(body)], pa.int64()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(body)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _read_error(body: Body) -> tuple[str, dict[str, str]]:
    """The message of an error and its fields with what is wrong with each, as far as the body tells."""
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
    status: int, message: str, fields: dict[str, str], limits: Limits
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
            return NotFound(f"the API knows no such thing (404){said}")
        case 429:
            return RateLimited(f"the hour's requests are spent (429){said}", limits.reset)
        case _ if status < 300:  # noqa: PLR2004 - the class of success
            return InvalidAnswer(f"the API answers {status}, which is not the 200 of an answer")
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
    """The largest number of rows in a refusal: where it names the limit and the total, the total is the larger."""
    numbers = [int(re.sub(r"\D", "", found[1] or found[2])) for found in _ROWS.finditer(message)]
    return max((number for number in numbers if number < _ROWS_MAX), default=None)


def _text(answer: dict[str, msgspec.Raw], key: str) -> str:
    if key not in answer:
        return ""
    value = msgspec.json.decode(answer[key])
    return "" if value is None else str(value)


def _whole_number(answer: dict[str, msgspec.Raw], key: str) -> int | None:
    text = _text(answer, key)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        msg = f"the answer's {key} is no number: {text[:40]!r}"
        raise InvalidAnswer(msg) from None

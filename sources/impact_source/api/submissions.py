"""What the API answers to a change, and its submission: what became of the change later. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from ..errors import (
    InvalidAnswer,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ScopeError,
    TransientError,
    WindowTooFull,
)
from ..parsing import parse_bound, start_of
from .answers import read_object
from .protocol import HTTP_OK, Body, raise_for_status

_LIST: Final = "APISubmissions"
_NO_ERROR: Final = frozenset({"", "none", "null"})
"""How an API says that there was no error, other than by an empty value."""
_SUCCESS = range(200, 300)
_ERRORS_FROM = 400


@dataclass(frozen=True)
class Queued:
    """A change that was accepted for processing; `batch_id` identifies its submission."""

    batch_id: str
    status: int = HTTP_OK
    """The status of the answer."""


class Submission(msgspec.Struct, frozen=True, rename="pascal"):
    """What the API says of an accepted change; every value as sent, `''` if there is none."""

    batch_id: str
    status: str = ""
    type: str = ""
    payload: str = ""
    submission_date: str = ""
    completion_date: str = ""
    error_type: str = ""
    error_reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether it has been processed."""
        return self.status.replace(" ", "").lower() == "complete"

    @property
    def errors(self) -> tuple[str, ...]:
        """The codes of what kept it from taking effect; empty if nothing did, which some APIs report as NONE."""
        codes = tuple(word for word in self.error_reason.split() if word.lower() not in _NO_ERROR)
        kind = self.error_type.strip()
        return codes or (() if kind.lower() in _NO_ERROR else (kind,))

    @property
    def submitted(self) -> datetime | None:
        """When it was accepted, UTC; None if that cannot be read."""
        try:
            return start_of(parse_bound(self.submission_date), UTC)
        except ValueError:
            return None


def read_queued(status: int, headers: Mapping[str, str], body: Body) -> Queued:
    """The answer to a change.

    Raises `OutcomeUnknown` if it may have been accepted after all: a 5xx, a redirect, an unusable 200. Any other error
    says that it was not accepted: `RequestRefused`, `NotFound`, `CredentialsError`, `ScopeError`, `RateLimited`.
    """
    if status in _SUCCESS:
        try:
            queued = msgspec.json.decode(body, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError) as error:
            msg = f"the answer to the change is not a JSON object ({error}): it begins with {bytes(body[:40])!r}"
            raise OutcomeUnknown(msg, status) from None
        uri = queued.get("QueuedUri")
        if not isinstance(uri, str) or not (batch_id := _batch_id(uri)):
            msg = f"the answer to the change names no submission: {bytes(body[:200])!r}"
            raise OutcomeUnknown(msg, status)
        return Queued(batch_id, status)
    if status < _ERRORS_FROM:
        msg = f"the API answers the change with a redirect ({status}), which is not followed"
        raise OutcomeUnknown(msg, status)
    try:
        raise_for_status(status, headers, body)
    except RateLimited:
        raise
    except TransientError as error:
        raise OutcomeUnknown(str(error), status) from None
    except ScopeError as error:
        msg = str(error).replace("may not read this", "may not change actions")
        raise ScopeError(msg) from None
    except WindowTooFull as error:  # what a 400 without fields means for a list
        raise RequestRefused(str(error).replace("the window", "the change")) from None
    msg = f"the API answers the change with {status}"
    raise OutcomeUnknown(msg, status)


def _batch_id(uri: str) -> str:
    """The submission that a link leads to, however the link is written; empty if it leads to none."""
    try:
        path = urlsplit(uri.strip()).path
    except ValueError:
        return ""
    last = unquote(path.rstrip("/").rpartition("/")[2].removesuffix(".json"))
    return "" if last == _LIST else last


def read_submission(batch_id: str, status: int, headers: Mapping[str, str], body: Body) -> Submission:
    """One submission. Raises as `read_object` does."""
    return _submission(read_object(status, headers, body, BatchId=batch_id))


def read_submissions(records: memoryview) -> list[Submission]:
    """The submissions of a page of their list."""
    return [_submission(bytes(raw)) for raw in msgspec.json.decode(records, type=list[msgspec.Raw])]


def _submission(raw: bytes) -> Submission:
    try:
        fields = msgspec.json.decode(raw, type=dict[str, object])
        values = {name: "" if value is None else str(value) for name, value in fields.items()}
        return msgspec.convert(values, Submission)
    except (msgspec.MsgspecError, RecursionError) as error:
        msg = f"the submission cannot be read: {error}"
        raise InvalidAnswer(msg) from None

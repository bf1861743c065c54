"""What a fault makes of an answer. Faults that break HTTP itself, which no answer can express, are in `line`."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import msgspec

from .faults import Faults, Kind
from .replies import Reply, Request


@dataclass(frozen=True)
class Hit:
    """A request that a fault hits: its answer, the world's time, and the request's number."""

    request: Request
    reply: Reply
    now: datetime
    faults: Faults
    number: int

    @property
    def reset(self) -> str:
        """The seconds to wait."""
        return str(self.faults.wait)

    @property
    def epoch(self) -> str:
        """The instant to wait for, in epoch seconds."""
        return str(int(self.now.timestamp()) + self.faults.wait)

    @property
    def epoch_ms(self) -> str:
        """The same in milliseconds."""
        return f"{self.epoch}000"

    @property
    def absurd(self) -> str:
        """A wait that makes no sense."""
        return _ABSURD[self.number % len(_ABSURD)]

    @property
    def date(self) -> str:
        """The instant to wait for, as an HTTP date."""
        return format_datetime(self.now + timedelta(seconds=self.faults.wait), usegmt=True)


_ABSURD = ("-5", "1e300", "nan", "99999999999999999999", "31536000", "Fri, 31 Dec 9999 23:59:59 GMT")
_BOMB = 16 << 20
"""Bytes that a few kilobytes unpack to."""
_Parts = Mapping[str, msgspec.Raw | str]
"""An answer's envelope and its list; the list is raw JSON."""
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Please wait</title></head><body><h1>Please wait</h1></body></html>\n"


def json_reply(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    """Build an answer in JSON."""
    return Reply(status, msgspec.json.encode(body), {"Content-Type": "application/json", **(headers or {})})


def _limit(headers: Callable[[Hit], dict[str, str]]) -> Callable[[Hit], Reply]:
    message = {"Status": "ERROR", "Message": "The limit of requests an hour is reached"}
    return lambda hit: json_reply(429, message, headers(hit))


def _standard(reset: str) -> dict[str, str]:
    return {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}


def _hour(reset: str) -> dict[str, str]:
    return {"X-RateLimit-Limit-hour": "1000", "X-RateLimit-Remaining-hour": "0", "RateLimit-Reset": reset}


def _html(status: int) -> Reply:
    return Reply(status, _PAGE, {"Content-Type": "text/html; charset=utf-8"})


def _error(status: int) -> Callable[[Hit], Reply]:
    """Return an error as the API, a gateway in front of it, or neither would send it: the request's number decides."""

    def reply(hit: Hit) -> Reply:
        match hit.number % 3:
            case 0:
                return json_reply(status, {"Status": "ERROR", "Message": "Something went wrong"})
            case 1:
                return _html(status)
            case _:
                return Reply(status)

    return reply


def _gzipped(damage: Callable[[bytes], bytes], encoding: str = "gzip") -> Callable[[Hit], Reply]:
    def reply(hit: Hit) -> Reply:
        packed = damage(gzip.compress(hit.reply.body, mtime=0))
        return replace(hit.reply, body=packed, headers={**hit.reply.headers, "Content-Encoding": encoding})

    return reply


def _damaged(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 8]) + packed[middle + 8 :]


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(_BOMB), mtime=0)


def _ok(body: Callable[[bytes], bytes]) -> Callable[[Hit], Reply | None]:
    """Put another body under the status and headers of a good answer; None if the answer is not good."""
    return lambda hit: replace(hit.reply, body=body(hit.reply.body)) if hit.reply.status == HTTPStatus.OK else None


def _listing(change: Callable[[_Parts, Request], _Parts]) -> Callable[[Hit], Reply | None]:
    """Change parts of a list's answer; None if the answer is not a list."""

    def reply(hit: Hit) -> Reply | None:
        if not hit.reply.body.startswith(b'{"@'):
            return None
        parts = msgspec.json.decode(hit.reply.body, type=dict[str, msgspec.Raw])
        return replace(hit.reply, body=msgspec.json.encode(change(parts, hit.request)))

    return reply


def _without_list(parts: _Parts, _: Request) -> _Parts:
    return {key: value for key, value in parts.items() if key.startswith("@")}


def _next_self(parts: _Parts, _: Request) -> _Parts:
    return {**parts, "@nextpageuri": parts["@uri"]}


def _next_elsewhere(parts: _Parts, _: Request) -> _Parts:
    return {**parts, "@nextpageuri": f"https://elsewhere.invalid{_text(parts['@lastpageuri'])}"}


def _next_endless(parts: _Parts, request: Request) -> _Parts:
    path = urlsplit(_text(parts["@lastpageuri"])).path
    query = urlencode({**request.query, "Page": str(int(_text(parts["@page"])) + 1)})
    return {**parts, "@nextpageuri": f"{path}?{query}", "@numpages": "1000000"}


def _text(value: msgspec.Raw | str) -> str:
    return value if isinstance(value, str) else msgspec.json.decode(value, type=str)


CHANGES: dict[Kind, Callable[[Hit], Reply | None]] = {
    Kind.LIMIT: _limit(lambda hit: _standard(hit.reset)),
    Kind.LIMIT_EPOCH: _limit(lambda hit: _standard(hit.epoch)),
    Kind.LIMIT_EPOCH_MS: _limit(lambda hit: _standard(hit.epoch_ms)),
    Kind.LIMIT_HOUR: _limit(lambda hit: _hour(hit.reset)),
    Kind.LIMIT_HOUR_EPOCH: _limit(lambda hit: _hour(hit.epoch)),
    Kind.LIMIT_RETRY_AFTER: _limit(lambda hit: {"Retry-After": hit.reset}),
    Kind.LIMIT_RETRY_DATE: _limit(lambda hit: {"Retry-After": hit.date}),
    Kind.LIMIT_BARE: _limit(lambda _: {}),
    Kind.LIMIT_ABSURD: _limit(lambda hit: {"Retry-After": hit.absurd, **_standard(hit.absurd)}),
    Kind.ERROR_500: _error(500),
    Kind.ERROR_502: _error(502),
    Kind.ERROR_503: _error(503),
    Kind.ERROR_504: _error(504),
    Kind.EMPTY: _ok(lambda _: b""),
    Kind.HTML: lambda _: _html(200),
    Kind.NULL: _ok(lambda _: b"null"),
    Kind.LISTLESS: _listing(_without_list),
    Kind.CUT: _ok(lambda body: body[: len(body) // 2]),
    Kind.GZIP_DAMAGED: _gzipped(_damaged),
    Kind.GZIP_CUT: _gzipped(lambda packed: packed[: len(packed) // 2]),
    Kind.GZIP_BOMB: _gzipped(lambda _: _bomb()),
    Kind.GZIP_TWICE: _gzipped(lambda packed: gzip.compress(packed, mtime=0), "gzip, gzip"),
    Kind.NEXT_SELF: _listing(_next_self),
    Kind.NEXT_ELSEWHERE: _listing(_next_elsewhere),
    Kind.NEXT_ENDLESS: _listing(_next_endless),
}

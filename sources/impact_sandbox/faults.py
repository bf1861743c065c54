"""What goes wrong between the API and its clients, thrown by rate and seed: answers that are none, lines that break.

Which request is hit, and how, depends on the seed and the request's number alone. What a fault does to an answer is
told here; those that no answer can express, because they break HTTP itself, are carried out in `line`.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from random import Random
from urllib.parse import urlencode, urlsplit

import msgspec

from .replies import Reply, Request


class Kind(StrEnum):
    """The faults, by the name under which they are counted."""

    LIMIT = "429, X-RateLimit"
    LIMIT_EPOCH = "429, X-RateLimit, epoch"
    LIMIT_EPOCH_MS = "429, X-RateLimit, epoch in milliseconds"
    LIMIT_HOUR = "429, X-RateLimit-hour"
    LIMIT_HOUR_EPOCH = "429, X-RateLimit-hour, epoch"
    LIMIT_RETRY_AFTER = "429, Retry-After"
    LIMIT_RETRY_DATE = "429, Retry-After, date"
    LIMIT_BARE = "429, no header"
    LIMIT_ABSURD = "429, a wait that cannot be meant"
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    ERROR_504 = "504"
    EMPTY = "200, empty"
    HTML = "200, HTML"
    NULL = "200, null"
    LISTLESS = "200, no list"
    CUT = "200, cut"
    GZIP_DAMAGED = "200, gzip damaged"
    GZIP_CUT = "200, gzip cut"
    GZIP_BOMB = "200, gzip bomb"
    GZIP_TWICE = "200, gzip within gzip"
    NEXT_SELF = "next page is this one"
    NEXT_ELSEWHERE = "next page on another host"
    NEXT_ENDLESS = "next pages without end"
    REFUSED = "connection refused"
    RESET = "reset before the answer"
    RESET_AMID = "reset amid the answer"
    CLOSED_AMID = "closed amid the answer"
    LENGTH_LONG = "Content-Length too long"
    LENGTH_SHORT = "Content-Length too short"
    DRIP = "slow drip"
    DRIP_HEAD = "head without end"
    DRIP_INFORM = "1xx without end"
    DRIP_GZIP = "gzip that yields nothing, without end"
    DRIP_TRAILER = "trailer without end"
    HANG = "no answer"


STAYING = frozenset({Kind.LIMIT_BARE, Kind.LIMIT_ABSURD, Kind.NEXT_ELSEWHERE})
"""What ends a run: an hour to wait, and a link that must not be followed."""
PASSING = tuple(kind for kind in Kind if kind not in STAYING)
"""Faults that another attempt fixes."""

_UNDONE = frozenset({Kind.REFUSED, *(kind for kind in Kind if kind.startswith("429"))})
_EITHER = frozenset({Kind.RESET, Kind.HANG, *(kind for kind in Kind if kind.startswith("5"))})


@dataclass(frozen=True)
class Faults:
    """Which requests go wrong, and how.

    Draw:
        rate: the share of requests that go wrong, 0 to 1.
        seed: the same seed picks the same requests, counted from when the faults were set, and the same faults.
        kinds: what may happen to a request, each as likely as the others.
        most_in_a_row: so often in a row the same request goes wrong; then it is answered. None for no bound.
        expire_after: after so many requests, every further one gets an answer that its credentials are wrong.

    Severity:
        wait: the seconds to wait in a 429.
        slowly: the seconds over which a body drips.
        hang: the seconds after which a request that got no answer, or one without end, is dropped, unless its client
            leaves before.
        closed: the seconds for which connections are refused.
    """

    rate: float = 0.0
    seed: int = 1
    kinds: tuple[Kind, ...] = PASSING
    most_in_a_row: int | None = 3
    expire_after: int | None = None
    wait: int = 1
    slowly: float = 0.3
    hang: float = 5.0
    closed: float = 0.3

    def draw(self, number: int) -> Kind | None:
        """What happens to the request with this number, the first being 1; None if it is answered."""
        chance = Random(f"{self.seed} {number}")  # noqa: S311 - the same for the same seed is what is wanted
        return chance.choice(self.kinds) if chance.random() < self.rate and self.kinds else None


@dataclass
class Thrower:
    """Throws faults at requests as they come, and counts them in `thrown`."""

    thrown: Counter[str] = field(default_factory=Counter)
    _faults: Faults = field(default_factory=Faults)
    _number: int = 0
    _in_a_row: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> Faults:
        """What goes wrong; setting it restarts the count of requests."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults, self._number = faults, 0
        self._in_a_row.clear()

    def throw(self, request: Request, answer: Callable[[], Reply], now: datetime) -> tuple[Kind | None, Reply]:
        """The fault that hits a request, if any, and its answer, which the fault may have changed.

        A request that is refused is not carried out, so no `answer` is computed; of those that fail otherwise without
        one, every other is carried out all the same.
        Faults that change nothing of this answer, as a link to the next page where there are no pages, do not hit.
        """
        self._number += 1
        key, faults = f"{request.path} {sorted(request.query.items())}", self._faults
        if faults.expire_after is not None and self._number > faults.expire_after:
            self.thrown["401"] += 1
            return None, _json(401, {"Status": "ERROR", "Message": "The AccountSID or the AuthToken is wrong"})
        kind = faults.draw(self._number)
        many = faults.most_in_a_row is not None and self._in_a_row[key] >= faults.most_in_a_row
        if kind is None or many:
            self._in_a_row.pop(key, None)
            return None, answer()
        undone = kind in _UNDONE or (kind in _EITHER and self._number % 2 == 0)
        reply = Reply() if undone else answer()
        change = _CHANGES.get(kind)
        changed = change(_Hit(request, reply, now, faults, self._number)) if change else reply
        if changed is None:
            return None, reply
        self._in_a_row[key] += 1
        self.thrown[kind.value] += 1
        return kind, changed


@dataclass(frozen=True)
class _Hit:
    request: Request
    reply: Reply
    now: datetime
    faults: Faults
    number: int

    @property
    def reset(self) -> str:
        return str(self.faults.wait)

    @property
    def epoch(self) -> str:
        return str(int(self.now.timestamp()) + self.faults.wait)

    @property
    def epoch_ms(self) -> str:
        return f"{self.epoch}000"

    @property
    def absurd(self) -> str:
        return _ABSURD[self.number % len(_ABSURD)]

    @property
    def date(self) -> str:
        return format_datetime(self.now + timedelta(seconds=self.faults.wait), usegmt=True)


_ABSURD = ("-5", "1e300", "nan", "99999999999999999999", "31536000", "Fri, 31 Dec 9999 23:59:59 GMT")
_BOMB = 16 << 20
"""Bytes that some kilobytes unpack to."""
_Parts = Mapping[str, msgspec.Raw | str]
"""An answer's envelope and its list, the latter untouched as JSON."""
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Please wait</title></head><body><h1>Please wait</h1></body></html>\n"


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, msgspec.json.encode(body), {"Content-Type": "application/json", **(headers or {})})


def _limit(headers: Callable[[_Hit], dict[str, str]]) -> Callable[[_Hit], Reply]:
    message = {"Status": "ERROR", "Message": "The limit of requests an hour is reached"}
    return lambda hit: _json(429, message, headers(hit))


def _standard(reset: str) -> dict[str, str]:
    return {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}


def _hour(reset: str) -> dict[str, str]:
    return {"X-RateLimit-Limit-hour": "1000", "X-RateLimit-Remaining-hour": "0", "RateLimit-Reset": reset}


def _html(status: int) -> Reply:
    return Reply(status, _PAGE, {"Content-Type": "text/html; charset=utf-8"})


def _error(status: int) -> Callable[[_Hit], Reply]:
    """An error as it comes from the API, from a gateway before it, or from neither: the number of the request says."""

    def reply(hit: _Hit) -> Reply:
        match hit.number % 3:
            case 0:
                return _json(status, {"Status": "ERROR", "Message": "Something went wrong"})
            case 1:
                return _html(status)
            case _:
                return Reply(status)

    return reply


def _gzipped(damage: Callable[[bytes], bytes], encoding: str = "gzip") -> Callable[[_Hit], Reply]:
    def reply(hit: _Hit) -> Reply:
        packed = damage(gzip.compress(hit.reply.body, mtime=0))
        return replace(hit.reply, body=packed, headers={**hit.reply.headers, "Content-Encoding": encoding})

    return reply


def _damaged(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 8]) + packed[middle + 8 :]


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(_BOMB), mtime=0)


def _ok(body: Callable[[bytes], bytes]) -> Callable[[_Hit], Reply | None]:
    """Another body under the status and the headers of a good answer; None where the answer is none."""
    return lambda hit: replace(hit.reply, body=body(hit.reply.body)) if hit.reply.status == HTTPStatus.OK else None


def _listing(change: Callable[[_Parts, Request], _Parts]) -> Callable[[_Hit], Reply | None]:
    """A change to the parts of a list's answer; None where the answer is no list."""

    def reply(hit: _Hit) -> Reply | None:
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


_CHANGES: dict[Kind, Callable[[_Hit], Reply | None]] = {
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

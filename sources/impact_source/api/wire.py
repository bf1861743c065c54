"""Sends one request: where it may go, how long it may take, and what its answer says of time and limits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit

import httpx

from ..errors import ConfigurationError, InvalidAnswer, TooSlow, Unavailable
from ..settings import IN_FLIGHT_MAX, Settings
from .budget import Budget
from .clock import Clock
from .connections import Connections, drop
from .headers import Limits, read_date, read_limits
from .protocol import HTTP_OK, Body
from .room import Room
from .transfer import Packed, fetch
from .transport import build_http_client

_REDIRECTS = 3
_SLOW = (httpx.ReadTimeout, httpx.WriteTimeout)
"""The time-outs after the API was reached."""
_log = logging.getLogger(__name__)
for _name in ("httpx", "httpcore"):  # they log URLs, which contain the AccountSID
    logging.getLogger(_name).setLevel(logging.WARNING)

_AT_ONCE = 48 << 20
"""Bytes of answers that are unpacked and read at once: parsing takes several times that, however many threads read."""
_IN_TURN = 10.0
"""Seconds that one answer may keep others waiting for that."""

T = TypeVar("T")
S = TypeVar("S")
Reader: TypeAlias = Callable[[int, Mapping[str, str], Body], T]
"""Reads an answer from its status, headers and body."""


@dataclass(frozen=True)
class Patience:
    """Seconds to wait: for a connection, for the next bytes of an answer, for room to send, for the complete answer.

    `most_bytes` is what an answer may unpack to: the largest page ever requested needs less than half of it.
    """

    connect: float = 10.0
    read: float = 60.0
    write: float = 30.0
    total: float = 600.0
    most_bytes: int = 1 << 30

    @property
    def timeout(self) -> httpx.Timeout:
        """Those that httpx takes."""
        return httpx.Timeout(self.read, connect=self.connect, write=self.write, pool=None)


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What an answer held, when it arrived (the server's clock, and a counter of seconds), and what it took."""

    value: T
    read_at: datetime
    arrived: float
    requests: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Heard:
    """An answer as it came, neither unpacked nor parsed yet."""

    response: httpx.Response
    body: Packed
    read_at: datetime
    arrived: float
    seconds: float

    def unpacked(self) -> Heard:
        """The same answer. Raises what unpacking does."""
        return replace(self, body=Packed(self.body.unpack(), zipped=False, most=self.body.most))

    def read(self, read: Reader[T], then: Callable[[T, datetime], S]) -> Answer[S]:
        """The answer as parsed by `read`, and what is made of it `then`, before its bytes are released.

        If it cannot be read, its connection is not reused.
        """
        try:
            value = read(self.response.status_code, self.response.headers, self.body.unpack())
        except (InvalidAnswer, httpx.DecodingError):
            drop(self.response)
            raise
        return Answer(then(value, self.read_at), self.read_at, self.arrived, seconds=self.seconds)


def as_read(value: T, _: datetime) -> T:
    """What was read, as it is."""
    return value


class Wire:
    """Sends requests of one account; clock and budget learn from the answers. Safe between threads."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        budget: Budget,
        patience: Patience,
        *,
        keepalive: int = IN_FLIGHT_MAX,
    ) -> None:
        self.clock, self.budget = clock, budget
        self.seconds = 0.0
        """How long the latest answer took."""
        self._masked, self._patience = settings.masked, patience
        self._origin = httpx.URL(settings.base_url)
        self._connections = Connections()
        self._room = Room(_AT_ONCE, _IN_TURN)
        self.http = build_http_client(settings, patience.timeout, self._connections, keepalive=keepalive)

    def close(self) -> None:
        """Close the idle connections."""
        self.http.close()

    def end(self) -> None:
        """End every connection, now and later: any read of an answer fails."""
        self._connections.end()

    def resolve(self, link: str) -> httpx.URL:
        """The absolute URL of a link. Raises if it leaves our origin: credentials go nowhere else."""
        with self._masked.errors():
            try:
                url = self._origin.join(link)
            except httpx.InvalidURL as error:
                msg = f"the API sent an invalid link ({error}): {link[:80]!r}"
                raise InvalidAnswer(msg) from None
            if (url.scheme, url.host, url.port) != (self._origin.scheme, self._origin.host, self._origin.port):
                msg = f"the API links to another host ({urlsplit(str(url)).hostname}), not followed: check base_url"
                raise ConfigurationError(msg)
            return url

    def get(
        self, url: httpx.URL, params: Mapping[str, str] | None, read: Reader[T], then: Callable[[T, datetime], S]
    ) -> Answer[S]:
        """The answer to a request within the budget, redirects followed. An error shows no credentials."""
        # One connection may always reach the same machine, whose clock may be the wrong one.
        headers = None if self.clock.settled else {"Connection": "close"}
        request = self.http.build_request("GET", url, params=params, headers=headers)
        with self._masked.errors():
            for _ in range(_REDIRECTS):
                self.budget.rest(0)  # send nothing once the run is abandoned
                self.budget.take()
                with ExitStack() as held:
                    heard = self._fetch(request, held)
                    if heard.response.next_request is None:
                        return self._read(heard, read, then)
                request = heard.response.next_request
                self.resolve(str(request.url))
            msg = "the API redirects in a loop: check base_url"
            raise ConfigurationError(msg)

    def _fetch(self, request: httpx.Request, held: ExitStack) -> Heard:
        """The answer to a request. Raises our own error if none came; it says whether a retry may help.

        Room for the answer is taken, as long as it is `held`.
        """

        def room(size: int) -> None:
            held.enter_context(self._room.taken(size))

        try:
            return self.exchange(request, self._patience.most_bytes, room)
        except (httpx.TransportError, httpx.DecodingError) as error:
            self.budget.rest(0)  # raises if we shut the connection ourselves
            _log.info("no answer: %s", type(error).__name__)
            raise (TooSlow if isinstance(error, _SLOW) else Unavailable)(self.describe_failure(error)) from None

    def _read(self, heard: Heard, read: Reader[T], then: Callable[[T, datetime], S]) -> Answer[S]:
        try:
            return heard.read(read, then)
        except httpx.DecodingError as error:
            raise Unavailable(self.describe_failure(error)) from None

    def exchange(self, request: httpx.Request, most: int, room: Callable[[int], object] = lambda _: None) -> Heard:
        """Send a request that the budget let go; its answer, of at most `most` bytes. Raises as `fetch` does."""
        limits, refused = Limits(), False
        try:
            response, body = fetch(self.http, request, self._connections, room, seconds=self._patience.total, most=most)
            limits, refused = read_limits(response.headers), response.status_code == 429  # noqa: PLR2004
        finally:
            self.budget.hear(limits, refused=refused)
        if response.status_code == HTTP_OK:  # an error may come from a gateway with its own clock
            self.clock.hear(read_date(response.headers))
        self.seconds = response.elapsed.total_seconds()
        return Heard(response, body, self.clock.now(), time.monotonic(), self.seconds)

    def describe_failure(self, error: Exception) -> str:
        """Why no answer came, in words."""
        return f"no answer from {self._origin.host} ({type(error).__name__}: {error})"

"""One request to the API: sent within the budget, retried where that can help, its answer read."""

from __future__ import annotations

import itertools
import logging
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
import stamina

from ..errors import (
    BudgetSpent,
    ConfigurationError,
    InvalidAnswer,
    RateLimited,
    ReadingError,
    TooSlow,
    TransientError,
    Unavailable,
    UnsafeId,
)
from ..plan.axis import Axis
from ..plan.windows import Window
from ..settings import PAGE_SIZE_MIN, Settings
from . import protocol
from .changes import Submission, read_submission
from .clock import Clock
from .protocol import Body, Page
from .quota import Budget
from .transfer import fetch
from .transport import Connections, drop, http_client

_BODY_MAX = 1 << 30
"""Bytes that an answer may unpack to: the largest page that is ever asked for needs less than half of it."""
_PAGES_MAX = 1_000
"""Pages that a list without a total may have: it must end some time."""
ATTEMPTS = 8
"""How often a request is sent that may succeed yet."""
_PATIENCE = 300.0
"""Seconds that one request is retried for at the most."""
_REFUSALS = 5
"""How often one request waits for the hour to turn before it gives up."""
_REDIRECTS = 3
_SLOW = (httpx.ReadTimeout, httpx.WriteTimeout)
"""The time-outs of an API that was reached."""
_CLOCKS = 6
"""Answers that are asked for at the most to learn the time, where the first one and our own clock differ."""
_SUBMISSIONS = ("APISubmission", "APISubmissions", "ApiSubmissions")
"""Keys of the list of submissions: the first is published, the others are what one would expect."""
_log = logging.getLogger(__name__)
for _name in ("httpx", "httpcore"):  # their lines carry URLs, and in these stands the AccountSID
    logging.getLogger(_name).setLevel(logging.WARNING)

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What an answer held, when it arrived by the server's clock and by a counter of seconds, and what it took."""

    value: T
    read_at: datetime
    arrived: float
    requests: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Patience:
    """Seconds to wait for a connection, for the next bytes of an answer, for room to send, and for a whole answer."""

    connect: float = 10.0
    read: float = 60.0
    write: float = 30.0
    whole: float = 600.0

    @property
    def timeout(self) -> httpx.Timeout:
        """All of them but the last, as httpx takes them."""
        return httpx.Timeout(self.read, connect=self.connect, write=self.write, pool=None)


class Client:
    """Reads one account. Safe between threads; close it, or use it as a context.

    Every method raises `ConfigurationError` (credentials, scope), `BudgetSpent`, `TransientError` once retries are
    used up, and what `protocol.raise_for_status` says.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None, patience: Patience = Patience()) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.budget = Budget(settings.requests_per_hour, settings.max_wait.total_seconds())
        self.seconds_a_request = 0.0
        """How long the latest answer took."""
        self._patience = patience
        self._connections = Connections()
        self._origin = httpx.URL(settings.base_url)
        self._http = http_client(settings, patience.timeout, self._connections)

    @property
    def answered(self) -> bool:
        """Whether any answer came."""
        return self.seconds_a_request > 0

    @property
    def longest(self) -> float:
        """Seconds after which a request has ended, repeated and refused as often as may be, with some to spare."""
        return _REFUSALS * self.settings.max_wait.total_seconds() + 2 * (_PATIENCE + self._patience.whole)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections; requests that wait for anything give up."""
        self.stop()
        self._http.close()

    def stop(self) -> None:
        """Send no more requests; those that wait, for an answer, to be repeated, or for the hour to turn, give up."""
        self.budget.stop()
        self._connections.end()

    def campaigns(self) -> Iterator[Answer[Page]]:
        """The account's campaigns, page by page."""
        yield from self._pages(self._path("Campaigns"), {}, "Campaigns")

    def campaign(self, campaign_id: str) -> Answer[bytes]:
        """One campaign as JSON. Raises `NotFound`."""

        def read(status: int, headers: Mapping[str, str], body: Body) -> bytes:
            return protocol.read_object(status, headers, body, Id=campaign_id)

        return self._get(self._path("Campaigns", campaign_id), None, read)

    def settle_clock(self, reached: datetime | None = None) -> None:
        """Set the clock by the answers so far; ask for more where in doubt, given what was `reached` before."""
        for _ in range(_CLOCKS):
            if not self.clock.in_doubt(reached):
                break
            self._get(self._path("Campaigns"), None, protocol.raise_for_status)
        else:
            _log.warning("the API's answers do not agree on the time: the earliest is believed")
        self.clock.settle()

    def actions(
        self,
        campaign_id: str,
        windows: Mapping[Axis, Window],
        page_size: int,
        state: str | None = None,
        *,
        attempts: int = ATTEMPTS,
    ) -> Answer[Page]:
        """First page of a campaign's actions in these windows. Raises `WindowTooFull` where they may hold too many."""
        params = protocol.actions_params(campaign_id, windows, page_size, state)
        return self._get(self._path("Actions"), params, _first_actions_page, attempts)

    def actions_page(self, first: Page, number: int) -> Answer[Page]:
        """Page `number` of the list whose first page is `first`."""

        def read(status: int, headers: Mapping[str, str], body: Body) -> Page:
            page = _actions_page(status, headers, body)
            if page.number != number:
                msg = f"asked for page {number}, the answer is page {page.number}"
                raise InvalidAnswer(msg)
            return page

        return self._get(protocol.page_link(first, number), None, read)

    def action(self, action_id: str) -> Answer[bytes]:
        """One action as JSON. Raises `NotFound`."""

        def read(status: int, headers: Mapping[str, str], body: Body) -> bytes:
            return protocol.read_object(status, headers, body, Id=action_id)

        return self._get(self._path("Actions", action_id), None, read)

    def items(self, action_id: str) -> Iterator[Answer[Page]]:
        """The items of an action, page by page. Raises `NotFound`."""
        yield from self._pages(self._path("Actions", action_id, "Items"), {}, "ActionItems", "Items")

    def item(self, action_id: str, sku: str) -> Answer[bytes]:
        """One item of an action as JSON. Raises `NotFound`."""
        return self._get(self._path("Actions", action_id, "Items", sku), None, protocol.read_object)

    def submission(self, batch_id: str) -> Answer[Submission]:
        """What has become of a change that was accepted. Raises `NotFound`."""

        def read(status: int, headers: Mapping[str, str], body: Body) -> Submission:
            with self.settings.masked.errors():
                found = read_submission(batch_id, status, headers, body)
            masked = self.settings.masked
            return msgspec.structs.replace(
                found, error_type=masked(found.error_type), error_reason=masked(found.error_reason)
            )

        return self._get(self._path("APISubmissions", batch_id), None, read)

    def submissions(self) -> Iterator[Answer[Page]]:
        """All submissions, page by page: slow, and discouraged; `writing.read_submissions` reads a page."""
        yield from self._pages(self._path("APISubmissions"), {}, *_SUBMISSIONS)

    def _path(self, *parts: str) -> str:
        return "/".join(["/Advertisers", *map(segment, (self.settings.account_sid, *parts))])

    def _pages(self, path: str, params: dict[str, str], *keys: str) -> Iterator[Answer[Page]]:
        """A list by its links. A page that contradicts those before it, so that it never ends, is asked for again."""
        seen, rows = {path}, 0

        def read(status: int, headers: Mapping[str, str], body: Body) -> Page:
            page = protocol.read_page(status, headers, body, *keys)
            if flaw := _flaw(page, seen, rows):
                raise InvalidAnswer(flaw)
            return page

        answer = self._get(path, params, read)
        while True:
            yield answer
            link = answer.value.next
            if link is None:
                return
            seen.add(link)
            rows += protocol.count_records(answer.value)
            answer = self._get(link, None, read)

    def _get(
        self,
        link: str,
        params: dict[str, str] | None,
        read: Callable[[int, Mapping[str, str], Body], T],
        attempts: int = ATTEMPTS,
    ) -> Answer[T]:
        """One request, sent again while that can help; an error shows no credentials."""
        with self.settings.masked.errors():
            return self._persist(self._own(link), params, read, attempts)

    def _persist(
        self,
        url: httpx.URL,
        params: dict[str, str] | None,
        read: Callable[[int, Mapping[str, str], Body], T],
        attempts: int,
    ) -> Answer[T]:
        """Repeat a request that may succeed yet. A refusal for want of budget waits for the hour to turn, or stops."""
        sent = itertools.count(1)
        for _ in range(_REFUSALS):
            try:
                for attempt in stamina.retry_context(_retryable, attempts=attempts, timeout=_PATIENCE, wait_max=0.0):
                    with attempt:
                        self.budget.rest(_backoff(attempt.num))
                        requests = next(sent)
                        try:
                            with self.settings.masked.errors():  # before it is logged, as what is tried again is
                                return replace(self._send(url, params, read), requests=requests)
                        except ReadingError as error:
                            error.requests = requests
                            raise
            except RateLimited as error:
                _log.info("%s", error)
        msg = "the API keeps refusing requests although the hour has turned: run again later"
        raise BudgetSpent(msg)

    def _send(
        self, url: httpx.URL, params: dict[str, str] | None, read: Callable[[int, Mapping[str, str], Body], T]
    ) -> Answer[T]:
        # Behind a connection there may be one machine, and its clock the one that is wrong.
        headers = None if self.clock.settled else {"Connection": "close"}
        request = self._http.build_request("GET", url, params=params, headers=headers)
        for _ in range(_REDIRECTS):
            self.budget.take()
            try:
                response, body = fetch(
                    self._http, request, self._connections, seconds=self._patience.whole, most=_BODY_MAX
                )
            except (httpx.TransportError, httpx.DecodingError) as error:
                self.budget.hear()
                self.budget.rest(0)  # shut by ourselves, for good
                _log.info("no answer: %s", type(error).__name__)
                msg = f"{self._origin.host} gives no answer ({type(error).__name__}: {error})"
                raise (TooSlow if isinstance(error, _SLOW) else Unavailable)(msg) from None
            except InvalidAnswer:
                self.budget.hear()
                raise
            if response.status_code == protocol.HTTP_OK:  # an error may come from a gateway with a clock of its own
                self.clock.hear(protocol.read_date(response.headers))
            read_at, arrived = self.clock.now(), time.monotonic()
            self.seconds_a_request = seconds = response.elapsed.total_seconds()
            self.budget.hear(protocol.read_limits(response.headers), refused=response.status_code == 429)  # noqa: PLR2004
            if response.next_request is None:
                try:
                    value = read(response.status_code, response.headers, body)
                except InvalidAnswer:
                    drop(response)
                    raise
                return Answer(value, read_at, arrived, seconds=seconds)
            request = response.next_request
            self._own(str(request.url))
        msg = "the API redirects in a circle: check base_url"
        raise ConfigurationError(msg)

    def _own(self, link: str) -> httpx.URL:
        """The absolute URL of a link. Raises where it leaves our origin: credentials go nowhere else."""
        try:
            url = self._origin.join(link)
        except httpx.InvalidURL as error:
            msg = f"the API links to what is no address ({error}): {link[:80]!r}"
            raise InvalidAnswer(msg) from None
        if (url.scheme, url.host, url.port) != (self._origin.scheme, self._origin.host, self._origin.port):
            msg = f"the API refers to another host ({urlsplit(str(url)).hostname}): not followed, check base_url"
            raise ConfigurationError(msg)
        return url


def segment(text: str) -> str:
    """A text as one segment of a path. Raises `UnsafeId` for one that clients or gateways would resolve.

    A dot stays a dot however it is encoded, so `..` leads a level up, also next to a slash that a gateway decodes.
    """
    if not text or not {".", ".."}.isdisjoint(re.split(r"[/\\]", text)):
        msg = f"the id {text[:80]!r} would change the path that is asked for: it cannot be asked for by itself"
        raise UnsafeId(msg)
    return quote(text, safe="")


def _actions_page(status: int, headers: Mapping[str, str], body: Body) -> Page:
    page = protocol.read_page(status, headers, body, "Actions")
    if page.total is None:
        msg = "the answer does not say how many actions match (@total)"
        raise InvalidAnswer(msg)
    return page


def _first_actions_page(status: int, headers: Mapping[str, str], body: Body) -> Page:
    page = _actions_page(status, headers, body)
    if page.pages > 1 and (page.pages - 1) * min(page.size or PAGE_SIZE_MIN, PAGE_SIZE_MIN) >= (page.total or 0):
        msg = f"the answer says that {page.total} actions fill {page.pages} pages"
        raise InvalidAnswer(msg)
    return page


def _flaw(page: Page, seen: Collection[str], before: int) -> str | None:
    """Why a page of a list cannot be one: `seen` are the links of the pages before it, which held `before` rows."""
    held = protocol.count_records(page)
    if page.total is not None and before + held > page.total:
        return f"the list holds more rows than the {page.total} it says it has"
    if page.next in seen:
        return "the list's next page is one that was read before"
    if page.next and not held:
        return "a page without rows links to a further one"
    if page.next and len(seen) >= _PAGES_MAX:
        return f"the list has no end after {_PAGES_MAX:,} pages"
    return None


def _backoff(attempt: int) -> float:
    """Seconds before an attempt. Ours, as stamina's own sleep cannot be ended when the run is abandoned."""
    if attempt == 1 or stamina.is_testing():
        return 0.0
    return min(20.0, 0.1 * 2.0 ** (attempt - 2) + random.random())  # noqa: S311 - jitter is no secret


def _retryable(error: Exception) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, RateLimited)

"""The endpoints that are read: their paths, their parameters, and what an answer means."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Self, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from ..errors import UnsafeId
from ..plan.axis import Axis
from ..plan.windows import Window
from ..settings import Settings
from . import answers, lists, protocol
from .answers import Page
from .budget import Budget
from .clock import Clock
from .lists import Pages
from .protocol import Body
from .retries import Retries
from .submissions import Submission, read_submission
from .wire import Answer, Patience, Reader, Wire, as_read

_CLOCKS = 6
"""Requests sent at most to learn the time if the first answer and our own clock differ."""
_SUBMISSIONS = ("APISubmission", "APISubmissions", "ApiSubmissions")
"""Keys of the list of submissions: the first is the published one, the others are what one would expect."""
_log = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")
Then: TypeAlias = Callable[[Page, datetime], T]
"""Makes something of a page and of when it was read."""


class Client:
    """Reads one account. Safe between threads; close it, or use it as a context.

    Every method raises `ConfigurationError` (credentials, scope), `BudgetSpent`, `TransientError` once retries are
    used up, and what `protocol.raise_for_status` says.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None, patience: Patience | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.budget = Budget(settings.requests_per_hour, settings.max_wait.total_seconds())
        self._patience = patience or Patience()
        self._wire = Wire(settings, self.clock, self.budget, self._patience)
        self._retries = Retries(settings.max_attempts, settings.retry_wait.total_seconds(), self.budget.rest)

    @property
    def seconds_a_request(self) -> float:
        """How long the latest answer took."""
        return self._wire.seconds

    @property
    def answered(self) -> bool:
        """Whether any answer came."""
        return self.seconds_a_request > 0

    @property
    def longest(self) -> float:
        """Seconds within which any request has ended, with the most retries, refusals and waits, and some to spare."""
        return self._retries.longest(self.settings.max_wait.total_seconds(), self._patience.total)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Stop, and close the connections."""
        self.stop()
        self._wire.close()

    def stop(self) -> None:
        """Send no more requests; those that wait for an answer, a retry or the hourly limit give up."""
        self.budget.stop()
        self._wire.end()

    def settle_clock(self) -> None:
        """Set the clock by the answers so far; request more while they leave it in doubt."""
        for _ in range(_CLOCKS):
            if not self.clock.in_doubt:
                break
            self._get(self._path("Campaigns"), protocol.raise_for_status, as_read)
        else:
            _log.warning("the API's responses disagree on the time; using the earliest")
        self.clock.settle()

    def campaigns(self) -> Iterator[Answer[Page]]:
        """The account's campaigns, page by page."""
        return self._list(self._path("Campaigns"), "Campaigns")

    def campaign(self, campaign_id: str) -> Answer[bytes]:
        """One campaign as JSON. Raises `NotFound`."""
        return self._get(self._path("Campaigns", campaign_id), partial(answers.read_object, Id=campaign_id), as_read)

    def actions(
        self,
        campaign_id: str,
        windows: Mapping[Axis, Window],
        page_size: int,
        state: str | None = None,
        *,
        attempts: int | None = None,
    ) -> Answer[Page]:
        """First page of a campaign's actions in these windows. Raises `WindowTooFull` if they may hold too many."""
        return self.dated(lists.ACTIONS, campaign_id, windows, page_size, state, attempts=attempts)

    def dated(  # noqa: PLR0913 - the parts of a query
        self,
        key: str,
        campaign_id: str,
        windows: Mapping[Axis, Window],
        page_size: int,
        state: str | None = None,
        *,
        attempts: int | None = None,
    ) -> Answer[Page]:
        """The same of the list under `key`: actions, or the changes of the change feed."""
        return self.first_rows(key, campaign_id, windows, page_size, state, as_read, attempts=attempts)

    def first_rows(  # noqa: PLR0913, PLR0917 - the parts of a query
        self,
        key: str,
        campaign_id: str,
        windows: Mapping[Axis, Window],
        page_size: int,
        state: str | None,
        then: Then[T],
        *,
        attempts: int | None = None,
    ) -> Answer[T]:
        """The same, with what is made `then` of the page and when it was read: its bytes are kept no longer."""
        params = protocol.build_actions_query(campaign_id, windows, page_size, state)
        return self._get(self._path(key), partial(lists.read_first, key), then, params, attempts)

    def numbered_rows(self, key: str, first: Page, number: int, then: Then[T]) -> Answer[T]:
        """The same of page `number` of the list whose first page is `first`."""
        return self._get(answers.build_page_link(first, number), partial(lists.read_numbered, key, number), then)

    def action(self, action_id: str) -> Answer[bytes]:
        """One action as JSON. Raises `NotFound`."""
        return self._get(self._path("Actions", action_id), partial(answers.read_object, Id=action_id), as_read)

    def items(self, action_id: str) -> Iterator[Answer[Page]]:
        """The items of an action, page by page. Raises `NotFound`."""
        return self._list(self._path("Actions", action_id, "Items"), "ActionItems", "Items")

    def item(self, action_id: str, sku: str) -> Answer[bytes]:
        """One item of an action as JSON. Raises `NotFound`."""
        return self._get(self._path("Actions", action_id, "Items", sku), answers.read_object, as_read)

    def submission(self, batch_id: str) -> Answer[Submission]:
        """What has become of an accepted change. Raises `NotFound`."""
        masked = self.settings.masked

        def read(status: int, headers: Mapping[str, str], body: Body) -> Submission:
            found = read_submission(batch_id, status, headers, body)
            return msgspec.structs.replace(
                found, error_type=masked(found.error_type), error_reason=masked(found.error_reason)
            )

        return self._get(self._path("APISubmissions", batch_id), read, as_read)

    def submissions(self) -> Iterator[Answer[Page]]:
        """All submissions, page by page: slow, and discouraged; `submissions.read_submissions` reads a page."""
        return self._list(self._path("APISubmissions"), *_SUBMISSIONS)

    def listed(
        self, path: Iterable[str], keys: Iterable[str], params: Mapping[str, str] | None = None
    ) -> Iterator[Answer[Page]]:
        """Any list below the account, page by page."""
        query = f"?{urlencode(params)}" if params else ""
        return self._list(f"{self._path(*path)}{query}", *keys)

    def ask(
        self, read: Reader[T], *path: str, params: Mapping[str, str] | None = None, attempts: int | None = None
    ) -> Answer[T]:
        """What `read` makes of the answer to any GET below the account: for who needs an answer's own form."""
        return self._get(self._path(*path), read, as_read, params, attempts)

    def _path(self, *parts: str) -> str:
        return "/".join(["/Advertisers", *map(encode_segment, (self.settings.account_sid, *parts))])

    def _list(self, path: str, *keys: str) -> Iterator[Answer[Page]]:
        pages = Pages(path, *keys)
        while pages.next is not None:
            answer = self._get(pages.next, pages.read, as_read)
            yield answer
            pages.follow(answer.value)

    def _get(
        self,
        link: str,
        read: Reader[S],
        then: Callable[[S, datetime], T],
        params: Mapping[str, str] | None = None,
        attempts: int | None = None,
    ) -> Answer[T]:
        """One request, repeated while that can help; an error shows no credentials."""
        send = partial(self._wire.get, self._wire.resolve(link), params, read, then)
        return self._retries.repeat(send, attempts)


def encode_segment(text: str) -> str:
    """A text as one segment of a path. Raises `UnsafeId` for one that clients or gateways would resolve.

    A dot stays a dot however it is encoded: `..` goes up a level, also next to a slash that a gateway decodes.
    """
    if not text or not {".", ".."}.isdisjoint(re.split(r"[/\\]", text)):
        msg = f"the id {text[:80]!r} would change the path of the request, so it cannot be requested"
        raise UnsafeId(msg)
    return quote(text, safe="")

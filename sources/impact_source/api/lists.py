"""Reads paged lists and checks each page against those before it: no list goes on for ever. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidAnswer
from ..settings import PAGE_SIZE_MIN
from . import answers
from .answers import Page
from .protocol import Body

_PAGES_MAX = 1_000
"""Pages that a list without a total may have, so that it ends some time."""
ACTIONS, UPDATES = "Actions", "ActionUpdates"
"""The keys of the lists that are read by windows of a date; they are the last part of their paths too."""
_ROWS = {ACTIONS: "actions", UPDATES: "changes"}


class Pages:
    """A list that is read by following its links; records are under the first of `keys` that its pages have."""

    def __init__(self, link: str, *keys: str) -> None:
        self.next: str | None = link
        """The link to the next page; None at the end."""
        self._keys = keys
        self._links = {link}
        self._rows = 0

    def read(self, status: int, headers: Mapping[str, str], body: Body) -> Page:
        """Read a page. Raises `InvalidAnswer` if it contradicts those before it, so that the list would never end."""
        page = answers.read_page(status, headers, body, *self._keys)
        if flaw := self._flaw(page):
            raise InvalidAnswer(flaw)
        return page

    def follow(self, page: Page) -> None:
        """Continue after this page."""
        self.next = page.next
        if page.next is not None:
            self._links.add(page.next)
            self._rows += answers.count_records(page)

    def _flaw(self, page: Page) -> str | None:
        held = answers.count_records(page)
        if page.total is not None and self._rows + held > page.total:
            return f"the list has more rows than its total of {page.total}"
        if page.next in self._links:
            return "the list links back to a page that was already read"
        if page.next and not held:
            return "an empty page links to another page"
        if page.next and len(self._links) >= _PAGES_MAX:
            return f"the list does not end after {_PAGES_MAX:,} pages"
        return None


def read_counted(key: str, status: int, headers: Mapping[str, str], body: Body) -> Page:
    """A page of the list under `key`, which must say how many rows match."""
    page = answers.read_large_page(status, headers, body, key)
    if page.total is None:
        msg = f"the response does not say how many {_ROWS[key]} match (@total)"
        raise InvalidAnswer(msg)
    return page


def read_first(key: str, status: int, headers: Mapping[str, str], body: Body) -> Page:
    """Read the first page of such a list; it must not claim more pages than its total fills."""
    page = read_counted(key, status, headers, body)
    if page.pages > 1 and (page.pages - 1) * min(page.size or PAGE_SIZE_MIN, PAGE_SIZE_MIN) >= (page.total or 0):
        msg = f"the response reports {page.pages} pages for only {page.total} {_ROWS[key]}"
        raise InvalidAnswer(msg)
    return page


def read_numbered(key: str, number: int, status: int, headers: Mapping[str, str], body: Body) -> Page:
    """Page `number` of such a list."""
    page = read_counted(key, status, headers, body)
    if page.number != number:
        msg = f"requested page {number}, got page {page.number}"
        raise InvalidAnswer(msg)
    return page

"""A list is read by following its links to its end, and has one."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest
from impact_source.api.answers import Page
from impact_source.api.lists import ACTIONS, Pages, read_counted, read_first, read_numbered
from impact_source.errors import InvalidAnswer, RateLimited, Unavailable


def body(rows: int, link: str = "", total: int | None = None) -> bytes:
    """An answer with so many rows."""
    counted = {} if total is None else {"@total": str(total)}
    return json.dumps({"@nextpageuri": link, "Campaigns": [{"Id": "1"}] * rows} | counted).encode()


def read(pages: Pages, answer: bytes) -> None:
    """Read a page and continue after it."""
    pages.follow(pages.read(200, {}, answer))


def test_a_list_ends_with_the_page_that_links_no_further() -> None:
    """Each page says where the next one is."""
    pages = Pages("/a", "Campaigns")
    assert pages.next == "/a"
    read(pages, body(2, "/b", 3))
    assert pages.next == "/b"
    read(pages, body(1, "", 3))
    assert pages.next is None


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (body(1, "/a"), "a page that was already read"),
        (body(1, "/b"), "a page that was already read"),
        (body(0, "/c"), "an empty page links to another page"),
        (body(2, "", 3), "more rows than its total of 3"),
    ],
)
def test_a_page_that_contradicts_those_before_it_is_refused(second: bytes, says: str) -> None:
    """It is not a page of this list; the page that is read instead may be."""
    pages = Pages("/a", "Campaigns")
    read(pages, body(2, "/b", 3))
    with pytest.raises(InvalidAnswer, match=says):
        pages.read(200, {}, second)
    assert pages.next == "/b"
    read(pages, body(1, "", 3))
    assert pages.next is None


def test_rows_are_counted_over_all_pages() -> None:
    """The third page may be the one that has more than the list holds."""
    pages = Pages("/a", "Campaigns")
    read(pages, body(2, "/b", 5))
    read(pages, body(2, "/c", 5))
    with pytest.raises(InvalidAnswer, match="the list has more rows than its total of 5"):
        pages.read(200, {}, body(2, "", 5))
    read(pages, body(1, "", 5))


def test_what_is_no_page_is_an_error_as_elsewhere() -> None:
    """By its status; a refusal for lack of requests says in its headers when to come back."""
    pages = Pages("/a", "Campaigns")
    with pytest.raises(Unavailable):
        pages.read(503, {}, b"")
    with pytest.raises(RateLimited):
        pages.read(429, {"Retry-After": "5"}, b"")


def test_a_list_without_a_total_has_an_end() -> None:
    """After a thousand pages a link to a further one is an error."""
    pages = Pages("/0", "Campaigns")
    for number in range(1, 1_000):
        read(pages, body(1, f"/{number}"))
    with pytest.raises(InvalidAnswer, match="does not end after 1,000 pages"):
        read(pages, body(1, "/1000"))


def actions(**envelope: object) -> bytes:
    """A page of two actions whose envelope says this."""
    said = {f"@{key}": value for key, value in envelope.items()}
    return json.dumps({"Actions": [{"Id": "1"}, {"Id": "2"}]} | said).encode()


@pytest.mark.parametrize(
    "read",
    [partial(read_counted, ACTIONS), partial(read_first, ACTIONS), partial(read_numbered, ACTIONS, 1)],
    ids=["any", "first", "numbered"],
)
def test_a_page_of_actions_must_say_how_many_there_are(read: Callable[..., Page]) -> None:
    """Otherwise nobody would notice that some are missing."""
    page = read(200, {}, actions(total="2", page="1"))
    assert (page.total, bytes(page.records)) == (2, b'[{"Id": "1"}, {"Id": "2"}]')
    with pytest.raises(InvalidAnswer, match=r"^the response does not say how many actions match \(@total\)$"):
        read(200, {}, actions(page="1"))
    with pytest.raises(InvalidAnswer):
        read(200, {}, body(1, total=1))
    with pytest.raises(Unavailable):
        read(503, {}, b"")
    with pytest.raises(RateLimited):
        read(429, {"Retry-After": "5"}, b"")


@pytest.mark.parametrize(
    ("total", "pages", "size", "right"),
    [
        (2, 1, 100, True),
        (0, 1, 100, True),
        (0, 0, 100, True),
        (0, 2, 100, False),
        (100, 2, 100, False),
        (101, 2, 100, True),
        (200, 3, 100, False),
        (201, 3, 100, True),
        (51, 2, 50, True),
        (50, 2, 50, False),
        (2_001, 2, 5_000, True),
        (2_000, 2, 5_000, False),
        (2_001, 2, None, True),
        (2_000, 2, None, False),
    ],
)
def test_a_first_page_claims_no_more_pages_than_its_total_fills(
    total: int,
    pages: int,
    size: int | None,
    right: bool,  # noqa: FBT001 - the expected value
) -> None:
    """Even on the smallest pages that there are: nobody requests pages that cannot exist."""
    answer = actions(total=total, numpages=pages, pagesize=size)
    if right:
        assert read_first(ACTIONS, 200, {}, answer).total == total
        return
    with pytest.raises(InvalidAnswer, match=rf"^the response reports {pages} pages for only {total} actions$"):
        read_first(ACTIONS, 200, {}, answer)


def test_the_page_that_was_asked_for_is_the_one_that_comes() -> None:
    """Another one would be taken for its rows."""
    assert read_numbered(ACTIONS, 3, 200, {}, actions(total=2, page=3)).number == 3
    with pytest.raises(InvalidAnswer, match=r"^requested page 2, got page 3$"):
        read_numbered(ACTIONS, 2, 200, {}, actions(total=2, page=3))

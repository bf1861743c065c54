"""A list is read by following its links to its end, and has one."""

from __future__ import annotations

import json

import pytest
from impact_source.api.lists import Pages
from impact_source.errors import InvalidAnswer


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


def test_a_list_without_a_total_has_an_end() -> None:
    """After a thousand pages a link to a further one is an error."""
    pages = Pages("/0", "Campaigns")
    for number in range(1, 1_000):
        read(pages, body(1, f"/{number}"))
    with pytest.raises(InvalidAnswer, match="does not end after 1,000 pages"):
        read(pages, body(1, "/1000"))

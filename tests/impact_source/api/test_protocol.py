"""An answer is recognised as a page, or as an error that says what to do next. No network."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source import errors
from impact_source.api import answers, protocol
from impact_source.api.answers import Page
from impact_source.api.headers import Limits, read_date, read_limits
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window

ENVELOPE = {"@page": "2", "@numpages": "3", "@total": "41", "@nextpageuri": "/x?Page=3"}


def page(body: Any, *keys: str) -> Page:  # noqa: ANN401 - any JSON
    """The page in a 200 answer of this body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answers.read_page(200, {}, raw, *(keys or ("Actions",)))


def test_a_page_tells_its_place_and_its_records() -> None:
    """The envelope's text values become numbers, the records stay bytes."""
    read = page(ENVELOPE | {"Actions": [{"Id": "1"}]})
    assert (read.number, read.pages, read.total, read.next) == (2, 3, 41, "/x?Page=3")
    assert json.loads(bytes(read.records)) == [{"Id": "1"}]


def test_numbers_in_the_envelope_are_read_as_well() -> None:
    """An envelope that counts in numbers instead of texts means the same."""
    assert page({"@page": 1, "@numpages": 1, "@total": 0, "@nextpageuri": "", "Actions": []}).total == 0


def test_a_list_of_one_may_be_the_object_alone() -> None:
    """A bare object in place of a list is a list of one."""
    assert json.loads(bytes(page({"Actions": {"Id": "1"}}).records)) == [{"Id": "1"}]


def test_items_are_found_under_either_name() -> None:
    """A list is taken from the first known key that is present."""
    assert json.loads(bytes(page({"Items": [1]}, "ActionItems", "Items").records)) == [1]


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"<html>busy</html>", b"[]", b'{"Actions": null}', b"{}", b'{"Actions": [{"Id', b'"x"', b"\xff"],
)
def test_a_200_that_is_no_list_never_counts_as_no_rows(body: bytes) -> None:
    """HTML, null, a missing list and a truncated body are errors that are worth another try."""
    with pytest.raises(errors.InvalidAnswer):
        page(body)


@given(
    st.binary()
    | st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda x: json.dumps(x).encode()
    )
)
def test_whatever_comes_is_a_page_or_an_error_of_ours(body: bytes) -> None:
    """No body, however odd, raises anything but our own errors."""
    with contextlib.suppress(errors.ImpactError):
        assert bytes(page(body).records[:1]) == b"["


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (401, {}, errors.CredentialsError, "account_sid"),
        (403, {"Message": "Access denied"}, errors.ScopeError, "scope"),
        (404, {}, errors.NotFound, "404"),
        (429, {}, errors.RateLimited, "hourly request limit is reached"),
        (500, "<html>", errors.Unavailable, "500"),
        (503, {}, errors.Unavailable, "503"),
        (400, {"Message": "Too many"}, errors.WindowTooFull, "Too many"),
        (400, {"Errors": [{"Field": "EndDate", "Message": "is bad"}]}, errors.RequestRefused, "EndDate: is bad"),
        (400, {"Errors": {"Field": "EndDate", "Message": "is bad"}}, errors.RequestRefused, "EndDate: is bad"),
        (418, {}, errors.RequestRefused, "418"),
    ],
)
def test_each_status_becomes_the_error_that_says_what_to_do(
    status: int, body: object, error: type[Exception], says: str
) -> None:
    """Errors are named by the caller's next step and repeat what the API said."""
    with pytest.raises(error, match=says):
        protocol.raise_for_status(status, {}, json.dumps(body).encode())


def test_a_refusal_that_names_the_total_hands_it_on() -> None:
    """The number of matches in a refusal reaches whoever cuts the window."""
    with pytest.raises(errors.WindowTooFull) as caught:
        protocol.raise_for_status(400, {}, b'{"Message": "350,123 records exceed the limit of 200,000"}')
    assert caught.value.total == 350_123


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "42"}, Limits(1000, 7, 42)),
        ({"x-ratelimit-limit-hour": "500", "x-ratelimit-remaining-hour": "0"}, Limits(500, 0, None)),
        ({"RateLimit-Remaining": "3", "RateLimit-Reset": "1767225660"}, Limits(None, 3, 60)),
        ({"Retry-After": "5", "X-RateLimit-Reset": "3000"}, Limits(None, None, 5)),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, Limits(None, None, 30)),
        ({"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT"}, Limits(None, None, 0)),
        ({"X-RateLimit-Remaining": "soon"}, Limits()),
        ({"X-RateLimit-Limit": "inf", "X-RateLimit-Remaining": "nan", "Retry-After": "1e999"}, Limits()),
        ({"X-RateLimit-Reset": "1767225660000"}, Limits(None, None, 60)),
        ({"X-RateLimit-Reset": "1767225660000000000"}, Limits(None, None, 60)),
        ({"X-RateLimit-Reset": "1800000"}, Limits(None, None, 1800)),
        ({"Retry-After": "-5", "X-RateLimit-Reset": "42"}, Limits(None, None, 42)),
        ({"Retry-After": "nan"}, Limits()),
        ({"Retry-After": "31536000"}, Limits()),
        ({"X-RateLimit-Reset": "1e300"}, Limits()),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, Limits()),
        ({"X-RateLimit-Limit": "-1", "X-RateLimit-Remaining": "-7"}, Limits(None, 0, None)),
    ],
)
def test_the_budget_is_read_from_every_known_header(headers: dict[str, str], limits: Limits) -> None:
    """Waits and instants, in seconds or smaller units, are told apart by size; implausible ones are not believed."""
    assert read_limits(headers, datetime(2026, 1, 1, tzinfo=UTC)) == limits


@pytest.mark.parametrize("date", ["", "soon", "Fri, 31 Dec 9999 23:59:59 -1400", "Thu, 01 Jan 99999 00:00:00 GMT"])
def test_a_date_that_is_none_is_not_heard(date: str) -> None:
    """A Date header that is not an instant says nothing about the server's clock, and is not an error."""
    assert read_date({"Date": date}) is None


def test_a_page_link_keeps_every_parameter_and_names_its_page_once() -> None:
    """The link to a later page is the link to the second with its number changed."""
    first = Page(
        memoryview(b"[]"), 1, 1, 9, "/A/Actions?CampaignId=1&StartDate=2026-01-01T00%3A00%3A00Z&Page=2&PageSize=2000"
    )
    link = answers.build_page_link(first, 5)
    assert link == "/A/Actions?CampaignId=1&StartDate=2026-01-01T00%3A00%3A00Z&PageSize=2000&Page=5"


def test_a_list_is_asked_for_by_exactly_one_date() -> None:
    """Both bounds of the date go out, with a time component and in UTC."""
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    assert protocol.build_actions_query("7", {Axis.LOCKING: window}, 20_000) == {
        "CampaignId": "7",
        "LockingDateStart": "2026-01-01T00:00:00Z",
        "LockingDateEnd": "2026-01-02T00:00:00Z",
        "PageSize": "20000",
    }

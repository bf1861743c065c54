"""What each answer of the API means, exactly. No network."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from impact_source import errors
from impact_source.api import answers, protocol
from impact_source.api.answers import Page
from impact_source.api.headers import Limits, read_date, read_limits
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DATE = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
DEEP = "[" * 20_000 + "]" * 20_000  # Python 3.13 follows some 10,000, versions before 1,000


def page(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Page:  # noqa: ANN401 - any JSON
    """The page in an answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answers.read_page(status, headers or {}, raw, "Actions")


def refused(body: Any, status: int = 400) -> errors.ImpactError:  # noqa: ANN401 - any JSON
    """The error that an answer means."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(errors.ImpactError) as caught:
        protocol.raise_for_status(status, {}, raw)
    return caught.value


@pytest.mark.parametrize(
    ("start", "end", "last"),
    [(0, 60, "00:01:00"), (0, 59.5, "00:01:00"), (0, 0, "00:00:01"), (0.2, 0.9, "00:00:01"), (0.5, 1, "00:00:01")],
)
def test_a_window_is_asked_for_in_whole_seconds(start: float, end: float, last: str) -> None:
    """The API may compare to the second and exclude the end: what lies within a part of a second is requested."""
    window = Window(NOW + timedelta(seconds=start), NOW + timedelta(seconds=end))
    params = protocol.build_actions_query("7", {Axis.UPDATED: window}, 10, "PENDING")
    assert params["EndDate"] == f"2026-01-01T{last}Z"
    assert params["State"] == "PENDING"


def test_what_the_envelope_does_not_tell_is_not_made_up() -> None:
    """A list without paging fields is the first and only page."""
    assert page({"Actions": []}) == Page(memoryview(b"[]"), None, 1, 1, None, None)
    assert page({"@total": None, "@pagesize": "500", "Actions": []}).total is None
    assert page({"@pagesize": "500", "Actions": []}).size == 500


def test_an_error_with_the_status_of_success_is_a_refusal() -> None:
    """Some gateways answer 200 with an error in it: too many rows is too many rows."""
    with pytest.raises(errors.WindowTooFull, match=r"refuses the request \(200\): Too many") as caught:
        page({"Status": "Error", "Message": "Too many"})
    assert caught.value.said == "Too many"
    assert bytes(page({"Status": "ERROR", "Actions": []}).records) == b"[]"
    with pytest.raises(errors.InvalidAnswer):
        page({"Status": "OK"})


def test_the_wait_that_a_page_or_an_object_is_refused_with_is_told() -> None:
    """A 429 says when to come back."""
    for read in (answers.read_page, answers.read_object):
        with pytest.raises(errors.RateLimited) as caught:
            read(429, {"Retry-After": "42"}, b"{}")
        assert caught.value.wait == 42
        with pytest.raises(errors.WindowTooFull, match="Too many"):
            read(400, {}, b'{"Message": "Too many"}')


def test_what_is_nested_too_deeply_lands_as_text() -> None:
    """A field of tens of thousands of brackets does not break a page, and its neighbours stay as they are."""
    record = f'{{"Id": "1", "Odd": {DEEP}, "List": [1]}}'
    expected = {"Id": "1", "Odd": DEEP, "List": "[1]"}
    assert json.loads(bytes(page(f'{{"Actions": [{record}]}}'.encode()).records)) == [expected]
    assert json.loads(bytes(page(f'{{"Actions": {record}}}'.encode()).records)) == [expected]
    assert json.loads(answers.read_object(200, {}, record.encode(), Id="1")) == expected


def test_a_byte_that_is_no_text_costs_a_character() -> None:
    """One bad byte does not cost its page."""
    assert bytes(page(b'{"Actions": [{"Id": "\xff\xc3\xa4"}]}').records) == '[{"Id": "\ufffdä"}]'.encode()


def test_an_object_is_the_one_that_was_asked_for() -> None:
    """If a server mixes up answers, another action's amounts would land under this id."""
    body = b'{"Id": "a", "State": null, "Amount": "1.50"}'
    assert json.loads(answers.read_object(200, {}, body, Id="a")) == json.loads(body)
    assert json.loads(answers.read_object(200, {}, body, State="")) == json.loads(body)
    for wanted in ({"Id": "b"}, {"Id": "a", "CampaignId": "1"}):
        with pytest.raises(errors.InvalidAnswer, match="requested the object with"):
            answers.read_object(200, {}, body, **wanted)


def test_a_page_link_keeps_odd_parameters() -> None:
    """A filter that is empty, or contains a question mark, is the same filter on every page."""
    first = Page(memoryview(b"[]"), 1, 1, 9, "/A?Note=a?b&Empty=&page=2")
    assert answers.build_page_link(first, 3) == "/A?Note=a%3Fb&Empty=&Page=3"


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({"X-RateLimit-Limit": "100, 100;w=1"}, Limits(100)),
        ({"X-RateLimit-Limit": "100,50"}, Limits(100)),
        ({"X-RateLimit-Limit": "100;w=1"}, Limits(100)),
        ({"RateLimit-Limit": "70"}, Limits(70)),
        ({"RateLimit-Limit": "1"}, Limits(1)),
        ({"RateLimit-Limit": "0.5"}, Limits()),
        ({"Retry-After": "0"}, Limits(reset=0)),
        ({"Retry-After": "86400"}, Limits(reset=86_400)),
        ({"Retry-After": "86401"}, Limits(reset=86.401)),
        ({"Retry-After": "3600000"}, Limits(reset=3_600)),
        ({"Retry-After": "3600001"}, Limits()),
        ({"Retry-After": "1000000000"}, Limits(reset=0)),
        ({"Retry-After": "100000000000"}, Limits(reset=0)),
        ({"Retry-After": "1767225660000000"}, Limits(reset=60)),
        ({"Retry-After": "1767225660"}, Limits(reset=60)),
    ],
)
def test_waits_and_limits_are_read_in_whichever_unit(headers: dict[str, str], limits: Limits) -> None:
    """Seconds, milliseconds and instants are told apart at their limits; the answer's own Date says what time it is."""
    assert read_limits(headers | DATE) == limits


def test_the_servers_clock_is_read_in_utc() -> None:
    """The Date header gives the instant, whatever the case of its name."""
    for name in ("Date", "date", "DATE"):
        found = read_date({"Other": "x", name: "Thu, 01 Jan 2026 09:00:00 +0900"})
        assert found == NOW
        assert found.tzinfo is UTC
    assert read_date({"Other": DATE["Date"]}) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, errors.InvalidAnswer),
        (300, errors.RequestRefused),
        (400, errors.WindowTooFull),
        (401, errors.CredentialsError),
        (403, errors.ScopeError),
        (404, errors.NotFound),
        (408, errors.TooSlow),
        (409, errors.RequestRefused),
        (425, errors.Unavailable),
        (429, errors.RateLimited),
        (499, errors.RequestRefused),
        (500, errors.Unavailable),
        (502, errors.TooSlow),
        (503, errors.TooSlow),
        (504, errors.TooSlow),
        (520, errors.Unavailable),
    ],
)
def test_each_status_is_the_very_error(status: int, error: type[Exception]) -> None:
    """The error alone decides whether to retry, to narrow or to stop."""
    found = refused({}, status)
    assert type(found) is error
    assert str(status) in str(found)


def test_errors_repeat_what_the_api_said() -> None:
    """A user reads the API's own words, if there are any."""
    assert str(refused({}, 404)) == "the API has no such object (404)"
    assert str(refused({"Message": "gone"}, 404)) == "the API has no such object (404): gone"


ALL = [{"Field": name} for axis in Axis for name in axis.value] + [{"Field": "PageSize"}]


@pytest.mark.parametrize(
    ("body", "is_many", "fields", "said", "total"),
    [
        (b"<html>", True, (), "", None),
        ({"Message": None}, True, (), "", None),
        ({"Message": "no"}, False, (), "no", None),
        ({"Message": "too many"}, True, (), "too many", None),
        (
            {"Message": "no", "Errors": [{"Field": "ENDDATE", "Message": "x"}]},
            True,
            ("ENDDATE",),
            "no; ENDDATE: x",
            None,
        ),
        (
            {"Message": "too many", "Errors": [{"Field": "CampaignId", "Message": "y"}, {"Field": "EndDate"}]},
            False,
            ("CampaignId", "EndDate"),
            "too many; CampaignId: y; EndDate: ",
            None,
        ),
        ({"Errors": [{"Message": "y"}]}, False, ("",), ": y", None),
        (
            {"Errors": ALL},
            True,
            tuple(one["Field"] for one in ALL),
            "; ".join(f"{one['Field']}: " for one in ALL),
            None,
        ),
        ({"Message": "Too many: total is 350,123"}, True, (), "Too many: total is 350,123", 350_123),
        ({"Message": "350,123 records exceed 200,000 rows"}, True, (), "350,123 records exceed 200,000 rows", 350_123),
        ({"Message": "exceeds 1,000,000,000 rows"}, True, (), "exceeds 1,000,000,000 rows", None),
        ({"Message": "exceeds 999,999,999 rows"}, True, (), "exceeds 999,999,999 rows", 999_999_999),
    ],
)
def test_a_refusal_may_mean_too_many_rows(
    body: Any,  # noqa: ANN401 - any JSON
    is_many: bool,  # noqa: FBT001 - the expected value
    fields: tuple[str, ...],
    said: str,
    total: int | None,
) -> None:
    """It may if its words or the fields it names allow that: then narrower windows are tried, otherwise it is final."""
    found = refused(body)
    assert isinstance(found, errors.RequestRefused)
    assert isinstance(found, errors.WindowTooFull) is is_many
    assert (found.fields, found.said) == (fields, said)
    assert str(found) == f"the API refuses the request (400){': ' if said else ''}{said}"
    assert getattr(found, "total", None) == total


def test_a_refusal_by_another_status_is_final_and_keeps_its_words() -> None:
    """Only a 400 may mean too many rows."""
    found = refused({"Message": "too many", "Errors": [{"Field": "EndDate", "Message": "x"}]}, 422)
    assert type(found) is errors.RequestRefused
    assert (found.fields, found.said) == (("EndDate",), "too many; EndDate: x")

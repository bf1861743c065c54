"""The form of answers is judged by what was received."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from impact_source.errors import InvalidAnswer, RequestRefused, WindowTooFull
from impact_sync.probe import feed, form, life
from impact_sync.probe.answers import Answer
from impact_sync.probe.form import Heard
from impact_sync.probe.rows import Row, read_listing

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text().map(lambda text: f"acme {text}") | st.decimals(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ("Id", "State", "Payout", "CreationDate", "LockingDate", "ClearedDate", "ActionId", "DeltaPayout", "Sku")
JUDGES: tuple[Callable[[list[Row]], object], ...] = (
    form.money,
    form.empty,
    form.times,
    form.order,
    form.shows_milliseconds,
    feed.grain,
    feed.examples,
    lambda rows: feed.sums(rows, dict(zip("1234", rows, strict=False))),
    lambda rows: life.early(rows, rows, NOW),
    lambda rows: life.ahead(rows, NOW),
    lambda rows: life.paid(rows, NOW),
)


@hypothesis.settings(max_examples=50)
@hypothesis.given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON), max_size=4))
def test_no_record_is_too_odd_and_none_is_quoted(rows: list[Row]) -> None:
    """Whatever JSON the records hold, judging them does not fail, and no text of a record gets into an answer."""
    found = [judge(rows) for judge in JUDGES]
    assert "acme" not in str([answer for answer in found if isinstance(answer, Answer)])


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        (["1.00", "", None], Answer("strings")),
        ([Decimal("1.5"), 0], Answer("JSON numbers")),
        (["1", 2], Answer("strings and JSON numbers")),
        ([None], Answer("could not be told: no amount was seen", told=False)),
    ],
)
def test_money_is_strings_or_numbers(values: list[Any], answer: Answer) -> None:
    """An amount of either kind shows; a missing one shows nothing."""
    assert form.money([{"Payout": value} for value in values]) == answer


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ([{"LockingDate": "", "ClearedDate": ""}], '""'),
        ([{"LockingDate": None, "ClearedDate": "2026-01-01T00:00:00Z"}], "null"),
        ([{"LockingDate": "", "ClearedDate": None}], '"" and null'),
        ([{"LockingDate": "2026-01-01T00:00:00Z"}], "no field"),
    ],
)
def test_what_stands_for_no_date(rows: list[Row], answer: str) -> None:
    """An empty text, null and a missing field are told apart."""
    assert form.empty(rows) == Answer(answer)


@pytest.mark.parametrize(
    ("times", "answer"),
    [
        (["2026-01-01T00:00:00Z"], "in UTC (Z), in whole seconds"),
        (["2026-01-01T00:00:00-08:00"], "with an offset, in whole seconds"),
        (["2026-01-01T00:00:00"], "without an offset, in whole seconds"),
        (["2026-01-01T00:00:00.000Z"], "in UTC (Z), with milliseconds, all 000"),
        (["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.120Z"], "in UTC (Z), with milliseconds"),
        (
            ["2026-01-01T00:00:00.5+01:00", "2026-01-01T00:00:00Z"],
            "in UTC (Z) or with an offset, some with milliseconds",
        ),
        (["2026-01-01T00:00:00Z", "yesterday"], "in UTC (Z), in whole seconds, some in another form"),
        (["yesterday"], "could not be told: they are not written as ISO 8601"),
        ([], "could not be told: no time was seen"),
    ],
)
def test_times_have_offsets_and_milliseconds_or_not(times: list[str], answer: str) -> None:
    """Every form in which times were seen is named."""
    assert form.times([{"EventDate": time} for time in times]).text == answer


def _created(*minutes: int) -> list[Row]:
    return [{"CreationDate": (NOW + timedelta(minutes=minute)).isoformat()} for minute in minutes]


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        (_created(*range(20, 0, -1)), "newest created first"),
        (_created(20, 20, *range(19, 0, -1)), "newest created first"),
        (_created(*range(20)), "oldest created first"),
        (_created(18, 19, *range(17, 0, -1)), "newest created first, but not strictly"),
        (_created(*(n * 7 % 20 for n in range(20))), "in no order of creation"),
    ],
)
def test_the_order_of_rows(rows: list[Row], answer: str) -> None:
    """Rows are sorted, nearly sorted or not at all."""
    assert form.order(rows) == Answer(answer)


def test_a_few_rows_have_no_order() -> None:
    """Three rows in order may be chance."""
    assert not form.order(_created(3, 2, 1)).told


@pytest.mark.parametrize(
    ("heard", "headers", "reset"),
    [
        (
            [(200, {"x-ratelimit-remaining": "9", "X-RateLimit-Reset": "3600"})],
            "X-RateLimit-Remaining, X-RateLimit-Reset",
            "the seconds to wait",
        ),
        ([(200, {"RateLimit-Reset": "1768478400"})], "RateLimit-Reset", "an epoch second"),
        ([(200, {"X-RateLimit-Reset-hour": "1768478400000"})], "X-RateLimit-Reset-hour", "an epoch millisecond"),
        ([(200, {}), (429, {"Retry-After": "9"})], "no header; a 429 has Retry-After", "the seconds to wait"),
        (
            [(200, {"X-RateLimit-Limit": "1"}), (429, {"retry-after": "Thu, 15 Jan 2026 12:00:00 GMT"})],
            "X-RateLimit-Limit; a 429 has Retry-After",
            "a date",
        ),
        ([(200, {}), (429, {})], "no header, not even of a 429", "could not be told: no answer has such a header"),
        (
            [(200, {"Server": "x"})],
            "no header, as far as no request is refused",
            "could not be told: no answer has such a header",
        ),
        (
            [(200, {"X-RateLimit-Reset": "soon"})],
            "X-RateLimit-Reset",
            "could not be told: its value is not a number that fits either",
        ),
        (
            [(200, {"X-RateLimit-Reset": "5000000"})],
            "X-RateLimit-Reset",
            "could not be told: its value is not a number that fits either",
        ),
    ],
)
def test_limits_are_told_by_headers(heard: Sequence[tuple[int, dict[str, str]]], headers: str, reset: str) -> None:
    """Headers are named as they are known, in whichever case they came, and their reset is told apart by its size."""
    told = [form.hear(status, limits) for status, limits in heard]
    assert form.limit_headers(told).text == headers
    assert form.reset(told).text == reset


def test_before_any_answer_nothing_is_known_of_headers() -> None:
    """Without an answer there is no evidence, not even of absence."""
    assert not form.limit_headers(list[Heard]()).told


@pytest.mark.parametrize(
    ("status", "fields", "answer"),
    [
        (400, (), "a 400, without Errors"),
        (400, ("PageSize",), "a 400, with Errors that name PageSize"),
        (400, ("startdate", "EndDate"), "a 400, with Errors that name dates"),
        (400, ("LockingDateEnd", "pagesize"), "a 400, with Errors that name PageSize and dates"),
        (413, ("Count",), "a 413, with Errors that name other fields"),
        (200, (), "a 200 whose Status is ERROR, without Errors"),
        (200, ("PageSize",), "a 200 whose Status is ERROR, with Errors that name PageSize"),
    ],
)
def test_the_form_of_a_refusal(status: int, fields: tuple[str, ...], answer: str) -> None:
    """Status and named fields make the form; fields that are not known are not repeated."""
    assert form.refusal(status, RequestRefused("", fields)) == Answer(answer)


@pytest.mark.parametrize(("total", "names"), [(None, False), (20_000, False), (2_000, False), (20_001, True)])
def test_a_refusal_names_the_total(total: int | None, names: bool) -> None:  # noqa: FBT001 - the case itself
    """The limit in a refusal's words is not the number of matches."""
    answer = "name the total" if names else "do not name the total"
    assert form.names_total(WindowTooFull("", total=total), 2_000) == Answer(answer)


def test_lists_of_one() -> None:
    """A list of one is an object, a list, or now this and now that."""
    assert form.alone([True]) == Answer("an object")
    assert form.alone([False, False]) == Answer("a list")
    assert form.alone([True, False]) == Answer("a list or an object")
    assert not form.alone([]).told


def test_a_list_is_read_as_it_came() -> None:
    """Numbers keep their decimals, and a list of one is known from its object."""
    body = b'{"@total":"1","@pagesize":"2000","Actions":{"Id":"1","Payout":5.10}}'
    found = read_listing(("Actions",), 200, {}, body)
    assert found.rows == [{"Id": "1", "Payout": Decimal("5.10")}]
    assert (found.alone, found.complete, found.total, found.size, found.key) == (True, True, 1, 2000, "Actions")
    more = read_listing(("Items",), 200, {}, b'{"@numpages":"2","@nextpageuri":"/x","Items":[{},{}]}')
    assert (more.alone, more.complete, more.total) == (False, False, None)
    with pytest.raises(InvalidAnswer):
        read_listing(("Actions",), 200, {}, b'{"Actions":[1]}')

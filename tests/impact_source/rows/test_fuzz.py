"""Whatever bytes arrive: typed rows and rejected records that together hold every record, or one of our errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from impact_source.api.answers import read_object, read_page
from impact_source.api.headers import read_limits
from impact_source.errors import ImpactError
from impact_source.rows.columns import ACTION, ITEM
from impact_source.rows.items import merge_lines
from impact_source.rows.nesting import flatten
from impact_source.rows.parse import Reader

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = [column.field for column in (*ACTION, *ITEM)]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["1.25", "-0", "1,234.5", "9e999", "2026-01-01T00:00:00Z", "2026-13-01", "=HYPERLINK()", "\x00"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
RECORDS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), VALUES, max_size=6) | VALUES
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "Actions": st.lists(RECORDS, max_size=6) | RECORDS,
        "@total": SCALARS,
        "@page": SCALARS,
        "@numpages": SCALARS,
        "@nextpageuri": SCALARS,
    },
)


def assert_read_or_refused(body: bytes) -> None:
    """Read an answer as the source does: each record in it is a row or a rejected record, or the answer is refused."""
    try:
        page = read_page(200, {}, body, "Actions")
    except ImpactError:
        return
    for columns, keyed in ((ACTION, True), (ITEM, False)):
        found = Reader(columns, keyed=keyed).read(page.records, NOW)
        records = msgspec.json.decode(page.records, type=list[msgspec.Raw])
        assert len(found.table) + len(found.rejected) == len(records)
        assert {record.raw.encode() for record in found.rejected} <= {bytes(record) for record in records}
        assert all(record.reason for record in found.rejected)


@given(st.binary() | st.text().map(str.encode) | st.binary().map(lambda junk: b'{"Actions": [' + junk + b"]}"))
@example(b"\xff\xfe{}")
@example(b"")
@example(b"null")
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Any bytes, sent as a 200, end in rows, rejected records, or one of our errors."""
    assert_read_or_refused(body)


@given(ENVELOPES | VALUES)
@example({"Actions": [{"Id": "1", "Amount": "1"}, {"Id": 2, "Amount": 2}, None, [], "x", {}]})
@settings(max_examples=300)
def test_any_json_is_read_or_refused_and_no_record_is_lost(answer: Any) -> None:  # noqa: ANN401 - JSON
    """Whatever the records are, each of them is a row or a rejected record."""
    assert_read_or_refused(json.dumps(answer).encode())


@given(ENVELOPES | VALUES, st.data())
def test_a_body_that_was_cut_or_garbled_is_read_or_refused(answer: Any, data: st.DataObject) -> None:  # noqa: ANN401
    """Neither a cut body nor one with a changed byte ends in an error that is not ours."""
    body = json.dumps(answer).encode()
    place = data.draw(st.integers(0, len(body)))
    assert_read_or_refused(body[:place])
    assert_read_or_refused(body[:place] + data.draw(st.binary(max_size=2)) + body[place + 1 :])


@given(st.integers(), st.dictionaries(st.text(), st.text()), st.binary())
@example(429, {"Retry-After": "nan", "X-RateLimit-Reset": "1e999"}, b"[]")
@example(503, {"X-RateLimit-Limit": "inf"}, b'{"Errors": 1}')
def test_any_status_and_headers_mean_something(status: int, headers: dict[str, str], body: bytes) -> None:
    """Every status, header and body is an answer or one of our errors."""
    read_limits(headers)
    try:
        read_object(status, headers, body)
    except ImpactError as error:
        assert str(error)  # noqa: PT017 - an error without a message would be useless


@pytest.mark.parametrize("depth", [10, 900, 1_100, 100_000])
@pytest.mark.parametrize("ends", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
def test_values_nested_to_any_depth_land_as_their_json(depth: int, ends: tuple[bytes, bytes]) -> None:
    """A value within a hundred thousand lists or objects is text like any other, and nothing breaks."""
    value = ends[0] * depth + b"1" + ends[1] * depth
    for body in (
        b'{"Actions": [{"Id": "1", "Note": ' + value + b"}]}",
        b'{"Actions": {"Id": "1", "X": ' + value + b"}}",
    ):
        page = read_page(200, {}, body, "Actions")
        (row,) = Reader(ACTION).read(page.records, NOW).table.to_pylist()
        assert row.get("x") == value.decode() or row["note"] == value.decode()
    assert read_object(200, {}, b'{"Note": ' + value + b"}")


@given(VALUES, st.integers(0, 4))
def test_flattening_changes_only_what_is_nested_deeper(value: Any, depth: int) -> None:  # noqa: ANN401 - JSON
    """What is nested no deeper stays as it is; anything deeper becomes the text of its JSON."""

    def expected(part: Any, level: int) -> Any:  # noqa: ANN401 - JSON
        if isinstance(part, list | dict) and level > depth:
            return json.dumps(part)
        if isinstance(part, dict):
            return {name: expected(inner, level + 1) for name, inner in part.items()}
        return [expected(inner, level + 1) for inner in part] if isinstance(part, list) else part

    assert json.loads(flatten(json.dumps(value).encode(), depth)) == expected(value, 1)


@given(
    st.lists(st.tuples(st.sampled_from(["A", "B", "", "a/b"]), st.integers(0, 9), st.none() | st.integers(0, 10**12)))
)
def test_lines_of_one_sku_add_up(lines: list[tuple[str, int, int | None]]) -> None:
    """However often a Sku is listed, quantity and amounts are the sums, and the first line's name stays."""
    records = [
        {"Sku": sku, "Quantity": str(quantity), "ItemName": str(place)}
        | ({} if cents is None else {"Rebate": f"{cents / 100:.2f}"})
        for place, (sku, quantity, cents) in enumerate(lines)
    ]
    table = Reader(ITEM, keyed=False).read(json.dumps(records).encode(), NOW).table
    rows = {row["sku"]: row for row in merge_lines(table).to_pylist()}
    assert rows.keys() == {sku for sku, _, _ in lines}
    for sku, row in rows.items():
        own = [(place, quantity, cents) for place, (name, quantity, cents) in enumerate(lines) if name == sku]
        known = [cents for _, _, cents in own if cents is not None]
        assert (row["line_count"], row["quantity"]) == (len(own), sum(quantity for _, quantity, _ in own))
        assert row["item_name"] == str(own[0][0])
        assert (None if row["rebate"] is None else round(row["rebate"] * 100)) == (sum(known) if known else None)

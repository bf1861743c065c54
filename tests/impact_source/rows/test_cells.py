"""Texts become values of their column, exactly, however many there are and however odd they are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from impact_source.rows.cells import Misfit, cast
from impact_source.rows.columns import Kind

LARGE = Misfit("more than 12 digits before the decimal point", ask_again=False)


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("1e-8", "0.00000001"),
        ("5e-9", "0.00000001"),
        ("4e-9", "0"),
        ("9e-10", "0"),
        ("1E-9999999", "0"),
        ("1E2", "100"),
        ("999999999999.999999994", "999999999999.99999999"),
        ("0" * 50 + "1.5", "1.5"),
    ],
)
def test_money_is_exact_to_the_last_decimal(text: str, money: str) -> None:
    """What is smaller than a column's last decimal is rounded to it, whatever way it is written."""
    found = cast(pa.array(["7", text, None]), Kind.MONEY)
    assert found.values.to_pylist() == [Decimal(7), Decimal(money), None]
    assert found.misfits == {}


@pytest.mark.parametrize("text", ["1e12", "1000000000000", "999999999999.999999999", "1e99"])
def test_money_that_does_not_fit_is_told(text: str) -> None:
    """An amount that becomes too large by rounding is set aside like one that is."""
    found = cast(pa.array(["7", text]), Kind.MONEY)
    assert found.values.to_pylist() == [Decimal(7), None]
    assert found.misfits == {1: LARGE}


@pytest.mark.parametrize(
    ("text", "count", "reason"),
    [
        ("2.0", 2, None),
        ("-9223372036854775808", -(2**63), None),
        ("9223372036854775808", None, "too large"),
        ("1.5", None, "not a whole number"),
        ("1234567890123456789.5", None, "not a whole number"),
        ("12345678901234567890.5", None, "too large"),
        ("1e999999999", None, "too large"),
    ],
)
def test_counts_are_whole_numbers(text: str, count: int | None, reason: str | None) -> None:
    """A quantity that is not one, or that no database can hold, is set aside with the reason."""
    found = cast(pa.array(["7", text]), Kind.COUNT)
    assert found.values.to_pylist() == [7, count]
    assert [misfit.reason for misfit in found.misfits.values()] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0001-01-01T00:00:00.1234567+08:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.1234567-08:00", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("9999-12-31T23:59:59-08:00", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_instants_beyond_the_calendar_leave_their_neighbours_as_they_are(text: str, moment: datetime) -> None:
    """Only the one odd date of the page moves to the end of the calendar."""
    usual = datetime(2026, 1, 1, tzinfo=UTC)
    found = cast(pa.array(["2026-01-01T00:00:00Z", text, None]), Kind.TIME)
    assert found.values.to_pylist() == [usual, moment, None]


@pytest.mark.parametrize("places", [[0], [999, 1_000], [4_998], [0, 2_499, 2_500, 4_999]])
@pytest.mark.parametrize("length", [1_000, 5_000])
def test_odd_cells_are_found_wherever_they_are(length: int, places: list[int]) -> None:
    """Among thousands of amounts, those that are not numbers are reported by row; all others are read."""
    rows = [place for place in places if place < length]
    texts = [f"{number}.5" for number in range(length)]
    for row in rows:
        texts[row] = "odd"
    found = cast(pa.array(texts), Kind.MONEY)
    assert sorted(found.misfits) == rows
    expected = [None if row in rows else Decimal(f"{row}.5") for row in range(length)]
    assert found.values.to_pylist() == expected

"""What the rows of the change feed stand for is judged by several items of one change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from impact_source.plan.windows import Window
from impact_sync.probe import feed
from impact_sync.probe.rows import Row

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def _row(action: str, at: str, sku: str, amount: str = "1", payout: str = "0.1") -> Row:
    return {"ActionId": action, "UpdateDate": at, "Sku": sku, "DeltaAmount": amount, "DeltaPayout": payout}


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ([_row("1", "a", "X"), _row("1", "a", "Y")], "a row for each item and change"),
        (
            [_row("1", "a", "X"), _row("1", "a", "Y"), _row("1", "b", "")],
            "a row for each item and change, some without a Sku",
        ),
        ([_row("1", "a", ""), _row("2", "a", "")], "a row for each order and change, without a Sku"),
        ([_row("1", "a", ""), _row("1", "a", "")], "several rows for a change, without a Sku"),
        ([_row("1", "a", "X"), _row("1", "b", "Y")], "could not be told: no change of several items was seen"),
        ([], "could not be told: the feed listed no change"),
    ],
)
def test_a_row_is_an_item_or_an_order(rows: list[Row], answer: str) -> None:
    """Rows of one action and instant with different Skus are items; rows that never have a Sku are orders."""
    assert feed.grain(rows).text == answer


@pytest.mark.parametrize(
    ("deltas", "answer"),
    [
        (["10", "-4"], "add up to Amount and Payout"),
        (["10"], "do not add up to Amount and Payout"),
        ([], "do not add up to Amount and Payout"),
    ],
)
def test_deltas_add_up_or_not(deltas: list[str], answer: str) -> None:
    """The sum of all deltas of an action is its amount; an action without any is worth nothing."""
    rows = [_row("1", str(n), "X", delta, "0.1") for n, delta in enumerate(deltas)]
    actions: dict[str, Row] = {"1": {"Amount": "6.00", "Payout": "0.2"}}
    assert feed.sums(rows, actions).text == answer


def test_a_change_meanwhile_is_no_contradiction() -> None:
    """One action of a hundred that differs may have changed between two requests; of two, it is a difference."""
    rows = [_row(str(n), "a", "X") for n in range(100)]
    actions: dict[str, Row] = {str(n): {"Amount": "1", "Payout": "0.1"} for n in range(100)}
    actions["7"]["Amount"] = "2"
    assert feed.sums(rows, actions).text == "add up to Amount and Payout, of nearly all actions"
    few = {id_: actions[id_] for id_ in ("7", "8")}
    assert feed.sums(rows, few).text == "do not always add up to Amount and Payout"
    assert not feed.sums(rows, {}).told


def test_only_actions_created_well_within_the_window_are_compared() -> None:
    """Of actions at its edges some changes may be missing: too old, or not visible yet."""
    ages = {"old": 10.0, "edge": 9.5, "good": 5.0, "new": 0.01}
    rows: list[Row] = [
        {"Id": id_, "CreationDate": (NOW - timedelta(days=age)).isoformat()} for id_, age in ages.items()
    ]
    assert feed.created(rows, Window(NOW - timedelta(days=10), NOW)).keys() == {"good"}


def test_examples_for_the_list_of_items() -> None:
    """An action whose Sku came twice is preferred to one with different Skus; the single one has one row alone."""
    rows = [_row("1", "a", "X"), _row("1", "a", "Y"), _row("2", "a", "X"), _row("2", "a", "X"), _row("3", "a", "X")]
    assert feed.examples(rows) == ("2", "3")
    assert feed.examples([]) == ("", "")


def test_a_sku_twice_is_seen_or_not() -> None:
    """A list with a Sku twice proves that it can be; one without proves nothing."""
    assert feed.twins(["X", "Y", "X"]).text == "is listed twice"
    assert not feed.twins(["X", "Y"]).told

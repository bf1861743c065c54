"""What the rows of the change feed stand for, and whether they add up. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from impact_source.plan.windows import SECOND, Window, round_second
from impact_source.settings import WINDOW_MAX

from .answers import Answer, Untellable, untold
from .rows import Row, decimal, moment, text

_SUMS: Final = {"DeltaAmount": "Amount", "DeltaPayout": "Payout"}
_SHOWN: Final = timedelta(hours=2)
"""Rows become visible late."""


def changes(rows: Sequence[Row]) -> dict[tuple[str, str], list[str]]:
    """The Skus of each change: of the rows with one action and one UpdateDate."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        found[text(row, "ActionId"), text(row, "UpdateDate")].append(text(row, "Sku"))
    return found


def grain(rows: Sequence[Row]) -> Answer:
    """Whether a row stands for an item or for the complete order."""
    if not rows:
        return untold("the feed listed no change")
    groups = changes(rows).values()
    if not any(sku for skus in groups for sku in skus):
        several = any(len(skus) > 1 for skus in groups)
        return Answer(
            "several rows for a change, without a Sku" if several else "a row for each order and change, without a Sku"
        )
    if any(len(set(skus) - {""}) > 1 for skus in groups):
        some = any(not sku for skus in groups for sku in skus)
        return Answer("a row for each item and change" + (", some without a Sku" if some else ""))
    return untold("no change of several items was seen")


def sums(rows: Sequence[Row], actions: Mapping[str, Row]) -> Answer:
    """Whether the deltas of all changes add up to what the actions are worth; `rows` are all of these actions."""
    added: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        for delta, whole in _SUMS.items():
            added[text(row, "ActionId"), whole] += decimal(row, delta) or Decimal(0)
    compared = [
        added[id_, whole] == value
        for id_ in {id_ for id_, _ in added} & actions.keys()
        for whole in _SUMS.values()
        if (value := decimal(actions[id_], whole)) is not None
    ]
    if not compared:
        return untold("no action was seen with all of its changes")
    if all(compared):
        return Answer("add up to Amount and Payout")
    return Answer(
        "do not always add up to Amount and Payout" if any(compared) else "do not add up to Amount and Payout"
    )


def twins(skus: Sequence[str]) -> Answer:
    """Whether an action's list of items has one Sku twice."""
    if len(set(skus)) < len(skus):
        return Answer("is listed twice")
    return untold("none was seen")


def examples(rows: Sequence[Row]) -> tuple[str, str]:
    """The ids of an action with several items, if possible some with one Sku, and of one with a single item."""
    groups = sorted(changes(rows).items(), key=lambda group: len(set(group[1])) - len(group[1]))
    several = next((action for (action, _), skus in groups if len(skus) > 1), "")
    times = Counter(action for action, _ in changes(rows))
    single = next((action for (action, _), skus in groups if len(skus) == 1 and times[action] == 1), "")
    return several, single


def densest(rows: Sequence[Row], number: int, now: datetime) -> Window:
    """The shortest window that holds the EventDates of so many actions, none of them from the past hours.

    Raises `Untellable` if there are not so many.
    """
    dates = sorted(date for row in rows if (date := moment(row, "EventDate")) and date < now - _SHOWN)
    number = min(number, len(dates))
    if not number:
        msg = "no action with a date in the past was seen"
        raise Untellable(msg)
    first = min(range(len(dates) - number + 1), key=lambda place: dates[place + number - 1] - dates[place])
    start, end = dates[first], dates[first + number - 1]
    return Window(round_second(start), min(round_second(end) + SECOND, start + WINDOW_MAX))

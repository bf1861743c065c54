"""What the rows of the change feed stand for, and whether they add up. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from impact_source.plan.windows import Window

from .answers import Answer, untold
from .rows import Row, decimal, moment, text

_SUMS: Final = {"DeltaAmount": "Amount", "DeltaPayout": "Payout"}
_NEARLY: Final = 0.98
"""Actions may change while they are compared."""
_VISIBLE: Final = timedelta(hours=2)
"""Rows become visible late."""
_SURE: Final = timedelta(days=1)
"""What is this far within a window is in it however its bounds are compared."""


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
    """Whether the deltas add up to what the actions are worth; `rows` hold all changes of `actions`, by id."""
    added: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        for delta in _SUMS:
            added[text(row, "ActionId"), delta] += decimal(row, delta) or Decimal(0)
    equal = [
        all(added[id_, delta] == decimal(row, whole) for delta, whole in _SUMS.items()) for id_, row in actions.items()
    ]
    if not equal:
        return untold("no action was seen with all of its changes")
    if all(equal):
        return Answer("add up to Amount and Payout")
    if sum(equal) >= _NEARLY * len(equal):
        return Answer("add up to Amount and Payout, of nearly all actions")
    return Answer(f"{'do not always' if any(equal) else 'do not'} add up to Amount and Payout")


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


def created(rows: Sequence[Row], window: Window) -> dict[str, Row]:
    """The actions, by id, that were created within a window, and long enough ago for all of it to be visible."""
    start, end = window.start + min(window.span / 10, _SURE), window.end - _VISIBLE
    return {
        id_: row
        for row in rows
        if (id_ := text(row, "Id")) and (at := moment(row, "CreationDate")) and start < at < end
    }

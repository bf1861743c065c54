"""Whether the memory of a command depends on the size of the account: its peak at each size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tests.bench.contenders import workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, megabytes, say, seconds
from tests.bench.serving import serving

FULL = Sizes(rows=(200_000, 2_000_000), runs=3)
QUICK = Sizes(rows=(5_000, 50_000), runs=1)
GOAL = 1.1
"""The limit, as a multiple of the memory at the smallest size."""
_WEEK = 7
Costs = Mapping[str, Sequence[Cost]]
"""By what was run."""


def run(sizes: Sizes) -> Report:
    """Measure each command at each size."""
    costs = {rows: _measure(rows, sizes.runs) for rows in sizes.rows}
    least = {what: middle(found).peak for what, found in costs[min(costs)].items()}
    table = [_row(what, rows, costs[rows], least[what]) for what in least for rows in sizes.rows]
    notes = [f"Peak memory, median of {sizes.runs}; the goal is {GOAL} x that of the smallest."]
    figures = {
        f"{what}, {rows}": [cost.figures for cost in found] for rows in costs for what, found in costs[rows].items()
    }
    return Report("Memory", ("", "peak", "goal", "ratio", "wall"), table, notes, figures)


def _row(what: str, rows: int, costs: Costs, least: int) -> list[str]:
    cost = middle(costs[what])
    goal = f"at most {megabytes(least * GOAL)}"
    return [f"{what}, {rows:,} actions", megabytes(cost.peak), goal, f"{cost.peak / least:.2f} x", seconds(cost.wall)]


def _measure(rows: int, runs: int) -> Costs:
    costs: dict[str, list[Cost]] = defaultdict(list)

    def add(what: str, cost: Cost) -> None:
        costs[what].append(cost)
        say(f"{rows:,} actions: {what}: {megabytes(cost.peak)} in {seconds(cost.wall)}")

    with serving(rows) as server, workplace() as kept:
        with workplace() as place:
            place.floor(server, ahead=0)  # fills the server's memory
        for _ in range(runs):
            with workplace() as place:
                add("backfill", place.sync(server))
                add("sync with nothing new", place.sync(server))
                add("verify", place.impact(server, "verify"))
                kept.take(place.warehouse)
        server.advance(_WEEK)
        for _ in range(runs):
            with workplace() as place:
                place.take(kept.warehouse)
                add("sync after a week", place.sync(server))
    return costs

"""How time grows with size: a backfill, and the sync a week later into the warehouse that it filled.

The exponent e of time = c * rows^e is fitted by least squares over the logarithms; 1 means proportional; costs that do
not depend on size, such as starting up, bring it below 1.
"""

from __future__ import annotations

import math
from statistics import linear_regression

from tests.bench.contenders import workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, say, seconds
from tests.bench.serving import Server, serving

FULL = Sizes(rows=(100_000, 200_000, 500_000, 1_000_000, 2_000_000), runs=3)
QUICK = Sizes(rows=(5_000, 20_000), runs=1)
GOAL = 1.05
"""The largest exponent allowed."""
_WEEK = 7


def run(sizes: Sizes) -> Report:
    """Measure both at each size."""
    backfills: dict[int, list[Cost]] = {}
    weeks: dict[int, list[Cost]] = {}
    for rows in sizes.rows:
        with serving(rows) as server:
            backfills[rows], weeks[rows] = _both(server, rows, sizes.runs)
    table = [
        [f"{rows:,} actions", *(seconds(middle(costs[rows]).wall) for costs in (backfills, weeks)), ""]
        for rows in sizes.rows
    ]
    if len(sizes.rows) > 1:
        exponents = [f"{_exponent(costs):.2f}" for costs in (backfills, weeks)]
        table.append(["exponent", *exponents, f"at most {GOAL}"])
    notes = [f"Wall time of `impact sync`, medians of {sizes.runs}; a week's changes grow with the account."]
    figures = {
        name: {str(rows): [cost.figures for cost in found] for rows, found in costs.items()}
        for name, costs in (("backfill", backfills), ("week", weeks))
    }
    return Report("Time by size", ("", "backfill", "a week later", "goal"), table, notes, figures)


def _both(server: Server, rows: int, runs: int) -> tuple[list[Cost], list[Cost]]:
    """Backfills into new warehouses; then a week passes, and each sync runs on a copy of the last warehouse."""
    backfills, weeks = [], []
    with workplace() as place:
        place.floor(server, ahead=0)  # fills the server's memory
    with workplace() as filled:
        for _ in range(runs):
            filled.warehouse.unlink(missing_ok=True)
            backfills.append(filled.sync(server))
            say(f"{rows:,} actions, backfill: {seconds(backfills[-1].wall)}")
        server.advance(_WEEK)
        for number in range(runs + 1):
            with workplace() as place:
                place.take(filled.warehouse)
                cost = place.sync(server)
            if number:  # the first one fills the server's memory
                weeks.append(cost)
                say(f"{rows:,} actions, a week later: {seconds(cost.wall)}")
    return backfills, weeks


def _exponent(costs: dict[int, list[Cost]]) -> float:
    sizes = [math.log(rows) for rows in costs]
    times = [math.log(middle(found).wall) for found in costs.values()]
    return linear_regression(sizes, times).slope

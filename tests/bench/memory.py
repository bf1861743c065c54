"""Whether the memory of a backfill depends on the amount to read: its peak at each size."""

from __future__ import annotations

from tests.bench.contenders import workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, megabytes, say, seconds
from tests.bench.serving import serving

FULL = Sizes(rows=(200_000, 2_000_000), runs=3)
QUICK = Sizes(rows=(5_000, 50_000), runs=1)
GOAL = 1.1
"""The limit, as a multiple of the memory at the smallest size."""


def run(sizes: Sizes) -> Report:
    """Measure a backfill at each size."""
    costs = {rows: [*_backfills(rows, sizes.runs)] for rows in sizes.rows}
    peaks = {rows: middle(found).peak for rows, found in costs.items()}
    least = peaks[min(peaks)]
    table = [
        [f"{rows:,} actions", megabytes(peak), f"at most {megabytes(least * GOAL)}", f"{peak / least:.2f} x"]
        for rows, peak in peaks.items()
    ]
    notes = [f"Peak memory of `impact sync`, median of {sizes.runs}; the goal is {GOAL} x that of the smallest."]
    figures = {str(rows): [cost.figures for cost in found] for rows, found in costs.items()}
    return Report("Memory of a backfill", ("", "peak", "goal", "ratio"), table, notes, figures)


def _backfills(rows: int, runs: int) -> list[Cost]:
    with serving(rows) as server:
        with workplace() as place:
            place.floor(server, ahead=0)  # fills the server's memory
        costs = []
        for _ in range(runs):
            with workplace() as place:
                costs.append(place.sync(server))
            say(f"{rows:,} actions: {megabytes(costs[-1].peak)} in {seconds(costs[-1].wall)}")
    return costs

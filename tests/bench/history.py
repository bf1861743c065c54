"""What the history costs: backfills with and without it, in turn, and the size of the database."""

from __future__ import annotations

from tests.bench.contenders import workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, megabytes, say, seconds
from tests.bench.serving import serving

FULL = Sizes(rows=(1_000_000,), runs=3)
QUICK = Sizes(rows=(20_000,), runs=1)
GOAL = 0.05
"""The limit, as a share of the sync without it."""


def run(sizes: Sizes) -> Report:
    """Backfill in turn, after a warm-up."""
    found: dict[bool, list[Cost]] = {False: [], True: []}
    sizes_of: dict[bool, int] = {}
    with serving(sizes.rows[0]) as server:
        for number in range(sizes.runs + 1):
            for history, costs in found.items():
                with workplace() as place:
                    cost = place.sync(server, history=history)
                    sizes_of[history] = place.warehouse.stat().st_size
                say(f"{'with' if history else 'without'} history: {seconds(cost.wall)}")
                if number:
                    costs.append(cost)
    usual = {history: middle(costs) for history, costs in found.items()}
    names = {False: "without history", True: "with history"}
    table = [
        [
            names[history],
            seconds(cost.wall),
            seconds(cost.processor),
            megabytes(cost.peak),
            megabytes(sizes_of[history]),
        ]
        for history, cost in usual.items()
    ]
    walls, processors = ([getattr(cost, what) for cost in usual.values()] for what in ("wall", "processor"))
    wall, processor = (pair[1] / pair[0] - 1 for pair in (walls, processors))
    notes = [
        f"It costs {wall:.2f} x the wall and {processor:.2f} x the processor time on top; goal: {GOAL} x at most.",
        f"Medians of {sizes.runs} backfills of {sizes.rows[0]:,} actions, in turn.",
    ]
    figures = {names[history]: [cost.figures for cost in costs] for history, costs in found.items()}
    return Report("History", ("", "wall", "processor", "peak memory", "database"), table, notes, figures)

"""What a hundred syncs without any change leave behind: the size of the database, and the bytes written to it.

`--runs` is the number of syncs.
"""

from __future__ import annotations

from tests.bench.contenders import workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, megabytes, say, seconds
from tests.bench.serving import serving

FULL = Sizes(rows=(60_000,), runs=100)
QUICK = Sizes(rows=(5_000,), runs=3)
GOAL = 1.1
"""The limit, as a multiple of the size after the first sync."""
_DAYS = 180
_SPOKEN = 10


def run(sizes: Sizes) -> Report:
    """Sync again and again."""
    found: list[Cost] = []
    with serving(sizes.rows[0], days=_DAYS) as server, workplace() as place:
        first = place.sync(server)
        grown = [place.warehouse.stat().st_size]
        for number in range(1, sizes.runs + 1):
            found.append(place.sync(server))
            grown.append(place.warehouse.stat().st_size)
            if not number % _SPOKEN:
                say(f"after {number} syncs: {megabytes(grown[-1])}")
    before, after, written = grown[0], grown[-1], sum(cost.written for cost in found)
    goal = f"at most {megabytes(before * GOAL)}"
    table = [
        ["database, after the backfill", megabytes(before), "", ""],
        [f"database, after {sizes.runs} syncs more", megabytes(after), goal, f"{after / before:.2f} x"],
        ["written by the backfill", megabytes(first.written), "", ""],
        [f"written by these {sizes.runs}", megabytes(written), "", f"{megabytes(written / sizes.runs)} each"],
        ["wall time of one", seconds(middle(found).wall), "", ""],
    ]
    notes = ["Written: everything that the process gave the file system to write, dlt's working folder included."]
    figures = {"sizes": grown, "runs": [cost.figures for cost in found]}
    return Report("Bloat", ("", "measured", "goal", "ratio"), table, notes, figures)

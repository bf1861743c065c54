"""What a sync without changes costs: requests and processor time, compared with starting Python and its libraries.

The size is the number of open actions: those of the last thirty days, in an account that is half a year old.
"""

from __future__ import annotations

from statistics import median

from tests.bench.contenders import Workplace, workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, say, seconds
from tests.bench.serving import Server, serving

FULL = Sizes(rows=(10_000,), runs=7)
QUICK = Sizes(rows=(1_000,), runs=1)
_DAYS, _OPEN_DAYS = 180, 30
_IMPORTS = "import dlt, duckdb, pyarrow"


def run(sizes: Sizes) -> Report:
    """Measure the sync and its comparison, in turn."""
    costs: dict[str, list[Cost]] = {"sync": [], "imports": [], "help": [], "python": []}
    requests: list[int] = []
    with serving(sizes.rows[0] * _DAYS // _OPEN_DAYS, days=_DAYS) as server, workplace() as place:
        place.sync(server)
        for number in range(sizes.runs + 1):
            found, asked = _turn(place, server)
            if number:
                requests.append(asked)
                for name, cost in found.items():
                    costs[name].append(cost)
                say(f"run {number} of {sizes.runs}: {seconds(found['sync'].processor)}, {asked} requests")
    each = {name: middle(found) for name, found in costs.items()}
    table = [
        ["sync, requests", str(median(requests)), "", ""],
        ["sync, processor", *_against(each["sync"].processor, each["imports"].processor, f'python -c "{_IMPORTS}"')],
        ["sync, wall", *_against(each["sync"].wall, each["imports"].wall, f'python -c "{_IMPORTS}"')],
        ["impact --help, processor", *_against(each["help"].processor, each["python"].processor, 'python -c ""')],
        ["impact --help, wall", *_against(each["help"].wall, each["python"].wall, 'python -c ""')],
    ]
    notes = [f"{sizes.rows[0]:,} open actions, medians of {sizes.runs}."]
    figures = {name: [cost.figures for cost in found] for name, found in costs.items()} | {"requests": requests}
    return Report("A sync with nothing new", ("", "measured", "against", "ratio"), table, notes, figures)


def _turn(place: Workplace, server: Server) -> tuple[dict[str, Cost], int]:
    server.count()
    sync = place.sync(server)
    requests = server.count().requests
    others = {"imports": place.python(_IMPORTS), "help": place.impact(server, "--help"), "python": place.python("")}
    return {"sync": sync, **others}, requests


def _against(measured: float, least: float, what: str) -> list[str]:
    return [seconds(measured), f"{seconds(least)}, {what}", f"{measured / least:.2f} x"]

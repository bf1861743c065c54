"""Side by side: a backfill by the floor, by `impact sync`, and by dlt's own REST source, with defaults and tuned.

All read the same windows of 45 days in pages of 20,000 over HTTP into a new DuckDB file. Runs take turns, so that a
slow minute of the machine slows all of them. Rates are in rows per second, because dlt's source with defaults gets only
a tenth of the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.bench.contenders import Held, Workplace, workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, megabytes, say, seconds
from tests.bench.serving import Counts, Server, serving

FULL = Sizes(rows=(1_000_000,), runs=5)
QUICK = Sizes(rows=(20_000,), runs=1)
AHEAD = 4
"""The floor's requests in flight, if that is faster than one after the other."""
SHARE = 0.1
"""The share of the history for dlt's source with defaults: it reads a thousand rows a second and takes gigabytes."""


@dataclass
class _Contender:
    name: str
    run: Callable[[Workplace], Cost]
    whole: bool = True
    costs: list[Cost] = field(default_factory=list)
    held: Held = field(default_factory=lambda: Held(0, 0, ""))
    counts: Counts = field(default_factory=lambda: Counts(0, 0))


def run(sizes: Sizes) -> Report:
    """Measure them all."""
    with serving(sizes.rows[0]) as server:
        contenders = list(_warmed_up(server))
        for number in range(1, sizes.runs + 1):
            for contender in contenders:
                contender.costs.append(_turn(contender, server))
                say(f"run {number} of {sizes.runs}, {contender.name}: {seconds(contender.costs[-1].wall)}")
    return _report(contenders)


def _warmed_up(server: Server) -> Iterator[_Contender]:
    """The contenders, each run once: that fills the server's memory, and the system's."""
    floors = [
        _Contender("floor, one page after the other", lambda place: place.floor(server, ahead=0)),
        _Contender(f"floor, {AHEAD} pages ahead", lambda place: place.floor(server, ahead=AHEAD)),
    ]
    others = [
        _Contender("impact sync", lambda place: place.sync(server)),
        _Contender("dlt's REST source, tuned", lambda place: place.ready_made(server, tuned=True, share=1.0)),
        _Contender("dlt's REST source", lambda place: place.ready_made(server, tuned=False, share=SHARE), whole=False),
    ]
    _turn(floors[0], server)
    warm = {}
    for contender in (*floors, *others):
        warm[contender.name] = _turn(contender, server).wall
        say(f"warm-up, {contender.name}: {seconds(warm[contender.name])}")
    yield min(floors, key=lambda floor: warm[floor.name])
    yield from others


def _turn(contender: _Contender, server: Server) -> Cost:
    with workplace() as place:
        server.count()
        cost = contender.run(place)
        contender.counts = server.count()
        contender.held = place.held()
    return cost


def _report(contenders: list[_Contender]) -> Report:
    costs = {contender.name: middle(contender.costs) for contender in contenders}
    rows = [_row(contender, costs[contender.name]) for contender in contenders]
    ours, floor = contenders[1], contenders[0]
    notes = [_ratio(ours, other) for other in contenders if other is not ours]
    notes += [_agreement([c for c in contenders if c.whole]), f"Medians of {len(floor.costs)} runs in turn."]
    late = [c.name for c in contenders if c.counts.computed]
    if late:
        notes.append(f"The server had to compute answers for {', '.join(late)}: their times are too long.")
    columns = ("", "rows", "wall", "processor", "rows/s", "rows/s of processor", "peak memory", "requests")
    return Report("Backfill, side by side", columns, rows, notes, {c.name: _figures(c) for c in contenders})


def _row(contender: _Contender, cost: Cost) -> list[str]:
    rows = contender.held.rows
    return [
        contender.name,
        f"{rows:,}",
        seconds(cost.wall),
        seconds(cost.processor),
        f"{rows / cost.wall:,.0f}",
        f"{rows / cost.processor:,.0f}",
        megabytes(cost.peak),
        str(contender.counts.requests),
    ]


def _ratio(ours: _Contender, other: _Contender) -> str:
    """By which factor one rate exceeds the other."""
    mine, theirs = middle(ours.costs), middle(other.costs)
    wall = (ours.held.rows / mine.wall) / (other.held.rows / theirs.wall)
    processor = (ours.held.rows / mine.processor) / (other.held.rows / theirs.processor)
    return f"{ours.name} / {other.name}: {wall:.2f} x the rows/s on the wall, {processor:.2f} x of processor time."


def _agreement(whole: list[_Contender]) -> str:
    found = {contender.held for contender in whole}
    if len(found) == 1 and whole[0].held.rows == whole[0].held.ids:
        return f"All that read the whole history hold the same {whole[0].held.rows:,} actions and sum of payouts."
    return f"They do NOT hold the same: {', '.join(f'{c.name} {c.held}' for c in whole)}."


def _figures(contender: _Contender) -> dict[str, object]:
    return {
        "rows": contender.held.rows,
        "payout": contender.held.payout,
        "requests": contender.counts.requests,
        "computed": contender.counts.computed,
        "runs": [cost.figures for cost in contender.costs],
        "median": middle(contender.costs).figures,
    }

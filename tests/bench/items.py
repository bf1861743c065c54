"""What the items of all actions cost: a backfill with the change feed, beside one of the actions alone.

Afterwards every item that counts as known is compared with the item list that the server would give for its action.
"""

from __future__ import annotations

import math

from tests.bench.contenders import Known, workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, megabytes, say, seconds
from tests.bench.serving import Server, serving

FULL = Sizes(rows=(200_000, 1_000_000), runs=1)
QUICK = Sizes(rows=(5_000,), runs=1)
_PROOF = 30
"""Lists of items that prove a feed."""
_PAGE = 20_000
_WINDOWS = math.ceil(1095 / 45)
_ALLOWED = 1.1
"""The limit of requests, as a multiple of the pages of the feed, its windows and the proof."""


def run(sizes: Sizes) -> Report:
    """Measure both at each size."""
    table: list[list[str]] = []
    notes = ["Items: known after one sync, compared with the server's lists column by column. Requests: for items."]
    figures: dict[str, object] = {}
    for rows in sizes.rows:
        with serving(rows) as server:
            alone, with_items, requests, known = _both(server, sizes.runs)
        most = int(_ALLOWED * (math.ceil(known.changes / _PAGE) + _WINDOWS + _PROOF))
        table += [
            _row(f"{known.actions:,} actions alone", alone, known.actions / alone.processor, ""),
            _row(
                f"{known.changes:,} changes, {known.items:,} items",
                with_items,
                (known.changes + known.items) / max(with_items.processor - alone.processor, 1e-3),
                f"{requests} (at most {most})",
            ),
        ]
        notes.append(
            f"{known.actions:,} actions: items of {known.known:,} known ({known.known / known.actions:.2%}), "
            f"{known.wrong:,} of their items differ from the server's lists."
        )
        figures[str(rows)] = {"alone": alone.figures, "items": with_items.figures, "requests": requests}
    columns = ("", "wall", "processor", "rows a processor second", "peak memory", "requests")
    return Report("Items from the change feed", columns, table, notes, figures)


def _row(name: str, cost: Cost, pace: float, requests: str) -> list[str]:
    return [name, seconds(cost.wall), seconds(cost.processor), f"{pace:,.0f}", megabytes(cost.peak), requests]


def _both(server: Server, runs: int) -> tuple[Cost, Cost, int, Known]:
    """Backfills without and with items, in turn after a warm-up; requests of the feed and of lists; what is known."""
    alone, with_items = [], []
    for number in range(runs + 1):
        with workplace() as place:
            server.count()
            cost = place.impact(server, "sync", "--no-items", items="exact")
            least = server.count().requests
        with workplace() as filled:
            whole = filled.impact(server, "sync", items="feed", items_max_requests=_PROOF)
            requests = server.count().requests - least
            if number == runs:
                known = filled.known(server)
        say(f"actions alone {seconds(cost.wall)}, with items {seconds(whole.wall)}, {megabytes(whole.peak)}")
        if number:
            alone.append(cost)
            with_items.append(whole)
    return middle(alone), middle(with_items), requests, known

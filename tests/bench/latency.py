"""Whether the network is hidden by the work: a backfill of 50 slow pages, and the items of 1,000 actions.

The backfill is compared with the longer of two times: what the network takes with four requests in flight, and what the
same backfill takes without latency. The items are compared with eight requests always in flight.
"""

from __future__ import annotations

from tests.bench.contenders import workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, say, seconds
from tests.bench.serving import Server, serving

# Twenty-five windows of 45 days, of at most two pages each.
FULL = Sizes(rows=(360_000,), runs=5)
QUICK = Sizes(rows=(72_000,), runs=1)
_ROWS_A_PAGE = 36
"""An account of n actions is read in pages of n / 36; each of its windows fills about one and a half of them."""
_SMALLEST = 2_000
_PAGE, _IN_FLIGHT = 0.3, 4
_ITEM, _ITEMS, _ITEMS_IN_FLIGHT = 0.1, 1_000, 8


def run(sizes: Sizes) -> Report:
    """Measure both."""
    with serving(sizes.rows[0]) as server:
        fast, slow, requests = _backfills(server, sizes)
    with serving(_ITEMS) as server:
        items, asked = _items(server, sizes.runs)
    network, work = requests * _PAGE / _IN_FLIGHT, middle(fast).wall
    ideal, least = max(network, work), asked * _ITEM / _ITEMS_IN_FLIGHT
    pages, item = middle(slow).wall, middle(items).wall
    table = [
        [f"backfill, {requests} requests of {_PAGE} s", seconds(pages), seconds(ideal), f"{pages / ideal:.2f} x"],
        [f"items, {asked} requests of {_ITEM} s", seconds(item), seconds(least), f"{item / least:.2f} x"],
    ]
    longer = f"{seconds(network)} (network, {_IN_FLIGHT} in flight) and {seconds(work)} (without latency)"
    notes = [
        f"Goal of the backfill: the longer of {longer}.",
        f"Goal of the items: {_ITEMS_IN_FLIGHT} in flight throughout; the figure has starting up in it, the goal not.",
        f"Medians of {sizes.runs}.",
    ]
    figures = {
        name: [cost.figures for cost in costs] for name, costs in (("fast", fast), ("slow", slow), ("items", items))
    }
    return Report("Latency", ("", "wall", "goal", "ratio"), table, notes, figures)


def _backfills(server: Server, sizes: Sizes) -> tuple[list[Cost], list[Cost], int]:
    """Costs without and with latency, in turn, and the requests of one backfill."""
    page_size = max(_SMALLEST, sizes.rows[0] // _ROWS_A_PAGE)
    costs: dict[float, list[Cost]] = {0.0: [], _PAGE: []}
    with workplace() as place:
        place.sync(server, page_size=page_size)  # fills the server's memory
        server.count()
    for _ in range(sizes.runs):
        for delay, found in costs.items():
            with workplace() as place:
                server.delay(delay)
                found.append(place.sync(server, page_size=page_size))
                say(f"backfill with {delay} s a request: {seconds(found[-1].wall)}")
    server.delay(0)
    return costs[0.0], costs[_PAGE], server.count().requests // (sizes.runs * len(costs))


def _items(server: Server, runs: int) -> tuple[list[Cost], int]:
    """Costs of reading the items of the same actions repeatedly, and the requests that takes."""
    costs: list[Cost] = []
    with workplace() as filled:
        filled.sync(server)
        for number in range(runs + 1):
            with workplace() as place:
                place.take(filled.warehouse)
                server.delay(_ITEM if number else 0)
                server.count()
                cost = place.impact(server, "items", item_concurrency=_ITEMS_IN_FLIGHT)
            if number:  # the first one fills the server's memory
                costs.append(cost)
                say(f"items with {_ITEM} s a request: {seconds(cost.wall)}")
    return costs, server.count().requests

"""`impact reconcile`: as many orders, in a CSV file, as there are actions; one in 500 was returned and not reversed."""

from __future__ import annotations

import duckdb

from tests.bench.contenders import workplace
from tests.bench.process import Cost, middle
from tests.bench.report import Report, Sizes, megabytes, say, seconds
from tests.bench.serving import serving

FULL = Sizes(rows=(1_000_000,), runs=3)
QUICK = Sizes(rows=(20_000,), runs=1)
GOAL_SECONDS, GOAL_BYTES = 30, 10**9
_ORDERS = """
copy (
    select
        oid as order_id, action_tracker_name as event_type, currency, amount::decimal(18, 2) as amount,
        case
            when state = 'REVERSED' or hash(id) % 500 = 0 then 'returned' else 'placed'
        end as status,
        event_date as ordered_at, true as referred
    from impact.actions
) to '{file}' (header)
"""


def run(sizes: Sizes) -> Report:
    """Fill a warehouse, write orders, compare them."""
    costs: dict[int, list[Cost]] = {}
    for rows in sizes.rows:
        with serving(rows) as server, workplace() as place:
            place.sync(server)
            with duckdb.connect(str(place.warehouse), read_only=True) as connection:
                connection.execute(_ORDERS.format(file=place.folder / "orders.csv"))
            costs[rows] = [place.reconcile(server, "orders.csv") for _ in range(sizes.runs)]
        say(f"{rows:,} orders: {seconds(middle(costs[rows]).wall)}, {megabytes(middle(costs[rows]).peak)}")
    table = [
        [f"{rows:,} orders", seconds(middle(found).wall), megabytes(middle(found).peak)]
        for rows, found in costs.items()
    ]
    goal = f"{GOAL_SECONDS} s and {megabytes(GOAL_BYTES)} on two cores"
    notes = [f"`impact reconcile orders.csv`, medians of {sizes.runs}; the goal for a million is {goal}."]
    figures = {str(rows): [cost.figures for cost in found] for rows, found in costs.items()}
    return Report("Orders against actions", ("", "wall", "peak"), table, notes, figures)

"""How long the views take on a large account, compared with a plain query and a scan of the tables that they read.

Each is queried for every column of every row, as a sum of hashes, so that none can skip reading something.
"""

from __future__ import annotations

import time
from statistics import median

import duckdb
from impact_sync.views import reads, texts

from tests.bench.contenders import workplace
from tests.bench.report import Report, Sizes, say, seconds
from tests.bench.serving import serving

FULL = Sizes(rows=(2_000_000,), runs=3)
QUICK = Sizes(rows=(20_000,), runs=1)
GOAL = 10
"""The limit, as a multiple of the plain query, on top of the scan."""
_PLAIN = "select state, sum(payout) from impact.actions group by 1"
_WEEK = 7
_THERE = "select table_name from information_schema.tables where table_schema = 'impact'"
# Two items per action: the API would take weeks to return so many.
_ITEMS = """
insert into impact.action_items by name
select id as action_id, 'SKU-' || (hash(id, line) % 5000) as sku, 'Product' as item_name,
    'Category ' || (hash(id, line) % 40) as category, 1 + line as quantity, amount / 2 as sale_amount,
    currency as sale_amount_currency, payout / 2 as payout, currency as payout_currency, 1 as line_count, synced_at
from impact.actions cross join range(2) as lines (line)
"""
_FETCHES = """
insert into impact.item_fetches by name
select action_id, a.synced_at + interval 1 hour as fetched_at, s.fingerprint, 'listed' as status, 2 as item_count
from impact.item_state s join impact.actions a on a.id = s.action_id
"""


def run(sizes: Sizes) -> Report:
    """Fill a warehouse, change it for a week, add items, and query it."""
    with workplace() as place:
        with serving(sizes.rows[0]) as server:
            place.sync(server)
            server.advance(_WEEK)
            place.sync(server)
        with duckdb.connect(str(place.warehouse)) as connection:
            # The file is named after the warehouse, so that the dataset's name is not ambiguous.
            connection.execute("begin; " + _ITEMS + "; commit")
            connection.execute("begin; " + _FETCHES + "; commit; checkpoint")
            return _ask(connection, sizes.runs)


def _ask(connection: duckdb.DuckDBPyConnection, runs: int) -> Report:
    plain = _time(connection, _PLAIN, runs)
    there = {name for (name,) in connection.execute(_THERE).fetchall()}
    views = [name for name in texts() if name in there]  # not those of closed months, for example
    tables = sorted(set().union(*map(_tables, views)) & there)
    scans = {name: _time(connection, _whole(name), runs) for name in tables}
    rows, figures = [], {"plain": plain, "scans": scans}
    for name in views:
        took = _time(connection, _whole(name), runs)
        allowed = GOAL * plain + sum(scans[table] for table in _tables(name) & there)
        say(f"{name}: {seconds(took)}, allowed {seconds(allowed)}")
        ((count,),) = connection.execute(f"select count(*) from impact.{name}").fetchall()
        rows.append([name, f"{count:,}", seconds(took), seconds(allowed), f"{took / allowed:.2f} x"])
        figures[name] = took
    held = connection.execute(
        "select (select count(*) from impact.actions), (select count(*) from impact.action_items)"
    )
    ((actions, items),) = held.fetchall()
    notes = [
        f"{actions:,} actions, {items:,} items; the plain query ({_PLAIN}) takes {seconds(plain)}.",
        f"Allowed: {GOAL} x that and a scan of the tables below the view. Medians of {runs}, DuckDB on all cores.",
    ]
    return Report("Views", ("", "rows", "measured", "allowed", "share"), rows, notes, figures)


def _tables(view: str) -> set[str]:
    """The tables that a view is built on."""
    named = reads(texts()[view])
    below = (_tables(name) if name in texts() else {name} for name in named)
    return set().union(*below)


def _whole(name: str) -> str:
    return f"select count(*), sum(hash(t)) from impact.{name} t"


def _time(connection: duckdb.DuckDBPyConnection, sql: str, runs: int) -> float:
    taken = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        connection.execute(sql).fetchall()
        taken.append(time.perf_counter() - began)
    return median(taken[1:])

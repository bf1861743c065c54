"""Writes what a warehouse holds to a JSON file: of actions, or of items compared with what the server would list.

Run as `python -m tests.bench.held WAREHOUSE OUT [ITEMS]`, where ITEMS is a parquet file of all items as raw strings.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

_ACTIONS = """
select count(*) as rows, count(distinct id) as ids, sum(payout::decimal(18, 2))::text as payout from impact.actions
"""
_ITEMS = """
with known as (
    select f.action_id from impact.item_state f where f.items = 'current'
), here as (
    select action_id, sku, coalesce(category, '') as category, quantity, sale_amount, payout
    from impact.action_items where action_id in (from known)
), there as (
    select
        "ActionId" as action_id, "Sku" as sku, "Category" as category, sum("Quantity"::bigint) as quantity,
        sum("SaleAmount"::decimal(20, 8)) as sale_amount, sum("Payout"::decimal(20, 8)) as payout
    from read_parquet($truth) where "ActionId" in (from known) group by all
)
select
    (select count(*) from impact.actions) as actions, (select count(*) from impact.action_updates) as changes,
    (select count(*) from impact.action_items) as items, (select count(*) from known) as known,
    (select count(*) from (from here except from there)) + (select count(*) from (from there except from here)) as wrong
"""


def main() -> None:
    """Query and write the file."""
    warehouse, out, *truth = sys.argv[1:]
    with duckdb.connect(warehouse, read_only=True) as connection:
        found = connection.execute(_ITEMS, {"truth": truth[0]}) if truth else connection.execute(_ACTIONS)
        names = [column[0] for column in found.description or ()]
        Path(out).write_text(json.dumps(dict(zip(names, found.fetchone() or (), strict=True))))


if __name__ == "__main__":
    main()

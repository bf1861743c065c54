"""A shop's orders, written by hand beside an account, and what a reconciliation says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from impact_sync.reconcile.asking import Ask
from impact_sync.reconcile.given import Given
from impact_sync.reconcile.run import Found, reconcile

from tests.support.desk import Desk

HEADER = "order_id,status,amount,currency,ordered_at,referred"
ITEM_HEADER = "order_id,sku,quantity,amount"
Row = dict[str, Any]


class Shop:
    """The orders of one account's shop, and the differences that were found last."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.found: Found

    def file(self, *lines: str, header: str = HEADER, name: str = "orders.csv") -> Path:
        """A file with these lines."""
        return self.desk.file("\n".join([header, *lines]) + "\n", name)

    def ask(self, *lines: str, items: tuple[str, ...] = (), header: str = HEADER, **changes: Any) -> Ask:  # noqa: ANN401 - any field
        """What compares these orders, with these items if there are any."""
        ask = Ask(Given(self.file(*lines, header=header)))
        if items:
            ask = replace(ask, items=Given(self.file(*items, header=ITEM_HEADER, name="items.csv")))
        return replace(ask, **changes)

    def reconcile(self, *lines: str, **changes: Any) -> list[Row]:  # noqa: ANN401 - any field
        """The differences of these orders, those that matter most first."""
        return self.run(self.ask(*lines, **changes))

    def run(self, ask: Ask) -> list[Row]:
        """The differences, settled ones included."""
        self.found = reconcile(ask)
        return self.lines(self.found.head["run_id"])

    def lines(self, run_id: str) -> list[Row]:
        """The lines of a reconciliation, as the ledger has them."""
        with self.desk.account.opened() as connection:
            sql = f"select * from impact.reconciliation_lines where run_id = '{run_id}'"
            rows: list[Row] = connection.execute(sql).to_arrow_table().to_pylist()
        return rows


def told(lines: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of each line, in the order of the orders' ids."""
    found = [tuple(line[name] for name in ("order_id", "kind", *columns)) for line in lines]
    return sorted(found, key=lambda row: [str(value) for value in row])

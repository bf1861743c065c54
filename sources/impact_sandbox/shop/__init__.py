"""The shop's own view of a world: its orders and their items, with differences planted by seed.

What is not planted agrees with what the API shows at the instant of the books. Prices, returns and dates are the shop's
truth: nothing that happens at impact.com changes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
from pyarrow import csv

from ..ledger import Ledger
from ..times import stored

Difference = Literal[
    "not_corrected", "amount", "currency", "reversed_here", "not_reversed", "no_order", "duplicate", "no_action"
]
"""How an order and its action differ:

not_corrected: partly returned; amount and items at impact.com are not corrected.
amount, currency: another one.
reversed_here: reversed at impact.com, not in the shop.
not_reversed: returned or cancelled in the shop, not reversed at impact.com.
no_order: an action without an order.
duplicate: two orders with one id, or several actions with one Oid.
no_action: a partner referred the order; it has no action.
"""
DIFFERENCES: tuple[Difference, ...] = get_args(Difference)
PLANTED = 80
_ALIVE = "NOT reversed AND status = 'placed'"
_FITTING: Mapping[Difference, str] = {  # the choosiest first
    "not_corrected": "NOT reversed AND n IN (SELECT n FROM shop_cuts)",
    "amount": f"{_ALIVE} AND n IN (SELECT n FROM shop_lines WHERE place = 1 AND worth > 0)",
    "currency": _ALIVE,
    "reversed_here": "reversed",
    "not_reversed": "NOT reversed",
    "no_order": "NOT reversed",
    "duplicate": "NOT reversed",
}
_SQL = {name: files(__package__).joinpath(f"{name}.sql").read_text() for name in ("shop", "books")}
_FILES = {name: files(__package__).joinpath(f"{name}.sql").read_text() for name in ("orders", "order_items", "planted")}


@dataclass(frozen=True)
class Books:
    """The shop's books, as columns of text.

    `orders`: order_id, event_type (an action's ActionTrackerName), amount, currency, status (placed, cancelled,
    returned, partly_returned), ordered_at, updated_at, referred (true, false). `order_items`: order_id, sku, quantity,
    amount of what the customer keeps. `planted`: order_id, action_id, kind (a Difference).
    """

    orders: pa.Table
    order_items: pa.Table
    planted: pa.Table

    def csv(self, name: str) -> bytes:
        """Return one of the tables as a CSV file with a header."""
        written = BytesIO()
        csv.write_csv(getattr(self, name), written, csv.WriteOptions(quoting_style="needed"))
        return written.getvalue()

    def write(self, folder: Path) -> None:
        """Write orders.csv, order_items.csv and planted.csv into a folder, which is created if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            (folder / f"{name}.csv").write_bytes(self.csv(name))


def split(planted: int) -> dict[Difference, int]:
    """Return how many differences of each kind make up so many, as evenly as possible; ValueError if below 0."""
    if planted < 0:
        msg = f"{planted} differences cannot be planted"
        raise ValueError(msg)
    each, rest = divmod(planted, len(DIFFERENCES))
    return {kind: each + (place < rest) for place, kind in enumerate(DIFFERENCES)}


def open_books(ledger: Ledger, at: datetime, seed: int, planted: Mapping[Difference, int], organic: float) -> Books:
    """Write the shop's books of a ledger at an instant.

    No partner referred `organic` orders more, a share of the actions. Whatever shares an Oid at impact.com is planted
    beside the differences asked for. Raises ValueError if fewer actions fit a kind than that.
    """
    connection = ledger.connection
    settings = {"seed": seed, "at": stored(at), "organic": organic, "untracked": planted.get("no_action", 0)}
    for name, value in settings.items():
        connection.execute(f"SET VARIABLE shop_{name} = ?", [value])
    connection.execute(_SQL["shop"])
    for kind, fitting in _FITTING.items():
        _plant(ledger, kind, fitting, planted.get(kind, 0))
    connection.execute(_SQL["books"])
    books = Books(**{name: connection.execute(sql).to_arrow_table() for name, sql in _FILES.items()})
    for name in ("actions", "lines", "cuts", "planted", "others", "orders"):
        connection.execute(f"DROP TABLE shop_{name}")
    return books


def _plant(ledger: Ledger, kind: Difference, fitting: str, count: int) -> None:
    """Draw actions that differ in one way, among those that are the only ones of their order and differ in none."""
    free = "actions = 1 AND order_id <> '' AND n NOT IN (SELECT n FROM shop_planted)"
    ledger.connection.execute(
        f"INSERT INTO shop_planted SELECT n, ? FROM shop_actions WHERE {fitting} AND {free} "
        "ORDER BY hash(k, 'planted'), n LIMIT ?",
        [kind, count],
    )
    found = ledger.count("SELECT count(*) FROM shop_planted WHERE kind = ?", [kind])
    if found < count:
        msg = f"only {found} actions can differ as {kind}, not {count}: plant fewer or make the account larger"
        raise ValueError(msg)

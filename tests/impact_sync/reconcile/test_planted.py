"""The shop's own orders against the account that they were planted in: all of what differs is found, and only that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from impact_sandbox import Rules
from impact_sandbox.shop import DIFFERENCES
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply.run import apply
from impact_sync.corrections.plan.run import Plan
from impact_sync.reconcile.command import store_plan
from impact_sync.reconcile.given import Given
from impact_sync.reconcile.run import Ask, Found, reconcile

from tests.support.account import Account

Make = Callable[..., Account]
_LINE = tuple[str, str, str]


class Shop:
    """A synced account, and the books of its shop in two files."""

    def __init__(self, account: Account, planted: int) -> None:
        self.account, self.planted = account, planted
        for campaign in account.world.campaigns:  # what the API shows late, the books would not have
            account.world.close_campaign(campaign.id)
        account.world.advance(days=1)
        self.books = account.world.shop(planted)
        self.books.write(account.folder / "shop")
        self.until = account.world.now
        self.sync()

    @property
    def ask(self) -> Ask:
        """All of the orders and actions, by item where the shop knows them."""
        folder, since = self.account.folder / "shop", self.until - timedelta(days=1_000)
        return Ask(Given(folder / "orders.csv"), Given(folder / "order_items.csv"), since=since, until=self.until)

    def sync(self) -> None:
        """Bring the warehouse up to date, with items from the change feed."""
        self.account.sync(items="feed", items_max_requests=None)

    def expected(self) -> set[_LINE]:
        """What was planted."""
        return {(row["order_id"] or "", row["action_id"] or "", row["kind"]) for row in self.books.planted.to_pylist()}

    def found(self, found: Found) -> set[_LINE]:
        """What a reconciliation found, in the same form."""
        sql = f"select order_id, action_id, kind from impact.reconciliation_lines where change <> 'settled' and run_id = '{found.head['run_id']}'"
        return {(order or "", action or "", kind) for order, action, kind in self.account.query(sql)}

    def plan(self, found: Found) -> Plan:
        """The stored plan of what can be corrected."""
        return store_plan(self.account.settings(poll_interval=timedelta(0), actor="Finance"), self.ask, found)


def check(shop: Shop) -> None:
    """All of what was planted is found, as what it is; what is planned and applied is settled, each sent once."""
    first = reconcile(shop.ask)
    assert Counter(kind for _, _, kind in shop.expected()).keys() == set(DIFFERENCES)
    assert shop.found(first) == shop.expected()
    plan = shop.plan(first)
    assert plan.id is not None
    assert plan.invalid == []
    while (applied := apply(shop.account.settings(poll_interval=timedelta(0)), plan.id)).exit is Exit.EARLY:
        shop.account.world.advance(hours=1)
    assert applied.exit is Exit.DONE
    actions = [request.form["ActionId"] for request in shop.account.sandbox.writes]
    assert sorted(actions) == sorted({row.action_id for row in plan.rows})
    shop.account.world.advance(hours=1)
    shop.sync()
    second = reconcile(shop.ask)
    corrected = {row.action_id for row in plan.rows}
    assert shop.found(second) == {line for line in shop.expected() if line[1] not in corrected}
    assert len(second.planned) == 0
    left = {line[2] for line in shop.found(second)}
    assert {"not_reversed", "not_corrected", "amount"} & left <= {
        kind for (kind,) in shop.account.query("select kind from impact.reconciliation_lines where standing = 'locked'")
    }


def test_what_was_planted_is_found_corrected_once_and_then_settled(account: Make) -> None:
    """Each planted difference is found and nothing else; after plan and apply only the others are left."""
    check(Shop(account(days=40, per_day=25, rules=Rules(shared_oids=0.01)), 80))

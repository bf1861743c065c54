"""The shop's own orders against the account that they were planted in: all of what differs is found, and only that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from impact_sandbox import Rules
from impact_sandbox.shop import DIFFERENCES
from impact_source import Settings
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply.run import apply
from impact_sync.corrections.plan.run import Plan
from impact_sync.reconcile.asking import Ask
from impact_sync.reconcile.command import store_plan
from impact_sync.reconcile.given import Given
from impact_sync.reconcile.run import Found, reconcile

from tests.support.account import Account

Make = Callable[..., Account]
_LINE = tuple[str, str, str]
_PLANNED = ("not_reversed", "not_corrected", "amount")


class Shop:
    """A synced account, and the books of its shop in two files."""

    def __init__(self, account: Account, planted: int) -> None:
        self.account, self.planted = account, planted
        for campaign in account.world.campaigns:  # what the API shows late, the books would not have
            account.world.close_campaign(campaign.id)
        account.world.advance(days=1)
        self.books = account.world.shop(planted)
        # Without updated_at: by the clock of a slow machine the last changes would be younger than the sync.
        self.books = replace(self.books, orders=self.books.orders.drop_columns(["updated_at"]))
        self.books.write(account.folder / "shop")
        self.until = account.world.now
        self.sync()

    @property
    def settings(self) -> Settings:
        """Settings whose polls do not wait."""
        return self.account.settings(poll_interval=timedelta(0), actor="Finance")

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
        where = f"change <> 'settled' and run_id = '{found.head['run_id']}'"
        rows = self.account.query(f"select order_id, action_id, kind from impact.reconciliation_lines where {where}")
        return {(order or "", action or "", kind) for order, action, kind in rows}

    def shown(self) -> dict[str, tuple[str, str]]:
        """The state and the amount of each action, as the API shows them."""
        return {row["Id"]: (row["State"], row["Amount"]) for row in self.account.world.truth().to_pylist()}

    def correctable(self) -> set[str]:
        """The actions that differ in what a plan corrects, and that can still be changed."""
        now = f"{self.account.world.now:%Y-%m-%dT%H:%M:%SZ}"
        open_ = {
            row["Id"]
            for row in self.account.world.truth().to_pylist()
            if row["State"] == "PENDING" and row["LockingDate"] > now and not row["ClearedDate"]
        }
        return {id_ for _, id_, kind in self.expected() if kind in _PLANNED and id_ in open_}

    def plan(self, found: Found) -> Plan:
        """The stored plan of what can be corrected."""
        return store_plan(self.settings, self.ask, found)


def check(shop: Shop) -> None:
    """All of what was planted is found, as what it is; what is planned and applied is settled, each sent once."""
    first = reconcile(shop.ask)
    assert {kind for _, _, kind in shop.expected()} == set(DIFFERENCES)
    assert shop.found(first) == shop.expected()
    correctable, before = shop.correctable(), shop.shown()
    plan = shop.plan(first)
    assert plan.id is not None
    assert plan.invalid == []
    assert {row.action_id for row in plan.rows} == correctable
    while (applied := apply(shop.settings, plan.id)).exit is Exit.EARLY:
        shop.account.world.advance(hours=1)
    assert applied.exit is Exit.DONE
    sent = [request.form["ActionId"] for request in shop.account.sandbox.writes]
    assert sorted(sent) == sorted(correctable)
    shop.account.world.advance(hours=1)
    shop.sync()
    # Some hours have passed, in which other actions changed as well.
    changed = {id_ for id_, row in shop.shown().items() if row != before[id_]} - correctable
    second = reconcile(shop.ask)
    left = {line for line in shop.found(second) if line[1] not in changed}
    assert left == {line for line in shop.expected() if line[1] not in correctable | changed}
    assert correctable.isdisjoint(second.planned["action_id"].to_pylist())
    assert second.head["settled"] >= len(plan.rows)


def test_what_was_planted_is_found_corrected_once_and_then_settled(account: Make) -> None:
    """Each planted difference is found and nothing else; after plan and apply only the others are left."""
    check(Shop(account(days=40, per_day=25, rules=Rules(shared_oids=0.01)), 80))


@pytest.mark.long
def test_two_thousand_differences_in_a_hundred_thousand_orders(account: Make) -> None:
    """Precision and recall are complete, and each correction leaves once, in an account of the size of a brand's."""
    check(Shop(account(days=200, per_day=500, rules=Rules(shared_oids=0.001)), 2_000))

"""The views answer what their first line asks, with figures worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from impact_sandbox import Reply, Request
from impact_source.settings import REFERENCE
from impact_sync.close.run import close
from impact_sync.views import texts
from impact_sync.views.header import columns, described

from tests.support.account import CAMPAIGNS, Account, on_postgres_first
from tests.support.warehouses import query, reading

Make = Callable[..., Account]
DECEMBER = date(2025, 12, 1)


def small(account: Make, **changes: Any) -> tuple[Account, list[str]]:  # noqa: ANN401 - any setting
    """Four actions: two of 100 and 300 dollars, one of 50 euros, one whose items are never requested."""
    world = account(days=1, per_day=0, campaigns=CAMPAIGNS)
    ids = [
        world.world.create(Amount="100.00", Payout="10.00", Currency="USD"),
        world.world.create(Amount="300.00", Payout="30.00", Currency="USD"),
        world.world.create(Amount="50.00", Payout="5.00", Currency="EUR"),
        world.world.create("2000", Amount="20.00", Payout="2.00", Currency="USD"),
    ]
    world.world.advance(hours=1)
    world.first_sync(**changes)
    return world, ids


def test_every_view_says_what_it_answers(account: Make) -> None:
    """Each view's text begins with its question and its grain, and each view can be queried."""
    world, _ = small(account, reference=REFERENCE, start_date=datetime(2025, 12, 15, tzinfo=UTC))
    close(DECEMBER, force=True)
    for name, text in texts().items():
        assert text.startswith("-- "), name
        assert "? One row for each " in " ".join(text.split("\n")[:3]), name
        world.query(f"select * from impact.{name}")


def test_item_coverage_counts_by_campaign_and_currency(account: Make) -> None:
    """Shares are of the actions that the API knows; currencies are never added."""
    world, ids = small(account)
    world.world.advance(hours=2)  # what was updated within the hour before a run is requested again
    world.sync()
    world.drain(2)  # the two largest
    world.world.modify(ids[0], Amount="200.00")
    world.world.advance(hours=1)
    world.sync()
    rows = world.query(
        "select campaign_id, currency, actions, actions_current, actions_outdated, actions_missing, share_of_actions, "
        "amount, share_of_amount from impact.item_coverage order by 1, 2"
    )
    assert rows == [
        ("1000", "EUR", 1, 0, 0, 1, 0.0, Decimal(50), 0.0),
        ("1000", "USD", 2, 1, 1, 0, 0.5, Decimal(500), 0.6),
        ("2000", "USD", 1, 0, 0, 1, 0.0, Decimal(20), 0.0),
    ]
    world.world.remove(ids[2])
    world.drain()
    ((missing, share, amount_share),) = world.query(
        "select actions_not_found, share_of_actions, share_of_amount from impact.item_coverage where currency = 'EUR'"
    )
    assert (missing, share, amount_share) == (1, None, None)


def test_views_of_items_say_what_knows_them(account: Make) -> None:
    """Coverage and sales count the actions whose items the change feed says; the list replaces it."""
    world = account(days=20, per_day=3, campaigns=CAMPAIGNS[:1])
    world.sync(items="feed", items_max_requests=30)
    actions = len(world.truth())
    sql = (
        "select sum(actions_current), sum(actions_from_feed), sum(actions_from_list), max(share_from_feed) "
        "from impact.item_coverage"
    )
    assert world.query(sql) == [(actions, actions - 30, 30, (actions - 30) / actions)]
    by_sku = "select sku, actions_from_feed from impact.item_sales order by 1"
    items = "select sku, count(*) filter (known_by = 'feed') from impact.action_items group by 1 order by 1"
    assert world.query(by_sku) == world.query(items)
    with world.changing() as connection:
        connection.execute("update action_items set payout = payout + 1")
    known = dict(world.query("select known_by, count(*) from impact.item_reconciliation group by 1"))
    assert known == {"feed": actions - 30, "list": 30}


def test_item_reconciliation_names_the_actions_that_do_not_add_up(account: Make) -> None:
    """The difference is the action's minus its items'; items in another currency are marked; the rest is not listed."""
    world, ids = small(account)
    lists = {
        ids[0]: b'[{"Sku": "A", "SaleAmount": "60.00", "Payout": "10.00", "SaleAmountCurrency": "USD"},'
        b'{"Sku": "B", "SaleAmount": "30.00", "Payout": "0.50", "SaleAmountCurrency": "USD"}]',
        ids[2]: b'[{"Sku": "A", "SaleAmount": "55.00", "SaleAmountCurrency": "USD", "Payout": "5.00"}]',
    }

    def hook(request: Request) -> Reply | None:
        body = lists.get(request.path.split("/")[4]) if request.path.endswith("/Items") else None
        return Reply(200, b'{"ActionItems": ' + body + b"}") if body else None

    world.sandbox.on_request = hook
    world.drain()
    rows = world.query(
        "select action_id, amount, items_amount, amount_difference, payout_difference, other_currency "
        "from impact.item_reconciliation order by action_id"
    )
    assert rows == [
        (ids[0], Decimal(100), Decimal(90), Decimal(10), Decimal("-0.50"), False),
        (ids[2], Decimal(50), Decimal(55), Decimal(-5), Decimal(0), True),
    ]


def test_every_column_of_every_view_is_described(account: Make, warehouse: str) -> None:
    """The warehouse says of each column what it means, and no header describes a column that is not there."""
    small(account, reference=REFERENCE, start_date=datetime(2025, 12, 15, tzinfo=UTC))
    close(DECEMBER, force=True)
    sql = {
        "duckdb": "select table_name, column_name, comment from duckdb_columns() where schema_name = 'impact'",
        "postgres": "select table_name, column_name, col_description(format('%I.%I', table_schema, table_name)"
        "::regclass, ordinal_position) from information_schema.columns where table_schema = 'impact'",
    }
    told: dict[str, dict[str, str]] = {}
    for view, column, text in query(sql[warehouse]):
        told.setdefault(view, {})[column] = text
    for name, text in texts().items():
        assert told[name] == columns(text), name
        assert all(told[name].values()), name
        assert described(text).keys() <= told[name].keys(), name


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_partner_groups_are_in_settlement_once_they_are_read(account: Make) -> None:
    """A token that may not read them leaves them NULL; what others built on the view keeps working."""
    world, _ = small(account)
    with reading() as reader:
        assert reader.query("select count(*), count(partner_group) from {settlement}") == [(4, 0)]
    world.world.advance(days=1)
    assert world.sync(reference=("partner_groups",)).exit == 0
    with reading() as reader:
        ((actions, grouped),) = reader.query("select count(*), count(partner_group) from {settlement}")
        assert actions == grouped == 4
        groups = reader.query("select distinct s.partner_group from {settlement} s order by 1")
        assert set(groups) <= set(reader.query("select name from {partner_groups}"))

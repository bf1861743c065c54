"""The report says what the last reconciliation with the shop's own orders found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from impact_sync.reconcile.run import reconcile
from playwright.sync_api import Browser

from tests.impact_sync.report.browser import opened, table
from tests.impact_sync.report.writing import written
from tests.support.account import on_duckdb_first
from tests.support.desk import Desk
from tests.support.orders import Shop

_TOTALS, _FIRST = "Own orders that differ", "Own orders to look at first"


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_differences_are_added_up_and_the_ten_that_matter_most_are_listed(
    desk: Callable[..., Desk], running: Browser
) -> None:
    """Only where something was reconciled, and in a report on everything: a part may not be what was compared."""
    shop = Shop(desk())
    for number in range(12):
        shop.desk.create(Oid=f"{number}", Payout=f"{number + 1}.00", MediaPartnerName="Ada")
    shop.desk.create(Oid="same")
    shop.desk.world.advance(hours=1)
    shop.desk.sync()
    with opened(running, written()) as page:
        assert "Own orders" not in page.locator("body").inner_text()
    orders = [f"{number},returned,0,USD,," for number in range(12)]
    reconcile(shop.ask(*orders, "same,placed,30.00,USD,,"))
    with opened(running, written()) as page:
        assert "12 differences, 12 of them correctable" in page.locator(".badges").inner_text()
        assert table(page, _TOTALS) == [["Not reversed", "open", "USD", "12", "12", "78.00", "0.00"]]
        first = table(page, _FIRST)
        assert [row[0] for row in first] == [f"{number}" for number in range(11, 1, -1)]
        assert first[0][2:8] == ["Ada", "Not reversed", "USD", "\N{EN DASH}", "30.00", "+12.00"]
        assert "The 10 that matter most, of 12." in page.locator("main").inner_text()
    for limit in (("--campaign", "1000"), ("--since", "2026-01-01")):
        with opened(running, written(*limit)) as page:
            assert "Own orders" not in page.locator("body").inner_text()
    reconcile(shop.ask("same,placed,30.00,USD,2026-01-10,", since=date(2026, 1, 9), until=date(2026, 1, 31)))
    with opened(running, written()) as page:
        said = page.locator(".badges").inner_text()
        assert "Own orders from 9 Jan 2026 up to 31 Jan 2026 compared on" in said

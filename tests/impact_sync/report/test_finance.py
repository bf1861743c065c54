"""What finance and partnership people ask: closed months, ageing, invoices, costs, customers, cohorts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from impact_source.settings import REFERENCE
from impact_sync.close.run import close
from impact_sync.report.invoices import Invoices
from impact_sync.report.page import render
from impact_sync.report.scope import Scope
from playwright.sync_api import Browser, Page

from tests.impact_sync.report.browser import marks, opened, plain, table, tiles
from tests.impact_sync.report.writing import figures, report, written
from tests.support.account import Account, on_duckdb_first

Make = Callable[..., Account]
JANUARY = date(2026, 1, 1)
ADA: dict[str, Any] = {"MediaPartnerId": "11", "MediaPartnerName": "Ada"}
BOB: dict[str, Any] = {"MediaPartnerId": "22", "MediaPartnerName": "Bob"}
_USUAL: dict[str, Any] = {
    "EventDate": "2026-01-10T10:00:00Z",
    "LockingDate": "2026-03-01T00:00:00Z",
    "Currency": "USD",
    "PromoCode": "",
    "CustomerStatus": "",
}


def read(page: Page, title: str) -> str:
    """The sentences of a chart."""
    return plain(page.locator("figure", has=page.get_by_role("heading", name=title, exact=True)).inner_text())


def closed(account: Make, **settings: Any) -> tuple[Account, dict[str, str]]:  # noqa: ANN401 - any setting
    """An account whose January was closed on 2 February; one conversion of each kind has changed since."""
    world = account(days=1, per_day=0)
    made = {
        "lost": {"Payout": "10.00", **ADA},
        "back": {"Payout": "20.00", "IntendedPayout": "20.00", **ADA},
        "cheaper": {"Payout": "5.50", **BOB},
        "same": {"Payout": "1.00", "MediaPartnerId": "33", "MediaPartnerName": "Cyd"},
        "euros": {"Payout": "7.00", "Currency": "EUR", **BOB},
        "february": {"Payout": "99.00", "EventDate": "2026-02-01T00:00:00Z", **BOB},
    }
    ids = {name: world.world.create("1000", **(_USUAL | fields)) for name, fields in made.items()}
    world.world.reverse(ids["back"])
    world.world.advance(days=18)
    world.sync(**settings)
    close(JANUARY, "by Zoë <b>", force=True)
    world.world.advance(days=1)
    world.world.reverse(ids["lost"])
    world.world.restore(ids["back"])
    world.world.modify(ids["cheaper"], Payout="4.25")
    world.world.modify(ids["february"], Payout="98.00")
    world.world.create("1000", **(_USUAL | {"Payout": "2.00"} | BOB))
    world.sync(**settings)
    return world, ids


def test_a_closed_month_stands_beside_what_it_is_now(account: Make, running: Browser) -> None:
    """What was closed and the changes of each kind add up to what is accrued now, by currency and by partner."""
    world, _ = closed(account)
    with opened(running, written("--close", "2026-01")) as page:
        header = page.locator("header").inner_text()
        assert "Changes are since Jan 2026 was closed, 2 Feb 2026, 12:00, as it was known then" in header
        assert tiles(page, "USD")["Accrued commission"] == ("125.25", "+9.75 (+8.4%)")
        assert table(page, "Jan 2026 since it was closed") == [
            ["EUR", "7.00", "0.00", "0.00", "0.00", "0.00", "7.00", "0.00"],
            ["USD", "16.50", "+2.00", "-10.00", "+20.00", "-1.25", "27.25", "+10.75"],
        ]
        assert table(page, "Jan 2026 since it was closed, by partner") == [
            ["Ada", "USD", "10.00", "0.00", "-10.00", "+20.00", "0.00", "20.00", "+10.00"],
            ["Bob", "USD", "5.50", "+2.00", "0.00", "0.00", "-1.25", "6.25", "+0.75"],
        ]
        assert "(by Zoë <b>). It was closed although:" in page.locator("main").inner_text()
    with world.changing() as connection:
        connection.execute("update close_lines set accrued = 6 where media_partner_id = '22' and currency = 'USD'")
    with opened(running, written("--close", "2026-01")) as page:
        assert "The frozen lines of Jan 2026 were changed after it was closed" in page.locator(".badges").inner_text()
        usd = table(page, "Jan 2026 since it was closed")[1]
        assert usd == ["USD", "17.00", "+2.00", "-10.00", "+20.00", "-1.25", "-0.50", "27.25", "+10.25"]
    other = world.query("select payout_change from impact.close_changes where kind = 'other'")
    assert other == [(Decimal("-0.50"),)]
    assert "since it was closed" not in written().read_text()


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_every_warehouse_has_these_figures(account: Make) -> None:
    """A closed month with its changes, what waits for payment, groups of customers, invoices: all are asked for."""
    closed(account, reference=REFERENCE)
    found = figures(close=JANUARY)
    assert found.closed
    assert found.cohorts
    assert found.customers
    assert found.restated
    assert found.invoices == Invoices(0, 0, 0, ())
    moved = {one.partner: (one.then, one.now, *one.changes.values()) for one in found.closed.lines if one.changed}
    by_hand = {"Ada": "10 20 0 -10 20 0", "Bob": "5.50 6.25 2 0 0 -1.25"}
    assert moved == {name: tuple(map(Decimal, told.split())) for name, told in by_hand.items()}
    assert [(one.partner, one.total) for one in found.restated.partners] == [("Ada", 10), ("Bob", Decimal("-0.25"))]
    assert [sum(one.actions for one in cohort.values()) for cohort in found.cohorts.partners] == [4, 2, 1]
    assert (found.customers.statuses, found.customers.codes) == ((), ())
    assert render(found).endswith("</html>")


def test_a_closed_month_without_history_has_no_kinds(account: Make, running: Browser) -> None:
    """What was closed and what is accrued now are there all the same."""
    closed(account, history=False)
    with opened(running, written("--close", "2026-01")) as page:
        assert table(page, "Jan 2026 since it was closed")[1] == ["USD", "16.50", "27.25", "+10.75"]
        assert "kinds of changes are not known" in page.locator("main").inner_text()


def test_a_month_that_is_not_closed_exits_2_and_says_what_to_do(account: Make) -> None:
    """It names the command that closes it; a close is of all campaigns and dates, so other bounds are refused."""
    closed(account)
    result = report("--close", "2026-02")
    assert result.exit_code == 2
    assert "2026-02 is not closed" in result.output
    assert "`impact close 2026-02` closes it; closed are 2026-01" in result.output
    for more in (("--campaign", "1000"), ("--since", "2026-01-01"), ("--compare-to", "2026-01-01")):
        result = report("--close", "2026-01", *more)
        assert (result.exit_code, "leave out --campaign, --since, --compare-to" in result.output) == (2, True)
    assert report("--close", "January").exit_code == 2


def test_commission_that_waits_for_payment_is_shown_by_age(account: Make, running: Browser) -> None:
    """Days run from the lock; who has waited longest comes first; paid, open and reversed ones do not wait."""
    world = account(days=1, per_day=0)  # it is 15 January
    for lock, payout, more in (
        ("2025-12-16", 1, ADA),  # 30 days ago
        ("2025-12-15", 2, ADA),  # 31
        ("2025-11-15", 4, BOB),  # 61
        ("2025-10-17", 8, ADA),  # 90
        ("2025-10-16", 16, BOB),  # 91
        ("2025-10-16", 32, ADA | {"ClearedDate": "2026-01-01T00:00:00Z"}),
        ("2026-02-16", 64, ADA),
    ):
        dates = {"EventDate": "2025-09-10T10:00:00Z", "LockingDate": f"{lock}T10:00:00Z", "State": "APPROVED"}
        world.world.create("1000", **(_USUAL | {"Payout": f"{payout}.00"} | dates | more))
    world.sync()
    with opened(running, written()) as page:
        assert [row[:10] for row in table(page, "Locked and not paid by partner")] == [
            ["Bob", "22", "USD", "2", "20.00", "0.00", "0.00", "4.00", "16.00", "0.00"],
            ["Ada", "11", "USD", "3", "11.00", "1.00", "2.00", "8.00", "0.00", "0.00"],
        ]
        title = "Locked and not paid by age, USD"
        said = read(page, title)
        assert "USD 31.00 of 2 partners is locked and not paid; 16.00 (51.6%) locked more than 90 days ago" in said
        assert marks(page)[title] == 4
        assert tiles(page, "USD")["Locked, not paid"][0] == "31.00"


def test_customers_codes_cohorts_and_costs_are_what_the_views_say(account: Make) -> None:
    """Sums of customer_mix, partner_cohorts and costs_by_month, whatever the campaign."""
    world = account(days=90, per_day=8)
    world.world.advance(days=40)
    world.first_sync()
    for scope, where in ((Scope(), "1 = 1"), (Scope(("2000",)), "campaign_id = '2000'")):
        found = figures(scope)
        assert found.customers
        assert found.cohorts
        for column, groups in (("customer_status", found.customers.statuses), ("promo_code", found.customers.codes)):
            rows = world.query(
                f"select {column}, sum(actions), sum(actions_reversed), sum(amount), sum(payout) "
                f"from impact.customer_mix where {where} and {column} is not null group by 1 order by 5 desc"
            )
            assert len(rows) > 1
            named = [one for one in groups if one.name]
            assert [(g.name, g.actions, g.actions_reversed, g.revenue, g.commission) for g in named] == rows
        rows = world.query(
            "select media_partner_id, event_month, sum(actions), sum(actions_reversed), sum(actions_open) "
            f"from impact.partner_cohorts where {where} group by 1, 2 order by 1, 2"
        )
        cohorts = [one for partner in found.cohorts.partners for one in partner.values()]
        assert rows == sorted((c.partner_id, c.month, c.actions, c.actions_reversed, c.actions_open) for c in cohorts)
        costs = dict(
            world.query(f"select event_month, sum(fees) from impact.costs_by_month where {where} group by event_month")
        )
        assert {one.start: one.fees for one in found.months} == costs
        assert found.balances["USD"].fees == sum(costs.values()) > 0


def test_an_invoice_that_does_not_agree_with_its_actions_is_named(account: Make, running: Browser) -> None:
    """The badge counts the months of invoices; only those that no bonus explains are listed."""
    world = account(days=150, per_day=3)
    world.sync(reference=REFERENCE, time_zone="America/Los_Angeles")  # whose months invoices go by
    good = figures().invoices
    assert good
    assert (good.unexplained, good.gaps) == (0, ())
    assert good.months > good.differing > 0
    with opened(running, written()) as page:
        assert f"agree with their actions, but for other amounts in {good.differing}" in page.content()
        assert "do not agree" not in page.content()
    (invoice, partner), *_ = world.query(
        "select invoice_id, media_partner_name from impact.invoice_tie_out where other_amount = 0 order by payout desc"
    )
    with world.changing() as connection:
        connection.execute(
            "update actions set payout = payout + 3 where id = (select min(action_id) from invoice_actions "
            f"where invoice_id = '{invoice}' and event_month = (select min(event_month) from invoice_tie_out "
            f"where invoice_id = '{invoice}' and other_amount = 0))"
        )
    with opened(running, written()) as page:
        assert page.get_by_text(f"1 of {good.months} months of invoices do not agree with their actions").count() == 1
        (row,) = table(page, "Invoices that do not agree with their actions")
        assert (row[0], row[1], row[7], row[8]) == (invoice, partner, "-3.00", "amounts of actions")


def test_changes_are_shown_by_partner(account: Make, running: Browser) -> None:
    """Those that the chart adds up by kind, with the partner that changed most first."""
    closed(account)
    with opened(running, written("--compare-to", "2026-02-02T12:30:00Z")) as page:
        (title,) = (one for one in page.locator("h2").all_inner_texts() if one.startswith("Changes by partner since"))
        assert table(page, title) == [
            ["Ada", "USD", "0.00", "-10.00", "+20.00", "0.00", "+10.00"],
            ["Bob", "USD", "+2.00", "0.00", "0.00", "-2.25", "-0.25"],
        ]


@pytest.mark.parametrize(("zone", "as_of"), [("Pacific/Auckland", "16 Jan 2026, 01:00"), ("UTC", "15 Jan 2026, 12:00")])
def test_the_header_names_the_time_zone(account: Make, zone: str, as_of: str) -> None:
    """Its date is that of the account's clocks."""
    world = account(days=2, per_day=2)
    world.sync(time_zone=zone)
    head = " ".join(written().read_text().split("<header>")[1].split("</header>")[0].split())
    assert f"as of {as_of} &middot; time zone {zone}" in head


def test_every_card_and_chart_says_which_conversions_it_covers(account: Make, running: Browser) -> None:
    """Half a year of days, thirteen months, everything, or what was asked for: the differences are in figures."""
    world = account(days=1, per_day=0)
    for month in (1, 2):
        world.world.create(**(_USUAL | {"EventDate": f"2024-0{month}-10T10:00:00Z", "Payout": "1.00"} | ADA))
    world.world.create(**(_USUAL | {"LockingDate": "2026-01-12T10:00:00Z", "Payout": "1.00"} | ADA))
    world.sync()
    with opened(running, written()) as page:
        spans = dict(
            page.locator(".panel, figure").evaluate_all(
                "all => all.map(one => [one.querySelector('h2, h3').textContent, "
                "one.querySelector('.span')?.textContent])"
            )
        )
    assert spans == {
        "Commission in USD": "All conversions, the first on 10 Jan 2024.",
        "Conversions by day": "1 day; the cards count 2 more conversions.",
        "Commission by day of the conversion, USD": "1 day; the cards count 2 more conversions.",
        "Commission at risk by the week it locks, USD": "All open conversions, of any date.",
        "Locked and not paid by age, USD": "All locked and unpaid conversions, of any date; days up to 15 Jan 2026.",
        "Reversal rate by month of the conversion": "All conversions, of any date.",
        "Partners with the most commission, USD": "All conversions, of any date; reversed ones are left out.",
    }
    since = figures(Scope(since=datetime(2026, 1, 1, tzinfo=UTC)))
    assert since.balances["USD"].actions == 1
    page_text = written("--since", "2026-01-01").read_text()
    assert page_text.count("All conversions since 1 Jan 2026, 00:00.") == 4
    assert "the cards count" not in page_text

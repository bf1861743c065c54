"""The report says what the views say, in a file that makes no requests and that a browser draws without errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given, settings
from hypothesis import strategies as st
from impact_sandbox import Campaign
from impact_source import Ask
from impact_source.shown import visible
from impact_sync.report import words
from impact_sync.report.figures import Balance, Figures, Freshness, Partner, Ranking
from impact_sync.report.gather import month_end
from impact_sync.report.page import render
from impact_sync.report.scope import Scope
from impact_sync.report.vega import COLOURS, DARK
from impact_sync.verify.run import verify
from playwright.sync_api import Browser
from typing_extensions import override

from tests.impact_sync.report.browser import NARROW, browser, marks, opened, painted, plain, table, tiles
from tests.impact_sync.report.writing import figures, report, written
from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
ADA: dict[str, Any] = {"MediaPartnerId": "11", "MediaPartnerName": "Ada"}
BOB: dict[str, Any] = {"MediaPartnerId": "22", "MediaPartnerName": "Bob"}
_USUAL: dict[str, Any] = {
    "EventDate": "2026-01-05T10:00:00Z",
    "Currency": "USD",
    "LockingDate": "2026-02-10T00:00:00Z",
    **ADA,
}
_HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "<!--<script>",
    "{{ 7 * 7 }} ${7 * 7} {% raw %}",
    "]]> & ' \" `",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil\N{HEBREW LETTER ALEF}שלום",
    "👩‍👩‍👧‍👦 emoji 🛒",
    "line\u2028separator\nand\ttab",
    "datum.value + alert(3)",
    "W" * 5_000,
)


def small(account: Make) -> tuple[Account, dict[str, str]]:
    """Six actions with figures worked out by hand; the account's clock says 15 January 2026."""
    world = account(days=1, per_day=0)
    made = {
        "open": {"Payout": "10.00", "Amount": "100.00"},
        "early": {"State": "APPROVED", "Payout": "11.00", "Amount": "110.00", **BOB},
        "locked": {"State": "APPROVED", "LockingDate": "2026-01-10T00:00:00Z", "Payout": "20.00", "Amount": "200.00"},
        "paid": {
            "State": "APPROVED",
            "EventDate": "2025-12-20T10:00:00Z",
            "LockingDate": "2026-01-03T00:00:00Z",
            "ClearedDate": "2026-01-12T00:00:00Z",
            "Payout": "30.00",
            "Amount": "300.00",
            **BOB,
        },
        "lost": {"State": "REVERSED", "Payout": "0.00", "Amount": "0.00", "IntendedPayout": "40.00", **BOB},
        "euros": {"LockingDate": "", "Payout": "5.00", "Amount": "50.00", "Currency": "EUR"},
    }
    ids = {name: world.world.create("1000", **(_USUAL | fields)) for name, fields in made.items()}
    world.first_sync()
    return world, ids


def money(value: Any) -> str:  # noqa: ANN401 - whatever DuckDB gives
    """An amount as the page shows it."""
    return f"{value or 0:,.2f}".replace("-", "\N{MINUS SIGN}")


def test_the_headline_was_worked_out_by_hand(account: Make, running: Browser) -> None:
    """What is accrued is at risk, locked or paid; reversed is what would have been earned; euros are separate."""
    small(account)
    with opened(running, written()) as page:
        assert {name: value for name, (value, _) in tiles(page, "USD").items()} == {
            "Accrued commission": "71.00",
            "At risk": "21.00",
            "Locked, not paid": "20.00",
            "Paid": "30.00",
            "Reversed": "40.00",
            "Conversions": "5",
        }
        assert tiles(page, "EUR")["Accrued commission"] == ("5.00", "")
        assert page.get_by_text("open; 11.00 of it approved").count() == 1
        assert "the history begins later, on 15 Jan 2026, 12:00" in page.locator("header").inner_text()


def test_every_figure_is_what_the_views_say(account: Make, running: Browser) -> None:
    """Headlines and tables of the page equal SQL over the views, cell by cell."""
    world = account(days=120, per_day=8)
    world.first_sync()
    world.world.advance(days=30)
    world.sync(items_max_requests=40)
    with opened(running, written()) as page:
        ((accrued, pending, paid, lost),) = world.query(
            "select sum(accrued), sum(pending), sum(paid), sum(reversed) from impact.commission_by_month "
            "where basis = 'event'"
        )
        ((at_risk, locked, actions),) = world.query(
            "select sum(at_risk), sum(payout) filter (stage = 'locked'), count(*) from impact.settlement"
        )
        found = {name: value for name, (value, _) in tiles(page, "USD").items()}
        assert [*found.values()] == [*map(money, (accrued, at_risk, locked, paid, lost)), f"{actions:,}"]
        assert pending <= at_risk
        assert accrued == at_risk + locked + paid
        partners = world.query(
            "select max(media_partner_name), media_partner_id, sum(actions), sum(payout), sum(at_risk) "
            "from impact.partner_performance group by 2 order by 4 desc"
        )
        shown = [[*row[:3], row[6], row[8]] for row in table(page, "Partners, USD")]
        assert shown == [[a, b, f"{n:,}", money(c), money(d)] for a, b, n, c, d in partners]
        months = world.query(
            "select sum(actions), sum(accrued), sum(paid), sum(reversed) from impact.commission_by_month "
            "where basis = 'event' group by month order by month"
        )
        shown = [[row[2], row[4], row[7], row[8]] for row in table(page, "Commission by month of the conversion")]
        assert shown == [[f"{n:,}", *map(money, rest)] for n, *rest in months]
        coverage = world.query(
            "select campaign_id, actions_current, actions_missing from impact.item_coverage order by 1"
        )
        assert [[row[0], row[3], row[5]] for row in table(page, "Item coverage")] == [
            [campaign, f"{current:,}", f"{missing:,}"] for campaign, current, missing in coverage
        ]


def test_every_chart_is_drawn_with_a_mark_for_each_value(account: Make, running: Browser) -> None:
    """Bars show days by stage, weeks of locks, months, partners and what was restated; none is empty."""
    world = account(days=200, per_day=6)
    world.first_sync()
    world.world.advance(days=30)
    world.sync()
    with opened(running, written()) as page:
        drawn = marks(page)
        assert all(drawn.values()), drawn
        ((days,),) = world.query(
            "select count(*) from (select distinct event_date::date, stage from impact.settlement "
            "where event_date >= (select date_trunc('day', max(event_date)) - interval 179 day from impact.settlement))"
        )
        ((weeks,),) = world.query("select count(distinct locking_week) from impact.lock_calendar")
        ((months,),) = world.query("select count(distinct date_trunc('month', event_date)) from impact.settlement")
        assert drawn["Conversions by day"] == drawn["Commission by day of the conversion, USD"] == days
        assert drawn["Commission at risk by the week it locks, USD"] == weeks
        assert drawn["Reversal rate by month of the conversion"] == months
        restated = next(title for title in drawn if title.startswith("Restated since the end of"))
        ((cells,),) = world.query(
            "select count(*) from (select distinct event_month, kind from impact.restatements "
            f"where changed_at > '{_closed(world)}' and event_date <= '{_closed(world)}')"
        )
        assert drawn[restated] == cells
        labels = page.locator(".chart[aria-roledescription=visualization]").evaluate_all(
            "charts => charts.map(chart => chart.getAttribute('aria-label'))"
        )
        assert len(labels) == len(drawn)
        assert all(labels)


def _closed(world: Account) -> datetime:
    return month_end(world.world.now)


@pytest.mark.long
def test_a_change_is_against_what_a_report_said_then(account: Make) -> None:
    """The figures as of an instant equal those of a report made at that instant, currency by currency."""
    world = account(days=90, per_day=8, seed=3)
    world.world.create("1000", **(_USUAL | {"Currency": "EUR", "Payout": "5.00"}))
    reports: dict[datetime, dict[str | None, Balance]] = {}
    for _ in range(4):
        world.sync()
        reports[world.world.now + timedelta(minutes=1)] = figures().balances
        world.world.advance(days=11)
    world.sync()
    for instant, balances in reports.items():
        compared = figures(compare_to=instant).compared
        assert compared is not None
        assert compared.balances == balances
        assert not compared.missing
    assert len(set(map(str, reports.values()))) == 4


def test_changes_are_shown_since_the_last_month_end_or_another_instant(account: Make, running: Browser) -> None:
    """By default since the end of last month; with --compare-to since then; each with its share."""
    world, ids = small(account)
    world.world.advance(days=10)  # 25 January
    world.world.modify(ids["open"], Payout="16.00", Amount="160.00")
    world.sync()
    world.world.advance(days=10)  # 4 February
    world.world.reverse(ids["early"])
    world.sync()
    assert month_end(world.world.now) == datetime(2026, 2, 1, tzinfo=UTC)
    with opened(running, written()) as page:
        assert tiles(page, "USD")["At risk"] == ("16.00", "-11.00 (-40.7%)")
        assert tiles(page, "USD")["Paid"] == ("50.00", "+20.00 (+66.7%)")
        assert "since the end of 31 Jan 2026, as it was known then" in page.locator("header").inner_text()
        assert [row[4] for row in table(page, "Largest changes since the end of 31 Jan 2026")] == ["Reversal"]
    with opened(running, written("--compare-to", "2026-01-20")) as page:
        assert tiles(page, "USD")["At risk"] == ("16.00", "-5.00 (-23.8%)")
        rows = table(page, "Largest changes since the end of 20 Jan 2026")
        assert [[row[1], row[4], row[8]] for row in rows] == [
            [ids["early"], "Reversal", "-11.00"],
            [ids["open"], "Correction", "+6.00"],
        ]
        reading = (
            page.locator("figure", has_text="Restated since the end of 20 Jan 2026, USD")
            .locator(".reading")
            .inner_text()
        )
        assert "changed by USD -5.00: 1 reversal -11.00, 1 correction +6.00" in plain(reading)


def test_without_history_changes_are_left_out_and_it_is_said(account: Make, running: Browser) -> None:
    """A warehouse that keeps no versions cannot show changes; everything else is there."""
    world = account(days=40, per_day=5)
    world.first_sync(history=False)
    with opened(running, written()) as page:
        assert "cannot be shown: the history of actions is turned off" in page.locator("header").inner_text()
        assert {change for _, change in tiles(page, "USD").values()} == {""}
        assert all(marks(page).values())


def test_a_campaign_that_was_first_read_later_is_named(account: Make) -> None:
    """What a new campaign brings counts as a change, is labelled so, and is not shown as restated."""
    world = account(days=30, per_day=5, campaigns=(Campaign(id="1000", name="Old", state="ACTIVE"),))
    world.first_sync()
    world.world.advance(days=20)
    world.world.add_campaign(Campaign(id="3000", name="New", state="ACTIVE"))
    world.world.create("3000", **(_USUAL | {"Payout": "7.00"}))
    world.sync()
    found = figures()
    assert found.compared is not None
    assert found.compared.unknown == ("3000",)
    assert found.restated is not None
    alone = figures(Scope(("1000",))).restated
    assert alone is not None
    assert found.restated.moved == alone.moved != ()
    assert found.restated.largest == alone.largest


def test_campaign_and_since_cut_every_figure(account: Make) -> None:
    """--campaign and --since limit the report to what the views say of those conversions."""
    world = account(days=90, per_day=8)
    world.world.advance(days=25)
    world.first_sync()
    since = datetime(2026, 1, 10, tzinfo=UTC)
    found = figures(Scope(("2000",), since))
    where = f"where campaign_id = '2000' and event_date >= '{since}'"
    ((accrued, at_risk, actions),) = world.query(
        f"select sum(payout) filter (stage <> 'reversed'), sum(at_risk), count(*) from impact.settlement {where}"
    )
    balance = found.balances["USD"]
    assert (balance.accrued, balance.at_risk, balance.actions) == (accrued, at_risk, actions)
    assert sum(one.actions for one in found.daily) == actions == sum(one.actions for one in found.months)
    assert sum(one.actions for one in found.rankings["USD"].partners) == actions
    assert sum(one.at_risk for one in found.locks) == at_risk
    assert [one.campaign_id for one in found.campaigns] == [one.campaign_id for one in found.coverage] == ["2000"]
    assert figures(Scope(("1000", "2000"))).balances == figures().balances


def test_days_become_weeks_and_months_as_the_span_grows(account: Make) -> None:
    """By default half a year of days; --since goes back further, in bars that can still be told apart."""
    world = account(days=900, per_day=1)
    world.first_sync()
    plain, year, all_ = figures(), figures(Scope(since=_ago(world, 500))), figures(Scope(since=_ago(world, 2_000)))
    assert [one.unit for one in (plain, year, all_)] == ["day", "week", "week"]
    assert max(one.start for one in plain.daily) - min(one.start for one in plain.daily) < timedelta(days=180)
    assert {one.start.weekday() for one in year.daily} == {0}
    with world.changing() as connection:
        connection.execute("update actions set event_date = event_date - interval 9 year where id like '2000%'")
    assert figures(Scope(since=_ago(world, 5_000))).unit == "month"


def _ago(world: Account, days: int) -> datetime:
    return world.world.now - timedelta(days=days)


@pytest.mark.parametrize("synced", [1, pytest.param(2, marks=pytest.mark.long)])
def test_an_account_without_conversions_has_a_report(account: Make, running: Browser, synced: int) -> None:
    """It says that there is nothing yet, whose campaigns these are, and as of when."""
    world = account(days=1, per_day=0)
    for _ in range(synced):
        world.sync()
    with opened(running, written()) as page:
        assert "There are no conversions in the warehouse" in page.locator("#empty").inner_text()
        assert [row[1] for row in table(page, "Freshness and verification")] == ["Acme Campaign", "Acme Outlet"]


@pytest.mark.parametrize(
    "dates",
    [
        {"EventDate": "", "LockingDate": ""},
        *(pytest.param(more, marks=pytest.mark.long) for more in ({}, {"LockingDate": ""})),
    ],
)
def test_one_conversion_has_a_report(account: Make, running: Browser, dates: dict[str, str]) -> None:
    """Even one with unknown dates, without a currency or a partner."""
    world = account(days=1, per_day=0)
    world.world.create("1000", **(_USUAL | {"Payout": "10.00", "Currency": "", "MediaPartnerName": "", **dates}))
    world.first_sync()
    with opened(running, written()) as page:
        assert tiles(page, "no currency")["Accrued commission"] == ("10.00", "")
        if not dates:
            assert all(marks(page).values())
            assert len(table(page, "Partners, no currency")) == 1


def test_names_from_the_warehouse_are_text_whatever_they_hold(account: Make, running: Browser) -> None:
    """Markup, scripts and template syntax are shown, never run; direction marks and line ends are shown as codes."""
    world = account(days=1, per_day=0, campaigns=(Campaign(id="1000", name=_HOSTILE[0] + _HOSTILE[1], state="ACTIVE"),))
    for place, name in enumerate(_HOSTILE):
        fields: dict[str, Any] = {
            "MediaPartnerId": f"{place}<b>",
            "MediaPartnerName": name,
            "Payout": f"{100 - place}.00",
        }
        world.world.create("1000", **(_USUAL | fields))
    world.world.create("1000", **(_USUAL | {"Currency": '<i>"', "Payout": "1.00"}))
    world.first_sync()
    world.world.advance(days=30)
    world.sync()
    path = written()
    for width in (NARROW, 1280):
        with opened(running, path, width) as page:
            shown = [row[0] for row in table(page, "Partners, USD")]
            assert shown[:-1] == [visible(name) for name in _HOSTILE[:-1]]
            assert shown[-1] == "W" * 119 + "…"
            assert page.locator("script").count() == 2
            assert (
                page.locator("main i, main b, main img").evaluate_all("all => all.filter(e => !e.style.background)")
                == []
            )
            assert tiles(page, '<i>\\"')["Conversions"][0] == "1"
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.locator("figure .mark-rect > path").first.hover()
            assert page.locator("#vg-tooltip-element.visible").count() == 1
    assert path.read_text().count("</script>") == 2


class _Reader(HTMLParser):
    """The contents of a page's cells and scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {"bdi": [], "script": []}
        self._within: list[str] | None = None
        self.feed(html)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = self.found.get(tag)
        if self._within is not None:
            self._within.append("")

    @override
    def handle_data(self, data: str) -> None:
        if self._within:
            self._within[-1] += data

    @override
    def handle_endtag(self, tag: str) -> None:
        self._within = None


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_name_is_in_the_markup_and_in_the_data_as_it_can_be_read(name: str) -> None:
    """Whatever a partner or a currency is called, the page's structure stays and the name can be read back."""
    money = Decimal(10)
    partner = Partner("1", name, name, 1, 0, money, Decimal(0), Decimal(0), money)
    balance = Balance(1, 0, money, money, money, Decimal(0), Decimal(0), Decimal(0), Decimal(0))
    campaign = Freshness("1000", name, 1)
    empty = Figures((campaign,), None, None, {name: balance}, None, (), "day", (), (), {}, None, (), 0)
    page = _Reader(render(replace(empty, rankings={name: Ranking((partner,), 1, money)})))
    assert visible(name) in page.found["bdi"]
    data, script = page.found["script"]
    (spec,) = json.loads(data).values()
    assert spec["data"]["values"][0]["partner"] == words.cut(name)  # a label has 40 characters at most
    assert "vega" in script


@pytest.mark.long
def test_ten_thousand_partners_fit(account: Make, running: Browser) -> None:
    """The page shows a few of them, says of how many, and stays small."""
    world = account(days=30, per_day=10)
    world.first_sync()
    with world.changing() as connection:
        connection.execute(
            "insert into actions select a.* replace (id || '.' || n as id, 'p' || n as media_partner_id, "
            "'Partner ' || n as media_partner_name, payout + n / 1000 as payout) "
            "from (select * from actions where state <> 'REVERSED' limit 1) a, range(10000) t(n)"
        )
    path = written()
    assert path.stat().st_size < 5_000_000
    with opened(running, path) as page:
        ((partners,),) = world.query("select count(distinct media_partner_id) from impact.partner_performance")
        assert page.get_by_text(f"The 25 with the most commission, of {partners:,}.").count() == 1
        assert len(table(page, "Partners, USD")) == 25


@pytest.mark.parametrize("width", [320, *(pytest.param(more, marks=pytest.mark.long) for more in (NARROW, 768))])
def test_a_narrow_screen_scrolls_tables_and_not_the_page(account: Make, running: Browser, width: int) -> None:
    """Only a table can be wider than the screen, and charts are as wide as it allows."""
    world = account(days=60, per_day=5)
    world.first_sync()
    with opened(running, written(), width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("summary").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".chart svg").first.evaluate("svg => svg.getBoundingClientRect().width") > width * 0.35


@pytest.mark.parametrize("width", [320, pytest.param(1180, marks=pytest.mark.long)])
def test_a_figure_stands_on_one_line_however_large(account: Make, running: Browser, width: int) -> None:
    """Amounts in the hundreds of billions shrink until they fit."""
    world = account(days=1, per_day=0)
    world.world.create("1000", **(_USUAL | {"Payout": "987654321098.76"}))
    world.world.create("1000", **(_USUAL | {"Currency": "EUR", "Payout": "12345.67"}))
    world.first_sync()
    with opened(running, written(), width) as page:
        assert tiles(page, "USD")["At risk"][0] == "987,654,321,098.76"
        assert page.locator(".value").evaluate_all("all => all.every(e => e.scrollWidth <= e.clientWidth)")
        lines = "all => all.map(e => e.clientHeight / parseFloat(getComputedStyle(e).lineHeight))"
        assert set(map(round, page.locator(".value").evaluate_all(lines))) == {1}


def test_on_paper_nothing_is_cut_off(account: Make, running: Browser) -> None:
    """On paper, tables have their full length, controls are gone, and charts are there."""
    world = account(days=60, per_day=5)
    world.first_sync()
    with opened(running, written()) as page:
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 700, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 700
        assert not page.locator("figure details").first.is_visible()
        assert page.locator(".chart svg").first.is_visible()
        paper = page.pdf(prefer_css_page_size=True)
        assert 2 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 8


@pytest.mark.long
def test_a_table_that_breaks_over_a_page_repeats_its_header(account: Make, running: Browser) -> None:
    """On paper, each page begins a table with its header, and no heading is the last thing on a page."""
    world = account(days=60, per_day=5)
    world.first_sync()
    with opened(running, written()) as page:
        page.evaluate(
            """() => {
            const body = document.querySelector("section.table tbody")
            for (let n = 0; n < 80; n++) body.append(body.rows[0].cloneNode(true))
            document.querySelector("main").prepend(document.createElement("div")) }"""
        )
        for room in range(0, 1000, 100):
            page.evaluate(f"document.querySelector('main > div').style.height = '{room}px'")
            pages = painted(page)
            assert {drawn[-1] for drawn in pages} <= {"tbody td", "figcaption", ".tile"}, (room, pages)
            broken = [drawn for drawn in pages if "tbody td" in drawn]
            assert len(broken) >= 2
            assert all("thead th" in drawn[: drawn.index("tbody td")] for drawn in broken), (room, pages)


def test_tables_sort_by_mouse_and_by_keyboard(account: Make, running: Browser) -> None:
    """A heading sorts its column, numbers by value and the largest first, and tells a screen reader so."""
    world = account(days=60, per_day=10)
    world.first_sync()
    with opened(running, written()) as page:
        title = "Partners, USD"
        section = page.locator("section.table", has=page.get_by_role("heading", name=title, exact=True))

        def column(at: int) -> list[str]:
            return [row[at] for row in table(page, title)]

        heading = section.locator("th", has_text="Conversions")
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "descending"
        numbers = [int(one.replace(",", "")) for one in column(2)]
        assert numbers == sorted(numbers, reverse=True)
        assert len(set(numbers)) > 1
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        assert [int(one.replace(",", "")) for one in column(2)] == sorted(numbers)
        names = section.locator("th", has_text="Partner")
        names.get_by_role("button").focus()
        page.keyboard.press("Space")
        assert (names.get_attribute("aria-sort"), heading.get_attribute("aria-sort")) == ("ascending", None)
        assert column(0)[:2] == ['"The" Review Site', "Acme Partner"]


def test_a_screen_reader_finds_its_way(account: Make, running: Browser) -> None:
    """Axe finds no violation: contrast, names, roles, order, tables."""
    world = account(days=60, per_day=5)
    world.first_sync()
    with opened(running, written()) as page:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_without_javascript_every_figure_is_there(account: Make, running: Browser) -> None:
    """Only the drawings need it: headlines, sentences and the charts' data are plain HTML."""
    small(account)
    path = written()
    with running.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.locator("dd.value").first.inner_text() == "71.00"
        assert page.locator("noscript").inner_text()
        assert page.locator("figure table").count() >= 4


def test_the_page_says_whether_it_was_proven(account: Make, running: Browser) -> None:
    """Not verified, verified without a difference, or with how many."""
    world = account(days=20, per_day=4)
    world.first_sync()

    def said() -> str:
        with opened(running, written()) as page:
            return page.locator(".badges").inner_text()

    assert "Not verified against the API yet" in said()
    verify(world.settings())
    assert "no difference" in said()
    with world.changing() as connection:
        connection.execute("delete from actions where id in (select id from actions order by event_date limit 2)")
    world.world.advance(hours=2)
    verify(world.settings())
    assert "Verification found 2 actions that differ" in said()


def test_the_page_says_what_knows_the_items(account: Make) -> None:
    """Coverage is split by what says the items; a change feed that a list contradicts is named with its example."""
    world = account(days=20, per_day=3, campaigns=CAMPAIGNS[:1])
    world.sync(items="feed", items_max_requests=30)
    actions = len(world.truth())
    feed, lists = words.percent((actions - 30) / actions), words.percent(30 / actions)
    page = written().read_text()
    assert f"Items known for 100.0% of conversions (change feed {feed}, lists {lists})" in page
    assert "come from lists only" not in page
    with world.changing() as connection:
        connection.execute("update item_feeds set status = 'contradicted', example = 'action 1: the list says <b>.'")
    page = written().read_text()
    said = "since one contradicts its change feed: action 1: the list says &lt;b&gt;."
    assert f"Those of campaign 1000 come from lists only, {said}" in page
    assert f"Items known for {lists} of conversions" in page


def test_a_campaign_that_lags_behind_is_named(account: Make) -> None:
    """The page is as of the campaign that was read last; the date of another one is given."""
    world = account(days=20, per_day=4)
    world.first_sync()
    world.world.advance(days=10)
    world.sync(Ask(("1000",)))
    page = written().read_text()
    assert "as of 25 Jan 2026" in page
    assert "Campaign 2000 was read up to 15 Jan 2026 only" in page
    assert "Campaign 1000 was" not in page


def test_what_cannot_be_written_or_found_exits_2_and_says_why(account: Make, tmp_path: Path) -> None:
    """A missing folder, a folder in the file's place, an unknown campaign: one line each."""
    world = account(days=5, per_day=2)
    for arguments, said in (
        (("-o", "nowhere/report.html"), "there is no folder"),
        (("-o", str(tmp_path)), "it exists and is not a file"),
        (("-o", os.devnull), "it exists and is not a file"),
        (("-o", "x" * 300 + ".html"), "File name too long"),
        ((), "there is no warehouse yet"),
    ):
        result = report(*arguments)
        assert (result.exit_code, said in result.output) == (2, True), result.output
        assert result.output.count("the report cannot be written") == ("-o" in arguments), result.output
    world.first_sync()
    result = report("--campaign", "1000", "--campaign", "it's")
    assert result.exit_code == 2
    assert "campaign it's is not in the warehouse; it has 1000, 2000" in result.output
    assert not list(tmp_path.glob("*.html*"))


@pytest.mark.parametrize("option", ["--since", "--compare-to"])
def test_a_report_from_after_the_data_is_refused(account: Make, option: str) -> None:
    """There everything would look unchanged; the last day that was read can still be given."""
    world = account(days=5, per_day=2)
    world.first_sync()
    for late in ("2027-01-01", (world.world.now + timedelta(seconds=1)).isoformat()):
        result = report(option, late)
        said = " ".join(result.output.split())
        assert (result.exit_code, f"{option} {late[:10]}" in said, "up to which the warehouse was read" in said) == (
            2,
            True,
            True,
        ), said
        assert not Path("impact-report.html").exists()
    written(option, world.world.now.date().isoformat())


def test_a_report_replaces_the_one_before_as_a_whole(account: Make, tmp_path: Path) -> None:
    """The file is as readable as any other that the user creates, a link stays one, and nothing is left beside it."""
    account(days=5, per_day=2).sync()
    kept = tmp_path / "kept.html"
    kept.write_text("before")
    (tmp_path / "impact-report.html").symlink_to(kept)
    path = written()
    assert path.is_symlink()
    assert kept.read_text().endswith("</html>")
    mask = os.umask(0)
    os.umask(mask)
    assert kept.stat().st_mode & 0o777 == 0o666 & ~mask
    assert sorted(one.name for one in tmp_path.iterdir() if "report" in one.name) == ["impact-report.html"]


def test_without_a_browser_ci_fails_and_others_are_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip says why; where a browser is required, its absence is a failure."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("CI_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install Debian's chromium"), browser():
        pass
    monkeypatch.setenv("CI_BROWSER", "required")
    with pytest.raises(pytest.fail.Exception, match="install Debian's chromium"), browser():
        pass


def test_colours_stand_out_from_paper_and_from_each_other() -> None:
    """Each has a contrast of 3 with white; those in one chart differ in lightness as well as in hue."""

    def lightness(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light = {name: lightness(colour) for name, colour in COLOURS.items() if name != "Reversed so far"}
    assert {name: 1.05 / (one + 0.05) for name, one in light.items() if 1.05 / (one + 0.05) < 3} == {}
    stacked = [light[name] + 0.05 for name in ("Paid", "Locked", "Open")]
    assert max(stacked[0], stacked[1]) / min(stacked[0], stacked[1]) > 2
    paper = lightness("#14191f") + 0.05
    dark = {name: (lightness(colour) + 0.05) / paper for name, colour in DARK.items() if name != "Reversed so far"}
    assert {name: ratio for name, ratio in dark.items() if ratio < 3} == {}
    for palette in (COLOURS, DARK):
        assert len(set(palette.values())) == len(palette), "one colour has one meaning"
    assert COLOURS.keys() == DARK.keys()


def test_figures_that_reach_back_less_far_say_so(account: Make, running: Browser) -> None:
    """Charts of the latest half year and tables of the latest months state what they leave out of the headline."""
    world, _ = small(account)
    for month in range(1, 13):
        date = f"2024-{month:02}-10T10:00:00Z"
        world.world.create(**(_USUAL | {"EventDate": date, "Payout": "1.00", "Amount": "10.00"}))
    world.world.create(**(_USUAL | {"EventDate": "2025-01-10T10:00:00Z", "Payout": "1.00", "Amount": "10.00"}))
    world.sync()
    with opened(running, written()) as page:
        assert tiles(page, "USD")["Accrued commission"][0] == "84.00"
        text = page.locator("main").inner_text()
        assert "Commission on conversions since 20 Dec 2025 is USD 71.00 of 84.00 in all" in text
        assert "6 conversions from 20 Dec 2025 to 5 Jan 2026, of 19 in all" in text
        assert "Earlier months are not shown." in text
        assert "the figures above also count the conversions of earlier ones" in text


@pytest.mark.parametrize("scheme", ["dark", pytest.param("light", marks=pytest.mark.long)])
def test_what_is_drawn_can_be_read_in_the_dark_and_on_a_phone(
    account: Make, running: Browser, scheme: Literal["light", "dark"]
) -> None:
    """The page follows the reader's colour scheme; the legends wrap and none of them is cut."""
    small(account)
    with running.new_context(viewport={"width": 320, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(written().as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        paper, ink, bar = page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
            getComputedStyle(document.querySelector(".mark-rect > path")).fill]"""
        )
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        assert paper != ink
        palette = COLOURS if scheme == "light" else DARK
        assert bar in {f"rgb({int(c[1:3], 16)}, {int(c[3:5], 16)}, {int(c[5:], 16)})" for c in palette.values()}
        cut = page.locator("figure .key li").evaluate_all(
            "all => all.filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.textContent)"
        )
        assert cut == []
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        axe = Axe().run(page, options={"runOnly": ["color-contrast"]})
        assert axe.violations_count == 0, axe.generate_report()

"""A closed month stays as it was, and says what has moved since."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from impact_source import Ask
from impact_source.errors import ImpactError
from impact_sync.cli import main
from impact_sync.close.month import Month
from impact_sync.lake.place import Lake
from impact_sync.lake.publish import publish
from impact_sync.verify.run import verify
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account, on_duckdb_first
from tests.support.lake import assert_published
from tests.support.warehouses import query

Make = Callable[..., Account]
ADA: dict[str, Any] = {"MediaPartnerId": "11", "MediaPartnerName": "Ada", "ClientCost": "11.0000"}
BOB: dict[str, Any] = {"MediaPartnerId": "22", "MediaPartnerName": "Bob", "ClientCost": "6.0500"}
_USUAL: dict[str, Any] = {"EventDate": "2026-01-10T10:00:00Z", "LockingDate": "2026-03-01T00:00:00Z", "Currency": "USD"}
_ACTIONS: dict[str, Any] = {
    "open": {"Payout": "10.00", "Amount": "100.00", **ADA},
    "locked": {"Payout": "20.00", "Amount": "200.00", "LockingDate": "2026-01-20T00:00:00Z", **ADA},
    "paid": {"Payout": "30.00", "Amount": "300.00", "ClearedDate": "2026-01-30T00:00:00Z", **ADA},
    "lost": {"Payout": "40.00", "Amount": "400.00", "IntendedPayout": "40.00", **ADA},
    "cheaper": {"Payout": "5.50", "Amount": "50.00", **BOB},
    "euros": {"Payout": "7.00", "Amount": "70.00", "Currency": "EUR", **BOB},
    "february": {"Payout": "99.00", "Amount": "999.00", "EventDate": "2026-02-01T00:00:00Z", **BOB},
}


@pytest.fixture
def books(account: Make) -> tuple[Account, dict[str, str]]:
    """An account on 2 February, synced since December, and the ids of its actions by their names here."""
    world = account(days=1, per_day=0)
    world.start = datetime(2025, 12, 25, tzinfo=UTC)
    ids = {name: world.world.create("1000", **(_USUAL | fields)) for name, fields in _ACTIONS.items()}
    world.world.reverse(ids["lost"])
    world.world.advance(days=18)
    world.sync()
    return world, ids


@pytest.fixture
def january(books: tuple[Account, dict[str, str]]) -> tuple[Account, dict[str, str]]:
    """The same, verified: its January can be closed."""
    verify(books[0].settings())
    return books


def impact(*arguments: str) -> Result:
    """Run `impact close`."""
    return CliRunner().invoke(main, ["close", *arguments])


def frozen() -> str:
    """All that is written about January, byte for byte."""
    month = "where month = date '2026-01-01'"
    lines = query(f"select * from {{close_lines}} {month} order by media_partner_id, currency")
    return repr((query(f"select * from {{closes}} {month}"), lines))


@pytest.mark.usefixtures("warehouse")
def test_a_close_freezes_what_is_accrued_by_partner_and_currency(january: tuple[Account, dict[str, str]]) -> None:
    """Its lines are the month's figures as the warehouse knows them, and they are those of accrued_at."""
    ended = impact("2026-01", "--note", "approved by Zoë")
    assert ended.exit_code == 0, ended.output
    columns = "media_partner_id, media_partner_name, currency, actions, actions_reversed, amount, accrued, open, locked"
    assert query(f"select {columns}, paid, reversed, client_cost from {{close_lines}} order by 1, 3") == [
        ("11", "Ada", "USD", 4, 1, 600, 60, 10, 20, 30, 40, 33),
        ("22", "Bob", "EUR", 1, 0, 70, 7, 7, 0, 0, 0, Decimal("6.05")),
        ("22", "Bob", "USD", 1, 0, 50, Decimal("5.5"), Decimal("5.5"), 0, 0, 0, Decimal("6.05")),
    ]
    ((known_at, as_of, verified_at, *rest),) = query(
        "select known_at, as_of, verified_at, exceptions, note, lines, run_id from {closes}"
    )
    now = january[0].world.now.replace(microsecond=0)
    ((run_id,),) = query("select run_id from {sync_runs} where outcome = 'done'")
    assert rest == [None, "approved by Zoë", 3, run_id]
    assert now == as_of <= verified_at <= known_at
    same = "media_partner_id, currency, actions, amount, accrued, open, locked, paid, reversed, client_cost"
    known = f"select {same} from impact.accrued_at('{known_at.isoformat()}') where month = date '2026-01-01'"
    assert query(f"select {same} from {{close_lines}} order by 1, 2") == query(f"{known} order by 1, 2")
    assert query("select * from {close_changes}") == []


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_a_year_later_the_figures_are_the_same_byte_for_byte(january: tuple[Account, dict[str, str]]) -> None:
    """The world moves on and another month is closed; what has moved since is told by kind, and adds up."""
    one, ids = january
    assert impact("2026-01").exit_code == 0
    before = frozen()
    closed = dict(query("select currency, sum(accrued) from {close_lines} group by 1"))
    one.world.advance(days=1)
    one.world.reverse(ids["open"])
    one.world.modify(ids["cheaper"], Payout="4.25", Amount="40.00")
    one.world.modify(ids["euros"], Note="no money in it")
    one.world.restore(ids["lost"])
    one.world.modify(ids["february"], Payout="98.00")
    one.world.create("1000", **(_USUAL | {"Payout": "2.00", "Amount": "20.00"} | BOB))
    one.sync()
    one.world.advance(days=30)
    one.sync()
    verify(one.settings())
    assert impact("2026-02").exit_code == 0
    for _ in range(4):
        one.world.advance(days=83)
        one.sync()
    assert frozen() == before
    columns = "media_partner_id, currency, kind, changes, payout_change, amount_change"
    assert query(f"select {columns} from {{close_changes}} where month = date '2026-01-01' order by 1, 2, 3") == [
        ("11", "USD", "restoration", 1, 40, 400),
        ("11", "USD", "reversal", 1, -10, -100),
        ("22", "USD", "arrival", 1, 2, 20),
        ("22", "USD", "correction", 1, Decimal("-1.25"), -10),
    ]
    moved = dict(
        query("select currency, sum(payout_change) from {close_changes} where month < '2026-02-01' group by 1")
    )
    accrued = "select currency, sum(accrued) from impact.accrued_at('9000-01-01') where month < '2026-02-01' group by 1"
    assert dict(query(accrued)) == {currency: sum_ + moved.get(currency, 0) for currency, sum_ in closed.items()}


@pytest.mark.parametrize(("zone", "accrued"), [("America/Los_Angeles", 3), ("UTC", 9), ("Pacific/Auckland", 25)])
def test_a_month_is_one_of_the_accounts_calendar(account: Make, zone: str, accrued: int) -> None:
    """The last and the first second of a month belong to it where the account is."""
    one = account(days=1, per_day=0)
    one.start = datetime(2025, 11, 25, tzinfo=UTC)
    bounds = {1: "2026-01-01T08:00:00Z", 2: "2026-02-01T07:59:59Z", 4: "2026-02-01T08:00:00Z"}
    bounds |= {8: "2026-01-01T07:59:59Z", 16: "2025-12-31T11:00:00Z"}
    for payout, event in bounds.items():
        one.world.create("1000", **(_USUAL | {"EventDate": event, "Payout": f"{payout}.00"}))
    one.world.advance(days=18)
    one.sync(time_zone=zone)
    verify(one.settings(time_zone=zone))
    ended = impact("2026-01")
    assert ended.exit_code == 0, ended.output
    assert one.query(
        "select sum(accrued), max(time_zone) from impact.close_lines join impact.closes using (month)"
    ) == [(accrued, zone)]
    rolled = "select sum(closing) from impact.roll_forward('2026-01-01', '2027-01-01') where month = '2026-01-01'"
    assert one.query(rolled) == [(accrued,)]


@pytest.mark.usefixtures("january")
def test_a_closed_month_cannot_be_closed_again() -> None:
    """The second close ends with 2, whatever it is told, and writes nothing."""
    assert impact("2026-01").exit_code == 0
    before = frozen()
    for options in ((), ("--force", "--note", "once more")):
        ended = impact("2026-01", *options)
        assert (ended.exit_code, "a closed month never changes" in ended.output) == (2, True), ended.output
    assert frozen() == before


def test_what_was_not_verified_is_not_closed(books: tuple[Account, dict[str, str]]) -> None:
    """It ends with 1 and says what to run, before a verification, after one that is too short, and at drift."""
    one, ids = books
    ended = impact("2026-01")
    assert (ended.exit_code, ended.output.count("run `impact verify`")) == (1, 2), ended.output
    verify(one.settings(), Ask(since=datetime(2026, 1, 2, tzinfo=UTC)))
    assert impact("2026-01").exit_code == 1
    with one.changing() as connection:
        connection.execute(f"update actions set payout = 11 where id = '{ids['open']}'")
    verify(one.settings())
    ended = impact("2026-01")
    assert (ended.exit_code, "run `impact verify --repair`" in ended.output) == (1, True), ended.output
    with one.opened() as connection:
        assert connection.execute("from duckdb_tables() where table_name like 'close%'").fetchall() == []
    verify(one.settings(), repair=True)
    assert impact("2026-01").exit_code == 0


def test_a_month_whose_items_were_not_compared_is_not_closed(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification that the hourly limit kept from reading lists does not do; close says what to run instead."""
    one = account(days=50, per_day=2, campaigns=CAMPAIGNS[:1])
    one.sync(items="feed", items_max_requests=30)

    def verified(**settings: Any) -> tuple[int, str]:  # noqa: ANN401 - any setting
        one.world.advance(seconds=60)
        verify(one.settings(**({"items": "feed", "items_max_requests": None} | settings)))
        ended = impact("2025-12")
        return ended.exit_code, " ".join(ended.output.split())

    code, said = verified(requests_per_hour=5)
    assert code == 1, said
    assert "of 30 sampled actions were not compared: the hourly request limit is reached" in said
    assert "run again then: run `impact verify`" in said
    code, said = verified(items="off")
    assert (code, "come from the change feed and were not compared with any list" in said) == (1, True), said
    assert impact("2025-12", "--force").exit_code == 0
    sql = "select coalesce(exceptions, ''), verified_at is not null from impact.closes"
    ((exceptions, is_verified),) = one.query(sql)
    assert ("were not compared with any list" in exceptions, is_verified) == (True, False)
    with one.changing() as connection:
        connection.execute("delete from closes")
    assert verified()[0] == 0
    assert one.query(sql) == [("", True)]
    with one.changing() as connection:
        connection.execute("delete from closes")
    monkeypatch.setenv("SOURCES__IMPACT__ITEMS", "off")  # who wants no items needs none compared
    assert verified(items="off")[0] == 0


def test_a_verification_from_before_the_months_end_does_not_count(account: Make) -> None:
    """Whatever days to come it was asked for: what happened on them it has not seen."""
    one = account(days=1, per_day=0)
    one.start = datetime(2025, 12, 25, tzinfo=UTC)
    one.world.create("1000", **(_USUAL | ADA))
    one.sync()
    verify(one.settings(), Ask(until=date(2026, 3, 1)))
    one.world.advance(days=18)
    one.sync()
    ended = impact("2026-01")
    assert (ended.exit_code, ended.output.count("was not verified since the month ended")) == (1, 2), ended.output
    verify(one.settings(), Ask(since=date(2026, 1, 1), until=date(2026, 1, 31)))
    assert impact("2026-01").exit_code == 0


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_sums_may_be_larger_than_what_they_add_up(account: Make) -> None:
    """In a currency of small units a partner's month can be more than a column of money holds; it stays intact."""
    one = account(days=1, per_day=0)
    one.start = datetime(2025, 12, 25, tzinfo=UTC)
    for _ in range(2):
        one.world.create("1000", **(_USUAL | ADA | {"Amount": "999999999999.00", "Payout": "600000000000.00"}))
    one.world.advance(days=18)
    one.sync()
    verify(one.settings())
    assert impact("2026-01").exit_code == 0
    sums = query("select amount, accrued from {close_lines}")
    assert sums == [(Decimal(1999999999998), Decimal(1200000000000))]
    assert impact().exit_code == 0


def test_what_was_not_read_is_not_closed(january: tuple[Account, dict[str, str]]) -> None:
    """A month from before the warehouse's start, one with a record that it lacks, and one that a campaign lacks."""
    one, _ = january
    ended = impact("2025-12")
    assert (ended.exit_code, ended.output.count("was read from 2025-12-25")) == (1, 2), ended.output
    one.world.create("1000", **(_USUAL | {"EventDate": "soon"}))
    one.sync()
    verify(one.settings())
    ended = impact("2026-01")
    assert (ended.exit_code, "campaign 1000: 1 records could not be typed" in ended.output) == (1, True), ended.output
    one.world.advance(days=30)
    one.sync(Ask(("1000",)))
    ended = impact("2026-02")
    assert (ended.exit_code, ended.output.count("was read up to 2026-02-02")) == (1, 1), ended.output


def test_a_month_that_is_not_over_is_never_closed(january: tuple[Account, dict[str, str]]) -> None:
    """By force neither: the message says from when on. A sync that fails does not end the month."""
    one, _ = january
    one.world.advance(days=12)
    one.sync()
    verify(one.settings())
    with pytest.raises(ImpactError):  # recorded by this machine's clock, which is later
        one.sync(base_url="http://127.0.0.1:9", max_attempts=1)
    for month, on in (("2026-02", "From 2026-03-01 on"), ("2026-03", "From 2026-04-01 on")):
        for options in ((), ("--force",)):
            ended = impact(month, *options)
            said = " ".join(ended.output.split())
            assert ended.exit_code == 2, said
            assert f"{month} is not over, as far as the warehouse knows: it was read up to 2026-02-14" in said
            assert on in said
    with one.opened() as connection:
        assert connection.execute("from duckdb_tables() where table_name like 'close%'").fetchall() == []


def test_a_month_without_a_conversion_is_closed_by_force_only(january: tuple[Account, dict[str, str]]) -> None:
    """It is most likely a typo, and a close cannot be undone."""
    why = "the warehouse has no conversion in 2025-12"
    ended = impact("2025-12")
    assert (ended.exit_code, ended.output.count(why)) == (1, 1), ended.output
    with january[0].opened() as connection:
        assert connection.execute("from duckdb_tables() where table_name like 'close%'").fetchall() == []
    assert impact("2025-12", "--force").exit_code == 0
    ((exceptions, lines),) = january[0].query("select exceptions, lines from impact.closes")
    assert (why in exceptions, lines) == (True, 0)


@pytest.mark.usefixtures("january")
def test_a_month_of_which_nothing_was_read_is_never_closed() -> None:
    """By force neither: its figures would stay zero for ever, even after an earlier start_date has read it."""
    for options in ((), ("--force",)):
        ended = impact("2025-11", *options)
        said = " ".join(ended.output.split())
        assert (ended.exit_code, "nothing of 2025-11 was ever read" in said) == (2, True), said
    assert "No month is closed yet" in impact().output


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_a_month_is_closed_on_the_first_day_of_the_next(account: Make) -> None:
    """Once a sync and a verification have read past its end, a minute is enough."""
    one = account(days=1, per_day=0)
    one.start = datetime(2025, 12, 25, tzinfo=UTC)
    one.world.create("1000", **(_USUAL | ADA))
    one.world.advance(seconds=(datetime(2026, 2, 1, 0, 1, tzinfo=UTC) - one.world.now).total_seconds())
    one.sync()
    verify(one.settings())
    ended = impact("2026-01")
    assert ended.exit_code == 0, ended.output


@pytest.fixture
def phoenix_at_vancouver(tmp_path: Path) -> Iterator[None]:
    """The time zones of the machine are out of date: its Vancouver keeps the time of Phoenix."""
    before = zoneinfo.TZPATH
    zone = tmp_path / "zones" / "America" / "Vancouver"
    zone.parent.mkdir(parents=True)
    zone.write_bytes(files("tzdata").joinpath("zoneinfo", "America", "Phoenix").read_bytes())
    zoneinfo.reset_tzpath([str(tmp_path / "zones"), *before])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("warehouse", "phoenix_at_vancouver")
@on_duckdb_first
def test_a_month_that_begins_at_another_hour_in_the_warehouse_is_not_closed(
    books: tuple[Account, dict[str, str]],
) -> None:
    """What was read and verified is then not what is counted; status says so too, before anything is closed."""
    one, _ = books
    one.sync(time_zone="America/Vancouver")
    verify(one.settings(time_zone="America/Vancouver"))
    ended = impact("2026-01")
    said = "in America/Vancouver clocks show 2025-12-31 23:00 in the warehouse and 2026-01-01 00:00 here"
    assert (ended.exit_code, said in " ".join(ended.output.split())) == (1, True), ended.output
    ended = CliRunner().invoke(main, ["status"])
    assert "in America/Vancouver clocks show" in " ".join(ended.output.split()), ended.output


def test_force_closes_and_keeps_the_reasons(books: tuple[Account, dict[str, str]]) -> None:
    """Who reads the closed month later sees what was not verified then."""
    assert impact("2026-01", "--force").exit_code == 0
    ((exceptions, verified_at),) = query("select exceptions, verified_at from {closes}")
    assert exceptions.count("was not verified since the month ended") == 2
    assert verified_at is None
    assert "Closed although" not in impact().output
    assert books[0].query("select count(*) from impact.close_lines") == [(3,)]


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_what_the_history_cannot_explain_is_told_as_well(january: tuple[Account, dict[str, str]]) -> None:
    """After a while without history, the figures of a closed month and its changes still add up to those of now."""
    one, ids = january
    assert impact("2026-01").exit_code == 0
    one.world.advance(hours=1)
    one.world.modify(ids["cheaper"], Payout="4.25", Amount="40.00")
    one.sync(history=False)
    one.world.advance(hours=1)
    one.world.modify(ids["cheaper"], Payout="4.00", Amount="40.00")
    one.sync()
    rows = query("select kind, changes, payout_change, amount_change from {close_changes} order by 1")
    # What replaced a version that was not kept looks like an arrival; the version itself is the rest.
    assert rows == [
        ("arrival", 1, Decimal("4.25"), 40),
        ("correction", 1, Decimal("-0.25"), 0),
        ("other", None, Decimal("-5.5"), -50),
    ]


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_the_list_shows_closed_months_and_finds_changed_lines(january: tuple[Account, dict[str, str]]) -> None:
    """Each with its sum and what has moved since; lines that somebody changed end it with 1."""
    one, ids = january
    assert "No month is closed yet" in impact().output
    impact("2026-01", "--note", "signed off")
    one.world.modify(ids["cheaper"], Payout="4.25")
    one.world.advance(hours=1)
    one.sync()
    ended = impact()
    assert ended.exit_code == 0
    for shown in ("2026-01", "7.00 EUR, 65.50 USD", "-1.25 USD", "signed off"):
        assert shown in ended.output
    with open_pipeline() as pipeline, pipeline.sql_client() as client:
        lines = client.make_qualified_table_name("close_lines")
        client.execute_sql(f"update {lines} set paid = paid + 0.01 where currency = 'EUR'")
    ended = impact()
    assert (ended.exit_code, "the lines of 2026-01 are not those that were closed" in ended.output) == (1, True)


def test_a_close_that_was_killed_leaves_the_month_open(january: tuple[Account, dict[str, str]]) -> None:
    """Lines without a close count for nothing, and the next close replaces them."""
    one, ids = january
    assert impact("2026-01").exit_code == 0
    with one.changing() as connection:
        connection.execute("delete from closes")
        connection.execute("update close_lines set media_partner_id = 'gone' where currency = 'EUR'")
    assert "No month is closed yet" in impact().output
    assert one.query("select * from impact.close_changes") == []
    one.world.modify(ids["euros"], Payout="8.00")
    one.world.advance(hours=1)
    one.sync()
    verify(one.settings())
    assert impact("2026-01").exit_code == 0
    assert one.query("select media_partner_id, accrued from impact.close_lines where currency = 'EUR'") == [("22", 8)]
    assert impact().exit_code == 0


def test_a_close_asks_nothing_of_the_api(january: tuple[Account, dict[str, str]]) -> None:
    """It works without a network, and without credentials."""
    requests = len(january[0].sandbox.requests)
    assert impact("2026-01").exit_code == 0
    assert len(january[0].sandbox.requests) == requests


def test_a_lake_has_the_closed_months(january: tuple[Account, dict[str, str]], tmp_path: Path) -> None:
    """They are published like every other table."""
    lake = Lake(str(tmp_path / "lake"), "acme")
    assert impact("2026-01").exit_code == 0
    assert {"closes", "close_lines"} <= {one.table for one in publish(lake)}
    assert_published(january[0].path, lake)


@pytest.mark.parametrize(("month", "code"), [("2026-13", 2), ("January", 2), ("2026-01-15", 2), ("2026-01", 2)])
def test_what_is_no_month_and_an_empty_warehouse_end_with_2(month: str, code: int) -> None:
    """The message says what to give, or what to run first."""
    ended = impact(month)
    assert ended.exit_code == code
    assert ("is not a month such as 2026-01" in ended.output) == (month != "2026-01")


@pytest.mark.parametrize(
    ("first", "zone", "start", "end"),
    [
        (date(2026, 3, 1), "America/Los_Angeles", "2026-03-01T08:00:00+00:00", "2026-04-01T07:00:00+00:00"),
        (date(2026, 4, 1), "Pacific/Auckland", "2026-03-31T11:00:00+00:00", "2026-04-30T12:00:00+00:00"),
        (date(2025, 12, 1), "Asia/Kathmandu", "2025-11-30T18:15:00+00:00", "2025-12-31T18:15:00+00:00"),
    ],
)
def test_a_month_begins_and_ends_at_midnight_of_the_account(first: date, zone: str, start: str, end: str) -> None:
    """Whether the clocks change within it or not."""
    month = Month(first, zone)
    assert (month.start.isoformat(), month.end.isoformat()) == (start, end)

"""A date means the complete day, as a bound of every command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import duckdb
import pytest
from impact_source import Ask, Settings
from impact_source.parsing import end_of, parse_bound, start_of
from impact_sync.cli import main
from impact_sync.reconcile import comparison
from impact_sync.report.gather import month_end
from impact_sync.report.words import closing
from impact_sync.tabular import MACROS
from impact_sync.verify.run import verify
from impact_sync.views.functions import INSTANT

from tests.support.account import Account

FIRST, LAST = datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "start", "end"),
    [
        ("2026-01-31", FIRST, LAST),
        (date(2026, 1, 31), FIRST, LAST),
        ("2026-01-31T00:00:00Z", FIRST, FIRST),
        ("2026-01-31 12:00", NOON, NOON),
        ("2026-01-31T13:00:00+01:00", NOON, NOON),
        (NOON, NOON, NOON),
        (NOON.replace(tzinfo=None), NOON, NOON),
    ],
)
def test_a_date_is_its_first_instant_as_a_start_and_its_last_as_an_end(
    told: str | date, start: datetime, end: datetime
) -> None:
    """A time of day is taken as it is."""
    bound = parse_bound(told)
    assert (start_of(bound, UTC), end_of(bound, UTC)) == (start, end)


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("Asia/Tokyo", -9), ("America/Los_Angeles", 8)])
def test_a_time_without_an_offset_is_the_account_s(monkeypatch: pytest.MonkeyPatch, zone: str, hours: int) -> None:
    """As a bound and as the start of syncs it is what it is for the columns of orders and the functions."""
    instant, local = NOON + timedelta(hours=hours), NOON.replace(tzinfo=None)
    for told in ("2026-01-31T12:00", "2026-01-31 12:00:00", local):
        ask = Ask(since=parse_bound(told), until=parse_bound(told))
        assert ask.range(ZoneInfo(zone)) == (instant, instant)
        assert ask.is_dated, "its instant depends on the zone"
    monkeypatch.setenv("SOURCES__IMPACT__START_DATE", "2026-01-31T12:00")
    assert Settings.resolve(account_sid="a", auth_token="t", time_zone=zone).start == instant
    with duckdb.connect() as connection:  # in a session of any zone
        connection.execute(f"set timezone = 'Asia/Kolkata'; {MACROS}; {comparison.text('macros.sql')}")
        sql = INSTANT.replace("$value", "'2026-01-31 12:00'").replace("'account'", f"'{zone}'")
        assert connection.execute(f"select ({sql}) = '{instant.isoformat()}'::timestamptz").fetchall() == [(True,)]
        connection.execute(f"set timezone = '{zone}'")
        sql = f"select as_time('2026-01-31 12:00') = '{instant.isoformat()}'::timestamptz"
        assert connection.execute(sql).fetchall() == [(True,)]


@pytest.mark.parametrize("told", ["yesterday", "2026-02-30", "31.01.2026", "2026-01-31T25:00"])
def test_what_is_no_date_is_refused(told: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"not a date|Unable to parse|hour must"):
        parse_bound(told)


def test_every_bound_of_every_command_takes_whole_days_and_says_so() -> None:
    """A command that is added later cannot forget it."""
    bounds = [p for c in main.commands.values() for p in c.params if isinstance(p, click.Option) and p.metavar == "T"]
    assert len(bounds) >= 6
    for option in bounds:
        told = "in the account's time zone unless it has an offset; a date means that whole day"
        assert told in (option.help or "")
        context = click.Context(main)
        assert option.process_value(context, "2026-01-31") == date(2026, 1, 31), option.name


def test_a_day_is_verified_whole(account: Callable[..., Account]) -> None:
    """`--since D --until D` compares everything that happened on that day."""
    one = account(days=20, per_day=20)
    one.first_sync()
    day = (one.world.now - timedelta(days=5)).date()
    with one.changing() as connection:
        connection.execute(f"update actions set payout = 0.01 where cast(event_date as date) = '{day}'")
    spoilt = one.query(f"select count(*) from impact.actions where cast(event_date as date) = '{day}'")[0][0]
    report = verify(one.settings(), Ask((), day, day))
    assert spoilt > 5
    assert len({one.action_id for one in report.drift}) == spoilt


@pytest.mark.parametrize("name", ["UTC", "America/Los_Angeles", "Pacific/Auckland", "America/Santiago"])
@pytest.mark.parametrize("day", [date(2026, 1, 31), date(2026, 3, 8), date(2025, 9, 6), date(2026, 4, 5)])
def test_books_closed_with_a_day_are_called_after_it(day: date, name: str) -> None:
    """The last instant of a day and the first of the next are the same end, in the account's time zone."""
    zone = ZoneInfo(name)
    last = end_of(day, zone).astimezone(zone)
    first = start_of(day + timedelta(days=1), zone).astimezone(zone)
    assert closing(last) == closing(first) == f"the end of {day.day} {day:%b %Y}"
    assert closing(first + timedelta(seconds=1)) == f"{day.day + 1} {day:%b %Y}, {first:%H:%M}" or day.day == 31


def test_a_month_ends_where_the_account_s_month_does() -> None:
    """The books that a report compares with were closed at the start of the month, or of the one before at a start."""
    for name, start in (("America/Los_Angeles", "2026-02-01T08:00:00Z"), ("Pacific/Auckland", "2026-01-31T11:00:00Z")):
        first = datetime.fromisoformat(start).astimezone(ZoneInfo(name))
        assert month_end(first + timedelta(days=3)) == month_end(first + timedelta(microseconds=1)) == first
        assert month_end(first) == start_of(date(2026, 1, 1), ZoneInfo(name))

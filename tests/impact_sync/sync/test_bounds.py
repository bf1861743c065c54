"""A date means the complete day, as a bound of every command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest
from impact_source import Ask
from impact_source.parsing import end_of, parse_bound, start_of
from impact_sync.cli import main
from impact_sync.report.gather import month_end
from impact_sync.report.words import closing
from impact_sync.verify.run import verify

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
    """A time of day is taken as it is, in UTC unless it says otherwise."""
    bound = parse_bound(told)
    assert (start_of(bound, UTC), end_of(bound, UTC)) == (start, end)


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
        assert "a date means that whole day in the account's time zone" in (option.help or "")
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

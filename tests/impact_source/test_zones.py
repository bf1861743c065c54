"""Time zones by the names that the API gives them, and the days of a zone as bounds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from impact_sandbox.times import ZONES as ZONES_OF_THE_SANDBOX
from impact_source import Ask, Settings, zones
from impact_source.errors import ConfigurationError
from impact_source.parsing import end_of, in_zone, parse_bound, start_of
from impact_source.zones import find_zone, is_zone

US = timedelta(microseconds=1)
# Clocks change at 2 and 3 o'clock, at midnight forwards and backwards, by half an hour, and not at all.
ZONES = st.sampled_from(
    [
        *("America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu", "UTC", "Europe/London", "Australia/Lord_Howe"),
        *("America/Santiago", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Atlantic/Azores", "America/Nuuk"),
    ]
)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("(GMT -08:00) Pacific Time (US & Canada); Tijuana", "America/Los_Angeles"),
        ("(GMT-08:00) Pacific Time (US and Canada); Tijuana", "America/Los_Angeles"),
        ("(UTC-8) pacific  time (us & canada)", "America/Los_Angeles"),
        ("(GMT -07:00) Pacific Time (US & Canada)", "America/Los_Angeles"),  # as it is called in summer
        ("(GMT -05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(GMT -05:00) Indiana (East)", "America/Indiana/Indianapolis"),
        ("(GMT -07:00) Arizona", "America/Phoenix"),
        ("(GMT -03:00) Brasília", "America/Sao_Paulo"),
        ("(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London", "Europe/Dublin"),
        ("(GMT +01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
        ("(GMT +02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius", "Europe/Helsinki"),
        ("(GMT +05:45) Kathmandu", "Asia/Kathmandu"),
        ("(GMT +12:00) Auckland, Wellington", "Pacific/Auckland"),
        ("(GMT -08:00) America/Los_Angeles", "America/Los_Angeles"),
        ("(GMT +00:00) UTC", "UTC"),
        ("europe/berlin", "Europe/Berlin"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ("UTC", "UTC"),
        # Nobody can tell which of two is meant, or there is nothing to tell it by.
        ("(GMT +02:00) Athens, Beirut, Istanbul, Minsk", None),
        ("(GMT -05:00) Pacific Time (US & Canada)", None),
        ("(GMT +06:00) Almaty, Novosibirsk", None),
        ("(GMT -08:00)", None),
        ("(GMT -08:00) Nowhere", None),
        ("", None),
    ],
)
def test_a_zone_is_found_by_the_name_that_the_api_gives_it(name: str, zone: str | None) -> None:
    """Spelling does not matter; a name that could mean two zones, or has another offset than its place, is unknown."""
    assert find_zone(name) == zone


def test_the_sandbox_s_accounts_are_known() -> None:
    """What the sandbox calls a zone is a zone that keeps the same time as the one of its invoices."""
    for name, zone in ZONES_OF_THE_SANDBOX.items():
        assert zones._course(find_zone(name) or "") == zones._course(zone), name  # noqa: SLF001


def test_every_zone_of_the_table_exists_and_every_place_is_in_one() -> None:
    """A name that somebody adds to the table cannot be wrong unnoticed."""
    places = [zones._plain(place) for listed in zones._PLACES.values() for place in listed.split(",")]  # noqa: SLF001
    assert all(places)
    assert len(places) == len(set(places))
    assert all(is_zone(zone) for zone in zones._PLACES)  # noqa: SLF001


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("Europe/Berln", "such as Europe/Berlin"),
        ("(GMT +12:00) Auckland, Wellington", "such as Pacific/Auckland"),
        ("PST", "such as "),
        ("localtime", "such as "),  # another one on each machine
        ("CET", "such as "),  # without daylight saving in Postgres
        ("'; drop table actions; --", "such as Europe/Berlin"),
    ],
)
def test_a_setting_that_is_no_zone_says_which_one_may_be_meant(told: str, hint: str) -> None:
    """Only IANA names are taken."""
    with pytest.raises(ConfigurationError, match=r"sources\.impact\.time_zone must be the IANA name") as error:
        Settings("IRaccount", "token", time_zone=told)
    assert hint in str(error.value)


@given(st.dates(date(1990, 1, 1), date(2037, 12, 31)), ZONES)
@example(date(2026, 3, 8), "America/Los_Angeles")
@example(date(2025, 11, 2), "America/Los_Angeles")
@example(date(2026, 4, 5), "Pacific/Auckland")
@example(date(2025, 9, 28), "Pacific/Auckland")
@example(date(2025, 9, 7), "America/Santiago")  # has no midnight
@example(date(2025, 11, 2), "America/Havana")  # has two
def test_a_date_is_exactly_that_day_of_the_zone(day: date, name: str) -> None:
    """From its first instant to its last all clocks of the zone show it, just before and just after they do not."""
    zone = ZoneInfo(name)
    start, end = start_of(day, zone), end_of(day, zone)
    assert [in_zone(at, zone).date() for at in (start, start + (end - start) / 2, end)] == [day] * 3
    assert in_zone(start - US, zone).date() == day - timedelta(days=1)
    assert in_zone(end + US, zone).date() == day + timedelta(days=1)
    assert timedelta(hours=22.5) <= end + US - start <= timedelta(hours=25.5)
    assert end + US == start_of(day + timedelta(days=1), zone)


@given(st.dates(), ZONES, st.datetimes(timezones=st.just(UTC)))
def test_any_date_and_any_instant_is_a_bound(day: date, name: str, instant: datetime) -> None:
    """The first and last days of the calendar too; an instant stays what it is, in every zone."""
    zone = ZoneInfo(name)
    assert start_of(day, zone) <= end_of(day, zone)
    assert parse_bound(day.isoformat()) == day
    assert start_of(instant, zone) == end_of(instant, zone) == instant


def test_a_day_and_an_instant_are_compared_in_the_account_s_zone() -> None:
    """What is a range in one zone ends before it starts in another."""
    ask = Ask(since=datetime(2026, 2, 1, 3, tzinfo=UTC), until=date(2026, 1, 31))
    since, until = ask.range(ZoneInfo("America/Los_Angeles"))
    assert (since, until) == (ask.since, datetime(2026, 2, 1, 7, 59, 59, 999999, tzinfo=UTC))
    with pytest.raises(ConfigurationError, match="swap them"):
        ask.range(UTC)
    with pytest.raises(ConfigurationError, match="swap them"):
        Ask(since=date(2026, 2, 1), until=date(2026, 1, 31))

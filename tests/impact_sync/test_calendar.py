"""Days, weeks and months are those of the account's time zone, in every view, report and bound."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake
from impact_sandbox import Reply, Rules
from impact_source import Ask, impact_reference
from impact_source import impact as impact_source
from impact_source.parsing import end_of, start_of
from impact_sync.cli import main
from impact_sync.console.exits import Exit
from impact_sync.lake.engine import views
from impact_sync.lake.place import Lake
from impact_sync.lake.publish import publish
from impact_sync.report.gather import read
from impact_sync.report.scope import Books, Scope
from impact_sync.verify.run import verify
from impact_sync.views import zone_of
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import Account
from tests.support.commands import environment, impact

Make = Callable[..., Account]
NOW = datetime(2026, 5, 10, 9, tzinfo=UTC)  # the tenth in each of the zones
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(f"{text}Z")


@dataclass(frozen=True)
class Zone:
    """A zone as the API calls it, and when some of its days begin, worked out by hand: past days, coming Mondays."""

    name: str
    iana: str
    days: dict[date, datetime]
    mondays: dict[date, datetime]


LOS_ANGELES = Zone(
    "(GMT -08:00) Pacific Time (US & Canada); Tijuana",
    "America/Los_Angeles",
    {
        date(2025, 11, 1): at("2025-11-01T07:00:00"),
        date(2025, 11, 2): at("2025-11-02T07:00:00"),  # lasts 25 hours
        date(2025, 11, 3): at("2025-11-03T08:00:00"),
        date(2025, 12, 1): at("2025-12-01T08:00:00"),
        date(2026, 3, 8): at("2026-03-08T08:00:00"),  # lasts 23 hours
        date(2026, 3, 9): at("2026-03-09T07:00:00"),
        date(2026, 4, 1): at("2026-04-01T07:00:00"),
    },
    {date(2026, 11, 2): at("2026-11-02T08:00:00"), date(2027, 3, 15): at("2027-03-15T07:00:00")},
)
AUCKLAND = Zone(
    "(GMT +12:00) Auckland, Wellington",
    "Pacific/Auckland",
    {
        date(2025, 9, 28): at("2025-09-27T12:00:00"),  # lasts 23 hours
        date(2025, 9, 29): at("2025-09-28T11:00:00"),
        date(2025, 10, 1): at("2025-09-30T11:00:00"),
        date(2026, 4, 1): at("2026-03-31T11:00:00"),
        date(2026, 4, 5): at("2026-04-04T11:00:00"),  # lasts 25 hours
        date(2026, 4, 6): at("2026-04-05T12:00:00"),
        date(2026, 5, 1): at("2026-04-30T12:00:00"),
    },
    {date(2026, 9, 28): at("2026-09-27T11:00:00"), date(2027, 4, 5): at("2027-04-04T12:00:00")},
)
KATHMANDU = Zone(
    "(GMT +05:45) Kathmandu",
    "Asia/Kathmandu",
    {date(2026, 2, 1): at("2026-01-31T18:15:00"), date(2026, 2, 2): at("2026-02-01T18:15:00")},
    {date(2026, 6, 1): at("2026-05-31T18:15:00")},
)
ZONES = pytest.mark.parametrize("zone", [LOS_ANGELES, AUCKLAND, KATHMANDU], ids=lambda zone: zone.iana)


def filled(account: Make, zone: Zone) -> Account:
    """An account with a conversion in the last second of a day, and one in the first of the next, for each day.

    Each has locked when it happened. For each Monday two more will lock just before it and as it begins.
    """
    one = account(days=1, per_day=0, now=NOW, rules=Rules(time_zone=zone.name))
    for start in zone.days.values():
        for instant in (start - SECOND, start):
            when = instant.isoformat()
            one.world.create(EventDate=when, LockingDate=when, Payout="1.00", State="APPROVED", Currency="USD")
    for start in zone.mondays.values():
        for instant in (start - SECOND, start):
            one.world.create(EventDate=NOW.isoformat(), LockingDate=instant.isoformat(), Payout="1.00", Currency="USD")
    return one


def around(days: dict[date, datetime]) -> list[date]:
    """The day of each conversion that lies around the beginnings of days."""
    return [day - timedelta(days=before) for day in days for before in (1, 0)]


def in_session(time_zone: str, *queries: str) -> list[list[tuple[Any, ...]]]:
    """The rows of queries in a session of its own with this time zone; `{name}` is a table's full name."""
    with open_pipeline(read_only=True) as pipeline, pipeline.sql_client() as client:
        client.execute_sql(f"set timezone = '{time_zone}'")
        names = ("commission_by_month", "restatements", "lock_calendar", "accrued_at")
        full = {name: client.make_qualified_table_name(name) for name in names}
        return [[tuple(row) for row in client.execute_sql(sql.format_map(full)) or []] for sql in queries]


MONTHS = "select month, sum(actions) from {{commission_by_month}} where basis = '{}' group by 1"
MOVED = "select event_month, count(*) from {restatements} group by 1"
KNOWN = "select month, sum(actions) from {accrued_at}(timestamptz '2027-01-01 00:00:00+00') group by 1"
WEEKS = "select locking_week, sum(actions) from {lock_calendar} group by 1"


@pytest.mark.usefixtures("warehouse")
@ZONES
def test_days_weeks_and_months_are_the_account_s(account: Make, zone: Zone) -> None:
    """Around both changes of clocks and at month ends, every view, the report and verify count alike in any session."""
    one = filled(account, zone)
    one.sync(reference=("company",), time_zone="")
    days = Counter(around(zone.days))
    months = Counter(day.replace(day=1) for day in days.elements())
    now = NOW.date().replace(day=1)
    events = months + Counter({now: 2 * len(zone.mondays)})
    weeks = Counter(day - timedelta(days=day.weekday()) for day in around(zone.mondays))
    for session in ("UTC", "America/Los_Angeles", "Pacific/Kiritimati"):
        by_event, by_lock, moved, locks = in_session(
            session, MONTHS.format("event"), MONTHS.format("locking"), MOVED, WEEKS
        )
        assert dict(by_event) == dict(moved) == events, session
        assert Counter(dict(by_lock)) == months + Counter(day.replace(day=1) for day in around(zone.mondays)), session
        assert dict(locks) == weeks, session
    with open_pipeline(read_only=True) as pipeline:
        books = Books(pipeline, Scope())
        daily = "select cast(event_date at time zone 'account' as date), count(*) from settlement group by 1"
        assert Counter(dict(books.rows(daily))) == days + Counter({NOW.date(): 2 * len(zone.mondays)})
        figures = read(books)
    assert {one.start: one.actions for one in figures.months} == events
    assert {one.week: one.actions for one in figures.locks} == weeks
    assert (figures.zone, figures.zone_unknown) == (zone.iana, False)
    assert {one.start for one in figures.daily} <= {*days, NOW.date()}
    report = verify(one.settings(time_zone="", reference=("company",)))
    verified = {month: count["verified"] for (_, month), count in report.counts.items()}
    assert verified == {f"{month:%Y-%m}": count for month, count in events.items()}
    told = json.loads(CliRunner().invoke(main, ["status", "--json"]).output)["time_zone"]
    assert told == {"name": zone.iana, "account": zone.name, "configured": False, "problems": []}


LONG_AND_SHORT = pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        (LOS_ANGELES, "2025-11-02", "2025-11-02T07:00:00Z", "2025-11-03T08:00:00Z"),
        pytest.param(LOS_ANGELES, "2026-03-08", "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z", marks=pytest.mark.long),
        pytest.param(AUCKLAND, "2025-09-28", "2025-09-27T12:00:00Z", "2025-09-28T11:00:00Z", marks=pytest.mark.long),
        (AUCKLAND, "2026-04-05", "2026-04-04T11:00:00Z", "2026-04-05T12:00:00Z"),
        pytest.param(KATHMANDU, "2026-02-01", "2026-01-31T18:15:00Z", "2026-02-01T18:15:00Z", marks=pytest.mark.long),
    ],
)


@LONG_AND_SHORT
def test_a_date_is_that_day_of_the_account_from_the_first_run_on(
    account: Make, zone: Zone, day: str, start: str, end: str
) -> None:
    """A first sync of a day asks for the time zone before any action; verify and the report know it from then on."""
    one = account(days=1, per_day=0, now=NOW, rules=Rules(time_zone=zone.name))
    kept = environment(one, SOURCES__IMPACT__TIME_ZONE="")
    assert impact("sync", "--since", day, "--until", day, env=kept).returncode == 0
    asked = [request for request in one.sandbox.requests if not request.path.endswith("/Campaigns")]
    assert asked[0].path.endswith("/CompanyInformation")
    updated = [request.query for request in asked[1:] if "StartDate" in request.query]
    assert {(query["StartDate"], query["EndDate"]) for query in updated} == {(start, end)}
    one.sandbox.requests.clear()
    one.world.create(EventDate=start, Payout="1.00")
    one.world.create(EventDate=(datetime.fromisoformat(end) - SECOND).isoformat(), Payout="1.00")
    one.world.create(EventDate=(datetime.fromisoformat(start) - SECOND).isoformat(), Payout="1.00")
    assert impact("sync", env=kept).returncode == 0
    assert impact("verify", "--since", day, "--until", day, env=kept).returncode == 0
    dated = [request.query for request in one.sandbox.requests if "ActionDateStart" in request.query]
    assert {(query["ActionDateStart"], query["ActionDateEnd"]) for query in dated} >= {(start, end)}
    assert not any(request.path.endswith("/CompanyInformation") for request in one.sandbox.requests)
    with open_pipeline(read_only=True) as pipeline:
        since = start_of(date.fromisoformat(day), ZoneInfo(zone.iana))
        found = read(Books(pipeline, Scope(since=since)), end_of(date.fromisoformat(day), ZoneInfo(zone.iana)))
    assert found.since == datetime.fromisoformat(start)
    assert {str(one.start): one.actions for one in found.daily} == {day: 2}


def month_of_one(one: Account) -> date:
    """The month of the only conversion."""
    ((month,),) = one.query("select month from impact.commission_by_month where basis = 'event'")
    assert isinstance(month, date)
    return month


def zone_requests(one: Account) -> int:
    """How often the account's time zone was asked for since the last call."""
    count = sum(request.path.endswith("/CompanyInformation") for request in one.sandbox.requests)
    one.sandbox.requests.clear()
    return count


def said(*arguments: str, env: dict[str, str]) -> str:
    """What a command prints, on one line."""
    ended = impact(*arguments, env=env)
    assert ended.returncode == 0, ended.stderr
    return " ".join(ended.stdout.split())


def new_year(account: Make, **rules: Any) -> Account:  # noqa: ANN401 - the sandbox's
    """An account with one conversion: 1 January in UTC, 31 December in Los Angeles."""
    one = account(days=1, per_day=0, now=datetime(2026, 1, 2, 12, tzinfo=UTC), rules=Rules(**rules))
    one.world.create(EventDate="2026-01-01T03:00:00Z", Payout="1.00")
    return one


def test_an_unknown_name_is_told_everywhere_until_the_zone_is_set(account: Make) -> None:
    """Months are UTC's until then; afterwards every view is created again, and a report without the setting agrees."""
    one = new_year(account, time_zone="(GMT -08:00) Somewhere else")
    unset = environment(one, SOURCES__IMPACT__TIME_ZONE="", SOURCES__IMPACT__REFERENCE="company")
    for command in ("check", "sync", "status"):
        told = said(command, env=unset)
        assert "set sources.impact.time_zone to its IANA name" in told.replace("│", "").replace("  ", " "), command
        assert "Somewhere else" in told, command
    assert month_of_one(one) == date(2026, 1, 1)
    assert said("report", env=unset)
    assert "time zone is not known" in Path("impact-report.html").read_text()
    chosen = unset | {"SOURCES__IMPACT__TIME_ZONE": "America/Los_Angeles"}
    assert "the warehouse counts in UTC: run `impact sync`" in said("status", env=chosen)
    assert "America/Los_Angeles, as configured" in said("check", env=chosen)
    assert "not known" not in said("sync", env=chosen)
    assert month_of_one(one) == date(2025, 12, 1)
    assert "those of America/Los_Angeles;" in said("status", env=chosen)
    assert "not known" not in said("status", env=unset)
    said("report", env=unset)
    page = Path("impact-report.html").read_text()
    assert "time zone America/Los_Angeles" in page
    assert "time zone is not known" not in page
    wrong = impact("sync", env=unset | {"SOURCES__IMPACT__TIME_ZONE": "PST8"})
    assert wrong.returncode == 2
    assert "sources.impact.time_zone must be the IANA name" in wrong.stderr


@pytest.mark.usefixtures("warehouse")
def test_a_zone_that_changes_at_impact_com_changes_every_view(account: Make) -> None:
    """With the next day's reading of `company` the months are new ones, of functions too; the rows are the same."""
    one = new_year(account)
    settings: dict[str, Any] = {"reference": ("company",), "time_zone": ""}
    one.sync(**settings)
    assert zone_requests(one) == 1, "the table `company` says it"
    assert in_session("UTC", MONTHS.format("event"), KNOWN) == [[(date(2025, 12, 1), 1)]] * 2
    one.world.rules = Rules(time_zone=KATHMANDU.name)
    one.world.advance(days=1)
    one.sync(**settings)
    assert zone_requests(one) == 1
    assert in_session("UTC", MONTHS.format("event"), KNOWN) == [[(date(2026, 1, 1), 1)]] * 2


def test_without_the_table_company_the_zone_costs_one_request_a_day(account: Make) -> None:
    """It is kept beside the cursors: a lost working folder does not matter; with the setting nothing is asked."""
    one = new_year(account)
    for _ in range(3):
        one.sync(reference=(), time_zone="")
        shutil.rmtree(one.folder / "dlt")
    assert zone_requests(one) == 1
    assert month_of_one(one) == date(2025, 12, 1)
    one.drain(time_zone="")
    verify(one.settings(time_zone=""))
    assert zone_requests(one) == 0
    one.world.advance(days=1)
    one.sandbox.on_request = lambda request: Reply(503) if request.path.endswith("/CompanyInformation") else None
    assert one.sync(time_zone="").exit is Exit.DONE
    assert month_of_one(one) == date(2025, 12, 1)
    one.sandbox.on_request = None
    zone_requests(one)
    one.sync(time_zone="")
    one.sync(time_zone="")
    assert zone_requests(one) == 1
    one.world.advance(days=1)
    one.sync(time_zone="Asia/Kathmandu")
    assert zone_requests(one) == 0
    assert month_of_one(one) == date(2026, 1, 1)
    one.sync(time_zone="")
    assert month_of_one(one) == date(2025, 12, 1), "without the setting it is the account's again"


@pytest.mark.parametrize("reference", [(), ("company",)])
@pytest.mark.parametrize("status", [403, pytest.param(404, marks=pytest.mark.long)])
def test_a_token_that_may_not_read_the_zone_is_told_to_set_it(
    account: Make, reference: tuple[str, ...], status: int
) -> None:
    """Once a day it is asked for again; a zone that was known stays."""
    one = new_year(account, withheld=(("CompanyInformation", status),))
    settings: dict[str, Any] = {"reference": reference, "time_zone": ""}
    told = [note for note in one.sync(**settings).notes if "time zone" in note]
    assert len(told) == 1
    assert "set sources.impact.time_zone" in told[0]
    day = date(2026, 1, 1)
    summary = one.sync(Ask(since=day, until=day), **settings)
    assert [note for note in summary.notes if "time zone" in note] == told
    assert zone_requests(one) == 1
    one.world.rules = Rules()
    one.world.advance(days=1)
    assert not [note for note in one.sync(**settings).notes if "time zone" in note]
    assert month_of_one(one) == date(2025, 12, 1)
    one.world.rules = Rules(withheld=(("CompanyInformation", status),))
    one.world.advance(days=1)
    assert not [note for note in one.sync(**settings).notes if "time zone" in note]
    assert month_of_one(one) == date(2025, 12, 1)


@pytest.mark.parametrize("reference", [(), ("company",)])
def test_an_account_without_a_time_zone_is_told_to_set_it(account: Make, reference: tuple[str, ...]) -> None:
    """An empty name is no name."""
    one = new_year(account, time_zone="")
    notes = one.sync(reference=reference, time_zone="").notes
    assert any("CompanyInformation names none" in note and "set sources.impact.time_zone" in note for note in notes)
    assert month_of_one(one) == date(2026, 1, 1)


def test_a_pipeline_of_one_s_own_counts_in_the_account_s_days(account: Make) -> None:
    """`impact(since=...)` asks for the zone before it reads a day, and a report on that warehouse knows it."""
    one = new_year(account)
    with open_pipeline() as pipeline:
        settings = one.settings(time_zone="", reference=("company",), start_date=date(2025, 12, 20))
        pipeline.run(impact_source(settings, until="2025-12-31"))
        starts = {request.query["StartDate"] for request in one.sandbox.requests if "StartDate" in request.query}
        ends = {request.query["EndDate"] for request in one.sandbox.requests if "EndDate" in request.query}
        assert (min(starts), max(ends)) == ("2025-12-20T08:00:00Z", "2026-01-01T08:00:00Z")
        assert zone_of(pipeline).name == "America/Los_Angeles"
    one.path.unlink()
    with open_pipeline() as pipeline:
        pipeline.run(impact_reference(one.settings(time_zone="", reference=("company",))))
        assert zone_of(pipeline).name == "America/Los_Angeles"


def test_a_lake_counts_in_the_account_s_zone(account: Make, tmp_path: Path) -> None:
    """The lake knows the zone; what an earlier release has published there counts in UTC."""
    one = new_year(account)
    one.sync(reference=("company",), time_zone="")
    lake = Lake(str(tmp_path / "lake"), "acme")
    publish(lake)
    statements = list(views(lake))
    zones = {zone for one in statements for zone in re.findall(r"CONVERT_TIMEZONE\('([^']*)'", one)}
    assert zones == {"America/Los_Angeles"}
    assert not any("'account'" in one or "AT TIME ZONE" in one for one in statements)
    table = DeltaTable(lake.table("publications"))
    older = table.to_pyarrow_table().drop_columns(["time_zone"])
    write_deltalake(lake.table("publications"), older, mode="overwrite", schema_mode="overwrite")
    assert any("CONVERT_TIMEZONE('UTC'" in one for one in views(lake))
    publish(lake)
    assert list(views(lake)) == statements

"""All of it: a sandbox account over a real socket into a real DuckDB file, true after every sync."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dlt
import duckdb
import pytest
from dlt.extract import DltResource
from impact_sandbox import Campaign, Reply, Request
from impact_source import Ask
from impact_source.errors import ConfigurationError, CredentialsError, InvalidAnswer, UnknownCampaign
from impact_sync.console.exits import Exit, WarehouseBusy, WarehouseLost
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]


@pytest.mark.parametrize(
    ("weeks", "per_day", "more_than"), [(4, 12, (96, 1)), pytest.param(12, 20, (500, 5), marks=pytest.mark.long)]
)
def test_weeks_of_weekly_syncs_stay_true(account: Make, weeks: int, per_day: int, more_than: tuple[int, int]) -> None:
    """Whatever happens to actions of two campaigns in weeks, after each weekly sync every column is right."""
    one = account(days=60, per_day=per_day)
    approved = restored = 0
    for _ in range(weeks):
        summary = one.sync()
        assert summary.exit is Exit.DONE
        one.assert_true()
        approved += sum(tally.approved for tally in summary.tallies.values())
        restored += sum(tally.restored for tally in summary.tallies.values())
        one.world.advance(days=7)
    assert approved > more_than[0]
    assert restored > more_than[1]


def test_the_warehouse_may_be_restored_and_the_working_folder_lost(account: Make) -> None:
    """A database from a week ago and an empty disk cost a second read, not correctness."""
    one = account(days=60, per_day=5, campaigns=CAMPAIGNS[:1])
    for week in range(5):
        one.sync()
        one.assert_true()
        if week == 1:
            shutil.copy(one.path, one.folder / "old.duckdb")
        if week == 2:
            shutil.copy(one.folder / "old.duckdb", one.path)
        if week == 3:
            shutil.rmtree(one.folder / "dlt")
        one.world.advance(days=7)


def test_a_sync_without_changes_writes_nothing_and_asks_little(account: Make, right: Callable[[Account], None]) -> None:
    """Run again and again, a sync finds nothing to write and sends one request for each window.

    Only the second one sends another: the proof that queries by LockingDate see everything, repeated once a month.
    """
    one = account()
    right(one)
    one.first_sync()
    one.sync()
    before = one.query("select max(synced_at), count(*) from impact.actions")
    one.sandbox.requests.clear()
    summary = one.sync()
    assert all((t.new, t.changed) == (0, 0) for t in summary.tallies.values())
    assert one.query("select max(synced_at), count(*) from impact.actions") == before
    windows = one.query(f"select count(*) from impact.sync_windows where run_id = '{summary.run.run_id}'")[0][0]
    assert len(one.sandbox.requests) == windows + 1 == summary.run.requests


def test_the_first_sync_costs_its_windows_and_pages(account: Make) -> None:
    """A first run sends one request for each window of three years, one for each further page, one for campaigns.

    Two more find out the time, as this machine's clock is not the sandbox's.
    """
    one = account(days=60, per_day=150)
    one.start = None
    summary = one.sync()
    windows = one.query("select count(*), sum(pages - 1), sum(rows) from impact.sync_windows")[0]
    assert windows[0] == 2 * 25
    assert len(one.sandbox.requests) == 1 + 2 + windows[0] + windows[1]
    assert windows[2] >= len(one.truth())
    one.assert_true()
    assert summary.run.requests == len(one.sandbox.requests)


def test_a_quiet_campaign_loads_while_a_busy_one_is_far_ahead(account: Make) -> None:
    """Each campaign has its own cursors: one that joins late is loaded from its beginning."""
    one = account(days=60, per_day=20)
    one.sync(Ask(campaigns=("1000",)))
    one.world.advance(days=7)
    one.world.add_campaign(Campaign(id="3000", name="Acme New", state="ACTIVE", share=0.0))
    one.world.create(campaign_id="3000")
    assert one.sync().exit is Exit.DONE
    one.assert_true()


def test_a_backfill_in_many_packages_ends_true(account: Make) -> None:
    """Small load packages, cut within windows, together hold what one large one does."""
    one = account(days=60, per_day=150)
    one.first_sync(package_rows=1_000)
    one.assert_true()
    assert one.query("select count(*) from impact._dlt_loads")[0][0] >= 5


def test_an_hour_that_is_spent_stops_the_run_at_a_checkpoint(account: Make) -> None:
    """With too few requests for all, each run lands what it read, says so, and the next continues from there."""
    one = account(days=60, per_day=20)
    one.start = None
    outcomes = []
    for _ in range(20):
        one.sandbox.budget.limit, one.sandbox.budget.spent = 12, 0
        summary = one.sync(max_wait=timedelta(0))
        outcomes.append(summary.exit)
        if summary.exit is Exit.DONE:
            break
    assert outcomes[0] is Exit.EARLY
    assert outcomes[-1] is Exit.DONE
    assert len(outcomes) <= 7
    one.sandbox.budget.limit = 100_000
    one.sync()
    one.assert_true()


@pytest.mark.long
def test_a_window_with_more_rows_than_the_api_pages_through_is_cut(account: Make) -> None:
    """More than ten pages in 45 days are refused by the API and read in smaller windows."""
    one = account(days=40, per_day=1_100)
    one.first_sync()
    one.assert_true()
    assert one.query("select count(*) from impact.sync_windows where outcome = 'too full'")[0][0] > 0


def test_since_and_until_read_a_range_and_leave_the_cursors(account: Make) -> None:
    """After trying a range first, the plain sync still loads everything."""
    one = account(days=60, per_day=20)
    since = one.world.now - timedelta(days=20)
    one.sync(Ask(since=since, until=since + timedelta(days=5)))
    some = len(one.held())
    assert 0 < some < len(one.truth())
    one.sync()
    one.assert_true()
    one.world.advance(days=7)
    one.sync(Ask(since=one.world.now - timedelta(days=1)))
    one.sync()
    one.assert_true()


def test_a_first_run_of_a_range_reads_each_action_once(account: Make) -> None:
    """On an empty warehouse `--since` reads what was updated since then, and not once more by the date it locks at."""
    one = account(days=60, per_day=6)
    summary = one.sync(Ask(since=one.world.now - timedelta(days=9)))
    held = one.query("select count(*) from impact.actions")[0][0]
    assert sum(tally.read for tally in summary.tallies.values()) == held > 50
    one.world.advance(days=1)
    one.sync()
    one.assert_true()


def test_the_ledger_says_what_was_read(account: Make) -> None:
    """`sync_runs` has the run with its outcome, and its windows add up to the rows it received."""
    one = account()
    summary = one.sync()
    (run,) = one.query("select run_id, outcome, exit_code, rows, requests, finished >= started from impact.sync_runs")
    assert run == (summary.run.run_id, "done", 0, summary.run.rows, summary.run.requests, True)
    assert one.query("select sum(rows), bool_and(total = rows) from impact.sync_windows") == [(summary.run.rows, True)]


def test_columns_are_described_in_the_database(account: Make) -> None:
    """Every column of the actions has a comment where the database shows it, in the API's order."""
    one = account()
    one.first_sync()
    rows = one.query(
        "select column_name, comment from duckdb_columns() where schema_name = 'impact' and table_name = 'actions' "
        "order by column_index"
    )
    assert all(comment for _, comment in rows)
    assert [name for name, _ in rows] == [*next(iter(one.truth().values())), "synced_at", "pass", "changed"]


def test_an_account_without_actions_has_the_tables(account: Make) -> None:
    """A new account syncs to empty tables, not to missing ones."""
    one = account(days=0, per_day=0)
    assert one.sync().exit is Exit.DONE
    assert one.held() == {}


def test_wrong_credentials_stop_before_anything_is_written(account: Make) -> None:
    """A wrong token is named as such, and no warehouse is left behind."""
    one = account(days=1, per_day=0)
    with pytest.raises(CredentialsError, match="auth_token"):
        one.sync(auth_token="wrong")
    assert not one.path.exists()


def test_an_unknown_campaign_is_named_with_those_there_are(account: Make) -> None:
    """A mistyped campaign id is answered with the list."""
    one = account(days=1, per_day=0)
    with pytest.raises(UnknownCampaign, match=r"no campaign 77.*1000 \(Acme Campaign\)"):
        one.sync(Ask(campaigns=("77",)))


def test_a_warehouse_in_use_is_left_alone(account: Make) -> None:
    """If another program holds the file, the run ends and names it."""
    one = account()
    one.first_sync()
    code = f"import duckdb, sys; c = duckdb.connect({str(one.path)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(WarehouseBusy, match=str(holder.pid)):
            one.sync()
        holder.communicate()
    assert one.sync().exit is Exit.DONE


def test_a_path_that_cannot_be_written_is_named(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that does not exist is an error in the configuration."""
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", "/nowhere/at/all.duckdb")
    with pytest.raises(ConfigurationError, match=r"/nowhere/at/all\.duckdb"):
        account(days=1, per_day=0).sync()


def test_a_file_that_is_no_database_is_left_as_it_is(account: Make) -> None:
    """A warehouse path that names some other file is refused and the file kept."""
    one = account(days=1, per_day=0)
    one.path.write_text("not a database, but dear to somebody")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        one.sync()
    assert one.path.read_text() == "not a database, but dear to somebody"


def test_a_lock_in_the_far_future_does_not_break_the_runs_after_it(account: Make) -> None:
    """An action that locks decades from now does not cost hundreds of windows and is still followed."""
    one = account(days=30, per_day=5)
    never = one.world.create(campaign_id="1000", LockingDate="2099-12-31T00:00:00Z", Amount="1.00", Payout="0.10")
    one.first_sync()
    one.world.advance(days=10)
    one.world.approve(never)
    one.sandbox.requests.clear()
    assert one.sync().exit is Exit.DONE
    one.assert_true()
    assert len(one.sandbox.requests) < 45
    one.sync(Ask(until=one.world.now.replace(year=9998)))
    one.assert_true()


def test_a_campaign_list_that_is_not_whole_stops_the_run(account: Make) -> None:
    """A campaign missing from the list would silently not be synced."""
    one = account(days=10, per_day=5)
    short = json.dumps({"@total": "2", "@page": "1", "@nextpageuri": "", "Campaigns": [{"Id": "1000", "Name": "A"}]})
    one.sandbox.on_request = lambda r: Reply(200, short.encode()) if r.path.endswith("Campaigns") else None
    with pytest.raises(InvalidAnswer, match="the list of campaigns is incomplete: the API reports"):
        one.sync()


def test_a_bad_byte_costs_a_character(account: Make) -> None:
    """A name that is not UTF-8 lands with the bad byte replaced; the rest of the page is untouched."""
    one = account(days=10, per_day=5, campaigns=(Campaign(id="1000", name="Acme", state="ACTIVE", share=1.0),))
    record = b'{"Id": "x1", "CampaignId": "1000", "Note": "caf\xe9", "Amount": "1.00"}'
    body = b'{"@total": "1", "@page": "1", "@numpages": "1", "@nextpageuri": "", "Actions": [' + record + b"]}"
    one.sandbox.on_request = lambda r: Reply(200, body) if "StartDate" in r.query else None
    assert one.sync().exit is Exit.DONE
    assert one.held()["x1"]["note"] == "caf\ufffd"


def test_columns_that_somebody_added_make_no_row_look_changed(account: Make) -> None:
    """A user's own column in `actions` does not make the sync rewrite rows."""
    one = account(days=30, per_day=5)
    one.first_sync()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one.path}' as w; use w; alter table impact.actions add column mine text")
        connection.execute("update w.impact.actions set mine = 'x'")
    assert all(tally.changed == 0 for tally in one.sync().tallies.values())
    assert one.query("select count(*) from impact.actions where mine is null") == [(0,)]


def test_a_cursor_ahead_of_the_clock_is_an_error_not_an_empty_run(account: Make) -> None:
    """After a run under a wrong clock nothing would be read for weeks: the next run says so, and `--since` fixes it."""
    one = account(days=60, per_day=5)
    good = one.world.now
    one.world.advance(days=20)
    one.first_sync()
    one.world.set_now(good + timedelta(days=5))
    with pytest.raises(ConfigurationError, match="Pass `since` with an instant before that"):
        one.sync()
    assert one.sync(Ask(since=good - timedelta(days=1))).exit is Exit.DONE
    one.world.advance(days=7)
    assert one.sync().exit is Exit.DONE


def test_a_status_amid_a_sync_does_not_disturb_it(account: Make) -> None:
    """A status request while a run is active is answered with exit code 5, and the run ends well."""
    one = account(days=30, per_day=10)
    one.first_sync()
    one.world.advance(days=5)
    codes: list[int] = []

    def ask(_: Request) -> None:
        if not codes:
            command = [str(Path(sys.executable).parent / "impact"), "status"]
            codes.append(subprocess.run(command, capture_output=True, check=False).returncode)

    one.sandbox.on_request = ask
    assert one.sync().exit is Exit.DONE
    assert codes == [Exit.BUSY]
    one.assert_true()


def test_a_table_that_was_emptied_is_read_again(account: Make) -> None:
    """If a campaign's actions were deleted, its cursors are not believed; an empty campaign costs nothing."""
    empty = Campaign(id="3000", name="Acme New", state="ACTIVE", share=0.0)
    one = account(days=60, per_day=5, campaigns=(*CAMPAIGNS, empty))
    one.start = None
    one.first_sync()
    with one.changing() as connection:
        connection.execute("delete from actions where campaign_id = '1000'")
    one.sync()
    one.assert_true()
    windows = one.query(
        "select count(*) from impact.sync_windows where campaign_id in ('2000', '3000') and pass = 'updated'"
    )
    assert windows == [(2 * 25 + 2,)]


def test_an_until_ahead_of_now_settles_nothing(account: Make) -> None:
    """After `--until` in the future, open actions are open and at risk, also if an older release recorded it."""
    one = account(days=20, per_day=5)
    for until in (one.world.now + timedelta(days=400), None):
        one.sync(Ask(until=until))
        assert one.query("select distinct as_of from impact.synced_until") == [(one.world.now,)]
        assert one.query("select max(until) from impact.sync_runs") == [(one.world.now,)]
        with one.changing() as connection:  # as earlier releases wrote it
            connection.execute(f"update sync_runs set until = timestamptz '{one.world.now + timedelta(days=400)}'")
        one.world.advance(days=1)
        assert one.query("select max(as_of) from impact.synced_until") == [(one.world.now - timedelta(days=1),)]
        assert one.query("select sum(at_risk) > 0 from impact.settlement where locking_date > as_of")[0][0]
        with one.changing() as connection:
            connection.execute("update sync_runs set until = started")


def forget_beginnings() -> None:
    """Leave the state like a release that kept only cursors."""

    @dlt.source(name="impact", section="impact")
    def older() -> DltResource:
        @dlt.resource(name="older")
        def rows() -> Iterator[dict[str, int]]:
            for marks in dlt.current.source_state()["campaigns"].values():
                marks.pop("begun")
                marks.pop("followed")
            yield {"a": 1}

        return rows

    with open_pipeline() as pipeline:
        pipeline.run(older())


@pytest.mark.parametrize("old", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_start_date_that_is_moved_earlier_takes_effect(account: Make, *, old: bool) -> None:
    """The earlier range is read and reported, also for an older release; after that nothing is read twice."""
    one = account(days=120, per_day=2)
    begun = one.world.now - timedelta(days=20)
    one.first_sync(start_date=begun)
    assert len(one.held()) < len(one.truth())
    if old:
        forget_beginnings()
    one.world.advance(days=1)
    earlier = begun - timedelta(days=60)
    summary = one.sync(start_date=earlier)
    assert summary.notes[: len(CAMPAIGNS)] == tuple(
        f"campaign {campaign.id}: start_date is now earlier; read from {earlier.date()} on as well"
        for campaign in CAMPAIGNS
    )
    read = len(one.held())
    assert read < len(one.truth())
    summary = one.sync()
    one.assert_true()
    summary = one.sync()
    assert not any("start_date" in note for note in summary.notes)
    mine = f"run_id = '{summary.run.run_id}' and pass = 'updated'"
    assert one.query(f"select count(*) from impact.sync_windows where {mine}") == [(2,)]


def test_the_default_file_answers_queries_by_the_names_of_the_readme(
    account: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a setting the warehouse is a file in which `impact.actions` is not ambiguous."""
    monkeypatch.delenv("DESTINATION__DUCKDB__CREDENTIALS")
    world = account(days=2, per_day=2)
    world.first_sync()
    with duckdb.connect("impact_warehouse.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*) from impact.actions").fetchone() == (len(world.truth()),)
    Path("impact_warehouse.duckdb").rename("impact.duckdb")
    world.world.advance(days=1)
    world.sync()
    assert not Path("impact_warehouse.duckdb").exists()


def test_a_warehouse_that_is_replaced_amid_a_run_is_no_success(account: Make) -> None:
    """If somebody moves the file away while a run is active, the run fails and says so."""
    world = account(days=2, per_day=2)
    world.first_sync()
    moved = world.path.with_name("moved.duckdb")

    def move(_: Request) -> Reply | None:
        if not moved.exists():
            world.path.rename(moved)
        return None

    world.sandbox.on_request = move
    with pytest.raises(WarehouseLost):
        world.sync()

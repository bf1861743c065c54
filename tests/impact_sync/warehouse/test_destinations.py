"""What holds for DuckDB holds for every warehouse: one set of tests, run on each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from click.testing import CliRunner
from impact_sandbox import Reply, Request, Rules
from impact_source.errors import ConfigurationError
from impact_source.settings import REFERENCE
from impact_sync.cli import main
from impact_sync.close.run import close
from impact_sync.console.exits import Exit, exit_code
from impact_sync.report.gather import read as read_figures
from impact_sync.report.scope import Books, Scope
from impact_sync.sync.run import sync
from impact_sync.verify.run import verify
from impact_sync.views import texts
from impact_sync.warehouse.history_check import Wrong
from impact_sync.warehouse.open import open_pipeline
from impact_sync.warehouse.postgres.lock import LockLost
from impact_sync.warehouse.user_query import run_query

from tests.support import postgres
from tests.support.account import Account, on_duckdb_first, on_postgres_first
from tests.support.desk import Desk
from tests.support.warehouses import assert_true, query, reading

Make = Callable[..., Account]


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_a_changing_account_is_true_after_each_sync(account: Make) -> None:
    """Over two simulated months, with items, each sync leaves every column of every row as the API has it."""
    world = account(days=40, per_day=6, seed=5)
    for days in (0, 4, 9, 30):
        world.world.advance(days=days)
        summary = world.sync(items_max_requests=60)
        assert summary.exit == 0
        assert_true(world)
    assert query("select count(*) from {action_history} where valid_to is not null")[0][0] > 10
    assert verify(world.settings()).drift == ()


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_what_somebody_spoiled_is_found_and_repaired(account: Make) -> None:
    """Verify names a missing and a stale action, repairs both, and the history has the repaired version."""
    world = account(days=30, per_day=5)
    world.world.advance(days=2)
    world.first_sync()
    ids = [row[0] for row in query("select id from {actions} order by id limit 2")]
    with open_pipeline() as pipeline, pipeline.sql_client() as client:
        actions = client.make_qualified_table_name("actions")
        client.execute_sql(f"delete from {actions} where id = %s", ids[0])
        client.execute_sql(f"update {actions} set payout = 99 where id = %s", ids[1])
    report = verify(world.settings(), repair=True)
    assert {one.action_id for one in report.drift} == set(ids)
    assert report.repaired
    assert_true(world)


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_every_view_answers(account: Make) -> None:
    """Each view can be queried, and money adds up to what the actions say."""
    world = account(days=120, per_day=2)
    world.first_sync(items_max_requests=5, reference=REFERENCE)
    close(date(2025, 12, 1), force=True)
    with reading() as reader:
        rows = {name: reader.query(f"select count(*) from {{{name}}}")[0][0] for name in texts()}
        total = reader.query("select sum(payout) from {actions} where state <> 'REVERSED'")
        assert reader.query("select sum(accrued) from {commission_by_month} where basis = 'event'") == total
        assert reader.query("select sum(payout) from {partner_performance}") == total
    assert {name for name, number in rows.items() if not number} == {"close_changes", "item_reconciliation"}
    assert rows["settlement"] == rows["item_state"] == len(world.truth())
    assert rows["freshness"] == rows["synced_until"] == len(world.world.campaigns)


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_a_field_that_the_api_adds_becomes_a_column(account: Make) -> None:
    """An undocumented field is kept, and its changes are versions."""
    world = account(days=3, per_day=2)
    action_id = world.world.create(Note="plain")
    world.first_sync()
    for tier in ("gold", "silver"):
        world.world.advance(days=1)
        world.world.modify(action_id, Tier=tier)
        world.sync()
    assert_true(world)
    rows = query(f"select tier from {{action_history}} where id = '{action_id}' order by valid_from")
    assert rows == [(None,), ("gold",), ("silver",)]


def test_columns_are_described_in_the_database(account: Make, warehouse: str) -> None:
    """The meaning of a column can be read in the table itself, and in the view of its versions."""
    account(days=1, per_day=1).sync()
    told = {
        "duckdb": "select comment from duckdb_columns() where table_name = '{}' and column_name = '{}'",
        "postgres": "select col_description('impact.{0}'::regclass, ordinal_position) from "
        "information_schema.columns where table_schema = 'impact' and table_name = '{0}' and column_name = '{1}'",
    }
    with open_pipeline(read_only=True) as pipeline, pipeline.sql_client() as client:

        def comment(*names: str) -> str:
            ((text,),) = client.execute_sql(told[warehouse].format(*names)) or []
            return str(text)

        assert comment("actions", "payout") == comment("action_history", "payout")
        assert comment("actions", "payout") == "Commission to the partner, as it stands"
        assert comment("action_item_history", "valid_to").startswith("When an answer showed the next version")


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_commands_read_the_warehouse_that_is_configured(account: Make) -> None:
    """`impact status` reports what a sync has loaded."""
    world = account(days=10, per_day=3)
    world.first_sync()
    runner = CliRunner()
    status = json.loads(runner.invoke(main, ["status", "--json"]).output)
    assert sum(one["actions"] for one in status["campaigns"]) == len(world.truth())
    assert [run["outcome"] for run in status["runs"]] == ["done"]


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_corrections_are_planned_sent_once_and_confirmed(account: Make) -> None:
    """A plan of a reversal and a new amount is sent, each call once, and the warehouse has the result."""
    desk = Desk(account(days=3, per_day=0, rules=Rules()))
    returned, cheaper = desk.create(), desk.create()
    desk.account.sync()
    plan_id = desk.planned(f"{returned},reverse,ITEM_RETURNED,,,,,,,,", f"{cheaper},update,ORDER_UPDATE,,15.00,,,,,,")
    assert desk.apply(plan_id).exit == 0
    assert query("select status, actor from {corrections} order by line") == [("confirmed", "Finance")] * 2
    assert desk.apply(plan_id).exit == 0
    assert len(desk.writes) == 2
    with open_pipeline() as pipeline, pipeline.sql_client() as client:
        journal = client.make_qualified_table_name("corrections")
        client.execute_sql(f"update {journal} set status = 'diverged' where line = 3")
    desk.account.sync()
    assert query("select status from {corrections} order by line") == [("confirmed",)] * 2, "by what the sync has"
    states = dict(query("select id, state from {actions}"))
    assert states[returned] == "REVERSED"
    assert query(f"select amount from {{actions}} where id = '{cheaper}'") == [(15,)]
    assert query("select count(*) from {action_history} where valid_to is not null") == [(2,)]


WICKED = (
    "delete from actions",
    "commit; delete from actions; select 1 as x",
    "select 1 as x; commit; delete from actions",
    "select 'a\\'; commit; delete from actions; --' as x",
    "select 1 as x /* /* */ */; delete from actions",
    "with gone as (delete from actions returning id) select * from gone",
    "select * into taken from actions",
    "create table taken as select * from actions",
    "copy actions to 'taken.csv'",
    "copy (select * from actions) to 'taken.csv'",
    "attach 'taken.duckdb' as taken",
    "install httpfs",
    "export database 'taken'",
    "set search_path = public",
    "begin read write",
    "vacuum",
    "",
    ";",
)


def test_a_users_query_reads_and_does_nothing_else(warehouse: str, account: Make, tmp_path: Path) -> None:
    """A query is one select that cannot write, whatever stands around it or within it, on every warehouse."""
    world = account(days=3, per_day=3)
    world.first_sync()
    before, files = query("select count(*), sum(payout) from {actions}"), sorted(tmp_path.iterdir())
    asked = "select id, amount - 10.125 as amount, '%s; --' as text from {} order by id; -- that is all"
    with open_pipeline() as pipeline:
        for wicked in WICKED:
            with pytest.raises(ConfigurationError, match="the query cannot be used: "):
                run_query(pipeline, wicked)
        found = run_query(pipeline, asked.format("actions"))
        if warehouse == "postgres":
            with pytest.raises(ConfigurationError, match="read-only transaction"):
                run_query(pipeline, "select lo_create(0)")
    assert {type(value) for value in found["amount"].to_pylist()} == {Decimal}
    assert set(found["text"].to_pylist()) == {"%s; --"}
    assert found["id"].to_pylist() == [row[0] for row in query("select id from {actions} order by id")]
    assert query("select count(*), sum(payout) from {actions}") == before
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_a_report_has_the_figures_of_the_views(account: Make) -> None:
    """The report is written from any warehouse, and its accrued commission is that of the view."""
    world = account(days=40, per_day=5)
    world.first_sync()
    world.world.advance(days=20)
    world.sync()
    with open_pipeline(read_only=True) as pipeline:
        figures = read_figures(Books(pipeline, Scope()))
    ((accrued,),) = query("select sum(accrued) from {commission_by_month} where basis = 'event'")
    (balance,) = figures.balances.values()
    assert balance.accrued == accrued
    ended = CliRunner().invoke(main, ["report", "-o", "report.html"])
    assert ended.exit_code == 0
    assert "</html>" in Path("report.html").read_text()


def test_an_empty_warehouse_says_what_to_do_first(warehouse: str) -> None:
    """Status of a warehouse without a sync ends with 2 and names the command to run."""
    ended = CliRunner().invoke(main, ["status"])
    assert ended.exit_code == 2, warehouse


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_text_with_a_nul_is_kept_as_far_as_the_warehouse_can(account: Make) -> None:
    """Postgres knows no NUL in a text: there it is shown as its symbol, and the row is not written again for it."""
    world = account(days=1, per_day=0)
    world.world.create(Note="a\x00b")
    world.first_sync()
    ((note,),) = query("select note from {actions}")
    assert note.replace("\x00", "\u2400") == "a\u2400b"
    world.world.advance(hours=1)
    assert sum(tally.changed for tally in world.sync().tallies.values()) == 0


@pytest.mark.usefixtures("warehouse")
@on_postgres_first
def test_one_run_at_a_time(account: Make) -> None:
    """While a run holds the warehouse, another one ends with 5."""
    world = account(days=2, per_day=1)
    codes: list[int] = []

    def hook(_: Request) -> Reply | None:
        if not codes:
            codes.append(-1)
            command = [str(Path(sys.executable).with_name("impact")), "items"]
            codes.append(subprocess.run(command, env=os.environ | _elsewhere(world), check=False).returncode)
        return None

    world.sandbox.on_request = hook
    world.first_sync()
    assert codes == [-1, 5]


_DAMAGE = {
    "a version twice": "insert into {v} select * from {v} where id = '{id}'",
    "never ended": "update {v} set valid_to = null where id = '{id}'",
    "ended too early": "update {v} set valid_to = valid_to - interval '1 hour' where id = '{id}'",
    "ended too late": "update {v} set valid_to = valid_to + interval '1 hour' where id = '{id}'",
    "ended before it began": "update {v} set valid_to = valid_from - interval '1 hour' where id = '{id}'",
    "began after the row": "update {v} set valid_from = valid_to + interval '1 hour' where id = '{id}'",
}


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_verify_finds_and_repairs_a_damaged_history(account: Make) -> None:
    """Versions that do not fit together are drift until --repair fixes them."""
    world = account(days=2, per_day=1)
    ids = {damage: world.world.create(Payout="10.00") for damage in _DAMAGE}
    world.first_sync()
    world.world.advance(days=1)
    for id_ in ids.values():
        world.world.modify(id_, Payout="5.00")
    world.sync()
    assert verify(world.settings()).exit == 0
    with open_pipeline() as pipeline, pipeline.sql_client() as client:
        for damage, id_ in ids.items():
            client.execute_sql(_DAMAGE[damage].format(v=client.make_qualified_table_name("action_versions"), id=id_))
    found = verify(world.settings())
    assert (found.exit, found.drift) == (1, ())
    assert {fault.wrong: fault.count for fault in found.history} == {Wrong.REPEATED: 1, Wrong.APART: 7}
    assert verify(world.settings(), repair=True).exit == 0
    held = query("select id, payout from {action_history} where valid_to is null")
    assert [payout for id_, payout in held if id_ in ids.values()] == [5] * len(ids)
    assert verify(world.settings()).exit == 0
    assert_true(world)


def test_a_run_whose_lock_is_lost_commits_nothing_more(
    account: Make, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the session that holds the lock dies, a second run gets in, the first ends with 4, and all is true."""
    address = postgres.new_database(server)
    monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    world = account(days=60, per_day=3)
    changing = world.world.create(Payout="10.00")
    world.first_sync()
    world.world.advance(days=2)
    world.world.modify(changing, Payout="5.00")
    ended: list[Any] = []
    codes: list[int] = []

    def end_the_session(request: Request) -> Reply | None:
        if request.path.endswith("/Actions") and not ended:
            with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
                cursor.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
                ended.extend(cursor.fetchall())
        return None

    def let_a_second_in(_: object) -> None:
        if ended and not codes:
            command = [str(Path(sys.executable).with_name("impact")), "sync", "--no-items"]
            codes.append(subprocess.run(command, env=os.environ | _elsewhere(world), check=False).returncode)

    world.sandbox.on_request = end_the_session
    with pytest.raises(LockLost) as lost:
        sync(world.settings(), on_progress=let_a_second_in)
    assert exit_code(lost.value) == 4
    assert (ended, codes) == ([(True,)], [0])
    assert_true(world)
    assert verify(world.settings()).exit == 0
    assert world.sync().exit == 0
    assert_true(world)


@pytest.mark.long
@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_what_was_dropped_by_hand_is_created_and_read_again(account: Make) -> None:
    """Read-only commands report a table or a column that is gone; the next sync restores all of it."""
    world = account(days=3, per_day=2)
    world.first_sync(items_max_requests=100)
    for dropped in (
        ("actions", "action_items quantity"),
        ("action_items", "actions payout"),
        ("action_versions", "sync_windows"),
    ):
        with open_pipeline() as pipeline, pipeline.sql_client() as client:
            for name, *column in map(str.split, dropped):
                table = client.make_qualified_table_name(name)
                drop = f"alter table {table} drop column {column[0]}" if column else f"drop table {table}"
                client.execute_sql(f"{drop} cascade")
        read = CliRunner().invoke(main, ["status"])
        assert (read.exit_code, "run `impact sync`" in read.output) == (2, True), read.output
        assert world.sync(items_max_requests=100).exit == 0
        assert_true(world)
    assert query("select count(*) from {action_items}") == [(len(world.item_truth()),)]
    assert verify(world.settings()).exit == 0


def test_views_that_change_keep_grants_and_what_is_built_on_them(
    account: Make, server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A view is replaced in place, or created again with its grants; somebody else's view on it is named, not fatal."""
    address = postgres.new_database(server)
    monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    world = account(days=2, per_day=2)
    world.first_sync()

    execute = partial(postgres.execute, address)
    execute("create role bi; grant usage on schema impact to bi; grant select on all tables in schema impact to bi")
    execute("create schema bi; create view bi.ours as select * from impact.settlement")
    execute("create view bi.freshness as select * from impact.freshness")
    # Earlier versions: one with the same columns, one with others, and one with others that somebody else's view reads.
    execute("comment on view impact.settlement is 'earlier'")
    execute("drop view impact.lock_calendar; create view impact.lock_calendar as select 1 as other")
    execute("grant select on impact.lock_calendar to bi")
    execute("create view bi.calendar as select 1")
    execute("drop view impact.reversal_rates; create view impact.reversal_rates as select 1 as other")
    execute("create view bi.rates as select * from impact.reversal_rates")
    assert world.sync().exit == 0
    granted = "select has_table_privilege('bi', 'impact.{}', 'select')"
    for name in ("settlement", "lock_calendar", "commission_by_month"):
        assert execute(granted.format(name)) == [(True,)], name
    assert execute("select count(*) from bi.ours") == execute("select count(*) from impact.actions")
    assert query("select count(*) from {lock_calendar} where locking_week is not null")[0][0] > 0
    assert "bi.rates depends on it" in caplog.text
    execute("drop view bi.rates")
    world.sync()
    assert query("select count(*) > 0, count(media_partner_id) = count(*) from {reversal_rates}") == [(True, True)]


def test_text_is_utf_8_whatever_the_environment_says(
    account: Make, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PGCLIENTENCODING set to another encoding names land as they are, and the next sync changes nothing."""
    monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres.new_database(server))
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    world = account(days=1, per_day=0)
    world.world.create(Note="Zoë, 日本")
    world.first_sync()
    assert query("select note from {actions}") == [("Zoë, 日本",)]
    world.world.advance(hours=1)
    assert sum(tally.changed for tally in world.sync().tallies.values()) == 0


@pytest.mark.long
@pytest.mark.parametrize("where", ["PGTZ", pytest.param("role", marks=pytest.mark.long)])
def test_times_are_utc_whatever_the_environment_says(
    account: Make, server: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """With a time zone set for the session, or for the role, the year 9999 survives a sync and a verify."""
    monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
    address = postgres.new_database(server)
    if where == "PGTZ":
        monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    else:
        with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("create role traveller superuser login")
            cursor.execute("alter role traveller set timezone = 'Asia/Tokyo'")
        address = address.replace("postgres:none@", "traveller:none@")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    world = account(days=1, per_day=1)
    action = world.world.create(LockingDate="9999-12-31T23:59:59Z")
    for _ in range(2):
        assert world.sync(items_max_requests=5).exit is Exit.DONE
        world.world.advance(hours=1)
    assert verify(world.settings()).exit is Exit.DONE
    moment = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert query(f"select locking_date from {{actions}} where id = '{action}'") == [(moment,)]
    assert query("select current_setting('timezone')") == [("UTC",)]


def test_a_database_that_cannot_hold_every_name_is_refused(
    account: Make, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database in LATIN1 ends every command with 2, before anything is written there, and says what to create."""
    monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
    address = postgres.new_database(server, "encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    for name, value in _elsewhere(account(days=1, per_day=1)).items():
        monkeypatch.setenv(name, value)
    ended = CliRunner().invoke(main, ["sync"])
    assert (ended.exit_code, "LATIN1" in ended.output) == (2, True), ended.output
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from information_schema.schemata where schema_name = 'impact'")
        assert cursor.fetchone() == (0,)


def _elsewhere(world: Account) -> dict[str, str]:
    return {
        "SOURCES__IMPACT__ACCOUNT_SID": world.sandbox.account_sid,
        "SOURCES__IMPACT__AUTH_TOKEN": world.sandbox.auth_token,
        "SOURCES__IMPACT__BASE_URL": world.sandbox.url,
        "DLT_DATA_DIR": str(Path.cwd() / "elsewhere"),  # another machine
    }

"""A DuckDB warehouse moves to Postgres with all that the API no longer has, and goes on there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from impact_sync.corrections.journal.file import Disagreement
from impact_sync.verify.run import verify

from tests.support import postgres
from tests.support.account import Account
from tests.support.commands import clean
from tests.support.desk import Desk
from tests.support.warehouses import assert_true, query

Make = Callable[..., Account]
Rows = dict[str, list[str]]
SCHEMAS = "_dlt_version"
"""dlt's own table, whose latest row says when it was written."""


@pytest.fixture
def database(server: str) -> str:
    """The address of an empty Postgres database."""
    return postgres.new_database(server)


def use(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    """Configure a Postgres database as the warehouse."""
    monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", database)


def move(one: Account, code: int) -> str:
    """What the command says that moves an account's warehouse, and must end with this exit code."""
    command = [sys.executable, "-m", "impact_sync.warehouse.to_postgres", str(one.path)]
    return clean(subprocess.run(command, capture_output=True, text=True, check=False), code)


def plain(row: tuple[Any, ...]) -> str:
    """A row as text, instants in UTC."""
    return repr([one.astimezone(UTC).isoformat() if isinstance(one, datetime) else one for one in row])


def in_duckdb(one: Account) -> Rows:
    """Every row of every table of the file, NUL characters as Postgres can hold them."""
    with one.opened() as connection:
        tables = connection.execute("select table_name from duckdb_tables() where schema_name = 'impact'").fetchall()
        found = {name: connection.execute(f"from impact.{name}").fetchall() for (name,) in tables}
    return {name: sorted(plain(row).replace("\\x00", "␀") for row in rows) for name, rows in found.items()}


def in_postgres(database: str) -> Rows:
    """Every row of every table of the database."""
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'impact'")
        found = {}
        for (name,) in cursor.fetchall():
            cursor.execute(f"select * from impact.{name}")
            found[name] = sorted(map(plain, cursor.fetchall()))
    connection.close()
    return found


def test_everything_moves_and_goes_on_in_postgres(
    account: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row of each table is the same; syncs, verification and corrections continue, and nothing is sent twice."""
    one = account(days=6, per_day=2)
    desk = Desk(one)
    everything: dict[str, Any] = {"items_max_requests": None, "reference": ("company",)}
    one.sync(**everything)
    desk.world.advance(days=9)
    ids = [desk.create(), desk.create()]
    one.sync(**everything)
    sent, waiting = (
        desk.planned(f"{id_},update,OTHER,,{amount},,,,,,") for id_, amount in zip(ids, (24, 21), strict=False)
    )
    assert desk.apply(sent).exit == 0
    with one.changing() as connection:
        connection.execute("update sync_runs set outcome = 'done' || chr(0)")  # which Postgres cannot store
    before = in_duckdb(one)

    use(monkeypatch, database)
    said = move(one, 0)
    after = in_postgres(database)
    assert {name: len(found) for name, found in before.items()} == {name: len(found) for name, found in after.items()}
    assert f"rows of {len(before)} tables were copied" in said
    assert {name: found for name, found in before.items() if name != SCHEMAS} == {
        name: found for name, found in after.items() if name != SCHEMAS
    }
    assert "␀" in "".join(after["sync_runs"])

    desk.sandbox.requests.clear()
    assert one.sync(**everything).exit == 0
    starts = [request.query["StartDate"] for request in desk.sandbox.requests if "StartDate" in request.query]
    assert starts
    assert min(starts) > (desk.world.now - timedelta(days=2)).isoformat()
    assert query("select count(*) from {action_history}") == [
        (len(before["actions"]) + len(before["action_versions"]),)
    ]
    desk.world.advance(days=20)
    one.sync(**everything)
    assert_true(one)
    assert verify(one.settings()).drift == ()
    assert query("select count(*) from {action_history}")[0][0] > len(before["actions"]) + len(
        before["action_versions"]
    )

    writes = len(desk.writes)
    assert desk.apply(waiting).exit == 0
    assert len(desk.writes) == writes + 1
    monkeypatch.setenv("IMPACT__DESTINATION", "duckdb")
    with pytest.raises(Disagreement, match="was copied or moved without the file"):
        desk.apply(waiting)
    assert len(desk.writes) == writes + 1


def test_a_move_that_fails_leaves_nothing_and_can_be_repeated(
    account: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Postgres cannot take ends the move without a row; without it the move succeeds, a second one is refused."""
    one = account(days=3, per_day=2)
    one.first_sync()
    assert "no Postgres database is configured" in move(one, 2)
    with one.changing() as connection:
        connection.execute("alter table sync_runs add column mine text")
    use(monkeypatch, database)
    assert "mine" in move(one, 4)
    assert not any(rows for name, rows in in_postgres(database).items() if name != SCHEMAS)
    with one.changing() as connection:
        connection.execute("alter table sync_runs drop column mine")
    before = in_duckdb(one)
    move(one, 0)
    assert in_postgres(database)["actions"] == before["actions"]
    assert "the database already holds a warehouse" in move(one, 2)


def test_a_move_that_fails_at_its_end_says_where_the_journal_is(
    account: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the commit fails, DuckDB sends nothing without the file that moved, and the next move completes."""
    desk = Desk(account(days=1, per_day=0))
    one, action = desk.account, desk.create()
    one.first_sync(items_max_requests=None)
    line = f"{action},update,OTHER,TEE,,-1,,,,,"
    sent = desk.planned(line)
    assert desk.apply(sent).exit == 0
    with one.changing() as connection:
        connection.execute("alter table sync_runs add column mine text")
    use(monkeypatch, database)
    move(one, 4)  # leaves empty tables
    with one.changing() as connection:
        connection.execute("alter table sync_runs drop column mine")
    with psycopg2.connect(database) as server, server.cursor() as cursor:
        cursor.execute(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'disk full'; end $$;"
            "create constraint trigger late after insert on impact.actions deferrable initially deferred "
            "for each row execute function refuse()"
        )
    said = move(one, 4)
    assert "disk full" in said
    assert f"nothing is sent from {one.path} without it. Run the move again" in said
    monkeypatch.setenv("IMPACT__DESTINATION", "duckdb")
    with pytest.raises(Disagreement, match="is not there"):
        desk.planned(line)
    use(monkeypatch, database)
    with psycopg2.connect(database) as server, server.cursor() as cursor:
        cursor.execute("drop trigger late on impact.actions")
    move(one, 0)
    assert desk.apply(sent).exit == 0
    assert len(desk.writes) == 1

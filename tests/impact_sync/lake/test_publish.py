"""The lake holds what the warehouses hold, whatever happened on the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from impact_source.errors import ConfigurationError
from impact_sync.cli import main
from impact_sync.lake import delta
from impact_sync.lake import rows as lake_rows
from impact_sync.lake.ledger import read
from impact_sync.lake.place import Lake
from impact_sync.lake.publish import Written, publish

from tests.support import postgres
from tests.support.account import Account
from tests.support.lake import assert_published

Make = Callable[..., Account]
IMPACT = str(Path(sys.executable).with_name("impact"))


def environment(world: Account, lake: Lake) -> dict[str, str]:
    """The environment for a command that syncs an account and publishes it."""
    return os.environ | {
        "SOURCES__IMPACT__ACCOUNT_SID": world.sandbox.account_sid,
        "SOURCES__IMPACT__AUTH_TOKEN": world.sandbox.auth_token,
        "SOURCES__IMPACT__BASE_URL": world.sandbox.url,
        "SOURCES__IMPACT__ITEMS_MAX_REQUESTS": "40",
        "DESTINATION__DUCKDB__CREDENTIALS": str(world.path),
        "DLT_DATA_DIR": str(world.path.with_suffix(".dlt")),
        "IMPACT__LAKE_URL": lake.url,
        "IMPACT__LAKE_ACCOUNT": lake.account,
    }


def count(written: list[Written], what: str, *tables: str) -> int:
    """How much was written or removed, in these tables or in all."""
    return sum(getattr(one, what) for one in written if not tables or one.table in tables)


@pytest.mark.long
def test_the_lake_is_the_warehouse_after_each_sync(account: Make, url: str) -> None:
    """Over two simulated months changed rows, vanished items and closed versions arrive; the rest stays unchanged."""
    world, lake = account(days=30, per_day=3, seed=5), Lake(url, "acme")
    gone = world.world.create(items=[{"Sku": "A", "SaleAmount": "5.00"}, {"Sku": "B", "SaleAmount": "7.00"}])
    removed = 0
    for days in (0, 4, 20):
        world.world.advance(days=days)
        world.sync(items_max_requests=60)
        removed += count(publish(lake), "removed", "action_items")
        assert_published(world.path, lake)
        if days == 4:
            world.world.remove_item(gone, "B")
    assert world.query("select count(*) from impact.action_history where valid_to is not null")[0][0]
    assert removed
    before = DeltaTable(lake.table("actions")).version()
    assert count(publish(lake), "written") == count(publish(lake), "removed") == 0
    assert DeltaTable(lake.table("actions")).version() == before


@pytest.mark.long
def test_accounts_that_run_at_once_are_all_there(
    account: Make, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four machines sync four accounts into one lake at the same time, each with its own new field."""
    monkeypatch.setenv("IMPACT__WAREHOUSE_WAIT", "30 seconds")
    worlds = {}
    for seed, name in enumerate(("acme", "birch", "cedar", "dune"), 1):
        worlds[name] = account(days=12, per_day=5, seed=seed, account_sid=f"IR{name}")
        worlds[name].path = tmp_path / f"{name}.duckdb"
    for turn in range(3):
        runs = []
        for name, world in worlds.items():
            world.world.advance(days=turn * 5)
            if turn:
                own: Any = {f"Own{turn}{name.title()}": "x"}
                world.world.modify(world.world.create(), **own)
            command = [IMPACT, "sync"]
            runs.append(subprocess.Popen(command, env=environment(world, Lake(url, name)), stderr=subprocess.PIPE))
        ended = [(run.communicate()[1].decode(), run.returncode) for run in runs]
        assert [code for _, code in ended] == [0, 0, 0, 0], ended
        for name, world in worlds.items():
            assert_published(world.path, Lake(url, name))
    assert {row["account"] for row in DeltaTable(f"{url}/publications").to_pyarrow_table().to_pylist()} == set(worlds)


@pytest.mark.long
def test_a_killed_publish_is_made_whole_by_the_next(account: Make, url: str) -> None:
    """Killed after any of its tables, it leaves each table as before or as after, and the next run does the rest."""
    world, lake = account(days=20, per_day=6), Lake(url, "acme")
    for kept in (1, 3, 5, 8):
        world.world.advance(days=3)
        world.sync(items_max_requests=20)
        command = [IMPACT, "-v", "publish"]
        with subprocess.Popen(command, env=environment(world, lake), stderr=subprocess.PIPE, text=True) as run:
            told = 0
            for line in run.stderr or ():
                told += "published " in line
                if told == kept:
                    run.send_signal(signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL
        with pytest.raises((AssertionError, TableNotFoundError)):
            assert_published(world.path, lake)
        publish(lake)
        assert_published(world.path, lake)


def test_what_somebody_did_to_the_lake_is_repaired(account: Make, url: str) -> None:
    """Deleted rows come back, a changed one with --whole, and a deleted lake is created again."""
    world, lake = account(days=10, per_day=5), Lake(url, "acme")
    world.sync()
    publish(lake)
    table = DeltaTable(lake.table("actions"))
    table.delete("state = 'PENDING'")
    assert count(publish(lake), "written", "actions")
    assert_published(world.path, lake)
    table.update_incremental()
    table.update({"payout": "cast(99 as decimal(20, 8))"}, predicate="state = 'PENDING'")
    assert count(publish(lake), "written", "actions") == 0
    publish(lake, whole=True)
    assert_published(world.path, lake)


def test_what_a_warehouse_has_no_more_leaves_the_lake(account: Make, url: str) -> None:
    """The lake takes over an older warehouse, recreated without a history; other accounts stay."""
    world, lake, other = account(days=10, per_day=5), Lake(url, "acme"), Lake(url, "other")
    world.sync()
    publish(other)
    publish(lake)
    world.path.rename(world.path.with_name("old.duckdb"))
    world.sync(history=False)
    assert count(publish(lake), "removed", "action_history") > 10
    assert_published(world.path, lake)
    assert_published(world.path.with_name("old.duckdb"), other)


def test_a_large_difference_is_one_commit_that_touches_no_other_account(
    account: Make, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where too many rows differ for a merge, the account's rows are written again: changed, new and vanished ones."""
    monkeypatch.setattr(lake_rows, "_MERGED_AT_MOST", 0)
    world, lake, other = account(days=10, per_day=5), Lake(url, "acme"), Lake(url, "other")
    world.sync(history=False)
    publish(other)
    publish(lake)
    before = DeltaTable(lake.table("actions")).version()
    world.path.rename(world.path.with_name("old.duckdb"))
    world.world.advance(days=20)
    world.world.modify(world.world.create(), Own="x")  # a column that the lake lacks
    world.sync(history=False)
    with world.changing() as warehouse:
        warehouse.execute("delete from actions where id in (select id from actions order by id limit 3)")
        warehouse.execute("delete from item_fetches")
    written = publish(lake)
    assert count(written, "written", "actions") > 0
    assert count(written, "removed", "actions") == 3
    assert DeltaTable(lake.table("actions")).version() == before + 1
    assert_published(world.path, lake)
    assert_published(world.path.with_name("old.duckdb"), other)
    assert count(publish(lake), "written") == count(publish(lake), "removed") == 0


def test_a_name_in_the_lake_is_one_account_s(account: Make, url: str, tmp_path: Path) -> None:
    """Another account under a name that is taken is refused before anything of it is written."""
    first, second, lake = (
        account(days=3, per_day=3),
        account(days=3, per_day=3, account_sid="IRother"),
        Lake(url, "acme"),
    )
    first.sync()
    publish(lake)
    first.path.rename(tmp_path / "first.duckdb")
    second.sync()
    with pytest.raises(ConfigurationError, match="is another account"):
        publish(lake)
    assert_published(tmp_path / "first.duckdb", lake)


@pytest.mark.long
def test_many_publications_leave_few_files(account: Make, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files of an account are compacted above some number, and nothing is lost."""
    monkeypatch.setattr(delta, "_SMALL_FILES", 3)
    world, lake = account(days=2, per_day=2), Lake(url, "acme")
    for _ in range(5):
        world.world.advance(hours=6)
        world.world.create()
        world.sync()
        publish(lake)
        assert len(DeltaTable(lake.table("actions")).file_uris()) < 3
    assert_published(world.path, lake)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Postgres database as the warehouse."""
    with postgres.serving() as address:
        monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres.new_database(address))
        yield


@pytest.mark.long
@pytest.mark.usefixtures("database")
def test_a_warehouse_in_postgres_is_published_just_so(account: Make, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same account published from Postgres and from DuckDB is the same to the last bit, hashes included."""
    world = account(days=10, per_day=5)
    for days in (2, 9):
        world.world.advance(days=days)
        world.sync(items_max_requests=60)
        publish(Lake(url, "postgres"))
    assert count(publish(Lake(url, "postgres")), "written") == 0
    assert_actions_are_true(world, Lake(url, "postgres"))
    monkeypatch.setenv("IMPACT__DESTINATION", "duckdb")
    world.sync(items_max_requests=60)
    publish(Lake(url, "duckdb"))
    assert_published(world.path, Lake(url, "duckdb"))
    assert_actions_are_true(world, Lake(url, "duckdb"))
    assert rows(Lake(url, "postgres"), "campaigns", "row_hash", "synced_at") == rows(
        Lake(url, "duckdb"), "campaigns", "row_hash", "synced_at"
    )


def rows(lake: Lake, table: str, *less: str) -> list[dict[str, Any]]:
    """An account's rows of a table, without some columns."""
    found = DeltaTable(lake.table(table)).to_pyarrow_table().to_pylist()
    own = [row for row in found if row["account"] == lake.account]
    return sorted(({k: v for k, v in r.items() if k not in ("account", *less)} for r in own), key=repr)


def assert_actions_are_true(world: Account, lake: Lake) -> None:
    """Every column of every action in the lake is what the API says."""
    there = {row["id"]: row for row in rows(lake, "actions")}
    truth = world.truth()
    assert there.keys() == truth.keys()
    assert not [id_ for id_, row in truth.items() if any(there[id_].get(name) != v for name, v in row.items())]


def test_sync_items_and_verify_publish_where_a_lake_is_configured(
    account: Make, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the commands that write to the warehouse leaves the lake as the warehouse is."""
    world, lake = account(days=10, per_day=3), Lake(url, "acme")
    for name, value in environment(world, lake).items():
        monkeypatch.setenv(name, value)
    for command in (["sync", "--no-items"], ["items"], ["verify"]):
        ended = CliRunner().invoke(main, command)
        assert ended.exit_code == 0, ended.output
        assert f"Published to {url} as acme" in ended.output
        assert_published(world.path, lake)
    row = read(lake)
    assert row
    assert row["published_at"]


def test_the_command_shows_what_it_wrote(account: Make, url: str) -> None:
    """A table with the size of every table, what was written and what was removed; no credentials."""
    world = account(days=4, per_day=3)
    world.first_sync()
    ended = CliRunner().invoke(main, ["publish", url, "--account", "acme"])
    assert ended.exit_code == 0, ended.output
    actions = str(len(world.truth()))
    assert ["actions", actions, actions, "0"] in [re.findall(r"\w+", line) for line in ended.output.splitlines()]
    again = CliRunner().invoke(main, ["publish", url, "--account", "acme", "--whole"])
    assert again.exit_code == 0, again.output
    assert_published(world.path, Lake(url, "acme"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publish"], "no lake is configured"),
        (["publish", "lake"], "needs a name for this account"),
        (["publish", "lake", "--account", "a'b"], "may have letters, digits"),
        (["publish", "s3://key:secret@lake", "--account", "a"], "must not contain credentials"),
        (["publish", "lake", "--account", "a"], "run `impact sync` first"),
        (["publish", "lake", "--account", "a", "--views", "spark"], "run `impact publish` first"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], said: str) -> None:
    """Exit code 2 and a line that says what to do."""
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == 2
    assert said in ended.output


def test_a_lake_that_cannot_be_written_ends_with_4(account: Make, tmp_path: Path) -> None:
    """The reason in one line; what was synced stays."""
    account(days=1, per_day=1).sync()
    (tmp_path / "lake").write_text("a file where the folder should be")
    ended = CliRunner().invoke(main, ["publish", str(tmp_path / "lake"), "--account", "acme"])
    assert ended.exit_code == 4, ended.output
    assert "run `impact publish` to continue" in ended.output


def test_files_cannot_be_the_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filesystem destination of dlt is refused, with what to do instead."""
    monkeypatch.setenv("IMPACT__DESTINATION", "filesystem")
    ended = CliRunner().invoke(main, ["status"])
    assert ended.exit_code == 2
    assert "impact.lake_url" in ended.output


def test_the_change_feed_is_published_like_other_tables(account: Make, url: str) -> None:
    """Changes, derived items and what is known of each feed are in the lake; marks of removed rows are not."""
    world, lake = account(days=10, per_day=5), Lake(url, "acme")
    world.sync(items="feed", items_max_requests=60)
    publish(lake)
    assert_published(world.path, lake)
    assert count(publish(lake), "written") == count(publish(lake), "removed") == 0
    for name in ("action_updates", "item_feeds", "action_items"):
        table = DeltaTable(lake.table(name)).to_pyarrow_table()
        ((rows,),) = world.query(f"select count(*) from impact.{name}")
        assert len(table) == rows > 0
    assert "removed" not in DeltaTable(lake.table("action_items")).to_pyarrow_table().column_names
    assert DeltaTable(lake.table("item_feeds")).to_pyarrow_table()["removed"].null_count == 0

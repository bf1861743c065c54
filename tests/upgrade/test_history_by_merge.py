"""The tables of all versions become views: no version is lost, in whatever state, wherever a run is killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from impact_sync.cli import main
from impact_sync.console.exits import Exit
from impact_sync.verify.run import verify
from impact_sync.warehouse.migrations.step import Existing
from impact_sync.warehouse.migrations.steps import STEPS
from impact_sync.warehouse.open import open_pipeline

from tests.upgrade.conftest import Takeover

Rows = list[tuple[Any, ...]]
HOUR = timedelta(hours=1)
_ACTIONS = (
    "select id, valid_from, valid_to, pass, changed, payout, state, note from impact.action_history order by 1, 2"
)
_ITEMS = (
    "select action_id, sku, valid_from, valid_to, changed, quantity, sale_amount, payout "
    "from impact.action_item_history order by 1, 2, 3"
)


class Killed(BaseException):
    """The run ends here."""


def migrate() -> None:
    """Open the warehouse as any command that writes does."""
    with open_pipeline():
        pass


def histories(takeover: Takeover) -> tuple[Rows, Rows]:
    """All versions of actions and of items."""
    return takeover.rows(_ACTIONS), takeover.rows(_ITEMS)


def test_every_version_is_as_it_was(takeover: Takeover) -> None:
    """Each keeps its interval, the pass that saw it and what changed; only what was replaced is still in a table."""
    before = histories(takeover)
    migrate()
    assert histories(takeover) == before
    ended = [end for (end,) in takeover.rows("select valid_to from impact.action_versions")]
    assert ended == [end for end in ended if end]
    assert len(ended) == sum(row[2] is not None for row in before[0]) > 0
    takeover.execute("drop table impact.schema_versions")  # as of a run that was killed before it wrote its version
    assert takeover.account.sync().exit is Exit.DONE
    assert [row for row in before[0] if row[2]] == [row for row in takeover.rows(_ACTIONS) if row[2]]


def test_whoever_only_reads_says_what_to_do(takeover: Takeover) -> None:
    """`impact status` changes nothing: it names the command that migrates."""
    read = CliRunner().invoke(main, ["status"])
    assert (read.exit_code, "run `impact sync` first, which migrates it" in read.output) == (2, True), read.output
    kind = "select table_type from information_schema.tables where table_name = 'action_history'"
    assert takeover.rows(kind) == [("BASE TABLE",)]


def test_a_migration_that_is_killed_is_repeated(takeover: Takeover) -> None:
    """Killed before its statements, or after any of them, it has not begun; the next run does all of it."""
    before = histories(takeover)
    (step,) = STEPS
    statements: list[str] = []

    def broken(existing: Existing) -> Iterator[str]:
        yield from statements
        statements[:] = [*step.sql(existing)][: len(statements) + 5]
        raise Killed

    for _ in range(5):
        with pytest.raises(Killed), open_pipeline(steps=[replace(step, sql=broken)]):
            pytest.fail("the step was not run")
        assert histories(takeover) == before
    assert any(statement.startswith("drop table") for statement in statements)
    migrate()
    assert histories(takeover) == before


def test_what_a_run_left_that_broke_off_becomes_versions(takeover: Takeover) -> None:
    """A row without its version, versions that were not closed, an item that a later list did not name: all stay."""
    several = "select id from impact.action_history group by id having count(*) > 1"
    first = "select id, valid_from, pass, payout from impact.action_history where id not in"
    rows = takeover.rows(f"{first} ({several}) order by id limit 4")
    alone, seen, same, none = rows
    for (id_, *_), more in ((alone, 1), (seen, 1), (same, 0)):
        takeover.execute(_later("impact.actions", f"payout = payout + {more}", f"id = '{id_}'"))
        if id_ != alone[0]:
            takeover.execute(
                f"create temporary table version as select * from impact.action_history where id = '{id_}'",
                _later("version", f"payout = payout + {more}, valid_from = valid_from + interval '1 hour'"),
                "update version set pass = 'locking', changed = null",
                "insert into impact.action_history select * from version",
            )
    takeover.execute(f"delete from impact.action_history where id = '{none[0]}'")
    *item, since = takeover.rows("select action_id, sku, synced_at from impact.action_items order by 1, 2 limit 1")[0]
    takeover.execute(
        "delete from impact.action_items where action_id = '{}' and sku = '{}'".format(*item),
        f"update impact.item_fetches set fetched_at = fetched_at + interval '1 hour' where action_id = '{item[0]}'",
    )
    ((fetched,),) = takeover.rows(f"select fetched_at from impact.item_fetches where action_id = '{item[0]}'")
    migrate()

    def changed(row: tuple[Any, ...], pass_: str | None) -> Rows:
        id_, at, before, payout = row
        return [(id_, at, at + HOUR, before, None, payout), (id_, at + HOUR, None, pass_, "payout", payout + 1)]

    found = {row[0]: [version[:6] for version in takeover.rows(_ACTIONS) if version[0] == row[0]] for row in rows}
    assert found == {
        alone[0]: changed(alone, None),
        seen[0]: changed(seen, "locking"),
        same[0]: [(*same[:2], None, same[2], None, same[3])],
        none[0]: [(*none[:2], None, None, None, none[3])],
    }
    assert [row[2:4] for row in takeover.rows(_ITEMS) if [*row[:2]] == item] == [(since, fetched)]
    assert not verify(takeover.account.settings()).history


def _later(table: str, values: str, where: str = "1 = 1") -> str:
    return f"update {table} set {values}, synced_at = synced_at + interval '1 hour' where {where}"


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_views_that_others_built_on_a_history_keep_working(takeover: Takeover) -> None:
    """They read the new view, and whoever may read them or the history still may."""
    takeover.execute(
        "create role bi; create schema bi",
        "create view bi.ended as select id, valid_to from impact.action_history where valid_to is not null",
        "create view bi.counted as select count(*) as number, (select count(*) from impact.actions) from bi.ended",
        "create materialized view bi.kept as select e.id from bi.ended e join impact.action_history h on h.id = e.id",
        "grant select on bi.counted, impact.action_history to bi",
    )
    ((before,),) = takeover.rows("select number from bi.counted")
    takeover.world.advance(days=1)
    takeover.world.modify(takeover.cast.moved, Amount="50.00", Payout="4.00")
    assert takeover.account.sync().exit is Exit.DONE
    assert takeover.rows("select number from bi.counted") == [(before + 1,)]
    assert takeover.rows("select count(*) > 0 from bi.kept") == [(True,)]
    for name in ("bi.counted", "impact.action_history"):
        assert takeover.rows(f"select has_table_privilege('bi', '{name}', 'select')") == [(True,)], name

"""The schema version of a warehouse, and the steps that raise it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any

import dlt
import pytest
from impact_source.errors import BudgetSpent, ConfigurationError
from impact_sync.warehouse.migrations.migrate import TABLE, read_version
from impact_sync.warehouse.migrations.step import FIRST, Existing, Step
from impact_sync.warehouse.migrations.steps import SCHEMA_VERSION, STEPS
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import Account
from tests.support.commands import clean, environment, impact

Make = Callable[..., Account]


class Killed(BaseException):
    """The run ends here."""


def add_former_name(existing: Existing) -> Iterable[str]:
    """A step as it would be written: a new column gets the values of another."""
    if "campaigns" in existing.columns:
        name = existing.name("campaigns")
        yield f"alter table {name} add column if not exists former_name text"
        yield f"update {name} set former_name = name where former_name is null"


def add_mark(state: MutableMapping[str, Any]) -> None:
    """A change of the cursors."""
    for marks in state["campaigns"].values():
        marks["moved"] = marks["updated"]


def break_off(_: Existing) -> Iterable[str]:
    """A step that is killed in the middle."""
    yield "create table impact.half_done (x bigint)"
    raise Killed


LATER = (*STEPS, Step(SCHEMA_VERSION + 1, add_former_name, add_mark))
"""The steps of the release after this one."""


def rows(sql: str, steps: Sequence[Step] = STEPS) -> list[tuple[Any, ...]]:
    """Rows of a query in the warehouse, by a program with these steps."""
    with open_pipeline(read_only=True, steps=steps) as pipeline, pipeline.sql_client() as client:
        return [tuple(row) for row in client.execute_sql(sql) or []]


def test_steps_follow_one_another() -> None:
    """Numbers have no gap: the version alone decides which steps a warehouse needs."""
    assert [step.version for step in STEPS] == list(range(FIRST + 1, SCHEMA_VERSION + 1))


def test_a_warehouse_is_migrated_when_it_is_opened(account: Make, warehouse: str) -> None:
    """Steps change tables and cursors once, and say so; their effect is there for every later run."""
    one = account(days=3, per_day=4)
    one.sync()
    names = rows("select name from impact.campaigns order by id")
    for _ in range(2):
        with open_pipeline(steps=LATER) as pipeline:
            assert read_version(pipeline) == SCHEMA_VERSION + 1, warehouse
    assert rows("select former_name from impact.campaigns order by id", LATER) == names
    assert rows(f"select version from impact.{TABLE} order by version", LATER) == [
        (SCHEMA_VERSION,),
        (SCHEMA_VERSION + 1,),
    ]
    with open_pipeline(read_only=True, steps=LATER) as pipeline:
        campaigns = pipeline.state["sources"]["impact"]["campaigns"]
    assert {marks["moved"] == marks["updated"] for marks in campaigns.values()} == {True}


def test_a_step_that_is_killed_has_not_begun(account: Make, warehouse: str) -> None:
    """Killed in the middle of the second of two steps, the first stands; the next run repeats the second."""
    account(days=3, per_day=4).sync()
    with pytest.raises(Killed), open_pipeline(steps=[*LATER, Step(SCHEMA_VERSION + 2, break_off)]):
        pytest.fail("the step was not run")
    assert rows(f"select max(version) from impact.{TABLE}", LATER) == [(SCHEMA_VERSION + 1,)], warehouse
    assert rows("select count(*) from information_schema.tables where table_name = 'half_done'", LATER) == [(0,)]
    with open_pipeline(steps=[*LATER, Step(SCHEMA_VERSION + 2)]) as pipeline:
        assert read_version(pipeline) == SCHEMA_VERSION + 2


def test_a_warehouse_of_a_later_release_is_refused(account: Make) -> None:
    """A program that would misread it neither reads nor writes it: exit 2, and what to install."""
    one = account(days=3, per_day=4)
    one.sync()
    with open_pipeline(steps=LATER):
        pass
    for verb in (["status"], ["sync"], ["corrections", "status"]):
        output = clean(impact(*verb, env=environment(one)), 2)
        assert f"a later release wrote the warehouse (schema version {SCHEMA_VERSION + 1}, impact-sync" in output
        assert "pip install --upgrade impact-sync" in output


def test_whoever_only_reads_does_not_migrate(account: Make) -> None:
    """A read-only command says which command brings the warehouse up to date."""
    account(days=3, per_day=4).sync()
    with pytest.raises(ConfigurationError, match="run `impact sync` first, which migrates it"):
        rows("select 1", LATER)
    assert rows(f"select max(version) from impact.{TABLE}") == [(SCHEMA_VERSION,)]


def test_a_new_warehouse_gets_the_version(account: Make, warehouse: str) -> None:
    """From its first run on, even if that ends early; a run that lands nothing leaves nothing."""
    with open_pipeline():
        pass
    with pytest.raises(ConfigurationError, match="there is no warehouse yet"):
        rows("select 1")
    with pytest.raises(BudgetSpent), open_pipeline() as pipeline:
        _land_and_stop(pipeline)
    assert rows(f"select version from impact.{TABLE}") == [(SCHEMA_VERSION,)], warehouse
    account(days=3, per_day=4).sync()
    assert rows(f"select version from impact.{TABLE}") == [(SCHEMA_VERSION,)]


def _land_and_stop(pipeline: dlt.Pipeline) -> None:
    pipeline.run([{"id": 1}], table_name="landed")
    raise BudgetSpent


def test_the_program_says_its_schema_version() -> None:
    """`impact --version` shows the schema version that it writes, beside its own."""
    assert clean(impact("--version"), 0).endswith(f"(warehouse schema version {SCHEMA_VERSION})\n")

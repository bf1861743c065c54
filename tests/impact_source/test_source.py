"""The source on its own, in a pipeline of the user's: `pipeline.run(impact())`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta

import dlt
import pytest
from dlt.common.typing import TRefreshMode
from impact_source import impact, impact_items
from impact_source.errors import ConfigurationError, ForeignWarehouse
from impact_sync.console.exits import root_cause

from tests.support.account import Account

Make = Callable[..., Account]


@dlt.source(name="other")
def other() -> Iterator[object]:
    """Some other source of the user's."""
    yield dlt.resource([{"a": 1}], name="others")


def pipeline_of(one: Account) -> dlt.Pipeline:
    """A pipeline as a user writes it; its database is not named after the dataset."""
    one.path = one.folder / "mine.duckdb"
    return dlt.pipeline("mine", destination=dlt.destinations.duckdb(str(one.path)), dataset_name="impact")


def test_the_source_works_without_our_commands(account: Make) -> None:
    """`pipeline.run(impact(...))` alone keeps the actions true, run after run; dlt's own merge keeps no versions."""
    one = account(days=60, per_day=20)
    for _ in range(3):
        pipeline_of(one).run(impact(one.settings()))
        one.assert_true()
        one.world.advance(days=14)
    assert one.query("select count(*) from duckdb_tables() where table_name like 'action%versions'") == [(0,)]
    assert one.query("select count(pass) = count(*), count(changed) from impact.actions") == [(True, 0)]


def test_items_load_without_our_commands(account: Make) -> None:
    """`pipeline.run(impact_items(...))` after `pipeline.run(impact(...))` keeps the items true."""
    one = account(days=20, per_day=3)
    settings = one.settings(items_max_requests=None)
    pipeline_of(one).run(impact_items(settings))
    for days in (0, 5):
        one.world.advance(days=days)
        one.item_requests()
        pipeline_of(one).run(impact(settings))
        pipeline_of(one).run(impact_items(settings, max_requests=10))
        assert len(one.item_requests()) == 10
        pipeline_of(one).run(impact_items(settings))
        one.assert_items_true()


@pytest.mark.long
def test_it_may_share_a_pipeline_with_other_sources(account: Make) -> None:
    """What the source looks up in the warehouse it finds under its own schema, whichever source came first."""
    one = account(days=60, per_day=10)
    pipeline_of(one).run(other())
    for _ in range(3):
        pipeline_of(one).run(impact(one.settings()))
        one.assert_true()
        one.world.advance(days=14)


def test_resources_that_belong_together_are_loaded_together(account: Make) -> None:
    """Leaving out the actions while their cursors move would lose them, so it is refused."""
    one = account(days=20, per_day=5)
    with pytest.raises(Exception, match="go together") as caught:
        pipeline_of(one).run(impact(one.settings()).with_resources("campaigns"))
    assert isinstance(root_cause(caught.value), ConfigurationError)
    pipeline_of(one).abort_packages()
    pipeline_of(one).run(impact(one.settings()))
    one.assert_true()


@pytest.mark.long
def test_a_spent_hour_lands_what_was_read_and_goes_on_later(account: Make) -> None:
    """Without requests left a run ends early but well; running again completes it."""
    one = account(days=60, per_day=10)
    one.sandbox.budget.limit = 20
    pipeline_of(one).run(impact(one.settings(max_wait=one.settings().overlap * 0)))
    assert 0 < len(one.query("select * from impact.sync_windows")) < 50
    one.sandbox.budget.limit = 1_000
    pipeline_of(one).run(impact(one.settings()))
    one.assert_true()


def test_another_accounts_warehouse_is_refused(account: Make) -> None:
    """Two accounts are never mixed in one warehouse, and nothing of the first is touched."""
    one, foreign = account(), account(account_sid="IRother00000000000000000000")
    one.sync()
    before = one.held()
    with pytest.raises(ForeignWarehouse):
        foreign.sync()
    assert one.held() == before


@pytest.mark.parametrize(
    "refresh", ["drop_data", *(pytest.param(how, marks=pytest.mark.long) for how in ("drop_resources", "drop_sources"))]
)
def test_a_refresh_reads_everything_again(account: Make, refresh: TRefreshMode) -> None:
    """`refresh` of `pipeline.run` empties the tables, so that run reads the complete account; later ones continue."""
    one = account(days=60, per_day=5)
    pipeline_of(one).run(impact(one.settings()))
    one.world.advance(days=3)
    pipeline_of(one).run(impact(one.settings()), refresh=refresh)
    one.assert_true()
    one.world.advance(days=3)
    pipeline_of(one).run(impact(one.settings()))
    one.assert_true()


def test_items_refuse_a_refresh(account: Make) -> None:
    """Emptying what `impact()` has recorded about items would lose it, so `impact_items` says how to refresh."""
    one = account(days=20, per_day=2)
    pipeline_of(one).run(impact(one.settings()))
    with pytest.raises(Exception, match="impact_items cannot be refreshed"):
        pipeline_of(one).run(impact_items(one.settings()), refresh="drop_data")
    pipeline_of(one).abort_packages()
    pipeline_of(one).run(impact(one.settings()))
    one.assert_true()


def test_a_date_is_a_whole_day(account: Make) -> None:
    """`since` and `until` as dates mean the first instant of one to the last of the other."""
    one = account(days=20, per_day=5)
    day = (one.world.now - timedelta(days=4)).date()
    for since, until in ((day, day), (day.isoformat(), day.isoformat())):
        pipeline_of(one).run(impact(one.settings(), since=since, until=until))
    rows = one.query("select distinct window_start, window_end from impact.sync_windows where pass = 'updated'")
    midnight = datetime.combine(day, time(), UTC)
    assert rows == [(midnight, midnight + timedelta(days=1))]

"""Queries use little memory, and those that cannot do with it are answered all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dlt
import duckdb
import pytest
from dlt.destinations.exceptions import DatabaseException
from impact_source.sql import Tables
from impact_sync.warehouse.duckdb.destination import SETTINGS, destination, little_memory

_TEXTS = "select length(string_agg(repeat('x', 1000), '')) from range({})"


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[dlt.Pipeline]:
    """A pipeline on a file with a run's settings, but little memory."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), config=SETTINGS) as connection:
        connection.execute("set memory_limit = '20MB'")
        pipeline = dlt.pipeline(
            "impact", destination=destination(connection), dataset_name="impact", pipelines_dir=str(tmp_path / "dlt")
        )
        pipeline.run([{"n": 1}], table_name="numbers")
        yield pipeline


@pytest.fixture
def tables(pipeline: dlt.Pipeline) -> Tables:
    """Its tables."""
    return Tables(pipeline)


def limit(tables: Tables) -> str:
    """How much memory a query may use."""
    return str(tables.execute("select current_setting('memory_limit')")[0][0])


def test_a_run_uses_little_of_the_machine(tmp_path: Path) -> None:
    """However large the warehouse is, its pages in memory and its sorts stay within some hundred megabytes."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), config=SETTINGS) as connection:
        assert connection.execute("select current_setting('memory_limit')").fetchone() == ("244.1 MiB",)


def test_a_query_that_needs_more_memory_gets_it(tables: Tables) -> None:
    """Texts that do not fit are put together all the same, and the next query is held to little memory again."""
    before = limit(tables)
    assert tables.execute(_TEXTS.format(100_000)) == [(100_000_000,)]
    assert limit(tables) == before


def test_a_transaction_has_the_memory_that_it_needs(tables: Tables) -> None:
    """A statement that runs out of memory ends its transaction: none may, and all of it takes effect."""
    before = limit(tables)
    with tables.transaction() as client:
        client.execute_sql(f"create table lengths as {_TEXTS.format(100_000)} union all select 1")
        client.execute_sql("insert into lengths values (2)")
    assert limit(tables) == before
    assert sorted(tables.execute("from lengths")) == [(1,), (2,), (100_000_000,)]


def test_a_query_that_fails_for_another_reason_fails_once(tables: Tables) -> None:
    """A wrong query is reported as it is, and leaves the limit as it was."""
    before = limit(tables)
    with pytest.raises(DatabaseException, match="nothing"):
        tables.execute("select * from nothing")
    assert limit(tables) == before


def test_a_walk_over_a_table_uses_little_memory(pipeline: dlt.Pipeline, tables: Tables) -> None:
    """While it lasts the limit is low, and a query that needs more memory gets it; then it is as before."""
    tables.execute("set memory_limit = '100MB'")
    before = limit(tables)
    with little_memory(pipeline):
        low = limit(tables)
        assert tables.execute(_TEXTS.format(100_000)) == [(100_000_000,)]
        assert (low, limit(tables)) == ("61.0 MiB", low)
    assert limit(tables) == before


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has configured connections."""
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__LOCAL_CONFIG", '{"default_null_order": "nulls_first"}')


@pytest.mark.usefixtures("configured")
def test_configured_connections_are_left_alone(pipeline: dlt.Pipeline, tables: Tables) -> None:
    """If the user has configured connections, the memory that they may use is not limited further."""
    before = limit(tables)
    with little_memory(pipeline):
        assert limit(tables) == before

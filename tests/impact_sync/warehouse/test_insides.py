"""Internals of dlt and DuckDB that we rely on. A test that fails here after an upgrade says what broke."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pytest
from dlt.common.destination.client import RunnableLoadJob
from dlt.common.runtime.collector import NullCollector
from dlt.common.schema import Schema
from dlt.common.storages.live_schema_storage import LiveSchemaStorage
from dlt.destinations.impl.postgres.postgres import PostgresParquetCopyJob
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.job_client_impl import SqlLoadJob
from impact_source.settings import PACKAGE_ROWS
from impact_source.sql import Tables
from impact_source.tables import MERGE
from impact_sync.warehouse import spared
from impact_sync.warehouse.duckdb.destination import SETTINGS, destination
from impact_sync.warehouse.schemas import keep_schemas
from impact_sync.warehouse.spared import spare
from typing_extensions import get_type_hints, override


@pytest.fixture
def pipeline(tmp_path: Path) -> dlt.Pipeline:
    """A pipeline into a new DuckDB file, through our destination."""
    connection = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
    return dlt.pipeline(
        "impact", destination=destination(connection), dataset_name="impact", pipelines_dir=str(tmp_path / "dlt")
    )


@dlt.source(name="impact")
def _numbers(*values: int) -> object:
    @dlt.resource(name="numbers", primary_key="id", write_disposition=MERGE)
    def numbers() -> Iterator[pa.Table]:
        yield pa.table({"id": list(values)})

    return numbers


def test_a_merge_finds_its_file_and_its_client(pipeline: dlt.Pipeline) -> None:
    """Without `_file_path` and `_job_client` of a job in dlt, no rows would be merged into DuckDB."""
    job = SqlLoadJob("/somewhere/numbers.0000000000.0.sql")
    assert job._file_path == "/somewhere/numbers.0000000000.0.sql"  # noqa: SLF001
    assert job._job_client is None  # noqa: SLF001
    assert isinstance(job, RunnableLoadJob)
    pipeline.run(_numbers(1, 2))
    pipeline.run(_numbers(2, 3))
    assert Tables(pipeline).rows("select id from numbers order by id") == [(1,), (2,), (3,)]


def test_the_dataset_comes_first_where_duckdb_searches(pipeline: dlt.Pipeline) -> None:
    """Without dlt's search path, a query over bare names would read somebody else's table, or none."""
    pipeline.run(_numbers(1))
    with pipeline.sql_client() as client:
        client.execute_sql("create table warehouse.main.numbers as select 7 as id")
    assert Tables(pipeline).rows("select id from numbers") == [(1,)]


def test_a_connection_is_configured_as_the_user_wants(pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dlt's own connections where the user has configured some, those settings would have no effect."""
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__LOCAL_CONFIG", '{"default_null_order": "nulls_first"}')
    for _ in range(2):
        with pipeline.sql_client() as client:
            assert client.execute_sql("select current_setting('default_null_order')") == [("NULLS_FIRST",)]


def test_a_cursor_and_what_it_set_end_with_the_client(pipeline: dlt.Pipeline) -> None:
    """Without a cursor for each client, a transaction of one would hold what another does."""
    with pipeline.sql_client() as one, pipeline.sql_client() as other:
        assert one.native_connection is not other.native_connection
        with one.begin_transaction():
            one.execute_sql("create schema apart")
            assert other.execute_sql("select count(*) from duckdb_schemas() where schema_name = 'apart'") == [(0,)]
    assert one.native_connection is None
    assert other.native_connection is None


def test_a_schema_is_read_once_and_again_when_it_was_saved(
    pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `_schema_storage` of a pipeline, dlt would read a schema dozens of times a run."""
    keep_schemas(pipeline)
    read, load_schema = [], LiveSchemaStorage.load_schema

    def counted(storage: LiveSchemaStorage, name: str) -> Schema:
        read.append(name)
        return load_schema(storage, name)

    monkeypatch.setattr(LiveSchemaStorage, "load_schema", counted)
    pipeline.run(_numbers(1))
    read.clear()
    for columns in ({"id": [1]}, {"id": [1], "more": ["x"]}, {"id": [1]}):
        pipeline.run(pa.table(columns), table_name="numbers", write_disposition="append")
        stored = load_schema(pipeline._schema_storage, "impact")  # noqa: SLF001
        assert pipeline.default_schema.to_dict() == stored.to_dict()
        assert columns.keys() <= stored.tables["numbers"]["columns"].keys()
    assert len(read) < 6


def test_a_restored_state_is_not_restored_again(pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `_state_restored` of a pipeline, each run would read its state from the warehouse twice."""
    assert pipeline._state_restored is False  # noqa: SLF001
    pipeline.sync_destination()
    pipeline._state_restored = True  # noqa: SLF001

    def never(*_: object, **__: object) -> None:
        pytest.fail("the state is restored once more")

    monkeypatch.setattr(pipeline, "_sync_destination", never)
    pipeline.run(_numbers(1))


def test_a_collector_learns_of_each_step(tmp_path: Path) -> None:
    """Without `_start`, `_stop` and `step` of dlt's collector, a run would wait for ever for a load that never ends."""
    seen = []

    class Collector(NullCollector):
        @override
        def _start(self, step: str) -> None:
            seen.append(step.split(maxsplit=1)[0])

        @override
        def _stop(self) -> None:
            seen.append(f"end of {self.step.split()[0]}")

        @override
        def update(self, *_: object, **__: object) -> None:
            seen.append(f"in {self.step.split()[0]}")

    connection = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
    pipeline = dlt.pipeline(
        "impact", destination=destination(connection), pipelines_dir=str(tmp_path / "dlt"), progress=Collector()
    )
    pipeline.run(_numbers(1))
    assert list(dict.fromkeys(seen))[-3:] == ["Load", "in Load", "end of Load"]


def test_postgres_connections_are_made_and_reset_where_we_look() -> None:
    """Without these hooks of dlt, times would come in the server's zone, and a run would write without its lock."""
    source = inspect.getsource(Psycopg2SqlClient)
    assert "self._reset_connection()" in inspect.getsource(Psycopg2SqlClient.open_connection)
    assert "self._reset_connection()" in source[source.index("def execute_query") :]
    assert "def _make_database_exception(" in source
    assert "self._connect()" in inspect.getsource(PostgresParquetCopyJob.run)


def test_duckdb_shows_its_memory_limit_as_it_takes_it() -> None:
    """Without `memory_limit` in a form that DuckDB reads again, each load would leave the next one less memory."""
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '160MB'")
        ((shown,),) = connection.execute("select current_setting('memory_limit')").fetchall()
        connection.execute(f"set memory_limit = '{shown}'")


def test_duckdb_rewrites_no_packages_of_a_backfill(tmp_path: Path) -> None:
    """At the end DuckDB leaves packages of our size where they lie; of smaller ones it would move nearly every row."""
    file = tmp_path / "warehouse.duckdb"

    def sizes(rows: int) -> list[int]:
        file.unlink(missing_ok=True)
        with duckdb.connect(str(file), config=SETTINGS) as connection:
            connection.execute("create table actions (id bigint)")
            for _ in range(4):
                connection.execute("insert into actions select * from range(?)", [rows])
        with duckdb.connect(str(file), read_only=True) as connection:
            groups = """select max(start + count) - min(start) from pragma_storage_info('actions')
                where segment_type <> 'VALIDITY' group by row_group_id order by row_group_id"""
            return [size for (size,) in connection.execute(groups).fetchall()]

    whole, rest = 122_880, PACKAGE_ROWS - 3 * 122_880
    assert sizes(PACKAGE_ROWS) == [whole, whole, whole, rest] * 4
    assert sizes(250_000) != [whole, whole, 250_000 - 2 * whole] * 4


def test_the_trace_of_a_load_holds_no_yaml(pipeline: dlt.Pipeline) -> None:
    """Where dlt writes the columns of a resource into its trace otherwise, each small run takes a tenth longer."""
    spare()
    info = pipeline.extract(dlt.resource([1], name="numbers", columns={"value": {"data_type": "bigint"}}))
    (hints,) = (each["hints"] for found in info.metrics.values() for each in found if "numbers" in each["hints"])
    assert str(hints["numbers"]["columns"]).startswith("{'value': {")


def test_dlt_works_out_the_types_of_its_fields_once(pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where dlt finds them with each check of a schema, each small run takes longer."""
    asked: list[object] = []

    def hints(spec: Any, **where: Any) -> dict[str, Any]:  # noqa: ANN401 - as dlt has it
        asked.append(spec)
        return get_type_hints(spec, **where)

    monkeypatch.setattr(spared, "get_type_hints", hints)
    monkeypatch.setattr(spared, "_hints", {})
    spare()
    pipeline.run(_numbers(1))
    assert "TTableSchema" in map(str, (getattr(spec, "__name__", "") for spec in asked))
    assert len(asked) == len(set(asked))

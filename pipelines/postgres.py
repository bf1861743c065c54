"""Postgres as the warehouse: parquet files by way of ADBC, which is the fastest; one run at a time on all machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dlt
import pyarrow.parquet as pq
from dlt.common.destination import Destination
from dlt.common.destination.client import LoadJob
from dlt.destinations.impl.postgres.factory import postgres as postgres_destination

from pipelines.duckdb_file import Waiting
from pipelines.exits import WarehouseBusy
from sources.impact.errors import ConfigurationError

_RETRY_SECONDS = 0.2
_LOCK = "select pg_try_advisory_lock(hashtext(%s), hashtext('impact-sync'))"
"""Held by a connection: a process that dies leaves no lock behind."""


def destination() -> Destination[Any, Any]:
    """Postgres, loaded from parquet files. Raises `ConfigurationError` where its drivers are not installed."""
    try:
        import adbc_driver_postgresql  # noqa: F401, PLC0415 - only whoever uses it has it
        import psycopg2  # noqa: F401, PLC0415
    except ImportError as error:
        msg = f"Postgres needs drivers that are not installed ({error.name}): pip install 'impact-sync[postgres]'"
        raise ConfigurationError(msg) from None
    from dlt.destinations.impl.postgres.postgres import PostgresClient  # noqa: PLC0415 - imports a driver

    class Client(PostgresClient):
        def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> LoadJob:  # noqa: ANN401, FBT001, FBT002 - as the base has it
            if file_path.endswith(".parquet") and not pq.read_metadata(file_path).num_rows:
                return Waiting(file_path)  # of a file without rows, which ADBC does not take, there is nothing to load
            return super().create_load_job(table, file_path, load_id, restore)

    class postgres(postgres_destination):  # noqa: N801 - dlt reads its configuration section from this name
        """Takes files without rows, which only tell what columns there are."""

        @property
        def client_class(self) -> type[PostgresClient]:
            return Client

    return postgres(preferred_loader_file_format="parquet")


@contextmanager
def run_lock(pipeline: dlt.Pipeline, wait: float) -> Iterator[None]:
    """Hold the dataset for one run. Raises `WarehouseBusy` where another one, on whatever machine, does for longer."""
    give_up = time.monotonic() + wait
    with pipeline.sql_client() as client:
        while (client.execute_sql(_LOCK, pipeline.dataset_name) or [(True,)])[0] != (True,):
            if time.monotonic() > give_up:
                msg = "another run holds the warehouse: wait for it to end, then run again"
                raise WarehouseBusy(msg)
            time.sleep(_RETRY_SECONDS)
        yield

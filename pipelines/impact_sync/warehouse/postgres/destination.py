"""Postgres as the warehouse: parquet files through ADBC, the fastest way; one run at a time across all machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql  # noqa: F401 - without it dlt would take the slow way
import pyarrow.parquet as pq
from adbc_driver_manager.dbapi import Connection
from dlt.common.destination.client import FollowupJobRequest, LoadJob
from dlt.common.destination.dataset import DBApiCursor
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.destinations.impl.postgres.factory import postgres as postgres_destination
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresParquetCopyJob
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.typing import DBTransaction
from impact_source.dialect import quote
from psycopg2.sql import SQL, Composable
from typing_extensions import override

from ..duckdb.destination import Waiting
from ..duckdb.merge import sql_request
from ..once import Once
from ..versions import find_merge
from .lock import LockLost, RunLock

_READS = ("select", "with")
_IN_UTC = "set timezone = 'UTC'"
_MOST = "select coalesce(max(number), 1) from (select count(*) as number from {} group by {}) keys"
"""How often a key occurs among the rows that were staged."""


class _SqlClient(Psycopg2SqlClient):
    """Every transaction that writes proves that the run still holds the warehouse."""

    def __init__(self, lock: RunLock, *parts: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(*parts)
        self.lock = lock

    @override
    def _reset_connection(self) -> None:
        super()._reset_connection()
        # A reset restores the connection's first time zone: `PGTZ` overrides the one in its address.
        with self.native_connection.cursor() as cursor:
            cursor.execute(_IN_UTC)

    @contextmanager
    @override
    def begin_transaction(self) -> Iterator[DBTransaction]:
        with super().begin_transaction() as transaction:
            if proof := self.lock.proof:
                self.execute_sql(proof)
            yield transaction

    @contextmanager
    @override
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[DBApiCursor]:
        with super().execute_query(self._proven(query), *args, **kwargs) as cursor:
            yield cursor

    def _proven(self, query: Any) -> Any:  # noqa: ANN401 - text, or psycopg2's own
        """Statements outside a transaction form one, with the proof before them."""
        proof = self.lock.proof if self.native_connection.autocommit else None
        if proof is None:
            return query
        if isinstance(query, Composable):
            return SQL(proof + "; ") + query
        return query if query.lstrip().lower().startswith(_READS) else f"{proof}; {query}"

    @classmethod
    @override
    def _make_database_exception(cls, ex: Exception) -> Exception:
        return LockLost() if RunLock.lost(ex) else super()._make_database_exception(ex)


class _CopyJob(PostgresParquetCopyJob):
    """Proves the lock in the transaction that copies."""

    @override
    def _connect(self) -> Connection:
        connection = super()._connect()
        proof = self._job_client.sql_client.lock.proof
        try:
            with connection.cursor() as cursor:
                cursor.execute(_IN_UTC)
                if proof is not None:
                    cursor.execute(proof)
        except adbc_driver_manager.Error as error:
            connection.close()
            if RunLock.lost(error):
                raise LockLost from error
            raise
        return connection


def destination(lock: RunLock, *, history: bool = True) -> postgres_destination:
    """Postgres, loaded from parquet files; every write proves the lock.

    `history` is whether merges keep the versions that they replace.
    """

    class Client(PostgresClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:  # noqa: ANN401 - as the base has it
            config = copy(config)
            config.credentials = credentials(config.credentials)
            super().__init__(schema, config, capabilities)
            plain = self.sql_client
            self.sql_client = _SqlClient(
                lock, plain.dataset_name, plain.staging_dataset_name, config.credentials, capabilities
            )

        @override
        def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> LoadJob:
            if not file_path.endswith(".parquet"):
                return super().create_load_job(table, file_path, load_id, restore)
            if not pq.read_metadata(file_path).num_rows:
                return Waiting(file_path)  # a file without rows has nothing to load, and ADBC does not accept it
            return _CopyJob(file_path)

        @override
        def _create_merge_followup_jobs(self, table_chain: Sequence[Any]) -> list[FollowupJobRequest]:
            table = table_chain[0]
            merge = find_merge(self.schema, table, self.sql_client.make_qualified_table_name, on=history)
            if merge is None:
                return super()._create_merge_followup_jobs(table_chain)
            name, staged = self.sql_client.get_qualified_table_names(table["name"])
            with self.sql_client as client:
                ((most,),) = client.execute_sql(_MOST.format(staged, ", ".join(map(quote, merge.key)))) or [(0,)]
            return [sql_request(table, merge.statements(name, staged, "ctid", max(1, most)))]

    class postgres(Once, postgres_destination):  # noqa: N801 - dlt reads its configuration section from this name
        """Accepts files without rows, which only name the columns."""

        @property
        @override
        def destination_type(self) -> str:
            return "dlt.destinations.postgres"  # the name in the state, with which dlt's own tools open the warehouse

        @property
        @override
        def client_class(self) -> type[PostgresClient]:
            return Client

    return postgres(preferred_loader_file_format="parquet")


def credentials(given: PostgresCredentials) -> PostgresCredentials:
    """The credentials for every connection of ours.

    Text is UTF-8 and times are UTC whatever the environment says (in other zones the last day of the year 9999 may fall
    into a year that Python does not know), and a connection that the network has dropped is noticed.
    """
    found = copy(given)
    found.client_encoding, found.session_timezone = "utf8", "UTC"
    alive = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    found.query = alive | (given.query or {}) | {"client_encoding": "utf8"}
    return found

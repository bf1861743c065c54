"""dlt's DuckDB destination, adapted to our runs: full names, files merged in one step, settings read once.

The catalog of a DuckDB file is named after the file. If that is also the dataset's name, as in `impact.duckdb` and
`impact`, a name such as `impact.actions` is ambiguous to DuckDB, and dlt's own destination fails. dlt also copies every
file into a staging table before it merges it, which doubles the cost of a load; see `merge` beside this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cached_property
from typing import Any, Final

import dlt
import duckdb
from dlt.common.destination import DestinationCapabilitiesContext, TLoaderFileFormat
from dlt.common.destination.client import FollowupJobRequest, HasFollowupJobs, LoadJob, RunnableLoadJob
from dlt.common.destination.configuration import ParquetFormatConfiguration
from dlt.common.destination.dataset import DBApiCursor
from dlt.common.storages.load_package import LoadJobInfo
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.impl.duckdb.configuration import DuckDbBaseCredentials
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import raise_open_connection_error
from dlt.destinations.typing import DBTransaction
from impact_source.dialect import literal
from typing_extensions import override

from ...console.exits import root_cause
from ..once import Once
from ..versions import find_merge
from .merge import UNLIMITED, MergeJob, held_to, merge_request

_FORMAT: Final[TLoaderFileFormat] = "parquet"
SETTINGS: Final[dict[str, Any]] = {
    # A second thread does not speed up a load of some 100,000 rows, and takes a core from the threads that read pages.
    "threads": max(1, (os.cpu_count() or 1) // 2),
    # DuckDB would keep as much of the file in memory as fits, and sort or join all of a large table there.
    "memory_limit": "256MB",
    # Memory that a load has freed goes back to the system before the next pages arrive.
    "allocator_flush_threshold": "16MB",
    "allocator_bulk_deallocation_flush_threshold": "16MB",
    "write_buffer_row_group_count": 1,
    "allocator_background_threads": True,
    # As dlt sets it with each connection that it opens.
    "checkpoint_threshold": "1gb",
}
"""Settings of a run's connection: the fastest while pages are being read, with flat memory."""
_LITTLE = "64MB"
"""Enough to look up a page of actions."""


class _SqlClient(DuckDbSqlClient):
    def __init__(self, catalog: str, connection: duckdb.DuckDBPyConnection, *parts: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(*parts)
        self._catalog, self._kept, self._borrowed = catalog, connection, False

    @override
    @raise_open_connection_error
    def open_connection(self) -> duckdb.DuckDBPyConnection:
        """A cursor of the run's connection; dlt would configure that again each time, dozens of times a run."""
        self._borrowed = _is_configured(self.credentials)
        if self._borrowed:
            return super().open_connection()
        self._conn = self._kept.cursor()
        with suppress(duckdb.CatalogException):  # the dataset does not exist yet
            self._conn.execute(f"set session search_path = {literal(self.fully_qualified_dataset_name())}")
        return self._conn

    @contextmanager
    @override
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[DBApiCursor]:
        """Execute; a query that needs more than the usual memory, for example to collect texts, gets it."""
        with ExitStack() as stack:
            try:
                cursor = stack.enter_context(super().execute_query(query, *args, **kwargs))
            except DatabaseException as error:
                if self._borrowed or not isinstance(root_cause(error), duckdb.OutOfMemoryException):
                    raise
                stack.enter_context(held_to(UNLIMITED, self._conn))
                cursor = stack.enter_context(super().execute_query(query, *args, **kwargs))
            yield cursor

    @contextmanager
    @override
    def begin_transaction(self) -> Iterator[DBTransaction]:
        """Begin a transaction with any memory: a statement that failed has ended it, and cannot be repeated."""
        limited = nullcontext() if self._borrowed else held_to(UNLIMITED, self.native_connection)
        with limited, super().begin_transaction() as transaction:
            yield transaction

    @override
    def close_connection(self) -> None:
        if self._borrowed:
            super().close_connection()
        elif self._conn:
            self._conn.close()
            self._conn = None  # type: ignore[assignment] # as dlt does

    @override
    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:
        return str(self.capabilities.escape_identifier(self._catalog)) if quote else self._catalog

    @override
    def warn_if_catalog_equals_dataset_name(self) -> None:
        """Do not warn: our statements use full names."""


class Waiting(RunnableLoadJob, HasFollowupJobs):
    """A file to leave alone until all files of its table are there, or for good."""

    @override
    def run(self) -> None:
        """Do nothing."""


class _Client(DuckDbClient):
    catalog: str
    connection: duckdb.DuckDBPyConnection
    history: bool

    def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(schema, config, capabilities)
        plain = self.sql_client
        self.sql_client = _SqlClient(
            self.catalog,
            self.connection,
            plain.dataset_name,
            plain.staging_dataset_name,
            config.credentials,
            capabilities,
        )

    @override
    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:
        return False

    @override
    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> LoadJob:
        if file_path.endswith(".sql"):
            return MergeJob(file_path)
        return Waiting(file_path)

    @override
    def create_table_chain_completed_followup_jobs(
        self, table_chain: Sequence[Any], completed_table_chain_jobs: Sequence[LoadJobInfo] | None = None
    ) -> list[FollowupJobRequest]:
        paths = [job.file_path for job in completed_table_chain_jobs or []]
        (table,) = table_chain  # our tables have no nested ones
        named = self.sql_client.make_qualified_table_name
        merge = find_merge(self.schema, table, named, on=self.history)
        return [merge_request(self.connection, table, named(table["name"]), paths, merge)]


@contextmanager
def little_memory(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Within the block, DuckDB keeps little of its file in memory, unless the user has configured its connections.

    A walk over a large table would fill what it may use with rows that are not read again. A query that needs more
    memory gets it.
    """
    client = pipeline.sql_client()
    if not isinstance(client, _SqlClient) or _is_configured(client.credentials):
        yield
        return
    with client, held_to(_LITTLE, client.native_connection):
        yield


def _is_configured(credentials: DuckDbBaseCredentials) -> bool:
    """Whether the user has configured connections: then dlt opens them."""
    own = (credentials.extensions, credentials.global_config, credentials.pragmas, credentials.statements)
    return any(own) or bool(credentials.local_config) or credentials.session_timezone != "UTC"


def destination(connection: duckdb.DuckDBPyConnection, *, history: bool = True) -> duckdb_destination:
    """A destination on an open connection; its merges are transactions, unlike dlt's default for DuckDB.

    `history` is whether they keep the versions that they replace.
    """
    row = connection.execute("select current_database()").fetchone()

    class Client(_Client):
        catalog = str(row[0]) if row else ""

    Client.connection, Client.history = connection.cursor(), history

    class duckdb(Once, duckdb_destination):  # noqa: N801 - dlt reads its configuration section from this name
        """Finds its capabilities once as well."""

        @property
        @override
        def destination_type(self) -> str:
            return "dlt.destinations.duckdb"  # the name in the state, with which dlt's own tools open the warehouse

        @property
        @override
        def client_class(self) -> type[DuckDbClient]:
            return Client

        @override
        def capabilities(self, config: Any = None, naming: Any = None) -> DestinationCapabilitiesContext:
            return self._once_capabilities.copy()

        @cached_property
        def _once_capabilities(self) -> DestinationCapabilitiesContext:
            capabilities = super().capabilities()
            capabilities.preferred_loader_file_format = _FORMAT
            capabilities.supported_loader_file_formats = [_FORMAT]
            capabilities.parquet_format = ParquetFormatConfiguration(compression="none")  # read once, immediately
            return capabilities

    return duckdb(connection, supports_transactions=True)

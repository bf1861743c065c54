"""dlt's DuckDB destination as a run of ours needs it: names in full, files merged in one step, settings read once.

The catalog of a DuckDB file is called after the file. Where that is also the dataset's name, `impact.duckdb` and
`impact`, a name such as `impact.actions` is ambiguous to DuckDB, and dlt's own destination fails. And dlt copies
every file into a staging table before it merges it, which doubles what a load costs; see `merge`, beside this.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext, TLoaderFileFormat
from dlt.common.destination.client import FollowupJobRequest, HasFollowupJobs, LoadJob, RunnableLoadJob
from dlt.common.destination.configuration import ParquetFormatConfiguration
from dlt.common.storages.load_package import LoadJobInfo
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from typing_extensions import override

from .merge import MergeJob, merge_request

_FORMAT: Final[TLoaderFileFormat] = "parquet"
SETTINGS: Final[dict[str, Any]] = {
    # A second thread makes a load of some 100,000 rows no faster, and takes a core from those that read pages.
    "threads": max(1, (os.cpu_count() or 1) // 2),
    # What a load has freed goes back to the system before the next pages come.
    "allocator_flush_threshold": "16MB",
    "allocator_bulk_deallocation_flush_threshold": "16MB",
    "write_buffer_row_group_count": 1,
    "allocator_background_threads": True,
}
"""Of the connection that a run holds: what is fastest beside the reading of pages, and keeps memory flat."""


class _SqlClient(DuckDbSqlClient):
    def __init__(self, catalog: str, *parts: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(*parts)
        self._catalog = catalog

    @override
    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:
        return str(self.capabilities.escape_identifier(self._catalog)) if quote else self._catalog

    @override
    def warn_if_catalog_equals_dataset_name(self) -> None:
        """Nothing to warn of: the names are written out."""


class Waiting(RunnableLoadJob, HasFollowupJobs):
    """A file with which nothing is to be done until all files of its table are there, if then."""

    @override
    def run(self) -> None:
        """Do nothing."""


class _Client(DuckDbClient):
    catalog: str
    connection: duckdb.DuckDBPyConnection

    def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(schema, config, capabilities)
        plain = self.sql_client
        self.sql_client = _SqlClient(
            self.catalog, plain.dataset_name, plain.staging_dataset_name, config.credentials, capabilities
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
        name = self.sql_client.make_qualified_table_name(table["name"])
        return [merge_request(self.connection, table, name, paths)]


def destination(connection: duckdb.DuckDBPyConnection) -> duckdb_destination:
    """A destination on an open connection; merges are transactions, which dlt's default for DuckDB is not."""
    row = connection.execute("select current_database()").fetchone()

    class Client(_Client):
        catalog = str(row[0]) if row else ""

    Client.connection = connection.cursor()

    class duckdb(duckdb_destination):  # noqa: N801 - dlt reads its configuration section from this name
        """dlt asks for these dozens of times a run; each time it would look through all configuration."""

        @property
        @override
        def destination_type(self) -> str:
            return "dlt.destinations.duckdb"  # the name in the state, by which dlt's own tools open the warehouse

        @property
        @override
        def client_class(self) -> type[DuckDbClient]:
            return Client

        @override
        def capabilities(self, config: Any = None, naming: Any = None) -> DestinationCapabilitiesContext:
            return self._once_capabilities.copy()

        @override
        def configuration(self, initial_config: Any, accept_partial: bool = False) -> DuckDbClientConfiguration:
            key = (initial_config and initial_config.dataset_name, accept_partial)
            if key not in self._once:
                self._once[key] = super().configuration(initial_config, accept_partial)
            return self._once[key]

        @cached_property
        def _once(self) -> dict[Any, DuckDbClientConfiguration]:
            return {}

        @cached_property
        def _once_capabilities(self) -> DestinationCapabilitiesContext:
            capabilities = super().capabilities()
            capabilities.preferred_loader_file_format = _FORMAT
            capabilities.supported_loader_file_formats = [_FORMAT]
            capabilities.parquet_format = ParquetFormatConfiguration(compression="none")  # read once, at once
            return capabilities

    return duckdb(connection, supports_transactions=True)

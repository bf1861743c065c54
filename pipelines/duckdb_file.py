"""dlt's DuckDB destination, with every name written out from the catalog on.

The catalog of a DuckDB file is called after the file. Where that is also the dataset's name, `impact.duckdb` and
`impact`, a name such as `impact.actions` is ambiguous to DuckDB, and dlt's own destination fails.
"""

from __future__ import annotations

from typing import Any

import duckdb
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient


class _SqlClient(DuckDbSqlClient):
    def __init__(self, catalog: str, *parts: Any) -> None:  # noqa: ANN401 - as the base has it
        super().__init__(*parts)
        self._catalog = catalog

    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:  # noqa: FBT001, FBT002, ARG002
        return str(self.capabilities.escape_identifier(self._catalog)) if quote else self._catalog

    def warn_if_catalog_equals_dataset_name(self) -> None:
        """Nothing to warn of: the names are written out."""


def destination(connection: duckdb.DuckDBPyConnection) -> duckdb_destination:
    """A destination on an open connection; merges are transactions, which dlt's default for DuckDB is not."""
    row = connection.execute("select current_database()").fetchone()
    catalog = str(row[0]) if row else ""

    class Client(DuckDbClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:  # noqa: ANN401 - as the base has it
            super().__init__(schema, config, capabilities)
            plain = self.sql_client
            self.sql_client = _SqlClient(
                catalog, plain.dataset_name, plain.staging_dataset_name, config.credentials, capabilities
            )

    class duckdb(duckdb_destination):  # noqa: N801 - dlt reads its configuration section from this name
        @property
        def client_class(self) -> type[DuckDbClient]:
            return Client

    return duckdb(connection, supports_transactions=True)

"""The journal of corrections: a table in the warehouse, written in transactions, in SQL that DuckDB and Postgres share.

dlt does not load it: a load may be repeated, a line of a journal may not. A sender claims each call first; if two try,
the transaction lets only one succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from dlt.destinations.exceptions import DatabaseTransientException
from impact_source.errors import ImpactError

from ...warehouse.own_tables import arrow_schema, create, insert
from .calls import Call
from .columns import COLUMNS, Correction, Status
from .queries import Queries, plain


class Taken(ImpactError):
    """Another process has claimed the call, or it is no longer planned."""


class Journal(Queries):
    """Reads and writes the journal."""

    def add(self, rows: Sequence[Correction]) -> None:
        """Store a plan."""
        with self._tables.transaction() as client:
            create(client, self._table, COLUMNS)
            insert(client, self._table, _arrow(rows))

    def restore(self, rows: Sequence[Correction]) -> None:
        """Insert rows that the table lacks, as the file beside it knows them."""
        if not self.exists:
            self.add(rows)
            return
        with self._tables.transaction() as client:
            for row in rows:
                client.execute_sql(f"delete from {self._table} where correction_id = %s", row.correction_id)
            insert(client, self._table, _arrow(rows))

    def claim(self, call: Call, claim: str, at: datetime) -> None:
        """Claim a planned call for sending, in its own transaction. Raises `Taken`."""
        try:
            with self._tables.transaction() as client:
                client.execute_sql(
                    f"update {self._table} set status = %s, claim = %s, claimed_at = %s "
                    "where call_id = %s and status = %s",
                    *plain((Status.SENDING, claim, at, call.id, Status.PLANNED)),
                )
                mine = client.execute_sql(
                    f"select count(*) from {self._table} where call_id = %s and claim = %s and status = %s",
                    *plain((call.id, claim, Status.SENDING)),
                )
                if not mine or mine[0][0] != len(call.rows):
                    msg = f"line {call.lines} was taken by another apply"
                    raise Taken(msg)
        except DatabaseTransientException as error:  # two processes claimed it at the same instant
            msg = f"line {call.lines} was taken by another apply"
            raise Taken(msg) from error

    def record(self, call: Call, status: Status, outcome: str | None = None, **columns: Any) -> None:  # noqa: ANN401 - of any type
        """Record the current status of a call."""
        values = {"status": status, "outcome": outcome} | columns
        sets = ", ".join(f"{name} = %s" for name in values)
        with self._tables.transaction() as client:
            client.execute_sql(
                f"update {self._table} set {sets} where call_id = %s", *plain((*values.values(), call.id))
            )

    def record_rows(self, told: Sequence[tuple[Correction, Status, str]], at: datetime) -> None:
        """Record how individual corrections ended."""
        sql = f"update {self._table} set status = %s, outcome = %s, settled_at = %s where correction_id = %s"
        with self._tables.transaction() as client:
            for row, status, outcome in told:
                client.execute_sql(sql, str(status), outcome, at, row.correction_id)


def _arrow(rows: Sequence[Correction]) -> pa.Table:
    schema = arrow_schema(COLUMNS)
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in COLUMNS}
    return pa.table(columns, schema=schema)

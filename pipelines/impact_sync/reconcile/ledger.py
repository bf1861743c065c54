"""`reconciliations` and `reconciliation_lines`: what each reconciliation found, kept in the warehouse for ever."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import dlt
import pyarrow as pa
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from impact_source.sql import Tables, fetch_arrow

from ..warehouse.own_tables import arrow_schema, create, insert
from .columns import LINES, NAMES, RECONCILIATIONS

HEADS, BODY = "reconciliations", "reconciliation_lines"
_UNSETTLED = files(__package__).joinpath("unsettled.sql").read_text()
_TOTALS = """
select kind, standing, remedy, currency, count(*) as differences, sum(commission) as commission
from {lines} where run_id = %s and standing <> 'settled' group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


class Ledger:
    """The two tables in the warehouse of a pipeline; they do not exist before the first reconciliation."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._tables = Tables(pipeline)
        self._heads, self._lines = self._tables.name(HEADS), self._tables.name(BODY)

    def unsettled(self) -> pa.Table:
        """The last line of each difference that was still there when last looked at."""
        empty = arrow_schema(LINES).empty_table()
        try:
            with self._tables.transaction() as client:
                found = fetch_arrow(client, _UNSETTLED.format(columns=", ".join(NAMES), lines=self._lines))
        except DatabaseUndefinedRelation:
            return empty
        return found if len(found) else empty

    def add(self, head: dict[str, Any], lines: Iterable[pa.Table]) -> None:
        """Store a reconciliation with its lines, all or nothing."""
        with self._tables.transaction() as client:
            create(client, self._heads, RECONCILIATIONS)
            create(client, self._lines, LINES)
            insert(client, self._heads, pa.Table.from_pylist([head], arrow_schema(RECONCILIATIONS)))
            for some in lines:
                insert(client, self._lines, some.select(NAMES).cast(arrow_schema(LINES)))

    def latest(self) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """The last reconciliation and its differences, added up by kind, standing, remedy and currency.

        None if there is none. For whoever reports on it: `reconciliations` has the columns of the first.
        """
        names = [field.name for field in RECONCILIATIONS]
        try:
            heads = self._tables.execute(
                f"select {', '.join(names)} from {self._heads} order by reconciled_at desc limit 1"
            )
        except DatabaseUndefinedRelation:
            return None
        if not heads:
            return None
        head = dict(zip(names, heads[0], strict=True))
        keys = ("kind", "standing", "remedy", "currency", "differences", "commission")
        totals = self._tables.execute(_TOTALS.format(lines=self._lines), head["run_id"])
        return head, [dict(zip(keys, row, strict=True)) for row in totals]

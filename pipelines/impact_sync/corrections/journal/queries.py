"""What the journal of corrections says: queries in SQL that DuckDB and Postgres share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import dlt
import pyarrow as pa
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from impact_source.dialect import quote
from impact_source.sql import Tables, in_utc

from ...warehouse.own_tables import TIME
from .calls import Call, calls_of
from .columns import COLUMNS, NAMES, NEVER_LEFT, TABLE, UNSETTLED, WAITING, Correction, Status

_FORSAKEN_AFTER = timedelta(minutes=15)
"""No request takes longer: a process that claimed a call before this is no longer sending it."""
_TIMES = [field.name for field in COLUMNS if field.type == TIME]


class Queries:
    """Reads the journal in the warehouse of a pipeline; it has no table until something was planned."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._tables = Tables(pipeline)
        self._table = self._tables.name(TABLE)
        self.alone = pipeline.destination.destination_name == "duckdb"
        """Whether we have this warehouse to ourselves while we work."""

    @property
    def exists(self) -> bool:
        """Whether anything was ever planned."""
        try:
            self.query(f"select 1 from {self._table} limit 1")
        except DatabaseUndefinedRelation:
            return False
        return True

    def plan(self, plan_id: str) -> list[Call]:
        """The calls of a plan in order; none if there is no such plan."""
        return self.calls("plan_id = %s", plan_id)

    def calls(self, where: str = "1 = 1", *params: Any) -> list[Call]:  # noqa: ANN401 - whatever SQL takes
        """Calls with these rows, plan by plan, in the order of their lines."""
        if not self.exists:
            return []
        columns = ", ".join(map(quote, NAMES))
        order = "planned_at, plan_id, min(line) over (partition by call_id), call_id, line"
        found = self.query(f"select {columns} from {self._table} where {where} order by {order}", *params)
        return calls_of(_row(values) for values in found)

    def engaged(self) -> dict[str, pa.Table]:
        """Actions that a correction may still change, with its plan, and how many calls were sent for each action."""
        unsettled, used = [], []
        if self.exists:
            listed, never = _marks(UNSETTLED), _marks((*NEVER_LEFT, Status.RETURNED, Status.REFUSED))
            unsettled = self.query(
                f"select action_id, min(plan_id) from {self._table} where status in ({listed}) group by action_id",
                *UNSETTLED,
            )
            used = self.query(
                f"select action_id, count(distinct call_id) from {self._table} where status not in ({never}) "
                "group by action_id",
                *NEVER_LEFT,
                Status.RETURNED,
                Status.REFUSED,
            )
        return {
            "unsettled": _pairs(unsettled, "plan_id", pa.string()),
            "used": _pairs(used, "calls", pa.int64()),
        }

    def rival(self, call: Call) -> str | None:
        """The plan of another correction of the same action that may still take effect, if there is one."""
        ((plan_id,),) = self.query(
            f"select min(plan_id) from {self._table} where action_id = %s and call_id <> %s "
            f"and status in ({_marks(UNSETTLED)})",
            *(call.action_id, call.id, *UNSETTLED),
        )
        return None if plan_id is None else str(plan_id)

    def forsaken(self, now: datetime) -> list[Call]:
        """Calls whose sender died while sending: nobody knows whether they left."""
        if self.alone:
            return self.calls("status = %s", Status.SENDING)
        return self.calls("status = %s and claimed_at < %s", Status.SENDING, now - _FORSAKEN_AFTER)

    def doubtful(self, since: datetime) -> list[Call]:
        """Calls sent since then that did not end well, or not yet; the action may show otherwise by now.

        Excludes calls that never became a submission, and those of actions for which a later call was sent.
        """
        never = (*NEVER_LEFT, Status.RETURNED)
        later = (
            f"select 1 from {self._table} o where o.action_id = d.action_id and o.call_id <> d.call_id "
            f"and o.claimed_at > d.claimed_at and o.status not in ({_marks(never)})"
        )
        found = (
            f"select d.call_id from {self._table} d where d.claimed_at >= %s and (d.status in (%s, %s) "
            "or (d.status = %s and d.processed_at is not null) "
            "or (d.status = %s and (d.batch_id is not null or d.settled_by is not null))) "
            f"and not exists ({later})"
        )
        stands = (Status.DIVERGED, Status.UNKNOWN, Status.ACCEPTED, Status.REFUSED)
        return self.calls(f"call_id in ({found})", since, *stands, *never)

    def waiting(self, plan_id: str) -> list[Call]:
        """Calls of a plan that wait for a person's decision."""
        return self.calls(f"plan_id = %s and status in ({_marks(WAITING)})", plan_id, *WAITING)

    def left(self) -> dict[str, str]:
        """Status of every call in the table, by id."""
        found = self.query(f"select distinct call_id, status from {self._table}") if self.exists else []
        return {str(call): str(status) for call, status in found}

    def at_home(self) -> set[str]:
        """Plans that the file beside the database must have; none if the database may have been used on other hosts."""
        if not self.alone or not self.exists:
            return set()
        return {str(row[0]) for row in self.query(f"select distinct plan_id from {self._table}")}

    def batches(self) -> set[str]:
        """Submissions that belong to calls."""
        sql = f"select distinct batch_id from {self._table} where batch_id is not null"
        return {str(row[0]) for row in self.query(sql)}

    def query(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        """Rows of a query, `%s` for each parameter."""
        return self._tables.execute(sql, *plain(params))


def _row(values: tuple[Any, ...]) -> Correction:
    row = dict(zip(NAMES, values, strict=True))
    for name in _TIMES:
        if row[name] is not None:
            row[name] = in_utc(row[name])
    return Correction(**row)


def plain(values: Iterable[Any]) -> list[Any]:
    """Values in a form that every driver accepts: a status becomes text."""
    return [str(value) if isinstance(value, Status) else value for value in values]


def _marks(values: Collection[str]) -> str:
    return ", ".join(["%s"] * len(values))


def _pairs(rows: Sequence[tuple[Any, ...]], name: str, kind: pa.DataType) -> pa.Table:
    return pa.table(
        {"action_id": pa.array([row[0] for row in rows], pa.string()), name: pa.array([row[1] for row in rows], kind)}
    )

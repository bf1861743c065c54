"""`action_history` and `action_item_history`: every version that was seen, with the interval it held.

A load package contains the versions of actions that replace others; first versions, and items, are copied here from the
tables that hold them now. New versions are found by comparing with the open row of the history itself, in SQL and in
one transaction, so a run that broke off between two tables loses none: the next one continues from what it finds. An
answer equal to the one before adds no version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import dlt
from impact_source.dialect import instant, read_statements
from impact_source.rows.naming import HISTORY
from impact_source.rows.ours import REMOVED
from impact_source.sql import Tables

from .duckdb.merge import transaction
from .history_check import Fault, find_faults
from .versioned import Versioned

_ROW_IDS = {"duckdb": "rowid", "postgres": "ctid"}
"""The column that tells apart two rows that are equal in every column, by dialect."""
_STATEMENTS = read_statements(__package__, "history.sql")
_KEYS = {"actions": ("action_history", ("id",)), "action_items": ("action_item_history", ("action_id", "sku"))}


class History:
    """The versions of one warehouse since it was opened. Does nothing if the history is turned off."""

    def __init__(self, pipeline: dlt.Pipeline, *, on: bool = True) -> None:
        self._pipeline, self._on, self._tables = pipeline, on, Tables(pipeline)
        self._complete = dict.fromkeys(_KEYS, False) | (self._matching() if on else {})

    def actions(self, since: datetime | None, first_seen: Sequence[str] = ()) -> None:
        """Bring `action_history` up to `actions`, to which rows were written from `since` on; None if none were.

        Rows without a version in a package get a first version: the updated pass saw them if their campaign is
        `first_seen` in this run; for another campaign, a run broke off before it recorded which pass did.
        """
        if sql := self._sql("actions", since):
            self._execute([sql.copy_first(first_seen), *sql.settle()])
            self._complete["actions"] = True

    def items(self, since: datetime | None) -> None:
        """Bring `action_item_history` up to `action_items`, which were requested from `since` on; None if none were."""
        if sql := self._sql("action_items", since):
            self._execute([sql.copy(), *sql.settle(), sql.fill("close_vanished")])
            self._complete["action_items"] = True

    def faults(self, before: datetime | None = None) -> list[Fault]:
        """What is wrong with the versions; for rows written after `before`, only what no run leaves behind."""
        return [
            fault
            for table in _KEYS
            if (versioned := self._versioned(table))
            for fault in find_faults(self._tables, versioned, before)
        ]

    def repair(self, now: datetime) -> None:
        """Make the versions adjoin and agree with the rows; versions without a row end at `now`."""
        for table in _KEYS:
            if versioned := self._versioned(table):
                sql = _Statements(self._tables, versioned, None)
                repaired = [*sql.keep_one(), sql.adjoin(now), sql.fill("rewrite")]
                vanished = [sql.fill("close_vanished")] if versioned.of_items else []
                self._execute([*repaired, sql.copy(), *sql.settle(), *vanished])
                self._complete[table] = True

    def _sql(self, table: str, since: datetime | None) -> _Statements | None:
        """The statements; None if there is nothing to do. If an earlier run broke off, they cover all rows."""
        if since is None and self._complete[table]:
            return None
        versioned = self._versioned(table)
        return _Statements(self._tables, versioned, since if self._complete[table] else None) if versioned else None

    def _matching(self) -> dict[str, bool]:
        """Whether each table's rows match its open versions: equally many, written at the same instants."""
        written = "count(*) as number, sum(cast(extract(epoch from synced_at) * 1000000 as bigint)) as written"
        asked = [
            f"select '{table}' as name, {written} from {table} union all "
            f"select '{table}' as name, {written} from {history} where valid_to is null"
            for table, (history, _) in _KEYS.items()
            if self._tables.holds(table) and self._tables.holds(history)
        ]
        if not asked:
            return {}
        rows = self._tables.rows(" union all ".join(asked))
        return {name: len({row for row in rows if row[0] == name}) == 1 for name in {row[0] for row in rows}}

    def _versioned(self, table: str) -> Versioned | None:
        history, key = _KEYS[table]
        self._tables.refresh()
        if not self._on or not all(map(self._tables.holds, (table, history))):
            return None
        tables = self._pipeline.default_schema.tables
        both = [name for name in tables[table]["columns"] if name in tables[history]["columns"]]
        ours = HISTORY | {"synced_at", REMOVED}  # the API's fields may have had such names in an older release
        columns = tuple(name for name in both if name not in ours and not name.startswith("_dlt"))
        return Versioned(table, history, key, columns)

    def _execute(self, statements: Sequence[str]) -> None:
        if self._tables.dialect == "duckdb":
            with self._pipeline.sql_client() as client:
                transaction(client.native_connection, "; ".join(statements))
            return
        with self._tables.transaction() as client:
            for statement in statements:
                client.execute_sql(statement)


class _Statements:
    """The statements for one table and its history, over rows written from `since` on."""

    def __init__(self, tables: Tables, versioned: Versioned, since: datetime | None) -> None:
        self._tables, self._versioned = tables, versioned
        self._since = f">= {instant(since)}" if since else "is not null"
        self._row_id = _ROW_IDS.get(tables.dialect)

    def fill(self, name: str, **more: str) -> str:
        """The statement of that name."""
        return self._versioned.fill(_STATEMENTS[name], self._tables, since=self._since, **more)

    def copy(self, more_columns: str = "", more_values: str = "") -> str:
        """Insert rows as versions if no open version was written with them."""
        return self.fill("copy", more_columns=more_columns, more_values=more_values)

    def copy_first(self, first_seen: Sequence[str]) -> str:
        """The same for actions; the updated pass saw those of the campaigns `first_seen`."""
        known = ", ".join(map(self._tables.literal, first_seen)) or "null"
        value = f", case when a.campaign_id in ({known}) then 'updated' end"
        return self.copy(f", {self._tables.column('pass')}", value)

    def settle(self) -> list[str]:
        """Of several open versions of a row, drop those that say nothing new and close all but the last."""
        several = self.fill("several")
        changes = [self.fill(name, among=several) for name in ("drop_unchanged", "close", "name_changes", "touch")]
        return [*self.keep_one(several), *changes]

    def keep_one(self, among: str = "true") -> list[str]:
        """If the warehouse cannot tell equal versions apart, keep all of them: better than none."""
        return [self.fill("keep_one", among=among, row_id=self._row_id)] if self._row_id else []

    def adjoin(self, now: datetime) -> str:
        """End each version where the next begins."""
        of_items = self.fill("wanted_of_items", now=instant(now))
        return self.fill("adjoin", wanted=of_items if self._versioned.of_items else "n.following")

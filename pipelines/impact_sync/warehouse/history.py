"""`action_history` and `action_item_history`: every version that was seen, with the interval it held.

A load package brings the versions of actions that replace others; first ones, and items, are copied here from the
tables that hold them now. What a version is, is found by comparing with the open row of the history itself, in SQL
and in one transaction, so that a run that broke off between two tables loses none: the next one goes on from what it
finds. An answer that says the same as the one before it adds no version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import dlt
from impact_source.rows.naming import HISTORY
from impact_source.rows.ours import REMOVED
from impact_source.warehouse import Warehouse

from .duckdb.merge import transaction
from .history_check import Fault, Versioned, find_faults

_ROW_IDS = {"duckdb": "rowid", "postgres": "ctid"}
"""What tells two rows apart that are the same in every column, by dialect."""
_KEYS = {"actions": ("action_history", ("id",)), "action_items": ("action_item_history", ("action_id", "sku"))}


class History:
    """The versions of one warehouse, from when it was opened on. Does nothing where the history is turned off."""

    def __init__(self, pipeline: dlt.Pipeline, *, on: bool = True) -> None:
        self._pipeline, self._on = pipeline, on
        self._complete = dict.fromkeys(_KEYS, False) | (self._matching() if on else {})

    def actions(self, since: datetime | None, first_seen: Sequence[str] = ()) -> None:
        """Bring `action_history` up to `actions`, to which rows were written from `since` on; None if none were.

        What no package brought is a first version: of a campaign `first_seen` in this run the updated pass saw it; of
        another campaign a run broke off before it said what had.
        """
        if sql := self._sql("actions", since):
            known = ", ".join(map(sql.literal, first_seen)) or "NULL"
            extra = {"pass": f"case when a.campaign_id in ({known}) then 'updated' end"}
            self._execute([*sql.copied(extra), *sql.settled()])
            self._complete["actions"] = True

    def items(self, since: datetime | None) -> None:
        """Bring `action_item_history` up to `action_items`, which were asked for from `since` on; None if none were."""
        if sql := self._sql("action_items", since):
            self._execute([*sql.copied({}), *sql.settled(), *sql.vanished()])
            self._complete["action_items"] = True

    def faults(self, before: datetime | None = None) -> list[Fault]:
        """What is wrong with the versions; of rows written after `before` only what no run leaves behind."""
        return [
            fault
            for table in _KEYS
            if (versioned := self._versioned(table))
            for fault in find_faults(self._pipeline, versioned, before)
        ]

    def repair(self, now: datetime) -> None:
        """Make the versions fit together and agree with the rows; those whose row is not there end `now`."""
        for table in _KEYS:
            if versioned := self._versioned(table):
                sql = _Sql(self._pipeline, versioned, None)
                statements = [*sql.single(), *sql.adjoining(now), *sql.rewritten(), *sql.copied({}), *sql.settled()]
                self._execute([*statements, *(sql.vanished() if table == "action_items" else [])])
                self._complete[table] = True

    def _sql(self, table: str, since: datetime | None) -> _Sql | None:
        """The statements; None where there is nothing to do. All rows are looked at if a run before had broken off."""
        if since is None and self._complete[table]:
            return None
        versioned = self._versioned(table)
        return _Sql(self._pipeline, versioned, since if self._complete[table] else None) if versioned else None

    def _matching(self) -> dict[str, bool]:
        """Of which tables the open versions are the rows: as many of them, written at the same instants."""
        warehouse = Warehouse(self._pipeline)
        written = "count(*) as number, sum(cast(extract(epoch from synced_at) * 1000000 as bigint)) as written"
        asked = [
            f"select '{table}' as name, {written} from {table} union all "
            f"select '{table}' as name, {written} from {history} where valid_to is null"
            for table, (history, _) in _KEYS.items()
            if warehouse.holds(table) and warehouse.holds(history)
        ]
        if not asked:
            return {}
        rows = warehouse.rows(warehouse.render(" union all ".join(asked)))
        return {name: len({row for row in rows if row[0] == name}) == 1 for name in {row[0] for row in rows}}

    def _versioned(self, table: str) -> Versioned | None:
        history, key = _KEYS[table]
        if not self._on or not all(map(Warehouse(self._pipeline).holds, (table, history))):
            return None
        tables = self._pipeline.default_schema.tables
        both = [name for name in tables[table]["columns"] if name in tables[history]["columns"]]
        ours = HISTORY | {"synced_at", REMOVED}  # the API's fields may have had such names in an older release
        columns = tuple(name for name in both if name not in ours and not name.startswith("_dlt"))
        return Versioned(table, history, key, columns)

    def _execute(self, statements: Sequence[str]) -> None:
        with self._pipeline.sql_client() as client:
            if client.capabilities.sqlglot_dialect == "duckdb":
                transaction(client.native_connection, "; ".join(statements))
                return
            with client.begin_transaction():
                for statement in statements:
                    client.execute_sql(statement)


class _Sql:
    """The statements for one table and its history: `a` is the table, `h` a version, `p` the one before it."""

    def __init__(self, pipeline: dlt.Pipeline, versioned: Versioned, since: datetime | None) -> None:
        with pipeline.sql_client() as client:
            self._table, self._history, self._fetches = map(
                client.make_qualified_table_name, (versioned.table, versioned.history, "item_fetches")
            )
            self._quoted = {name: client.escape_column_name(name) for name in (*versioned.columns, "pass")}
            self.literal = client.capabilities.escape_literal
            self._row_id = _ROW_IDS.get(str(client.capabilities.sqlglot_dialect))
        self._key, self._columns = versioned.key, versioned.columns
        self._since = f">= cast({self.literal(since.isoformat())} as timestamp with time zone)" if since else ""

    def copied(self, extra: dict[str, str]) -> Iterator[str]:
        """Rows of the table that no open version was written with, or after."""
        names = [self._quoted[name] for name in self._columns]
        into = ", ".join([*names, "synced_at", "valid_from", *(self._quoted[name] for name in extra)])
        values = ", ".join([*(f"a.{name}" for name in names), "a.synced_at", "a.synced_at", *extra.values()])
        within = f"and h.synced_at {self._since}" if self._since else ""
        yield (
            f"insert into {self._history} ({into}) select {values} from {self._table} a where {self._recent('a')} and "
            f"not exists (select 1 from {self._history} h where {self._same('h', 'a')} and h.valid_to is null "
            f"and h.synced_at >= a.synced_at {within})"
        )

    def settled(self) -> Iterator[str]:
        """Of several open versions of a row those that say nothing new go, and all but the last are closed."""
        key = ", ".join(self._key)
        touched = f"select {key} from {self._history} where valid_to is null and {self._recent()}"
        several = (
            f"valid_to is null and ({key}) in (select {key} from {self._history} where valid_to is null "
            f"and ({key}) in ({touched}) group by {key} having count(*) > 1)"
        )
        yield from self.single(several)
        compared = [self._quoted[name] for name in self._columns if name not in self._key]
        window = f"over (partition by {key} order by valid_from)"
        before = ", ".join(f"lag({name}) {window} as p{i}" for i, name in enumerate(compared))
        same = " and ".join(f"{name} is not distinct from p{i}" for i, name in enumerate(compared))
        yield (
            f"delete from {self._history} where ({key}, valid_from) in (select {key}, valid_from from (select *, "
            f"row_number() {window} as place, count(*) over (partition by {key}, valid_from) as copies, {before} "
            f"from {self._history} where {several}) chain where place > 1 and copies = 1 and {same})"
        )
        yield (
            f"update {self._history} set valid_to = n.following from (select {key}, valid_from, "
            f"lead(valid_from) {window} as following "
            f"from (select distinct {key}, valid_from from {self._history} where {several}) instants) n "
            f"where {self._same(self._history, 'n')} and {self._history}.valid_from = n.valid_from "
            "and n.following is not null"
        )
        changed = ", ".join(
            f"case when h.{name} is distinct from p.{name} then '{plain}' end"
            for name, plain in zip(compared, [n for n in self._columns if n not in self._key], strict=True)
        )
        yield (
            f"update {self._history} set changed = c.changed from (select {self._listed('h')}, h.valid_from, "
            f"concat_ws(', ', {changed}) as changed from {self._history} h join {self._history} p "
            f"on {self._same('p', 'h')} and p.valid_to = h.valid_from where p.valid_to {self._since or 'is not null'} "
            f"and h.changed is null and {self._recent('h')}) "
            f"c where {self._same(self._history, 'c')} and {self._history}.valid_from = c.valid_from"
        )
        # Else a row that was written again unchanged would be compared by every later run.
        yield (
            f"update {self._history} set synced_at = a.synced_at from {self._table} a "
            f"where {self._same(self._history, 'a')} and {self._history}.valid_to is null "
            f"and {self._history}.synced_at < a.synced_at and {self._recent('a')}"
        )

    def single(self, where: str = "true") -> Iterator[str]:
        """Of versions that began at one instant, as when a load was repeated or two runs were at work, one stays.

        Where the warehouse cannot tell such rows from one another they all stay: never none.
        """
        if self._row_id:
            key = ", ".join(self._key)
            order = "valid_to desc nulls first, synced_at desc nulls last, changed desc nulls last"
            yield (
                f"delete from {self._history} where {self._row_id} in (select row_id from (select {self._row_id} as "
                f"row_id, row_number() over (partition by {key}, valid_from order by {order}) as place "
                f"from {self._history} where {where}) copies where place > 1)"
            )

    def adjoining(self, now: datetime) -> Iterator[str]:
        """Each version holds until the next began. The last one is open, of an item as long as its row is there."""
        key = ", ".join(self._key)
        there = f"exists (select 1 from {self._table} a where {self._same('a', self._history)})"
        ended = f"cast({self.literal(now.isoformat())} as timestamp with time zone)"
        # An item can be gone for a while; an action is not.
        until = "n.following" if len(self._key) == 1 else f"least({self._history}.valid_to, n.following)"
        gone = f"case when not {there} then coalesce({self._history}.valid_to, {ended}) end"
        last = "cast(null as timestamp with time zone)" if len(self._key) == 1 else gone
        wanted = f"case when n.following is null then {last} else {until} end"
        yield (
            f"update {self._history} set valid_to = {wanted} from (select {key}, valid_from, lead(valid_from) over "
            f"(partition by {key} order by valid_from) as following from (select distinct {key}, valid_from "
            f"from {self._history}) instants) n where {self._same(self._history, 'n')} "
            f"and {self._history}.valid_from = n.valid_from and {self._history}.valid_to is distinct from {wanted}"
        )

    def rewritten(self) -> Iterator[str]:
        """Open versions that were written with their row, and do not say what it says, do."""
        compared = [self._quoted[name] for name in self._columns if name not in self._key]
        sets = ", ".join(f"{name} = a.{name}" for name in compared)
        differs = " or ".join(f"a.{name} is distinct from {self._history}.{name}" for name in compared)
        yield (
            f"update {self._history} set {sets} from {self._table} a where {self._same(self._history, 'a')} "
            f"and {self._history}.valid_to is null and {self._history}.synced_at >= a.synced_at and ({differs})"
        )

    def vanished(self) -> Iterator[str]:
        """Versions of items that a later list did not name any more are closed with it."""
        yield (
            f"update {self._history} set valid_to = f.fetched_at from {self._fetches} f "
            f"where f.action_id = {self._history}.action_id and {self._history}.valid_to is null "
            f"and f.fetched_at > {self._history}.valid_from and f.fetched_at {self._since or 'is not null'} "
            f"and not exists (select 1 from {self._table} a where {self._same('a', self._history)})"
        )

    def _recent(self, alias: str = "") -> str:
        return f"{alias}{'.' if alias else ''}synced_at {self._since or 'is not null'}"

    def _same(self, one: str, other: str) -> str:
        return " and ".join(f"{one}.{name} = {other}.{name}" for name in self._key)

    def _listed(self, alias: str) -> str:
        return ", ".join(f"{alias}.{name}" for name in self._key)

"""What a merge keeps of the rows that it replaces, in a DuckDB without a server; its statements are Postgres's too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.common.schema import Schema
from dlt.pipeline.exceptions import PipelineStepFailed
from impact_sync.warehouse.duckdb.merge import merge_sql, transaction
from impact_sync.warehouse.versions import Merge, find_merge, history_views

from tests.support.account import Account
from tests.support.warehouses import assert_true, query

Make = Callable[..., Account]
Row = tuple[Any, ...]
START = datetime(2026, 3, 1, tzinfo=UTC)
_TYPES = {"text": pa.string(), "bigint": pa.int64(), "timestamp": pa.timestamp("us", "UTC"), "bool": pa.bool_()}


def columns(**kinds: str) -> dict[str, dict[str, Any]]:
    """Columns as dlt knows them; a kind may be followed by hints."""
    found = {}
    for name, kind in kinds.items():
        data_type, *marks = kind.split()
        found[name] = {"name": name, "data_type": data_type} | dict.fromkeys(marks, True)
    return found | {"synced_at": {"name": "synced_at", "data_type": "timestamp", "dedup_sort": "desc"}}


ACTIONS = columns(**{"id": "text primary_key", "state": "text", "order": "text", "pass": "text", "changed": "text"})
ITEMS = columns(
    action_id="text primary_key merge_key",
    sku="text primary_key",
    payout="bigint",
    changed="text",
    removed="bool hard_delete",
)


class Book:
    """A table and its versions, both empty."""

    def __init__(self, folder: Path, known: dict[str, dict[str, Any]]) -> None:
        self.connection, self._folder, self._files = duckdb.connect(), folder, 0
        self.connection.execute("set timezone = 'UTC'")
        kept = {name: hint for name, hint in known.items() if name != "removed"}
        interval = columns(valid_from="timestamp", valid_to="timestamp")
        for table, listed in (("rows", known), ("versions", kept | interval)):
            typed = ", ".join(f'"{name}" {_sql(hint["data_type"])}' for name, hint in listed.items())
            self.connection.execute(f"create table {table} ({typed})")
        self.merge = Merge({"write_disposition": "merge", "columns": known}, "versions", kept.keys(), on=True)
        self._key = ", ".join(self.merge.key)

    def statements(self, *files: list[dict[str, Any]]) -> list[str]:
        """The statements that merge these files of rows; `at` is the hour of an answer."""
        paths = [self._write(rows) for rows in files]
        return merge_sql(self.connection, self.merge.table, "rows", paths, self.merge)

    def arrive(self, *files: list[dict[str, Any]]) -> None:
        """Merge one load package."""
        transaction(self.connection, "; ".join(self.statements(*files)))

    def history(self, values: str) -> list[Row]:
        """Key, values, since and until (hours) of all versions, the current ones included."""
        sql = (
            f"select {self._key}, {values}, valid_from, valid_to from versions union all "
            f"select {self._key}, {values}, synced_at, null from rows order by {self._key}, valid_from"
        )
        return [(*row[:-2], *map(_hour, row[-2:])) for row in self.connection.execute(sql).fetchall()]

    def _write(self, rows: list[dict[str, Any]]) -> str:
        known = self.merge.table["columns"]
        self._files += 1
        path = self._folder / f"{self._files}.parquet"
        rows = [{k: v for k, v in row.items() if k != "at"} | {"synced_at": _at(row["at"])} for row in rows]
        names = dict.fromkeys(name for row in rows for name in row)
        schema = pa.schema([(name, _TYPES[known[name]["data_type"]]) for name in names])
        pq.write_table(pa.Table.from_pylist(rows, schema), path)
        return str(path)


def _sql(kind: str) -> str:
    return {"timestamp": "timestamptz", "bool": "boolean"}.get(kind, kind)


def _at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def _hour(moment: datetime | None) -> int | None:
    return None if moment is None else round((moment - START) / timedelta(hours=1))


def action(id_: str, state: str | None, at: int, seen: str = "updated", **more: str | None) -> dict[str, Any]:
    """An answer about an action."""
    return {"id": id_, "state": state, "at": at, "pass": seen, "order": "o"} | more


def item(sku: str, payout: int | None, at: int, *, action_id: str = "a", removed: bool = False) -> dict[str, Any]:
    """An answer about an item."""
    return {"action_id": action_id, "sku": sku, "payout": payout, "at": at, "removed": removed or None}


@pytest.fixture
def actions(tmp_path: Path) -> Iterator[Book]:
    """A table of actions."""
    yield (book := Book(tmp_path, ACTIONS))
    book.connection.close()


@pytest.fixture
def items(tmp_path: Path) -> Iterator[Book]:
    """A table of items."""
    yield (book := Book(tmp_path, ITEMS))
    book.connection.close()


def test_a_first_row_is_written_once(actions: Book) -> None:
    """A backfill writes no version: the row is its own first version, known by its pass."""
    actions.arrive([action("a", "PENDING", 1), action("b", None, 2, "locking")])
    assert actions.history("state, pass, changed") == [
        ("a", "PENDING", "updated", None, 1, None),
        ("b", None, "locking", None, 2, None),
    ]
    assert actions.connection.execute("select count(*) from versions").fetchone() == (0,)


def test_a_replaced_row_is_a_version_that_ends_where_the_next_begins(actions: Book) -> None:
    """The columns that differ are listed, also if one was or is empty; others are left alone."""
    actions.arrive([action(id_, state, 1) for id_, state in (("a", "PENDING"), ("b", None), ("c", "PENDING"))])
    actions.arrive([action("a", "REVERSED", 5, "locking", order="p"), action("b", "PENDING", 6)])
    actions.arrive([action("a", None, 7, order="p")])
    assert actions.history('state, "order", pass, changed') == [
        ("a", "PENDING", "o", "updated", None, 1, 5),
        ("a", "REVERSED", "p", "locking", "state, order", 5, 7),
        ("a", None, "p", "updated", "state", 7, None),
        ("b", None, "o", "updated", None, 1, 6),
        ("b", "PENDING", "o", "updated", "state", 6, None),
        ("c", "PENDING", "o", "updated", None, 1, None),
    ]


def test_an_answer_that_says_nothing_new_leaves_the_row(actions: Book) -> None:
    """Neither the instant since when it is valid nor the pass that saw it moves."""
    actions.arrive([action("a", "PENDING", 1)])
    for at in (2, 3):
        actions.arrive([action("a", "PENDING", at, "locking")], [action("b", "PENDING", at)])
    assert actions.history("state, pass, changed") == [
        ("a", "PENDING", "updated", None, 1, None),
        ("b", "PENDING", "updated", None, 2, None),
    ]


def test_every_version_within_a_package_is_kept(actions: Book) -> None:
    """They are put in the order of their answers, whatever file they are in, and equal neighbours are one."""
    actions.arrive([action("a", "PENDING", 1)])
    actions.arrive(
        [action("a", "PENDING", 9, "unseen"), action("a", "REVERSED", 5), action("new", "PENDING", 5)],
        [action("a", "PENDING", 3), action("a", "REVERSED", 7, "locking"), action("new", "APPROVED", 6)],
    )
    assert actions.history("state, pass, changed") == [
        ("a", "PENDING", "updated", None, 1, 5),
        ("a", "REVERSED", "updated", "state", 5, 9),
        ("a", "PENDING", "unseen", "state", 9, None),
        ("new", "PENDING", "updated", None, 5, 6),
        ("new", "APPROVED", "updated", "state", 6, None),
    ]


def test_a_field_that_is_new_is_a_change_of_that_column(actions: Book) -> None:
    """The files before it do not have the column."""
    actions.merge.table["columns"] |= columns(tier="text")
    for table in ("rows", "versions"):
        actions.connection.execute(f"alter table {table} add column tier text")
    actions.merge = replace(actions.merge, kept=[*actions.merge.kept, "tier"])
    actions.arrive([action("a", "PENDING", 1), action("b", "PENDING", 1)])
    actions.arrive([action("a", "PENDING", 2)], [action("a", "PENDING", 3, tier="gold"), action("b", "PENDING", 3)])
    assert actions.history("tier, changed") == [
        ("a", None, None, 1, 3),
        ("a", "gold", "tier", 3, None),
        ("b", None, None, 1, None),
    ]


def test_a_version_that_held_for_no_time_is_none(actions: Book) -> None:
    """Answers of one instant, or one that is older than what is held, leave no interval that ends before it begins."""
    actions.arrive([action("a", "PENDING", 5), action("b", "PENDING", 5)])
    actions.arrive([action("a", "APPROVED", 5), action("b", "APPROVED", 4)])
    assert actions.history("state") == [("a", "APPROVED", 5, None), ("b", "APPROVED", 4, None)]


def test_what_is_replaced_while_the_history_is_off_is_a_gap_that_is_told(actions: Book) -> None:
    """Later versions say that the one before was not kept; an action that never had a version begins with the next."""
    actions.arrive([action("a", "PENDING", 1), action("b", "PENDING", 1)])
    actions.arrive([action("a", "APPROVED", 2)])
    actions.merge = replace(actions.merge, on=False)
    actions.arrive([action("a", "PENDING", 3), action("b", "APPROVED", 3)], [action("a", "REVERSED", 4)])
    actions.merge = replace(actions.merge, on=True)
    actions.arrive([action("a", "PENDING", 5), action("b", "REVERSED", 5)])
    assert actions.history("state, changed") == [
        ("a", "PENDING", None, 1, 2),
        ("a", "REVERSED", "", 4, 5),
        ("a", "PENDING", "state", 5, None),
        ("b", "APPROVED", None, 3, 5),
        ("b", "REVERSED", "state", 5, None),
    ]


def test_a_history_that_was_never_on_says_nothing(actions: Book) -> None:
    """Without a table of versions, rows are replaced, and those that do not change stay."""
    actions.merge = replace(actions.merge, kept=(), versions="nothing", on=False)
    actions.arrive([action("a", "PENDING", 1), action("b", "PENDING", 1)])
    actions.arrive([action("a", "REVERSED", 2), action("b", "PENDING", 2)])
    assert actions.history("state, changed") == [("a", "REVERSED", None, 2, None), ("b", "PENDING", None, 1, None)]


def test_a_row_that_somebody_deleted_does_not_begin_again(actions: Book) -> None:
    """Read again, it says that the version before it was not kept: it is no arrival."""
    actions.arrive([action("a", "PENDING", 1)])
    actions.arrive([action("a", "APPROVED", 2)])
    actions.connection.execute("delete from rows")
    actions.arrive([action("a", "APPROVED", 9), action("b", "PENDING", 9)])
    assert actions.history("state, changed") == [
        ("a", "PENDING", None, 1, 2),
        ("a", "APPROVED", "", 9, None),
        ("b", "PENDING", None, 9, None),
    ]


def test_a_row_that_somebody_doubled_is_single_again(actions: Book) -> None:
    """Whether or not it has changed since, it is there once, and so is its version."""
    actions.arrive([action("a", "PENDING", 1), action("b", "PENDING", 1), action("c", "PENDING", 1)])
    actions.connection.execute("insert into rows select * from rows")
    actions.arrive([action("a", "PENDING", 2), action("b", "APPROVED", 2)])
    actions.connection.execute("delete from rows where id = 'c'")
    assert actions.history("state, changed") == [
        ("a", "PENDING", None, 1, None),
        ("b", "PENDING", None, 1, 2),
        ("b", "APPROVED", "state", 2, None),
    ]


def test_items_of_an_action_are_replaced_together(items: Book) -> None:
    """One that is gone ends with the list that named it no more; one that did not change stays as it is."""
    items.arrive([item("same", 1, 1), item("changes", 1, 1), item("goes", 1, 1), item("other", 1, 1, action_id="b")])
    items.arrive([item("same", 1, 1), item("changes", 2, 5), item("comes", 3, 5), item("goes", None, 5, removed=True)])
    assert items.history("payout, changed") == [
        ("a", "changes", 1, None, 1, 5),
        ("a", "changes", 2, "payout", 5, None),
        ("a", "comes", 3, None, 5, None),
        ("a", "goes", 1, None, 1, 5),
        ("a", "same", 1, None, 1, None),
        ("b", "other", 1, None, 1, None),
    ]
    items.arrive([item("goes", 7, 9), item("same", 1, 1), item("changes", None, 9, removed=True)])
    assert [row for row in items.history("payout, changed") if row[1] in {"goes", "changes"}] == [
        ("a", "changes", 1, None, 1, 5),
        ("a", "changes", 2, "payout", 5, 9),
        ("a", "goes", 1, None, 1, 5),
        ("a", "goes", 7, "", 9, None),
    ]


def test_an_item_that_goes_and_comes_back_within_a_package_has_a_gap(items: Book) -> None:
    """Its version ends with the list without it, and the next one begins later."""
    items.arrive([item("x", 1, 1)])
    items.arrive([item("x", None, 3, removed=True), item("x", 1, 5)], [item("y", None, 5, removed=True)])
    assert items.history("payout") == [("a", "x", 1, 1, 3), ("a", "x", 1, 5, None)]


def test_an_action_left_without_items_has_none(items: Book) -> None:
    """Its versions are all that is left."""
    items.arrive([item("x", 1, 1), item("y", 2, 1)])
    items.arrive([item(sku, None, 4, removed=True) for sku in "xy"])
    assert items.history("payout") == [("a", "x", 1, 1, 4), ("a", "y", 2, 1, 4)]


def seen(**tables: dict[str, dict[str, Any]]) -> Schema:
    """A schema whose tables, by name, have been loaded."""
    schema = Schema("impact")
    for name, known in tables.items():
        listed = {column: hint | {"name": column} for column, hint in known.items()}
        schema.tables[name] = {"name": name, "columns": listed, "x-normalizer": {"seen-data": True}}  # type: ignore[typeddict-item]
    return schema


def test_the_view_of_an_action_shows_its_versions_and_its_present(actions: Book) -> None:
    """Each version with the interval it held; the current row from its answer on, without an end."""
    actions.arrive([action("a", "PENDING", 1)])
    actions.arrive([action("a", "APPROVED", 3)])
    kept = columns(id="text", state="text", synced_at="timestamp", valid_from="timestamp", valid_to="timestamp")
    schema = seen(actions=ACTIONS, action_versions=kept)
    actions.connection.execute("create view actions as from rows; create view action_versions as from versions")
    assert actions.connection.execute("select changed from actions").fetchall() == [("state",)]
    found = history_views(schema)
    assert list(found) == ["action_history"]
    assert found["action_history"].startswith("-- Every version of an action that was observed: one row for each")
    rows = actions.connection.execute(f"select * from ({found['action_history']}) order by valid_from").fetchall()
    assert rows == [("a", "PENDING", _at(1), _at(1), _at(3)), ("a", "APPROVED", _at(3), _at(3), None)]


def test_the_view_of_items_is_there_beside_that_of_actions() -> None:
    """Each says what its rows are; a table whose rows have no versions, or that is not loaded yet, has no view."""
    known = {"actions": ACTIONS, "action_versions": ACTIONS, "action_items": ITEMS, "action_item_versions": ITEMS}
    found = history_views(seen(**known))
    assert list(found) == ["action_history", "action_item_history"]
    assert found["action_item_history"].startswith("-- Every version of an item that was observed: one row for each")
    plain = {name: hint for name, hint in ACTIONS.items() if name != "changed"}
    assert history_views(seen(actions=plain, action_versions=ACTIONS)) == {}
    assert history_views(seen(actions=ACTIONS)) == {}
    unseen = seen(**known)
    unseen.tables["action_versions"]["x-normalizer"] = {}
    assert list(history_views(unseen)) == ["action_item_history"]


def test_only_rows_that_say_what_changed_have_versions() -> None:
    """The merge knows the table of versions by its full name, and its columns once it is loaded."""
    schema = seen(actions=ACTIONS, action_versions=columns(id="text", state="text"), campaigns=ACTIONS)

    def merge_of(table: str, *, on: bool = True) -> Merge | None:
        return find_merge(schema, schema.tables[table], lambda name: f"warehouse.{name}", on=on)

    found = merge_of("actions", on=False)
    assert found is not None
    assert (found.versions, [*found.kept], found.on) == (
        "warehouse.action_versions",
        ["id", "state", "synced_at"],
        False,
    )
    assert found.table is schema.tables["actions"]
    assert (again := merge_of("actions")) is not None
    assert again.on
    assert merge_of("campaigns") is None
    del schema.tables["actions"]["columns"]["changed"]
    assert merge_of("actions") is None


def test_a_merge_that_fails_anywhere_leaves_table_and_versions_as_they_were(actions: Book) -> None:
    """Whichever of its statements it reached: all of them are one transaction."""
    actions.arrive([action("a", "PENDING", 1), action("b", "PENDING", 1)])
    before = actions.history("state, changed")
    statements = actions.statements([action("a", "REVERSED", 2), action("c", "PENDING", 2)])
    assert len(statements) == 9
    for reached in range(1, len(statements) + 1):
        with pytest.raises(duckdb.ConversionException):
            transaction(actions.connection, "; ".join([*statements[:reached], "select cast('killed' as integer)"]))
        assert actions.history("state, changed") == before
    transaction(actions.connection, "; ".join(statements))
    assert len(actions.history("state")) == 4


@pytest.mark.usefixtures("warehouse")
def test_a_run_that_fails_in_a_merge_has_changed_nothing_in_it(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each statement, on each warehouse: the versions are those of before, and the next run does all of it."""
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    world = account(days=2, per_day=2)
    changing = world.world.create(Payout="10.00")
    world.first_sync()
    world.world.advance(days=1)
    world.world.modify(changing, Payout="5.00")
    counted = "select count(*), count(valid_to), sum(payout) from {action_history}"
    before, made = query(counted), cast("Any", Merge.statements)
    for reached in range(1, 7):

        def failing(merge: Merge, *names: str, reached: int = reached) -> list[str]:
            statements = made(merge, *names)
            return [*statements[:reached], "select cast('killed' as integer)", *statements[reached:]]

        with monkeypatch.context() as patch:
            patch.setattr(Merge, "statements", failing)
            with pytest.raises(PipelineStepFailed):
                world.sync()
        assert query(counted) == before
    world.sync()
    assert query(f"select payout from {{action_versions}} where id = '{changing}'") == [(10,)]
    assert_true(world)

"""Which versions a history holds after each step, in a DuckDB file and without a server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dlt
import pytest
from dlt.common.schema import Schema
from impact_sync.warehouse.history import History
from impact_sync.warehouse.history_check import Wrong
from impact_sync.warehouse.open import open_pipeline

START = datetime(2026, 3, 1, tzinfo=UTC)
VERSION = {"pass": "text", "changed": "text", "valid_from": "timestamp", "valid_to": "timestamp"}
ACTION = {"id": "text", "campaign_id": "text", "state": "text", "order": "text", "synced_at": "timestamp"}
ITEM = {"action_id": "text", "sku": "text", "payout": "bigint", "synced_at": "timestamp"}
TABLES = {
    "actions": ACTION | {"removed": "bool"},
    "action_history": ACTION | VERSION,
    "action_items": ITEM | {"removed": "bool"},
    "action_item_history": ITEM | VERSION,
    "item_fetches": {"action_id": "text", "fetched_at": "timestamp"},
}
SQL = {"text": "text", "timestamp": "timestamptz", "bool": "boolean", "bigint": "bigint"}
Version = tuple[Any, ...]


def at(hour: int | None) -> datetime | None:
    """So many hours after the start."""
    return None if hour is None else START + timedelta(hours=hour)


def hour(moment: datetime | None) -> int | None:
    """The hours since the start."""
    return None if moment is None else round((moment - START) / timedelta(hours=1))


class Book:
    """A warehouse with a history, both empty."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self.pipeline = pipeline
        schema = Schema("impact")
        with pipeline.sql_client() as client:
            client.create_dataset()
        for name, columns in TABLES.items():
            listed: Any = {one: {"name": one, "data_type": kind} for one, kind in columns.items()}
            listed["_dlt_id"] = {"name": "_dlt_id", "data_type": "text"}
            schema.update_table({"name": name, "columns": listed, "x-normalizer": {"seen-data": True}})
            typed = ", ".join(f'"{one}" {SQL[kind]}' for one, kind in columns.items())
            self.run(f"create table impact.{name} ({typed}, _dlt_id text default uuid())")
        pipeline._inject_schema(schema)  # noqa: SLF001 - as a load does

    def run(self, sql: str, *params: object) -> list[Version]:
        """What a statement returns."""
        with self.pipeline.sql_client() as client:
            return [tuple(row) for row in client.execute_sql(sql, *params) or []]

    def action(self, id_: str, state: str | None, synced: int, order: str = "o", campaign: str = "1") -> None:
        """The row of an action as it was last read."""
        self.run("delete from impact.actions where id = %s", id_)
        sql = "insert into impact.actions values (%s, %s, %s, %s, %s, null, default)"
        self.run(sql, id_, campaign, state, order, at(synced))

    def version(  # noqa: PLR0913 - one value each
        self,
        id_: str,
        state: str | None,
        since: int,
        until: int | None = None,
        *,
        synced: int | None = None,
        changed: str | None = None,
        order: str = "o",
    ) -> None:
        """A version of an action, as a load package contains it."""
        sql = "insert into impact.action_history values (%s, '1', %s, %s, %s, 'locking', %s, %s, %s, default)"
        self.run(sql, id_, state, order, at(since if synced is None else synced), changed, at(since), at(until))

    def item(self, sku: str, payout: int, synced: int) -> None:
        """The row of an item."""
        self.run("delete from impact.action_items where sku = %s", sku)
        self.run("insert into impact.action_items values ('a', %s, %s, %s, null, default)", sku, payout, at(synced))

    def item_version(self, sku: str, payout: int, since: int, until: int | None = None) -> None:
        """A version of an item."""
        sql = "insert into impact.action_item_history values ('a', %s, %s, %s, null, null, %s, %s, default)"
        self.run(sql, sku, payout, at(since), at(since), at(until))

    def fetched(self, moment: int) -> None:
        """The items were requested."""
        self.run("insert into impact.item_fetches values ('a', %s, default)", at(moment))

    def versions(self, columns: str = "state") -> list[Version]:
        """Id, columns, since and until of all versions of actions."""
        sql = f"select id, {columns}, valid_from, valid_to from impact.action_history order by id, valid_from, valid_to"
        return [(*row[:-2], hour(row[-2]), hour(row[-1])) for row in self.run(sql)]

    def item_versions(self) -> list[Version]:
        """Sku, payout, since and until of all versions of items."""
        sql = "select sku, payout, valid_from, valid_to from impact.action_item_history order by sku, valid_from"
        return [(*row[:-2], hour(row[-2]), hour(row[-1])) for row in self.run(sql)]

    def actions(self, since: int | None, *first_seen: str) -> None:
        """Bring the versions of actions up to date in a separate run."""
        History(self.pipeline).actions(at(since), first_seen)

    def items(self, since: int | None) -> None:
        """Bring the versions of items up to date in a separate run."""
        History(self.pipeline).items(at(since))

    def faults(self, before: int | None = None) -> dict[Wrong, tuple[str, int, tuple[str, ...]]]:
        """What is wrong, with its table, its number and its keys."""
        found = History(self.pipeline).faults(at(before))
        return {one.wrong: (one.history, one.count, one.keys) for one in found}


@pytest.fixture
def book() -> Iterator[Book]:
    """A warehouse with an empty history."""
    with open_pipeline() as pipeline:
        yield Book(pipeline)


def test_what_no_package_brought_is_a_first_version(book: Book) -> None:
    """A new row begins its history when it was read; the pass is known for campaigns that this run began."""
    book.action("a", "PENDING", 1)
    book.action("b", "APPROVED", 2, campaign="it's")
    book.action("c", None, 2, campaign="3")
    book.actions(0, "1", "it's")
    assert book.versions("state, pass, changed") == [
        ("a", "PENDING", "updated", None, 1, None),
        ("b", "APPROVED", "updated", None, 2, None),
        ("c", None, None, None, 2, None),
    ]
    book.actions(0)
    assert len(book.versions()) == 3
    assert book.faults() == {}


def test_a_version_ends_where_the_next_begins_and_says_what_changed(book: Book) -> None:
    """The columns that differ are listed, also if one was or is empty."""
    for id_, before, now in (("a", "PENDING", "REVERSED"), ("b", None, "PENDING"), ("c", "PENDING", None)):
        book.version(id_, before, 1)
        book.version(id_, now, 5)
        book.action(id_, now, 5)
    book.version("d", "PENDING", 1)
    book.version("d", "REVERSED", 5, order="p")
    book.action("d", "REVERSED", 5, order="p")
    book.actions(4)
    assert book.versions("state, changed")[-2:] == [
        ("d", "PENDING", None, 1, 5),
        ("d", "REVERSED", "state, order", 5, None),
    ]
    assert [row[1:] for row in book.versions("changed")[:-2]] == [(None, 1, 5), ("state", 5, None)] * 3


def test_a_version_that_says_nothing_new_is_none(book: Book) -> None:
    """An answer equal to the one before adds no version; the open one gets the time of its row."""
    book.version("a", "PENDING", 1)
    book.version("a", "PENDING", 3)
    book.version("a", "REVERSED", 5)
    book.version("a", "REVERSED", 7)
    book.action("a", "REVERSED", 7)
    book.actions(2)
    assert book.versions("state, synced_at") == [
        ("a", "PENDING", at(1), 1, 5),
        ("a", "REVERSED", at(7), 5, None),
    ]


def test_of_versions_that_began_at_one_instant_the_open_and_latest_stays(book: Book) -> None:
    """A repeated load adds nothing, and what is known of a version is kept."""
    book.version("a", "PENDING", 1, synced=3)
    book.version("a", "PENDING", 1, synced=2)
    book.version("b", "PENDING", 1, changed="state")
    book.version("b", "PENDING", 1)
    book.action("a", "PENDING", 3)
    book.action("b", "PENDING", 1)
    book.actions(1)
    assert book.versions("changed, synced_at") == [("a", None, at(3), 1, None), ("b", "state", at(1), 1, None)]


def test_a_run_looks_at_what_it_wrote_alone(book: Book) -> None:
    """If the history matched the rows before, versions from before the run stay as they are."""
    book.version("a", "PENDING", 1)
    book.action("a", "REVERSED", 1)
    book.version("b", "PENDING", 1)
    book.action("b", "PENDING", 1)
    history = History(book.pipeline)
    book.action("b", "REVERSED", 5)
    book.version("b", "REVERSED", 5)
    book.version("c", "PENDING", 3)
    book.version("c", "REVERSED", 4)
    history.actions(at(5))
    assert book.versions("state, changed") == [
        ("a", "PENDING", None, 1, None),
        ("b", "PENDING", None, 1, 5),
        ("b", "REVERSED", "state", 5, None),
        ("c", "PENDING", None, 3, None),
        ("c", "REVERSED", None, 4, None),
    ]


def test_what_a_broken_run_left_is_settled_by_the_next(book: Book) -> None:
    """A run that writes nothing itself still completes the history, and then has nothing left to do."""
    book.version("a", "PENDING", 1)
    book.action("a", "REVERSED", 5)
    history = History(book.pipeline)
    history.actions(None)
    assert book.versions() == [("a", "PENDING", 1, 5), ("a", "REVERSED", 5, None)]
    book.action("b", "PENDING", 6)
    history.actions(None)
    assert len(book.versions()) == 2, "what is complete is not looked at again"
    history.actions(at(7))
    assert len(book.versions()) == 2, "nor is what was written before"
    history.actions(at(6))
    assert len(book.versions()) == 3


def test_the_same_number_of_rows_is_not_the_same_rows(book: Book) -> None:
    """As many versions as rows, but with other instants, are a history in which a run broke off."""
    book.version("a", "PENDING", 1)
    book.action("b", "PENDING", 2)
    book.actions(None)
    assert book.versions() == [("a", "PENDING", 1, None), ("b", "PENDING", 2, None)]


def test_a_history_that_is_turned_off_stays_as_it_is(book: Book) -> None:
    """Nothing is written, checked or repaired."""
    book.action("a", "PENDING", 1)
    book.item("s", 1, 1)
    history = History(book.pipeline, on=False)
    history.actions(at(0))
    history.items(at(0))
    history.repair(START)
    assert history.faults() == []
    assert book.versions() == book.item_versions() == []


def test_a_warehouse_without_a_history_is_none(book: Book) -> None:
    """Before the first package with a history there is nothing to bring up to date."""
    book.action("a", "PENDING", 1)
    del book.pipeline.default_schema.tables["action_history"]
    book.actions(0)
    assert book.faults() == {}


def test_items_are_versioned_by_action_and_sku(book: Book) -> None:
    """An item missing from a later list ends with it; one that was not requested since stays."""
    book.item_version("s", 1, 1)
    book.item_version("s", 2, 5)
    book.item("s", 2, 5)
    book.item_version("gone", 1, 1)
    book.item_version("later", 1, 9)
    book.fetched(5)
    book.item("new", 7, 5)
    book.items(5)
    assert book.item_versions() == [
        ("gone", 1, 1, 5),
        ("later", 1, 9, None),
        ("new", 7, 5, None),
        ("s", 1, 1, 5),
        ("s", 2, 5, None),
    ]


def test_items_of_lists_before_the_run_are_left(book: Book) -> None:
    """If the history of items is complete, only what this run requested ends versions."""
    book.item("s", 1, 1)
    book.item_version("s", 1, 1)
    history = History(book.pipeline)
    book.item_version("gone", 1, 1)
    book.fetched(4)
    history.items(at(5))
    assert book.item_versions()[0] == ("gone", 1, 1, None)
    history.items(None)
    assert book.item_versions()[0] == ("gone", 1, 1, None)
    history.items(at(4))
    assert book.item_versions()[0] == ("gone", 1, 1, 4)


def test_a_repair_makes_versions_fit(book: Book) -> None:
    """Each holds until the next begins, the last equals its row, and what no longer has a row is no longer open."""
    book.action("a", "REVERSED", 9)
    book.version("a", "PENDING", 1, 3)
    book.version("a", "PENDING", 1, 3)
    book.version("a", "APPROVED", 5, 4)
    book.version("a", "wrong", 9, 10)
    book.action("b", "PENDING", 2)
    book.version("c", "PENDING", 2, 3)
    book.item("s", 1, 1)
    book.item("n", 3, 2)
    book.item_version("s", 9, 1, 2)
    book.item_version("x", 1, 1, 2)
    book.item_version("x", 2, 4)
    book.item_version("y", 1, 1, 9)
    book.item_version("y", 2, 4, 5)
    assert set(book.faults()) == {Wrong.REPEATED, Wrong.NONE, Wrong.STRAY, Wrong.APART}
    History(book.pipeline).repair(START + timedelta(hours=20))
    assert book.versions() == [
        ("a", "PENDING", 1, 5),
        ("a", "APPROVED", 5, 9),
        ("a", "REVERSED", 9, None),
        ("b", "PENDING", 2, None),
        ("c", "PENDING", 2, None),
    ]
    assert book.item_versions() == [
        ("n", 3, 2, None),
        ("s", 1, 1, None),
        ("x", 1, 1, 2),
        ("x", 2, 4, 20),
        ("y", 1, 1, 4),
        ("y", 2, 4, 5),
    ]
    assert book.faults() == {}


def test_a_repair_closes_items_with_the_list_that_does_not_name_them(book: Book) -> None:
    """An item that is gone ends when its action's items were last requested, and its history is complete then."""
    book.item("s", 1, 1)
    book.item_version("s", 1, 1)
    book.fetched(4)
    history = History(book.pipeline)
    history.repair(START + timedelta(hours=20))
    book.item("n", 1, 2)
    history.items(None)
    history.actions(None)
    assert book.item_versions() == [("s", 1, 1, None)]


def test_what_is_wrong_is_told_with_its_number_and_keys(book: Book) -> None:
    """A finding names the table, how many rows it concerns and a few of them."""
    for number in range(7):
        book.action(f"n{number}", "PENDING", 1)
    book.action("d", "PENDING", 1)
    book.version("d", "REVERSED", 1)
    book.action("s", "PENDING", 1)
    book.version("s", "PENDING", 1)
    book.version("s", "PENDING", 2)
    assert book.faults() == {
        Wrong.NONE: ("action_history", 7, ("n0", "n1", "n2", "n3", "n4")),
        Wrong.DIFFERENT: ("action_history", 1, ("d",)),
        Wrong.SEVERAL: ("action_history", 1, ("s",)),
    }
    assert book.faults(2) == book.faults()
    assert set(book.faults(1)) == {Wrong.NONE, Wrong.DIFFERENT}, "the second version came later"
    assert book.faults(0) == {}


def test_an_item_may_be_gone_for_a_while_and_an_action_may_not(book: Book) -> None:
    """Versions of an action adjoin; those of an item may have a gap between them, and none may overlap."""
    book.version("a", "PENDING", 1, 3)
    book.version("a", "APPROVED", 5)
    book.action("a", "APPROVED", 5)
    book.version("b", "PENDING", 1, 3)
    book.version("b", "APPROVED", 3)
    book.action("b", "APPROVED", 3)
    for sku, until in (("gap", 3), ("adjoins", 5), ("overlaps", 6)):
        book.item_version(sku, 1, 1, until)
        book.item_version(sku, 2, 5)
        book.item(sku, 2, 5)
    book.item_version("ends before it begins", 1, 5, 4)
    assert [(one.history, one.wrong, one.count, one.keys) for one in History(book.pipeline).faults()] == [
        ("action_history", Wrong.APART, 1, ("a",)),
        ("action_item_history", Wrong.APART, 2, ("a ends before it begins", "a overlaps")),
    ]


def test_an_item_whose_list_came_after_the_last_run_is_no_fault(book: Book) -> None:
    """What a run that broke off has yet to close is not reported; what no list can explain is."""
    book.item_version("gone", 1, 1)
    book.fetched(5)
    assert book.faults() == {Wrong.STRAY: ("action_item_history", 1, ("a gone",))}
    assert book.faults(4) == {}
    assert book.faults(5) == {Wrong.STRAY: ("action_item_history", 1, ("a gone",))}
    assert book.faults(0) == {}


def test_versions_of_an_action_whose_row_is_not_there_are_no_fault_of_the_history(book: Book) -> None:
    """A missing row is reported as a missing row."""
    book.version("a", "PENDING", 1)
    assert book.faults() == {}


def test_every_finding_reads_as_a_line(book: Book) -> None:
    """The table, the number, what is wrong, and a few of the keys; dots if there are more."""
    book.action("a", "PENDING", 1)
    (one,) = History(book.pipeline).faults()
    assert str(one) == "action_history: 1 rows without an open version (a)"
    for number in range(5):
        book.action(f"b{number}", "PENDING", 1)
    (several,) = History(book.pipeline).faults()
    assert str(several) == "action_history: 6 rows without an open version (a, b0, b1, b2, b3, …)"


def test_a_repair_completes_both_histories(book: Book) -> None:
    """After a repair a run that wrote nothing has nothing to check, for actions as for items."""
    book.action("a", "PENDING", 1)
    book.item("s", 1, 1)
    history = History(book.pipeline)
    history.repair(START + timedelta(hours=20))
    assert (book.versions(), book.item_versions()) == ([("a", "PENDING", 1, None)], [("s", 1, 1, None)])
    book.action("b", "PENDING", 2)
    book.item("t", 1, 2)
    history.actions(None)
    history.items(None)
    assert len(book.versions()) == len(book.item_versions()) == 1

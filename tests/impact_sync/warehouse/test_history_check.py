"""What must hold for versions, and the repair of what does not, in a DuckDB file and without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dlt
import pytest
from impact_source.rows.items import no_items
from impact_source.rows.landing import Landing
from impact_source.sql import Tables
from impact_sync.warehouse.history_check import Wrong, find_faults, repair_versions

from tests.support.landings import batch, load

START = datetime(2026, 3, 1, tzinfo=UTC)
Version = tuple[str, int, int | None, str | None]
"""Key, since, until (hours), what changed."""


def at(hour: int | None) -> datetime | None:
    """So many hours after the start."""
    return None if hour is None else START + timedelta(hours=hour)


class Book:
    """A warehouse with tables of versions, all empty."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self.pipeline, self._tables = pipeline, Tables(pipeline)
        empty = batch({}).records.table.slice(0, 0)
        load(pipeline, Landing(actions=empty, items=no_items(), declared=True), history=True)

    def actions(self, *versions: Version) -> None:
        """Versions of actions; the row itself has no end."""
        for id_, since, until, changed in versions:
            self._add("actions", "id", (id_,), since, until, changed)

    def items(self, *versions: Version) -> None:
        """Versions of items of one action, by Sku."""
        for sku, since, until, changed in versions:
            self._add("action_items", "action_id, sku", ("1", sku), since, until, changed)

    def _add(  # noqa: PLR0913, PLR0917 - one value each
        self, table: str, key: str, values: tuple[str, ...], since: int, until: int | None, changed: str | None
    ) -> None:
        names, row = f"{key}, synced_at, changed", (*values, at(since), changed)
        if until is not None:
            table = {"actions": "action_versions", "action_items": "action_item_versions"}[table]
            names, row = f"{names}, valid_from, valid_to", (*row, at(since), at(until))
        self._tables.rows(f"insert into {table} ({names}) values ({', '.join(['%s'] * len(row))})", *row)

    def versions(self, table: str = "action_versions", key: str = "id") -> list[tuple[str, int, int]]:
        """Key, since and until of the versions that are not current."""
        rows = self._tables.rows(f"select {key}, valid_from, valid_to from {table} order by {key}, valid_from")
        return [(row[0], *(round((moment - START) / timedelta(hours=1)) for moment in row[1:])) for row in rows]

    @property
    def faults(self) -> dict[tuple[str, Wrong], tuple[int, tuple[str, ...]]]:
        """What is wrong, with its number and keys."""
        return {(one.history, one.wrong): (one.count, one.keys) for one in find_faults(self.pipeline)}

    def repair(self) -> None:
        """Repair, 20 hours after the start."""
        repair_versions(self.pipeline, START + timedelta(hours=20))


@pytest.fixture
def book(pipeline: dlt.Pipeline) -> Book:
    """A warehouse with tables of versions."""
    return Book(pipeline)


def test_versions_that_adjoin_up_to_their_row_are_right(book: Book) -> None:
    """So are a row without any, and one that is gone."""
    book.actions(("a", 1, 3, None), ("a", 3, 5, "state"), ("a", 5, None, "state"), ("b", 1, None, None))
    book.actions(("gone", 1, 3, None), ("gone", 3, 4, "state"))
    book.items(("x", 1, 3, None), ("x", 3, None, "payout"), ("gone", 1, 3, None))
    assert book.faults == {}


def test_a_gap_is_right_where_the_version_before_was_not_kept(book: Book) -> None:
    """While the history is turned off nothing is kept, and the next version says so; any other gap is wrong."""
    book.actions(("off", 1, 3, None), ("off", 5, None, ""), ("twice", 1, 2, None), ("twice", 4, 6, ""))
    book.actions(("twice", 8, None, ""), ("gap", 1, 3, None), ("gap", 5, None, "state"), ("old", 1, 3, None))
    book.actions(("old", 4, 5, None), ("old", 5, None, "state"))
    book.items(("gone for a while", 1, 3, None), ("gone for a while", 5, None, ""))
    assert book.faults == {("action_history", Wrong.APART): (2, ("gap", "old"))}
    book.repair()
    assert book.faults == {}
    assert [row for row in book.versions() if row[0] in {"gap", "off"}] == [("gap", 1, 5), ("off", 1, 3)]


def test_what_does_not_fit_is_found_and_repaired(book: Book) -> None:
    """Each version ends where the next begins; one that begins twice is there once, one after its row goes."""
    book.actions(("a", 1, 3, None), ("a", 1, 3, None), ("a", 3, None, "state"))
    book.actions(("late", 1, 7, None), ("late", 5, 9, "state"), ("late", 9, None, "state"))
    book.actions(("later", 1, 3, None), ("later", 3, None, "state"), ("later", 4, 6, "state"))
    book.actions(("never", 3, 2, None))
    book.items(("x", 1, 6, None), ("x", 5, None, "payout"))
    assert book.faults == {
        ("action_history", Wrong.REPEATED): (1, ("a",)),
        ("action_history", Wrong.APART): (4, ("a", "late", "later", "never")),
        ("action_item_history", Wrong.APART): (1, ("1 x",)),
    }
    book.repair()
    assert book.faults == {}
    assert book.versions() == [("a", 1, 3), ("late", 1, 5), ("late", 5, 9), ("later", 1, 3), ("never", 3, 20)]
    assert book.versions("action_item_versions", "sku") == [("x", 1, 5)]


def test_every_finding_reads_as_a_line(book: Book) -> None:
    """The history, the number, what is wrong, and a few of the keys; dots if there are more."""
    book.actions(("a", 1, 3, None), ("a", 1, 3, None), ("a", 3, None, None))
    found = [str(one) for one in find_faults(book.pipeline)]
    assert found[0] == "action_history: 1 versions that begin at the same instant (a)"
    for number in range(5):
        book.actions((f"b{number}", 3, 1, None))
    *_, several = map(str, find_faults(book.pipeline))
    assert several == "action_history: 6 versions that do not end where the next begins (a, b0, b1, b2, b3, …)"


def test_a_warehouse_without_versions_has_no_faults(pipeline: dlt.Pipeline) -> None:
    """Before the first sync with a history there is nothing to find or to repair."""
    load(pipeline, Landing(actions=batch({}).records.table))
    assert list(find_faults(pipeline)) == []
    repair_versions(pipeline, START)

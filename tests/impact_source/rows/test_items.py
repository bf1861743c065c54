"""Lines of an action become one row per Sku, and a change of any of them writes all of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from impact_source.rows.columns import ITEM, LINE_COUNT
from impact_source.rows.items import (
    changed_items,
    item_reader,
    merge_lines,
    merge_what_fits,
    no_items,
    of_action,
    outdate,
)
from impact_source.rows.ours import FETCH_TABLE, REMOVED

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
NAMES = ["action_id", *(column.name for column in ITEM), LINE_COUNT.name, "known_by", "synced_at"]
HUGE = "999999999999.99"
"""The largest amount: no second line can be added to it."""


def page(*lines: dict[str, Any] | str) -> bytes:
    """A page that lists these lines."""
    return json.dumps(lines).encode()


def lines(*records: dict[str, Any], read_at: datetime = NOW) -> pa.Table:
    """Lines as they were read."""
    return item_reader().read(page(*records), read_at).table


def items(*records: dict[str, Any], action: str = "1", read_at: datetime = NOW) -> pa.Table:
    """Items of an action, as they are written."""
    return of_action(action, merge_lines(lines(*records, read_at=read_at)))


def read(*actions: str) -> dict[str, datetime]:
    """When the lists of these actions were read."""
    return dict.fromkeys(actions, LATER)


def keys(table: pa.Table | None) -> list[tuple[Any, ...]] | None:
    """Action, Sku and instant of each row; None if there is no table."""
    if table is None:
        return None
    return [(row["action_id"], row["sku"], row["synced_at"]) for row in table.to_pylist()]


def test_no_items_have_every_column() -> None:
    """The table is created from them: the key is not nullable, and the number of lines is a column."""
    table = no_items()
    assert len(table) == 0
    assert table.column_names == NAMES
    assert [field.name for field in table.schema if not field.nullable] == ["action_id", "sku"]
    assert {str(table.schema.field(name).type) for name in ("action_id", "sku")} == {"string"}
    assert str(table.schema.field(LINE_COUNT.name).type) == "int64"


def test_items_know_their_action() -> None:
    """Its id is the first column of each."""
    table = items({"Sku": "A"}, {"Sku": "B"}, action="17")
    assert table["action_id"].to_pylist() == ["17", "17"]
    assert table.column_names == NAMES
    assert [field.name for field in table.schema if not field.nullable] == ["action_id", "sku"]


def test_lines_with_different_skus_stay_as_they_are() -> None:
    """Each is one line; a missing Sku is the empty text."""
    table = merge_lines(lines({"Sku": "A", "Quantity": "2"}, {"Quantity": "3", "Rebate": "1.50"}))
    assert table["sku"].to_pylist() == ["A", ""]
    assert table["quantity"].to_pylist() == [2, 3]
    assert table["rebate"].to_pylist() == [None, Decimal("1.5")]
    assert table["line_count"].to_pylist() == [1, 1]
    assert table.column_names == NAMES[1:]


def test_lines_of_one_sku_are_one_row() -> None:
    """Sums, the number of lines, and of everything else what the first line says, even where it says nothing."""
    table = merge_lines(
        lines(
            {"Sku": "A", "Quantity": "2", "SaleAmount": "1.25"},
            {"Sku": "B", "ItemName": "alone"},
            {"Sku": "A", "Quantity": "3", "SaleAmount": "2.50", "ItemName": "the second"},
        )
    )
    assert table.column_names == NAMES[1:]
    first, second = table.to_pylist()
    assert (first["sku"], first["quantity"], first["sale_amount"]) == ("A", 5, Decimal("3.75"))
    assert (first["item_name"], first["rebate"], first["line_count"], first["synced_at"]) == (None, None, 2, NOW)
    assert (second["sku"], second["item_name"], second["line_count"]) == ("B", "alone", 1)
    assert not table.schema.field("sku").nullable
    assert table.schema.types == merge_lines(lines({"Sku": "A"})).schema.types


def test_a_sum_that_does_not_fit_costs_its_sku_alone() -> None:
    """The other Skus become rows; each line of it is kept as it came, with the reason."""
    records: tuple[Any, ...] = (
        {"Sku": "A", "SaleAmount": HUGE},
        {"Sku": "B", "SaleAmount": "1"},
        {"Sku": "A", "SaleAmount": HUGE, "ItemName": "\u00e9"},
        {"Sku": "B", "SaleAmount": "2"},
        {"SaleAmount": "5"},
        {"SaleAmount": "6"},
    )
    with pytest.raises(pa.ArrowInvalid):
        merge_lines(lines(*records))
    table, rejected = merge_what_fits(lines(*records), [page(*records[:2]), page("junk", *records[2:])])
    assert dict(zip(table["sku"].to_pylist(), table["sale_amount"].to_pylist(), strict=True)) == {"B": 3, "": 11}
    assert [(one.id, json.loads(one.raw)) for one in rejected] == [("A", records[0]), ("A", records[2])]
    assert all(one.reason.startswith("the lines of one Sku cannot be added up: ") for one in rejected)
    assert all("does not fit" in one.reason or "precision" in one.reason for one in rejected)


def test_lines_without_a_sku_can_be_those_that_do_not_add_up() -> None:
    """They are rejected like others, under the empty text; what is not a line was rejected when it was read."""
    records = ({"SaleAmount": HUGE}, {"Sku": "", "SaleAmount": HUGE}, {"Sku": "A", "SaleAmount": "1"})
    table, rejected = merge_what_fits(lines(*records), [page("junk", *records)])
    assert table["sku"].to_pylist() == ["A"]
    assert table.column_names == NAMES[1:]
    assert [(one.id, json.loads(one.raw)) for one in rejected] == [("", records[0]), ("", records[1])]


def test_of_an_unchanged_action_nothing_is_written() -> None:
    """Whatever was read again, and however often."""
    held = items({"Sku": "A", "Rebate": "1"}, {"Sku": "B"})
    assert changed_items(items({"Sku": "B"}, {"Sku": "A", "Rebate": "1.00"}, read_at=LATER), read("1"), held) is None
    assert changed_items(no_items(), read("1"), no_items()) is None
    assert changed_items(no_items(), read(), held) is None
    assert changed_items(no_items(), read("1"), None) is None


def test_where_nothing_is_held_all_is_written() -> None:
    """The first answer about an action is all news."""
    new = items({"Sku": "A"})
    assert changed_items(new, read("1"), None) == new
    assert keys(changed_items(new, read("1"), no_items())) == [("1", "A", NOW)]


def test_one_changed_item_writes_all_of_its_action() -> None:
    """They replace what was held; those that did not change keep their instant, and other actions are left alone."""
    held = pa.concat_tables([items({"Sku": "A", "Rebate": "1"}, {"Sku": "B"}), items({"Sku": "A"}, action="2")])
    new = pa.concat_tables(
        [
            items({"Sku": "A", "Rebate": "2"}, {"Sku": "B"}, read_at=LATER),
            items({"Sku": "A"}, action="2", read_at=LATER),
        ]
    )
    assert keys(changed_items(new, read("1", "2"), held)) == [("1", "A", LATER), ("1", "B", NOW)]


def test_an_item_that_is_gone_is_marked_beside_the_others() -> None:
    """The action's items are replaced by those that are left; the marker says which answer listed it no more."""
    held = items({"Sku": "A"}, {"Sku": "B"}).append_column(REMOVED, pa.nulls(2, pa.bool_()))
    found = changed_items(items({"Sku": "B"}, read_at=LATER), read("1"), held)
    assert keys(found) == [("1", "B", NOW), ("1", "A", LATER)]
    assert found is not None
    assert found[REMOVED].to_pylist() == [None, True]


def test_an_action_left_without_items_is_removed() -> None:
    """Each item by its own marker; actions that were not received keep theirs."""
    held = pa.concat_tables([items({"Sku": "A"}, {"Sku": "B"}), items({"Sku": "A"}, action="2")])
    new = items({"Sku": "C"}, action="3", read_at=LATER)
    found = changed_items(new, read("1", "3"), held)
    assert found is not None
    assert keys(found) == [("3", "C", LATER), ("1", "A", LATER), ("1", "B", LATER)]
    assert found[REMOVED].to_pylist() == [None, True, True]
    alone = changed_items(no_items(), read("1"), held)
    assert alone is not None
    assert keys(alone) == [("1", "A", LATER), ("1", "B", LATER)]
    assert alone[REMOVED].to_pylist() == [True, True]
    assert [field.name for field in alone.schema if not field.nullable] == ["action_id", "sku"]


def test_two_keys_are_never_taken_for_one_another() -> None:
    """An id and a Sku that join to the same text are different keys."""
    held = items({"Sku": "2"}, action="1")
    assert keys(changed_items(items({"Sku": ""}, action="12", read_at=LATER), read("1", "12"), held)) == [
        ("12", "", LATER),
        ("1", "2", LATER),
    ]


def test_an_instant_in_another_unit_is_the_same_instant() -> None:
    """Some warehouses return times in other units: the item's instant is kept in ours."""
    held = items({"Sku": "A"}, {"Sku": "B", "Rebate": "1"})
    place = held.schema.get_field_index("synced_at")
    held = held.set_column(place, "synced_at", held["synced_at"].cast(pa.timestamp("ns", "UTC")))
    found = changed_items(items({"Sku": "A"}, {"Sku": "B"}, read_at=LATER), read("1"), held)
    assert keys(found) == [("1", "A", NOW), ("1", "B", LATER)]
    assert found is not None
    assert found.schema == no_items().schema


@pytest.mark.parametrize(
    "known", [FETCH_TABLE.names, [name for name in FETCH_TABLE.names if name not in {"failure", "changes"}]]
)
def test_outdated_items_are_requested_again_and_nothing_else_changes(known: list[str]) -> None:
    """Their failure says since when; the column may be missing, as in older warehouses."""
    row = {"action_id": "1", "fetched_at": NOW, "fingerprint": "1|2", "status": "listed", "item_count": 2}
    row |= {"changes": None}
    held = pa.Table.from_pylist([row | {"failure": "before"}, row | {"action_id": "2"}], FETCH_TABLE)
    found = outdate(held.select(known), LATER)
    assert found.schema == FETCH_TABLE
    failure = f"updated before {LATER.isoformat()}"
    assert found.to_pylist() == [row | {"failure": failure}, row | {"action_id": "2", "failure": failure}]

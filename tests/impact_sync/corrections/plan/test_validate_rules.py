"""What may be sent, by what the warehouse and the journal hold, without an account."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import dlt
import pyarrow as pa
import pytest
from impact_source.api.changes import CATEGORY_MAX, DISPOSITION_CODES, MODIFICATIONS_MAX, REASONS
from impact_source.rows.items import item_reader, merge_lines, of_action
from impact_source.rows.landing import Landing
from impact_source.rows.ours import FETCH_TABLE
from impact_sync.corrections.journal.columns import NAMES, Correction, Status
from impact_sync.corrections.journal.table import Journal
from impact_sync.corrections.plan.request import COLUMNS
from impact_sync.corrections.plan.validate import Checked, Invalid, validate

from tests.support.landings import batch, load
from tests.support.plans import DAY, NOW, SECOND, SETTINGS

LOCK = NOW + DAY
ACTION = {
    "Amount": "30",
    "Payout": "2.50",
    "IntendedAmount": "30",
    "IntendedPayout": "2.50",
    "Oid": "o1",
    "ActionTrackerId": "7",
    "LockingDate": LOCK.isoformat(),
}
TEE = {"Sku": "TEE", "SaleAmount": "10.00", "Payout": "0.50", "Quantity": "2", "Category": "Balls"}


def give(pipeline: dlt.Pipeline, *actions: dict[str, str], items: tuple[dict[str, str], ...] | None = (TEE,)) -> None:
    """Load these actions; each has the same items, unless none were ever read."""
    rows = [ACTION | one for one in actions]
    landing = Landing(actions=batch(*rows).records.table)
    if items is not None:
        lines = merge_lines(item_reader().read(json.dumps(items).encode(), NOW).table)
        ids = [row.get("Id", "1") for row in rows]
        fetches = [{"action_id": id_, "fetched_at": NOW, "item_count": len(items)} for id_ in ids]
        landing = replace(
            landing,
            items=pa.concat_tables([of_action(id_, lines) for id_ in ids]),
            fetches=pa.Table.from_pylist(fetches, FETCH_TABLE),
        )
    load(pipeline, landing)


def ask(pipeline: dlt.Pipeline, *lines: dict[str, str], now: timedelta = timedelta(0), **settings: Any) -> Checked:  # noqa: ANN401 - any setting
    """Validate these lines, each of which updates action 1 unless it says otherwise; the first one is line 2."""
    usual = {"action_id": "1", "kind": "update", "reason": "OTHER"}
    rows = [usual | line for line in lines]
    texts = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in COLUMNS}
    requested = pa.table({"line": pa.array(range(2, len(rows) + 2), pa.int64())} | texts)
    return validate(requested, pipeline, Journal(pipeline), replace(SETTINGS, **settings), NOW + now)


def problem(checked: Checked) -> str:
    """Why the only line may not be sent."""
    ((invalid),) = checked.invalid
    assert checked.rows == []
    return invalid.problem


@pytest.mark.parametrize(("zone", "day"), [("America/Los_Angeles", "2026-01-31"), ("Pacific/Auckland", "2026-02-01")])
def test_the_day_on_which_an_action_was_paid_is_the_account_s(pipeline: dlt.Pipeline, zone: str, day: str) -> None:
    """What was paid shortly before midnight in Los Angeles was paid the day after in Auckland."""
    give(pipeline, {"State": "APPROVED", "ClearedDate": "2026-02-01T07:59:59Z"})
    assert problem(ask(pipeline, {"amount": "4"}, time_zone=zone)) == f"it was paid on {day}"


def test_a_number_beyond_all_bounds_costs_its_own_line_alone(pipeline: dlt.Pipeline) -> None:
    """What the amount or the commission would become fits no column: that line says so, the others are planned."""
    dear, many = {"Id": "2", "Amount": "0.01", "Payout": "5"}, {"Id": "3"}
    give(pipeline, {}, dear, many, {"Id": "4"}, items=(TEE | {"SaleAmount": "9999999"},))
    checked = ask(
        pipeline,
        {"amount": "20"},
        {"action_id": "2", "amount": "999999999999"},
        {"action_id": "3", "sku": "TEE", "quantity": "999999999"},
        {"action_id": "4", "sku": "TEE", "delta": "999999999999"},
    )
    assert [row["line"] for row in checked.rows] == [2]
    assert [(one.line, one.problem) for one in checked.invalid] == [
        (3, "its commission would have more than twelve digits"),
        (4, "the amount would have more than twelve digits"),
        (5, "the amount would have more than twelve digits"),
    ]


def test_amounts_that_look_like_mistakes_are_named_but_planned(pipeline: dlt.Pipeline) -> None:
    """More than ten times what was there, or more than any action of the campaign has or had: the worst come first."""
    own = {"3": {"Amount": "0"}, "4": {"Amount": "5"}, "8": {"Amount": "1", "IntendedAmount": "60"}}
    give(pipeline, *({"Id": id_} | own.get(id_, {}) for id_ in "12345678"))
    amounts = ("999999999", "31", "60", "50.01", "61", "12")
    checked = ask(
        pipeline,
        *({"action_id": id_, "amount": amount} for id_, amount in zip("123456", amounts, strict=True)),
        {"action_id": "7", "sku": "TEE", "quantity": "21"},
        {"action_id": "8", "amount": "10"},
    )
    assert checked.invalid == []
    assert [(one.line, one.what, one.was, one.becomes, one.largest) for one in checked.unusual] == [
        (2, "1", Decimal(30), Decimal(999999999), Decimal(60)),
        (8, "7 TEE", Decimal(10), Decimal(105), Decimal(60)),
        (5, "4", Decimal(5), Decimal("50.01"), Decimal(60)),
        (6, "5", Decimal(30), Decimal(61), Decimal(60)),
    ]


def test_a_line_that_may_be_sent_has_all_that_its_call_needs(pipeline: dlt.Pipeline) -> None:
    """What the warehouse holds of the action and of the item beside what is requested, and the money that it moves."""
    give(pipeline, {})
    checked = ask(pipeline, {"sku": "TEE", "amount": "4"}, {"action_id": "2", "amount": "4"})
    (row,) = checked.rows
    assert checked.invalid == [Invalid(3, "2", "the warehouse has no such action: check it, or run `impact sync`")]
    assert checked.unread == {}
    expected = {
        "line": 2,
        "action_id": "1",
        "campaign_id": "1000",
        "currency": "USD",
        "sku": "TEE",
        "old_amount": Decimal(10),
        "new_amount": Decimal(4),
        "old_quantity": 2,
        "old_category": "Balls",
        "action_amount": Decimal(30),
        "action_payout": Decimal("2.50"),
        "locking_date": LOCK,
        "commission_moved": Decimal("-0.3"),
        "commission_touched": Decimal("0.3"),
        "reverses": False,
    }
    assert {name: row[name] for name in expected} == expected


def test_the_commission_at_stake(pipeline: dlt.Pipeline) -> None:
    """It is the change, or all of the commission where the rate may change too."""
    expected: list[tuple[dict[str, str], str | None, str]] = [
        ({"kind": "reverse"}, "-2.5", "2.5"),
        ({"amount": "24"}, "-0.5", "0.5"),
        ({"amount": "36"}, "0.5", "0.5"),
        ({"amount": "90"}, "5", "5"),
        ({"customer_status": "VIP"}, None, "2.5"),
        ({"amount": "24", "customer_status": "VIP"}, "-0.5", "2.5"),
        ({"amount": "90", "customer_status": "VIP"}, "5", "5"),
    ]
    give(pipeline, *({"Id": str(number)} for number in range(len(expected))))
    rows = ask(pipeline, *(line | {"action_id": str(number)} for number, (line, _, _) in enumerate(expected))).rows
    assert [(row["commission_moved"], row["commission_touched"]) for row in rows] == [
        (None if moved is None else Decimal(moved), Decimal(touched)) for _, moved, touched in expected
    ]


def test_an_action_without_a_commission_has_none_at_stake(pipeline: dlt.Pipeline) -> None:
    """Nothing is known of it: neither the change nor the amount."""
    give(pipeline, {"Payout": "", "IntendedPayout": ""})
    (row,) = ask(pipeline, {"amount": "24"}).rows
    assert (row["commission_moved"], row["commission_touched"]) == (None, Decimal(0))


def test_an_action_locks_at_its_instant(pipeline: dlt.Pipeline) -> None:
    """Until then it can be corrected; the message shows the instant in UTC."""
    give(pipeline, {})
    assert len(ask(pipeline, {"amount": "4"}, now=DAY - SECOND).rows) == 1
    assert problem(ask(pipeline, {"amount": "4"}, now=DAY)) == f"it locked on {LOCK:%Y-%m-%d %H:%M} UTC"


def test_codes_are_those_of_the_api_and_of_the_account(pipeline: dlt.Pipeline) -> None:
    """Reasons of updates, disposition codes of reversals, and for both those that are configured."""
    give(pipeline, *({"Id": str(number)} for number in range(6)))
    line = {"amount": "4"}
    lines = [
        line | {"action_id": "0", "reason": REASONS[0]},
        line | {"action_id": "1", "reason": DISPOSITION_CODES[0]},
        line | {"action_id": "2", "reason": "OURS"},
        {"action_id": "3", "kind": "reverse", "reason": DISPOSITION_CODES[0]},
        {"action_id": "4", "kind": "reverse", "reason": REASONS[0]},
        {"action_id": "5", "kind": "reverse", "reason": "OURS"},
    ]
    wrong = {one.line: one.problem.split(":")[0] for one in ask(pipeline, *lines).invalid}
    assert wrong == {
        3: f"{DISPOSITION_CODES[0]} is not a reason code",
        4: "OURS is not a reason code",
        6: f"{REASONS[0]} is not a disposition code",
        7: "OURS is not a disposition code",
    }
    assert {one.line for one in ask(pipeline, *lines, custom_codes=("OURS",)).invalid} == {3, 6}


def test_reset_undoes_every_change(pipeline: dlt.Pipeline) -> None:
    """Of an action that was changed; it takes no values, and of another there is nothing to undo."""
    give(pipeline, {}, {"Id": "2", "Amount": "20"})
    reset = {"reason": "RESET"}
    assert problem(ask(pipeline, reset)) == "it was never changed: nothing to undo"
    (row,) = ask(pipeline, reset | {"action_id": "2"}).rows
    assert row["new_amount"] == 30
    assert problem(ask(pipeline, reset | {"action_id": "2", "amount": "5"})).startswith("RESET takes no values")


def test_a_category_has_a_longest_name(pipeline: dlt.Pipeline) -> None:
    """255 characters are sent, one more is not."""
    give(pipeline, {})
    assert ask(pipeline, {"sku": "TEE", "category": "x" * CATEGORY_MAX}).invalid == []
    said = problem(ask(pipeline, {"sku": "TEE", "category": "x" * (CATEGORY_MAX + 1)}))
    assert said == "category has 256 characters: at most 255"


def test_what_was_sent_before_counts(pipeline: dlt.Pipeline) -> None:
    """One correction of an action that may still take effect stops others; so do a thousand that did."""
    give(pipeline, {}, {"Id": "2"}, {"Id": "3"})
    blank: dict[str, Any] = dict.fromkeys(NAMES)

    def row(number: int, action: str, status: Status) -> Correction:
        told = {"correction_id": f"{number}", "plan_id": "p1", "call_id": f"{action} {number}", "action_id": action}
        return Correction(**(blank | told | {"status": status, "planned_at": NOW}))

    done = [row(number, "2", Status.CONFIRMED) for number in range(MODIFICATIONS_MAX)]
    less = [row(number, "3", Status.CONFIRMED) for number in range(MODIFICATIONS_MAX - 1)]
    Journal(pipeline).add([row(0, "1", Status.ACCEPTED), *done, *less])
    found = ask(pipeline, *({"action_id": id_, "amount": "4"} for id_ in ("1", "2", "3")))
    assert {one.line: one.problem for one in found.invalid} == {
        2: "an earlier correction of it is not settled: plan p1",
        3: "it was modified 1000 times by corrections: it takes at most 1000",
    }


def test_an_order_names_its_action_and_is_named_where_it_does_not(pipeline: dlt.Pipeline) -> None:
    """An action that is named both by its id and by its order is one; what a line referred to is shown."""
    give(pipeline, {}, {"Id": "2", "Oid": "o2"})
    no_id: dict[str, Any] = {"action_id": None, "action_tracker_id": "7"}
    checked = ask(
        pipeline,
        no_id | {"order_id": "o1", "amount": "4"},
        {"action_id": "2", "order_id": "o2", "amount": "4"},
        no_id | {"order_id": "o9", "amount": "4"},
        no_id | {"order_id": "o8", "sku": "TEE", "amount": "4"},
        no_id | {"amount": "4"},
        {"action_id": "3", "sku": "A B", "amount": "4"},
    )
    assert [(row["line"], row["action_id"]) for row in checked.rows] == [(2, "1"), (3, "2")]
    assert [row["call"] for row in checked.rows] == [1, 2]
    assert {one.line: one.what for one in checked.invalid} == {4: "order o9", 5: "order o8 TEE", 6: "-", 7: "3 A B"}


def test_an_order_of_two_actions_names_neither(pipeline: dlt.Pipeline) -> None:
    """Of two actions with one order it is not clear which is meant, although one of them is named by its id."""
    give(pipeline, {}, {"Id": "2"})
    by_order: dict[str, Any] = {"action_id": None, "action_tracker_id": "7", "order_id": "o1", "amount": "4"}
    checked = ask(pipeline, {"amount": "4"}, by_order)
    assert [row["line"] for row in checked.rows] == [2]
    assert [one.problem for one in checked.invalid] == ["2 actions have this order: give the action_id"]


def test_items_that_were_never_read_are_named(pipeline: dlt.Pipeline) -> None:
    """So that they can be read; other lines of the same plan are judged all the same."""
    give(pipeline, {}, {"Id": "2", "CampaignId": "2000"}, items=None)
    checked = ask(pipeline, {"action_id": "2", "sku": "TEE", "amount": "4"}, {"amount": "4"})
    assert checked.unread == {"2": "2000"}
    assert [one.problem for one in checked.invalid] == ["its items were never read: run `impact items` first"]
    assert [row["line"] for row in checked.rows] == [3]


def test_an_action_without_items_has_none_to_correct(pipeline: dlt.Pipeline) -> None:
    """They were read: there is nothing to read again."""
    give(pipeline, {}, items=())
    checked = ask(pipeline, {"sku": "TEE", "amount": "4"})
    assert checked.unread == {}
    assert problem(checked) == "the action has no item TEE"


def test_a_warehouse_that_lacks_a_column_is_no_obstacle(pipeline: dlt.Pipeline) -> None:
    """One that an earlier version filled may never have had a value in it: corrections can be planned all the same."""
    give(pipeline, {})
    with pipeline.sql_client() as client:
        client.execute_sql("alter table action_items drop column category")
        client.execute_sql("alter table actions drop column customer_status")
    (row,) = ask(pipeline, {"sku": "TEE", "amount": "4"}).rows
    assert (row["new_amount"], row["old_category"], row["old_customer_status"]) == (Decimal(4), None, None)


def test_a_sku_of_several_lines_is_unclear(pipeline: dlt.Pipeline) -> None:
    """The number of lines is known from the items."""
    give(pipeline, {}, items=({"Sku": "TEE", "SaleAmount": "5"}, {"Sku": "TEE", "SaleAmount": "6"}))
    said = problem(ask(pipeline, {"sku": "TEE", "amount": "4"}))
    assert said == "the action lists the sku 2 times: it is unclear which is meant"

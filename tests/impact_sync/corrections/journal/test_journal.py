"""What the journal says of calls, in a DuckDB file and without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import dlt
import pyarrow as pa
import pytest
from impact_sync.corrections.journal.calls import Call
from impact_sync.corrections.journal.columns import COLUMNS, NAMES, Correction, Status
from impact_sync.corrections.journal.table import Journal, Taken
from impact_sync.warehouse.open import open_pipeline

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def pipeline() -> Iterator[dlt.Pipeline]:
    """A warehouse in which nothing was ever planned."""
    with open_pipeline() as opened:
        with opened.sql_client() as client:
            client.create_dataset()
        yield opened


@pytest.fixture
def journal(pipeline: dlt.Pipeline) -> Journal:
    """Its journal."""
    return Journal(pipeline)


def row(call: str, line: int = 2, **columns: Any) -> Correction:  # noqa: ANN401 - any column
    """A line of a plan; what is not given is empty."""
    blank: dict[str, Any] = dict.fromkeys(NAMES)
    usual = {
        "correction_id": f"{call}/{line}",
        "plan_id": "p1",
        "call_id": call,
        "line": line,
        "action_id": f"action of {call}",
        "status": Status.PLANNED,
        "planned_at": NOW,
        "old_amount": Decimal("1.25"),
        "relative": False,
    }
    return Correction(**(blank | usual | columns))


def ids(calls: list[Call]) -> list[str]:
    """The ids of some calls."""
    return [call.id for call in calls]


def standing(journal: Journal, call: str) -> Correction:
    """The journal's status of a call."""
    (found,) = journal.calls("call_id = %s", call)
    return found.first


def test_an_empty_journal_knows_nothing(journal: Journal) -> None:
    """Before the first plan there is no table, and nothing to settle, to send or to wait for."""
    assert not journal.exists
    assert journal.calls() == journal.plan("p1") == []
    assert journal.left() == {}
    text, count = pa.string(), pa.int64()
    assert journal.engaged() == {
        "unsettled": pa.table({"action_id": pa.array([], text), "plan_id": pa.array([], text)}),
        "used": pa.table({"action_id": pa.array([], text), "calls": pa.array([], count)}),
    }


def test_a_plan_is_kept_to_the_last_cell(journal: Journal) -> None:
    """Every value comes back with its type, instants in UTC, and lines share their call in the order of the file."""
    first = row("b", 2, locking_date=NOW + DAY, relative=True, new_quantity=3, note="ä 'x' %s")
    rows = [row("a", 3), first, row("b", 4, claimed_at=NOW.astimezone()), row("c", 1)]
    journal.add(rows)
    assert journal.exists
    calls = journal.plan("p1")
    assert [[one.line for one in call.rows] for call in calls] == [[1], [2, 4], [3]]
    kept = calls[1].first
    assert kept == replace(first, status="planned")
    assert list(vars(kept)) == list(NAMES)
    assert kept.locking_date is not None
    assert kept.locking_date.tzinfo is UTC
    assert journal.plan("p2") == []


def test_plans_come_in_the_order_in_which_they_were_made(journal: Journal) -> None:
    """A later plan comes after an earlier one, wherever its lines are."""
    journal.add([row("z", 9)])
    journal.add([row("a", 1, plan_id="p0", planned_at=NOW + MINUTE)])
    assert ids(journal.calls()) == ["z", "a"]


def test_every_column_says_what_it_means(journal: Journal) -> None:
    """Descriptions are readable in the table, with any program."""
    journal.add([row("a")])
    found = dict(journal.query("select column_name, comment from duckdb_columns() where table_name = 'corrections'"))
    assert found == {field.name: field.description for field in COLUMNS}


def test_a_call_is_claimed_once(journal: Journal) -> None:
    """Of two processes that would send a call one does; nobody sends one that is no longer planned."""
    journal.add([row("a", 2), row("a", 3), row("b")])
    (call,) = journal.calls("call_id = 'a'")
    journal.claim(call, "me", NOW)
    assert {(one.status, one.claim, one.claimed_at) for one in journal.plan("p1")[0].rows} == {("sending", "me", NOW)}
    assert standing(journal, "b").status == "planned"
    for claim in ("you", "me again"):
        with pytest.raises(Taken, match="line 2, 3 was taken by another apply"):
            journal.claim(call, claim, NOW + DAY)
    assert standing(journal, "b").claim is None
    assert {one.claim for one in journal.plan("p1")[0].rows} == {"me"}


def test_a_call_of_which_a_line_is_gone_is_not_sent(journal: Journal) -> None:
    """Half of what was agreed to is something else: then nothing is claimed, by anyone."""
    journal.add([row("a", 2)])
    with pytest.raises(Taken):
        journal.claim(Call((row("a", 2), row("a", 3))), "me", NOW)
    assert standing(journal, "a").status == "planned"


def test_a_rival_is_another_call_of_the_action_that_may_take_effect(journal: Journal) -> None:
    """Two corrections of one action are never in flight together."""
    same: dict[str, Any] = {"action_id": "x"}
    rivals = [row(status, 2, status=status, plan_id=f"plan {status}", **same) for status in Status]
    journal.add([row("mine", status=Status.SENDING, **same), row("other", status=Status.SENDING, action_id="y")])
    mine = journal.calls("call_id = 'mine'")[0]
    assert journal.rival(mine) is None
    for rival in rivals:
        journal.restore([rival])
        expected = f"plan {rival.status}" if rival.status in ("sending", "accepted", "unknown") else None
        assert journal.rival(mine) == expected
        journal.record(journal.calls("call_id = %s", rival.call_id)[0], Status.CONFIRMED)


def test_what_became_of_a_call_is_noted(journal: Journal) -> None:
    """All lines of the call get it, no other call does, and an outcome that is not given is cleared."""
    journal.add([row("a", 2, outcome="old"), row("a", 3), row("b", outcome="old")])
    (call, _) = journal.plan("p1")
    journal.record(call, Status.ACCEPTED, batch_id="7", processed_at=NOW)
    assert [(one.status, one.outcome, one.batch_id, one.processed_at) for one in journal.plan("p1")[0].rows] == [
        ("accepted", None, "7", NOW)
    ] * 2
    journal.record(call, Status.REFUSED, "too late")
    assert standing(journal, "b").outcome == "old"
    last = journal.calls("call_id = 'a'")[0].first
    assert (last.status, last.outcome, last.batch_id) == ("refused", "too late", "7")
    assert journal.batches() == {"7"}
    assert journal.left() == {"a": "refused", "b": "planned"}


def test_single_lines_end_in_their_own_way(journal: Journal) -> None:
    """Of one request, one line may show and another not."""
    rows = [row("a", 2), row("a", 3)]
    journal.add(rows)
    journal.record_rows([(rows[0], Status.CONFIRMED, "shown"), (rows[1], Status.DIVERGED, "not shown")], NOW)
    assert [(one.status, one.outcome, one.settled_at) for one in journal.plan("p1")[0].rows] == [
        ("confirmed", "shown", NOW),
        ("diverged", "not shown", NOW),
    ]


def test_lines_that_the_table_lost_are_put_back(journal: Journal) -> None:
    """A database that was restored from yesterday learns from the file beside it what has been sent since."""
    journal.restore([row("a", status=Status.SENDING)])
    assert standing(journal, "a").status == "sending"
    journal.restore([row("a", status=Status.ACCEPTED), row("b")])
    assert [(row.call_id, row.status) for call in journal.calls() for row in call.rows] == [
        ("a", "accepted"),
        ("b", "planned"),
    ]


def test_actions_that_a_correction_may_change_yet_are_told_with_its_plan(journal: Journal) -> None:
    """No second change is planned meanwhile, and each sent call counts towards the action's limit of modifications."""
    for number, status in enumerate(Status):
        journal.add([row(status, 2, status=status, plan_id=f"p{number}"), row(status, 3, status=status, plan_id="q")])
    journal.add([row("more", status=Status.CONFIRMED, action_id="action of confirmed")])
    engaged = {name: table.to_pylist() for name, table in journal.engaged().items()}
    assert sorted(engaged["unsettled"], key=str) == [
        {"action_id": "action of accepted", "plan_id": "p2"},
        {"action_id": "action of sending", "plan_id": "p1"},
        {"action_id": "action of unknown", "plan_id": "p3"},
    ]
    assert {one["action_id"]: one["calls"] for one in engaged["used"]} == {
        "action of sending": 1,
        "action of accepted": 1,
        "action of unknown": 1,
        "action of confirmed": 2,
        "action of diverged": 1,
    }


def test_a_call_is_forsaken_once_its_sender_cannot_be_at_work(journal: Journal) -> None:
    """Alone in a DuckDB file nobody else is sending; with others, a quarter of an hour decides."""
    journal.add(
        [
            row("old", status=Status.SENDING, claimed_at=NOW - 15 * MINUTE - MINUTE / 60),
            row("new", status=Status.SENDING, claimed_at=NOW - 15 * MINUTE),
            row("off", status=Status.SENDING, claimed_at=NOW + 3 * DAY),
            row("done", status=Status.ACCEPTED, claimed_at=NOW - DAY),
        ]
    )
    assert journal.alone
    assert set(ids(journal.forsaken(NOW))) == {"old", "new", "off"}
    journal.alone = False
    assert ids(journal.forsaken(NOW)) == ["old"]


def test_calls_wait_for_a_person(journal: Journal) -> None:
    """What is unknown, and what was returned, waits; by plan."""
    journal.add([row(status, number, status=status) for number, status in enumerate(Status)])
    journal.add([row("other", status=Status.UNKNOWN, plan_id="p2")])
    assert ids(journal.waiting("p1")) == ["unknown", "returned"]


@pytest.mark.parametrize(
    ("columns", "doubtful"),
    [
        ({"status": Status.DIVERGED}, True),
        ({"status": Status.UNKNOWN}, True),
        ({"status": Status.ACCEPTED}, False),
        ({"status": Status.ACCEPTED, "processed_at": NOW}, True),
        ({"status": Status.REFUSED}, False),
        ({"status": Status.REFUSED, "batch_id": "7"}, True),
        ({"status": Status.REFUSED, "settled_by": "Ada"}, True),
        ({"status": Status.CONFIRMED, "batch_id": "7", "processed_at": NOW}, False),
        ({"status": Status.UNKNOWN, "claimed_at": NOW - DAY}, True),
        ({"status": Status.UNKNOWN, "claimed_at": NOW - DAY - MINUTE}, False),
    ],
)
def test_calls_that_did_not_end_well_are_looked_at_again(
    journal: Journal,
    columns: dict[str, Any],
    doubtful: bool,  # noqa: FBT001 - the expected value
) -> None:
    """What was sent since then may show by now, unless it never became a submission."""
    journal.add([row("a", **({"claimed_at": NOW} | columns)), row("a", 3, **({"claimed_at": NOW} | columns))])
    assert ids(journal.doubtful(NOW - DAY)) == (["a"] if doubtful else [])


@pytest.mark.parametrize(
    ("status", "later", "doubtful"),
    [
        (Status.CONFIRMED, MINUTE, False),
        (Status.SENDING, MINUTE, False),
        (Status.CONFIRMED, -MINUTE, True),
        (Status.PLANNED, MINUTE, True),
        (Status.LEFT_OUT, MINUTE, True),
        (Status.RETURNED, MINUTE, True),
    ],
)
def test_an_action_speaks_for_the_last_call_that_left(
    journal: Journal,
    status: Status,
    later: timedelta,
    doubtful: bool,  # noqa: FBT001 - the expected value
) -> None:
    """What an action shows after a later correction says nothing about an earlier one."""
    journal.add([row("a", status=Status.DIVERGED, claimed_at=NOW, action_id="x")])
    journal.add([row("b", status=status, claimed_at=NOW + later, action_id="x")])
    assert ("a" in ids(journal.doubtful(NOW - DAY))) is doubtful


def test_a_large_plan_takes_several_statements(journal: Journal) -> None:
    """If rows are passed as parameters, as in Postgres, a hundred go at a time, and none is lost in between."""
    journal.add([row("0")])
    journal.alone = False
    for number in (1, 99, 101, 200):
        journal.restore([row(f"{number} {place}", place) for place in range(number)])
    journal.restore([])
    assert [len(call.rows) for call in journal.calls()] == [1] * 402
    assert standing(journal, "101 100") == row("101 100", 100, status="planned")


def test_statuses_are_texts_for_every_driver(journal: Journal) -> None:
    """A status is stored as the word that users read."""
    journal.add([row("a", status=Status.LEFT_OUT)])
    assert journal.query("select distinct status from impact.corrections") == [("left out",)]

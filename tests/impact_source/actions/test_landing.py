"""What of a batch is written, whatever the order of arrival, into a real warehouse without an API."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import dlt
import pyarrow as pa
import pytest
from impact_source.actions.landing import Lander
from impact_source.actions.watch import Watch
from impact_source.plan.passes import Pass, Reading
from impact_source.rows.landing import Landing, seen_by
from impact_source.rows.ours import FETCH_TABLE
from impact_source.warehouse import Warehouse
from impact_sync.views import create_views

from tests.support.landings import UPDATED, batch, load
from tests.support.plans import DAY, NOW, SECOND


def lander(pipeline: dlt.Pipeline, *blank: str) -> Lander:
    """The lander of a run; the warehouse is known to hold nothing of the `blank` campaigns."""
    made = Lander(Warehouse(pipeline), "a run")
    made.blank = set(blank)
    return made


def payouts(landing: Landing) -> list[Decimal]:
    """The payouts that are written."""
    return [] if landing.actions is None else landing.actions["payout"].to_pylist()


def test_an_older_answer_that_lands_after_a_newer_one_is_dropped(pipeline: dlt.Pipeline) -> None:
    """Requests in flight overtake each other: otherwise a page that was read earlier would undo a correction."""
    land = lander(pipeline, "1000").land
    assert payouts(land(batch({"Payout": "2.00"}, arrived=2.0))) == [2]
    assert payouts(land(batch({"Payout": "1.00"}, {"Id": "2"}, arrived=1.0))) == [1], "of action 2 alone"
    assert payouts(land(batch({"Payout": "1.50"}, arrived=1.5))) == []
    assert payouts(land(batch({"Payout": "3.00"}, arrived=3.0))) == [3]


def test_a_newer_answer_holds_beyond_its_load_package(pipeline: dlt.Pipeline) -> None:
    """An older answer may land with the next package, where the newer row is in the warehouse already."""
    run = lander(pipeline, "1000")
    newer = run.land(batch({"Payout": "2.00"}, arrived=2.0))
    load(pipeline, newer)
    run.new_package()
    assert payouts(run.land(batch({"Payout": "1.00"}, arrived=1.0))) == []


def test_a_note_changed_and_changed_back_within_one_run_ends_as_it_was(pipeline: dlt.Pipeline) -> None:
    """The package carries the note as it was for a moment: the last answer is written although the warehouse has it."""
    load(pipeline, Landing(actions=batch({"Note": "as it was"}).records.table))
    run = lander(pipeline)
    first = run.land(batch({"Note": "for a moment"}, arrived=2.0))
    second = run.land(batch({"Note": "as it was"}, arrived=3.0))
    assert [len(one.actions or ()) for one in (first, second)] == [1, 1]
    load(pipeline, first, second)
    assert Warehouse(pipeline).rows("select note from impact.actions") == [("as it was",)]
    assert [(tally.read, tally.new, tally.changed) for tally in run.tallies.values()] == [(2, 0, 1)]


@pytest.mark.parametrize("packages", [1, 2])
def test_an_action_at_a_windows_boundary_is_counted_once(pipeline: dlt.Pipeline, packages: int) -> None:
    """Neighbouring windows both return it: a first run would report its commission twice."""
    run = lander(pipeline, "1000")
    run.land(batch({"Payout": "5.00"}, arrived=1.0))
    if packages == 2:
        run.new_package()
    run.land(batch({"Payout": "5.00"}, {"Id": "2", "Payout": "7.00"}, arrived=2.0))
    tally = run.tallies["1000"]
    assert (tally.new, tally.changed, dict(tally.money)) == (2, 0, {"USD": Decimal(12)})


def test_a_change_within_one_package_is_counted_against_the_answer_before_it(pipeline: dlt.Pipeline) -> None:
    """Read three times while it changes once, an action moves the sum of payouts once."""
    run = lander(pipeline, "1000")
    for arrived, payout in enumerate(("1.00", "2.00", "2.00")):
        run.land(batch({"Payout": payout}, arrived=arrived))
    tally = run.tallies["1000"]
    assert (tally.read, tally.new, tally.changed, dict(tally.money)) == (3, 1, 1, {"USD": Decimal(2)})


def test_every_answer_within_a_package_is_a_version(pipeline: dlt.Pipeline) -> None:
    """Read again and again while it changes, an action has all its versions, each with the pass that saw it."""
    load(pipeline, Landing(actions=seen_by(batch({}).records.table, "updated"), declared=True), history=True)
    run, locking = lander(pipeline), replace(UPDATED, pass_=Pass.LOCKING)
    readings = (("2.00", UPDATED), ("2.00", locking), ("3.00", locking), ("1.00", UPDATED))
    answers = [run.land(batch({"Payout": p}, arrived=60.0 * n, reading=r)) for n, (p, r) in enumerate(readings, 1)]
    load(pipeline, *answers, history=True)
    create_views(pipeline)
    sql = "select payout, pass, changed, valid_from, valid_to from impact.action_history order by valid_from"
    rows = Warehouse(pipeline).rows(sql)
    first, second, third, fourth = (NOW + seconds * SECOND for seconds in (1, 60, 180, 240))
    assert [(*row[:3], *(at and at.astimezone(UTC) for at in row[3:])) for row in rows] == [
        (Decimal(1), "updated", None, first, second),
        (Decimal(2), "updated", "payout", second, third),
        (Decimal(3), "locking", "payout", third, fourth),
        (Decimal(1), "updated", "payout", fourth, None),
    ]


@pytest.mark.parametrize(
    ("reading", "outdated"),
    [
        (UPDATED, ["before it all"]),
        (replace(UPDATED, fresh=True), ["amid", "before it all"]),
        (replace(UPDATED, pass_=Pass.LOCKING), None),
    ],
    ids=["overlap", "news", "another pass"],
)
def test_an_update_puts_items_out_of_date_that_were_read_before_it(
    pipeline: dlt.Pipeline, reading: Reading, outdated: list[str] | None
) -> None:
    """A change of an item alone changes no field of its action: only the update shows that it changed."""
    read = {"before it all": NOW - 2 * DAY, "amid": NOW - DAY / 2}
    rows = [
        {"action_id": id_, "fetched_at": at, "fingerprint": "1|2", "status": "listed", "item_count": 1}
        for id_, at in read.items()
    ]
    ids = [{"Id": id_} for id_ in (*read, "never read")]
    fetches = pa.Table.from_pylist(rows, FETCH_TABLE)
    load(pipeline, Landing(actions=batch(*ids).records.table, fetches=fetches))
    landed = lander(pipeline).land(batch(*ids, arrived=2.0, reading=reading)).fetches
    assert (landed and sorted(landed["action_id"].to_pylist())) == outdated
    if landed:
        assert set(landed["fingerprint"].to_pylist()) == {"1|2"}, "what decides about items is as it was"
        assert set(landed["failure"].to_pylist()) == {f"updated before {(NOW + 2 * SECOND).isoformat()}"}


def test_what_lands_is_no_longer_awaited(pipeline: dlt.Pipeline) -> None:
    """An open action that no window returned is requested by id; one that was met, readable or not, is not."""
    run = lander(pipeline, "1000")
    run.watches["1000"] = watch = Watch(dict.fromkeys(("1", "2", "3")))
    run.land(batch({"Id": "1"}, {"Id": "2", "EventDate": "yesterday"}))
    assert watch.open.keys() == {"3"}


def test_the_furthest_lock_is_that_of_any_answer(pipeline: dlt.Pipeline) -> None:
    """The locking pass reads up to it: an earlier one would leave future locks unread."""
    run = lander(pipeline, "1000")
    for number, month in enumerate((5, 6, 4)):
        run.land(batch({"Id": f"{number}", "LockingDate": f"2026-0{month}-01T00:00:00Z"}, arrived=number))
    assert run.furthest == {"1000": datetime(2026, 6, 1, tzinfo=UTC)}

"""Actions that the API does not return: they stop no others, and a single 404 decides about no money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from impact_sandbox import Reply, Request
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply import resolve
from impact_sync.corrections.show import show_applied

from tests.support.desk import Desk

Make = Callable[..., Desk]


def trouble(one: Desk, **rules: Any) -> None:  # noqa: ANN401 - the rules
    """Let the API behave like this from now on."""
    one.world.rules = replace(one.world.rules, **rules)


def made(desk: Make, number: int = 3) -> tuple[Desk, list[str]]:
    """An account that was synced, and actions of it."""
    one = desk()
    actions = [one.create() for _ in range(number)]
    one.sync()
    return one, actions


def test_an_action_that_cannot_be_read_stops_no_other_correction(
    desk: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A permanent 500 for one id is reported with the reason; the others are sent and settled, and it waits."""
    one, (first, bad, last) = made(desk)
    plan_id = one.planned(*(f"{action},update,OTHER,,12,,,,,," for action in (first, bad, last)))
    trouble(one, broken=(bad,))
    applied = one.apply(plan_id)
    assert applied.exit is Exit.FAILED
    assert one.statuses() == ["confirmed", "planned", "confirmed"]
    assert one.journal()[1][1].startswith("not sent: the action could not be read: ")
    capsys.readouterr()
    show_applied(plan_id, applied)
    assert f"- campaign 1000, action {bad}: " in capsys.readouterr().out
    trouble(one, broken=())
    assert one.apply(plan_id).exit is Exit.DONE
    assert len(one.writes) == 3


def test_an_action_that_cannot_be_read_back_leaves_the_others_settled(desk: Make) -> None:
    """Sent, processed, and then unreadable: it is not judged until it can be read."""
    one, (first, bad, last) = made(desk)
    plan_id = one.planned(*(f"{action},update,OTHER,TEE,4,,,,,," for action in (first, bad, last)))

    def breaks(request: Request) -> Reply | None:
        sent = any(write.form["ActionId"] == bad for write in one.writes)
        return Reply(500) if sent and request.method == "GET" and bad in request.path else None

    one.sandbox.on_request = breaks
    assert one.apply(plan_id).exit is Exit.FAILED
    assert one.statuses() == ["confirmed", "accepted", "confirmed"]
    assert one.journal()[1][1].startswith("processed; the action could not be read: ")
    one.world.advance(days=2)
    assert one.apply(plan_id).exit is Exit.FAILED
    assert one.statuses()[1] == "accepted"
    one.sandbox.on_request = None
    assert one.apply(plan_id).exit is Exit.DONE
    assert len(one.writes) == 3


@pytest.mark.parametrize("status", [500, pytest.param(404, marks=pytest.mark.long)])
def test_items_that_cannot_be_read_say_nothing_about_a_correction(desk: Make, status: int) -> None:
    """Without its items an action neither confirms nor contradicts corrections of them; others are judged."""
    one, (bad, good) = made(desk, 2)
    plan_id = one.planned(*(f"{action},update,OTHER,TEE,4,,,,,," for action in (bad, good)))
    broken = {"before": f"/{bad}/Items"}
    one.sandbox.on_request = lambda request: Reply(status) if request.path.endswith(broken["before"]) else None
    assert one.apply(plan_id).exit is Exit.FAILED
    assert one.statuses() == ["planned", "confirmed"]
    one.sandbox.on_request = None
    assert one.apply(plan_id).exit is Exit.DONE


def test_a_plan_names_the_items_that_cannot_be_read(desk: Make) -> None:
    """If the items of one action cannot be read, the lines of others can still be planned."""
    one, (bad, good) = made(desk, 2)
    with one.account.changing() as connection:
        connection.execute("delete from item_fetches; delete from action_items")
    trouble(one, broken=(bad,))
    lines = [f"{action},update,OTHER,TEE,4,,,,,," for action in (bad, good)]
    assert one.problems(*lines) == {2: "its items were never read: run `impact items` first"}
    assert len(one.plan(*lines, skip_invalid=True).calls) == 1


def test_a_replica_that_lags_leaves_no_correction_out(desk: Make) -> None:
    """One 404 before an action is corrected leaves the call planned, and the next apply sends it."""
    one, (lagging, other) = made(desk, 2)
    plan_id = one.planned(*(f"{action},update,OTHER,,12,,,,,," for action in (lagging, other)))
    trouble(one, lagging=(lagging,))
    assert one.apply(plan_id).exit is Exit.EARLY
    assert one.statuses() == ["planned", "confirmed"]
    assert "not taken for gone before 2026-" in one.journal()[0][1]
    trouble(one, lagging=())
    assert one.apply(plan_id).exit is Exit.DONE
    assert one.account.query("select finding from impact.verify_results order by found_at") == [("gone",), ("back",)]
    one.world.advance(days=2)
    again = one.planned(f"{lagging},update,OTHER,,13,,,,,,")
    trouble(one, lagging=(lagging,))
    assert one.apply(again).exit is Exit.EARLY, "an older 404 that was refuted counts no more"


def test_a_replica_that_lags_settles_no_correction(desk: Make) -> None:
    """A 404 after an action was corrected, even hours later, does not prove a different outcome."""
    one, (action,) = made(desk, 1)
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    one.sandbox.on_request = lambda request: Reply(404) if one.writes and request.path.endswith(action) else None
    assert one.apply(plan_id).exit is Exit.EARLY
    one.world.advance(hours=2)
    assert one.apply(plan_id).exit is Exit.EARLY
    assert one.statuses() == ["accepted"]
    one.world.advance(days=1.1)
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.journal() == [("diverged", "the action is gone")]
    one.sandbox.on_request = None
    one.sync()
    assert one.statuses() == ["confirmed"], "it heals all the same"


def test_a_look_at_what_waits_goes_past_what_cannot_be_read(desk: Make) -> None:
    """Of calls that wait for a person, one whose action cannot be read is listed with the reason beside the others."""
    one, (bad, good) = made(desk, 2)
    plan_id = one.planned(*(f"{action},update,OTHER,TEE,,-1,,,,," for action in (bad, good)))
    one.sandbox.on_request = lambda request: Reply(503) if request.method == "PUT" else None
    one.apply(plan_id)
    one.sandbox.on_request = None
    trouble(one, broken=(bad,))
    first, second = resolve.look(one.settings(), plan_id)
    assert str(first.shows).startswith("cannot be read: ")
    assert second.shows == "amount of TEE is 10 instead of 9"

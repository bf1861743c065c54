"""Actions that show a change late: nothing is final, or planned again, before it is certain."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from impact_sandbox import Reply, Request
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply import resolve
from impact_sync.corrections.evidence import weigh
from impact_sync.corrections.journal.columns import Status
from impact_sync.warehouse.open import open_pipeline

from tests.support.desk import Desk

Make = Callable[..., Desk]
HOUR = 3600


def known(one: Desk, number: int = 1, **fields: Any) -> list[str]:  # noqa: ANN401 - any field
    """Actions that a sync brings into the warehouse once everything created shows."""
    made = [one.create(**fields) for _ in range(number)]
    one.world.advance(seconds=one.world.rules.visibility_lag)
    one.sync()
    return made


def late(one: Desk, number: int = 4) -> tuple[str, list[str]]:
    """A plan of deltas of -1.00, applied, and its actions: some of them show it late."""
    actions = known(one, number)
    plan_id = one.planned(*(f"{action},update,OTHER,TEE,,-1,,,,," for action in actions))
    assert one.apply(plan_id).exit is Exit.EARLY
    assert set(one.statuses()) <= {"accepted", "confirmed"}
    assert "accepted" in one.statuses()
    return plan_id, actions


def test_a_change_that_shows_late_is_not_settled_before(desk: Make) -> None:
    """Within the hour in which rows may show late an old amount proves nothing: the action is read again."""
    one = desk(visibility_lag=120)
    plan_id, actions = late(one)
    ((told,), *_) = one.journal("outcome", "status = 'accepted'")
    assert told.startswith(
        "processed; amount of TEE is 10 instead of 9; a change may show late: not settled before 2026"
    )
    one.world.advance(seconds=120)
    assert one.apply(plan_id).exit is Exit.DONE
    assert set(one.statuses()) == {"confirmed"}
    assert len(one.writes) == len(actions)
    one.account.assert_true()


def test_what_shows_within_a_run_is_settled_by_it(desk: Make) -> None:
    """An apply looks again by itself: rows that show some minutes late need no second one."""
    one = desk(visibility_lag=120)
    (action,) = known(one)
    plan_id = one.planned(f"{action},update,OTHER,TEE,,-1,,,,,")

    def time_passes(request: Request) -> None:
        if one.world.submissions and request.path.endswith(action):
            one.world.advance(seconds=40)

    one.sandbox.on_request = time_passes
    assert one.apply(plan_id).exit is Exit.DONE
    assert one.statuses() == ["confirmed"]


def test_money_is_not_taken_twice_while_a_change_does_not_show(desk: Make) -> None:
    """While a change may still show, no second one of its action is planned, nor is an already planned one sent."""
    one = desk(visibility_lag=120)
    actions = known(one, 4)
    lines = [f"{action},update,OTHER,TEE,,-1,,,,," for action in actions]
    first, second = one.planned(*lines), one.planned(*lines)
    one.apply(first)
    unseen = [action for action, end in one.journal("action_id, status", f"plan_id = '{first}'") if end == "accepted"]
    assert unseen
    problems = one.problems(*(f"{action},update,OTHER,TEE,,-1,,,,," for action in unseen))
    assert set(problems.values()) == {f"an earlier correction of it is not settled: plan {first}"}
    assert one.apply(second).exit is Exit.DRIFT
    one.world.advance(seconds=120)
    assert one.apply(first).exit is Exit.DONE
    assert {one.shown(action)["Amount"] for action in actions} == {"29.00"}
    assert len(one.writes) == len(actions)


@pytest.mark.parametrize("by", [pytest.param("a sync", marks=pytest.mark.long), "an apply"])
def test_what_diverged_is_confirmed_by_later_evidence(desk: Make, by: str) -> None:
    """If a change shows even later than in an hour, a sync, or another look, still settles it."""
    one = desk(visibility_lag=12 * HOUR)
    plan_id, _ = late(one)
    one.world.advance(hours=1.1)
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert "diverged" in one.statuses()
    assert len(one.writes) == 4
    one.world.advance(hours=12)
    if by == "a sync":
        one.sync()
        assert "; the action shows it, read 2026-" in one.journal(where="outcome like 'amount%'")[0][1]
    assert one.apply(plan_id).exit is Exit.DONE
    assert set(one.statuses()) == {"confirmed"}
    assert len(one.writes) == (0 if by == "a sync" else 4), "the sync forgot what was sent before it"


def test_a_sync_settles_what_no_answer_told(desk: Make) -> None:
    """A sync that reads what was requested confirms unknown and apparently refused calls, but not a delta."""
    one = desk()
    unknown, refused, relative, other = known(one, 4)
    plan_id = one.planned(
        f"{unknown},update,OTHER,,12,,,,,,",
        f"{refused},update,OTHER,,12,,,,,,",
        f"{relative},update,OTHER,TEE,,-4,,,,,",
    )
    one.sandbox.on_request = lambda request: Reply(503) if request.method == "PUT" else None
    one.apply(plan_id)
    resolve.settle(one.settings(), plan_id, [3], Status.REFUSED, "asked them")
    assert one.statuses() == ["unknown", "refused", "unknown"]
    one.world.advance(seconds=60)
    for action in (unknown, refused):
        one.world.modify(action, Amount="12.00")
    one.world.set_item(relative, "TEE", SaleAmount="6.00")
    one.world.modify(other, Amount="12.00")
    one.sync()
    assert one.statuses() == ["confirmed", "confirmed", "unknown"]
    assert "must not be sent again (asked them); the action shows it, read 2026-" in one.journal()[1][1]


def test_an_equal_earlier_value_confirms_nothing(desk: Make) -> None:
    """What an action showed before a change was sent does not prove it, whether a sync or a look read it."""
    one = desk()
    earlier, reset = one.create(), one.create()
    one.world.modify(reset, Payout="1.00")
    one.sync()
    plan_id = one.planned(f"{earlier},update,OTHER,,12,,,,,,", f"{reset},update,RESET,,,,,,,,")
    one.world.modify(earlier, Amount="12.00")
    one.sync()
    one.world.advance(seconds=60)
    one.world.modify(earlier, Amount="30.00", Payout="2.50")
    one.sandbox.on_request = lambda request: Reply(503) if request.method == "PUT" else None
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.statuses() == ["unknown", "unknown"], one.journal()
    with open_pipeline() as pipeline:
        assert weigh(pipeline, one.world.now) == 0
    one.sync()
    assert one.statuses() == ["unknown", "unknown"], one.journal()


@pytest.mark.long
def test_a_later_correction_speaks_for_itself_alone(desk: Make) -> None:
    """An amount that a later correction caused does not confirm the one before it."""
    one = desk(amount_beside_sku="order")
    (action,) = known(one)
    first = one.planned(f"{action},update,OTHER,TEE,4,,,,,,")
    one.apply(first)
    one.world.advance(hours=1.1)
    one.apply(first)
    assert one.statuses() == ["diverged"]
    one.world.rules = type(one.world.rules)()
    one.sync()
    assert one.apply(one.planned(f"{action},update,OTHER,TEE,4,,,,,,")).exit is Exit.DONE
    one.sync()
    assert one.statuses() == ["diverged", "confirmed"]
    assert one.account.query("select sale_amount from impact.action_items where sku = 'TEE'") == [(Decimal(4),)]

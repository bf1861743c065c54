"""When an apply asks what became of a call, on a clock that moves only while the apply waits."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from impact_sandbox import Reply, Request
from impact_source.api.budget import Budget
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply import settle

from tests.support.desk import Desk

Make = Callable[..., Desk]
TIMES = [10, 25, 47.5, 81.25, 131.875]
"""When a submission is asked for that was accepted at 0, every 10 s and ever more rarely."""
RARELY: dict[str, Any] = {"poll_interval": timedelta(hours=1), "max_wait": timedelta(0)}


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """How many seconds applies have waited; one that turns in circles without waiting fails."""
    waits: list[float] = []

    def rest(_: Budget, seconds: float) -> None:
        waits.append(max(seconds, 0))
        assert len(waits) < 100 or any(waits[-100:])

    monkeypatch.setattr(Budget, "rest", rest)
    monkeypatch.setattr(settle, "time", SimpleNamespace(monotonic=lambda: sum(waits)))
    return lambda: sum(waits)


def planned(one: Desk, number: int = 1) -> tuple[str, list[str]]:
    """A plan that changes so many actions, and these."""
    actions = [one.create() for _ in range(number)]
    one.sync()
    return one.planned(*(f"{action},update,OTHER,TEE,4,,,,,," for action in actions)), actions


def test_a_slow_submission_is_asked_for_ever_more_rarely(desk: Make, waited: Callable[[], float]) -> None:
    """Twelve times and at last every five minutes: the hour's requests are for corrections that get somewhere."""
    one = desk(submission_polls=0)
    plan_id, _ = planned(one)
    asked: list[float] = []
    one.sandbox.on_request = lambda request: asked.append(waited()) if "/APISubmissions/" in request.path else None
    assert one.apply(plan_id, poll_interval=timedelta(seconds=10), max_wait=timedelta(hours=1)).exit is Exit.EARLY
    assert one.statuses() == ["accepted"]
    assert asked[:5] == pytest.approx(TIMES)
    assert [later - sooner for sooner, later in pairwise(asked[8:])] == pytest.approx([300] * 3)
    assert len(asked) == 12


def test_a_submission_that_is_stuck_holds_up_no_other(desk: Make, waited: Callable[[], float]) -> None:
    """While one is not done, later ones are not asked for, since they are not either; but not for long."""
    one = desk()
    plan_id, _ = planned(one, 3)
    asked: dict[str, list[float]] = defaultdict(list)

    def stick(request: Request) -> Reply | None:
        folder, _, batch_id = request.path.rpartition("/")
        if not folder.endswith("/APISubmissions"):
            return None
        asked[batch_id].append(waited())
        stuck = one.world.submissions[0]
        told = stuck.record(one.sandbox.account_sid, one.world.now, one.world.rules) | {"Status": "Queued"}
        return Reply(200, json.dumps(told).encode()) if batch_id == stuck.batch_id else None

    one.sandbox.on_request = stick
    assert one.apply(plan_id, poll_interval=timedelta(seconds=10), max_wait=timedelta(hours=1)).exit is Exit.EARLY
    assert one.statuses() == ["accepted", "confirmed", "confirmed"]
    first, second, third = (asked[submission.batch_id] for submission in one.world.submissions)
    assert first[:5] == pytest.approx(TIMES)
    assert second == pytest.approx([131.875, 146.875, 169.375])
    assert third == pytest.approx([169.375, 184.375, 206.875])


def test_an_apply_that_may_not_wait_asks_at_once(desk: Make, waited: Callable[[], float]) -> None:
    """It asks for what an earlier one left, however rarely it is to ask, and ends without waiting."""
    one = desk(submission_polls=0)
    plan_id, _ = planned(one)
    assert one.apply(plan_id, **RARELY).exit is Exit.EARLY
    assert one.statuses() == ["accepted"]
    one.world.advance(seconds=30)
    assert one.apply(plan_id, **RARELY).exit is Exit.DONE
    assert len(one.writes) == 1
    assert waited() == 0


def test_what_does_not_show_yet_is_looked_at_later(desk: Make, waited: Callable[[], float]) -> None:
    """While a change may show late, there is ever more time between looks: each takes a request."""
    one = desk(amount_beside_sku="order")
    plan_id, (action,) = planned(one)
    looks: list[float] = []
    one.sandbox.on_request = lambda request: looks.append(waited()) if request.path.endswith(action) else None
    assert one.apply(plan_id, poll_interval=timedelta(seconds=10), max_wait=timedelta(hours=1)).exit is Exit.EARLY
    assert one.journal()[0][1].startswith("processed; amount of TEE is ")
    before, processed, *later = looks
    assert before == 0
    assert [at - processed for at in later] == pytest.approx([30, 90, 210, 450])


def test_only_an_apply_that_lost_an_answer_waits_for_its_effect(desk: Make, waited: Callable[[], float]) -> None:
    """A change that has just arrived may take a moment to show; what an earlier apply lost has had it."""
    one = desk()
    plan_id, _ = planned(one)
    one.sandbox.on_request = lambda request: Reply(503) if request.method == "PUT" else None
    for _ in range(2):
        assert one.apply(plan_id, **RARELY).exit is Exit.DRIFT
        assert waited() == 3600

"""What time it is if answers, our own clock, or both may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.api.clock import Clock, estimate_skew
from impact_sync.check import run as check
from impact_sync.console.exits import Exit

from tests.support.account import Account

Make = Callable[..., Account]
HOUR = timedelta(hours=1)
NONE = timedelta(0)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hours(*skews: float) -> list[timedelta]:
    """Skews in hours."""
    return [skew * HOUR for skew in skews]


@pytest.mark.parametrize(
    ("skews", "told"),
    [
        ([], (0, False)),
        ([0], (0, True)),
        ([0.001], (0, True)),
        ([30], (0, False)),
        ([-30], (-30, False)),
        ([30, 0], (0, True)),
        ([30, 30], (0, False)),
        ([30, 30, 0], (0, False)),
        ([30, 30, 0, 0], (0, True)),
        ([5, 5, 5], (5, True)),
        ([30, 5, 5], (0, False)),
        ([30, 5, 5, 5], (5, True)),
        ([-30, 5, 5, 5], (5, True)),
        ([30, 5, 30, 5, 30, 5, 30], (5, False)),
    ],
)
def test_a_clock_is_believed_as_far_as_answers_and_our_own_agree(skews: list[float], told: tuple[float, bool]) -> None:
    """The majority wins; three answers overrule our own clock, and in doubt the earlier side counts."""
    skew, certain = estimate_skew(hours(*skews))
    assert (skew / HOUR, certain) == told


@given(
    own=st.sampled_from([0, -3, 3, 700, -700]),
    odd=st.sampled_from([30, -30, 0.5, -0.5, 2000]),
    at=st.lists(st.integers(0, 3), max_size=1),
)
def test_one_wrong_answer_of_any_five_is_not_believed(own: float, odd: float, at: list[int]) -> None:
    """Wherever the one odd answer comes, and however wrong our own clock is, the others' time is taken."""
    skews = [odd + own if place in at else own for place in range(5)]
    assert estimate_skew(hours(*skews)) == (own * HOUR, True)


def test_a_later_answer_shows_how_far_the_clock_had_run_ahead() -> None:
    """Set by a wrong answer, the clock runs on evenly, and `excess` says what cursors must not vouch for."""
    told = Clock(lambda: NOW)
    for skew in hours(30, 30, 30):
        told.hear(NOW + skew)
    told.settle()
    for _ in range(4):
        told.hear(NOW)
    assert told.now() == NOW + 30 * HOUR
    assert told.excess == 30 * HOUR
    assert "3 of 7 answers carried a wrong Date, up to 1 day 6 hours ahead" in told.describe_odd()


@pytest.mark.parametrize(
    ("later", "excess"),
    [((30,), 30), ((30, 30), 30), ((60,), 0), ((60, 30), 0), ((30, 60), 0), ((20, 30), 30), ((90,), 0)],
)
def test_answers_after_the_clock_was_set_are_heard_by_themselves(later: tuple[float, ...], excess: float) -> None:
    """The first answer that contradicts a clock bounds the cursors, before there are enough to outnumber the others."""
    told = Clock(lambda: NOW)
    for _ in range(3):
        told.hear(NOW + 60 * HOUR)
    told.settle()
    for skew in later:
        told.hear(NOW + skew * HOUR)
    assert told.excess == excess * HOUR


@pytest.mark.parametrize("every", [2, *(pytest.param(every, marks=pytest.mark.long) for every in (1_000, 5))])
@pytest.mark.parametrize("off", [30 * HOUR, -30 * HOUR])
def test_a_node_with_a_wrong_clock_moves_no_cursor_past_now(
    account: Make, right: Callable[..., None], every: int, off: timedelta
) -> None:
    """The first Date of a run is 30 hours off, like others: each run reads up to now, the next goes on from there."""
    one = account(days=5, per_day=4)
    right(one)
    one.world.rules = replace(one.world.rules, wrong_date_every=every, wrong_date_seconds=int(off.total_seconds()))
    for _ in range(3):
        one.sandbox.requests.clear()
        summary = one.sync()
        assert summary.exit is Exit.DONE
        assert summary.run.until is not None
        assert abs(summary.run.until - one.world.now) < timedelta(minutes=1)
        one.world.advance(days=2)
        one.world.create(LockingDate="", Amount="10.00", Payout="1.00")
    one.sync()
    one.assert_true()


def test_an_own_clock_that_is_wrong_is_overruled_by_answers_that_agree(
    account: Make, right: Callable[..., None]
) -> None:
    """A machine whose clock is hours behind reads up to the server's now, at the cost of two requests a run."""
    one = account(days=5, per_day=4)
    one.start = None
    right(one, -5 * HOUR)
    summary = one.sync()
    assert summary.run.until == one.world.now
    assert summary.run.requests == 1 + 2 + 50
    assert any("5 hours behind the server's" in note for note in summary.notes)
    one.world.advance(hours=1)
    one.world.create(LockingDate="", Amount="10.00", Payout="1.00")
    one.sync()
    one.assert_true()


def test_a_wrong_date_that_comes_late_is_bounded_by_the_answers_before_it(
    account: Make, right: Callable[..., None]
) -> None:
    """If the majority shows only after the clock was set, cursors and `until` stay where the majority is."""
    one = account(days=5, per_day=4)
    right(one, -30 * HOUR)  # ours is wrong as well, so that the first three answers are believed
    one.world.rules = replace(one.world.rules, wrong_date_every=1, wrong_date_seconds=108_000)
    one.sandbox.requests.clear()

    def recover(_: object) -> None:
        if len(one.sandbox.requests) >= 3:
            one.world.rules = replace(one.world.rules, wrong_date_every=0)

    one.sandbox.on_request = recover
    one.sync()
    one.sandbox.on_request = None
    one.world.advance(hours=2)
    one.world.create(LockingDate="", Amount="10.00", Payout="1.00")
    one.sync()
    one.assert_true()


def test_check_names_an_odd_clock(
    account: Make,
    right: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`impact check` reports answers whose Date contradicts the others."""
    one = account(days=5, per_day=4)
    right(one)
    one.world.rules = replace(one.world.rules, wrong_date_every=1_000)
    for name, value in (
        ("ACCOUNT_SID", one.sandbox.account_sid),
        ("AUTH_TOKEN", one.sandbox.auth_token),
        ("BASE_URL", one.sandbox.url),
    ):
        monkeypatch.setenv(f"SOURCES__IMPACT__{name}", value)
    assert check() == Exit.DONE
    told = " ".join(capsys.readouterr().out.split())
    assert "agrees with the server's" in told
    assert "carried a wrong Date" in told

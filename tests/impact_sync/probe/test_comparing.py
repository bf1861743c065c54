"""How bounds are compared is found out by looking for one action, and nothing is said that is not certain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import hypothesis
import pytest
from hypothesis import strategies as st
from impact_sync.probe import comparing
from impact_sync.probe.comparing import DAY, HOUR, UNITS, Case, Span, Way

_MOST = 6


def milliseconds(*moment: int) -> int:
    """An instant, UTC."""
    return round(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


LOCK = milliseconds(2026, 1, 20, 8)
"""On the hour, as LockingDates are."""
EVENT = milliseconds(2026, 1, 12, 10, 5, 37)


def ask(case: Case, answer: Callable[[Span], bool | None]) -> Case:
    """The case after as many questions as a probe asks."""
    for _ in range(_MOST):
        if (span := comparing.choose(case)) is None:
            break
        case = comparing.after(case, span, listed=answer(comparing.at(case, span)))
    return case


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("unit", ["millisecond", "second", "minute"])
def test_each_reading_is_named_by_a_date_on_the_hour(unit: str, *, inclusive: bool) -> None:
    """Four ranges around a LockingDate on the hour tell the unit and whether the end is part of the range."""
    server = Way(unit, inclusive, dates=True, hidden=0)
    case = ask(comparing.begin(LOCK, (0,)), lambda span: server.lists(LOCK, span))
    assert comparing.reading(case) == (unit, inclusive)
    assert comparing.precision(case).text == unit
    assert comparing.end(case).text == ("part of it (inclusive)" if inclusive else "not part of it (exclusive)")
    assert len(case.tried) <= 4


@pytest.mark.parametrize("midnight", [0, 8 * HOUR])
def test_days_are_named_in_any_zone(midnight: int) -> None:
    """A server that compares days is recognized wherever its midnight is."""
    server = Way("day", inclusive=True, dates=True, hidden=0, midnight=midnight)
    case = ask(comparing.begin(LOCK, (0,)), lambda span: server.lists(LOCK, span))
    assert comparing.precision(case).text == "day"


WAYS = st.builds(
    Way,
    st.sampled_from(list(UNITS)),
    st.booleans(),
    st.booleans(),
    st.integers(0, 999),
    st.sampled_from(range(0, DAY, HOUR)),
)


@hypothesis.settings(max_examples=25)
@hypothesis.given(WAYS, st.sampled_from([EVENT, EVENT - 37_000]))
def test_what_is_said_of_a_server_is_true_of_it(server: Way, date: int) -> None:
    """Whatever the server does, whatever milliseconds the date hides: an answer is right, or there is none."""
    case = ask(comparing.begin(date), lambda span: server.lists(date, span))
    precision, end = comparing.precision(case), comparing.end(case)
    if server.hidden in comparing.HIDDEN:
        assert precision.text == server.unit or not precision.told
        assert end.text.startswith("part" if server.inclusive else "not") or not end.told
    if server.hidden == 0 and server.inclusive and server.dates:
        assert precision.text == server.unit
        assert end.told


def test_hidden_milliseconds_leave_the_end_open() -> None:
    """If no range can end exactly at a date, whether ends are part of ranges is not guessed."""
    server = Way("millisecond", inclusive=True, dates=True, hidden=250)
    case = ask(comparing.begin(EVENT), lambda span: server.lists(EVENT, span))
    assert comparing.precision(case).text == "millisecond"
    assert comparing.end(case).text == "could not be told: no action lies exactly on an end, as far as its date shows"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "no range listed the action that was looked for"),
        (False, "no range listed the action that was looked for"),
        (True, "every range listed the action that was looked for"),
    ],
)
def test_the_same_answer_to_everything_is_no_evidence(answer: bool | None, why: str) -> None:  # noqa: FBT001 - the case
    """An action that is always listed, never listed, or never to be seen, tells nothing."""
    case = ask(comparing.begin(EVENT), lambda _: answer)
    assert comparing.reading(case) is None
    assert comparing.precision(case).text == f"could not be told: {why}"
    assert comparing.end(case).text == f"could not be told: {why}"


def test_contradictions_are_no_evidence() -> None:
    """Answers that no server gives that compares dates are called that."""
    case = comparing.after(comparing.begin(LOCK), (1, comparing.MINUTE), listed=True)
    case = comparing.after(case, (-DAY, DAY), listed=False)
    assert comparing.choose(case) is None
    assert comparing.precision(case).text == "could not be told: the answers fit no way of comparing that is known"

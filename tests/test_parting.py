"""Windows that hold too much are cut where it helps, and no instant between the parts is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sources.impact.parting import parts
from sources.impact.windows import Window

START = datetime(2026, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DAY = timedelta(days=1)
SPANS = st.integers(1, 45 * 86_400_000) | st.integers(1, 3_000)
COUNTS = st.dictionaries(st.integers(0, 45 * 86_400_000), st.integers(1, 500), max_size=20)


@given(SPANS, COUNTS, st.integers(1, 300), st.none() | st.integers(1, 10_000))
def test_parts_cover_every_millisecond_and_are_smaller(
    span: int, counts: dict[int, int], fit: int, total: int | None
) -> None:
    """Parts begin and end with the window, leave no millisecond out, and are more than one."""
    window = Window(START, START + span * MILLISECOND)
    known = sorted((START + at * MILLISECOND, count) for at, count in counts.items())
    found = parts(window, fit, total, known)
    assert len(found) > 1
    assert (found[0].start, found[-1].end) == (window.start, window.end)
    assert all(timedelta(0) <= b.start - a.end <= MILLISECOND for a, b in pairwise(found))
    assert all(part.span < window.span for part in found)


def test_a_single_instant_cannot_be_cut_by_time() -> None:
    """What lies at one millisecond is parted in another way."""
    assert parts(Window(START, START), 10, 100, []) == []


def test_a_told_total_gives_the_number_of_parts_at_once() -> None:
    """Ten times too much is cut into ten, not into two again and again."""
    assert len(parts(Window(START, START + 40 * DAY), 200, 2_000, [])) == 10


def test_a_crowded_instant_is_set_apart_at_once() -> None:
    """The day on which a whole month locks is read on its own; the rest needs two requests."""
    lock = START + 28 * DAY
    found = parts(Window(START, START + 40 * DAY), 200, None, [(START + DAY, 5), (lock, 900), (START + 35 * DAY, 5)])
    assert found == [
        Window(START, lock - MILLISECOND),
        Window(lock, lock),
        Window(lock + MILLISECOND, START + 40 * DAY),
    ]


def test_known_instants_are_gathered_into_parts_that_fit() -> None:
    """Cuts fall between known instants, as few as the counts allow."""
    known = [(START + day * DAY, 60) for day in range(10)]
    found = parts(Window(START, START + 9 * DAY), 200, None, known)
    assert len(found) == 4
    assert all(sum(count for at, count in known if part.start <= at <= part.end) <= 180 for part in found)

"""How much of the answers is held at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from impact_source.api.room import Room


@settings(max_examples=30)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=20))
def test_large_answers_wait_for_each_other_and_all_get_their_turn(sizes: list[int]) -> None:
    """No more is taken at once than there is room for, except by one that is larger and then alone."""
    room, lock, held, most = Room(20, 60), threading.Lock(), list[int](), list[tuple[int, int]]()

    def work(size: int) -> None:
        with room.taken(size):
            with lock:
                held.append(size)
                most.append((sum(held), len([one for one in held if one])))
            with lock:
                held.remove(size)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, sizes))
    assert len(most) == len(sizes)
    assert all(total <= 20 or number == 1 for total, number in most)
    assert not held


def test_an_error_gives_the_room_back() -> None:
    """Whatever happens to an answer, the next one gets its turn."""
    room = Room(1, 60)
    for _ in range(2):
        with suppress(ZeroDivisionError), room.taken(5):
            1 / 0  # noqa: B018 - an answer that fails
    with room.taken(1):
        pass


def test_one_that_never_ends_keeps_nobody_for_good() -> None:
    """An answer that trickles in for minutes does not hold up those that are there."""
    room = Room(1, 0.01)
    with room.taken(5), room.taken(5):
        pass

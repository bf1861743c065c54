"""Pages that are fetched ahead of need: in order, not too many, and none beyond a failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.actions.prefetch import PageList, Prefetcher
from impact_source.waiting import Pool

WAITING, UNKNOWN = 5, 2
Page = tuple[int, int, int]
"""List, page, and number of pages."""


class Source:
    """Lists with this many pages each; records which were fetched, and fails on the lists in `broken`."""

    def __init__(self, lengths: list[int], broken: frozenset[int] = frozenset()) -> None:
        self.lengths, self.broken = lengths, broken
        self.fetched: list[tuple[int, int]] = []
        self.taken, self.most = 0, 0
        self.fetching = threading.Condition()

    def first(self, which: int) -> Page:
        """Page 1."""
        return self._fetch(which, 1)

    def following(self, which: int, first: Page, number: int) -> Page:
        """A later page."""
        assert first == (which, 1, self.lengths[which])
        return self._fetch(which, number)

    def _fetch(self, which: int, number: int) -> Page:
        with self.fetching:
            self.fetching.notify_all()
            self.fetched.append((which, number))
            self.most = max(self.most, len(self.fetched) - self.taken)
        if which in self.broken:
            raise LookupError(which)
        return which, number, self.lengths[which]

    @contextmanager
    def lists(self, skipped: range = range(0)) -> Iterator[Iterator[PageList[int, Page]]]:
        """The lists, fetched ahead in four threads, without those that are skipped when their turn comes."""
        with Pool(4, "test", "a page", 60) as pool:
            ahead = Prefetcher(
                pool, lambda: WAITING, UNKNOWN, self.first, lambda page: page[2], self.following, skipped.__contains__
            )
            yield ahead.lists(range(len(self.lengths)))


@given(st.lists(st.integers(1, 6), max_size=12))
def test_pages_come_in_order_and_few_wait(lengths: list[int]) -> None:
    """Every page of every list comes once and in order, and no more are fetched than may wait to be taken."""
    source, taken = Source(lengths), []
    with source.lists() as lists:
        for listed in lists:
            taken.append(listed.first()[:2])
            source.taken += 1
            for page in listed.following(listed.first()[2]):
                taken.append(page[:2])
                source.taken += 1
    assert taken == [(which, page) for which, length in enumerate(lengths) for page in range(1, length + 1)]
    assert source.most <= WAITING + 1, "one is on its way to whoever takes it"


def test_later_pages_are_fetched_without_being_asked_for() -> None:
    """While nobody takes a page, the next ones fill the room, including later pages of a list."""
    source = Source([3, 3, 3])
    with source.lists() as lists:
        listed = next(lists)
        with source.fetching:
            assert source.fetching.wait_for(lambda: len(source.fetched) == WAITING, timeout=60)
        assert sorted(source.fetched)[:3] == [(0, 1), (0, 2), (0, 3)]
        assert [listed.first(), *listed.following(3)] == [(0, 1, 3), (0, 2, 3), (0, 3, 3)]


def test_beyond_a_failure_nothing_is_fetched() -> None:
    """A list that fails raises when it is taken, and few requests are spent beyond it."""
    source = Source([1] * 50, frozenset({1}))
    with source.lists() as lists:
        assert next(lists).first() == (0, 1, 1)
        with pytest.raises(LookupError):
            next(lists).first()
    assert len(source.fetched) <= 1 + WAITING


@pytest.mark.parametrize("skipped", [range(1, 3), range(20), range(10, 40), range(5, 39)])
def test_what_is_not_wanted_any_more_when_its_turn_comes_is_not_fetched(skipped: range) -> None:
    """Lists that are skipped cost no request, however many there are in a row."""
    source = Source([1] * 40)
    with source.lists(skipped) as lists:
        taken = [listed.first()[0] for listed in lists]
    assert taken == [which for which in range(40) if which not in skipped]
    assert sorted(source.fetched) == [(which, 1) for which in taken]


def settle(pool: Pool) -> None:
    """Wait until the pool's only thread has fetched whatever was requested, and what that had requested."""
    for _ in range(2):
        pool.submit(lambda: None).result(60)


@pytest.mark.parametrize("lengths", [[10], [1] * 10], ids=["of one list", "of many"])
def test_no_more_pages_wait_than_may(lengths: list[int]) -> None:
    """While nobody takes a page, as many as may wait are fetched, and not one more: each is held in memory."""
    source = Source(lengths)
    with Pool(1, "test", "a page", 60) as pool:
        lists = Prefetcher(pool, lambda: WAITING, UNKNOWN, source.first, lambda page: page[2], source.following).lists(
            range(len(lengths))
        )
        next(lists)
        with source.fetching:
            assert source.fetching.wait_for(lambda: len(source.fetched) >= WAITING, timeout=60)
        settle(pool)
        assert len(source.fetched) == WAITING


def test_what_is_wanted_is_drawn_as_it_is_needed() -> None:
    """What the first pages of a long run told still decides what is wanted later: little is settled ahead of them."""
    source, drawn = Source([1] * 200), 0

    def wanted() -> Iterator[int]:
        nonlocal drawn
        for drawn in range(1, 201):
            yield drawn - 1

    with Pool(4, "test", "a page", 60) as pool:
        ahead = Prefetcher(pool, lambda: WAITING, UNKNOWN, source.first, lambda page: page[2], source.following)
        for number, listed in enumerate(ahead.lists(wanted())):
            assert listed.first()[0] == number
            assert drawn <= number + 1 + 2 * WAITING
    assert drawn == 200


@pytest.mark.parametrize(("length", "then"), [(3, "its later pages"), (1, "the next list, which is not read any more")])
def test_a_page_that_arrives_after_the_end_is_no_failure(
    length: int, then: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that was interrupted ends without a traceback of pages that it had still requested."""
    asked, released = threading.Event(), threading.Event()

    def first(which: int) -> Page:
        asked.set()
        released.wait(60)
        return which, 1, length

    with Pool(1, "test", "a page", 60) as pool:
        ahead = Prefetcher(
            pool, lambda: WAITING, UNKNOWN, first, lambda page: page[2], lambda which, _, n: (which, n, length)
        )
        begun = next(ahead.lists(range(8)))
        asked.wait(60)
        pool.shutdown(wait=False, cancel_futures=True)
        released.set()
    assert begun.head.result() == (0, 1, length)
    assert caplog.records == [], f"it would have asked for {then}"


def test_a_list_that_is_dropped_makes_room_for_the_next() -> None:
    """Pages that are no longer taken do not keep others from being fetched, and no more of them are fetched."""
    source = Source([100, *[1] * 30])
    with source.lists() as lists:
        dropped = next(lists)
        assert dropped.first() == (0, 1, 100)
        dropped.drop()
        assert dropped.first() == (0, 1, 100), "what was taken is kept"
        assert next(lists).first() == (1, 1, 1)
        with source.fetching:
            later = range(1, 2 + WAITING)
            assert source.fetching.wait_for(lambda: {(n, 1) for n in later} <= {*source.fetched}, timeout=60)
        assert [listed.first()[0] for listed in lists] == [*range(2, 31)]
    assert sum(which == 0 for which, _ in source.fetched) <= 1 + WAITING


def test_of_a_list_that_is_dropped_nothing_more_is_fetched_when_others_arrive() -> None:
    """A list that was given up costs no request, and does not keep the next ones from being fetched ahead."""
    source, released = Source([100, *[1] * 9]), (threading.Event(), threading.Event())

    def first(which: int) -> Page:
        if which < UNKNOWN:
            released[which].wait(60)
        return source.first(which)

    with Pool(1, "test", "a page", 60) as pool:
        lists = Prefetcher(pool, lambda: WAITING, UNKNOWN, first, lambda page: page[2], source.following).lists(
            range(10)
        )
        dropped = next(lists)
        released[0].set()
        assert dropped.first() == (0, 1, 100)
        dropped.drop()
        released[1].set()
        settle(pool)
        assert source.fetched[:4] == [(0, 1), (1, 1), (2, 1), (3, 1)]


def test_few_lists_are_begun_whose_length_is_not_known() -> None:
    """No more than two first pages are in flight, so that later pages find room."""
    under_way, most, gate = 0, 0, threading.Condition()
    released = threading.Event()

    def first(which: int) -> Page:
        nonlocal under_way, most
        with gate:
            under_way += 1
            most = max(most, under_way)
            gate.notify_all()
        released.wait(60)
        with gate:
            under_way -= 1
        return which, 1, 1

    with Pool(4, "test", "a page", 60) as pool:
        ahead = Prefetcher(
            pool, lambda: WAITING, UNKNOWN, first, lambda page: page[2], lambda which, _, number: (which, number, 1)
        )
        lists = ahead.lists(range(8))
        begun = next(lists)
        with gate:
            assert gate.wait_for(lambda: under_way == UNKNOWN, timeout=60)
        released.set()
        assert [begun.first()[0], *(listed.first()[0] for listed in lists)] == [*range(8)]
    assert most == UNKNOWN

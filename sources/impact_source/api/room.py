"""Limits how much is worked on at once, in whatever unit: threads wait until there is room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """Room for so much at once; what is larger than that is worked on alone.

    Whoever has waited for `seconds` goes on nevertheless: one who never ends must not keep all others.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds, self._taken = most, seconds, 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Take room for `size` within the block, as soon as there is that much."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self._most, self._seconds)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()

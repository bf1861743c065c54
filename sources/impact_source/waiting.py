"""Threads to wait for as long as their work can take, and not at all once the process has to end."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from typing import TypeVar

from dlt.common.runners.pool_runner import TimeoutThreadPoolExecutor
from dlt.common.runtime import signals

from .errors import Stuck

_LOOK = 0.2
"""Seconds between two checks for a signal that dlt received: its signal handler wakes no thread."""
_END = 30.0
"""Seconds that threads have to end once their requests were abandoned."""
T = TypeVar("T")


class Pool(TimeoutThreadPoolExecutor):
    """So many threads for one kind of work, `what`, each piece of which takes at most `most` seconds."""

    def __init__(self, threads: int, name: str, what: str, most: float) -> None:
        super().__init__(threads, timeout=_END, thread_name_prefix=name)
        self._what, self._most = what, most

    def result(self, future: Future[T]) -> T:
        """The result of a future. Raises `Stuck` after too long, and what dlt raises for a signal it received."""
        until = time.monotonic() + self._most
        while not future.done():
            signals.raise_if_signalled()
            if time.monotonic() > until:
                msg = f"waited {self._most / 60:.0f} min for {self._what}, which must have come or failed by then: "
                msg += "run again; please report it if it happens again"
                raise Stuck(msg)
            wait([future], _LOOK)
        return future.result()

    def end(self) -> None:
        """Abandon what has not begun; threads that do not end are left behind."""
        self.shutdown(wait=True, cancel_futures=True)

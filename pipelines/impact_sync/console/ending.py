"""Ends a command on a signal: normally if it can, else hard, as `kill -9` does, which is safe at any instant.

A signal may come anywhere. An exception raised during an import can be swallowed and leave the interpreter's import
lock taken; then nothing that the main thread does helps. So a separate thread receives each signal through a file
descriptor, whoever handles it, imports nothing, and ends the process once its time is up.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from .turn import turn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WITHIN = 20.0
"""Seconds that a command has to end normally: less than the 30 that an orchestrator allows."""
_AGAIN = 2.0
"""Seconds left after a second signal."""
_LINGERING = 10.0
"""Seconds after that before the kernel ends the process, if not even the watchdog can."""
_LOOK = 0.1
_FAILED = 4
_STOPPED = "interrupted; it did not end by itself in time and was stopped; what had landed stays, run again to continue"
_SHOW_CURSOR = b"\x1b[?25h"
"""A progress bar hides the cursor."""


@dataclass(frozen=True)
class _Limit:
    """When the process is ended hard, with which exit code and last line."""

    at: float
    code: int
    said: str


class _Watchdog:
    """What is known about the end of this process; with `stacks`, a hard end prints them."""

    def __init__(self) -> None:
        self.signal = 0
        self.within = WITHIN
        self.stacks = False
        self._limit: _Limit | None = None
        self._ends_at: float | None = None
        self._raised = False
        """Whether the main thread is already exiting, so that nothing more may be raised in it."""
        self._again_at = 0.0
        self._ours = False
        """Whether the next signal was sent by the watchdog."""
        self._pipe: tuple[int, int] | None = None

    def start(self) -> None:
        """Handle the signals from now on; call once, in the main thread."""
        for number in SIGNALS:
            # A shell starts background jobs with SIGINT ignored; whoever sends one anyway means it.
            signal.signal(number, self._interrupt)
        if sys.platform == "win32" or self._pipe:
            return
        sys.unraisablehook = self._swallowed
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="impact-watchdog", daemon=True).start()

    def limit(self, seconds: float | None, code: int = _FAILED, said: str = "") -> None:
        """End the process hard after so many seconds, unless called again before then; None lifts the limit."""
        self._limit = None if seconds is None else _Limit(time.monotonic() + seconds, code, said)
        if self._pipe:  # wakes the watchdog
            os.write(self._pipe[1], b"\0")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Raise in the main thread if that is safe; otherwise the watchdog repeats the signal in a moment."""
        self.signal = self.signal or number
        if self._raised or _unwinding():
            self._raised = True
        elif _safe(frame):
            self._raised = True
            raise interruption(self.signal)

    def _swallowed(self, unraisable: Any) -> None:  # noqa: ANN401 - the interpreter's
        """Exceptions in a destructor are swallowed: let an interrupt be raised again instead of printing it."""
        if self.signal and isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._raised = False
        else:
            sys.__unraisablehook__(unraisable)

    def _watch(self) -> None:
        reader, _ = self._pipe or (0, 0)
        while True:
            pending = self._limit is not None or self._ends_at is not None
            if select.select([reader], [], [], _LOOK if pending else None)[0]:
                for number in os.read(reader, 64):
                    self._hear(number)
            self._act(time.monotonic())

    def _hear(self, number: int) -> None:
        if number not in SIGNALS:
            return
        if self._ours and number == self.signal:
            self._ours = False
            return
        self.signal = self.signal or number
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + self.within
            # The kernel's timer needs neither the interpreter nor its threads, which end before their process does.
            signal.setitimer(signal.ITIMER_REAL, self.within + _LINGERING)
        else:
            self._ends_at = min(self._ends_at, now + _AGAIN)

    def _act(self, now: float) -> None:
        if self._ends_at is not None:
            if now > self._ends_at:
                self._end(128 + self.signal, _STOPPED)
            elif not self._raised and now > self._again_at and signal.getsignal(self.signal) == self._interrupt:
                self._ours, self._again_at = True, now + 2 * _LOOK
                signal.pthread_kill(threading.main_thread().ident or 0, self.signal)
        if (limit := self._limit) and now > limit.at:
            self._end(limit.code, limit.said)

    def _end(self, code: int, said: str) -> NoReturn:
        cursor = _SHOW_CURSOR if os.isatty(2) else b""
        with suppress(OSError):
            os.write(2, cursor + f"impact: {turn.named(said)}\n".encode(errors="replace"))
            if self.stacks:
                faulthandler.dump_traceback(2)
        os._exit(code)


watchdog = _Watchdog()


def interruption(number: int) -> KeyboardInterrupt:
    """The exception for a signal; its number decides the exit code, as with those that dlt raises."""
    error = KeyboardInterrupt()
    error.signal_code = number  # type: ignore[attr-defined]
    return error


def end_process(code: int) -> NoReturn:
    """End the process of a command that has closed whatever it opened.

    Python would wait for every thread, then take its modules apart object by object: an eighth of a small run.
    """
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - those of libraries, as the interpreter would
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _unwinding() -> bool:
    """Whether the code that a signal interrupts is already unwinding."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _safe(frame: FrameType | None) -> bool:
    """Whether an exception here reaches our code and leaves no lock of the interpreter taken."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module == "logging" or module.startswith("importlib.") or frame.f_code.co_name == "__del__":
            return False
        frame = frame.f_back
    return True

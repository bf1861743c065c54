"""Standard output and error that never end a run: whatever happens to the reader, what has landed has landed."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from typing_extensions import override

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_ERROR = 2
_GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF})
"""Nobody reads any more: the pipe was closed, the terminal is gone, or the descriptor never existed."""


def guard() -> None:
    """Call once, before any other file is opened. Text that an output cannot encode is shown by its codes.

    A closed descriptor would be reused for the next file that is opened, perhaps the warehouse, and any message on
    standard error would then be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - takes the lowest free number
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - for as long as we run
    if sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__:  # not within a test, or a notebook
        sys.stdout, sys.stderr = _open(1, sys.stdout), _open(2, sys.stderr)


def _open(number: int, stream: TextIO | None) -> TextIO:
    encoding = stream.encoding if stream else "utf-8"
    raw = _Patient(number, "wb", closefd=False)
    by_line = raw.isatty() or number == _ERROR
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=by_line)


class _Patient(io.FileIO):
    """Accepts writes that nobody reads or that do not fit; in the latter case it reports the loss once."""

    _said = False

    @override
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE and not self._said and self.fileno() != _ERROR:
                self._said = True
                text = f"impact: the output is not complete, it cannot be written: {error.strerror}\n"
                with suppress(OSError):
                    os.write(_ERROR, text.encode(errors="replace"))
            return memoryview(data).nbytes

"""How the process allocates memory: from few heaps, and reusing what is free.

A page is megabytes of short-lived buffers in several threads. By default the C library gives each thread its own heap
and returns large buffers at once. Then the kernel zeroes the same memory again and again (a fifth of a backfill's time)
while idle memory adds up in other heaps.
"""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of glibc's `mallopt`, as its malloc.h numbers them."""
_KEPT = 64 * 2**20
_LARGEST_IN_HEAP = 2 * 2**20
_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None


def tune() -> None:
    """Call before threads start; once is enough. Does nothing if the C library is not glibc."""
    if (mallopt := getattr(_LIBRARY, "mallopt", None)) is None:
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP)
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own allocator also keeps a heap for each thread


def release() -> None:
    """Return free memory between live buffers to the system: without this a long run's memory creeps up."""
    if (trim := getattr(_LIBRARY, "malloc_trim", None)) is not None:
        trim(0)

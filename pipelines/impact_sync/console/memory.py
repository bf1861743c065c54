"""How the process allocates memory: from few heaps, reusing what is free, and seldom looking for garbage.

A page is megabytes of short-lived buffers in several threads. By default the C library gives each thread its own heap
and returns large buffers at once. Then the kernel zeroes the same memory again and again (a fifth of a backfill's time)
while idle memory adds up in other heaps.
"""

from __future__ import annotations

import ctypes
import gc
import sys

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of glibc's `mallopt`, as its malloc.h numbers them."""
_NEW_OBJECTS = 10_000
"""New objects after which Python looks for unused cycles. By default it does so after some hundred, which costs a small
run a sixth of its time: the modules alone are half a million objects, and none of them is garbage."""
_DECAY = 100
"""Milliseconds until Arrow returns memory that is not used again: long enough for the next page."""
_KEPT = 64 * 2**20
_LARGEST_IN_HEAP = 2 * 2**20
_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None


def tune() -> None:
    """Call before threads start and before the libraries are imported; once is enough."""
    gc.set_threshold(_NEW_OBJECTS)
    if (mallopt := getattr(_LIBRARY, "mallopt", None)) is None:
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP)
    pa.set_memory_pool(_pool())


def _pool() -> pa.MemoryPool:
    """Where Arrow allocates: apart from other objects, which would keep the memory between them from being returned."""
    try:
        pa.jemalloc_set_decay_ms(_DECAY)
        return pa.jemalloc_memory_pool()
    except NotImplementedError:  # a build of Arrow without it
        return pa.system_memory_pool()


def keep_modules() -> None:
    """Look for no garbage among all that exists now: call once the libraries are imported."""
    gc.freeze()


def release() -> None:
    """Return free memory between live buffers to the system: without this a long run's memory creeps up."""
    if (trim := getattr(_LIBRARY, "malloc_trim", None)) is not None:
        trim(0)

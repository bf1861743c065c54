"""Waits for something that another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_BETWEEN = 0.02
"""Seconds between two looks."""


def wait_for(look: Callable[[], T], seconds: float = 60.0) -> T:
    """The first truthy result of `look`; fails if that takes longer."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing within {seconds:.0f} s"
        time.sleep(_BETWEEN)
    return found

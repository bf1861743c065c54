"""The numbered steps. No I/O, and nothing that takes long to import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import history_by_merge
from .step import FIRST, Step

STEPS: Final[Sequence[Step]] = (history_by_merge.STEP,)
"""In order, without a gap. A new step gets its own module here, and a test in `tests/upgrade`."""
SCHEMA_VERSION: Final = STEPS[-1].version if STEPS else FIRST
"""The version that this program writes."""

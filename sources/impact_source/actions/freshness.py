"""Which answer about an action is the latest: pages do not land in the order in which they arrive."""

from __future__ import annotations

from collections import deque

import pyarrow as pa
import pyarrow.compute as pc

from ..rows.diff import CARRIED
from ..settings import PAGES_MAX
from .events import Batch

_REMEMBERED = 32
"""Batches remembered, so that older rows do not replace theirs: more than are ever in flight together."""


class Freshness:
    """What landed lately: an answer read earlier never replaces one read later."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, pa.Array]] = deque(maxlen=_REMEMBERED)

    def drop_outdated(self, batch: Batch) -> pa.Table:
        """The batch's rows, without those of actions that have landed from a batch read later."""
        table = batch.records.table
        ids = table["id"].combine_chunks()
        later = [rows for arrived, rows in self._recent if arrived > batch.arrived]
        if later:
            landed = pa.chunked_array(later)
            known = landed.filter(pc.is_in(landed, value_set=ids))
            if len(known):
                table = table.filter(pc.invert(pc.is_in(ids, value_set=known.combine_chunks())))
        self._recent.append((batch.arrived, ids))
        return table


class Carried:
    """The rows that a load package carries, as far as a tally needs them, and the last ones of the package before."""

    def __init__(self) -> None:
        self._rows: list[pa.Table] = []

    def next_package(self) -> None:
        """Forget all that the last package carried except its end: neighbouring windows share their boundary."""
        del self._rows[:-PAGES_MAX]

    def add(self, rows: pa.Table) -> None:
        """Add rows that the package now carries."""
        self._rows.append(rows.select(CARRIED).combine_chunks())

    def find(self, ids: pa.ChunkedArray) -> pa.Table | None:
        """The rows of these ids, the latest first; None where there are none."""
        if not self._rows:
            return None
        all_ids = pa.chunked_array([rows["id"].chunk(0) for rows in reversed(self._rows)])
        where = pc.indices_nonzero(pc.is_in(all_ids, value_set=ids.combine_chunks()))
        return pa.concat_tables(reversed(self._rows)).take(where) if len(where) else None

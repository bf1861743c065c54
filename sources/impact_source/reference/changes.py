"""Which rows of a table to write: those that are new or differ, and the removal of those that are gone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ..rows.diff import differing_rows
from ..rows.ours import REMOVED


def changed(new: pa.Table, held: pa.Table | None, key: Sequence[str]) -> pa.Table:
    """The rows of `new` that differ from `held` or are not there, and tombstones for those that only `held` has."""
    if held is None:
        return new
    held = held.drop_columns([name for name in (REMOVED,) if name in held.column_names])
    here, there = _keys(new, key), _keys(held, key)
    place = pc.index_in(here, value_set=there)
    rows = new.filter(differing_rows(new, held, place))
    gone = held.filter(pc.invert(pc.is_in(there, value_set=here))).select(key)
    if not len(gone):
        return rows
    gone = gone.cast(pa.schema([new.schema.field(name) for name in key]))
    return pa.concat_tables(
        [rows, gone.append_column(REMOVED, pa.array([True] * len(gone), pa.bool_()))], promote_options="default"
    )


def _keys(rows: pa.Table, key: Sequence[str]) -> pa.Array:
    """One text for each row's key."""
    parts = [rows[name].cast(pa.string()) for name in key]
    return pc.binary_join_element_wise(*parts, "\x1f").combine_chunks()

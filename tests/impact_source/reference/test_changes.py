"""Only what differs is written, and afterwards the table is what was read."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from impact_source.reference.changes import changed

SCHEMA = pa.schema(
    [
        pa.field("owner", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        ("said", pa.string()),
        ("synced_at", pa.timestamp("us", tz="UTC")),
    ]
)
KEY = ("owner", "line")
ROWS = st.dictionaries(
    st.tuples(st.sampled_from(["", "a", "b\x1f1"]), st.integers(1, 3)), st.sampled_from([None, "x", "y"])
)
Held = dict[tuple[str, int], str | None]


def table(rows: Held, at: int) -> pa.Table:
    """Rows as a table that was read at an instant."""
    return pa.Table.from_pylist(
        [{"owner": owner, "line": line, "said": said, "synced_at": at} for (owner, line), said in rows.items()], SCHEMA
    )


@given(ROWS, ROWS)
def test_merging_the_changes_gives_what_was_read(new: Held, held: Held) -> None:
    """Rows that are new or differ are written, those that are gone removed, all others left alone."""
    rows = changed(table(new, 2), table(held, 1), KEY).to_pylist()
    keys = [(row["owner"], row["line"]) for row in rows]
    assert len({*keys}) == len(keys)
    result = dict(held)
    for key, row in zip(keys, rows, strict=True):
        if row.get("removed"):
            del result[key]
        else:
            assert held.get(key, "none") != row["said"]
            result[key] = row["said"]
    assert result == new


def test_what_is_not_held_is_written() -> None:
    """Where there is no table yet, every row is new."""
    assert changed(table({("a", 1): None}, 1), None, KEY).to_pylist() == table({("a", 1): None}, 1).to_pylist()

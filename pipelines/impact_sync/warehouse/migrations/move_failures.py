"""Step 2: `item_fetches` says in a column of its own why items are requested again."""

from __future__ import annotations

from collections.abc import Iterator

from .step import Existing


def move_failures(existing: Existing) -> Iterator[str]:
    """Release 0.1.0 wrote the reason into `fingerprint`, which otherwise has a '|' between any two amounts."""
    if "item_fetches" not in existing.columns:
        return
    fetches = existing.name("item_fetches")
    if "failure" not in existing.columns["item_fetches"]:
        yield f"alter table {fetches} add column failure varchar"
    yield (
        f"update {fetches} set failure = coalesce(failure, fingerprint), fingerprint = null "
        "where position('|' in fingerprint) = 0"
    )

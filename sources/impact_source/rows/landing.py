"""The rows handed to dlt at once, by table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from .columns import PASS
from .items import no_items
from .ledger import Row
from .ours import FETCH_TABLE, VERSIONS


@dataclass(frozen=True)
class Landing:
    """Rows for the warehouse, by table. Those with the API's types are Arrow tables, the others plain rows."""

    actions: pa.Table | None = None
    campaigns: pa.Table | None = None
    updates: pa.Table | None = None
    """Rows of `action_updates`."""
    rejected: list[Row] = field(default_factory=list)
    windows: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    items: pa.Table | None = None
    """Always all items of an action."""
    fetches: pa.Table | None = None
    """Rows of `item_fetches`: actions whose items were read, or are now out of date."""
    feeds: list[Row] = field(default_factory=list)
    """Rows of `item_feeds`."""
    declared: bool = False
    """Whether to create the tables that have no rows yet."""
    reference: Mapping[str, pa.Table] = field(default_factory=dict)
    """What surrounds the actions, by table."""


def gather(landings: Iterable[Landing], most: int) -> Iterator[Landing]:
    """The same rows in fewer landings, of about `most` actions: each costs dlt as much as thousands of rows."""
    held: list[Landing] = []
    for landing in landings:
        if landing.campaigns is not None or landing.declared:  # these come first
            yield landing
            continue
        held.append(landing)
        if sum(len(rows) for one in held for rows in (one.actions, one.updates) if rows is not None) >= most:
            yield _join(held)
            held.clear()
    if held:
        yield _join(held)


def declare_tables(holds: Callable[..., bool], *, history: bool) -> Iterator[Landing]:
    """Landings that create the tables that must exist from the first run on; history may be turned on later."""
    wanted = ("verify_results", "rejected_records", "item_feeds", *(VERSIONS.values() if history else ()))
    if not all(map(holds, wanted)):
        yield Landing(declared=True)
    yield from declare_items(holds)


def declare_items(holds: Callable[..., bool]) -> Iterator[Landing]:
    """A landing that creates the tables of items, or adds the columns that an earlier version did not write."""
    if not (holds("action_items", "known_by") and holds("item_fetches", "changes")):
        yield Landing(items=no_items(), fetches=FETCH_TABLE.empty_table())


def seen_by(rows: pa.Table, pass_: str) -> pa.Table:
    """Actions as rows that a pass has just brought."""
    return rows.append_column(PASS.name, pa.repeat(pass_, len(rows)))


def _join(landings: list[Landing]) -> Landing:
    return Landing(
        actions=_concat(one.actions for one in landings),
        updates=_concat(one.updates for one in landings),
        rejected=[row for one in landings for row in one.rejected],
        windows=[row for one in landings for row in one.windows],
        findings=[row for one in landings for row in one.findings],
        feeds=[row for one in landings for row in one.feeds],
        items=_concat(one.items for one in landings),
        fetches=_concat(one.fetches for one in landings),
    )


def _concat(tables: Iterable[pa.Table | None]) -> pa.Table | None:
    found = [table for table in tables if table is not None]
    return pa.concat_tables(found, promote_options="default") if found else None

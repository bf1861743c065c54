"""Decides what a comparison of the API with the warehouse means: drift, newer than the last sync, or gone. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from impact_source.actions.unread import Failure
from impact_source.plan.gone import Gone
from impact_source.plan.windows import Window
from impact_source.rows.columns import ACTION
from impact_source.rows.columns import Kind as ColumnKind
from impact_source.rows.diff import differing_columns
from impact_source.settings import LATE

from ..console.exits import Exit, worst_exit
from .compare import Compared, Difference, Kind

_PASSING = {"state", "locking_date"} | {column.name for column in ACTION if column.kind is ColumnKind.MONEY}
"""The columns that change with the state of an action."""


@dataclass(frozen=True)
class Judged:
    """Rows of the API, compared and judged: what differs, without what is newer than the last sync."""

    found: Compared
    newer: pa.Table
    """Missing or stale rows that changed since the last sync."""
    updated: frozenset[str]
    """Ids of the newer rows of which the warehouse holds an older version."""


def without_unexpected(found: Compared, start: datetime | None) -> tuple[Compared, int]:
    """Without the missing actions that no sync would load, since it begins at `start`; and how many these are."""
    if start is None or not len(found.missing):
        return found, 0
    late = found.missing.filter(pc.greater_equal(found.missing["creation_date"], pa.scalar(start)))
    return replace(found, missing=late), len(found.missing) - len(late)


def without_newer(found: Compared, synced: datetime | None, now: datetime) -> Judged:
    """Without the rows that changed since the last sync reached `synced`; without a sync, that is all of them."""
    sides = (found.missing, found.stale)
    if not any(map(len, sides)):
        return Judged(found, found.missing, frozenset())
    if synced is None:
        masks = [pa.array([True] * len(rows), pa.bool_()) for rows in sides]
    else:
        masks = list(newer(found, synced, now))
    since = [rows.filter(mask) for rows, mask in zip(sides, masks, strict=True)]
    missing, stale = (rows.filter(pc.invert(mask)) for rows, mask in zip(sides, masks, strict=True))
    left = replace(found, missing=missing, stale=stale)
    return Judged(left, pa.concat_tables(since), frozenset(since[1]["id"].to_pylist()))


def lasting(first: Difference, now: Difference) -> Difference | None:
    """What still differs as at the first reading; None if only other columns differ: it is changing right now."""
    columns = {cell.column for cell in first.cells}
    cells = tuple(cell for cell in now.cells if cell.column in columns)
    return None if now.kind is Kind.STALE and not cells else replace(now, cells=cells)


def split(found: Sequence[Difference], newer: Collection[str]) -> tuple[list[Difference], list[Difference]]:
    """Real differences, and those of actions that are known to be newer."""
    real = [one for one in found if one.action_id not in newer]
    return real, [one for one in found if one.action_id in newer]


def unreturned(held: pa.Table, returned: pa.ChunkedArray, known: Collection[str]) -> dict[str, datetime]:
    """Actions, with their EventDate, that the warehouse holds in a window which did not return them.

    Those that are `known` to be in question anyway are left out.
    """
    left = without(held, returned).to_pylist()
    return {row["id"]: row["event_date"] for row in left if row["id"] not in known}


def only_returned(ids: Collection[str], returned: pa.ChunkedArray) -> list[str]:
    """Those of the ids that were returned."""
    asked = pa.array(ids, pa.string())
    return list(asked.filter(pc.is_in(asked, value_set=returned)).to_pylist())


def without(rows: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """The rows that have none of these ids; not copied if that is all of them."""
    known = pc.is_in(rows["id"], value_set=ids)
    return rows.filter(pc.invert(known)) if pc.any(known).as_py() else rows


def known_gone(unreturned: Collection[str], gone: Mapping[str, Gone], now: datetime) -> list[str]:
    """Actions that no window returned and that need no request: acknowledged as gone, and requested recently."""
    return sorted(id_ for id_ in unreturned if is_acknowledged(id_, gone) and not gone[id_].is_news(now))


def is_acknowledged(action_id: str, gone: Mapping[str, Gone]) -> bool:
    """Whether an earlier repair has acknowledged that an action is gone."""
    return action_id in gone and gone[action_id].acknowledged


def hidden(found: pa.Table, campaign_id: str, verified: Window) -> tuple[str, datetime] | None:
    """An action, with its EventDate, that was found by id although the windows should have returned it."""
    event = found["event_date"]
    dated = pc.and_(pc.greater_equal(event, pa.scalar(verified.start)), pc.less_equal(event, pa.scalar(verified.end)))
    inside = found.filter(pc.and_(dated, pc.equal(found["campaign_id"], campaign_id)))
    return (inside["id"][0].as_py(), inside["event_date"][0].as_py()) if len(inside) else None


def ended(failures: Sequence[Failure], *, drift: bool, repaired: bool) -> tuple[Exit, str]:
    """The exit code and the outcome of a verification."""
    if failures:
        return worst_exit(failures), type(failures[0].error).__name__
    if not drift:
        return Exit.DONE, "done"
    return (Exit.DONE, "repaired") if repaired else (Exit.DRIFT, "drift")


def newer(found: Compared, synced: datetime, now: datetime) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Which of the missing and of the stale rows changed since the last sync reached `synced`, by their own dates.

    Both may have been created since then. A stale one may also have locked; been cleared, but not here; or, if it was
    open and there was time, have changed its state, which leaves no date. An older missing one could have been read,
    whatever happened to it since.
    """
    reach = synced - LATE
    stale, mask = found.stale, _after(found.stale, "creation_date", reach)
    here = found.here.take(pc.index_in(stale["id"], value_set=found.here["id"].combine_chunks()))
    differs = differing_columns(stale, here)
    mask = pc.or_(mask, _after(stale, "locking_date", reach, now))
    mask = pc.or_(mask, pc.and_(_after(stale, "cleared_date", reach, now), differs["cleared_date"]))
    if now - synced > LATE:
        mask = pc.or_(mask, _passed(differs, here, synced))
    return _after(found.missing, "creation_date", reach), mask


def _passed(differs: dict[str, pa.ChunkedArray], here: pa.Table, synced: datetime) -> pa.ChunkedArray:
    """Which rows differ as if by a change of state, among actions that were open at the last sync.

    The next sync re-reads every open action. This excludes an action that locked before and was not approved here.
    """
    unlocked = pc.or_(pc.is_null(here["locking_date"]), _after(here, "locking_date", synced))
    mask = pc.and_(differs["state"], pc.and_(unlocked, pc.is_null(here["cleared_date"])))
    for name, differs_there in differs.items():
        if name not in _PASSING:
            mask = pc.and_(mask, pc.invert(differs_there))
    return mask


def _after(rows: pa.Table, name: str, since: datetime, now: datetime | None = None) -> pa.ChunkedArray:
    mask = pc.greater(rows[name], pa.scalar(since))
    if now is not None:
        mask = pc.and_(mask, pc.less_equal(rows[name], pa.scalar(now)))
    return pc.fill_null(mask, fill_value=False)

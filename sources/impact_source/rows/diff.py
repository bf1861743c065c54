"""Compares a page with what is known: the rows to write, and a tally of what happened. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from .columns import KEPT_BY_US

Money = dict[str, Decimal]
"""Sums by currency code."""
_AT_ONCE = 4_000
"""Rows that are compared at once."""
APPROVED, REVERSED = "APPROVED", "REVERSED"


@dataclass
class Tally:
    """What a run found: actions read, new, changed (of these approved, reversed, restored), newly rejected, gone.

    `money` is the change of the sum of payouts by currency, new actions included.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    approved: int = 0
    reversed: int = 0
    restored: int = 0
    rejected: int = 0
    gone: int = 0
    money: Money = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for name in ("read", "new", "changed", "approved", "reversed", "restored", "rejected", "gone"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for currency, moved in other.money.items():
            self.money[currency] += moved


CARRIED = ("id", "state", "currency", "payout")
"""The columns that a tally needs."""


def changed_rows(new: pa.Table, old: pa.Table | None, carried: pa.Table | None = None) -> tuple[pa.Table, Tally]:
    """The rows of `new` that differ from the row with the same id in `old`, or have none there, with their tally.

    Rows whose ids the load package already carries (`carried`: only the columns `CARRIED`, the latest first) are always
    written again, because the carried answer is older. They count as changed if they differ in these columns.
    """
    if old is None or not len(old):
        rows, before = new, None
    else:
        place = pc.index_in(new["id"], value_set=old["id"].combine_chunks())
        differs = differing_rows(new, old, place)
        if carried is not None:
            differs = pc.or_(differs, pc.is_in(new["id"], value_set=carried["id"].combine_chunks()))
        rows, before = new.filter(differs), old.select(CARRIED).take(place.filter(differs))
    tally = _tally(rows, before) if carried is None else _tally_again(rows, before, carried)
    tally.read = len(new)
    return rows, tally


def new_rows(new: pa.Table, old: pa.Table | None) -> pa.Table:
    """The rows of `new` that differ from the row with the same id in `old`, or have none there."""
    if old is None or not len(new):
        return new
    place = pc.index_in(new["id"], value_set=old["id"].combine_chunks())
    return new.filter(differing_rows(new, old, place))


def _tally_again(rows: pa.Table, before: pa.Table | None, carried: pa.Table) -> Tally:
    """The tally if some rows replace what the package carries, not what the warehouse holds."""
    known = carried
    if before is not None:
        held = before.filter(pc.is_valid(before["id"]))
        known = pa.concat_tables([carried, held], promote_options="default")  # ids may be NULL in only one of them
    place = pc.index_in(rows["id"], value_set=known["id"].combine_chunks())
    was = known.take(place)
    again = pc.is_in(rows["id"], value_set=carried["id"].combine_chunks())
    same = pc.invert(differing_rows(rows.select(CARRIED), known, place))
    counted = pc.invert(pc.and_(again, same))
    return _tally(rows.filter(counted), was.filter(counted))


def differing_rows(new: pa.Table, old: pa.Table, place: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which rows of `new` differ from the row of `old` at their `place`, or have none there (`place` is null).

    Compares some rows at a time: to take rows from a table copies them.
    """
    starts = range(0, len(new), _AT_ONCE)
    parts = [_differing_rows(new.slice(at, _AT_ONCE), old, place.slice(at, _AT_ONCE)) for at in starts]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.bool_())


def _differing_rows(new: pa.Table, old: pa.Table, place: pa.ChunkedArray) -> pa.ChunkedArray:
    differs = pc.is_null(place)
    for mask in differing_columns(new, old.take(place)).values():
        differs = pc.or_(differs, mask)
    return differs


def differing_columns(new: pa.Table, old: pa.Table) -> dict[str, pa.Array]:
    """For two tables with the same ids in the same order: which rows differ, by column."""
    names = [name for name in dict.fromkeys((*new.column_names, *old.column_names)) if name not in KEPT_BY_US]
    return {name: _differs(_column(new, name), _column(old, name)) for name in names}


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name in table.column_names:
        return table[name]
    return pa.chunked_array([pa.nulls(len(table), pa.string())])


def _differs(new: pa.ChunkedArray, old: pa.ChunkedArray) -> pa.ChunkedArray:
    if new.type != old.type:
        old = old.cast(new.type)
    absent, was_absent = pc.is_null(new), pc.is_null(old)
    return pc.if_else(pc.or_(absent, was_absent), pc.xor(absent, was_absent), pc.not_equal(new, old))


def _tally(after: pa.Table, before: pa.Table | None) -> Tally:
    if before is None:
        return Tally(new=len(after), money=_payouts(after, 1))
    known = pc.is_valid(before["id"])
    is_, was = after["state"], before["state"]

    def count(*conditions: pa.ChunkedArray) -> int:
        all_ = known
        for condition in conditions:
            all_ = pc.and_(all_, condition)
        return pc.sum(all_).as_py() or 0  # NULL is not counted

    return Tally(
        new=len(after) - count(),
        changed=count(),
        approved=count(pc.equal(is_, APPROVED), pc.not_equal(was, APPROVED)),
        reversed=count(pc.equal(is_, REVERSED), pc.not_equal(was, REVERSED)),
        restored=count(pc.not_equal(is_, REVERSED), pc.equal(was, REVERSED)),
        money=_moved(after, before),
    )


def _moved(after: pa.Table, before: pa.Table) -> Money:
    moved = _payouts(after, 1)
    for currency, payout in _payouts(before, -1).items():
        moved[currency] += payout
    return moved


def _payouts(rows: pa.Table, sign: int) -> Money:
    sums: Money = defaultdict(Decimal)
    grouped = rows.select(["currency", "payout"]).group_by("currency").aggregate([("payout", "sum")]).to_pylist()
    for group in grouped:
        if group["payout_sum"] is not None:
            sums[group["currency"] or ""] = sign * group["payout_sum"]
    return sums

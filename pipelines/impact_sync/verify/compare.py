"""Compares the API's rows with those of the warehouse: which differ, and in what. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from impact_source.parsing import in_zone
from impact_source.rows.diff import differing_columns, differing_rows


class Kind(StrEnum):
    """How an action differs; the values are those of `verify_results.finding`."""

    MISSING = "missing"
    """The API has it, the warehouse does not."""
    STALE = "stale"
    """Both have it, with different values."""
    GONE = "gone"
    """The warehouse has it, but the API no longer knows it."""


@dataclass(frozen=True)
class Cell:
    """A value that differs, as text; None if there is none."""

    column: str
    here: str | None
    there: str | None


@dataclass(frozen=True)
class Difference:
    """An action that differs, with its EventDate (the API's if it has one) and, if stale, a cell for each value."""

    campaign_id: str
    action_id: str
    kind: Kind
    event_date: datetime | None
    cells: tuple[Cell, ...] = ()
    acknowledged: bool = False
    """Whether an earlier `--repair` has acknowledged that it is gone."""

    def month(self, zone: tzinfo) -> str | None:
        """Month of its EventDate in a time zone, as YYYY-MM."""
        return f"{in_zone(self.event_date, zone):%Y-%m}" if self.event_date else None


@dataclass(frozen=True)
class Compared:
    """Rows of the API by their state in the warehouse. `here` holds the warehouse's versions of the `stale` rows.

    Of the `same` rows there are only `id` and `event_date`.
    """

    same: pa.Table
    missing: pa.Table
    stale: pa.Table
    here: pa.Table

    @property
    def differing(self) -> pa.Table:
        """The missing and the stale rows."""
        return pa.concat_tables([self.missing, self.stale])

    def differences(self, campaign_id: str) -> list[Difference]:
        """The missing and the stale rows with what differs in each."""
        cells = _cells(self.stale, self.here)
        found = [Difference(campaign_id, id_, Kind.MISSING, event) for id_, event in _dated(self.missing)]
        return found + [Difference(campaign_id, id_, Kind.STALE, at, cells[id_]) for id_, at in _dated(self.stale)]


def compare(there: pa.Table, here: pa.Table | None) -> Compared:
    """Sort the rows of `there` by how they compare with `here`, in all columns but `synced_at`.

    A row that `here` holds more than once is stale: every sum over it is wrong.
    """
    if here is None:
        here = there.schema.empty_table()
    place = pc.index_in(there["id"], value_set=here["id"].combine_chunks())
    known = pc.is_valid(place)
    wanted = there if pc.all(known).as_py() else there.filter(known)  # to filter rows copies them
    differs = pc.is_in(wanted["id"], value_set=pa.array(_repeated(here), pa.string()))
    differs = pc.or_(differs, differing_rows(wanted, here, place.drop_null()))
    stale = wanted.filter(differs)
    counterparts = here.filter(pc.is_in(here["id"], value_set=stale["id"].combine_chunks()))
    same = wanted.select(["id", "event_date"]).filter(pc.invert(differs))
    return Compared(same, there.filter(pc.invert(known)), stale, counterparts)


def months(rows: pa.Table, zone: ZoneInfo) -> dict[str | None, int]:
    """How many rows have their EventDate in each month of a time zone, YYYY-MM."""
    local = rows["event_date"].cast(pa.timestamp("us", zone.key))
    counted = pc.value_counts(pc.strftime(local, format="%Y-%m")).to_pylist()
    return {one["values"]: one["counts"] for one in counted}


def only(rows: pa.Table, ids: Iterable[str]) -> pa.Table:
    """The rows with these ids."""
    return rows.filter(pc.is_in(rows["id"], value_set=pa.array(list(ids), pa.string())))


def _dated(rows: pa.Table) -> list[tuple[str, datetime | None]]:
    return list(zip(rows["id"].to_pylist(), rows["event_date"].to_pylist(), strict=True))


def _repeated(here: pa.Table) -> list[str]:
    return [one["values"] for one in pc.value_counts(here["id"]).to_pylist() if one["counts"] > 1]


def _cells(stale: pa.Table, here: pa.Table) -> dict[str, tuple[Cell, ...]]:
    ids = stale["id"].to_pylist()
    held = here.take(pc.index_in(stale["id"], value_set=here["id"].combine_chunks()))
    cells: dict[str, list[Cell]] = defaultdict(list)
    for name, differs in differing_columns(stale, held).items():
        for row in pc.indices_nonzero(differs).to_pylist():
            was, is_ = (_text(t[name][row].as_py()) if name in t.column_names else None for t in (held, stale))
            cells[ids[row]].append(Cell(name, was, is_))
    repeated = pc.value_counts(here["id"]).to_pylist()
    for one in repeated:
        if one["counts"] > 1:
            cells[one["values"]].append(Cell("id", f"{one['counts']} rows", "1 row"))
    return {id_: tuple(found) for id_, found in cells.items()}


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal():
            return f"{value.normalize():f}"
    return str(value)

"""Freezes a month: its lines land first, and its row in `closes`, without which they count for nothing, last.

So a run that is killed in between leaves the month open, and the next one replaces the lines. Nothing is asked of the
API: a close says what the warehouse knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

import dlt
from dlt.extract import DltResource
from impact_source.errors import ConfigurationError, ImpactError
from impact_source.parsing import parse_ids
from impact_source.sql import in_utc
from impact_source.tables import MERGE
from impact_source.warehouse import Warehouse

from ..load.descriptions import describe
from ..views import create_views, localize, zone_of
from ..views.functions import question
from ..warehouse.open import open_pipeline, source_state
from .columns import CLOSE_LINES, CLOSES, Close, Line, hash_of
from .month import Month
from .readiness import judge, was_read

_SYNC = """
select run_id from sync_runs where finished is not null and outcome not like '%: %' order by finished desc, run_id
limit 1
"""
"""The latest sync: the outcomes of other commands begin with their names."""


class NotReady(ImpactError):
    """The month is not completely read, not verified or empty; `reasons` say what to do."""

    def __init__(self, month: str, reasons: tuple[str, ...]) -> None:
        super().__init__(f"{month} cannot be closed yet: {'; '.join(reasons)}")
        self.reasons = reasons


@dataclass(frozen=True)
class Closed:
    """A closed month with its lines, as the warehouse has them now."""

    close: Close
    lines: tuple[Line, ...]

    @property
    def is_intact(self) -> bool:
        """Whether the lines are those that were frozen."""
        return hash_of(self.lines) == self.close.hash


def close(first: date, note: str | None = None, *, force: bool = False) -> Closed:
    """Close the month that begins on a day; with `force`, even if it is not completely read, not verified or empty.

    Raises `NotReady`, or `ConfigurationError` if it is closed already, is not over, or nothing of it was ever read.
    """
    with open_pipeline() as pipeline:
        create_views(pipeline)  # the figures are theirs
        warehouse, month = Warehouse(pipeline), Month(first, zone_of(pipeline).name)
        _check(warehouse, month)
        reached = _reached(warehouse)
        _check_over(reached, month)
        state = source_state(pipeline)
        campaigns = _campaigns(warehouse)
        lines = tuple(_figures(warehouse, month))
        if not lines and not was_read(state, campaigns, month):
            msg = (
                f"nothing of {month} was ever read: check the month, or set an earlier start_date and run `impact sync`"
            )
            raise ConfigurationError(msg)
        items: bool = dlt.config.get("sources.impact.items") != "off"
        readiness = judge(warehouse, state, campaigns, month, items=items)
        empty = () if lines else (f"the warehouse has no conversion in {month}: check that this is the month you mean",)
        reasons = (*empty, *readiness.reasons)
        if reasons and not force:
            raise NotReady(str(month), reasons)
        found = Close(
            month=first,
            time_zone=month.time_zone,
            closed_at=datetime.now(UTC),
            known_at=_known_at(warehouse),
            as_of=_as_of(reached, campaigns),
            run_id=next((str(row[0]) for row in warehouse.rows(_SYNC)), None),
            verified_at=readiness.verified_at,
            exceptions="; ".join(reasons) or None,
            note=note,
            lines=len(lines),
            hash=hash_of(lines),
            version=version("impact-sync"),
        )
        pipeline.run(_table("close_lines", ["month", "media_partner_id", "currency"], CLOSE_LINES, lines))
        pipeline.run(_table("closes", ["month"], CLOSES, [found]))
        create_views(pipeline)
        describe(pipeline)
        return Closed(found, lines)


def read_closes(warehouse: Warehouse) -> list[Closed]:
    """The closed months, the latest first."""
    if not warehouse.holds("closes"):
        return []
    lines = _rows(warehouse, "close_lines", Line)
    return [
        Closed(one, tuple(line for line in lines if line.month == one.month))
        for one in _rows(warehouse, "closes", Close)
    ]


def _rows(warehouse: Warehouse, table: str, row: Callable[..., Any]) -> list[Any]:
    names = [field.name for field in fields(row)]  # type: ignore[arg-type] # a dataclass
    found = warehouse.rows(f"select {', '.join(names)} from {table} order by month desc")
    return [row(**dict(zip(names, values, strict=True))) for values in found]


def _check(warehouse: Warehouse, month: Month) -> None:
    if not (warehouse.holds() and warehouse.holds("sync_windows") and warehouse.holds("campaigns")):
        msg = "there is nothing to close yet: run `impact sync` first"
        raise ConfigurationError(msg)
    closed = (
        warehouse.rows("select closed_at from closes where month = %s", month.first)
        if warehouse.holds("closes")
        else []
    )
    if closed:
        msg = (
            f"{month} was closed on {in_utc(closed[0][0]):%Y-%m-%d}, and a closed month never changes: "
            "impact.close_changes shows what has moved since"
        )
        raise ConfigurationError(msg)


def _check_over(campaigns: Mapping[str, datetime], month: Month) -> None:
    """By what was read, whatever this machine's clock says: a close is final, so `force` does not help here."""
    reached = max(campaigns.values(), default=None)
    if reached is None or reached < month.end:
        read = f"up to {reached:%Y-%m-%d %H:%M} UTC only" if reached else "by no complete sync yet"
        msg = (
            f"{month} is not over, as far as the warehouse knows: it was read {read}. "
            f"From {month.next_first.isoformat()} on, sync, verify, then close it"
        )
        raise ConfigurationError(msg)


def _campaigns(warehouse: Warehouse) -> list[str]:
    """The campaigns that make up a month: the configured ones, or all, and those whose actions are held."""
    chosen = parse_ids(dlt.config.get("sources.impact.campaign_ids") or ())
    listed = chosen or (row[0] for row in warehouse.rows("select id from campaigns"))
    return sorted({*listed, *warehouse.campaigns()})


def _figures(warehouse: Warehouse, month: Month) -> Iterator[Line]:
    names = [field.name for field in fields(Line)]
    sql = f"select {', '.join(names)} from ({localize(question('accrued_at'), month.time_zone)}) known where month = %s"
    for row in warehouse.rows(sql, month.first):
        values = dict(zip(names, row, strict=True))
        texts = {name: values[name] or "" for name in ("media_partner_id", "currency")}
        counts = {name: int(values[name]) for name in ("actions", "actions_reversed")}
        yield Line(**(values | texts | counts))


def _known_at(warehouse: Warehouse) -> datetime:
    """The instant after which everything was seen that is not in the warehouse yet."""
    ((latest,),) = warehouse.rows("select max(synced_at) from actions")
    known = [at for at in (in_utc(latest), warehouse.latest_run()) if at]
    return max(known, default=datetime.min.replace(tzinfo=UTC))


def _as_of(reached: Mapping[str, datetime], campaigns: Collection[str]) -> datetime | None:
    """The instant up to which the changes of all of these campaigns were read; None if one was not read."""
    return min(reached[id_] for id_ in campaigns) if campaigns and reached.keys() >= set(campaigns) else None


def _reached(warehouse: Warehouse) -> dict[str, datetime]:
    """The instant up to which the changes of each campaign were read, by its id."""
    return {id_: in_utc(at) for id_, at in warehouse.rows("select campaign_id, as_of from synced_until")}


@dlt.source(name="impact", section="impact")
def _table(name: str, key: list[str], columns: dict[str, Any], rows: Sequence[Line | Close]) -> DltResource:
    """A table of which the rows of a month are replaced together."""

    @dlt.resource(name=name, primary_key=key, merge_key="month", write_disposition=MERGE, columns=columns)
    def found() -> Iterator[Any]:
        yield [asdict(row) for row in rows] or dlt.mark.materialize_table_schema()

    return found

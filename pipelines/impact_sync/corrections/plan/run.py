"""`impact corrections plan`: checks and stores what is requested, an action's lines as one call. Sends nothing."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import Any

import pyarrow as pa
from impact_source.api.changes import Request
from impact_source.errors import ConfigurationError
from impact_source.settings import Settings
from typing_extensions import override

from ...load.session import Load, session
from ...tabular import shown
from ..desk import compare, open_journal
from ..journal.calls import Call, calls_of
from ..journal.columns import NAMES, Correction, Status
from ..reread import Rereader
from .request import read_file, read_query
from .validate import Invalid, Unusual, validate


@dataclass(frozen=True)
class Plan:
    """A stored plan: its calls, the rows that were left out as invalid, and the seconds that checking took."""

    id: str | None
    """None if invalid rows kept it from being stored."""
    calls: list[Call]
    invalid: list[Invalid]
    seconds: float = 0.0
    unusual: Sequence[Unusual] = ()
    """Amounts that are worth a second look before they are sent, those that grow most first."""

    @property
    def rows(self) -> list[Correction]:
        """The corrections, in the order of their lines within each call."""
        return [row for call in self.calls for row in call.rows]


@dataclass(frozen=True)
class Source:
    """Where the corrections come from: a file, a query, or rows that another command has put together."""

    file: Path | None = None
    sql: str | None = None
    rows: pa.Table | None = None
    """In the form of `read_file`."""
    name: str = ""
    """What to call the rows."""

    @override
    def __str__(self) -> str:
        """The source as the journal records it."""
        return self.file.name if self.file else shown(self.sql or self.name)


def plan(settings: Settings, source: Source, *, skip_invalid: bool = False) -> Plan:
    """Check what is requested and store it. One request lists the campaigns: it sets the clock that decides on locks.

    Items to be corrected that were never read are read now, if the hourly limit allows it for all of them. If there are
    invalid rows, nothing is stored unless they are to be skipped. Raises `ConfigurationError` for a source that cannot
    be read and for a warehouse without actions.
    """
    requested = read_file(source.file) if source.file else source.rows
    with session(settings, "corrections", _check_ready) as load:
        pipeline, client = load.pipeline, load.client
        if requested is None:
            requested = read_query(pipeline, source.sql or "")
        journal, file = open_journal(load)
        now, began = client.clock.now(), time.monotonic()
        checked = validate(requested, pipeline, journal, client.settings, now)
        seconds = time.monotonic() - began
        if checked.unread and len(checked.unread) < client.budget.allowed:
            with Rereader(load) as rereader:
                rereader.land_items(checked.unread)
            checked = validate(requested, pipeline, journal, client.settings, now)
        plan_id = f"{now:%Y%m%d}-{uuid.uuid4().hex[:8]}"
        rows = list(_rows(checked.rows, plan_id, source, settings, now))
        stored = bool(rows) and (skip_invalid or not checked.invalid)
        if stored:
            file.planned(plan_id, now)
            journal.add(rows)
        return Plan(plan_id if stored else None, calls_of(rows), checked.invalid, seconds, checked.unusual)


def _check_ready(load: Load) -> None:
    if not load.warehouse.holds():
        msg = "there are no actions yet that could be corrected: run `impact sync` first"
        raise ConfigurationError(msg)
    compare(load)


def actor(settings: Settings) -> str:
    """Who is responsible: as configured, else the system's user."""
    try:
        return settings.actor or getuser()
    except (OSError, KeyError):  # a process whose user has no name
        return "unknown"


def _rows(
    checked: Iterable[dict[str, Any]], plan_id: str, source: Source, settings: Settings, now: datetime
) -> Iterable[Correction]:
    """Rows of the journal, call by call, each with the request that sends it."""
    grouped: dict[int, list[Correction]] = defaultdict(list)
    for one in checked:
        row = Correction(
            **{name: value for name, value in one.items() if name in NAMES},
            correction_id=f"{plan_id}-{one['line']}",
            plan_id=plan_id,
            call_id="",
            source=str(source),
            actor=actor(settings),
            request="",
            status=Status.PLANNED,
            planned_at=now,
        )
        grouped[one["call"]].append(row)
    for rows in grouped.values():
        call = Call(tuple(rows))
        request = str(Request.of(call.change()))
        yield from call.having(call_id=f"{plan_id}-call-{call.first.line}", request=request).rows

"""Reads the lists that are due, one after the other, in one load package: they are small.

They go through our own client, not dlt's rest_api: their requests count in the hourly budget, and a list that is not
complete is no list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import pyarrow as pa
from typing_extensions import override

from ..account import State, claim_warehouse
from ..api.client import Client
from ..errors import BudgetSpent, NotFound, ReadingError, ScopeError, TransientError
from ..plan.windows import Window
from ..rows.landing import Landing
from ..rows.ledger import Origin, Row, rejected_reference_row, resolved_row
from ..rows.parse import without_nul
from ..settings import HISTORY_MAX
from ..sql import in_utc
from ..warehouse import Warehouse
from .changes import changed
from .lists import CAMPAIGN_ID, ReferenceList, Table, choose
from .marks import Marks, describe
from .reading import Listed, read_list

_DOWN = 3
"""Lists in a row without a valid answer after which no more are requested."""
_AHEAD = timedelta(days=1)
"""How far ahead of its clock the API is asked: the clock may be wrong, and nothing is created later."""
Due = tuple[ReferenceList, str]
"""A list and its scope: a campaign, or empty for a list of the account."""


@dataclass(frozen=True)
class NotRead:
    """A list that could not be read and why; `campaign_id` is empty for a list of the account."""

    name: str
    campaign_id: str
    error: ReadingError

    @property
    def told(self) -> tuple[str, str, str]:
        """The list, its scope, and the reason in the API's words."""
        return self.name, self.campaign_id, str(self.error)

    @override
    def __str__(self) -> str:
        return next(describe([self.told]))


class ReferencePackages(Protocol):
    """What the source loads these tables from."""

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the package."""


class ReferenceWalk:
    """Reads what is due of an account's lists once, and of those of each of the `campaigns`.

    Afterwards `stopped` is None, or the error that ended it early with everything read before it landed. `refused` are
    lists that the API does not show, `failures` those that could not be read; `left_out` counts those not requested.
    """

    def __init__(
        self, client: Client, warehouse: Warehouse, run_id: str, campaigns: Callable[[], Sequence[str]]
    ) -> None:
        self.client, self.run_id = client, run_id
        self.refused: list[NotRead] = []
        self.failures: list[NotRead] = []
        self.left_out = self.rejected = 0
        self.stopped: BudgetSpent | None = None
        self._warehouse, self._campaigns = warehouse, campaigns

    def due(self, state: State) -> list[Due]:
        """The lists to read now."""
        marks, now = Marks(state), self.client.clock.server_now
        return [
            (one, scope)
            for one in choose(self.client.settings.reference)
            for scope in (self._campaigns() if one.by_campaign else ("",))
            if marks.is_due(one.name, scope, now)
        ]

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the package; what is recorded of each list in `state` lands with them."""
        claim_warehouse(state, self.client.settings)
        self._warehouse.refresh()
        marks, due, down = Marks(state), self.due(state), 0
        for place, (one, scope) in enumerate(due):
            try:
                landing = self._read(one, scope, marks)
            except BudgetSpent as error:
                self.stopped = error
                self.left_out = len(due) - place
                return
            except (ScopeError, NotFound) as error:
                self.refused.append(NotRead(one.name, scope, error))
                marks.refuse(one.name, scope, self.client.clock.server_now, str(error))
            except ReadingError as error:
                self.failures.append(NotRead(one.name, scope, error))
                marks.fail(one.name, scope, str(error))
                down = down + 1 if isinstance(error, TransientError) else 0
                if down == _DOWN:
                    self.left_out = len(due) - place - 1
                    return
            else:
                down = 0
                yield landing

    def _read(self, one: ReferenceList, scope: str, marks: Marks) -> Landing:
        """What a list holds that the warehouse does not."""
        clock = self.client.clock
        now = clock.server_now.replace(microsecond=0)
        window = Window(self._since(one, scope, marks, now), now + _AHEAD) if one.created else None
        listed = read_list(self.client, one, scope, window)
        if not self._warehouse.takes_nul:
            listed = replace(listed, tables={name: without_nul(rows) for name, rows in listed.tables.items()})
        tables = {
            table.name: changed(listed.tables[table.name], self._held(one, table, scope, listed), table.key)
            for table in one.tables
        }
        # An empty one creates a table; where there is one it would only take time.
        tables = {name: rows for name, rows in tables.items() if len(rows) or not self._warehouse.holds(name)}
        rejected = self._reject(one, scope, listed)
        marks.read(one.name, scope, now, window and Window(window.start, max(window.start, now - clock.excess)))
        return Landing(reference=tables, rejected=rejected)

    def _since(self, one: ReferenceList, scope: str, marks: Marks, now: datetime) -> datetime:
        """From which date of creation on a list is read."""
        settings, earliest, unsettled = self.client.settings, now - HISTORY_MAX, None
        if all(self._warehouse.holds(table.name) for table in one.tables):
            ((unsettled,),) = self._warehouse.rows(one.unsettled, *([scope] if one.by_campaign else []))
        begin = max(settings.start or earliest, earliest)
        return min(now, marks.since(one.name, scope, begin, settings.overlap, in_utc(unsettled)))

    def _held(self, one: ReferenceList, table: Table, scope: str, listed: Listed) -> pa.Table | None:
        """The rows held of what was read."""
        held = self._warehouse
        if not held.holds(table.name):
            return None
        if one.created:
            column = one.part.owner if one.part and table is one.part.table else "id"
            return held.lookup(table.name, column, listed.tables[one.name]["id"])
        if CAMPAIGN_ID in table.key:
            return held.lookup(table.name, CAMPAIGN_ID, pa.chunked_array([[scope]]))
        return held.stream(table.name, held.schema(table.name, sorted(held.columns(table.name)))).read_all()

    def _reject(self, one: ReferenceList, scope: str, listed: Listed) -> list[Row]:
        """Rows of `rejected_records`: what could not be typed, and what now can."""
        at = self.client.clock.now()
        origin = Origin(self.run_id, scope, one.name, at)
        rows = [rejected_reference_row(record, origin) for record in listed.rejected]
        still, known = {row["id"] for row in rows}, set[str]()
        if self._warehouse.any("rejected_records"):
            sql = "select id from rejected_records where pass = %s and coalesce(campaign_id, '') = %s"
            known = {id_ for (id_,) in self._warehouse.rows(sql, one.name, scope)}
        self.rejected += len(still - known)
        if one.created:  # only some of it was read
            known &= {f"{one.name} {id_}" for id_ in listed.tables[one.name]["id"].to_pylist()}
        return rows + [resolved_row(key, at) for key in known - still]

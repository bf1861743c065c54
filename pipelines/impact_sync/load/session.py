"""One run on the warehouse: the steps that every verb takes around its packages.

    with session(settings, "items") as load:
        for package in packages:
            load(package)

A verb yields the sources of its packages and says how its run stands. The session opens the warehouse, checks whose it
is, lists the campaigns, sets the clock, loads each package together with the run's row in `sync_runs`, and at the end
updates views and column comments. A run that fails is recorded with its exit code.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import dlt
from dlt.extract import DltSource
from impact_source import Settings
from impact_source.account import claim_warehouse
from impact_source.account_zone import AccountZone, ask, decide, is_due, keep, settle
from impact_source.api.client import Client
from impact_source.campaigns import Campaigns, list_campaigns
from impact_source.errors import BudgetSpent, ReadingError
from impact_source.reference.lists import COMPANY
from impact_source.warehouse import Warehouse

from ..console.exits import Exit, exit_code, outcome_of
from ..console.memory import release
from ..views import create_views
from ..warehouse.configured import kind
from ..warehouse.open import open_pipeline, source_state
from ..warehouse.versions import VERSIONED
from .descriptions import describe
from .runs import Run, recording, runs

_DONE = (Exit.DONE, "done")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """What a verb knows of its run's row in `sync_runs`; `ended` is None while it is running."""

    rows: int = 0
    ended: tuple[Exit, str] | None = None
    started: datetime | None = None
    """None means when the session began."""
    until: datetime | None = None


class Load:
    """A run that has begun. Call it with each package."""

    def __init__(self, pipeline: dlt.Pipeline, client: Client, verb: str) -> None:
        self.pipeline, self.client, self._verb = pipeline, client, verb
        self.warehouse = Warehouse(pipeline)
        self.run_id = uuid.uuid4().hex
        self.standing: Callable[[], Standing] = Standing
        """Set by the verb; called with each package and at the end."""
        self.listed: Campaigns
        """The campaigns that the API lists."""
        self.began: datetime | None = None
        self.zone = AccountZone()
        """Whose days, weeks and months the run counts in."""
        self._settings = client.settings
        self._last: Run | None = None

    @property
    def state(self) -> dict[str, Any]:
        """A copy of the source's state."""
        return deepcopy(source_state(self.pipeline))

    def begin(self, check: Callable[[Load], object], *, dated: bool = False) -> None:
        """Check whose warehouse it is and whether it is ready; list the campaigns, which sets the clock.

        Then the account's time zone is decided on, from the API if a bound of the run is `dated`.
        """
        claim_warehouse(self.state, self.client.settings)
        check(self)
        self.listed = list_campaigns(self.client)
        self.client.clock.not_before(self.warehouse.latest_run())
        self.began = self.client.clock.now()
        self.zone = settle(self.client, self.state, self.warehouse, dated=dated)

    def ask_zone(self) -> None:
        """Ask the API for the account's time zone, once a day, if nobody has set it and `company` is not read."""
        if self._settings.time_zone or COMPANY.name in self._settings.reference:
            return
        if not is_due(self.client, self.state, self.zone):
            return
        try:
            self.zone = ask(self.client, self.zone)
        except (BudgetSpent, ReadingError) as error:
            _log.warning("the account's time zone could not be read, the next sync asks again: %s", error)

    def __call__(self, package: DltSource) -> None:
        """Load a package with the run's row."""
        self.pipeline.run([package, runs(self._written_row, self.zone)])
        release()

    def finish(self) -> None:
        """Write what the run's row does not say yet, and bring views and comments up to date."""
        row, last = self.row(_DONE), self._last
        told = (row.outcome, row.exit_code) == (last.outcome, last.exit_code) if last else not self.standing().ended
        if not self._zone_is_kept() or not told:
            self.pipeline.run(runs(lambda: row, self.zone))
        create_views(self.pipeline)
        describe(self.pipeline)

    def decide_zone(self) -> AccountZone:
        """Decide on the zone once more, by what the run has read."""
        self.warehouse.refresh()
        state = self.state
        keep(state, self.zone)
        self.zone = decide(self._settings, state, self.warehouse)
        return self.zone

    def _zone_is_kept(self) -> bool:
        """Whether the state says what the zone is now."""
        state = self.state
        keep(state, self.decide_zone())
        return state == self.state

    def row(self, otherwise: tuple[Exit, str] | None = None) -> Run:
        """The current row of `sync_runs`; `otherwise` is its end if the verb does not say how its run ended."""
        standing = self.standing()
        ended = standing.ended or otherwise
        return Run(
            self.run_id,
            standing.started or self.began,
            self.client.clock.now() if ended else None,
            standing.until,
            self._named(ended[1] if ended else "running"),
            int(ended[0]) if ended else None,
            standing.rows,
            self.client.budget.spent,
        )

    def failed_row(self, cause: BaseException) -> Run:
        """The row of a run that an error ended."""
        row, now = self.row(), self.client.clock.now()
        code, outcome = int(exit_code(cause)), self._named(outcome_of(cause))
        return replace(row, started=row.started or now, finished=now, outcome=outcome, exit_code=code)

    def _written_row(self) -> Run:
        self._last = self.row()
        return self._last

    def _named(self, outcome: str) -> str:
        return outcome if self._verb == "sync" else f"{self._verb}: {outcome}"


def _ready(_: Load) -> None:
    """Accept any warehouse."""


@contextmanager
def session(
    settings: Settings, verb: str, check: Callable[[Load], object] = _ready, *, dated: bool = False
) -> Iterator[Load]:
    """Open the warehouse for a run of a verb; `dated` is whether the range that it reads begins or ends with a day.

    `check` raises if the warehouse is not ready for the verb, before anything is requested from the API. Merges keep
    versions in DuckDB and in Postgres; elsewhere the history is turned off.
    """
    settings = replace(settings, history=settings.history and kind() in VERSIONED)
    with open_pipeline(history=settings.history) as pipeline, Client(settings) as client:
        load = Load(pipeline, client, verb)
        with recording(pipeline, load.failed_row):
            load.begin(check, dated=dated)
            yield load
            load.finish()

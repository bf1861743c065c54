"""One run on the warehouse: the steps that every verb takes around its packages.

    with session(settings, "items") as load:
        for package in packages:
            load(package)

A verb yields the sources of its packages and says how its run stands. The session opens the warehouse, checks whose it
is, lists the campaigns, sets the clock, loads each package together with the run's row in `sync_runs`, and at the end
updates views and column comments. A run that fails is recorded with its exit code.
"""

from __future__ import annotations

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
from impact_source.api.client import Client
from impact_source.campaigns import Campaigns, list_campaigns
from impact_source.warehouse import Warehouse

from ..console.exits import Exit, exit_code, outcome_of
from ..console.memory import release
from ..views import create_views
from ..warehouse.configured import kind
from ..warehouse.open import open_pipeline
from ..warehouse.versions import VERSIONED
from .descriptions import describe
from .runs import Run, recording, runs

_DONE = (Exit.DONE, "done")


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
        self._last: Run | None = None

    @property
    def state(self) -> dict[str, Any]:
        """A copy of the source's state."""
        return deepcopy(self.pipeline.state.get("sources", {}).get("impact", {}))

    def begin(self, check: Callable[[Load], object]) -> None:
        """Check whose warehouse it is and whether it is ready; list the campaigns, which sets the clock."""
        claim_warehouse(self.state, self.client.settings)
        check(self)
        self.listed = list_campaigns(self.client)
        self.client.clock.not_before(self.warehouse.latest_run())
        self.began = self.client.clock.now()

    def __call__(self, package: DltSource) -> None:
        """Load a package with the run's row."""
        self.pipeline.run([package, runs(self._written_row)])
        release()

    def finish(self) -> None:
        """Write what the run's row does not say yet, and bring views and comments up to date."""
        row, last = self.row(_DONE), self._last
        if (row.outcome, row.exit_code) != (last.outcome, last.exit_code) if last else self.standing().ended:
            self.pipeline.run(runs(lambda: row))
        create_views(self.pipeline)
        describe(self.pipeline)

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
def session(settings: Settings, verb: str, check: Callable[[Load], object] = _ready) -> Iterator[Load]:
    """Open the warehouse for a run of a verb.

    `check` raises if the warehouse is not ready for the verb, before anything is requested from the API. Merges keep
    versions in DuckDB and in Postgres; elsewhere the history is turned off.
    """
    settings = replace(settings, history=settings.history and kind() in VERSIONED)
    with open_pipeline(history=settings.history) as pipeline, Client(settings) as client:
        load = Load(pipeline, client, verb)
        with recording(pipeline, load.failed_row):
            load.begin(check)
            yield load
            load.finish()

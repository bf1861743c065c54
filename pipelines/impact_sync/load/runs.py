"""`sync_runs`: one row for each run, written with the packages it vouches for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import dlt
from dlt.extract import DltResource
from impact_source.account_zone import AccountZone, keep
from impact_source.errors import ForeignWarehouse, ImpactError
from impact_source.tables import MERGE
from impact_source.warehouse import Warehouse

from ..console.exits import root_cause

COLUMNS: Any = {
    "run_id": {"data_type": "text", "nullable": False, "description": "The run; joins sync_windows"},
    "started": {"data_type": "timestamp", "description": "When the run began (the server's clock)"},
    "finished": {"data_type": "timestamp", "description": "When it ended; NULL while it runs, or if it was killed"},
    "until": {
        "data_type": "timestamp",
        "description": "Changes up to this instant are in the warehouse if outcome is done",
    },
    "outcome": {
        "data_type": "text",
        "description": "running, done, stopped early, interrupted, rejected records, or the error",
    },
    "exit_code": {"data_type": "bigint", "description": "Exit code of the command"},
    "rows": {"data_type": "bigint", "description": "Actions received"},
    "requests": {"data_type": "bigint", "description": "Requests sent"},
    "version": {"data_type": "text", "description": "Version of impact-sync"},
}


@dataclass(frozen=True)
class Run:
    """One row of `sync_runs`."""

    run_id: str
    started: datetime | None
    finished: datetime | None
    until: datetime | None
    outcome: str
    exit_code: int | None
    rows: int
    requests: int
    version: str = version("impact-sync")


@contextmanager
def recording(pipeline: dlt.Pipeline, failed: Callable[[BaseException], Run]) -> Iterator[None]:
    """Record a run that fails, unless the warehouse belongs to another account or was never filled.

    One of our own errors is raised without the layers that dlt wraps around it.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        cause = root_cause(error)
        with suppress(Exception):  # the warehouse itself may have failed
            pipeline.abort_packages()
            if not isinstance(cause, ForeignWarehouse) and Warehouse(pipeline).holds("sync_runs"):
                row = failed(cause)
                pipeline.run(runs(lambda: row))
        if isinstance(cause, ImpactError):
            raise cause from None
        raise


@dlt.source(name="impact", section="impact")
def runs(current: Callable[[], Run], zone: AccountZone = AccountZone()) -> DltResource:  # noqa: B008 - it is immutable
    """The run's row, built by `current` once everything before it in the package was extracted.

    The `zone` that the run counts in lands in the source's state.
    """

    @dlt.resource(name="sync_runs", primary_key="run_id", write_disposition=MERGE, columns=COLUMNS)
    def sync_runs() -> Iterator[dict[str, Any]]:
        keep(dlt.current.source_state(), zone)
        yield asdict(current())

    return sync_runs

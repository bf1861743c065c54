"""Given load packages, landed without an API."""

from __future__ import annotations

import json
from collections.abc import Iterator

import dlt
from impact_source import impact
from impact_source.account import State
from impact_source.actions.events import Batch
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.rows.columns import ACTION
from impact_source.rows.landing import Landing
from impact_source.rows.parse import Reader

from tests.support.plans import DAY, NOW, SECOND

UPDATED = Reading("1000", Pass.UPDATED, Window(NOW - DAY, NOW))
ACTION_1 = {
    "Id": "1",
    "CampaignId": "1000",
    "State": "PENDING",
    "Currency": "USD",
    "Payout": "1.00",
    "EventDate": "2026-02-01T00:00:00Z",
    "LockingDate": "2026-04-01T00:00:00Z",
    "Note": "",
}


def batch(*fields: dict[str, str], arrived: float = 1.0, reading: Reading = UPDATED) -> Batch:
    """An answer that arrived so many seconds after noon, with usual actions except for these fields."""
    read_at = NOW + arrived * SECOND
    records = Reader(ACTION).read(json.dumps([ACTION_1 | one for one in fields]).encode(), read_at)
    return Batch(reading, records, read_at, arrived)


class Given:
    """One given load package."""

    def __init__(self, *landings: Landing) -> None:
        self._landings = landings

    def package(self, state: State) -> Iterator[Landing]:
        """The package."""
        state["account"] = "an account"
        yield from self._landings


def load(pipeline: dlt.Pipeline, *landings: Landing, history: bool = False) -> None:
    """Load one package."""
    pipeline.run(impact(walk=Given(*landings), history=history))

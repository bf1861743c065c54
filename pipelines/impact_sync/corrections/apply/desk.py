"""The journal, opened for work: warehouse, file and API are found to agree before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import dlt
from impact_source.account import claim_warehouse
from impact_source.api.client import Client
from impact_source.campaigns import list_campaigns
from impact_source.settings import Settings
from impact_source.warehouse import Warehouse

from ...warehouse.open import beside, open_pipeline
from ..journal.columns import NEVER_LEFT, Status
from ..journal.file import Disagreement, JournalFile, Known
from ..journal.table import Journal
from ..reread import Rereader


@dataclass(frozen=True)
class Desk:
    """What it takes to work on the journal: the warehouse and the API, opened and found to agree."""

    pipeline: dlt.Pipeline
    client: Client
    journal: Journal
    file: JournalFile
    rereader: Rereader
    known: Known
    """What the file knew when it was opened."""

    def check_home(self, plan_id: str) -> None:
        """Raise `Disagreement` where the plan was made beside another file: then this database is a copy.

        What was sent from where it was copied nobody knows here. Databases that are no file have several hosts.
        """
        if self.journal.alone and plan_id not in self.known.plans:
            msg = (
                f"{self.file.path} does not know plan {plan_id}: the database was copied or moved without it, and the "
                "plan may have been sent elsewhere. Put the file beside the database, or plan anew. Nothing is sent"
            )
            raise Disagreement(msg)


@contextmanager
def opened(settings: Settings) -> Iterator[Desk]:
    """Open the journal, for one account. Calls whose sender died are noted as what the file knows of them."""
    with open_pipeline() as pipeline, Client(settings) as client, Rereader(client, pipeline) as rereader:
        claim_warehouse(deepcopy(pipeline.state.get("sources", {}).get("impact", {})), settings)
        journal, file = Journal(pipeline), JournalFile(beside(pipeline))
        known = file.compare(journal.left())
        # It sets the clock, hears the budget, tries the credentials.
        list_campaigns(client, Warehouse(pipeline).latest_run())
        _note_forsaken(journal, known, client)
        yield Desk(pipeline, client, journal, file, rereader, known)


def _note_forsaken(journal: Journal, known: Known, client: Client) -> None:
    for call in journal.forsaken(client.clock.now()):
        status = Status(known.standing.get(call.id, Status.SENDING))
        if status in (Status.SENDING, Status.ACCEPTED, *NEVER_LEFT) and known.batches.get(call.id):
            status = Status.ACCEPTED
        elif status is Status.SENDING:
            status = Status.UNKNOWN
        outcome = None if status is Status.PLANNED else "the apply that sent it was interrupted"
        journal.record(call, status, outcome, batch_id=known.batches.get(call.id))

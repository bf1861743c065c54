"""The journal, opened for work: warehouse, file and API must agree before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from impact_source.api.client import Client
from impact_source.settings import Settings

from ..load.session import Load, session
from ..warehouse.open import beside
from .journal.columns import NEVER_LEFT, Status
from .journal.file import JournalFile, Known
from .journal.table import Journal
from .reread import Rereader


@dataclass(frozen=True)
class Desk:
    """What work on the journal needs: the warehouse and the API, opened and in agreement."""

    load: Load
    client: Client
    journal: Journal
    file: JournalFile
    rereader: Rereader
    known: Known
    """What the file knew when it was opened."""


@contextmanager
def opened(settings: Settings) -> Iterator[Desk]:
    """Open the journal, for one account. Calls whose sender died are recorded as the file knows them."""
    known = Known()

    def check(load: Load) -> None:
        nonlocal known
        known = compare(load)

    with session(settings, "corrections", check) as load, Rereader(load) as rereader:
        journal, file = open_journal(load)
        _record_forsaken(journal, known, load.client)
        yield Desk(load, load.client, journal, file, rereader, known)


def open_journal(load: Load) -> tuple[Journal, JournalFile]:
    """The journal, and the file beside it."""
    return Journal(load.pipeline), JournalFile(beside(load.pipeline))


def compare(load: Load) -> Known:
    """What the file knows. Raises `Disagreement` if that is more than the journal has, or if it is not its file."""
    journal, file = open_journal(load)
    return file.compare(journal.left(), journal.at_home())


def _record_forsaken(journal: Journal, known: Known, client: Client) -> None:
    for call in journal.forsaken(client.clock.now()):
        status = Status(known.standing.get(call.id, Status.SENDING))
        if status in (Status.SENDING, Status.ACCEPTED, *NEVER_LEFT) and known.batches.get(call.id):
            status = Status.ACCEPTED
        elif status is Status.SENDING:
            status = Status.UNKNOWN
        outcome = None if status is Status.PLANNED else "the apply that sent it was interrupted"
        journal.record(call, status, outcome, batch_id=known.batches.get(call.id))

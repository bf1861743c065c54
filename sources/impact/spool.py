"""Answers that have arrived and not yet landed, kept in a file: a killed run asks for none of them again.

A cache, no memory: an answer is used only while the warehouse says of its action what it said when it was asked for.
Losing the file costs requests and no truth.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from sources.impact.item_queue import Queued

_TABLE = """
create table if not exists answers (
    account text, action_id text, fingerprint text, was text, status text, read_at text, pages blob,
    primary key (account, action_id)
)
"""


@dataclass(frozen=True)
class Listing:
    """What the API said of a queued action's items: `pages` are JSON lists, as they came."""

    queued: Queued
    status: str
    read_at: datetime
    pages: tuple[bytes, ...] = ()
    reason: str = ""


class Spool:
    """The file of one warehouse. Safe between threads; close it, or use it as a context.

    A file that cannot be read is begun anew.
    """

    def __init__(self, path: Path | str, account: str) -> None:
        self._account = account
        self._lock = threading.Lock()
        try:
            self._file = _open(path)
        except sqlite3.DatabaseError:
            Path(path).unlink(missing_ok=True)
            self._file = _open(path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def put(self, listing: Listing) -> None:
        """Keep an answer."""
        row = (
            self._account,
            listing.queued.action_id,
            listing.queued.fingerprint,
            listing.queued.was,
            listing.status,
            listing.read_at.isoformat(),
            msgspec.json.encode([page.decode(errors="replace") for page in listing.pages]),
        )
        with self._lock, self._file:
            self._file.execute("insert or replace into answers values (?, ?, ?, ?, ?, ?, ?)", row)

    def get(self, queued: Queued) -> Listing | None:
        """The answer to this very question, if it arrived before."""
        sql = (
            "select status, read_at, pages from answers where account = ? and action_id = ? and fingerprint = ? "
            "and was = ?"
        )
        key = (self._account, queued.action_id, queued.fingerprint, queued.was)
        with self._lock:
            found = self._file.execute(sql, key).fetchone()
        if found is None:
            return None
        pages = tuple(page.encode() for page in msgspec.json.decode(found[2], type=list[str]))
        return Listing(queued, found[0], datetime.fromisoformat(found[1]), pages)

    def forget(self, action_ids: Iterable[str]) -> None:
        """Drop answers that have landed."""
        with self._lock, self._file:
            self._file.executemany("delete from answers where action_id = ?", [(id_,) for id_ in action_ids])

    @property
    def empty(self) -> bool:
        """Whether nothing is kept."""
        with self._lock:
            return self._file.execute("select 1 from answers limit 1").fetchone() is None


def _open(path: Path | str) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    # A killed process loses nothing; after a power cut the file may be begun anew, which costs requests only.
    file.execute("pragma synchronous = off")
    file.execute(_TABLE)
    file.commit()
    return file

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
from sources.impact.settings import Settings

_TABLE = """
create table if not exists answers (
    account text, action_id text, fingerprint text, was text, status text, read_at text, pages blob,
    primary key (account, action_id)
)
"""
_SID = "\x1aAccountSID\x1a"
"""Stands for the AccountSID in the file; no JSON has such characters as they are."""


@dataclass(frozen=True)
class Listing:
    """What the API said of a queued action's items: `pages` are JSON lists, as they came."""

    queued: Queued
    status: str
    read_at: datetime
    pages: tuple[bytes, ...] = ()
    reason: str = ""


class Spool:
    """The file of one warehouse. Safe between threads; close it.

    A file that cannot be read is begun anew. The AccountSID, which stands in items' paths, is not written into it.
    """

    def __init__(self, path: Path | str, settings: Settings) -> None:
        self._path, self._account, self._sid = Path(path), settings.account, settings.account_sid
        self._lock = threading.Lock()
        try:
            self._file = _open(self._path)
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            self._file = _open(self._path)

    def close(self) -> None:
        """Close the file, and remove it where nothing is kept."""
        with self._lock:
            kept = self._file.execute("select 1 from answers limit 1").fetchone()
            self._file.close()
        if not kept:
            self._path.unlink(missing_ok=True)

    def put(self, listing: Listing) -> None:
        """Keep an answer."""
        row = (
            self._account,
            listing.queued.action_id,
            listing.queued.fingerprint,
            listing.queued.was,
            listing.status,
            listing.read_at.isoformat(),
            msgspec.json.encode([page.decode(errors="replace").replace(self._sid, _SID) for page in listing.pages]),
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
        pages = tuple(page.replace(_SID, self._sid).encode() for page in msgspec.json.decode(found[2], type=list[str]))
        return Listing(queued, found[0], datetime.fromisoformat(found[1]), pages)

    def forget(self, action_ids: Iterable[str]) -> None:
        """Drop answers that have landed."""
        with self._lock, self._file:
            self._file.executemany("delete from answers where action_id = ?", [(id_,) for id_ in action_ids])


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    # A killed process loses nothing; after a power cut the file may be begun anew, which costs requests only.
    file.execute("pragma synchronous = off")
    file.execute(_TABLE)
    file.commit()
    return file

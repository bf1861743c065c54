"""Keeps answers that have arrived but not landed in a file: after a kill, none of them is requested again.

A cache only: an answer is used only while the warehouse says of its action what it said at the request. Losing the file
costs requests, never correctness.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ..settings import Settings
from .queue import Listing, Queued

_log = logging.getLogger(__name__)
_TABLE = """
create table if not exists answers (
    account text, action_id text, fingerprint text, was text, status text, read_at text, pages blob,
    primary key (account, action_id)
)
"""
_SID = "\x1aAccountSID\x1a"
"""Stands for the AccountSID in the file; valid JSON never contains these characters unescaped."""


class Spool:
    """The file of one warehouse. Safe between threads; close it.

    A file that cannot be read is recreated; one that cannot be written is not used. The AccountSID, which occurs in
    items' paths, is not written to it.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path, self._account, self._sid = path, settings.account, settings.account_sid
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None
        for _ in range(2):
            with self._give_up_if_broken():
                self._file = _open(path)
                break

    def close(self) -> None:
        """Close the file, and remove it if it is empty."""
        kept = self._run("select 1 from answers limit 1")
        if self._file is not None:
            self._file.close()
            self._file = None
        if not kept:
            self._path.unlink(missing_ok=True)

    def put(self, listing: Listing) -> None:
        """Keep an answer."""
        pages = [page.decode(errors="replace").replace(self._sid, _SID) for page in listing.pages]
        row = (*self._key(listing.queued), listing.status, listing.read_at.isoformat(), msgspec.json.encode(pages))
        self._run("insert or replace into answers values (?, ?, ?, ?, ?, ?, ?)", [row])

    def get(self, queued: Queued) -> Listing | None:
        """The answer to exactly this request, if it arrived before."""
        sql = (
            "select status, read_at, pages from answers where account = ? and action_id = ? and fingerprint = ? "
            "and was = ?"
        )
        found = self._run(sql, [self._key(queued)])
        if not found:
            return None
        status, read_at, pages = found[0]
        texts = msgspec.json.decode(pages, type=list[str])
        return Listing(
            queued,
            status,
            datetime.fromisoformat(read_at),
            tuple(text.replace(_SID, self._sid).encode() for text in texts),
        )

    def forget(self, action_ids: Iterable[str]) -> None:
        """Drop answers that have landed, or that are out of date."""
        if self._run("select 1 from answers limit 1"):
            ids = [(self._account, id_) for id_ in action_ids]
            self._run("delete from answers where account = ? and action_id = ?", ids)

    def _key(self, queued: Queued) -> tuple[str, str, str, str]:
        return self._account, queued.action_id, queued.fingerprint, queued.was

    def _run(self, sql: str, rows: Sequence[tuple[object, ...]] = ((),)) -> list[Any]:
        with self._give_up_if_broken(), self._lock:
            if self._file is None:
                return []
            with self._file:
                if len(rows) == 1:
                    return self._file.execute(sql, rows[0]).fetchall()
                self._file.executemany(sql, rows)
        return []

    @contextmanager
    def _give_up_if_broken(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            _log.warning("cannot keep responses for the next run: %s", error)
            self._file = None
            self._path.unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    # A kill loses nothing; after a power cut the file may be recreated, which costs requests only.
    file.execute("pragma synchronous = off")
    file.execute(_TABLE)
    file.commit()
    return file

"""Answers that are kept in a file are used for the request that they answer, and for no other."""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from impact_source.items.queue import Listing, Queued
from impact_source.items.spool import Spool
from impact_source.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = Settings("sid", "token")
QUEUED = Queued("a1", "1000", "5|USD", "listed", "2026-02-01 4|USD")
PAGE = b'[{"Sku": "A", "Uri": "/Advertisers/sid/Actions/a1/Items/A"}]'
LISTING = Listing(QUEUED, "listed", NOW, (PAGE, b"[]"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a warehouse."""
    return tmp_path / "answers.db"


def kept(path: Path, queued: Queued = QUEUED, settings: Settings = SETTINGS) -> Listing | None:
    """What a later run finds."""
    spool = Spool(path, settings)
    try:
        return spool.get(queued)
    finally:
        spool.close()


def keep(path: Path, *listings: Listing) -> None:
    """Keep answers, as a killed run leaves them."""
    spool = Spool(path, SETTINGS)
    for listing in listings:
        spool.put(listing)
    spool.close()


def test_an_answer_is_found_by_the_next_run_as_it_came(path: Path) -> None:
    """A killed run costs no request twice; the account's id is not written to the file."""
    keep(path, LISTING)
    assert kept(path) == LISTING
    assert b"sid" not in path.read_bytes()


def test_an_answer_to_another_question_is_not_used(path: Path) -> None:
    """An action that has changed since, or that another run has read meanwhile, is requested again."""
    keep(path, LISTING)
    for other in (
        replace(QUEUED, action_id="a2"),
        replace(QUEUED, fingerprint="6|USD"),
        replace(QUEUED, was="2026-02-02 4|USD"),
    ):
        assert kept(path, other) is None
    assert kept(path, settings=Settings("other", "token")) is None
    assert kept(path, replace(QUEUED, status="failed")) == replace(LISTING, queued=replace(QUEUED, status="failed"))


def test_a_later_answer_replaces_the_earlier_one(path: Path) -> None:
    """The last of two answers about an action is kept."""
    later = replace(LISTING, queued=replace(QUEUED, fingerprint="6|USD"), pages=())
    keep(path, LISTING, later)
    assert kept(path, later.queued) == later
    assert kept(path) is None


def test_bytes_that_are_no_text_cost_a_character(path: Path) -> None:
    """One bad byte in an answer stops nothing."""
    keep(path, replace(LISTING, pages=(b'["\xff"]',)))
    found = kept(path)
    assert found is not None
    assert found.pages == ('["\ufffd"]'.encode(),)


def test_answers_that_have_landed_are_dropped_and_an_empty_file_is_removed(path: Path) -> None:
    """A run that ends well leaves nothing behind, and what another run kept stays."""
    keep(path, LISTING, replace(LISTING, queued=replace(QUEUED, action_id="a2")))
    other = Spool(path, Settings("other", "token"))
    other.put(LISTING)
    other.forget(["a2"])
    other.close()
    spool = Spool(path, SETTINGS)
    spool.forget(["a1", "a3"])
    spool.close()
    assert kept(path) is None
    assert kept(path, replace(QUEUED, action_id="a2")) is not None
    assert kept(path, settings=Settings("other", "token")) is not None
    for settings, ids in ((SETTINGS, ["a1", "a2"]), (Settings("other", "token"), ["a1"])):
        assert path.exists()
        spool = Spool(path, settings)
        spool.forget(iter(ids))
        spool.close()
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_recreated(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its contents are lost, which costs requests; the run goes on and keeps what it reads."""
    path.write_bytes(b"no database" * 100)
    with caplog.at_level(logging.WARNING):
        keep(path, LISTING)
    assert kept(path) == LISTING
    assert len(caplog.records) == 1


def test_a_file_that_breaks_under_way_is_done_without(path: Path) -> None:
    """A full disk stops no run: answers are no longer kept, and none is found."""
    spool = Spool(path, SETTINGS)
    with sqlite3.connect(path) as other:
        other.execute("drop table answers")
    spool.put(LISTING)
    assert spool.get(QUEUED) is None
    spool.forget(["a1"])
    spool.close()
    assert not path.exists()


def test_a_file_that_can_never_be_opened_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A missing folder costs the cache and nothing else."""
    spool = Spool(tmp_path / "none" / "answers.db", SETTINGS)
    spool.put(LISTING)
    assert spool.get(QUEUED) is None
    spool.close()
    assert len(caplog.records) == 2, "it is opened twice, and then done without"


def test_threads_share_one_file(path: Path) -> None:
    """Answers are kept by the threads that fetch them; after the end of a run nothing is found."""
    spool = Spool(path, SETTINGS)
    thread = threading.Thread(target=spool.put, args=(LISTING,))
    thread.start()
    thread.join()
    assert spool.get(QUEUED) == LISTING
    spool.close()
    assert spool.get(QUEUED) is None

"""Warehouses as a release left them, with the account that they were synced from."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import duckdb
import httpx
import psycopg2
import pytest
from dlt.common.versioned_state import decompress_state
from impact_sandbox import Sandbox, World
from impact_sync.warehouse.open import beside
from impact_sync.warehouse.postgres import destination as postgres
from impact_sync.warehouse.postgres.lock import RunLock

from tests.support.account import Account
from tests.upgrade.dumps import load
from tests.upgrade.story import START_DATE, WORLD, Cast, live

HERE = Path(__file__).parent
RELEASES = sorted(folder.name for folder in HERE.iterdir() if (folder / "names.json").exists())


class Takeover:
    """A copy of what a release left, and the account, at the instant of the release's last command.

    It is read directly: opening it as the program does would migrate it.
    """

    def __init__(self, account: Account, cast: Cast, server: str | None) -> None:
        self.account, self.world, self.sandbox, self.cast = account, account.world, account.sandbox, cast
        self._server = server

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query in the warehouse."""
        if self._server is None:
            return self.account.query(sql)
        with closing(psycopg2.connect(self._server)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def execute(self, *statements: str) -> None:
        """Change something in the warehouse."""
        if self._server is None:
            with duckdb.connect(str(self.account.path)) as connection:
                connection.execute("; ".join(statements))
            return
        with closing(psycopg2.connect(self._server)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("; ".join(statements))

    def cursors(self) -> dict[str, dict[str, str]]:
        """The marks of each campaign."""
        ((state,),) = self.rows("select state from impact._dlt_pipeline_state order by version desc limit 1")
        found: dict[str, dict[str, str]] = decompress_state(state)["sources"]["impact"]["campaigns"]
        return found


def journal_file(folder: Path) -> Path:
    """The file for a database on a Postgres server, as the program looks for it."""
    destination = postgres.destination(RunLock("impact"))
    return beside(dlt.pipeline("impact", destination=destination, pipelines_dir=str(folder)))


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Path:
    """The folder of a release."""
    return HERE / str(request.param)


@pytest.fixture
def takeover(release: Path, warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Takeover]:
    """What the release left in the configured warehouse."""
    path, server = tmp_path / "warehouse.duckdb", os.environ.get("DESTINATION__POSTGRES__CREDENTIALS")
    if server is None:
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(path))
        path.write_bytes(gzip.decompress((release / "warehouse.duckdb.gz").read_bytes()))
        journal = path.with_name(f"{path.name}.corrections.jsonl")
    else:
        load(server, gzip.decompress((release / "warehouse.sql.gz").read_bytes()))
        journal = journal_file(tmp_path)
    journal.write_bytes((release / f"{warehouse}.journal.jsonl").read_bytes())
    world, cast = World(**WORLD), Cast()
    with Sandbox(world) as sandbox:
        told = json.loads((release / f"{warehouse}.json").read_text("utf-8"))
        for _, requests in zip(live(world, cast), told, strict=True):
            for request in requests:
                _send(sandbox, request)
        sandbox.requests.clear()
        account = Account(world, sandbox, tmp_path, start=datetime.fromisoformat(START_DATE).replace(tzinfo=UTC))
        account.path = path
        yield Takeover(account, cast, server)


def _send(sandbox: Sandbox, request: dict[str, Any]) -> None:
    """Repeat a request of the release that changed the account."""
    answer = httpx.request(
        request["method"],
        sandbox.url + request["path"],
        data=request["form"] or None,
        auth=(sandbox.account_sid, sandbox.auth_token),
        headers={"IR-Version": "14", "Accept": "application/json"},
    )
    assert answer.is_success, (request, answer.text)

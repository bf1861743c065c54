"""Fixtures for all tests: a folder and a warehouse for each test, accounts, a Postgres server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dlt
import hypothesis
import pytest
from impact_sandbox import Sandbox, World
from impact_source.api import clock
from impact_sync.warehouse.open import open_pipeline
from typing_extensions import override

from tests.support import postgres
from tests.support.account import CAMPAIGNS, Account, own_clock
from tests.support.commands import start_forks


class _Absent(MetaPathFinder):
    """Says at once that pandas is not installed: DuckDB looks for it in all folders, with each parameter of a query."""

    @override
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname, name=fullname)
        return None


if find_spec("pandas") is None:
    sys.meta_path.insert(0, _Absent())
hypothesis.settings.register_profile("patient", deadline=None)  # how busy the machine is says nothing about us
hypothesis.settings.register_profile(
    "mutants", deadline=None, database=None, phases=[hypothesis.Phase.generate, hypothesis.Phase.explicit]
)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def _forks() -> None:
    """The process that commands are forked from, started before any test leaves the tree."""
    start_forks()


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder and a warehouse for the test; retries without waiting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(tmp_path / "impact_warehouse.duckdb"))
    monkeypatch.setenv("IMPACT__WAREHOUSE_WAIT", "1 second")
    monkeypatch.setenv("SOURCES__IMPACT__RETRY_WAIT", "0")
    monkeypatch.delenv("COLUMNS", raising=False)  # set by pytest-xdist


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where synced warehouses are kept as templates: one folder for all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "templates"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def account(tmp_path: Path, templates: Path) -> Iterator[Callable[..., Account]]:
    """Makes accounts: `account(days=90, per_day=20, ...)`. Whoever asks them names the version of the API."""
    sandboxes: list[Sandbox] = []
    with ExitStack() as stack:

        def make(*, requests_per_hour: int = 100_000, scopes: set[str] | None = None, **world: Any) -> Account:  # noqa: ANN401 - the world's options
            usual: dict[str, Any] = {"seed": 1, "days": 60, "per_day": 10, "campaigns": CAMPAIGNS}
            made = World(**(usual | world))
            days = timedelta(days=(usual | world)["days"] + 1)
            sandbox = stack.enter_context(Sandbox(made, requests_per_hour=requests_per_hour, scopes=scopes))
            sandboxes.append(sandbox)
            one = Account(made, sandbox, tmp_path, start=made.now - days, templates=templates)
            one.attempts = 3
            return one

        yield make
    assert {request.version for sandbox in sandboxes for request in sandbox.requests} <= {"14"}


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`right(one, by)`: this machine's clock shows the account's time, or is off by so much."""

    def put(one: Account, by: timedelta = timedelta(0)) -> None:
        monkeypatch.setattr(clock, "local", own_clock(one.world, by))

    return put


@pytest.fixture
def pipeline() -> Iterator[dlt.Pipeline]:
    """A pipeline into a warehouse that does not exist yet."""
    with open_pipeline() as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A Postgres server on loopback."""
    with postgres.serving() as address:
        yield address


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The configured warehouse."""
    if request.param == "postgres":
        address = postgres.new_database(request.getfixturevalue("server"))
        monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    return str(request.param)

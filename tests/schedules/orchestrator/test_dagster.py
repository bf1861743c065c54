"""The Dagster file syncs every account, waits if a run stopped early, and alerts if it failed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from impact_sandbox import Reply, Request

from tests.support.account import Account

dg: Any = pytest.importorskip("dagster", reason="make orchestrator installs it")
Make = Callable[..., Account]
FILE = Path(__file__).parents[3] / "pipelines" / "schedules" / "dagster_impact.py"


def definitions(
    monkeypatch: pytest.MonkeyPatch, folder: Path, accounts: dict[str, Account], token: str | None = None
) -> ModuleType:
    """The file, loaded with these accounts."""
    tables = []
    for name, world in accounts.items():
        tables.append(
            f'[{name}]\nSOURCES__IMPACT__ACCOUNT_SID = "{world.sandbox.account_sid}"\n'
            f'SOURCES__IMPACT__AUTH_TOKEN = "{token or world.sandbox.auth_token}"\n'
            f'SOURCES__IMPACT__BASE_URL = "{world.sandbox.url}"\nSOURCES__IMPACT__ITEMS_MAX_REQUESTS = 0\n'
            f'SOURCES__IMPACT__MAX_WAIT = "0 seconds"\n'
            f'DESTINATION__DUCKDB__CREDENTIALS = "{folder / name}.duckdb"\n'
        )
    (folder / "accounts.toml").write_text("\n".join(tables))
    monkeypatch.setenv("IMPACT_ACCOUNTS", str(folder / "accounts.toml"))
    monkeypatch.setenv("IMPACT_RETRY_SECONDS", "0")
    spec = importlib.util.spec_from_file_location("dagster_impact", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(module: ModuleType, **since: str) -> Any:  # noqa: ANN401 - Dagster's result
    """Run the job of all accounts here."""
    names = [asset.key.to_user_string() for asset in module.assets]
    config = {"ops": {name: {"config": since} for name in names}} if since else {}
    job = module.defs.resolve_job_def("sync_all")
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def test_each_account_is_a_task_with_a_warehouse_of_its_own(
    account: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two accounts are synced by two tasks; a backfill reads a range of both again."""
    worlds = {"acme": account(days=5, per_day=4), "other": account(days=5, per_day=3, seed=2)}
    module = definitions(monkeypatch, tmp_path, worlds)
    assert run(module).success
    for name, world in worlds.items():
        world.path = tmp_path / f"{name}.duckdb"
        world.assert_true()
    assert run(module, since="2026-01-12").success
    assert worlds["acme"].query("select count(*) from impact.sync_runs") == [(2,)]


def test_a_run_that_stopped_early_is_tried_again(
    account: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 requests another try from the orchestrator, which continues from what has landed."""
    world = account(days=5, per_day=4)
    limited = [True]

    def hook(request: Request) -> Reply | None:
        if limited and request.path.endswith("/Actions") and len(world.sandbox.requests) > 10:
            limited.clear()
            return Reply(429, b"{}", {"Retry-After": "3600"})
        return None

    world.sandbox.on_request = hook
    assert run(definitions(monkeypatch, tmp_path, {"acme": world})).success
    assert not limited
    world.path = tmp_path / "acme.duckdb"
    world.assert_true()


def test_wrong_credentials_fail_at_once(account: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody has to fix is not tried again."""
    world = account(days=1, per_day=1)
    module = definitions(monkeypatch, tmp_path, {"acme": world}, token="wrong")
    assert not run(module).success
    assert len(world.sandbox.requests) == 1

"""The commands' output can be read on every terminal: ids, dates and amounts are complete at any width."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from impact_sandbox import Rules
from impact_sync.cli import main
from impact_sync.corrections import show as show_corrections
from impact_sync.items import command as show_items
from impact_sync.sync import command as show_sync

from tests.support.account import CAMPAIGNS, Account
from tests.support.desk import Desk

Make = Callable[..., Account]
_WIDE = 1_000
_MEASURED = re.compile(r"[\d.]+ s\b")
"""Seconds, as the previous run measured them: they differ each time."""
_TOKEN = re.compile(r"[\w+\-.:,/]*\d[\w+\-.:,/]*\w")
"""Whatever contains a digit: ids, dates, amounts, numbers."""


@pytest.fixture
def desk(account: Make, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An account with money that has changed, items, corrections, drift and a lake."""
    made = Desk(account(days=60, per_day=4, campaigns=CAMPAIGNS, rules=Rules(lock_days=20)))
    monkeypatch.setenv("SOURCES__IMPACT__ACCOUNT_SID", made.sandbox.account_sid)
    monkeypatch.setenv("SOURCES__IMPACT__AUTH_TOKEN", made.sandbox.auth_token)
    monkeypatch.setenv("SOURCES__IMPACT__BASE_URL", made.sandbox.url)
    monkeypatch.setenv("SOURCES__IMPACT__ITEMS_MAX_REQUESTS", "5")
    monkeypatch.setenv("IMPACT__LAKE_ACCOUNT", "acme")
    return made


def at_width(
    width: int, show: Callable[[], object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output has every token that it has with room for everything, and no longer lines."""
    shown = {}
    for columns in (_WIDE, width, _WIDE + 1):
        monkeypatch.setenv("COLUMNS", str(columns))
        show()
        shown[columns] = _MEASURED.sub("", capsys.readouterr().out)
    tokens = set(_TOKEN.findall(shown[_WIDE])) & set(_TOKEN.findall(shown[_WIDE + 1]))  # less what has changed since
    tokens = {token for token in tokens if len(token) <= 40}  # a path in the API may be longer than a screen
    assert tokens
    lost = {token for token in tokens if token not in shown[width]}
    assert not lost, (lost, shown[width])
    assert "…" not in shown[width]
    print(shown[width])  # noqa: T201 - shows the screens with -s
    capsys.readouterr()


@pytest.mark.parametrize("width", [60, *(pytest.param(more, marks=pytest.mark.long) for more in (80, 120))])
def test_ids_dates_and_amounts_are_never_cut(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int
) -> None:
    """At any width every table shows what it shows with room for everything."""

    def command(line: str) -> Callable[[], object]:
        def show() -> None:
            print(CliRunner().invoke(main, shlex.split(line)).stdout)  # noqa: T201 - to the same output as the others

        return show

    def check(show: Callable[[], object]) -> None:
        at_width(width, show, capsys, monkeypatch)

    action = desk.create(EventDate="2026-01-10T10:00:00Z", MediaPartnerName="Partner\nof \u202emany words " * 3)
    other = desk.create(Oid="ORDER-2026-0000000000001", Amount="123456.78", Payout="12345.67")
    summary = desk.account.sync(items_max_requests=20)
    check(lambda: show_sync.show(summary))
    found = desk.account.drain()
    check(lambda: show_items.show(found))
    check(command("sync --dry-run"))
    check(command("status"))
    check(command("check"))
    check(command(f"show {action}"))
    with desk.account.changing() as connection:
        connection.execute(f"update actions set payout = 98765.4321, locking_date = null where id = '{action}'")
    check(command("verify"))
    desk.account.sync(items_max_requests=0)
    with desk.account.changing() as connection:
        connection.execute(f"update actions set payout = 2.5 where id = '{action}'")
    plan = desk.plan(
        f"{action},update,ORDER_UPDATE,A/B 1,12.34,,,,,,note",
        f"{other},reverse,ITEM_RETURNED,,,,,,,,",
        "1000.4636.1,update,ORDER_UPDATE,,12,,,,,,",
        skip_invalid=True,
    )
    check(lambda: show_corrections.show_plan(plan))
    check(command("corrections status"))
    check(command(f"corrections status {plan.id}"))
    applied = desk.apply(str(plan.id))
    check(lambda: show_corrections.show_applied(str(plan.id), applied))
    check(command(f"publish {tmp_path / 'lake'} --whole"))

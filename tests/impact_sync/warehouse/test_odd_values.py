"""Reserved names and dates at the ends of the calendar: one odd record affects no others, on any warehouse."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from impact_sandbox import Campaign
from impact_sync.cli import main
from impact_sync.console.exits import Exit
from impact_sync.lake.place import Lake
from impact_sync.lake.publish import publish
from impact_sync.verify.run import verify

from tests.support.account import Account, on_duckdb_first
from tests.support.lake import assert_published
from tests.support.warehouses import query

Make = Callable[..., Account]
ONE = (Campaign(id="1000", name="Acme Campaign", state="ACTIVE", share=1.0),)
TAKEN = ["Pass", "ValidFrom", "ValidTo", "Changed", "_dlt_id", "_dlt_load_id", "ActionId", "LineCount", "Removed"]
TAKEN += ["KnownBy", "Account", "RowHash", "_gone", "SyncedAt", "Order", "AField" + "OfTheApiWithAVeryLongName" * 3]


@on_duckdb_first
def test_a_field_with_a_name_that_is_taken_breaks_no_later_sync(account: Make, warehouse: str, tmp_path: Path) -> None:
    """It lands in its own column; versions, items and the lake keep theirs, sync after sync."""
    one, lake = account(days=3, per_day=1, campaigns=ONE), Lake(str(tmp_path / "lake"), "acme")
    one.start = None
    fields: dict[str, str] = dict.fromkeys(TAKEN, "theirs")
    action = one.world.create(items=[{"Sku": "A", "SaleAmount": "5.00", **fields}], **fields)
    for note in ("first", "second", "third"):
        one.world.modify(action, Note=note)
        one.world.advance(hours=1)
        assert one.sync(items_max_requests=50).exit is Exit.DONE
        publish(lake)
    names = "pass_x, valid_from_x, valid_to_x, changed_x, dlt_id_x, dlt_load_id_x, action_id_x, account_x, gone_x"
    names = names.replace("gone_x", "_gone_x")
    theirs = ("theirs",) * 9
    assert query(f"select {names} from {{actions}} where id = '{action}'") == [theirs]
    assert query(f"select {names} from {{action_items}} where action_id = '{action}'") == [theirs]
    versions = f"select note, pass, changed, pass_x from {{action_history}} where id = '{action}' order by valid_from"
    assert query(versions) == [
        ("first", "updated", None, "theirs"),
        ("second", "updated", "note", "theirs"),
        ("third", "updated", "note", "theirs"),
    ]
    assert sum(tally.changed for tally in one.sync().tallies.values()) == 0
    if warehouse == "duckdb":
        publish(lake)
        assert_published(one.path, lake)


ODD_DATES = ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-08:00", "9999-12-31T00:00:00+14:00", "0001-01-01T00:00:00Z"]
ODD_DATES += ["0001-01-01T00:00:00+08:00", "1970-01-01T00:00:00Z", "1900-01-01T00:00:00+00:00"]
FIELDS = ["LockingDate", "EventDate", "CreationDate", "ClearedDate", "ReferringDate"]


@pytest.mark.long
@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
def test_the_ends_of_the_calendar_stop_no_command(
    account: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sync, items, verify, status and report work, and the warehouse has the dates, within the years 1 to 9999."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    one = account(days=3, per_day=1, campaigns=ONE)
    odd = [(field, date, one.world.create(Amount="1.00", Payout="0.10")) for field in FIELDS for date in ODD_DATES]
    for field, date, action in odd:
        fields: dict[str, Any] = {field: date}
        one.world.modify(action, **fields)
    for _ in range(2):
        summary = one.sync(items_max_requests=20)
        assert (summary.exit, summary.error) == (Exit.DONE, None)
        one.world.advance(days=1)
    one.sync(items_max_requests=20)
    assert query("select sum(amount) from {actions} where amount = 1") == [(Decimal(len(odd)),)]
    assert verify(one.settings()).exit is Exit.DONE
    monkeypatch.setenv("SOURCES__IMPACT__ACCOUNT_SID", one.sandbox.account_sid)
    monkeypatch.setenv("SOURCES__IMPACT__AUTH_TOKEN", one.sandbox.auth_token)
    monkeypatch.setenv("SOURCES__IMPACT__BASE_URL", one.sandbox.url)
    for command in (["status"], ["status", "--json"], ["report", "-o", str(tmp_path / "a.html")], ["show", odd[1][2]]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, (command, done.output)

"""What reconciliations leave in the warehouse, and what the next one says of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from impact_source.errors import ConfigurationError
from impact_sync.corrections.apply.run import apply
from impact_sync.reconcile.asking import Ask
from impact_sync.reconcile.columns import LINES, RECONCILIATIONS
from impact_sync.reconcile.command import store_plan
from impact_sync.reconcile.given import Given
from impact_sync.reconcile.ledger import Ledger
from impact_sync.reconcile.run import Found, reconcile
from impact_sync.reconcile.show import show
from impact_sync.warehouse.open import open_pipeline

from tests.support.orders import ITEM_HEADER, Row, Shop, told
from tests.support.warehouses import query

Make = Callable[..., Shop]


def changes(lines: list[Row]) -> dict[str, str]:
    """What has become of each order's difference."""
    return {line["order_id"]: line["change"] for line in lines}


def test_the_next_run_tells_what_is_new_settled_and_locked_unmended(shop: Make) -> None:
    """Each difference is new once; then it is known, settled, or locked before anybody corrected it, once."""
    one = shop(approval_delay_days=30)
    now = one.desk.world.now
    lock = f"{now + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    ids = {oid: one.desk.create(Oid=oid) for oid in ("kept", "mended", "other", "later")}
    ids["lost"] = one.desk.create(Oid="lost", LockingDate=lock)
    one.desk.sync()
    orders = [f"{oid},returned,,,," for oid in ("kept", "mended", "lost", "other")]
    first = one.reconcile(*orders)
    assert changes(first) == dict.fromkeys(("kept", "mended", "lost", "other"), "new")
    one.desk.world.reverse(ids["mended"])
    one.desk.world.advance(days=3)
    one.desk.sync()
    second = one.reconcile(*orders[:3], "later,returned,,,,")
    assert changes(second) == {"kept": "known", "mended": "settled", "lost": "locked unmended", "later": "new"}
    assert (one.found.head["settled"], one.found.head["locked_unmended"], one.found.head["differences"]) == (1, 1, 3)
    assert {(c["change"], c["commission"]) for c in one.found.changes if c["change"] == "locked unmended"} == {
        ("locked unmended", Decimal("2.5"))
    }
    (kept,) = (line for line in second if line["order_id"] == "kept")
    assert kept["first_found_at"] == first[0]["found_at"] < kept["found_at"]
    third = one.reconcile(*orders)
    assert changes(third) == {"kept": "known", "lost": "known", "other": "known"}, "what is settled is told once"


def test_what_other_orders_say_settles_nothing(shop: Make) -> None:
    """A file of another month, or one without amounts or items, says nothing of the differences of this one."""
    one = shop()
    for oid in ("1", "2", "3"):
        one.desk.create(Oid=oid)
    one.desk.sync()
    items = ("2,A/B 1,1,10.00", "2,TEE,1,10.00")
    found = one.reconcile("1,placed,29.00,USD,,", "2,partly_returned,,USD,,", "9,placed,5.00,USD,,true", items=items)
    assert changes(found) == dict.fromkeys(("1", "2", "9"), "new")
    assert one.reconcile("3,placed,30.00,USD,,") == []
    assert one.reconcile("1,,,,,", "2,partly_returned,20.00,USD,,", "9,placed,5.00,USD,,") != []
    again = one.reconcile("1,placed,30.00,USD,,", "2,partly_returned,,USD,,", "9,placed,5.00,USD,,true", items=items)
    assert changes(again) == {"1": "orders changed", "2": "known", "9": "known"} | {
        line["order_id"]: line["change"] for line in again if line["sku"] is None
    }


def test_an_action_without_an_order_is_no_difference_once_it_has_one(shop: Make) -> None:
    """Its order id is the key by which it is found again. It is settled if it was reversed instead."""
    one = shop()
    ids = {oid: one.desk.create(Oid=oid) for oid in ("1", "2")}
    one.desk.sync()
    now = one.desk.world.now
    bounds = {"since": now - timedelta(days=1), "until": now}
    assert changes(one.reconcile("1,placed,30.00,USD,,", **bounds)) == {"2": "new"}
    assert changes(one.reconcile("1,placed,30.00,USD,,")) == {}
    both = ("1,placed,30.00,USD,,", "2,placed,30.00,USD,,")
    assert changes(one.reconcile(*both, **bounds)) == {"2": "orders changed"}
    assert changes(one.reconcile("1,placed,30.00,USD,,", **bounds)) == {"2": "new"}
    one.desk.world.reverse(ids["2"])
    one.desk.world.advance(hours=1)
    one.desk.sync()
    assert changes(one.reconcile("1,placed,30.00,USD,,", **bounds)) == {"2": "settled"}


def test_what_a_wrong_file_said_is_not_settled_by_the_right_one(shop: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing happened at impact.com, so no money came back; what did change there meanwhile is settled."""
    one = shop()
    oids = ("1", "2", "3", "4", "5")
    ids = {oid: one.desk.create(Oid=oid) for oid in oids}
    one.desk.account.sync(items_max_requests=None)
    items = ("5,A/B 1,1,10.00", "5,TEE,1,10.00")
    wrong = (
        *(f"{oid},placed,-30.00,USD,," for oid in oids[:4]),
        "5,partly_returned,20.00,USD,,",
        "6,placed,1.00,USD,,true",
    )
    assert set(changes(one.reconcile(*wrong, items=items)).values()) == {"new"}
    one.desk.world.modify(ids["3"], Amount="29.00")
    one.desk.world.approve(ids["4"])
    one.desk.world.advance(hours=1)
    one.desk.account.sync(items_max_requests=None)
    items = ("5,A/B 1,2,20.00", "5,TEE,1,10.00")
    right = ("1,placed,30.00,USD,,", "2,returned,,,,", "3,placed,29.00,USD,,", "4,placed,30.00,USD,,")
    ask = one.ask(*right, "5,partly_returned,30.00,USD,,", "6,placed,1.00,USD,,false", items=items)
    lines = one.run(ask)
    assert told(lines, "change", "standing") == [
        ("1", "amount", "orders changed", "settled"),
        ("2", "amount", "orders changed", "settled"),
        ("2", "not_reversed", "new", "open"),
        ("3", "amount", "settled", "settled"),
        ("4", "amount", "orders changed", "settled"),
        ("5", "not_corrected", "orders changed", "settled"),
        ("6", "no_action", "orders changed", "settled"),
    ]
    assert one.found.head["settled"] == 1
    show(one.found, ask)
    said = " ".join(capsys.readouterr().out.split())
    assert "Settled at impact.com since: 1 (" in said
    assert "No longer found, although nothing has changed at impact.com: 4 (" in said
    assert told(one.run(ask), "change") == [("2", "not_reversed", "known")], "what is no longer there is told once"


def test_a_csv_has_every_line(shop: Make, tmp_path: Path) -> None:
    """The file has the columns of the table, with points and instants as any program reads them."""
    one = shop()
    one.desk.create(Oid="00,1", LockingDate="2026-03-01T08:00:00Z")
    one.desk.sync()
    path = tmp_path / "differences.csv"
    (line,) = one.reconcile('"00,1",returned,0,USD,,', output=path)
    header, row = path.read_text().splitlines()
    assert header == ",".join(field.name for field in LINES)
    assert f',"00,1","",,{line["action_id"]},1000,' in row
    assert row.endswith(",2026-03-01T08:00:00Z")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        one.reconcile("1,returned,,,,", output=tmp_path / "nowhere" / "differences.csv")
    assert one.desk.account.query("select count(*) from impact.reconciliations") == [(1,)], "nothing was stored"


def test_every_column_is_described(shop: Make) -> None:
    """The database itself says what each column means."""
    one = shop()
    one.desk.create(Oid="1")
    one.desk.sync()
    one.reconcile("1,returned,,,,")
    told = one.desk.account.query(
        "select table_name, column_name, comment from duckdb_columns() where table_name like 'reconciliation%'"
    )
    expected = {("reconciliations", f.name, f.description) for f in RECONCILIATIONS}
    assert set(told) == expected | {("reconciliation_lines", f.name, f.description) for f in LINES}


def test_a_report_gets_the_last_reconciliation_added_up(shop: Make) -> None:
    """Whoever reports on it gets its head and its differences by kind and standing; nothing before the first."""
    one = shop()
    for oid in ("1", "2", "3"):
        one.desk.create(Oid=oid)
    one.desk.sync()
    with open_pipeline() as pipeline:
        assert Ledger(pipeline).latest() is None
    one.reconcile("1,returned,,,,", "2,cancelled,,,,", "3,placed,60.00,USD,,")
    with open_pipeline() as pipeline:
        found = Ledger(pipeline).latest()
    assert found is not None
    head, totals = found
    assert (head["run_id"], head["differences"], head["correctable"]) == (one.found.head["run_id"], 3, 3)
    assert [
        (t["kind"], t["standing"], t["remedy"], t["currency"], t["differences"], t["commission"]) for t in totals
    ] == [
        ("amount", "open", "plan", "USD", 1, Decimal("-2.5")),
        ("not_reversed", "open", "plan", "USD", 2, Decimal(5)),
    ]


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_a_warehouse_in_postgres_is_reconciled_just_so(shop: Make, warehouse: str) -> None:
    """Found, recorded, planned, applied, and settled by the next run, wherever the warehouse is."""
    assert warehouse == "postgres"
    one = shop()
    ids = {oid: one.desk.create(Oid=oid) for oid in ("back", "cut", "dear", "same")}
    one.desk.account.sync(items_max_requests=None)
    orders = one.file(
        "back,returned,0,USD,,", "cut,partly_returned,20.00,USD,,", "dear,placed,36.00,USD,,", "same,,30,,,"
    )
    items = one.file("cut,A/B 1,1,10.00", "cut,TEE,1,10.00", header=ITEM_HEADER, name="items.csv")
    ask = Ask(Given(orders), Given(items))
    found = reconcile(ask)
    assert lines(found, "order_id, kind, sku, commission, change") == [
        ("back", "not_reversed", None, Decimal("2.5"), "new"),
        ("cut", "not_corrected", "A/B 1", Decimal(1), "new"),
        ("dear", "amount", None, Decimal("-0.5"), "new"),
    ]
    plan = store_plan(one.desk.settings(), ask, found)
    assert plan.id is not None
    apply(one.desk.settings(), plan.id)
    assert [one.desk.shown(ids[oid])["Amount"] for oid in ("cut", "dear", "same")] == ["20.00", "36.00", "30.00"]
    one.desk.world.advance(hours=1)
    one.desk.account.sync(items_max_requests=None)
    second = reconcile(ask)
    assert second.head["differences"] == 0
    assert lines(second, "order_id, kind, change") == [
        ("back", "not_reversed", "settled"),
        ("cut", "not_corrected", "settled"),
        ("dear", "amount", "settled"),
    ]
    sql = "select id as order_id, 'returned' as status from (values ('same')) t (id)"
    assert reconcile(Ask(Given(sql=sql))).head["correctable"] == 1


def lines(found: Found, columns: str) -> list[tuple[Any, ...]]:
    """Columns of a reconciliation's lines, in whatever warehouse is configured."""
    run = found.head["run_id"]
    return query(f"select {columns} from {{reconciliation_lines}} where run_id = '{run}' order by order_id")

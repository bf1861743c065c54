"""What each view decides about one action, on inserted rows: the rules that figures rest on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.impact_sync.views.ledgers import JAN_15, Ledgers, ledgers
from tests.impact_sync.views.ledgers import PENDING as ACTION

ZONES = ("UTC", "America/Los_Angeles", "Pacific/Auckland")


@pytest.fixture
def books() -> Iterator[Ledgers]:
    """Empty tables with the views over them."""
    with ledgers() as found:
        yield found


def test_a_pending_action_past_its_lock_is_approved_commission(books: Ledgers) -> None:
    """Nothing can take back what has locked, whatever its state says; accrued is the sum of the three."""
    books.read()
    books.add("actions", **ACTION)
    books.add("actions", **ACTION | {"id": "2", "payout": 20, "locking_date": "2026-01-10T00:00:00Z"})
    books.add("actions", **ACTION | {"id": "3", "payout": 40, "cleared_date": "2026-01-12T00:00:00Z"})
    books.add("actions", **ACTION | {"id": "4", "payout": 80, "state": "APPROVED"})
    books.add("actions", **ACTION | {"id": "5", "payout": 0, "state": "REVERSED", "intended_payout": 160})
    rows = books.ask("select accrued, pending, approved, paid, reversed from commission_by_month where basis = 'event'")
    assert rows == [(150, 10, 100, 40, 160)]
    assert all(accrued == pending + approved + paid for accrued, pending, approved, paid, _ in rows)


@pytest.mark.parametrize("zone", ZONES)
def test_months_and_weeks_do_not_depend_on_the_session(books: Ledgers, zone: str) -> None:
    """A month's last and first minute belong to the same months in every session's time zone."""
    books.read()
    books.add("actions", **ACTION | {"event_date": "2025-12-31T23:59:00Z", "locking_date": "2026-01-31T23:59:00Z"})
    later = {"event_date": "2026-01-01T00:00:00Z", "locking_date": "2026-02-01T23:59:00Z", "payout": 20}
    books.add("actions", **ACTION | {"id": "2"} | later)
    assert books.ask(
        "select basis, month, accrued from commission_by_month order by 1, 2, 3",
        zone,
    ) == [
        ("event", date(2025, 12, 1), 10),
        ("event", date(2026, 1, 1), 20),
        ("locking", date(2026, 1, 1), 10),
        ("locking", date(2026, 2, 1), 20),
    ]
    assert books.ask("select locking_week, at_risk from lock_calendar order by 1", zone) == [(date(2026, 1, 26), 30)]
    history = {"id": "1", "valid_from": JAN_15, "event_date": "2025-12-31T23:59:00Z", "payout": 1}
    books.add("action_history", **history)
    assert books.ask("select event_month from restatements", zone) == [(date(2025, 12, 1),)]


def test_a_change_of_currency_leaves_one_and_enters_the_other(books: Ledgers) -> None:
    """An action of 110 dollars that becomes 110 euros takes 110 from the dollars and adds 110 to the euros."""
    version = ACTION | {"payout": 110, "amount": 1100}
    books.add("action_history", **version, valid_from="2026-01-10T00:00:00Z", valid_to=JAN_15)
    books.add("action_history", **version | {"currency": "EUR"}, valid_from=JAN_15, changed="currency")
    since = "select currency, kind, payout_change, amount_change from restatements where changed_at >= ? order by 1"
    assert books.ask(since.replace("?", f"timestamptz '{JAN_15}'")) == [
        ("EUR", "correction", 110, 1100),
        ("USD", "correction", -110, -1100),
    ]


@pytest.mark.parametrize("outdated", [False, True])
def test_items_that_are_out_of_date_are_not_held_against_their_action(books: Ledgers, outdated: bool) -> None:  # noqa: FBT001
    """An action that changed since its items were read is left out until they are read again."""
    fetched = "2026-01-10T00:00:00Z"
    books.add("actions", **ACTION, synced_at="2026-01-05T12:00:00Z")
    books.add("action_items", action_id="1", sku="A", sale_amount=90, payout=10)
    books.add("item_fetches", action_id="1", fetched_at=fetched, fingerprint="|", status="listed", item_count=1)
    known = books.ask("select fingerprint from item_state")[0][0]
    books.ask(f"update item_fetches set fingerprint = '{known}'")
    if outdated:
        books.ask(f"update actions set synced_at = timestamptz '{JAN_15}', amount = 120")
    rows = books.ask("select action_id, amount_difference, payout_difference from item_reconciliation")
    assert rows == ([] if outdated else [("1", 10, 0)])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"amount": 1, "delta_amount": 2}, {"amount": 2, "delta_amount": 1}),
        ({"amount": 1, "delta_amount": None}, {"amount": None, "delta_amount": 1}),
        ({"delta_amount": 1, "payout": None}, {"delta_amount": None, "payout": 1}),
        ({"payout": 5, "delta_payout": None}, {"payout": None, "delta_payout": 5}),
        *(({name: 1}, {name: 2}) for name in ("amount", "delta_amount", "payout", "delta_payout")),
        ({"currency": "USD"}, {"currency": None}),
    ],
)
def test_amounts_that_change_or_trade_places_put_items_out_of_date(
    books: Ledgers, before: dict[str, object], after: dict[str, object]
) -> None:
    """Otherwise the items of a corrected order would be reported for ever as they were before."""
    usual = {"id": "1", "amount": 0, "delta_amount": 0, "payout": 0, "delta_payout": 0, "currency": "USD"}
    books.add("actions", **usual | before, synced_at="2026-01-15T00:00:00Z")
    ((known,),) = books.ask("select fingerprint from item_state")
    books.add("item_fetches", action_id="1", fetched_at=JAN_15, fingerprint=known, status="listed", item_count=1)
    assert books.ask("select items from item_state") == [("current",)]
    books.ask("delete from actions")
    books.add("actions", **usual | after, synced_at="2026-01-16T00:00:00Z")
    assert books.ask("select items from item_state") == [("outdated",)]


def test_after_a_repair_there_is_no_drift(books: Ledgers) -> None:
    """Drift counts the actions that still differ: not those that were repaired, and each only once."""
    books.add("campaigns", id="1000", name="Acme")
    books.read(**{"pass": "verify"})
    assert books.ask("select drift from freshness") == [(0,)]
    finding = {"run_id": JAN_15, "campaign_id": "1000", "action_id": "1", "finding": "stale"}
    books.add("verify_results", **finding, column_name="state", repaired=False)
    books.add("verify_results", **finding, column_name="payout", repaired=False)
    books.add("verify_results", **finding | {"action_id": "2"}, column_name="state", repaired=True)
    assert books.ask("select drift from freshness") == [(1,)]
    books.ask("update verify_results set repaired = true")
    assert books.ask("select drift from freshness") == [(0,)]
    books.ask("update verify_results set repaired = false")
    books.read("2026-01-16T12:00:00Z", **{"pass": "verify"})
    assert books.ask("select drift from freshness") == [(0,)], "the next verification found nothing"


@pytest.mark.parametrize(
    ("lock", "stage", "can_change"),
    [("2026-01-15T12:00:00Z", "locked", False), ("2026-01-15T12:00:01Z", "open", True), (None, "open", True)],
)
def test_an_action_is_locked_from_the_very_instant_of_its_lock(
    books: Ledgers,
    lock: str | None,
    stage: str,
    can_change: bool,  # noqa: FBT001
) -> None:
    """A LockingDate equal to the end of the last read has passed; one a second later has not."""
    books.read(JAN_15)
    books.add("actions", **ACTION | {"locking_date": lock})
    assert books.ask("select stage, can_change, at_risk from settlement") == [
        (stage, can_change, Decimal(10) if can_change else Decimal(0))
    ]


@pytest.mark.parametrize("state", [None, "ON_HOLD", "PENDING", "REVERSED"])
def test_an_action_without_a_state_can_change(books: Ledgers, state: str | None) -> None:
    """An empty or unknown state does not hide that an action is open until it locks."""
    books.read()
    books.add("actions", **ACTION | {"state": state})
    assert books.ask("select can_change, can_change_until from settlement") == [
        (True, datetime(2026, 2, 10, tzinfo=UTC))
    ]


@pytest.mark.parametrize(
    ("window", "as_of"),
    [
        ({}, JAN_15),
        ({"outcome": "parted"}, JAN_15),
        ({"outcome": "too full"}, "2026-01-08T00:00:00Z"),
        ({"outcome": "moved"}, "2026-01-08T00:00:00Z"),
        ({"event_start": "2026-01-01T00:00:00Z", "event_end": JAN_15}, "2026-01-08T00:00:00Z"),
        ({"pass": "locking"}, "2026-01-08T00:00:00Z"),
        ({"window_end": "2026-03-01T00:00:00Z"}, JAN_15),
    ],
)
def test_only_a_window_that_was_read_completely_says_up_to_when_changes_are_here(
    books: Ledgers, window: dict[str, str], as_of: str
) -> None:
    """A split window counts if its parts add up; a part by EventDate, a refusal and other passes say nothing."""
    books.read("2026-01-08T00:00:00Z")
    books.read(JAN_15, **window)
    assert books.ask("select campaign_id, as_of from synced_until") == [("1000", datetime.fromisoformat(as_of))]

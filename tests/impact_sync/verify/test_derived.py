"""Verification of items that were derived from the change feed: a sample, against the actions' own lists."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from click.testing import CliRunner
from impact_source import Ask
from impact_sync.cli import main
from impact_sync.console.exits import Exit
from impact_sync.verify.command import show
from impact_sync.verify.report import Report
from impact_sync.verify.run import verify

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]


@pytest.fixture
def derived(account: Make) -> Account:
    """Some ninety actions, of which all but thirty have derived items."""
    one = account(days=30, per_day=3, campaigns=CAMPAIGNS[:1])
    one.sync(items="feed", items_max_requests=30)
    one.item_requests()
    return one


def check(one: Account, *, repair: bool = False, most: int | None = None, items: str = "feed") -> Report:
    """Verify an account a minute later."""
    one.world.advance(seconds=60)
    return verify(one.settings(items=items, items_max_requests=most), Ask(), repair=repair)


def impact(*arguments: str) -> str:
    """What a command prints."""
    return CliRunner().invoke(main, arguments).output


def a_derived_one(one: Account) -> str:
    """The action whose items were derived and whose event is the latest."""
    sql = (
        "select s.action_id from impact.item_state s join impact.action_items i using (action_id) "
        "where s.known_by = 'feed' group by s.action_id, s.event_date having min(i.quantity) > 0 "
        "order by s.event_date desc limit 1"
    )
    return str(one.query(sql)[0][0])


def test_a_sample_of_derived_items_is_compared_with_lists(derived: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty derived actions' lists are requested, or as many as may be; where all agree there is no drift."""
    report = check(derived)
    assert (report.exit, report.derived, report.differences) == (Exit.DONE, 30, ())
    assert len(set(derived.item_requests())) == 30
    show(report)
    said = " ".join(capsys.readouterr().out.split())
    assert "The derived items of 30 actions were compared with their lists." in said
    assert "No drift: the actions match the API, and the derived items of a sample match their lists." in said
    report = check(derived, most=4)
    assert (report.exit, report.derived) == (Exit.DONE, 4)
    show(report)
    said = " ".join(capsys.readouterr().out.split())
    assert "26 sampled actions could not be read: whether their items match is not known" in said
    assert "The reason: sources.impact.items_max_requests allows 4 requests: raise it" in said
    assert "derived items of a sample match" not in said
    derived.item_requests()
    for nothing, unread in ((check(derived, most=0), 30), (check(derived, items="off"), 0)):
        assert (nothing.exit, nothing.derived, nothing.derived_unread) == (Exit.DONE, 0, unread)
        show(nothing)
        assert "derived items" not in capsys.readouterr().out
    assert derived.item_requests() == []


def test_a_verification_records_what_it_covered_of_items(derived: Account) -> None:
    """Its sample is a row of sync_windows; while that was not read, neither status nor freshness says verified."""
    check(derived, most=4)
    sql = """select total, "rows", outcome, reason from impact.sync_windows where pass = 'items' order by reason"""
    why = "the items of 26 of 30 sampled actions were not compared: "
    why += "sources.impact.items_max_requests allows 4 requests: raise it"
    assert derived.query(sql) == [(30, 4, "left out", why)]
    verified = "select verified_at is not null from impact.freshness where campaign_id = '1000'"
    assert derived.query(verified) == [(False,)]
    assert f"items, 2025-12-15 12:00 to 2026-01-15 12:01: {why}" in " ".join(impact("status").split())
    check(derived)
    assert derived.query(sql)[1:] == [(30, 30, "whole", None)]
    assert derived.query(verified) == [(True,)]
    assert "were not compared" not in impact("status")


def test_the_hourly_limit_is_named_if_it_keeps_items_from_being_compared(
    derived: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict says why their lists could not be read, and when they can be."""
    show(verify(derived.settings(items="feed", items_max_requests=None, requests_per_hour=20)))
    said = " ".join(capsys.readouterr().out.split())
    assert "whether their items match is not known. The reason: the hourly request limit is reached; more in" in said
    assert "To compare them, run `impact verify` again." in said


def test_derived_items_that_a_list_contradicts_are_drift(derived: Account) -> None:
    """The finding says what the feed and the list say; a repair lands the list, and the next sync drops the feed."""
    one, action = derived, a_derived_one(derived)
    with one.changing() as connection:  # as if the feed had said so
        connection.execute("update action_items set quantity = quantity + 1 where action_id = ?", [action])
        connection.execute("update action_updates set quantity = quantity + 1 where action_id = ?", [action])
    before = one.held_items()
    report = check(one)
    assert report.exit is Exit.DRIFT
    assert [(d.action_id, d.kind, [cell.column for cell in d.cells]) for d in report.differences] == [
        (action, "stale", ["items"])
    ]
    assert one.held_items() == before
    ((found, here, there, repaired),) = one.query(
        "select finding, here, there, repaired from impact.verify_results where column_name = 'items'"
    )
    quantity = min(int(str(row["quantity"])) for key, row in before.items() if key[0] == action)
    assert (found, repaired) == ("stale", False)
    assert f"{quantity} x " in here
    assert here != there
    repaired_report = check(one, repair=True)
    assert repaired_report.history == ()
    assert (repaired_report.exit, repaired_report.repaired) == (Exit.DONE, True)
    held, truth = one.held_items(), one.item_truth()
    mine = {key for key in truth if key[0] == action}
    assert {key: held[key]["quantity"] for key in mine} == {key: truth[key]["quantity"] for key in mine}
    assert {held[key]["known_by"] for key in mine} == {"list"}
    assert {key: row for key, row in held.items() if key not in mine} == {
        key: row for key, row in before.items() if key not in mine
    }
    assert check(one).exit is Exit.DONE
    one.world.advance(hours=1)
    summary = one.sync(items="feed", items_max_requests=0)
    assert summary.items is not None
    (feed,) = summary.items.feeds
    assert feed.verdict == "contradicted"
    assert action in str(feed.example)
    assert summary.items.coverage.derived == 0


def test_what_changed_since_the_sync_is_no_drift(derived: Account) -> None:
    """An action that was corrected after the sync differs in its own row, or its list dates the correction."""
    one, action = derived, a_derived_one(derived)
    sku, held = next((key[1], row) for key, row in one.held_items().items() if key[0] == action)
    one.world.advance(hours=2)
    one.world.set_item(action, sku, SaleAmount=str(Decimal(str(held["sale_amount"])) + 1), Payout="0.50")
    report = check(one)
    assert (report.exit, [d for d in report.differences if not d.acknowledged]) == (Exit.DONE, [])

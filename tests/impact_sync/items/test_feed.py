"""What the commands say of items that come from the change feed, and of feeds that give none."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from impact_sandbox import Rules
from impact_source.errors import ConfigurationError
from impact_sync.cli import main
from impact_sync.console.exits import Exit
from impact_sync.items.command import show
from impact_sync.items.run import ItemSummary, items

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]


def synced(account: Make, rules: Rules = Rules(), requests: int = 35) -> tuple[Account, ItemSummary]:  # noqa: B008
    """Some sixty actions of one campaign, synced with the change feed, and what was said of their items."""
    one = account(days=20, per_day=3, campaigns=CAMPAIGNS[:1], rules=rules)
    summary = one.sync(items="feed", items_max_requests=requests)
    assert summary.exit is Exit.DONE
    assert summary.items is not None
    return one, summary.items


def shown(summary: ItemSummary, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints of it."""
    capsys.readouterr()
    show(summary)
    return capsys.readouterr().out


def status(*options: str) -> str:
    """The output of `impact status`."""
    result = CliRunner().invoke(main, ["status", *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_coverage_is_told_by_what_says_the_items(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Sync, items and status say how many actions' items the feed and the lists tell, and what is still read."""
    one, summary = synced(account)
    actions = len(one.truth())
    derived = actions - 35
    said = (
        f"Items are current for 100.0% of {actions} actions (change feed {derived / actions:.1%}, lists "
        f"{35 / actions:.1%}) and 100.0% of USD revenue. Names and rebates of the {derived} derived actions will be "
        "read as requests allow."
    )
    output = shown(summary, capsys)
    assert f"Items of {actions - 30} actions were derived from the change feed." in output
    assert said in output
    assert said in status()
    found = json.loads(status("--json"))["items"]
    assert (found["current"], found["derived"], found["missing"]) == (actions, derived, 0)
    assert (found["share_by_feed"], found["share_by_list"]) == (derived / actions, 35 / actions)
    assert found["hours_to_go"] == 0


def test_names_that_are_still_to_be_read_leave_nothing_undone(account: Make) -> None:
    """`impact items` exits with 3 only while items of an action are not known; derived ones are."""
    one = account(days=20, per_day=3, campaigns=CAMPAIGNS[:1])
    one.sync(items="feed")
    one.world.advance(seconds=60)
    assert one.drain(10, items="feed").ended[0] is Exit.EARLY
    one.world.advance(seconds=60)
    summary = one.drain(25, items="feed")
    assert summary.ended[0] is Exit.DONE
    assert summary.coverage.derived == len(one.truth()) - 35
    one.world.advance(seconds=60)
    assert one.drain(items="feed").coverage.derived == 0


def test_status_shows_each_campaigns_feed(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proven feed is in the table, with the lists that agree; where another source is configured, that is said."""
    synced(account)
    (found,) = json.loads(status("--json"))["feeds"]
    assert (found["campaign_id"], found["status"], found["agreed"], found["example"]) == ("1000", "proven", 30, None)
    output = status()
    assert "Change feeds" in output
    assert "is proven" not in output
    monkeypatch.setenv("SOURCES__IMPACT__ITEMS", "exact")
    assert "None of them is used: sources.impact.items is exact." in status()


def test_a_contradicted_feed_is_told_with_its_example(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Sync, items and status name the action whose list says something else, and what to do."""
    _, summary = synced(account, Rules(feed_renames_items=0.3))
    (feed,) = summary.feeds
    assert feed.example
    said = f"The change feed of campaign 1000 contradicts a list of items: {feed.example}. Items come from lists only."
    for output in (shown(summary, capsys), status()):
        assert said in output
        assert "`impact items --prove-feed 1000` compares again" in output
    (found,) = json.loads(status("--json"))["feeds"]
    assert (found["status"], found["example"]) == ("contradicted", feed.example)


def test_a_feed_that_gives_no_items_is_told_with_the_reason(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """A feed without Skus is of no use, which is no error."""
    _, summary = synced(account, Rules(feed_rows="order"))
    said = "The change feed of campaign 1000 is of no use for items: its changes name no Sku."
    assert said in shown(summary, capsys)
    assert said in status()


def test_a_feed_is_proven_again_by_hand(account: Make) -> None:
    """After `--prove-feed` only lists that arrive from then on count: 30 of them, or one that contradicts."""
    one, summary = synced(account, requests=0)
    assert summary.feeds[0].verdict == "unproven"
    one.world.advance(seconds=60)
    assert one.drain(30, items="feed").feeds[0].verdict == "proven"
    with one.changing() as connection:  # as if a list had contradicted it
        connection.execute("update item_feeds set status = 'contradicted', example = 'an action'")
    one.item_requests()
    one.world.advance(seconds=60)
    assert one.drain(0, items="feed").coverage.derived == 0
    one.world.advance(seconds=60)
    again = items(one.settings(items="feed"), 10, prove=["1000"])
    assert (again.feeds[0].verdict, again.feeds[0].agreed, again.feeds[0].example) == ("unproven", 10, None)
    assert again.coverage.derived == 0
    one.world.advance(seconds=60)
    done = one.drain(items="feed")
    assert done.feeds[0].verdict == "proven"
    assert done.coverage.waiting == 0
    assert len(one.item_requests()) == len(one.truth()) - 30


def test_only_a_feed_that_is_known_can_be_proven_again(account: Make) -> None:
    """Another campaign, or another source of items, is refused with what can be done, before anything is requested."""
    one, _ = synced(account, requests=0)
    one.sandbox.requests.clear()
    with pytest.raises(ConfigurationError, match="'2000'; those known are 1000"):
        items(one.settings(items="feed"), prove=["1000", "2000"])
    with pytest.raises(ConfigurationError, match="items is exact"):
        items(one.settings(items="exact"), prove=["1000"])
    assert one.sandbox.requests == []

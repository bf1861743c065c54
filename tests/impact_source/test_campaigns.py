"""The list of campaigns comes back incomplete, or empty: what the warehouse holds is still read and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest
from impact_sandbox import Reply, Request
from impact_source import Ask
from impact_source.errors import UnknownCampaign
from impact_sync.console.exits import Exit
from impact_sync.verify.run import verify

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
Alone = Literal["answers", "unknown", "forbidden"]
BOTH = ("1000", "2000")


def synced(account: Make, *, later: int = 3) -> Account:
    """An account that was synced; then days pass, and every open action is reversed without a date."""
    one = account(days=20, per_day=4)
    settings: dict[str, Any] = {"start_date": one.world.now - timedelta(days=40)}
    one.first_sync(**settings)
    one.world.advance(days=later)
    for row in one.world.truth().to_pylist():
        if row["State"] == "PENDING":
            one.world.reverse(row["Id"], touches=False)
    return one


def hide(one: Account, *unlisted: str, alone: Alone = "answers") -> None:
    """Leave campaigns out of the list from now on."""
    one.world.rules = replace(one.world.rules, unlisted=unlisted, campaign_alone=alone)


def dissolve(one: Account) -> None:
    """Refuse the actions of campaign 2000, as if it did not exist."""
    body = b'{"Status":"ERROR","Message":"No such campaign","Errors":[{"Field":"CampaignId","Message":"unknown"}]}'

    def refuse(request: Request) -> Reply | None:
        return Reply(400, body) if request.query.get("CampaignId") == "2000" else None

    one.sandbox.on_request = refuse


_SAYING = [(unlisted, alone) for unlisted in (BOTH, ("2000",)) for alone in ("answers", "unknown", "forbidden")]
_FIRST = ((BOTH, "answers"), (("2000",), "unknown"))


@pytest.mark.parametrize(
    ("unlisted", "alone"),
    [pytest.param(*said, marks=[] if said in _FIRST else [pytest.mark.long]) for said in _SAYING],
)
def test_campaigns_that_the_list_lacks_are_read_on(account: Make, unlisted: tuple[str, ...], alone: Alone) -> None:
    """Whatever the API says of a campaign by id, its actions are requested; a note names it."""
    one = synced(account)
    hide(one, *unlisted, alone=alone)
    summary = one.sync()
    assert summary.exit is Exit.DONE
    one.assert_true()
    assert all(any(id_ in note for note in summary.notes) for id_ in unlisted)


def test_verify_compares_campaigns_that_the_list_lacks(account: Make) -> None:
    """Stale and missing actions of a campaign are drift although the list of campaigns is empty."""
    one = synced(account, later=0)
    one.sync()
    with one.changing() as warehouse:
        old = "creation_date < timestamptz '2026-01-10 00:00:00+00'"
        warehouse.execute(f"update actions set note = 'x' where campaign_id = '2000' and {old}")
    hide(one, *BOTH)
    report = verify(one.settings())
    assert report.exit is Exit.DRIFT
    assert {difference.campaign_id for difference in report.drift} == {"2000"}
    assert report.unverifiable == 0


def test_a_campaign_that_is_gone_is_kept_and_named(account: Make) -> None:
    """If the API says that a campaign does not exist and refuses its actions, nothing fails and nothing is lost."""
    one = synced(account)
    held = {id_ for id_, row in one.held().items() if row["campaign_id"] == "2000"}
    hide(one, "2000", alone="unknown")
    dissolve(one)
    summary = one.sync()
    assert summary.exit is Exit.DONE
    note = (
        f"campaign 2000 {CAMPAIGNS[1].name} no longer exists in the API (not listed, 404 when requested by id, actions "
        "refused); its rows in the warehouse are kept"
    )
    assert note in summary.notes
    assert held <= one.held().keys()
    report = verify(one.settings())
    assert report.exit is Exit.DONE
    assert report.unverifiable == len(held)
    one.sandbox.on_request = None
    hide(one)
    assert one.sync().exit is Exit.DONE
    one.assert_true()


def test_a_campaign_that_may_not_be_read_is_a_failure(account: Make) -> None:
    """If the API does not say that a campaign is gone, but refuses its actions, the run ends with exit code 4."""
    one = synced(account)
    hide(one, "2000", alone="forbidden")
    dissolve(one)
    assert one.sync().exit is Exit.FAILED


def test_a_first_run_without_campaigns_says_what_may_be_wrong(account: Make) -> None:
    """An empty list on the first run reads nothing, and the note names the token's access."""
    one = account(days=2, per_day=2)
    hide(one, *BOTH)
    summary = one.sync()
    assert summary.exit is Exit.DONE
    assert [note for note in summary.notes if "lists no campaigns" in note and "token" in note]


def test_a_campaign_can_be_named_although_the_list_lacks_it(account: Make) -> None:
    """`--campaign` requests it by id; one that does not exist is still a usage error."""
    one = account(days=5, per_day=4)
    hide(one, *BOTH)
    one.sync(Ask(("2000",)), start_date=one.world.now - timedelta(days=40))
    assert {row["campaign_id"] for row in one.held().values()} == {"2000"}
    with pytest.raises(UnknownCampaign):
        one.sync(Ask(("9999",)))

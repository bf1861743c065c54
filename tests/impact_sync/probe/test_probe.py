"""Against a sandbox that plays each reading, the probe names it; it only reads, and tells nothing of the account."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from impact_sandbox import Campaign, Faults, Reply, Request, Rules
from impact_source.api.client import Client
from impact_source.errors import BudgetSpent, CredentialsError, ScopeError
from impact_sync.probe.answers import Topic
from impact_sync.probe.asking import MOST
from impact_sync.probe.run import Sheet, probe

from tests.support.account import Account
from tests.support.commands import clean, environment, impact

Make = Callable[..., Account]
FEW = "could not be told: no list of 44 days holds more than 20,000 actions"
USUAL = {
    Topic.MONEY: "strings",
    Topic.EMPTY: '""',
    Topic.TIMES: "with an offset, in whole seconds",
    Topic.ORDER: "newest created first",
    Topic.ALONE: "a list",
    Topic.ITEMS_KEY: "ActionItems",
    Topic.TWINS: "could not be told: none was seen",
    Topic.MANY: FEW,
    Topic.TOTAL: FEW,
    Topic.PAGE_SIZE: "is accepted, up to 200,000",
    Topic.PAGE_ROWS: "as many as PageSize says",
    Topic.LOCKING_UNIT: "millisecond",
    Topic.LOCKING_END: "part of it (inclusive)",
    Topic.EVENT_UNIT: "millisecond",
    Topic.EVENT_END: "part of it (inclusive)",
    Topic.FILTERS: "all apply (AND)",
    Topic.DEFAULT: "does not apply",
    Topic.EVENT_YEARS: "does not apply",
    Topic.LOCKING_YEARS: "does not apply",
    Topic.EARLY: "stays in the future",
    Topic.CLEARING: "does not count as an update",
    Topic.FEED: "is answered",
    Topic.FEED_ROWS: "a row for each item and change",
    Topic.FEED_SUMS: "add up to Amount and Payout",
    Topic.HEADERS: "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset",
    Topic.RESET: "the seconds to wait",
}
"""What the sandbox's default rules amount to."""
EXCLUSIVE = {
    Topic.LOCKING_END: "not part of it (exclusive)",
    Topic.EVENT_END: "not part of it (exclusive)",
}
NO_END = "could not be told: no action lies exactly on an end, as far as its date shows"
READINGS: dict[str, tuple[dict[str, Any], dict[Topic, str]]] = {
    "as documented": ({}, {}),
    "all that can be otherwise at once": (
        {
            "wire": "typed",
            "single_as_object": True,
            "items_key": "Items",
            "order": "shuffled",
            "max_page_size": 20_000,
            "three_years_on_all": True,
            "filters": "any",
            "early_approval_moves_lock": True,
            "clearing_touches": True,
            "feed_rows": "order",
            "rate_limit_headers": "hour",
            "reset_as_epoch": True,
        },
        {
            Topic.MONEY: "JSON numbers",
            Topic.EMPTY: "null",
            Topic.TIMES: "in UTC (Z), with milliseconds, all 000",
            Topic.ORDER: "in no order of creation",
            Topic.ALONE: "an object",
            Topic.ITEMS_KEY: "Items",
            Topic.PAGE_SIZE: "is refused",
            Topic.FILTERS: "list what meets any of them (OR)",
            Topic.EVENT_YEARS: "applies",
            Topic.LOCKING_YEARS: "applies",
            Topic.EARLY: "moves to the approval",
            Topic.CLEARING: "counts as an update",
            Topic.FEED_ROWS: "a row for each order and change, without a Sku",
            Topic.HEADERS: "X-RateLimit-Limit-hour, X-RateLimit-Remaining-hour, RateLimit-Reset",
            Topic.RESET: "an epoch second",
        },
    ),
    "exclusive ends, small pages only, a Sku twice, no headers": (
        {"exclusive_ends": True, "max_page_size": 2_000, "duplicate_skus": 1.0, "rate_limit_headers": "none"},
        EXCLUSIVE
        | {
            Topic.PAGE_SIZE: "is refused, and so is 20,000",
            Topic.PAGE_ROWS: "fewer than 20,000",
            Topic.TWINS: "is listed twice",
            Topic.HEADERS: "no header, as far as no request is refused",
            Topic.RESET: "could not be told: no answer has such a header",
        },
    ),
    "seconds, odd deltas, reversals by order": (
        {"precision": "second", "feed_odd_deltas": 0.5, "feed_turns": "order"},
        {
            Topic.LOCKING_UNIT: "second",
            Topic.EVENT_UNIT: "second",
            Topic.FEED_ROWS: "a row for each item and change, some without a Sku",
            Topic.FEED_SUMS: "do not always add up to Amount and Payout",
        },
    ),
    "minutes": ({"precision": "minute"}, {Topic.LOCKING_UNIT: "minute", Topic.EVENT_UNIT: "minute"}),
    "days": ({"precision": "day"}, {Topic.LOCKING_UNIT: "day", Topic.EVENT_UNIT: "day"}),
    "seconds, exclusive ends": (
        {"precision": "second", "exclusive_ends": True},
        {
            Topic.LOCKING_UNIT: "second",
            Topic.LOCKING_END: "not part of it (exclusive)",
            # EventDates may hide milliseconds, with which two servers could answer like this.
            Topic.EVENT_UNIT: "could not be told: it may be the millisecond or the second",
            Topic.EVENT_END: NO_END,
        },
    ),
    "minutes, exclusive ends": (
        {"precision": "minute", "exclusive_ends": True},
        {
            Topic.LOCKING_UNIT: "minute",
            Topic.LOCKING_END: "not part of it (exclusive)",
            Topic.EVENT_UNIT: "minute",
            Topic.EVENT_END: NO_END,
        },
    ),
    "days, exclusive ends": (
        {"precision": "day", "exclusive_ends": True},
        {
            Topic.LOCKING_UNIT: "day",
            Topic.LOCKING_END: NO_END,
            Topic.EVENT_UNIT: "day",
            Topic.EVENT_END: NO_END,
        },
    ),
    "a default of seven days": (
        {"seven_day_default_on_all": True},
        {
            Topic.DEFAULT: "applies",
            Topic.EARLY: "could not be told: no action seems to have been approved before it locked",
            Topic.CLEARING: "could not be told: no action was seen that was paid",
        },
    ),
}


@pytest.fixture
def account(account: Make) -> Make:
    """Accounts of three months: long enough for some actions to be paid."""
    return partial(account, days=90)


def ask(one: Account, **changes: Any) -> Sheet:  # noqa: ANN401 - any setting
    """The sheet of a probe that only read, and sent no more requests than it may."""
    one.sandbox.requests.clear()
    with Client(one.settings(**changes)) as client:
        sheet = probe(client, client.settings.campaign_ids)
    assert {request.method for request in one.sandbox.requests} == {"GET"}
    assert sheet.requests == len(one.sandbox.requests) <= MOST == 30
    assert list(sheet.answers) == list(Topic)
    assert all(answer.text.startswith("could not be told: ") != answer.told for answer in sheet.answers.values())
    return sheet


def said(sheet: Sheet) -> dict[Topic, str]:
    """The answers as text."""
    return {topic: answer.text for topic, answer in sheet.answers.items()}


@pytest.mark.parametrize(("rules", "expected"), READINGS.values(), ids=READINGS)
def test_each_reading_is_named(account: Make, rules: dict[str, Any], expected: dict[Topic, str]) -> None:
    """Whichever way the API behaves, the sheet says so, and an answer without evidence says why."""
    sheet = ask(account(rules=Rules(**rules)))
    assert said(sheet) == USUAL | expected
    assert sheet.error is None


@pytest.mark.parametrize(
    ("rules", "form", "words"),
    [
        ({"refusal": "plain"}, "a 400, without Errors", "do not name the total"),
        ({"refusal": "page_size"}, "a 400, with Errors that name PageSize", "do not name the total"),
        ({"refusal": "dates", "refusal_names_total": True}, "a 400, with Errors that name dates", "name the total"),
        (
            {"refusal": "ok", "refusal_names_total": True},
            "a 200 whose Status is ERROR, without Errors",
            "name the total",
        ),
    ],
)
def test_too_many_matches_are_refused_in_a_form(account: Make, rules: dict[str, Any], form: str, words: str) -> None:
    """An account with more than ten pages of actions shows how the API refuses them, and the rest all the same."""
    sheet = ask(account(rules=Rules(most_a_page=20, precision="second", **rules)))
    expected = {
        Topic.MANY: form,
        Topic.TOTAL: words,
        Topic.PAGE_ROWS: "at most 20",
        Topic.LOCKING_UNIT: "second",
        Topic.EVENT_UNIT: "second",
    }
    assert said(sheet) == USUAL | expected


@pytest.mark.long
def test_a_large_account_shows_the_refusal_of_the_largest_pages_list(account: Make) -> None:
    """The documented limit, ten pages of 2,000 actions, is enough: no small pages are needed."""
    one = account(per_day=600, days=45, rules=Rules(refusal="page_size"), campaigns=(Campaign(id="1000", name="Acme"),))
    told = said(ask(one))
    assert told[Topic.MANY] == "a 400, with Errors that name PageSize"
    assert told[Topic.LOCKING_UNIT] == told[Topic.EVENT_UNIT] == "millisecond"
    assert told[Topic.FEED_SUMS] == "add up to Amount and Payout"


def test_a_refusal_for_another_reason_is_not_taken_for_too_many(account: Make) -> None:
    """If long ranges are refused whatever they hold, the sheet does not call that the form of too many matches."""

    def refuse(request: Request) -> Reply | None:
        start, end = (
            datetime.fromisoformat(request.query.get(name, "2026-01-01T00:00:00Z")) for name in ("StartDate", "EndDate")
        )
        return Reply(400, b'{"Message": "Too many days"}') if end - start > timedelta(days=40) else None

    one = account()
    one.sandbox.on_request = refuse
    why = "could not be told: a list was refused, but does not seem to hold too many actions"
    assert said(ask(one))[Topic.MANY] == why


def test_the_sheet_holds_nothing_of_the_account(account: Make) -> None:
    """No id, name, amount or date of any campaign, action or item is on the sheet, nor a word of the API's own."""
    one = account(campaigns=(Campaign(id="7731", name="Acme Campaign"),))
    words = json.dumps({"Message": "Partner 4242 of Acme Campaign owes 17.25", "Errors": [{"Field": "Acme"}]})
    one.sandbox.on_request = lambda request: Reply(400, words.encode()) if "State" in request.query else None
    run = impact("check", "--probe", env=environment(one))
    output, sheet = clean(run, 0), run.stdout[run.stdout.index("impact check --probe") :]
    values = {str(value) for row in one.world.truth().to_pylist() for value in row.values() if len(str(value)) > 3}
    values |= {
        str(value) for row in one.world.item_truth().to_pylist() for value in row.values() if len(str(value)) > 3
    }
    values |= {"7731", "4242", "Acme", "owes", one.sandbox.account_sid[:4]}
    assert len(values) > 1_000
    assert [value for value in values if value in output] == []
    assert re.findall(r"\d{4}-\d\d|\d\d:\d\d|\d\.\d\d", sheet) == []
    assert set(re.findall(r"\d+(?:,\d+)*", sheet)) <= {"7", "44", "20,000", "200,000"}


def test_the_command_prints_the_sheet(account: Make) -> None:
    """`impact check --probe` explains what it is, shows each question with its answer, and exits 0."""
    output = clean(impact("check", "--probe", env=environment(account())), 0)
    assert re.search(r"learned from \d+ requests that only\s+read", output)
    for topic, answer in USUAL.items():
        assert re.search(rf"{re.escape(topic)} +│ {re.escape(answer)} *│", output)


@pytest.mark.parametrize("limit", [9, 20])
def test_the_hourly_limit_ends_it_with_what_was_learned(account: Make, limit: int) -> None:
    """With too few requests left in the hour it shows what it learned, says so, and exits 3 like a sync."""
    one = account(requests_per_hour=limit)
    sheet = ask(one)
    assert isinstance(sheet.error, BudgetSpent)
    assert sheet.requests == limit
    told = said(sheet)
    assert told[Topic.MANY] == FEW
    assert told[Topic.HEADERS] == USUAL[Topic.HEADERS]
    assert told[Topic.CLEARING] == "could not be told: the hourly request limit was reached before"
    one.sandbox.budget.spent = 0
    output = clean(impact("check", "--probe", env=environment(one)), 3)
    assert "the hourly request limit was reached before" in output
    assert "run again" in output


def test_a_429_shows_its_own_header(account: Make) -> None:
    """Where only a refused request tells when to come back, the sheet has that header as well."""
    sheet = ask(account(requests_per_hour=9, rules=Rules(rate_limit_headers="retry_after")))
    assert isinstance(sheet.error, BudgetSpent)
    assert sheet.answers[Topic.HEADERS].text == "no header; a 429 has Retry-After"
    assert sheet.answers[Topic.RESET].text == "the seconds to wait"


def test_it_never_sends_more_requests_than_it_may(account: Make) -> None:
    """An API that redirects every request doubles their number: the probe stops at its own limit all the same."""
    one = account()
    turns = iter([True, False] * 1_000)

    def redirect(request: Request) -> Reply | None:
        link = f"{request.path}?{urlencode(request.query)}" if request.query else request.path
        return Reply(307, headers={"Location": link}) if next(turns) else None

    one.sandbox.on_request = redirect
    sheet = ask(one)
    assert sheet.requests == MOST
    assert sheet.error is None
    assert sheet.answers[Topic.MANY].text == FEW
    assert sheet.answers[Topic.CLEARING].text == f"could not be told: the {MOST} requests were used up before"


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("ActionUpdates", 404, "the change feed cannot be read"),
        ("Items", 403, "the token may not read it (403)"),
        ("Items", 404, "the API has no such object (404)"),
        ("Items", 504, "the API did not answer in time"),
        ("Items", 500, "the API gave no answer"),
        ("Items", 400, "the API refused the request"),
        ("Items", 200, "the answer could not be read"),
    ],
)
def test_a_question_that_fails_takes_no_other_along(account: Make, path: str, status: int, why: str) -> None:
    """It says why in our own words, and every other question has its answer."""
    one = account()
    one.sandbox.on_request = lambda request: Reply(status, b"<html>") if request.path.endswith(path) else None
    told = said(ask(one))
    if path == "Items":
        concerned = {Topic.ITEMS_KEY, Topic.TWINS, Topic.ALONE}
        assert told[Topic.ITEMS_KEY] == told[Topic.TWINS] == f"could not be told: {why}"
    else:
        concerned = {Topic.FEED, Topic.FEED_ROWS, Topic.FEED_SUMS}
        assert told[Topic.FEED] == "does not exist (404)"
        assert told[Topic.FEED_ROWS] == told[Topic.FEED_SUMS] == f"could not be told: {why}"
    assert {topic for topic in Topic if told[topic] != USUAL[topic]} <= concerned


def test_a_token_without_the_change_feed(account: Make) -> None:
    """A scope that lacks the feed is an answer, and none of the others needs it."""
    told = said(ask(account(scopes={"Campaigns", "Actions", "Items"})))
    assert told[Topic.FEED] == "is refused to this token (403)"
    assert told[Topic.CLEARING] == USUAL[Topic.CLEARING]


def test_lists_that_are_not_answered_in_time(account: Make) -> None:
    """Lists by LockingDate that end in a 504 cost their own questions alone, and few requests."""
    one = account(rules=Rules(slow=("locking", 0)))
    told = said(ask(one))
    assert told[Topic.EVENT_UNIT] == USUAL[Topic.EVENT_UNIT]
    assert told[Topic.EVENT_YEARS] == USUAL[Topic.EVENT_YEARS]
    assert told[Topic.FILTERS] == "could not be told: the list it takes was not answered, or not on one page"
    assert told[Topic.DEFAULT] == "could not be told: the API did not answer in time"


def test_odd_records_do_not_end_it(account: Make) -> None:
    """Records without ids or dates, and lists of something else, leave questions open, no more."""
    one = account()
    body = b'{"@total": "3", "Actions": [{}, {"Id": "1", "EventDate": 7, "LockingDate": []}, {"State": {}}]}'
    one.sandbox.on_request = lambda request: Reply(200, body) if request.path.endswith("/Actions") else None
    told = said(ask(one))
    assert told[Topic.EVENT_UNIT] == "could not be told: no action with EventDate was seen"
    assert told[Topic.TIMES] == "could not be told: they are not written as ISO 8601"
    assert told[Topic.FEED] == USUAL[Topic.FEED]


@pytest.mark.parametrize(
    ("world", "why"),
    [
        ({"campaigns": ()}, "the account lists no campaign"),
        ({"per_day": 0}, "no action was updated in the past weeks"),
    ],
)
def test_an_empty_account_shows_little(account: Make, world: dict[str, Any], why: str) -> None:
    """Without campaigns or actions the sheet says why most of it is empty."""
    told = said(ask(account(**world)))
    assert told[Topic.MANY] == f"could not be told: {why}"
    assert told[Topic.HEADERS] == USUAL[Topic.HEADERS]


def test_it_asks_about_the_configured_campaigns(account: Make) -> None:
    """`campaign_ids` limits the probe as it limits a sync."""
    one = account()
    ask(one, campaign_ids=("2000",))
    assert {request.query["CampaignId"] for request in one.sandbox.requests if "CampaignId" in request.query} == {
        "2000"
    }


def test_a_campaign_that_cannot_be_read_is_passed_over(account: Make) -> None:
    """If the first campaign's actions are refused, the next one is asked about."""
    one = account(rules=Rules(refused=(("1000", "The program is suspended"),)))
    assert said(ask(one))[Topic.LOCKING_UNIT] == "millisecond"


def test_faults_cost_answers_never_the_sheet(account: Make) -> None:
    """With every fifth request failing, every question has an answer or a reason, and no answer is wrong."""
    one = account()
    one.sandbox.faults = Faults(rate=0.2, seed=3, hang=0.1, slowly=0.05, closed=0.05)
    sheet = ask_through_faults(one)
    assert {topic for topic, answer in sheet.answers.items() if answer.told and answer.text != USUAL[topic]} <= {
        Topic.HEADERS,  # a fault's 429 has headers of its own
        Topic.RESET,
    }


def ask_through_faults(one: Account) -> Sheet:
    """The sheet of a probe some of whose requests never arrive."""
    with Client(one.settings()) as client:
        sheet = probe(client)
    assert sheet.requests <= MOST
    return sheet


def test_wrong_credentials_end_it_like_a_check(account: Make) -> None:
    """A 401 is said in a line, with exit code 2 and without a sheet: there is nothing to tell."""
    one = account(days=1, per_day=0)
    output = clean(impact("check", "--probe", env=environment(one, SOURCES__IMPACT__AUTH_TOKEN="wrong")), 2)
    assert "auth_token" in output
    assert "could not be told" not in output


def test_credentials_that_expire_end_it_with_what_was_learned(account: Make) -> None:
    """A 401 on the way shows the sheet so far and exits with 2."""
    one = account()
    one.sandbox.faults = Faults(expire_after=8)
    sheet = ask(one)
    assert isinstance(sheet.error, CredentialsError)
    assert sheet.answers[Topic.MANY].text == FEW
    assert sheet.answers[Topic.CLEARING].text == "could not be told: the credentials were refused before (401)"
    one.sandbox.faults = Faults(expire_after=8)
    output = clean(impact("check", "--probe", env=environment(one)), 2)
    assert "credentials were refused before" in output
    assert "auth_token" in output


def test_without_the_list_of_campaigns_nothing_can_be_asked(account: Make) -> None:
    """A token that may not list campaigns ends it as it ends a check."""
    one = account(days=1, per_day=0, scopes={"Actions"})
    with pytest.raises(ScopeError), Client(one.settings()) as client:
        probe(client)

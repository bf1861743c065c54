"""`impact check`: says whether this account can be synced, and if not, what to fix."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from impact_source import Settings
from impact_source.account_zone import AccountZone, ask
from impact_source.api.client import Client
from impact_source.api.lists import UPDATES
from impact_source.campaigns import list_campaigns
from impact_source.errors import BudgetSpent, ImpactError, NotFound, ScopeError, WindowTooFull
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window
from impact_source.reference.lists import choose
from impact_source.reference.reading import try_list
from impact_source.rows.columns import ACTION
from impact_source.rows.parse import Reader
from impact_source.settings import PAGE_SIZE_MIN, WINDOW_MAX
from impact_source.shown import visible
from rich.text import Text

from .console.exits import Exit, exit_code
from .console.screen import console, table

_SPANS = (timedelta(days=1), WINDOW_MAX - timedelta(minutes=1))


class _DoneWithout(Exception):
    """The account lacks something that a sync can do without."""


class _Findings:
    """What was tried and how it ended, with the worst exit code so far."""

    def __init__(self) -> None:
        self.rows = table("impact check", "what", "", "", texts=("what", ""))
        self.exit: Exit = Exit.DONE

    def try_(self, what: str, attempt: Callable[[], str]) -> bool:
        """Whether an attempt succeeds; one that raises `_DoneWithout` does not count as failed."""
        try:
            self.rows.add_row(what, Text("ok", "green"), attempt())
        except _DoneWithout as without:
            self.rows.add_row(what, Text("no", "yellow"), str(without))
        except ImpactError as error:
            self.rows.add_row(what, Text("failed", "red"), str(error))
            self.exit = max(self.exit, exit_code(error))
            return False
        return True

    def not_known(self, what: str, why: str) -> None:
        """Add what could not be tried."""
        self.rows.add_row(what, Text("unknown", "yellow"), why)


def run() -> int:
    """Try everything that a sync needs, in a handful of requests; print the findings, return the exit code."""
    settings = Settings.resolve()
    findings = _Findings()
    with Client(settings) as client:
        campaigns: dict[str, str] = {}
        action_ids: list[str] = []
        tried = findings.try_("credentials and campaigns", lambda: _campaigns(client, campaigns))
        if tried and campaigns:
            chosen = [c for c in settings.campaign_ids if c in campaigns] or list(campaigns)
            if findings.try_("actions", lambda: _actions(client, chosen, action_ids)) and action_ids:
                findings.try_("items", lambda: _items(client, action_ids[0]))
            if settings.items == "feed":
                findings.try_("change feed", lambda: _feed(client, chosen[0]))
            if settings.reference:
                findings.try_("reference tables", lambda: _reference(client, chosen[0]))
        if tried:
            findings.try_("time zone", lambda: _time_zone(client))
        if client.answered:  # only the API knows how many requests are left this hour, and what time it is
            findings.try_("requests left", lambda: _budget(client))
        else:
            findings.not_known("requests left", "the API gave no answer")
        if client.clock.heard:
            findings.rows.add_row("clock", Text("ok", "green"), _clock(client))
        else:
            refused = "no request succeeded: the time in a refusal may be a gateway's"
            findings.not_known("clock", refused if client.answered else "the API gave no answer")
    console().print(findings.rows)
    if findings.exit is Exit.DONE:
        console().print("Ready: run `impact sync`.")
    return findings.exit


def _campaigns(client: Client, found: dict[str, str]) -> str:
    campaigns = list_campaigns(client)
    campaigns.choose(client.settings.campaign_ids)
    found.update(campaigns.names)
    return ", ".join(f"{campaign_id} {name}" for campaign_id, name in found.items()) or "the account has none yet"


def _actions(client: Client, campaigns: list[str], found: list[str]) -> str:
    """Request actions, the latest hours first, until there is one: only then can items be tried."""
    now = client.clock.now()
    for span in _SPANS:
        for campaign_id in campaigns:
            window = Window(now - span, now)
            try:
                answer = client.actions(campaign_id, {Axis.UPDATED: window}, PAGE_SIZE_MIN)
            except WindowTooFull:
                return f"can be read: campaign {campaign_id} has very many"
            found += Reader(ACTION).read(answer.value.records, answer.read_at).table["id"].to_pylist()[:1]
            if found:
                past = f"{span.days} days" if span.days > 1 else "day"
                changed = f"{answer.value.total:,} that changed in the past {past}"
                return f"can be read: campaign {campaign_id} has {changed}"
    return "can be read; none changed in the past 45 days"


def _items(client: Client, action_id: str) -> str:
    try:
        count = sum(answer.value.total or 0 for answer in client.items(action_id))
    except NotFound:
        return "can be requested"
    return f"can be read: the latest action has {count}"


def _feed(client: Client, campaign_id: str) -> str:
    now = client.clock.now()
    window = Window(now - _SPANS[0], now)
    try:
        answer = client.dated(UPDATES, campaign_id, {Axis.UPDATED: window}, PAGE_SIZE_MIN)
    except WindowTooFull:
        return f"can be read: campaign {campaign_id} has very many changes"
    except ScopeError as error:
        msg = f"the token may not read {UPDATES}: items are requested action by action"
        raise _DoneWithout(msg) from error
    except NotFound as error:
        msg = f"the API has no {UPDATES} here: items are requested action by action"
        raise _DoneWithout(msg) from error
    return f"can be read: campaign {campaign_id} has {answer.value.total:,} changes of the past day"


def _reference(client: Client, campaign_id: str) -> str:
    refused = list[str]()
    lists = choose(client.settings.reference)
    for one in lists:
        try:
            try_list(client, one, campaign_id if one.by_campaign else "")
        except (ScopeError, NotFound):
            refused.append(one.name)
    if refused:
        msg = f"the token may not read, or the API does not have, {', '.join(refused)}: a sync leaves them out"
        raise _DoneWithout(msg)
    return f"can be read: {', '.join(one.name for one in lists)}"


def _time_zone(client: Client) -> str:
    if name := client.settings.time_zone:
        return f"{name}, as configured"
    zone = ask(client, AccountZone())
    if zone.problem:
        raise _DoneWithout(zone.problem)
    return f"{zone.name}, which the account calls {visible(zone.said)}"


def _budget(client: Client) -> str:
    left = client.budget.remaining
    if left <= 0:
        msg = "none: wait for the hourly limit to reset"
        raise BudgetSpent(msg)
    return f"{left:,} in this hour"


def _clock(client: Client) -> str:
    clock = client.clock
    said = f"{clock.describe()}: the server's is used" if clock.skew else "agrees with the server's"
    return "; ".join(filter(None, (said, clock.describe_odd())))

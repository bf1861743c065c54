"""Any order of events that the API documents as possible: after each sync, the warehouse matches the API.

`make soak` runs thousands of steps, different each time, instead of the suite's few hundred fixed ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from impact_sandbox import Campaign, Reply, Request, Rules, Sandbox, World
from impact_sandbox.times import parse_time
from impact_source import Ask
from impact_source.api import clock
from impact_source.errors import BudgetSpent, ConfigurationError, Unavailable
from impact_source.settings import REFERENCE
from impact_sync.console.exits import Exit
from typing_extensions import override

from tests.impact_source.feed.test_derive import share_of_told
from tests.support import reference
from tests.support.account import CAMPAIGNS, Account, own_clock

PLENTY = 100_000
MOST_UNPROVEN = 5
"""Steps until a sync happens by itself."""
LONGEST_PAUSE = timedelta(days=120)
"""Clearings are looked for in what locked in the past 180 days, so a warehouse must not rest for longer than that less
the 44 days from a lock to its clearing."""

# Rules that shape lives, or reports of past ones, apply from the beginning: a change rewrites the past.
LIVES = st.fixed_dictionaries(
    {
        "unknown_states": st.booleans(),
        "visibility_lag": st.sampled_from([0, 3600]),
        "lock_days": st.sampled_from([30, 7, 60]),
        "shared_locking_day": st.sampled_from([None, 28]),
        "early_approval_moves_lock": st.booleans(),
        "open_ended": st.sampled_from([0.0, 0.3]),
        "approval_delay_days": st.sampled_from([0, 9]),
        "clearing_touches": st.booleans(),
        "reversal_touches": st.booleans(),
        "odd_items": st.sampled_from([0.0, 0.3]),
    }
)
# Readings of the change feed by which nothing may be derived that a list contradicts. (Where it names other items than
# the lists do, only a sample shows it.)
FEEDS = st.fixed_dictionaries(
    {
        "feed_rows": st.sampled_from(["item", "item", "order"]),
        "feed_turns": st.sampled_from(["item", "order"]),
        "feed_restorations": st.booleans(),
        "feed_approvals": st.booleans(),
        "feed_quantity": st.sampled_from(["current", "delta"]),
        "feed_removed": st.sampled_from(["zero", "last"]),
        "feed_lag": st.sampled_from([0, 3600]),
        "feed_keeps_days": st.sampled_from([None, 40]),
        "feed_odd_deltas": st.sampled_from([0.0, 0.2]),
        "duplicate_skus": st.sampled_from([0.0, 0.3]),
    }
)
AROUND = st.sampled_from([{"reference": REFERENCE}, {}])
ITEMS = st.sampled_from([{}, {"items": "feed", "items_max_requests": 40}])
# How the API reports may change from one day to the next.
_TELLING = st.fixed_dictionaries(
    {
        "wire": st.sampled_from(["strings", "typed"]),
        "single_as_object": st.booleans(),
        "null_bodies": st.sampled_from([0, 7, 5]),
        "order": st.sampled_from(["created", "shuffled"]),
        "three_years_on_all": st.booleans(),
        "max_page_size": st.sampled_from([None, 2_000, 20_000]),
        "most_a_page": st.sampled_from([None, 20, 10]),
        "refusal": st.sampled_from(["plain", "page_size", "dates", "ok"]),
        "refusal_names_total": st.booleans(),
        "precision": st.sampled_from(["millisecond", "second", "minute", "day"]),
        "exclusive_ends": st.booleans(),
        "rate_limit_headers": st.sampled_from(["standard", "hour", "retry_after", "none"]),
        "reset_as_epoch": st.booleans(),
        "wrong_date_every": st.sampled_from([0, 1_000, 5]),
        "wrong_date_seconds": st.sampled_from([108_000, -108_000, 300]),
    }
)
# An end cut to its minute, and excluded from the range, hides from everybody what happened in that minute.
TELLING = _TELLING.map(
    lambda told: told | {"exclusive_ends": told["exclusive_ends"] and told["precision"] in {"millisecond", "second"}}
)
TROUBLES: dict[str, Any] = {
    "slow": st.tuples(st.sampled_from(["updated", "event", "locking"]), st.sampled_from([20, 3])),
    "refused": st.just((("1000", "Campaign 1000 is suspended"),)),
    "broken": st.integers(0, 99),
}
TROUBLE = st.one_of(*(st.tuples(st.just(name), drawn) for name, drawn in TROUBLES.items()))
ODD: tuple[dict[str, Any], ...] = (
    {"Payout": "1E+1", "Amount": "7.00000001"},
    {"Note": "two\nlines, \u202ebackwards, \x1b[31mred"},
    {"ReferringDate": "9999-12-31T23:59:59Z", "PromoCode": "null", "CustomerPostCode": "00501"},
    {"ReferringDate": "0001-01-01T00:00:00Z", "Tier": "gold"},
)
"""Values and a field that no document has; not those that are rejected, rounded or renamed, which differ from the API's
text and have tests of their own."""
WORLDS = st.fixed_dictionaries(
    {
        "seed": st.integers(1, 9_999),
        "days": st.integers(30, 60),
        "per_day": st.integers(2, 6),
        "campaigns": st.sampled_from([CAMPAIGNS[:1], CAMPAIGNS]),
        "now": st.builds(lambda month: datetime(2026, month, 15, 12, tzinfo=UTC), st.integers(1, 12)),
    }
)
TIMES = st.sampled_from([timedelta(minutes=20), timedelta(hours=5), *(timedelta(days=d) for d in (1, 3, 7, 16, 42))])


class Edit(NamedTuple):
    """A manual change: what is done, which actions it can be done to, and in how many days these lock."""

    what: str
    pick: int
    days: int | None


EDITS = st.builds(
    Edit,
    st.sampled_from(["approve", "correct", "relock", "reverse", "restore", "create", "odd"]),
    st.integers(0, 99),
    st.sampled_from([20, 1, 5, 50, 300, None]),
)


class Machine(RuleBasedStateMachine):
    """One account in its own folder. Steps change the world, lose what may be lost, and sync."""

    proofs: ClassVar[int] = 0
    """How often a complete warehouse was compared with the sandbox."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.environment = environment = self.stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("DLT_DATA_DIR", str(self.folder / "dlt"))
        environment.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(self.folder / "impact_warehouse.duckdb"))
        self.copy = self.folder / "copy.duckdb"
        self.current: datetime | None = None
        """When the warehouse was last up to date, or first begun."""
        self.copy_current: datetime | None = None
        self.unproven = 0
        self.closed: set[str] = set()
        self.surrounded: tuple[int, datetime] | None = None
        """The world as it was when the reference tables were last read."""

    @override
    def teardown(self) -> None:
        """Stop the sandbox and leave neither files nor settings."""
        self.stack.close()

    @initialize(
        world=WORLDS, life=LIVES, feed=FEEDS, telling=TELLING, off=st.sampled_from([0, -5]), items=ITEMS, around=AROUND
    )
    def begin(  # noqa: PLR0913, PLR0917 - what is drawn
        self,
        world: dict[str, Any],
        life: dict[str, Any],
        feed: dict[str, Any],
        telling: dict[str, Any],
        off: int,
        items: dict[str, Any],
        around: dict[str, Any],
    ) -> None:
        """A world with some weeks behind it, not synced yet, with items from the change feed or without any."""
        self.items, self.options = items, items | around
        self.world = World(rules=Rules(**life, **feed, **telling), **world)
        self.sandbox = self.stack.enter_context(Sandbox(self.world, requests_per_hour=PLENTY))
        self.account = Account(self.world, self.sandbox, self.folder)
        self.environment.setattr(clock, "local", own_clock(self.world, timedelta(hours=off)))

    # What happens in the world

    @rule(by=TIMES)
    def pass_time(self, by: timedelta) -> None:
        """Time passes: what is planned for the actions happens."""
        if self.current is None or self.world.now + by <= self.current + LONGEST_PAUSE:
            self.world.advance(seconds=by.total_seconds())

    @rule(edits=st.lists(EDITS, min_size=1, max_size=4))
    def edit(self, edits: list[Edit]) -> None:
        """Some actions are created or changed at one instant."""
        for one in edits:
            self._edit(one)

    @rule(telling=TELLING)
    def tell_otherwise(self, telling: dict[str, Any]) -> None:
        """The API answers differently from now on."""
        self.world.rules = replace(self.world.rules, **telling)

    @precondition(lambda self: len(self.world.campaigns) < 3)
    @rule(share=st.sampled_from([0.5, 0.0]), since=st.sampled_from([None, 20]))
    def add_campaign(self, share: float, since: int | None) -> None:
        """A campaign joins the account, old or new, busy or empty."""
        begins = None if since is None else self.world.now - timedelta(days=since)
        joining = f"{len(self.world.campaigns) + 1}000"
        self.world.add_campaign(Campaign(joining, "Acme New", share=share, locking="shared_day", since=begins))

    @precondition(lambda self: len(self.world.campaigns) > 1 and self._campaign(1) not in self.closed)
    @rule()
    def close_campaign(self) -> None:
        """A campaign is closed: what it has lives on, nothing new comes."""
        self.closed.add(self._campaign(1))
        self.world.close_campaign(self._campaign(1))

    # What happens to us

    @rule(copies=st.booleans())
    def lose_the_disk(self, *, copies: bool) -> None:
        """The folder that dlt works in is lost, perhaps just after somebody made a backup of the warehouse."""
        shutil.rmtree(self.folder / "dlt", ignore_errors=True)
        if copies and self.current:
            self._back_up()

    @precondition(lambda self: self.copy_current and self.world.now <= self.copy_current + LONGEST_PAUSE)
    @rule()
    def restore_the_warehouse(self) -> None:
        """The backup, by default of the first sync, replaces the warehouse."""
        shutil.copy(self.copy, self.account.path)
        self.current, self.surrounded = self.copy_current, None

    # Syncs

    @rule(by=TIMES, edits=st.lists(EDITS, max_size=3), package_rows=st.sampled_from([PLENTY, 100]))
    def sync(self, by: timedelta, edits: list[Edit], package_rows: int) -> None:
        """A sync after changes by hand and some time ends true, in load packages of any size."""
        self.edit(edits)
        self.pass_time(by)
        self._sync(Ask(), package_rows=package_rows)
        self._assert_true()

    @invariant()
    def scheduled_sync(self) -> None:
        """No more than some steps remain unproven."""
        self.unproven += 1
        if self.unproven > MOST_UNPROVEN:
            self._sync(Ask())
            self._assert_true()

    @rule(
        pick=st.sampled_from([None, 0, 1]),
        since=st.sampled_from([None, -20, -60, -1, 3, -1200]),
        until=st.sampled_from([None, -5, 0, -40, 20, -1150]),
    )
    def sync_some(self, pick: int | None, since: int | None, until: int | None) -> None:
        """One campaign ends true; a range is read, within the horizon or beyond, or refused if reversed."""
        start, end = (None if days is None else self.world.now + timedelta(days=days) for days in (since, until))
        campaigns = () if pick is None else (self._campaign(pick),)
        if start and start > (end or self.world.now):
            with pytest.raises(ConfigurationError):
                self.account.sync(Ask(campaigns, start, end), **self.items)
            return
        self._sync(Ask(campaigns, start, end))
        if not start and not end:
            self._assert_true(*campaigns)

    @rule(requests=st.integers(0, 30), drops=st.booleans())
    def sync_in_part(self, requests: int, *, drops: bool) -> None:
        """A sync that gets only so many answers, by the hourly limit or a lost connection, ends true or says so."""

        def drop(_: Request) -> Reply | None:
            return Reply(503) if len(self.sandbox.requests) >= requests else None

        self._pass_ends()
        self.sandbox.requests.clear()
        self.sandbox.on_request = drop if drops else None
        self.sandbox.budget.limit, self.sandbox.budget.spent = PLENTY if drops else requests, 0
        try:
            end = self.account.sync(max_wait=timedelta(0), **self.options).exit
        except Unavailable:
            end = Exit.FAILED
        except BudgetSpent:
            end = Exit.EARLY
        self.sandbox.on_request = None
        self.sandbox.budget.limit = PLENTY
        self._assert_done(end, Exit.FAILED if drops else Exit.EARLY)

    @rule(
        share=st.sampled_from([0.0, 0.3, 1.0]),
        unlisted=st.sampled_from([(), ("1000",), ("1000", "2000")]),
        alone=st.sampled_from(["answers", "unknown", "forbidden"]),
        edits=st.lists(EDITS, max_size=2),
    )
    def sync_what_is_hidden(self, share: float, unlisted: tuple[str, ...], alone: Any, edits: list[Edit]) -> None:  # noqa: ANN401 - a reading
        """What a lagging replica does not know is known again afterwards; campaigns missing from the list are read."""
        self._sync(Ask())  # only what the warehouse holds can be missed
        told = self.world.rules
        self.world.rules = replace(told, lagging_share=share, unlisted=unlisted, campaign_alone=alone)
        self.edit(edits)
        self._sync(Ask())
        if not share:
            self._assert_true()
        self.world.rules = told
        self._sync(Ask())
        self._assert_true()

    @rule(trouble=TROUBLE, edits=st.lists(EDITS, max_size=2))
    def sync_in_trouble(self, trouble: tuple[str, Any], edits: list[Edit]) -> None:
        """A sync that cannot read everything says so, or finds another way; the next one makes up for it."""
        name, drawn = trouble
        if name == "broken":
            shown = self.world.truth()["Id"].to_pylist()
            drawn = tuple(shown[drawn % len(shown) :][:1]) if shown else ()
        told = self.world.rules
        self.edit(edits)
        self._pass_ends()
        self.world.rules = replace(told, **{name: drawn})
        try:
            end = self.account.sync(**self.options).exit
        except Unavailable:  # so slow that nothing was read
            end = Exit.FAILED
        self._assert_done(end, Exit.FAILED)
        self.world.rules = told
        self._sync(Ask())
        self._assert_true()

    @rule(after=st.integers(1, 12), edits=st.lists(EDITS, min_size=1, max_size=3), minutes=st.sampled_from([0, 1, 15]))
    def sync_amid_changes(self, after: int, edits: list[Edit], minutes: int) -> None:
        """A sync during which the account changes ends well; the next one catches up on what it could not see."""
        left = list(edits)

        def change(_: Request) -> None:
            if left and len(self.sandbox.requests) >= after:
                self.world.advance(seconds=60 * minutes)
                self._edit(left.pop())

        self.sandbox.requests.clear()
        self.sandbox.on_request = change
        self._sync(Ask())
        self.sandbox.on_request = None
        self._sync(Ask())
        self._assert_true()

    def _pass_ends(self) -> None:
        """Let what has just happened be part of a range that ends now."""
        if self.world.rules.exclusive_ends:
            self.world.advance(seconds=1)

    def _assert_done(self, end: Exit, otherwise: Exit) -> None:
        """A sync that says it is done has left a true warehouse; any other says `otherwise`."""
        if end is Exit.DONE:
            self._assert_true()
            return
        assert end is otherwise
        if self.account.path.exists():
            self.current = self.current or self.world.now

    def _sync(self, ask: Ask, **changes: Any) -> None:  # noqa: ANN401 - any setting
        self._pass_ends()
        before, requests = (self.world.edition, self.world.now), len(self.sandbox.requests)
        summary = self.account.sync(ask, **(self.options | changes))
        assert summary.exit is Exit.DONE, summary.error
        if any(request.path.endswith("/CompanyInformation") for request in self.sandbox.requests[requests:]):
            self.surrounded = before
        self.current = self.current or self.world.now

    def _assert_true(self, *campaigns: str) -> None:
        """Every column of every action of these campaigns, by default all, is what the sandbox says now."""
        if not campaigns:
            self.account.assert_true()
            if self.items:
                share_of_told(self.account, whole=False)
            if self.surrounded == (self.world.edition, self.world.now):
                reference.assert_true(self.account)
            self.current, self.unproven = self.world.now, 0
            Machine.proofs += 1
            if not self.copy_current:
                self._back_up()
            return
        held = self.account.held()
        truth = {id_: row for id_, row in self.account.truth().items() if row["campaign_id"] in campaigns}
        assert {id_: {name: held[id_].get(name) for name in row} for id_, row in truth.items() if id_ in held} == truth

    def _back_up(self) -> None:
        shutil.copy(self.account.path, self.copy)
        self.copy_current = self.current

    def _campaign(self, pick: int) -> str:
        return self.world.campaigns[pick % len(self.world.campaigns)].id

    def _edit(self, edit: Edit) -> None:
        """Change an action that has not locked, if there is one."""
        lock = "" if edit.days is None else (self.world.now + timedelta(days=edit.days)).strftime("%Y-%m-%dT00:00:00Z")
        if edit.what == "create":
            self.world.create(self._campaign(edit.pick), LockingDate=lock, Amount="80.00", Payout=f"{edit.pick}.00")
            return
        states = {"restore": {"REVERSED"}, "approve": {"PENDING"}}.get(edit.what, {"PENDING", "APPROVED"})
        shown = [row["Id"] for row in self.world.truth().to_pylist() if self._is_open(row, states)]
        if not shown:
            return
        action_id = shown[edit.pick % len(shown)]
        silent = not self.world.rules.reversal_touches
        match edit.what:
            case "approve":
                self.world.approve(action_id)
            case "reverse":
                self.world.reverse(action_id, touches=not silent)
            case "restore":
                self.world.restore(action_id, touches=not silent)
            case "relock":
                self.world.modify(action_id, touches=silent, LockingDate=lock)
            case "odd":
                self.world.modify(action_id, **ODD[edit.pick % len(ODD)])
            case _:
                self.world.modify(action_id, Amount=f"{edit.pick}.50", Payout="3.21", CustomerStatus="EXISTING")

    def _is_open(self, row: dict[str, str], states: set[str]) -> bool:
        """Whether an action is in one of some states and has not locked."""
        lock = parse_time(row["LockingDate"])
        return row["State"] in states and not row["ClearedDate"] and (lock is None or lock > self.world.now)


@pytest.mark.parametrize("examples", [1, pytest.param(8, marks=pytest.mark.long)])
def test_the_warehouse_is_true_after_each_sync_whatever_happens(examples: int) -> None:
    """No order of edits, answers, losses and partial runs makes a plain sync leave a wrong column."""
    soak = int(os.environ.get("SOAK", "0"))
    proofs = Machine.proofs
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=soak or examples,
            stateful_step_count=30 if soak else 14,
            deadline=None,
            derandomize=not soak,
            print_blob=True,
            # A step may be a sync of a second; an account is large; both are what is tested.
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
    assert Machine.proofs > proofs, "no sync was ever compared with the sandbox"

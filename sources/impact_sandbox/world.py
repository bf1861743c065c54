"""The seeded world that the sandbox serves: conversions, what happens to them, and a clock that can be set."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import pyarrow as pa

from .edits import Editor, Memory
from .ledger import Ledger
from .processing import process
from .reference import Nested, Surroundings
from .rules import Campaign, Rules
from .shop import PLANTED, Books, Difference, open_books, split
from .submissions import Queue, Submission
from .times import DEFAULT_NOW, to_utc
from .writes import Write

ACCOUNT_SID = "IRsandbox2026AcmeBrand1000000000001"
CAMPAIGNS = (
    Campaign(id="1000", name="Acme Campaign", share=0.8),
    Campaign(id="2000", name="Acme Outlet", share=0.2, locking="shared_day"),
)
Done = TypeVar("Done")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Edit(Generic[Done]):
    at: datetime
    apply: Callable[[Editor], Done]


class World:
    """A brand's account: a function of its seed, size, rules, clock and edits.

    `now` is the clock's first reading. Conversions go back `days` from it, or to `start`; `per_day` of them come each
    day over all campaigns, split by their shares. Stepping the clock and jumping give the same world; setting it back
    shows the world as it was. Setting `rules` that shape lives regenerates them as if the rule had always applied. All
    methods may be called from any thread.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a world has that many dimensions
        self,
        seed: int = 1,
        days: int = 90,
        per_day: float = 40,
        start: datetime | None = None,
        campaigns: tuple[Campaign, ...] = CAMPAIGNS,
        rules: Rules | None = None,
        *,
        now: datetime | None = None,
        account_sid: str = ACCOUNT_SID,
    ) -> None:
        """Create the world up to its first clock reading (2026-01-15T12:00:00Z unless given)."""
        self.lock = threading.RLock()
        self.seed, self.per_day, self.account_sid = seed, per_day, account_sid
        self._now = to_utc(now or DEFAULT_NOW)
        self._first_day = _day(to_utc(start) if start else self._now - timedelta(days=days))
        self._campaigns = list(campaigns)
        self._rules = rules or Rules()
        self._edits: list[_Edit[Any]] = []
        self._queue = Queue(account_sid, seed)
        self._created = 0
        self._books: dict[tuple[object, ...], Books] = {}
        self._ticking_since: float | None = None
        self.edition = 0
        self._build()

    @property
    def now(self) -> datetime:
        """The clock's reading, UTC in whole seconds."""
        if self._ticking_since is None:
            return self._now
        return self._now + timedelta(seconds=int(time.monotonic() - self._ticking_since))

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """The campaigns of the account."""
        return tuple(self._campaigns)

    @property
    def rules(self) -> Rules:
        """How the API and the life of actions behave; may be set at any time."""
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        with self.lock:
            self._settle()
            retold = rules.life != self._rules.life
            self._rules = rules
            self.edition += 1
            if retold:
                self._ledger.close()
                self._build()

    @property
    def ledger(self) -> Ledger:
        """The ledger, complete up to the clock; read it under `lock`."""
        self._settle()
        return self._ledger

    def tick(self) -> None:
        """Let the clock run in real time from its current reading."""
        with self.lock:
            self._ticking_since = time.monotonic()

    def set_now(self, now: datetime) -> None:
        """Set the clock."""
        with self.lock:
            self._now = to_utc(now)
            if self._ticking_since is not None:
                self._ticking_since = time.monotonic()
            self._grow()

    def advance(self, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Move the clock forward."""
        with self.lock:
            self.set_now(self.now + timedelta(days=days, hours=hours, seconds=seconds))

    def add_campaign(self, campaign: Campaign) -> None:
        """Add a campaign, with conversions as far back as the world goes or from its `since` on."""
        with self.lock:
            serial = self._enter(campaign)
            self._campaigns.append(campaign)
            self._ledger.grow(self._rules, self._first_day, self._grown_to, first_serial=serial)
            self.edition += 1

    def close_campaign(self, campaign_id: str) -> None:
        """Close a campaign: it gets no conversions from now on; existing ones stay."""
        with self.lock:
            self._settle()
            place = next(i for i, campaign in enumerate(self._campaigns) if campaign.id == campaign_id)
            self._campaigns[place] = replace(self._campaigns[place], state="CLOSED", until=self.now)
            self._ledger.close()
            self._build()
            self.edition += 1

    def truth(self, campaign_id: str | None = None) -> pa.Table:
        """Return every action that the API shows now, as the raw strings of the string wire format."""
        with self.lock:
            condition = "true" if campaign_id is None else f"v.serial = {self._serial(campaign_id)}"
            return self.ledger.action_table(self._rules, self.now, condition)

    def item_truth(self, action_id: str | None = None) -> pa.Table:
        """Return every item that the API shows now, or those of one action, as raw strings with the `ActionId`."""
        with self.lock:
            n = None if action_id is None else self.ledger.number(action_id)
            condition = "true" if action_id is None else f"i.n = {-1 if n is None else n}"
            return self.ledger.item_table(self.now, condition)

    def reference(self, resource: str) -> list[Nested]:
        """Return every record of a resource that surrounds the actions, named by the last part of its path."""
        with self.lock:
            surroundings = Surroundings(
                self.ledger, self.account_sid, self.seed, self.now, self.rules.time_zone, self.rules.invoices_a_month
            )
            return surroundings.records(resource)

    def shop(
        self, planted: int | Mapping[Difference, int] = PLANTED, seed: int | None = None, *, organic: float = 0.1
    ) -> Books:
        """Return the shop's own books as of the first call with these arguments: nothing changes them afterwards.

        `planted` differences are drawn by `seed` (default: the world's), evenly over all kinds unless counted by kind;
        whatever shares an Oid is planted as well. No partner referred `organic` orders more, a share of the actions.
        Raises ValueError if the account is too small.
        """
        kinds = split(planted) if isinstance(planted, int) else dict(planted)
        seed = self.seed if seed is None else seed
        key = (seed, organic, *sorted(kinds.items()))
        with self.lock:
            if key not in self._books:
                self._books[key] = open_books(self.ledger, self.now, seed, kinds, organic)
            return self._books[key]

    def create(self, campaign_id: str = "1000", *, items: Sequence[Mapping[str, str]] = (), **fields: str) -> str:
        """Record a conversion now and return its Id; any field may be given, even an undocumented one.

        `items` are fields of its items, whose sums are its amounts unless given; without any, one item has the full
        amount.
        """
        with self.lock:
            number, self._created = self._created, self._created + 1
            campaign = next(campaign for campaign in self._campaigns if campaign.id == campaign_id)
            return self._edit(lambda editor: editor.create(number, campaign, fields, items))

    def modify(self, action_id: str, *, touches: bool = True, **fields: str) -> None:
        """Set fields of an action; deltas, cost and items follow. `touches`: last-updated moves."""
        self._edit(lambda editor: editor.modify(action_id, fields, touches=touches))

    def reverse(self, action_id: str, *, touches: bool = True) -> None:
        """Reverse an action."""
        self._edit(lambda editor: editor.reverse(action_id, touches=touches))

    def restore(self, action_id: str, *, touches: bool = True) -> None:
        """Restore a reversed action."""
        self._edit(lambda editor: editor.restore(action_id, touches=touches))

    def approve(self, action_id: str) -> None:
        """Approve an action before it locks."""
        self._edit(lambda editor: editor.approve(action_id))

    def set_item(self, action_id: str, sku: str, *, touches: bool = True, **fields: str) -> None:
        """Change the item of a Sku or add it; the action's amounts become the sums of its items."""
        self._edit(lambda editor: editor.set_item(action_id, sku, fields, touches=touches))

    def remove_item(self, action_id: str, sku: str, *, touches: bool = True) -> None:
        """Take the item of a Sku off an action; the action's amounts become the sums of its items."""
        self._edit(lambda editor: editor.remove_item(action_id, sku, touches=touches))

    def remove(self, action_id: str) -> None:
        """Take an action out of the API altogether."""
        self._edit(lambda editor: editor.remove(action_id))

    @property
    def submissions(self) -> list[Submission]:
        """The submissions up to now, in the order they came."""
        with self.lock:
            self._settle()
            return [submission for submission in self._queue.submissions if submission.submitted <= self.now]

    def submit(self, write: Write) -> Submission:
        """Queue a write."""
        with self.lock:
            return self._queue.add(write, self.now)

    def poll(self, batch_id: str) -> Submission | None:
        """Return a submission, and count it as a poll of the API: so many polls end a stage."""
        with self.lock:
            submission = next((seen for seen in self.submissions if seen.batch_id == batch_id), None)
            due = submission.move_by_polls(self.now, self._rules) if submission else None
            if submission and due:
                self._complete(submission, due)
            return submission

    def _settle(self) -> None:
        """Process the writes that are due by the clock, in order, each at its own instant."""
        self._grow()
        for at, submission in self._queue.move_by_clock(self.now, self._rules):
            self._complete(submission, at)

    def _complete(self, submission: Submission, at: datetime) -> None:
        def apply(editor: Editor) -> None:
            submission.outcome = process(editor, submission.write)

        submission.completed = at
        self._apply(_Edit(at, apply))

    def _edit(self, apply: Callable[[Editor], Done]) -> Done:
        with self.lock:
            self._settle()
            return self._apply(_Edit(self.now, apply))

    def _apply(self, edit: _Edit[Done]) -> Done:
        done = edit.apply(self._editor(edit.at))
        self._edits.append(edit)
        self.edition += 1
        return done

    def _editor(self, now: datetime) -> Editor:
        return Editor(self._ledger, self._rules, now, self.account_sid, self._memory)

    def _build(self) -> None:
        self._ledger = Ledger(self.seed, self.account_sid)
        self._memory = Memory()
        for campaign in self._campaigns:
            self._enter(campaign)
        self._grown_to = self._first_day
        self._grow()
        for edit in self._edits:
            edit.apply(self._editor(edit.at))

    def _grow(self) -> None:
        day = _day(self.now)
        if day >= self._grown_to:
            ahead = max(1, min(30, int(20_000 / self.per_day) if self.per_day else 30))
            end = day + ahead
            self._ledger.grow(self._rules, self._grown_to, end)
            self._grown_to = end

    def _enter(self, campaign: Campaign) -> int:
        first_day = _day(to_utc(campaign.since)) if campaign.since else self._first_day
        rate = round(self.per_day * campaign.share * 1_000_000)
        return self._ledger.add_campaign(campaign, self._rules, rate, first_day)

    def _serial(self, campaign_id: str) -> int:
        serial = self._ledger.serial(campaign_id)
        if serial is None:
            raise KeyError(campaign_id)
        return serial


def _day(instant: datetime) -> int:
    return (instant - EPOCH).days

"""Items derived from the change feed: what the warehouse's changes add up to, compared with lists, as rows to write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...dialect import instant, literal, read_statements
from ...rows.columns import ACTION_ID, KNOWN_BY, LINE_COUNT, SYNCED_AT, Column
from ...rows.items import FEED, changed_items, no_items
from ...rows.landing import Landing
from ...rows.ours import FETCH_TABLE
from ...sql import in_utc
from ...warehouse import Warehouse
from ..queue import FINGERPRINT, Queued, Status
from .proof import ENOUGH, Compared, Feed, Quantity, Removed, Verdict, judge

_AFTERWARDS = 3
"""Derived actions of a campaign whose lists each run requests all the same."""
_AT_ONCE = 40_000
"""Actions whose items are derived at once."""
_ROWS_A_PART = 250_000
"""Changes that are added up at once: this bounds memory."""
_MARGIN = timedelta(hours=1)
"""Changes are looked at again for so long: they arrived shortly before the run that compared them noted the time."""
_TOO_LATE = timedelta(days=1)
"""A change that the feed does not show so long after a list showed it is missing from the feed."""
_KIND = "s.items > 1, s.removed > 0, s.is_changed, s.is_reversed, s.quantities_differ"
_SQL = read_statements(__package__, "feed.sql")
_FEEDS = "select campaign_id, status, quantity, removed, agreed, example, checked_at from item_feeds"
_ANY_LIST = "select 1 from item_fetches where status = 'listed' and fetched_at > %s limit 1"
_NAMED = "select count(*), count(sku) from action_updates where campaign_id = %s"
_ITEMS_OF = """
select sku, quantity, sale_amount, payout, category from action_items where action_id = %s order by sku
"""
_CHANGES_OF = "select sku, {reading}, sale_amount, payout, category from ({lines}) l order by sku"


class FeedItems:
    """What the change feeds of an account say of its items."""

    def __init__(
        self,
        warehouse: Warehouse,
        campaigns: Collection[str] = (),
        refused: Mapping[str, str] | None = None,
        rows_a_part: int = _ROWS_A_PART,
    ) -> None:
        """`refused`: campaigns whose feed cannot be read just now, with the reason; None if none was tried."""
        self.feeds: dict[str, Feed] = {}
        """What is known of each campaign's feed."""
        self._warehouse, self._campaigns, self._refused = warehouse, campaigns, refused
        self._before: dict[str, Feed] = {}
        self._rows_a_part = rows_a_part
        self._samples: dict[str, list[Queued]] = {}
        self._sizes: dict[str, int] = {}

    def read(self) -> None:
        """Read what earlier runs found of each feed. Raises nothing if the warehouse has none: then there are none."""
        self.feeds = read_feeds(self._warehouse)
        self._before = dict(self.feeds)
        if self._warehouse.any("action_updates") and self._warehouse.holds("item_fetches", "changes"):
            for (campaign_id,) in self._warehouse.rows("select distinct campaign_id from action_updates"):
                self.feeds.setdefault(campaign_id, Feed(campaign_id))
        for id_, feed in self.feeds.items() if self._refused is not None else ():
            if feed.verdict is Verdict.REFUSED:
                self.feeds[id_] = replace(feed, verdict=Verdict.UNPROVEN, example=None)
        for id_, reason in (self._refused or {}).items():
            self.feeds[id_] = replace(self.feeds.get(id_, Feed(id_)), verdict=Verdict.REFUSED, example=reason)
        if self._campaigns:
            self.feeds = {id_: feed for id_, feed in self.feeds.items() if id_ in self._campaigns}

    def compare(self, now: datetime) -> None:
        """Judge each feed by the lists that have arrived since the last time."""
        for campaign_id, feed in self.feeds.items():
            if not feed.is_open:
                continue
            found = list(self._compared(feed, now))
            agreed = feed.agreed + sum(one.actions for one in found)
            wanted = max(0 if feed.verdict is Verdict.PROVEN else ENOUGH - agreed, _AFTERWARDS)
            self._samples[campaign_id] = list(islice(self._sample(feed, wanted), wanted))
            drained = not self._samples[campaign_id]
            judged = judge(feed, found, now, drained=drained)
            if judged.verdict is Verdict.CONTRADICTED and judged.example:
                judged = replace(judged, example=self._tell(judged.example, judged))
            elif judged.agreed == 0 and drained:
                judged = replace(judged, example=self._useless(feed))
            self.feeds[campaign_id] = judged

    @property
    def samples(self) -> list[Queued]:
        """Actions whose lists should be requested to prove feeds: many at first, some at every later run."""
        return [queued for id_, found in self._samples.items() if self.feeds[id_].is_open for queued in found]

    def news(self, *, ended: bool) -> list[Feed]:
        """Feeds of which something else is known now; before the run has `ended`, not those that are proven.

        A killed run must look again at all that it might have derived.
        """
        return [
            feed
            for id_, feed in self.feeds.items()
            if feed != self._before.get(id_) and (ended or feed.verdict is not Verdict.PROVEN)
        ]

    def land_news(self, *, ended: bool) -> Iterator[Landing]:
        """Rows of `item_feeds` for the news, if there are any."""
        if news := self.news(ended=ended):
            self._before |= {feed.campaign_id: feed for feed in news}
            yield Landing(feeds=[feed.row for feed in news])

    def derive(self, now: datetime) -> Iterator[Landing]:
        """All items, and rows of `item_fetches`, of actions that proven feeds know better than the warehouse."""
        for feed in [feed for feed in self.feeds.values() if feed.verdict is Verdict.PROVEN]:
            for part in self._parts(feed):
                ids = self._candidates(feed, part)
                for start in range(0, len(ids), _AT_ONCE):
                    yield self._derive(feed, part, ids[start : start + _AT_ONCE], now)

    @property
    def is_unproven(self) -> bool:
        """Whether the lists of the samples may prove a feed."""
        return any(feed.verdict is Verdict.UNPROVEN for feed in self.feeds.values())

    def is_due(self) -> bool:
        """Whether there is anything to derive."""
        proven = [feed for feed in self.feeds.values() if feed.verdict is Verdict.PROVEN]
        return any(len(self._candidates(feed, part)) for feed in proven for part in self._parts(feed))

    def _parts(self, feed: Feed) -> list[str]:
        """Conditions on the actions' ids that split a campaign: its changes do not fit into memory all at once."""
        if feed.campaign_id not in self._sizes:
            ((self._sizes[feed.campaign_id], _),) = self._warehouse.rows(_NAMED, feed.campaign_id)
        parts = -(-self._sizes[feed.campaign_id] // self._rows_a_part)
        digits = "ascii(right(u.action_id, 1)) * 31 + ascii(right(u.action_id, 2))"
        return [f"({digits}) % {parts} = {part}" for part in range(parts)] if parts > 1 else ["true"]

    def _candidates(self, feed: Feed, part: str) -> pa.Array:
        sql = self._fill("candidates", f"{self._scope(feed)} and {part}", feed)
        return self._warehouse.arrow(sql, no_items().schema)[ACTION_ID.name].combine_chunks()

    def _derive(self, feed: Feed, part: str, ids: pa.Array, now: datetime) -> Landing:
        first, last = (literal(ids[place].as_py()) for place in (0, -1))
        scope = f"u.campaign_id = {literal(feed.campaign_id)} and u.action_id between {first} and {last} and {part}"

        def found(name: str, types: pa.Schema) -> pa.Table:
            rows = self._warehouse.arrow(self._fill(name, scope, feed), types)
            return rows.filter(pc.is_in(rows[ACTION_ID.name], value_set=ids))

        types = no_items().schema
        items = _complete(found("items", types), types, {LINE_COUNT: 1, KNOWN_BY: FEED, SYNCED_AT: now})
        fetches = _complete(
            found("fetches", FETCH_TABLE), FETCH_TABLE, {"fetched_at": now, "status": str(Status.DERIVED)}
        )
        held = self._warehouse.lookup("action_items", ACTION_ID.name, pa.chunked_array([ids]))
        return Landing(items=changed_items(items, dict.fromkeys(ids.to_pylist(), now), held), fetches=fetches)

    def _compared(self, feed: Feed, now: datetime) -> Iterator[Compared]:
        since = feed.checked_at or datetime.fromtimestamp(0, tz=now.tzinfo)
        if not self._warehouse.rows(_ANY_LIST, since):
            return
        lists = f"select action_id from item_fetches where status = 'listed' and fetched_at > {instant(since)}"
        scope = f"u.campaign_id = {literal(feed.campaign_id)} and u.action_id in ({lists})"
        sql = self._fill("compared", scope, feed)
        for *flags, actions, example, fetched_at in self._warehouse.rows(sql, now - _TOO_LATE, since):
            newer, same, latest, moved, gone, listed = map(bool, flags)
            yield Compared(newer, same, latest, moved, gone, listed, int(actions), str(example), in_utc(fetched_at))

    def _sample(self, feed: Feed, number: int) -> Iterator[Queued]:
        """Actions whose lists would tell something: of a proven feed only such as have changed."""
        for part in self._parts(feed):
            sql = self._fill("sample", f"{self._scope(feed)} and {part}", feed, number)
            for id_, campaign_id, fingerprint in self._warehouse.rows(sql):
                yield Queued(id_, campaign_id, fingerprint, Status.DERIVED)

    def _scope(self, feed: Feed) -> str:
        """The changes of actions that have changed, here or in the feed, since the feed was last compared."""
        scope = f"u.campaign_id = {literal(feed.campaign_id)}"
        before = self._before.get(feed.campaign_id)
        if before is None or before.verdict is not Verdict.PROVEN or before.checked_at is None:
            return scope
        since = instant(before.checked_at - _MARGIN)
        return (
            f"{scope} and u.action_id in (select action_id from action_updates where synced_at > {since} "
            f"union select id from actions where synced_at > {since})"
        )

    def _useless(self, feed: Feed) -> str | None:
        """Why nothing can be derived from a feed; None if something could."""
        ((rows, named),) = self._warehouse.rows(_NAMED, feed.campaign_id)
        if rows and not named:
            return "its changes name no Sku"
        for part in self._parts(feed):
            sums = self._fill("sums", f"u.campaign_id = {literal(feed.campaign_id)} and {part}", feed)
            if self._warehouse.rows(f"select 1 from ({sums}) s where s.adds_up limit 1"):
                return None
        return "its changes add up to the amounts of no action"

    def _tell(self, action_id: str, feed: Feed) -> str:
        """What the list and the feed say of an action, side by side."""
        reading = "moved" if feed.quantity is Quantity.MOVED else "latest"
        lines = self._fill("lines", f"u.action_id = {literal(action_id)}", feed)
        there = self._warehouse.rows(_ITEMS_OF, action_id)
        here = self._warehouse.rows(_CHANGES_OF.format(reading=reading, lines=lines))
        return f"action {action_id}: the list says {_words(there)}, the change feed {_words(here)}"

    def _fill(self, name: str, scope: str, feed: Feed, number: int = 0) -> str:
        units = "moved" if feed.quantity is Quantity.MOVED else "latest"
        lines = _SQL["lines"].substitute(scope=scope, units=units)
        return _SQL[name].substitute(
            lines=lines,
            scope=scope,
            fingerprint=f"({FINGERPRINT})",
            sums=_SQL["sums"].substitute(lines=lines, fingerprint=f"({FINGERPRINT})"),
            units=units,
            is_clear=_is_clear(feed),
            removed=literal(feed.removed.value),
            kind=_KIND,
            tells=_tells(feed),
            number=number,
            order="tells, last desc" if feed.verdict is Verdict.PROVEN else "place, tells",
        )


def _tells(feed: Feed) -> str:
    """A condition on an action: its list tells a reading that is not known."""
    unknown = []
    if feed.quantity is Quantity.EITHER:
        unknown.append("s.quantities_differ")
    if feed.removed is Removed.EITHER:
        unknown.append("s.removed > 0")
    return " or ".join(unknown) or "false"


def _is_clear(feed: Feed) -> str:
    """A condition on an action: its changes add up, and it does not depend on a reading that is not known."""
    conditions = ["s.adds_up"]
    if feed.quantity is Quantity.EITHER:
        conditions.append("not s.quantities_differ")
    if feed.removed is Removed.EITHER:
        conditions.append("s.removed = 0")
    return " and ".join(conditions)


def read_feeds(warehouse: Warehouse) -> dict[str, Feed]:
    """What earlier runs found of each campaign's feed."""
    rows = warehouse.rows(_FEEDS) if warehouse.holds("item_feeds") else []
    return {
        id_: Feed(id_, Verdict(verdict), Quantity(quantity), Removed(removed), int(agreed or 0), example, in_utc(at))
        for id_, verdict, quantity, removed, agreed, example, at in rows
    }


def _words(rows: list[tuple[Any, ...]]) -> str:
    said = [
        f"{quantity} x {sku or '(no Sku)'} for {amount:f}, payout {payout:f}, category {category or '(none)'}"
        for sku, quantity, amount, payout, category in rows
    ]
    return "; ".join(said) or "nothing"


def _complete(rows: pa.Table, schema: pa.Schema, same: Mapping[Column | str, Any]) -> pa.Table:
    """Rows with all columns of a schema; those that they lack have the same value in each row, or NULL."""
    values = {column if isinstance(column, str) else column.name: value for column, value in same.items()}
    missing = [field for field in schema if field.name not in rows.column_names]
    for field in missing:
        value = pa.scalar(values.get(field.name), field.type)
        rows = rows.append_column(field, pa.repeat(value, len(rows)))
    return rows.select(schema.names).cast(schema)

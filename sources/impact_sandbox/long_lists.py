"""The lists that are too long to build at once: where each is read from, and how a page of it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .ledger import shown_at
from .render import action_json, action_tables, shown_state
from .rules import Rules
from .times import sql_time
from .update_json import update_json, update_tables


@dataclass(frozen=True)
class LongList:
    """A list of rows `v` of one of the ledger's tables, as SQL; all of them have the dates that requests filter by."""

    key: str
    table: str
    order: str
    shuffled: str
    json: Callable[[Rules, datetime], str]
    tables: Callable[[str], str]

    def shown(self, rules: Rules, now: datetime) -> str:
        """Return the SQL condition for the rows that exist."""
        days = rules.feed_keeps_days if self.table == "updates" else None
        kept = "true" if days is None else f"v.updated >= {sql_time(now - timedelta(days=days))}"
        return f"{shown_at('v', now)} AND {kept}"

    def state(self, rules: Rules, now: datetime) -> str:
        """Return the SQL for the state that a row shows; an update keeps the state it was recorded with."""
        return "v.state" if self.table == "updates" else shown_state(rules, now)

    def ordered(self, rules: Rules) -> str:
        """Return the SQL for the order of the rows."""
        return self.shuffled if rules.order == "shuffled" else self.order


ACTIONS = LongList(
    key="Actions",
    table="versions",
    order="v.created DESC, v.n DESC",
    shuffled="hash(v.n, 'order')",
    json=lambda rules, now: action_json(rules, now, typed=rules.wire == "typed"),
    tables=action_tables,
)
UPDATES = LongList(
    key="ActionUpdates",
    table="updates",
    order="v.updated DESC, v.n DESC, v.kind DESC, v.place DESC",
    shuffled="hash(v.n, v.kind, v.place, 'order')",
    json=lambda rules, now: update_json(rules, now, typed=rules.wire == "typed"),
    tables=update_tables,
)

"""A sandbox account, its warehouse, and the comparison of the two."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pytest
from impact_sandbox import Campaign, Reply, Rules, Sandbox, World
from impact_source import Ask, Settings
from impact_sync.items.run import ItemSummary, items
from impact_sync.sync.run import Summary, sync

from tests.support.finance import assert_rolls_forward

CAMPAIGNS = (
    Campaign(id="1000", name="Acme Campaign", state="ACTIVE", share=0.9),
    Campaign(id="2000", name="Acme Outlet", state="ACTIVE", share=0.1),
)
AS_WRITES_GO: dict[str, Any] = {
    name: getattr(Rules(), name)
    for name in (
        "submission_seconds",
        "submission_polls",
        "amount_beside_sku",
        "submissions_key",
        "queued_uri",
        "no_error",
    )
}
"""Rules that concern only writes and submissions."""
_MONEY = {
    "client_cost",
    "payout",
    "delta_payout",
    "intended_payout",
    "amount",
    "delta_amount",
    "intended_amount",
    "sale_amount",
    "rebate",
}


@cache
def snake(field: str) -> str:
    """The column of an API field: `SharedId` -> `shared_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field).lower()


def typed(name: str, text: str | None) -> object:
    """The value of an API text in the column `name`, by rules written independently of the source."""
    if text in (None, ""):
        return None
    if name in _MONEY:
        return Decimal(str(text))
    if name.endswith("_date"):
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    return text


def own_clock(world: World, off: timedelta = timedelta(0)) -> Callable[[], datetime]:
    """A machine's clock that shows the world's time, or is off by so much. The world's stands; this one ticks."""
    ticks = count()
    return lambda: world.now + off + timedelta(microseconds=next(ticks))


def refusal() -> Reply:
    """The answer to a query with too many matches."""
    return Reply(400, json.dumps({"Status": "ERROR", "Message": "Too many records"}).encode())


class Account:
    """One account at a sandbox and the warehouse it is synced into."""

    def __init__(
        self,
        world: World,
        sandbox: Sandbox,
        folder: Path,
        *,
        start: datetime | None = None,
        templates: Path | None = None,
    ) -> None:
        self.world, self.sandbox, self.folder, self._templates = world, sandbox, folder, templates
        self.attempts = 8
        """How often a request that may still succeed is sent."""
        self.start = start
        """Where syncs begin; None for as far back as the API goes."""
        self.path = folder / "impact_warehouse.duckdb"

    def settings(self, **changes: Any) -> Settings:  # noqa: ANN401 - any setting
        """Settings for this account."""
        own: dict[str, Any] = {"account_sid": self.sandbox.account_sid, "auth_token": self.sandbox.auth_token}
        # Items cost a request per action, the change feed and other tables some: only tests about them request any.
        usual = {
            "items": "exact",
            "reference": (),
            "time_zone": "UTC",  # only tests about calendars ask for the account's
            "base_url": self.sandbox.url,
            "page_size": 2_000,
            "items_max_requests": 0,
            "start_date": self.start,
            "max_attempts": self.attempts,
            "retry_wait": timedelta(0),
        }
        return Settings(**(own | usual | changes))

    def sync(self, ask: Ask = Ask(), **changes: Any) -> Summary:  # noqa: ANN401, B008
        """Run a sync and return how it ended."""
        return sync(self.settings(**changes), ask)

    def first_sync(self, **changes: Any) -> None:  # noqa: ANN401 - any setting
        """Provide the warehouse that a first sync of this account leaves: synced once, then copied.

        For tests that begin after it: with a copy, none of its requests reaches the sandbox.
        """
        assert not self.path.exists()
        template = self._templates / self._mark(self.settings(**changes)) if self._templates else None
        if template and template.exists():
            shutil.copy(template, self.path)
            return
        self.sync(**changes)
        if template and self.path.exists():  # Postgres has no template
            copy = template.with_suffix(f".{os.getpid()}")
            shutil.copy(self.path, copy)
            copy.replace(template)  # in one step: other workers look for it

    def _mark(self, settings: Settings) -> str:
        """What a first sync depends on."""
        world = self.world
        rules = replace(world.rules, **AS_WRITES_GO)
        told = (world.account_sid, world.now, world.campaigns, rules, world.truth(), world.item_truth())
        own = (
            replace(settings, base_url="http://127.0.0.1"),
            sorted(item for item in os.environ.items() if item[0].startswith(("SOURCES__", "IMPACT__"))),
        )
        readable = [each.to_pylist() if isinstance(each, pa.Table) else each for each in told]
        return hashlib.sha256(repr((readable, own)).encode()).hexdigest()

    def drain(self, max_requests: int | None = None, **changes: Any) -> ItemSummary:  # noqa: ANN401 - any setting
        """Read the items that wait."""
        return items(self.settings(**changes), max_requests)

    def item_requests(self) -> list[str]:
        """Ids of the actions whose items were requested, in order, since the last call."""
        sent = [request.path.split("/") for request in self.sandbox.requests]
        self.sandbox.requests.clear()
        return [unquote(parts[4]) for parts in sent if parts[3] == "Actions" and parts[5:6] == ["Items"]]

    def held_items(self) -> dict[tuple[str, str], dict[str, object]]:
        """Every item of the warehouse by action and Sku, all columns except ours."""
        with self.opened() as connection:
            sql = "select * exclude (synced_at, changed, removed) from impact.action_items"
            rows = connection.execute(sql).to_arrow_table().to_pylist()
        return {(row["action_id"], row["sku"]): row for row in rows}

    def item_truth(self) -> dict[tuple[str, str], dict[str, object]]:
        """Every item of the sandbox, lines of one Sku added up, typed as the warehouse should hold it."""
        found: dict[tuple[str, str], dict[str, object]] = {}
        for row in self.world.item_truth().to_pylist():
            item = {snake(f): typed(snake(f), text) for f, text in row.items()}
            item |= {"sku": item["sku"] or "", "line_count": 1, "quantity": int(str(item["quantity"]))}
            first = found.setdefault((str(item["action_id"]), str(item["sku"])), item)
            if first is not item:
                for name in ("quantity", "sale_amount", "payout", "rebate", "line_count"):
                    parts = [value for value in (first[name], item[name]) if value is not None]
                    first[name] = sum(parts[1:], parts[0]) if parts else None  # type: ignore[call-overload]
        return found

    def assert_items_true(self) -> None:
        """Every column of every item is what the sandbox says now."""
        held, truth = self.held_items(), self.item_truth()
        wrong = {key: (held.get(key), truth.get(key)) for key in held.keys() | truth.keys()}
        wrong = {
            key: (here, there)
            for key, (here, there) in wrong.items()
            if here is None or there is None or any(here.get(name) != value for name, value in there.items())
        }
        assert not wrong, f"{len(wrong)} items differ (warehouse, API): {dict(list(wrong.items())[:3])}"

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, read only, under a name that no dataset has."""
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute(f"attach '{self.path}' as warehouse (read_only); use warehouse; set timezone = 'UTC'")
            yield connection

    @contextmanager
    def changing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, to damage something in it."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("use impact_warehouse.impact")
            yield connection

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows from the warehouse."""
        with self.opened() as connection:
            return connection.execute(sql).fetchall()

    def held(self) -> dict[str, dict[str, object]]:
        """Every action of the warehouse by id, all columns except ours."""
        with self.opened() as connection:
            sql = "select * exclude (synced_at, pass, changed) from impact.actions"
            rows = connection.execute(sql).to_arrow_table().to_pylist()
        return {row["id"]: row for row in rows}

    def truth_but(self, *ids: str) -> dict[str, dict[str, object]]:
        """The truth without some actions, which may be impossible to type."""
        rows = [row for row in self.world.truth().to_pylist() if row["Id"] not in ids]
        return {row["Id"]: {snake(f): typed(snake(f), text) for f, text in row.items()} for row in rows}

    def truth(self) -> dict[str, dict[str, object]]:
        """Every action of the sandbox by id, typed as the warehouse should hold it."""
        return self.truth_but()

    def assert_true(self) -> None:
        """Every column of every action is what the sandbox says now."""
        held, truth = self.held(), self.truth()
        assert held.keys() == truth.keys(), (len(truth.keys() - held.keys()), len(held.keys() - truth.keys()))
        wrong = {
            action_id: {
                name: (held[action_id].get(name), value)
                for name, value in row.items()
                if held[action_id].get(name) != value
            }
            for action_id, row in truth.items()
        }
        wrong = {action_id: columns for action_id, columns in wrong.items() if columns}
        assert not wrong, f"{len(wrong)} actions differ (warehouse, API): {dict(list(wrong.items())[:3])}"
        self.assert_history_true("actions", "action_history", "id")
        with self.opened() as connection:
            if connection.execute("from duckdb_views() where view_name = 'movements'").fetchall():
                assert_rolls_forward(lambda sql: connection.execute(sql).fetchall())

    def assert_history_true(self, table: str, history: str, *key: str) -> None:
        """Open versions equal the rows; the intervals of a row neither overlap nor are empty."""
        with self.opened() as connection:
            if not connection.execute("from duckdb_views() where view_name = ?", [history]).fetchall():
                return
            names = [row[0] for row in connection.execute(f"describe impact.{table}").fetchall() if row[0] != "removed"]
            columns, keys = ", ".join(names), ", ".join(key)
            held = f"select {columns} from impact.{table}"
            current = f"select {columns} from impact.{history} where valid_to is null"
            assert connection.execute(f"({held} except all {current}) limit 3").fetchall() == []
            assert connection.execute(f"({current} except all {held}) limit 3").fetchall() == []
            following = f"lead(valid_from) over (partition by {keys} order by valid_from)"
            intervals = f"select {keys}, valid_from, valid_to, {following} as next from impact.{history}"
            overlap = "valid_to <= valid_from or coalesce(valid_to > next, next is not null)"
            apart = "or valid_to < next" if table == "actions" else ""  # an item can be gone for a while
            wrong = f"select * from ({intervals}) where {overlap} {apart}"
            assert connection.execute(wrong).fetchall() == []


on_postgres_first = pytest.mark.parametrize(
    "warehouse", ["postgres", pytest.param("duckdb", marks=pytest.mark.long)], indirect=True
)
"""For tests that take long, or whose behaviour other tests check on DuckDB already."""
on_duckdb_first = pytest.mark.parametrize(
    "warehouse", ["duckdb", pytest.param("postgres", marks=pytest.mark.long)], indirect=True
)
"""For tests that take long and whose SQL both share."""

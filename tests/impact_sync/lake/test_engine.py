"""A distributed engine that reads the lake gives the answers that the warehouse gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from click.testing import CliRunner
from impact_sandbox import Reply, Request
from impact_source.settings import REFERENCE
from impact_sync.cli import main
from impact_sync.close.run import close
from impact_sync.lake.place import Lake
from impact_sync.lake.publish import publish
from impact_sync.verify.run import verify
from impact_sync.views import texts

from tests.impact_sync.lake import storage
from tests.support.account import Account

sail: Any = pytest.importorskip("pysail.spark", reason="make lake installs the engine")
sql: Any = pytest.importorskip("pyspark.sql", reason="make lake installs its client")
Make = Callable[..., Account]
_CALENDARS = (
    "select basis, month, sum(actions) as actions from {}commission_by_month group by 1, 2",
    "select locking_week, sum(actions) as actions from {}lock_calendar group by 1",
    "select event_month, count(*) as changes from {}restatements group by 1",
)
"""Days, weeks and months are the account's, whatever the session's time zone."""


@pytest.fixture(scope="module")
def spark(server: dict[str, str]) -> Iterator[Any]:
    """A session on a Sail server whose workers run the parts of a query and send each other what they need."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (server | {"SAIL_MODE": "local-cluster"}).items():
            patch.setenv(name, value)
        engine = sail.SparkConnectServer(port=0)
        engine.start(background=True)
        try:
            session = sql.SparkSession.builder.remote(f"sc://127.0.0.1:{engine.listening_address[1]}").getOrCreate()
            session.conf.set("spark.sql.session.timeZone", "UTC")
            yield session
            session.stop()
        finally:
            engine.stop()


@pytest.fixture
def lake(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake on the S3 server."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return Lake(f"s3://{storage.BUCKET}/{uuid4().hex}", "acme")


def statements(lake: Lake) -> list[str]:
    """What `impact publish --views` prints."""
    ended = CliRunner().invoke(main, ["publish", lake.url, "--account", lake.account, "--views", "spark"])
    assert ended.exit_code == 0, ended.output
    return [line.removesuffix(";") for line in ended.output.splitlines()]


def answers(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows in an order that does not depend on the engine."""
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=_comparable)


def _comparable(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{value.normalize():f}" if isinstance(value, Decimal) else repr(value) for value in row)


def test_every_view_gives_the_same_rows_in_the_engine(account: Make, spark: Any, lake: Lake) -> None:  # noqa: ANN401 - Spark's
    """After two months of changes every row of every view equals DuckDB's, to the last digit."""
    world = account(days=40, per_day=6, seed=5)

    def hook(request: Request) -> Reply | None:
        """Make the items of some actions not add up."""
        if request.path.endswith("/Items") and request.path.split("/")[4].endswith("7"):
            return Reply(200, b'{"ActionItems": [{"Sku": "A", "SaleAmount": "1.10", "SaleAmountCurrency": "USD"}]}')
        return None

    world.sandbox.on_request = hook
    for days in (0, 4, 9, 30):
        world.world.advance(days=days)
        world.sync(items_max_requests=60, reference=REFERENCE, time_zone="America/Los_Angeles")
        publish(lake)
    close(date(2025, 12, 1), force=True)
    world.world.advance(hours=1)
    world.world.modify(min(world.truth(), key=lambda id_: str(world.truth()[id_]["event_date"])), Payout="1.23")
    world.sync(time_zone="America/Los_Angeles")
    with world.changing() as connection:
        connection.execute("delete from actions where id = (select min(id) from actions)")
    verify(world.settings(time_zone="America/Los_Angeles"))
    publish(lake)
    for statement in statements(lake):
        spark.sql(statement)
    with world.opened() as connection:
        for name in texts():
            there = spark.sql(f"select * from {name}").toArrow()
            columns = ", ".join(f'"{column}"' for column in there.column_names)
            here = connection.execute(f"select {columns} from impact.{name}").to_arrow_table()
            assert len(here), name
            assert answers(there) == answers(here), name
            everything = connection.execute(f"select * from impact.{name}").to_arrow_table()
            assert everything.column_names == there.column_names
        spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
        for asked in _CALENDARS:
            there = spark.sql(asked.format("")).toArrow()
            assert answers(there) == answers(connection.execute(asked.format("impact.")).to_arrow_table()), asked
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_all_accounts_are_asked_at_once(account: Make, spark: Any, lake: Lake) -> None:  # noqa: ANN401 - Spark's
    """One query over the shared tables gives each account's commission; each account's own views give the same."""
    owed = {}
    for seed, name in enumerate(("acme", "birch"), 1):
        world = account(days=10, per_day=5, seed=seed, account_sid=f"IR{name}")
        world.path.unlink(missing_ok=True)
        world.sync()
        publish(Lake(lake.url, name))
        owed[name] = world.query("select sum(payout) from impact.actions where state <> 'REVERSED'")[0][0]
        for statement in statements(Lake(lake.url, name)):
            spark.sql(statement)
        assert (
            spark.sql("select sum(accrued) from commission_by_month where basis = 'event'").collect()[0][0]
            == owed[name]
        )
    found = spark.sql(
        f"select account, sum(payout) from delta.`{lake.table('actions')}` where state <> 'REVERSED' group by account"
    ).collect()
    assert {row[0]: row[1] for row in found} == owed


def test_credentials_stay_where_they_are(account: Make, lake: Lake) -> None:
    """Neither the output nor the lake contains the storage's key or the AccountSID."""
    world = account(days=3, per_day=2)
    world.first_sync()
    ended = CliRunner().invoke(main, ["publish", lake.url, "--account", "acme"])
    for secret in (os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"], world.sandbox.account_sid):
        assert secret not in ended.output + "".join(statements(lake))

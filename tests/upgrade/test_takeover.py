"""Today's program continues from what a release left, in DuckDB and in Postgres, as if it had always been running."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply.run import apply
from impact_sync.corrections.status import status
from impact_sync.verify.run import verify
from impact_sync.warehouse.migrations.steps import SCHEMA_VERSION

from tests.upgrade.conftest import Takeover, journal_file

_VERSIONS = "select id, valid_from, synced_at, valid_to, changed, state, amount, payout from impact.action_history"
_ITEM_VERSIONS = "select action_id, sku, valid_from, valid_to, quantity, sale_amount from impact.action_item_history"
_KEPT = (
    "select run_id, started, outcome, exit_code, requests, version from impact.sync_runs",
    "select run_id, campaign_id, pass, window_start, window_end, total, outcome from impact.sync_windows",
    "select run_id, action_id, finding, repaired from impact.verify_results",
    "select correction_id, call_id, status, outcome, batch_id, claimed_at, settled_at, request from impact.corrections",
)


def test_a_sync_goes_on_where_the_release_stopped(takeover: Takeover) -> None:
    """Every row and every version is still there; only what is new, may be late or had failed is requested."""
    world, cast, account = takeover.world, takeover.cast, takeover.account
    held = {row[0]: row[1:] for row in takeover.rows("select id, state, amount, payout from impact.actions")}
    truth = {id_: (row["state"], row["amount"], row["payout"]) for id_, row in account.truth().items()}
    assert {id_: row for id_, row in held.items() if id_ != cast.gone} == truth, "the sandbox plays another account"
    kept = {sql: set(takeover.rows(sql)) for sql in _KEPT}
    versions, item_versions = set(takeover.rows(_VERSIONS)), set(takeover.rows(_ITEM_VERSIONS))
    cursors, listed = takeover.cursors(), dict(takeover.rows("select action_id, status from impact.item_fetches"))

    world.advance(days=1)
    world.modify(cast.moved, Amount="50.00", Payout="4.00")
    assert account.sync(items_max_requests=None).error is None

    for sql, rows in kept.items():
        assert rows <= set(takeover.rows(sql)), sql
    now = {row[:2]: row for row in takeover.rows(_VERSIONS)}
    assert {now[row[0], row[1]][4:] for row in versions} == {row[4:] for row in versions}
    ended = {row[0] for row in versions if row[3] is None and now[row[0], row[1]][3] is not None}
    assert ended == {cast.moved}
    assert {row for row in versions if row[3]} <= set(now.values())
    assert {row for row in item_versions if row[3]} <= set(takeover.rows(_ITEM_VERSIONS))

    requests = [request for request in takeover.sandbox.requests if request.path.endswith("/Actions")]
    starts = {(one.query["CampaignId"], one.query["StartDate"]) for one in requests if "StartDate" in one.query}
    overlap = {id_: datetime.fromisoformat(marks["updated"]) - timedelta(days=1) for id_, marks in cursors.items()}
    assert {(id_, datetime.fromisoformat(start)) for id_, start in starts} >= set(overlap.items())
    assert all(datetime.fromisoformat(start) >= overlap[id_] for id_, start in starts)
    assert len(requests) == 3 * len(cursors), "two windows of the updated pass, one of the locking pass"
    found = {row[0] for row in takeover.rows("select id from impact.actions")}
    assert set(account.item_requests()) == (found - held.keys()) | {cast.moved, cast.odd}
    assert {id_ for id_, outcome in listed.items() if outcome != "listed"} == {cast.odd}
    assert all(marks["updated"] > cursors[id_]["updated"] for id_, marks in takeover.cursors().items())
    assert takeover.rows("select version from impact.schema_versions") == [(SCHEMA_VERSION,)]
    account.sync(items_max_requests=0)
    assert verify(account.settings()).exit is Exit.DONE


def test_corrections_stand_as_the_release_left_them(takeover: Takeover) -> None:
    """What was confirmed stays so and is not sent again; what was planned is sent now, once, as it was shown."""
    counted = "select plan_id, status, count(*) from impact.corrections group by plan_id, status order by plan_id"
    (sent, *left), (pending, *planned) = takeover.rows(counted)
    assert (left, planned) == (["confirmed", 4], ["planned", 1])
    settings = takeover.account.settings(poll_interval=timedelta(0))
    assert apply(settings, sent).exit is Exit.DONE
    assert takeover.sandbox.writes == []
    assert apply(settings, pending).exit is Exit.DONE
    assert [write.form["ActionId"] for write in takeover.sandbox.writes] == [takeover.cast.later]
    plans = status().plans
    assert [plan.counts for plan in plans] == [{"confirmed": 4}, {"confirmed": 1}]
    assert [plan.moved for plan in plans] == [{"USD": Decimal("-5.05")}, {"USD": Decimal("-1.5")}]


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_the_journal_file_of_a_server_is_found(
    release: Path, warehouse: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file that records what was sent has the release's name for it: it is not beside a database server."""
    assert warehouse == "postgres"
    names = json.loads((release / "names.json").read_text("utf-8"))
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", names["address"])
    assert journal_file(tmp_path).name == names["journal_file"]

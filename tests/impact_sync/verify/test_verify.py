"""Verification: damage of every kind is found by name and repaired, and nothing else is touched."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from impact_sandbox import Campaign, Reply, Request, Rules
from impact_source import Ask
from impact_source.account import State
from impact_source.errors import ConfigurationError, ForeignWarehouse, ShortAnswers, UnknownCampaign
from impact_source.rows.columns import ACTION
from impact_source.rows.landing import Landing
from impact_source.rows.parse import Reader
from impact_sync.console.exits import Exit
from impact_sync.load.session import session
from impact_sync.verify.compare import Difference, Kind
from impact_sync.verify.report import Report
from impact_sync.verify.run import Verification, verify

from tests.support.account import Account, refusal, snake
from tests.support.commands import clean, environment, impact
from tests.support.landings import load

Make = Callable[..., Account]
ONE = (Campaign(id="1000", name="Acme Campaign", state="ACTIVE", share=1.0),)
WINDOWS = 25
"""Windows of 45 days in the three years that the API goes back."""


@pytest.fixture
def synced(account: Make) -> Make:
    """Creates accounts that were synced once."""

    def make(**world: Any) -> Account:  # noqa: ANN401 - the world's options
        one = account(**world)
        one.first_sync()
        return one

    return make


def check(one: Account, ask: Ask = Ask(), *, repair: bool = False, **changes: Any) -> Report:  # noqa: ANN401, B008
    """Verify an account."""
    return verify(one.settings(**changes), ask, repair=repair)


def damage(one: Account, *statements: str) -> None:
    """Change the warehouse behind everybody's back."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one.path}' as warehouse; use warehouse; set timezone = 'UTC'")
        for statement in statements:
            connection.execute(statement)


def ids(one: Account, where: str = "true") -> list[str]:
    """Ids of actions that are some weeks old, in order."""
    some = f"select id from impact.actions where event_date < timestamptz '{one.world.now}' - interval 9 day"
    return [row[0] for row in one.query(f"{some} and {where} order by id")]


def everything(one: Account) -> dict[str, tuple[Any, ...]]:
    """Every row of the warehouse, `synced_at` included."""
    return {row[0]: row for row in one.query("select * from impact.actions")}


def total(report: Report) -> Counter[str]:
    """The counts of all campaigns and months."""
    return sum(report.counts.values(), Counter())


def cells(difference: Difference) -> dict[str, tuple[str | None, str | None]]:
    """What differs, by column: here and there."""
    return {cell.column: (cell.here, cell.there) for cell in difference.cells}


def test_a_true_warehouse_verifies_with_a_request_for_each_window(
    synced: Make, right: Callable[[Account], None]
) -> None:
    """After a sync every action is verified, nothing is written but the windows, and no request is wasted."""
    one = synced()
    right(one)
    one.start = None
    before, state = everything(one), one.query("select count(*) from impact._dlt_pipeline_state")
    one.sandbox.requests.clear()
    report = check(one)
    assert report.exit is Exit.DONE
    assert total(report) == {"verified": len(one.truth())}
    assert len(one.sandbox.requests) == 2 * WINDOWS + 1 == report.requests
    assert {campaign_id for campaign_id, _ in report.counts} == {"1000", "2000"}
    assert everything(one) == before
    assert one.query("select count(*) from impact._dlt_pipeline_state") == state
    windows = f"select count(*), sum(rows) from impact.sync_windows where run_id = '{report.run_id}'"
    assert one.query(windows) == [(2 * WINDOWS, len(before))]


def test_further_pages_cost_a_request_each(account: Make, right: Callable[[Account], None]) -> None:
    """If a window holds several pages, each action is still counted once."""
    one = account(days=40, per_day=60, campaigns=ONE)
    right(one)
    one.first_sync()
    one.sandbox.requests.clear()
    report = check(one, Ask(since=one.world.now - timedelta(days=44)))
    assert report.exit is Exit.DONE
    assert total(report) == {"verified": len(one.truth())}
    assert len(one.sandbox.requests) == 3, "campaigns and two pages of one window"


def test_damage_of_every_kind_is_named_and_repaired_and_nothing_else_is_touched(synced: Make) -> None:
    """Lost, changed, invented, moved and doubled rows are all found; a repair fixes these and rewrites no others."""
    one = synced()
    truth = everything(one)
    lost, amount, state, moved, doubled, other, undated = ids(one)[::40][:7]
    pending = truth[state][8]
    damage(
        one,
        f"delete from impact.actions where id = '{lost}'",
        f"update impact.actions set amount = amount + 1, note = 'x' where id = '{amount}'",
        f"update impact.actions set state = 'PAID' where id = '{state}'",
        f"update impact.actions set event_date = event_date + interval 400 day where id = '{moved}'",
        f"insert into impact.actions select * from impact.actions where id = '{doubled}'",
        f"update impact.actions set campaign_id = '3000' where id = '{other}'",
        f"update impact.actions set event_date = null where id = '{undated}'",
        f"insert into impact.actions select * replace ('invented' as id) from impact.actions where id = '{other}'",
        "update impact.actions set campaign_id = '1000' where id = 'invented'",
    )
    damaged = everything(one)
    cursors = one.query("select max(version) from impact._dlt_pipeline_state")
    report = check(one)
    assert report.exit is Exit.DRIFT
    found = {difference.action_id: difference for difference in report.differences}
    assert {id_: difference.kind for id_, difference in found.items()} == {
        lost: Kind.MISSING,
        **dict.fromkeys((amount, state, moved, doubled, other, undated), Kind.STALE),
        "invented": Kind.GONE,
    }
    assert cells(found[amount]).keys() == {"amount", "note"}
    assert cells(found[amount])["note"][0] == "x"
    assert cells(found[state]) == {"state": ("PAID", pending)}
    assert cells(found[moved]).keys() == {"event_date"}
    assert cells(found[doubled]) == {"id": ("2 rows", "1 row")}
    assert cells(found[other])["campaign_id"][0] == "3000"
    assert cells(found[undated])["event_date"][0] is None
    rows = one.query("select action_id, finding, column_name, here, there, repaired from impact.verify_results")
    assert (state, "stale", "state", "PAID", pending, False) in rows
    assert (lost, "missing", "", None, None, False) in rows
    assert ("invented", "gone", "", None, None, False) in rows
    assert {row[0] for row in rows} == found.keys()
    assert everything(one) == damaged
    repairing = check(one, repair=True)
    assert repairing.exit is Exit.DONE
    assert repairing.repaired
    after = everything(one)
    assert after.keys() == truth.keys() | {"invented"}
    for id_ in truth.keys() - found.keys():
        assert after[id_] == truth[id_]
    assert {id_: row for id_, row in one.held().items() if id_ != "invented"} == one.truth()
    assert one.query(f"select count(*) from impact.actions where id = '{doubled}'") == [(1,)]
    assert one.query("select max(version) from impact._dlt_pipeline_state") == cursors
    assert one.query(f"select distinct repaired from impact.verify_results where run_id = '{repairing.run_id}'") == [
        (True,)
    ]
    again = check(one)
    assert again.exit is Exit.DONE
    assert [(known.action_id, known.acknowledged) for known in again.differences] == [("invented", True)]


def test_a_repair_that_did_not_land_is_no_repair(account: Make) -> None:
    """Exit 0 while the wrong payout still stands would end the search for it."""
    one = account(days=1, per_day=0, campaigns=ONE)
    missing, stale = one.world.create(), one.world.create(Payout="3.00")
    one.world.advance(hours=5)
    truth = Reader(ACTION).read(json.dumps(one.world.truth().to_pylist()).encode(), one.world.now).table
    held = truth.filter(pc.not_equal(truth["id"], missing))
    wrong = pa.array([Decimal(99)] * len(held), held["payout"].type)
    held = held.set_column(held.schema.get_field_index("payout"), "payout", wrong)
    state: State = {"campaigns": {"1000": {"updated": one.world.now.isoformat()}}}
    with session(one.settings(), "verify") as run:
        pipeline = run.pipeline
        load(pipeline, Landing(actions=held))
        ask = Ask(since=one.world.now - timedelta(days=2))
        with Verification(run, ask, repair=True) as verification:
            verification.read(state)
            report = verification.report()
            assert {found.action_id: found.kind for found in report.drift} == {missing: Kind.MISSING, stale: Kind.STALE}
            assert (report.repaired, report.exit) == (False, Exit.DRIFT)
            _windows, _rejected, *landings = verification.package({})
            assert len(landings) == 1
            rows = landings[0].actions
            assert rows is not None
            for landed in (rows.filter(pc.equal(rows["id"], stale)), rows.filter(pc.equal(rows["id"], missing)), rows):
                load(pipeline, Landing(actions=held))
                load(pipeline, replace(landings[0], actions=landed))
                repaired = len(landed) == len(rows)
                assert verification.report().repaired is repaired, landed["id"].to_pylist()
                assert verification.report().exit is (Exit.DONE if repaired else Exit.DRIFT)


def test_many_differences_are_read_again_by_windows(synced: Make) -> None:
    """Hundreds of lost rows cost a second read of their windows, not a request each."""
    one = synced(campaigns=ONE)
    damage(one, "delete from impact.actions")
    one.sandbox.requests.clear()
    report = check(one, repair=True)
    assert report.exit is Exit.DONE
    assert total(report)["missing"] > 400
    assert len(one.sandbox.requests) < WINDOWS + 8
    one.sync()
    one.assert_true()


def test_what_changed_since_the_sync_is_newer_and_no_drift(synced: Make) -> None:
    """What was created, corrected, approved by hand or locked after the last sync is shown as newer, not repaired."""
    one = synced()
    one.world.advance(days=3)
    corrected, approved = [row["Id"] for row in one.world.truth().to_pylist() if row["State"] == "PENDING"][:2]
    one.world.modify(corrected, Amount="1.00", Payout="0.10")
    one.world.approve(approved)
    before = everything(one)
    report = check(one, repair=True)
    assert report.exit is Exit.DONE
    assert report.differences == ()
    assert total(report)["newer"] > 20
    assert total(report)["verified"] + total(report)["newer"] == len(one.truth())
    assert everything(one) == before
    assert one.query("select count(*) from impact.verify_results") == [(0,)]


def test_rows_that_showed_up_late_are_newer(synced: Make) -> None:
    """What happened up to an hour before the sync and was not visible yet is not drift."""
    one = synced(days=20, per_day=150, rules=Rules(visibility_lag=3600), campaigns=ONE)
    one.world.advance(hours=2)
    report = check(one)
    assert report.exit is Exit.DONE
    assert total(report)["newer"] > 0


def test_drift_beside_newer_changes_is_still_found(synced: Make) -> None:
    """A lost row and a missed approval are drift days later, too, however much else is new."""
    one = synced()
    lost = ids(one, "cleared_date is not null")[0]
    missed = ids(one, f"state = 'APPROVED' and cleared_date is null and locking_date < '{one.world.now}'")[0]
    damage(
        one,
        f"delete from impact.actions where id = '{lost}'",
        f"update impact.actions set state = 'PENDING' where id = '{missed}'",
    )
    one.world.advance(hours=5)
    report = check(one)
    assert report.exit is Exit.DRIFT
    assert {found.action_id: found.kind for found in report.differences} == {lost: Kind.MISSING, missed: Kind.STALE}
    assert total(report)["newer"] > 0
    assert any("verify again" in note for note in report.notes)


def test_a_difference_that_is_gone_at_the_second_read_does_not_count(
    synced: Make, right: Callable[[Account], None]
) -> None:
    """What the API says once and then no more says nothing about the warehouse."""
    one = synced(campaigns=ONE)
    right(one)
    one.start = None
    some = ids(one, "state = 'PENDING'")[0]
    note = one.held()[some]["note"] or ""

    def slip(request: Request) -> None:
        first = "ActionDateStart" in request.query
        one.world.modify(some, touches=False, Note="a slip" if first else str(note))

    one.sandbox.on_request = slip
    one.sandbox.requests.clear()
    report = check(one, repair=True)
    assert len(one.sandbox.requests) == WINDOWS + 3, "the feed of updates and the action itself were asked for"
    assert report.exit is Exit.DONE
    assert report.differences == ()
    assert total(report) == {"verified": len(one.truth())}


def test_what_differs_otherwise_at_the_second_read_does_not_count(synced: Make) -> None:
    """An action that differs in one column first and in another one then is changing right now."""
    one = synced(campaigns=ONE)
    some = ids(one, "state = 'PENDING'")[0]
    held = {field: str(one.held()[some][snake(field)] or "") for field in ("Note", "PromoCode")}

    def change(request: Request) -> None:
        changed = {"Note": "x"} if "ActionDateStart" in request.query else {"PromoCode": "y"}
        one.world.modify(some, touches=False, **(held | changed))

    one.sandbox.on_request = change
    report = check(one)
    assert report.exit is Exit.DONE
    assert total(report) == {"verified": len(one.truth()) - 1, "newer": 1}


def test_gone_at_the_source_is_flagged_kept_and_acknowledged_by_a_repair(
    synced: Make, right: Callable[[Account], None]
) -> None:
    """What the API forgets is drift until a repair acknowledges it; later runs list it at no cost, and keep it."""
    one = synced(campaigns=ONE)
    right(one)
    one.start = None
    gone = ids(one, "cleared_date is not null")[0]
    one.world.remove(gone)
    assert check(one).exit is Exit.DRIFT
    assert check(one, repair=True).exit is Exit.DONE
    one.sandbox.requests.clear()
    report = check(one)
    assert report.exit is Exit.DONE
    assert [(d.action_id, d.kind, d.acknowledged) for d in report.differences] == [(gone, Kind.GONE, True)]
    assert total(report)["gone"] == 1
    assert len(one.sandbox.requests) == WINDOWS + 1
    assert gone in one.held()
    assert one.query("select count(*) from impact.verify_results") == [(2,)]


def test_what_is_older_than_the_api_goes_back_is_counted_and_kept(synced: Make) -> None:
    """Actions from before three years ago, or of a campaign that is no longer listed, cannot be verified."""
    one = synced(campaigns=ONE)
    some = ids(one)[0]
    copied = (
        "insert into impact.actions select * replace ('{id}' as id, {what}) from impact.actions where id = '{some}'"
    )
    damage(
        one,
        copied.format(id="old", what="event_date - interval 1200 day as event_date", some=some),
        copied.format(id="undated", what="null as event_date", some=some),
        copied.format(id="stray", what="'9' as campaign_id", some=some),
    )
    report = check(one, repair=True)
    assert report.exit is Exit.DONE
    assert report.unverifiable == 3
    assert {"old", "undated", "stray"} < everything(one).keys()
    assert check(one, Ask(campaigns=("1000",))).unverifiable == 2


def test_a_seven_day_default_on_queries_by_event_date_is_noticed(synced: Make) -> None:
    """If the API hides what was not updated lately, verification stops instead of calling everything gone."""
    one = synced(days=90, campaigns=ONE)
    one.world.rules = replace(one.world.rules, seven_day_default_on_all=True)
    one.sandbox.requests.clear()
    with pytest.raises(ShortAnswers, match="EventDate"):
        check(one, repair=True)
    assert len(one.sandbox.requests) < WINDOWS + 6
    assert one.query("select count(*) from impact.verify_results") == [(0,)]


def test_a_range_and_a_campaign_verify_that_alone(synced: Make, right: Callable[[Account], None]) -> None:
    """`--since`, `--until` and `--campaign` leave out the rest, damage included."""
    one = synced()
    right(one)
    events = dict(one.query("select id, event_date from impact.actions where campaign_id = '1000'"))
    since, until = one.world.now - timedelta(days=30), one.world.now - timedelta(days=20)
    inside = sorted(id_ for id_, event in events.items() if since <= event <= until)
    outside = min(events, key=events.__getitem__)
    damage(one, f"delete from impact.actions where id in ('{inside[0]}', '{outside}')")
    one.sandbox.requests.clear()
    report = check(one, Ask(("1000",), since, until), repair=True)
    assert [found.action_id for found in report.differences] == [inside[0]]
    assert total(report) == {"verified": len(inside) - 1, "missing": 1}
    assert len(one.sandbox.requests) == 4, "campaigns, the window, the feed of updates, the second read"
    assert check(one, Ask(since=since, until=until)).exit is Exit.DONE
    assert [found.action_id for found in check(one).differences] == [outside]


def test_actions_from_before_the_configured_start_are_not_missed(account: Make) -> None:
    """With a `start_date` the warehouse is not expected to hold what was over before it."""
    one = account(days=90)
    start = one.world.now - timedelta(days=30)
    one.first_sync(start_date=start)
    report = check(one, start_date=start)
    assert report.exit is Exit.DONE
    assert total(report)["verified"] == len(one.held())
    lost = ids(one, f"creation_date > timestamptz '{start}'")[0]
    damage(one, f"delete from impact.actions where id = '{lost}'")
    assert [found.action_id for found in check(one, start_date=start).differences] == [lost]


def test_records_that_cannot_be_typed_are_neither_gone_nor_missing(synced: Make) -> None:
    """A value that no column can hold is drift until it is received; then it is reported, and no longer drift."""
    one = synced(campaigns=ONE)
    odd = ids(one, "state = 'PENDING'")[0]
    one.world.modify(odd, touches=False, Payout="1,234.50")
    one.world.create(Payout="9,9")
    assert [(found.action_id, found.kind) for found in check(one).differences] == [(odd, Kind.STALE)]
    one.sync()
    report = check(one)
    assert report.exit is Exit.DONE
    recorded = one.query("select null_columns from impact.rejected_records")
    assert [("payout" in (columns or "")) for (columns,) in recorded] == [True, True]


def test_a_true_warehouse_verifies_under_other_readings_of_the_api(account: Make) -> None:
    """However the API words its answers, a month after the first sync nothing differs."""
    rules: dict[str, Any] = {
        "wire": "typed",
        "single_as_object": True,
        "null_bodies": 7,
        "order": "shuffled",
        "three_years_on_all": True,
        "unknown_states": True,
        "open_ended": 0.3,
        "clearing_touches": True,
    }
    one = account(days=40, per_day=6, rules=Rules(**rules))
    one.first_sync()
    one.world.advance(days=31)
    one.sync()
    report = check(one)
    assert report.exit is Exit.DONE
    assert total(report) == {"verified": len(one.truth())}


def test_a_true_warehouse_verifies_where_the_end_of_a_range_does_not_count(account: Make) -> None:
    """What lies where two windows meet, or at the end of the last, is compared once and not missed."""
    one = account(days=100, per_day=2, campaigns=ONE, rules=Rules(exclusive_ends=True, precision="second"))
    one.world.create(EventDate=(one.world.now - timedelta(days=45)).isoformat())
    one.world.create(EventDate=(one.world.now + timedelta(seconds=1)).isoformat())
    one.world.advance(seconds=1)
    one.first_sync()
    since = one.world.now - timedelta(days=90, seconds=1)
    report = check(one, Ask(since=since))
    assert report.exit is Exit.DONE
    assert total(report) == {"verified": len([1 for row in one.truth().values() if row["event_date"] >= since])}  # type: ignore[operator]


def test_windows_that_are_too_full_are_split_and_each_action_counts_once(synced: Make) -> None:
    """If the API refuses 45 days as too many actions, they are read in parts; a lost row among them is found."""
    one = synced(campaigns=ONE)
    lost = ids(one)[7]
    damage(one, f"delete from impact.actions where id = '{lost}'")

    def refuse(request: Request) -> Reply | None:
        ends = [request.query.get(f"ActionDate{end}") for end in ("Start", "End")]
        start, end = (datetime.fromisoformat(text) if text else one.world.now for text in ends)
        return refusal() if end - start > timedelta(days=10) else None

    one.sandbox.on_request = refuse
    report = check(one, Ask(since=one.world.now - timedelta(days=70)))
    assert [found.action_id for found in report.differences] == [lost]
    assert total(report) == {"verified": len(one.truth()) - 1, "missing": 1}
    outcomes = f"select distinct outcome from impact.sync_windows where run_id = '{report.run_id}'"
    assert ("too full",) in one.query(outcomes)


def test_what_cannot_be_verified_is_refused(account: Make) -> None:
    """Another account's warehouse, an unknown campaign and a range without an instant are reported."""
    one, other = account(campaigns=ONE), account(account_sid="IRother00000000000000000000")
    one.sync()
    with pytest.raises(ForeignWarehouse):
        check(other)
    with pytest.raises(UnknownCampaign, match="no campaign 77"):
        check(one, Ask(("77",)))
    with pytest.raises(ConfigurationError, match="nothing to verify between"):
        check(one, Ask(since=one.world.now + timedelta(days=9)))


def test_a_campaign_that_was_not_synced_yet_is_left_out(synced: Make, right: Callable[[Account], None]) -> None:
    """A campaign that joined since the last sync costs nothing and is named."""
    one = synced(campaigns=ONE)
    right(one)
    one.start = None
    one.world.add_campaign(Campaign(id="3000", name="Acme New", state="ACTIVE", share=0.2))
    one.sandbox.requests.clear()
    report = check(one)
    assert report.exit is Exit.DONE
    assert "not synced yet and left out: 3000" in report.notes
    assert len(one.sandbox.requests) == WINDOWS + 1


def test_the_command_names_the_differences_and_ends_with_their_code(synced: Make) -> None:
    """Exit 1 with the action, column and values on drift, 0 once repaired; text from others is shown as it is."""
    one = synced(campaigns=ONE)
    bad = ids(one)[0]
    damage(one, f"update impact.actions set note = '[red]x[/]' where id = '{bad}'")
    output = clean(impact("verify", env=environment(one)), 1)
    assert bad in output
    assert "[red]x[/]" in output
    assert "1 action differs" in output
    assert "1 action differed: 1 repaired" in clean(impact("verify", "--repair", env=environment(one)), 0)
    one.assert_true()


def test_the_command_wants_a_warehouse_first(account: Make) -> None:
    """With nothing synced there is nothing to verify: exit 2, the next step named, and no file left."""
    one = account(campaigns=ONE)
    assert "run `impact sync` first" in clean(impact("verify", env=environment(one)), 2)
    assert not one.path.exists()


def test_the_command_stops_when_the_hour_is_spent(synced: Make) -> None:
    """Without enough requests the exit code is 3, and nothing is written."""
    one = synced(campaigns=ONE)
    one.start = None
    one.sandbox.budget.limit, one.sandbox.budget.spent = 12, 0
    env = environment(one, SOURCES__IMPACT__MAX_WAIT="0 seconds")
    assert "impact:" in clean(impact("verify", env=env), 3)
    assert one.query("select count(*) from impact.sync_windows where pass = 'verify'") == [(0,)]

"""A report on one campaign says nothing of another: its figures are those of a warehouse without the other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import dlt
from impact_source import impact
from impact_source.actions.events import Outcome, WindowDone
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.rows.columns import CAMPAIGN
from impact_source.rows.landing import Landing
from impact_source.rows.ledger import finding, rejected_row
from impact_source.rows.ours import FETCH_TABLE
from impact_source.rows.parse import Reader, Rejected
from impact_sync.load.runs import Run, runs
from impact_sync.report.figures import Figures
from impact_sync.report.gather import read
from impact_sync.report.scope import Books, Scope

from tests.support.landings import Given, batch
from tests.support.plans import DAY, NOW

THEN, LATER = NOW - 10 * DAY, NOW + timedelta(hours=5)


def load(pipeline: dlt.Pipeline, campaign_id: str, *, begun: datetime, until: datetime, scale: int) -> None:
    """A campaign of two actions, one of which has changed since it was first read; `scale` tells its figures apart."""
    events = ("2026-02-03T00:00:00Z", "2026-02-14T00:00:00Z")
    usual = {"CampaignId": campaign_id, "MediaPartnerId": f"{scale}", "MediaPartnerName": f"Partner {scale}"}
    before = [
        usual
        | {"Id": f"{campaign_id}.{n}", "EventDate": at, "Payout": f"{scale * (n + 1)}.00", "Amount": f"{scale}.50"}
        for n, at in enumerate(events)
    ]
    after = before[0] | {"Payout": f"{5 * scale}.00", "LockingDate": f"2026-03-0{scale}T00:00:00Z"}
    rows = batch(after, *before[1:], arrived=(until - NOW).total_seconds()).records.table
    old = batch(*before, arrived=(begun - NOW).total_seconds()).records.table
    readings = [Reading(campaign_id, pass_, Window(until - 40 * DAY, until)) for pass_ in (Pass.UPDATED, Pass.VERIFY)]
    rejected = [
        rejected_row(
            Rejected(f"{campaign_id}.odd {n}", "{}", "it is odd"), batch({}, reading=readings[0]).origin("a run")
        )
        for n in range(scale)
    ]
    until_then = THEN - DAY / scale
    windows = [WindowDone(reading, Outcome.COMPLETE).row("a run") for reading in readings]
    before_it = replace(readings[0], window=Window(THEN - 2 * DAY, until_then))
    windows.append(WindowDone(before_it, Outcome.COMPLETE).row(f"first of {campaign_id}"))
    landing = Landing(
        campaigns=Reader(CAMPAIGN).read(json.dumps([{"Id": campaign_id, "Name": f"Acme {scale}"}]).encode(), NOW).table,
        actions=rows,
        rejected=rejected,
        windows=windows,
        findings=[finding("a run", campaign_id, f"{campaign_id}.{n}", "missing", NOW) for n in range(scale)],
        fetches=FETCH_TABLE.empty_table(),
    )
    run = Run("a run", LATER, LATER, LATER, "done", 0, 2, 1)
    pipeline.run([impact(walk=Given(Landing(actions=old, declared=True), landing), history=True), runs(lambda: run)])
    with pipeline.sql_client() as client:
        client.execute_sql(
            "insert into sync_runs (run_id, started, until, _dlt_load_id, _dlt_id) values (%s, %s, %s, '', '')",
            *(f"first of {campaign_id}", THEN, THEN),
        )


def figures(pipeline: dlt.Pipeline, scope: Scope) -> Figures:
    """The figures of a report."""
    return read(Books(pipeline, scope), THEN)


def test_figures_of_one_campaign_are_not_anothers(pipeline: dlt.Pipeline) -> None:
    """Otherwise a brand that reports on one programme would book another's commission, drift or freshness."""
    load(pipeline, "1000", begun=THEN - DAY, until=NOW, scale=3)
    alone = figures(pipeline, Scope())
    load(pipeline, "2000", begun=THEN + DAY, until=LATER, scale=7)
    assert figures(pipeline, Scope(("1000",))) == alone
    both = figures(pipeline, Scope())
    assert alone.compared
    assert both.compared
    assert alone.restated
    for one, as_of, scales in ((alone, NOW, [3]), (both, LATER, [3, 7])):
        assert (one.as_of, one.rejected, one.rankings["USD"].of) == (as_of, sum(scales), len(scales))
        assert one.balances["USD"].accrued == 7 * sum(scales)
        assert [campaign.drift for campaign in one.campaigns] == scales
    assert [one.compared and one.compared.unknown for one in (alone, both)] == [(), ("2000",)]
    assert (alone.compared.as_of, both.compared.as_of) == (THEN - DAY / 3, THEN - DAY / 7)
    assert alone.compared.balances["USD"].accrued == 9
    assert sum(one.commission for one in alone.restated.moved) == 12

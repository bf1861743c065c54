"""What surrounds the actions is in the warehouse as the API shows it, for a few requests a day."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner
from dlt.pipeline.exceptions import PipelineStepFailed
from impact_sandbox import Campaign, Reply, Request, Rules
from impact_source import Ask, Settings, impact_reference
from impact_source.errors import ConfigurationError
from impact_source.settings import REFERENCE
from impact_sync.cli import main
from impact_sync.console.exits import Exit
from impact_sync.lake.place import Lake
from impact_sync.lake.publish import publish
from impact_sync.sync.command import show
from impact_sync.sync.run import Summary, dry_run
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account, on_duckdb_first
from tests.support.commands import IMPACT, clean, environment, impact
from tests.support.lake import assert_published
from tests.support.reference import asked, assert_true, held, wrong

Make = Callable[..., Account]
SMALL: dict[str, Any] = {"days": 100, "per_day": 3, "now": datetime(2026, 1, 10, 12, tzinfo=UTC)}
RESOURCES = {"CompanyInformation", "MediaPartners", "MediaPartnerGroups", "Contracts", "ActionInquiries", "Invoices"}


def read(one: Account, ask: Ask = Ask(), **changes: Any) -> Summary:  # noqa: ANN401, B008 - any setting
    """Sync the tables too; returns how it ended."""
    one.sandbox.requests.clear()
    return one.sync(ask, **({"reference": REFERENCE} | changes))


def requested(one: Account) -> list[Request]:
    """The requests for what surrounds the actions since the last sync began."""
    return [request for request in one.sandbox.requests if request.path.rpartition("/")[2] in RESOURCES]


def answer(resource: str, reply: Reply) -> Callable[[Request], Reply | None]:
    """A hook that answers requests for a resource."""
    return lambda request: reply if request.path.endswith(resource) else None


@pytest.mark.parametrize("wire", ["strings", pytest.param("typed", marks=pytest.mark.long)])
def test_every_table_is_what_the_api_shows(account: Make, wire: Literal["strings", "typed"]) -> None:
    """After a first sync and one of two months later every column of every row equals the API; money is typed."""
    one = account(**SMALL, rules=Rules(wire=wire, partners_key="MediaPartners" if wire == "typed" else "Partners"))
    assert read(one).exit is Exit.DONE
    assert_true(one)
    before = held(lambda sql: asked(one, sql), "invoice_lines")
    one.world.advance(days=65)
    assert read(one).exit is Exit.DONE
    assert_true(one)
    after = held(lambda sql: asked(one, sql), "invoice_lines")
    assert {row["status"] for row in (*before.values(), *after.values())} == {"PENDING", "OVERDUE", "PAID", None}
    same = [key for key in before if before[key] | {"synced_at": None} == after[key] | {"synced_at": None}]
    assert same
    assert all(before[key] == after[key] for key in same), "rows that did not change are not written again"
    types = "select typeof(total_amount), typeof(created_date), typeof(media_id) from impact.invoices limit 1"
    assert one.query(types) == [("DECIMAL(20,8)", "TIMESTAMP WITH TIME ZONE", "VARCHAR")]


def test_each_list_is_read_once_a_day(account: Make) -> None:
    """Later syncs of a day cost no request for these tables; the next day those with dates are read from the cursor."""
    one = account(**SMALL)
    first = read(one)
    assert len(requested(one)) == 11
    assert first.run.requests == len(one.sandbox.requests), "all requests are counted"
    one.world.advance(hours=11)
    assert read(one).run.requests == len(one.sandbox.requests)
    assert requested(one) == []
    one.world.advance(hours=2)
    read(one)
    (invoices,) = [request for request in requested(one) if request.path.endswith("Invoices")]
    assert invoices.query["StartDate"] == "2026-01-01T19:43:30Z", "the oldest invoice that is not paid yet"
    assert len(requested(one)) == 11
    assert_true(one)


def test_a_sync_of_a_part_reads_the_tables_of_all(account: Make) -> None:
    """`--campaign` and `--since` limit actions; nothing is marked as read that was not."""
    one = account(**SMALL)
    read(one, Ask(("2000",), since=one.world.now - timedelta(days=2)))
    assert_true(one)


@pytest.mark.parametrize("status", [403, pytest.param(404, marks=pytest.mark.long)])
def test_what_the_token_may_not_read_is_left_out(
    account: Make, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing scope is told once, costs a request a day and breaks nothing; with the scope the table comes."""
    one = account(**SMALL, rules=Rules(withheld=(("Invoices", status), ("Contracts", status))))
    summary = read(one)
    assert summary.exit is Exit.DONE
    show(summary)
    said = capsys.readouterr().out
    assert len(re.findall(r"left out: (invoices|contracts of campaign 1000, 2000): ", said.replace("\n", " "))) == 2
    tables = {name for (name,) in one.query("select table_name from duckdb_tables() where schema_name = 'impact'")}
    assert set(REFERENCE) - tables == {"contracts", "invoices", "invoice_lines"}
    assert_true(one, *(set(REFERENCE) & tables))
    one.world.advance(hours=1)
    assert not read(one).notes[1:]
    assert requested(one) == []
    status_said = CliRunner().invoke(main, ["status"]).output.replace("\n", " ")
    assert "Left out: contracts of campaign 1000, 2000: " in status_said
    found = json.loads(CliRunner().invoke(main, ["status", "--json"]).output)["reference"]
    assert {(one["table"], one["campaign"]) for one in found} == {
        ("contracts", "1000"),
        ("contracts", "2000"),
        ("invoices", None),
    }
    monkeypatch.setenv("SOURCES__IMPACT__REFERENCE", "company")
    assert "Left out" not in CliRunner().invoke(main, ["status"]).output, "the user knows"
    monkeypatch.delenv("SOURCES__IMPACT__REFERENCE")
    one.world.rules = Rules()
    one.world.advance(days=1)
    assert read(one).exit is Exit.DONE
    assert_true(one)
    assert "Left out" not in CliRunner().invoke(main, ["status"]).output


@pytest.mark.long
def test_a_scope_that_is_taken_away_keeps_the_rows(account: Make) -> None:
    """Rows of a table that may no longer be read stay, and are brought up to date once it may be again."""
    one = account(**SMALL)
    one.first_sync(reference=REFERENCE)
    rows = one.query("from impact.invoices order by id")
    one.world.rules = Rules(withheld=tuple((name, 403) for name in RESOURCES))
    one.world.advance(days=40)
    assert read(one).exit is Exit.DONE
    assert one.query("from impact.invoices order by id") == rows
    one.world.rules = Rules()
    one.world.advance(days=1)
    read(one)
    assert_true(one)


def test_a_list_that_fails_is_loud_and_read_again(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """A list without a valid answer costs the exit code, nothing else; the next sync reads it, also on the same day."""
    one = account(**SMALL)
    one.sandbox.on_request = answer("Invoices", Reply(500))
    summary = read(one)
    assert summary.exit is Exit.FAILED
    assert summary.run.outcome == "Unavailable"
    show(summary)
    assert "- invoices: the API answers 500" in capsys.readouterr().out
    assert_true(one, *(set(REFERENCE) - {"invoices", "invoice_lines"}))
    assert "Not read: invoices: the API answers 500. The next" in CliRunner().invoke(main, ["status"]).output
    one.sandbox.on_request = None
    assert read(one).exit is Exit.DONE
    assert len(requested(one)) == 1
    assert_true(one)


def test_a_list_that_is_not_complete_is_none(account: Make) -> None:
    """If fewer records arrive than the API counts, it is read again; if that is no better, nothing is removed."""
    one = account(**SMALL, campaigns=CAMPAIGNS[:1])
    one.first_sync(reference=REFERENCE)
    short = [Reply(200, b'{"@total":"2","@nextpageuri":"","Partners":[]}')] * 3
    one.sandbox.on_request = lambda request: short.pop() if request.path.endswith("Partners") and short else None
    one.world.advance(days=1)
    summary = read(one)
    assert summary.exit is Exit.FAILED
    assert "incomplete: the API reports 2, 0 could be read" in str(summary.not_read[0])
    assert len(short) == 1
    assert read(one).exit is Exit.DONE
    assert short == []
    assert_true(one)


def test_when_the_api_is_down_it_is_not_asked_for_ever(account: Make) -> None:
    """After three lists without an answer the others are left for the next sync."""
    one = account(**SMALL)
    one.sandbox.on_request = lambda request: Reply(503) if request.path.rpartition("/")[2] in RESOURCES else None
    summary = read(one)
    assert (summary.exit, len(summary.not_read), summary.left_out) == (Exit.FAILED, 3, 6)
    assert len(requested(one)) == 3 * 3
    one.sandbox.on_request = None
    assert read(one).exit is Exit.DONE
    assert_true(one)


def test_where_requests_run_short_actions_come_first(account: Make) -> None:
    """A sync that uses up the hourly limit on these tables lands what it read; the next one reads the rest."""
    one = account(**SMALL)
    one.sync()
    used = len(one.sandbox.requests)
    one.path.unlink()
    one.sandbox.budget.limit, one.sandbox.budget.spent = used + 4, 0
    summary = read(one, max_wait=timedelta(0))
    assert (summary.exit, summary.run.outcome) == (Exit.EARLY, "stopped early")
    one.assert_true()
    assert_true(one, "company", "media_partners", "partner_groups", "partner_group_members")
    one.sandbox.budget.limit, one.sandbox.budget.spent = 100_000, 0
    assert read(one).exit is Exit.DONE
    assert len(requested(one)) == 7
    assert_true(one)


def test_a_run_that_is_killed_between_its_packages_loses_nothing(account: Make) -> None:
    """Killed after the actions have landed, while the tables are read: the next sync reads them."""
    one = account(**SMALL)
    env = environment(one, SOURCES__IMPACT__REFERENCE=json.dumps(REFERENCE))
    process = subprocess.Popen([IMPACT, "sync"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(request: Request) -> None:
        if request.path.endswith("Invoices"):
            os.kill(process.pid, signal.SIGKILL)

    one.sandbox.on_request = kill
    assert process.wait() == -signal.SIGKILL
    one.sandbox.on_request = None
    one.assert_true()
    assert one.query("select count(*) from duckdb_tables() where table_name = 'company'") == [(0,)]
    assert read(one).exit is Exit.DONE
    assert_true(one)


def test_fields_that_no_document_names_become_columns(account: Make) -> None:
    """New fields of records arrive as text; so do those of lines, and a single line may come without its list."""
    one = account(**SMALL)
    one.first_sync(reference=REFERENCE)
    one.world.rules = Rules(unknown_fields=one.world.now)
    one.world.advance(days=1)
    read(one)
    new = {name: one.query(f"select distinct loyalty_tier from impact.{name}") for name in ("company", "contracts")}
    assert new == {name: [("GOLD",)] for name in new}
    invoice = {
        "Id": "1-1",
        "CreatedDate": "2018-11-02T11:43:30-04:00",
        "TotalAmount": 65.5,
        "LineItems": {"TotalItemAmount": "65.5000", "Actions": 13, "Fee": {"Rate": 2}, "InvoiceId": "x"},
        "DetailedLineItems": [],
    }
    body = {"@total": "1", "@nextpageuri": "", "Invoices": invoice}
    one.sandbox.on_request = answer("Invoices", Reply(200, json.dumps(body).encode()))
    one.world.advance(days=1)
    assert read(one).exit is Exit.DONE
    line = "select kind, line, total_item_amount, actions, fee, invoice_id_x from impact.invoice_lines"
    assert one.query(f"{line} where invoice_id = '1-1'") == [("line", 1, Decimal("65.5"), 13, '{"Rate": 2}', "x")]


def test_a_value_that_does_not_fit_costs_its_cell(account: Make) -> None:
    """It is NULL and the record is in `rejected_records` until the API says better; the sync exits with 1 once."""
    one = account(**SMALL, campaigns=CAMPAIGNS[:1])
    texts = {"good": "1.00", "odd": "1,234.5"}

    def reply(*said: str) -> Reply:
        rows = [{"Id": str(number), "TotalAmount": texts[text]} for number, text in enumerate(said)]
        body = {"@total": str(len(rows)), "@nextpageuri": "", "Invoices": rows}
        return Reply(200, json.dumps(body).encode())

    kept = "select id, pass, null_columns, action_id from impact.rejected_records"
    for said, code, expected in (
        (("good", "odd"), Exit.DRIFT, [("invoices 1", "invoices", "total_amount", None)]),
        (("good", "odd"), Exit.DONE, [("invoices 1", "invoices", "total_amount", None)]),
        (("good", "good"), Exit.DONE, []),
    ):
        one.sandbox.on_request = answer("Invoices", reply(*said))
        summary = read(one)
        assert (summary.exit, one.query(kept)) == (code, expected)
        one.world.advance(days=1)
    assert one.query("select sum(total_amount) from impact.invoices") == [(Decimal(2),)]


def test_what_a_list_no_longer_shows_is_removed(account: Make) -> None:
    """A partner that leaves is gone from partners, groups and contracts; documents of the past stay."""
    one = account(days=10, per_day=0, campaigns=CAMPAIGNS)
    gone, stays = (one.world.create(MediaPartnerId=partner, MediaPartnerName="P") for partner in ("77", "78"))
    read(one)
    assert one.query("select id from impact.media_partners order by id") == [("77",), ("78",)]
    one.world.remove(gone)
    one.world.advance(days=1)
    read(one)
    assert_true(one)
    assert one.query("select id from impact.media_partners") == [("78",)]
    assert one.query("select partner_id from impact.contracts") == [("78",)]
    one.world.remove(stays)
    one.world.advance(days=1)
    read(one)
    assert_true(one)
    assert one.query("select count(*) from impact.media_partners") == [(0,)]


def test_an_invoice_that_is_no_longer_listed_stays(account: Make) -> None:
    """Its list is read only as far back as it can change, so nothing would bring back what one answer lacked."""
    one = account(**SMALL)
    one.first_sync(reference=REFERENCE)
    before = one.query("from impact.invoice_lines order by all")
    one.sandbox.on_request = answer("Invoices", Reply(200, b'{"@total":"0","@nextpageuri":"","Invoices":[]}'))
    one.world.advance(days=1)
    assert read(one).exit is Exit.DONE
    assert one.query("from impact.invoice_lines order by all") == before


def test_ranges_are_split_where_the_api_limits_them(account: Make) -> None:
    """Years are read in one request, or in windows of 45 days if that is refused; any other refusal is loud."""
    one = account(**SMALL, rules=Rules(reference_days=45))
    assert read(one).exit is Exit.DONE
    ranges = [request for request in requested(one) if request.path.endswith("Invoices")]
    assert [request.status for request in ranges] == [400, 200, 200, 200]
    assert_true(one)
    one.world.advance(days=1)
    one.world.rules = Rules(reference_days=0)
    summary = read(one)
    assert summary.exit is Exit.FAILED
    assert "The range cannot exceed 0 days" in str(summary.not_read[0])


def test_a_campaign_that_joins_is_read_at_once(account: Make) -> None:
    """Its lists are read from the beginning on the day it appears, those of the others are not read again."""
    one = account(**SMALL, campaigns=CAMPAIGNS[:1])
    one.first_sync(reference=REFERENCE)
    one.world.add_campaign(Campaign("3000", "Acme New", share=1.0))
    assert read(one).exit is Exit.DONE
    assert {(*request.path.split("/")[3:], request.query.get("CampaignId")) for request in requested(one)} == {
        ("Campaigns", "3000", "MediaPartnerGroups", None),
        ("Campaigns", "3000", "Contracts", None),
        ("ActionInquiries", "3000"),
    }
    assert_true(one, "partner_groups", "contracts", "action_inquiries")


@pytest.mark.long
def test_an_earlier_start_date_reads_further_back(account: Make) -> None:
    """What was created before the first start is read once the setting says so."""
    one = account(**SMALL)
    read(one, start_date=one.world.now - timedelta(days=20))
    ((early,),) = one.query("select min(creation_date) from impact.action_inquiries")
    one.world.advance(days=1)
    read(one)
    assert_true(one)
    assert one.query("select min(creation_date) from impact.action_inquiries") < [(early,)]


@pytest.mark.long
def test_an_old_inquiry_is_followed_until_it_is_resolved(account: Make) -> None:
    """However long ago an open inquiry was created, the sync after its resolution shows it."""
    one = account(**SMALL)
    for _ in range(7):
        read(one)
        assert_true(one, "action_inquiries")
        one.world.advance(days=9)
    late = "select max(resolution_date - creation_date) > interval 40 day from impact.action_inquiries"
    assert one.query(late) == [(True,)]


@on_duckdb_first
def test_on_each_warehouse_the_tables_are_true_and_described(account: Make, warehouse: str) -> None:
    """On DuckDB and Postgres, rows equal the API after changes, and every column has its comment."""
    one = account(**SMALL)
    read(one)
    one.world.advance(days=30)
    read(one)
    comments = {
        "duckdb": "select count(*) from duckdb_columns() where table_name = '{table}' and comment is null "
        "and not starts_with(column_name, '_dlt')",
        "postgres": "select count(*) from information_schema.columns where table_name = '{table}' "
        "and table_schema = 'impact' and column_name not like '\\_dlt%' "
        "and col_description('impact.{table}'::regclass, ordinal_position) is null",
    }[warehouse]
    with open_pipeline(read_only=True) as pipeline, pipeline.sql_client() as client:

        def query(sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
            with client.execute_query(sql) as cursor:
                return [column[0] for column in cursor.native_cursor.description], cursor.fetchall()

        assert list(wrong(one.world, query))[:5] == []
        assert [query(comments.format(table=table))[1] for table in REFERENCE] == [[(0,)]] * len(REFERENCE)


@pytest.mark.parametrize(
    "dropped",
    [
        "drop table invoice_lines",
        pytest.param("drop table media_partners", marks=pytest.mark.long),
        "alter table action_inquiries drop column resolution_status",
    ],
)
def test_what_somebody_dropped_is_read_again(account: Make, dropped: str) -> None:
    """The next sync recreates the table or column and reads its list completely, those of no other table."""
    one = account(**SMALL, campaigns=CAMPAIGNS[:1])
    one.first_sync(reference=REFERENCE)
    with one.changing() as connection:
        connection.execute(dropped)
    assert read(one).exit is Exit.DONE
    assert len(requested(one)) == 1
    assert_true(one)


def test_the_lake_has_the_tables(account: Make, tmp_path: Path) -> None:
    """What is published equals the warehouse, and what was removed there is gone."""
    one, lake = account(days=10, per_day=0, campaigns=CAMPAIGNS[:1]), Lake(str(tmp_path / "lake"), "acme")
    gone = one.world.create(MediaPartnerId="77")
    one.world.create(MediaPartnerId="78")
    read(one)
    assert {*REFERENCE} <= {written.table for written in publish(lake)}
    assert_published(one.path, lake)
    one.world.remove(gone)
    one.world.advance(days=1)
    read(one)
    assert {written.table: written.removed for written in publish(lake)}["media_partners"] == 1
    assert_published(one.path, lake)


def test_each_table_can_be_switched_off(account: Make) -> None:
    """Only the lists of the chosen tables are requested; a name that no table has is refused."""
    one = account(**SMALL)
    read(one, reference=("invoice_lines", "company"))
    assert {request.path.rpartition("/")[2] for request in requested(one)} == {"CompanyInformation", "Invoices"}
    assert_true(one, "company", "invoices", "invoice_lines")
    read(one, reference=())
    assert requested(one) == []
    with pytest.raises(ConfigurationError, match="has no table invoice: it has company, "):
        one.settings(reference=("invoice",))


def test_the_switch_is_read_from_the_configuration(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default all tables are chosen; an empty list chooses none."""
    one = account(**SMALL)
    credentials = {"account_sid": one.sandbox.account_sid, "auth_token": "t"}
    assert Settings.resolve(**credentials).reference == REFERENCE
    for text, chosen in (("[]", ()), ("company,contracts", ("company", "contracts"))):
        monkeypatch.setenv("SOURCES__IMPACT__REFERENCE", text)
        assert Settings.resolve(**credentials).reference == chosen


def test_check_says_which_tables_can_be_read(account: Make) -> None:
    """A token that may not read a list is no failure; each list costs a request."""
    one = account(**SMALL, rules=Rules(withheld=(("Invoices", 403),)))
    env = environment(one, SOURCES__IMPACT__REFERENCE=json.dumps(REFERENCE))
    said = clean(impact("check", env=env), 0)
    assert re.search(
        r"reference tables\W+no\W+the token may not read, or the API does not have, invoices: a sync", said
    )
    assert len(requested(one)) == len(RESOURCES)
    one.world.rules = Rules()
    assert re.search(
        r"reference tables\W+ok\W+can be read: company, media_partners", clean(impact("check", env=env), 0)
    )


def test_a_dry_run_counts_the_lists_that_are_due(account: Make) -> None:
    """It requests none of them."""
    one = account(**SMALL)
    settings = one.settings(reference=REFERENCE)
    assert dry_run(settings).reference == 9
    assert requested(one) == []
    read(one)
    assert dry_run(settings).reference == 0


def test_the_source_works_without_the_commands(account: Make) -> None:
    """A dlt pipeline of one's own loads the tables, and leaves out what is not due the second time."""
    one = account(**SMALL)
    one.world.rules = replace(one.world.rules, withheld=(("Contracts", 403),))
    with open_pipeline() as pipeline:
        pipeline.run(impact_reference(one.settings(reference=REFERENCE)))
        assert len(requested(one)) == 9
        pipeline.run(impact_reference(one.settings(reference=REFERENCE)))
        assert len(requested(one)) == 9
        with pytest.raises(PipelineStepFailed, match="impact_reference cannot be refreshed"):
            pipeline.run(impact_reference(one.settings(reference=REFERENCE)), refresh="drop_data")
    assert_true(one, *(set(REFERENCE) - {"contracts"}))

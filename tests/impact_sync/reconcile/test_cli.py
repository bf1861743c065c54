"""`impact reconcile` as a user runs it: tables, sentences, exit codes, the road to corrections."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import clean, environment, impact
from tests.support.orders import Shop

Make = Callable[..., Shop]


def user(one: Shop, **changes: str) -> dict[str, str]:
    """The environment of a user of this account, who does not wait for submissions."""
    own = {"SOURCES__IMPACT__POLL_INTERVAL": "0 seconds", "SOURCES__IMPACT__ACTOR": "J. Doe"}
    return environment(one.desk.account, **(own | changes))


@pytest.fixture
def one(shop: Make) -> Shop:
    """A synced shop with the orders 1 to 4."""
    made = shop()
    for oid in "1234":
        made.desk.create(Oid=oid)
    made.desk.sync()
    return made


def test_from_orders_to_confirmed_corrections(one: Shop) -> None:
    """What differs is shown with its money and its deadline, planned, applied, and gone in the next run."""
    path = str(one.file("1,returned,0,USD,,", "2,cancelled,0,USD,,", "3,placed,24.00,USD,,", "4,placed,30.00,USD,,"))
    output = clean(impact("reconcile", path, env=user(one)), 1)
    assert re.search(r"returned or cancelled, not reversed\W+open\W+USD\W+2\W+5\.00\W+by a plan", output)
    assert re.search(r"another amount\W+open\W+USD\W+1\W+0\.50\W+by a plan", output)
    day = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.search(rf"3\W+\S+\W+another amount\W+placed 24\.00 USD\W+PENDING 30\.00 USD\W+\+0\.50\W+{day}", output)
    assert "4 orders compared as of 2026-01-15 12:00 UTC, 4 with an action." in output
    assert "3 can still be corrected, 3 of them by a plan: --plan stores one." in output
    assert one.desk.writes == []
    output = clean(impact("reconcile", path, "--plan", env=user(one)), 1)
    assert "Known from earlier reconciliations: 3 (+5.50 USD of commission)." in output
    assert "Nothing was sent" in output
    assert one.desk.writes == []
    (plan_id,) = re.findall(r"impact corrections apply (\S+)", output)
    assert one.desk.journal("distinct actor, reason, note") != []
    file = one.desk.account.path.with_name("impact_warehouse.duckdb.corrections.jsonl")
    kept = file.rename(file.with_suffix(".moved"))
    assert "resolve --to-file" in clean(impact("reconcile", path, "--plan", env=user(one)), 2)
    kept.rename(file)
    assert one.desk.journal("reason, note") == [
        ("ITEM_RETURNED", "order 1: returned"),
        ("OTHER", "order 2: cancelled"),
        ("ORDER_UPDATE", "order 3: placed"),
    ]
    clean(impact("corrections", "apply", plan_id, "--yes", env=user(one)), 0)
    assert len(one.desk.writes) == 3
    one.desk.world.advance(hours=1)
    one.desk.sync()
    output = clean(impact("reconcile", path, env=user(one)), 0)
    assert "Settled at impact.com since: 3 (+5.50 USD of commission)." in output
    assert output.rstrip().endswith("No difference.")


def test_the_reason_codes_are_the_users(one: Shop) -> None:
    """The configuration maps statuses to codes; one that the API does not take is refused like any other line."""
    path = str(one.file("1,returned,0,USD,,", "2,cancelled,0,USD,,"))
    codes = user(one, IMPACT__ORDER_REASONS='{"cancelled": "ORDER_ERROR", "returned": "BECAUSE"}')
    output = clean(impact("reconcile", path, "--plan", env=codes), 1)
    assert "BECAUSE is not a disposition code" in output
    assert one.desk.journal("reason") == [("ORDER_ERROR",)]
    wrong = user(one, IMPACT__ORDER_REASONS='{"lost": "OTHER"}')
    assert "order_reasons has no lost: it has returned, cancelled" in clean(impact("reconcile", path, env=wrong), 2)


def test_the_configuration_file_says_what_statuses_mean(one: Shop, tmp_path: Path) -> None:
    """Its tables map statuses and reasons; the error about an unknown status shows where to write it."""
    path = str(one.file("1,Sent back,0,USD,,"))
    said = clean(impact("reconcile", path, env=user(one)), 2)
    assert 'under [impact.order_statuses], for example "Sent back" = "returned"' in said.replace("\n", " ")
    (tmp_path / ".dlt").mkdir()
    file = tmp_path / ".dlt" / "config.toml"
    file.write_text(
        '[impact.order_statuses]\n"Sent back" = "returned"\n[impact.order_reasons]\nreturned = "MP_RETURNED"\n'
    )
    clean(impact("reconcile", path, "--plan", env=user(one)), 1)
    assert one.desk.journal("reason") == [("MP_RETURNED",)]


def test_what_can_no_longer_be_corrected_ends_with_0(one: Shop) -> None:
    """After the lock the difference is told, with what it cost, but there is nothing to do."""
    path = str(one.file("1,returned,0,USD,,"))
    clean(impact("reconcile", path, env=user(one)), 1)
    one.desk.world.advance(days=70)
    one.desk.sync()
    output = clean(impact("reconcile", path, "--plan", env=user(one)), 0)
    assert "Locked before they were corrected: 1 (+2.50 USD of commission)." in output
    assert "Nothing can be corrected." in output
    assert "Plan " not in output


def test_what_no_plan_corrects_says_what_a_person_can_do(one: Shop) -> None:
    """Each kind that is open comes with a sentence; nothing of it is planned."""
    one.desk.world.reverse(one.desk.world.truth().to_pylist()[0]["Id"])
    one.desk.sync()
    orders = ("1,placed,30.00,USD,,", "2,placed,30.00,USD,,", "3,placed,30.00,USD,,", "4,placed,30.00,USD,,")
    lost = "5,placed,30.00,USD,,true"
    output = clean(impact("reconcile", str(one.file(*orders, lost)), "--plan", env=user(one)), 1)
    assert "Reversed, but alive in the shop: a correction with the reason RESET restores it." in output
    assert "Order without an action: corrections cannot create one: submit the conversion" in output
    assert "1 can still be corrected, by hand." in output
    assert "Plan " not in output


def test_options_reach_the_comparison(one: Shop) -> None:
    """Names, ids, bounds, items and the file are taken from the command line."""
    path = str(one.file("no1,returned,0,2026-01-10", "no2,placed,31.00,2026-01-01", header="nr,state,sum,day"))
    maps = [
        part for pair in ("order_id=nr", "status=state", "amount=sum", "ordered_at=day") for part in ("--map", pair)
    ]
    arguments = (path, *maps, "--ignore", "prefix=no", "--ignore", "case", "--since", "2026-01-10", "-o", "found.csv")
    output = clean(impact("reconcile", *arguments, "--referred", env=user(one)), 1)
    assert "1 orders compared" in output
    assert "Ids were compared without regard to case." in output
    assert "All differences are in found.csv." in output
    sql = "select oid as order_id, 'placed' as status, amount + 1 as amount from impact.actions where oid = '1'"
    assert "another amount" in clean(impact("reconcile", "--sql", sql, env=user(one)), 1)


def test_what_is_known_is_told_with_its_money_and_without(one: Shop) -> None:
    """Differences whose commission nobody knows are one line of their own, which says so."""
    orders = ("1,returned,0,USD,,", "2,placed,30.00,EUR,,", "5,placed,30.00,USD,,true")
    path = str(one.file(*orders))
    clean(impact("reconcile", path, env=user(one)), 1)
    said = clean(impact("reconcile", path, env=user(one)), 1)
    assert "Known from earlier reconciliations: 1 (+2.50 USD of commission)." in said
    assert "Known from earlier reconciliations: 2, whose commission is not known." in said
    assert said.count("Known from") == 2


def test_what_the_user_can_fix_is_said(one: Shop) -> None:
    """Bad input ends with exit code 2 and one line that says what to do."""
    path = str(one.file("1,returned,0,USD,,"))
    says = {
        ("reconcile",): "give either ORDERS, a CSV or Parquet file, or --sql",
        ("reconcile", path, "--sql", "select 1"): "give either ORDERS",
        ("reconcile", "nowhere.csv"): "there is no file nowhere.csv",
        ("reconcile", path, "--items", "nowhere.csv"): "there is no file nowhere.csv",
        ("reconcile", path, "--map", "sum"): "give ours=theirs",
        ("reconcile", path, "--since", "yesterday"): "'yesterday' is not an ISO 8601",
        ("reconcile", path, "--since", "2026-01-02", "--until", "2026-01-01"): "after --until (2026-01-01): swap them",
    }
    for arguments, said in says.items():
        assert said in clean(impact(*arguments, env=user(one)), 2)
    nowhere = user(one, DESTINATION__DUCKDB__CREDENTIALS="nothing.duckdb")
    assert "run `impact sync` first" in clean(impact("reconcile", path, env=nowhere), 2)


def test_no_credentials_are_needed_unless_to_plan(one: Shop) -> None:
    """Whoever may read the warehouse may compare; a plan asks the API for the time, before anything is compared."""
    path = str(one.file("1,returned,0,USD,,"))
    env = {name: value for name, value in user(one).items() if "AUTH_TOKEN" not in name}
    assert "AUTH_TOKEN is not set" not in clean(impact("reconcile", path, env=env), 1)
    assert "auth_token is not set" in clean(impact("reconcile", path, "--plan", env=env), 2)

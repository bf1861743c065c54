"""The functions that ask about an instant: when they exist, who may call them, and that all invoices tie out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import duckdb
import pytest
from impact_sandbox import Rules
from impact_source.settings import REFERENCE

from tests.support import postgres
from tests.support.account import Account, on_duckdb_first
from tests.support.warehouses import query

Make = Callable[..., Account]
_BALANCE = "select sum(accrued) from {}accrued_at('9000-01-01')"


@pytest.mark.usefixtures("warehouse")
@on_duckdb_first
@pytest.mark.parametrize("a_month", [1, 2])
def test_the_invoices_of_a_synced_account_tie_to_the_cent(account: Make, a_month: int) -> None:
    """In the account's calendar nothing differs but the bonuses, whoever pays VAT or is late, or gets two invoices."""
    account(days=150, per_day=3, rules=Rules(invoices_a_month=a_month)).sync(reference=REFERENCE, time_zone="")
    assert query("select max(invoices) from {invoice_tie_out}") == [(a_month,)]
    rows = query("select explanation, count(*), sum(unexplained) from {invoice_tie_out} group by 1 order by 1")
    assert [(what, rest) for what, _, rest in rows] == [("other amount", 0), (None, 0)]
    assert all(number > 5 for _, number, _ in rows)
    ((bonuses,),) = query("select sum(net_item_amount) from {invoice_lines} where description = 'BONUS'")
    assert query("select sum(difference), count(explaining_actions) from {invoice_tie_out}") == [(bonuses, 0)]
    assert query("select count(*) from {invoice_actions} where is_missing") == [(0,)]
    ((month, due),) = query("select min(invoice_month), sum(total_amount) from {invoice_months} group by status")[:1]
    assert (month.day, due > 0) == (1, True)


def test_without_history_there_are_no_functions(account: Make) -> None:
    """They ask for what was known then; without a history nothing is."""
    world = account(days=1, per_day=2)
    world.first_sync(history=False)
    assert world.query("from duckdb_functions() where schema_name = 'impact' and function_type = 'table_macro'") == []


@pytest.mark.parametrize("name", ["impact", "books-2026"])
def test_functions_answer_in_a_file_of_any_name(account: Make, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A warehouse that is called like its schema answers, as does one that is opened from elsewhere in a session."""
    world = account(days=2, per_day=2)
    path = world.folder / f"{name}.duckdb"
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(path))
    world.sync()
    with duckdb.connect(str(path), read_only=True) as connection:
        total = connection.execute(f'select sum(payout) from "{name}".impact.actions').fetchall()
        assert connection.execute(_BALANCE.format(f'"{name}".impact.')).fetchall() == total


def test_functions_keep_their_grants(account: Make, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function is replaced in place, or created again with its grants if an earlier version had other columns."""
    address = postgres.new_database(server)
    monkeypatch.setenv("IMPACT__DESTINATION", "postgres")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    world = account(days=2, per_day=2)
    world.first_sync()

    execute = partial(postgres.execute, address)
    execute("create role auditor; create role guest")
    functions = ("impact.accrued_at(text)", "impact.roll_forward(text, text)")
    for function in functions:
        execute(f"revoke all on function {function} from public; grant execute on function {function} to auditor")
    execute("comment on function impact.roll_forward(text, text) is 'an earlier release'")
    execute(
        "drop function impact.accrued_at(timestamptz); create function impact.accrued_at(moment timestamptz) "
        "returns table (other int) language sql as 'select 1'"
    )
    execute("create schema bi; create view bi.january as select * from impact.roll_forward('2026-01-01', '2026-02-01')")
    assert world.sync().exit == 0
    for function in functions:
        for role, may in (("auditor", True), ("guest", False)):
            assert execute(f"select has_function_privilege('{role}', '{function}', 'execute')") == [(may,)], role
    total = query("select sum(payout) from {actions}")
    assert execute(_BALANCE.format("impact.")) == total
    assert execute("select count(*) from bi.january")[0][0] > 0
    execute("drop view bi.january; comment on function impact.accrued_at(text) is null")
    assert world.sync().exit == 0
    assert execute("select obj_description('impact.accrued_at(text)'::regprocedure) like 'What was accrued%'") == [
        (True,)
    ]

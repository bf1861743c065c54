"""The lists are declared consistently, so that every table has a key, a description for each column, and a switch."""

from __future__ import annotations

import pytest
from impact_source.reference.lists import LISTS, Table, choose
from impact_source.rows.naming import HISTORY, LAKE
from impact_source.settings import REFERENCE

TABLES = [table for one in LISTS for table in one.tables]


def test_the_setting_names_the_tables() -> None:
    """Every table can be switched by its name, and every name switches one."""
    assert [table.name for table in TABLES] == list(REFERENCE)
    assert {name: [one.name for one in choose((name,))] for name in REFERENCE} == {
        table.name: [one.name] for one in LISTS for table in one.tables
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_columns_of_a_table(table: Table) -> None:
    """Names are unique and not those that the lake adds; the key is among them; each is described."""
    names = [column.name for column in table.columns]
    assert len({*names}) == len(names)
    assert not {*names} & (LAKE | HISTORY)
    assert {*table.key} <= {*names}
    assert all(hint["description"] for hint in table.hints.values())
    assert {name for name, hint in table.hints.items() if not hint["nullable"]} == {*table.key}

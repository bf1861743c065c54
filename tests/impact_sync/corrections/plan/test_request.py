"""Files and queries that request corrections: read correctly, or refused clearly."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from impact_source.errors import ConfigurationError
from impact_sync.corrections.plan.request import COLUMNS, EXAMPLE, read_file, read_query
from impact_sync.corrections.plan.run import Source, plan
from impact_sync.tabular import shown
from impact_sync.warehouse.open import open_pipeline

from tests.support.desk import Desk

Make = Callable[..., Desk]


def rows(path: Path) -> list[dict[str, object]]:
    """What a file requests, without its empty values."""
    return [{name: value for name, value in row.items() if value is not None} for row in read_file(path).to_pylist()]


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        (b"action_id,kind,reason,amount\nA1,update,OTHER,12.50\n", {"amount": "12.50"}),
        (b"\xef\xbb\xbfaction_id,kind,reason,amount\r\nA1,update,OTHER,12.50\r\n", {"amount": "12.50"}),
        (b"ActionId;Kind;Reason;Amount\nA1;update;OTHER;12,50\n", {"amount": "12,50"}),
        (b"sep=;\r\nActionId;Kind;Reason;Amount\r\nA1;update;OTHER;12,50\r\n", {"amount": "12,50", "line": 3}),
        (b"action_id\tkind\treason\tamount\nA1\tupdate\tOTHER\t1.234,50", {"amount": "1.234,50"}),
        (b'"action_id","kind","reason","note"\n"A1","update","OTHER","a ""b"", c"\n', {"note": 'a "b", c'}),
        (b"action_id,kind,reason,ItemSubTotalDelta\n A1 ,update,OTHER,\xc2\xa0-5\n", {"delta": "-5"}),
        ("action_id,kind,reason,sku\nA1,update,OTHER, Ä/1\n".encode(), {"sku": " Ä/1"}),
        (b"ActionId;Kind;Reason;Note\nA1;update;OTHER;a,b,c,d,e,f,g,h\n", {"note": "a,b,c,d,e,f,g,h"}),
        (b"ActionId;Kind;Reason;Note\rA1;update;OTHER;a,b,c,d,e,f,g,h\r", {"note": "a,b,c,d,e,f,g,h"}),
        (b'action_id,kind,reason,note\r\nA1,update,OTHER,"one\r\ntwo"\r\n', {"note": "one\r\ntwo"}),
    ],
    ids=[
        *(
            "plain",
            "BOM and CRLF",
            "semicolons",
            "Excel's separator",
            "tabs",
            "quotes",
            "API names and blanks",
            "a Sku as it is written",
        ),
        *("more commas in a text than semicolons", "the same with CR", "a line break within a text"),
    ],
)
def test_files_as_programs_write_them(tmp_path: Path, content: bytes, asked: dict[str, str]) -> None:
    """Byte order marks, line ends, delimiters and quotes of all kinds give the same row."""
    path = tmp_path / "asked.csv"
    path.write_bytes(content)
    assert rows(path) == [{"line": 2, "action_id": "A1", "kind": "update", "reason": "OTHER"} | asked]


def test_columns_that_a_file_lacks_are_empty_texts(tmp_path: Path) -> None:
    """Whatever a file leaves out or leaves empty, the rules find a column of texts."""
    path = tmp_path / "asked.csv"
    path.write_text("action_id,kind,reason,note\nA1,reverse,OTHER,\n")
    expected = pa.schema([("line", pa.int64()), *((name, pa.string()) for name in COLUMNS)])
    assert read_file(path).schema == expected


def test_the_event_type_and_the_order_name_an_action(tmp_path: Path) -> None:
    """Users without action ids give the two that identify an order instead."""
    path = tmp_path / "asked.csv"
    path.write_text("ActionTrackerId,OID,kind,reason\n2240,7/1,reverse,OTHER\n")
    asked = {"action_tracker_id": "2240", "order_id": "7/1", "kind": "reverse", "reason": "OTHER"}
    assert rows(path) == [{"line": 2} | asked]


def test_a_row_with_one_cell_is_not_left_out(tmp_path: Path) -> None:
    """Only rows without anything are skipped: an incomplete row is checked, and refused, with the others."""
    path = tmp_path / "asked.csv"
    path.write_text("action_id,kind,reason,note\nA1,,,\n,,,\n,,,why\n")
    assert rows(path) == [{"line": 2, "action_id": "A1"}, {"line": 4, "note": "why"}]


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    """Blank lines and line breaks within quotes do not shift the reported line of a row."""
    path = tmp_path / "asked.csv"
    path.write_text('action_id,kind,reason,note\n\nA1,update,OTHER,"one\ntwo"\n,,,\nA2,reverse,OTHER,\n')
    assert [(row["line"], row["action_id"]) for row in rows(path)] == [(3, "A1"), (6, "A2")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"action_id,kind,reason\n", "has no rows: there is nothing to plan"),
        (b"action_id,kind,reason,amout\nA1,update,OTHER,5\n", "unknown column 'amout'; the columns are action_id, "),
        (b"action_id,kind,reason, \nA1,update,OTHER,\n", "unknown column ' '; the columns are "),
        (b"action_id,reason\nA1,OTHER\n", "missing column kind"),
        (b"order_id,kind,reason\n9,update,OTHER\n", "missing column action_id .or action_tracker_id and order_id."),
        (b"action_id,kind,reason,Amount,amount\nA1,update,OTHER,5,5\n", "duplicate column amount"),
        (b"action_id,kind,reason,amount\nA1,update,OTHER,12,50\n", "line 2: 5 cells for 4 columns"),
        (b"action_id,kind,reason\nA1,update\n", "line 2: 2 cells for 3 columns"),
        (b'action_id,kind,reason\nA1,"update,OTHER\n', "line 2: "),
        (b'action_id,kind,reason\nA1,"up"date,OTHER\n', "line 2: "),
        (b'"action_id"s,kind,reason\nA1,update,OTHER\n', "line 1: "),
        (
            b"order_id,action_tracker_id,kind,reason\n1.5E+15,7,reverse,OTHER\n",
            "line 2: order_id is 1.5E.15: a spreadsheet",
        ),
        ("action_id,kind,reason,note\nA1,update,OTHER,zurück\n".encode("latin-1"), "is not UTF-8"),
        ("action_id,kind,reason\nA1,update,OTHER\n".encode("utf-16"), "is not UTF-8"),
        (b"action_id,kind,reason\nA1,up\x00date,OTHER\n", "contains NUL bytes"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path: Path, content: bytes, says: str) -> None:
    """Whatever is wrong is reported with its file and its line, and nothing is guessed."""
    path = tmp_path / "asked.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^{re.escape(str(path))}.*{says}"):
        read_file(path)


@pytest.mark.parametrize("name", ["asked.parquet", "asked.pq", "ASKED.PQ"])
def test_a_parquet_file_is_read_by_its_types(tmp_path: Path, name: str) -> None:
    """Decimals, floats and integers keep their value: three decimals are not thousands."""
    path = tmp_path / name
    table = pa.table(
        {
            'Action"Id': ["A1", "A2"],
            "kind": ["update", None],
            "reason": ["OTHER", None],
            "amount": pa.array([Decimal("1.234"), Decimal("1200.000")], pa.decimal128(9, 3)),
            "delta": pa.array([-2.5, None], pa.float64()),
            "quantity": pa.array([2.0, None], pa.float64()),
        }
    )
    pq.write_table(table, path)
    first = {"line": 1, "action_id": "A1", "kind": "update", "reason": "OTHER"}
    assert rows(path) == [
        first | {"amount": "1.2340", "delta": "-2.5", "quantity": "2"},
        {"line": 2, "action_id": "A2", "amount": "1200"},
    ]
    for wrong, says in ((table.rename_columns([*"abcdef"]), "unknown column 'a', "), (table[:0], "nothing to plan")):
        pq.write_table(wrong, path)
        with pytest.raises(ConfigurationError, match=f"^{re.escape(str(path))}.*{says}"):
            read_file(path)
    path.write_bytes(b"PAR1 and nothing")
    with pytest.raises(ConfigurationError, match="cannot be read as Parquet"):
        read_file(path)


def test_the_example_is_read(tmp_path: Path) -> None:
    """The example file has the documented columns, each used, and is read without a complaint."""
    path = tmp_path / "example.csv"
    path.write_text(EXAMPLE.read_text())
    used = {name for row in rows(path) for name in row}
    assert used == {"line", *COLUMNS} - {"action_tracker_id", "order_id", "disposition_code"}


def test_a_query_is_held_to_the_columns_of_a_file() -> None:
    """Errors in a query's columns, or an empty result, are reported as for a file."""
    with open_pipeline() as pipeline:
        with pipeline.sql_client() as client:
            client.create_dataset()
        asked = "select 'A1' as action_id, 'update' as kind, 'OTHER' as reason, 12.500 as amount"
        (row,) = read_query(pipeline, asked).to_pylist()
        assert (row["line"], row["action_id"], row["amount"]) == (1, "A1", "12.5")
        with pytest.raises(ConfigurationError, match=r"^the query: unknown column 'amout'"):
            read_query(pipeline, asked.replace("amount", "amout"))
        with pytest.raises(ConfigurationError, match=r"^the query has no rows"):
            read_query(pipeline, f"{asked} where false")


def test_a_query_is_shown_in_a_line() -> None:
    """The journal records the query, on one line and shortened."""
    assert shown("\nselect *\n\n  from\tasked ") == "select * from asked"
    assert shown("x" * 501) == "x" * 500


def test_a_query_in_the_warehouse_asks(desk: Make) -> None:
    """Corrections come from a query as well, typed; what is not a query, or would write, is refused."""
    one = desk()
    action = one.create()
    one.sync()
    sql = "select id as action_id, 'update' as kind, 'OTHER' as reason, amount - 10.125 as amount from actions"
    found = plan(one.settings(), Source(sql=sql))
    assert [(row.action_id, row.line, row.new_amount) for row in found.rows] == [(action, 1, Decimal("19.875"))]
    for wrong in ("delete from actions", "select 1; select 2", "rollback; drop table actions", "selec", "from nothing"):
        with pytest.raises(ConfigurationError, match="the query cannot be used"):
            plan(one.settings(), Source(sql=wrong))
    with duckdb.connect(str(one.account.path)) as connection:
        assert connection.execute("select count(*) from impact.actions").fetchone() == (1,)

"""Orders as shops write them: dirty files, other names, other databases."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from impact_source.errors import ConfigurationError
from impact_sync.reconcile.asking import Ask, asked
from impact_sync.reconcile.comparison import Normalised, workplace
from impact_sync.reconcile.database import reading
from impact_sync.reconcile.given import Given

from tests.support import postgres
from tests.support.orders import Shop, told

Make = Callable[..., Shop]
_CUT = [("00123", "not_corrected", Decimal("1234.5"))]


@pytest.fixture
def one(shop: Make) -> Shop:
    """A shop with one order, 00123, whose action is of 2000.00."""
    made = shop()
    made.desk.create(Oid="00123", Amount="2000.00", Payout="200.00", items=())
    made.desk.sync()
    return made


FILES = {
    "plain": b"order_id,status,amount\n00123,partly_returned,1234.50\n",
    "BOM, CRLF, sep and commas": b"\xef\xbb\xbfsep=;\r\nOrderId;Status;Amount\r\n00123;Partly returned;1.234,50\r\n",
    "tabs and blanks around": b"Oid\tstatus \t amount\n00123\t partly_returned\t 1234,5\n",
    "empty rows and columns": b"order_id,,status,amount,\n00123,,partly_returned,1234.5,\n,,,,\n\n",
    "columns of others": b"customer,order_id,status,amount,e-mail\nJ,00123,partly_returned,1234.5000,j@x\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_files_as_programs_write_them(one: Shop, content: bytes) -> None:
    """Byte order marks, separators, decimal commas, empty and unknown columns give the same orders."""
    path = one.desk.account.folder / "orders.csv"
    path.write_bytes(content)
    assert told(one.run(Ask(Given(path))), "order_amount") == _CUT


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("1,placed,5.00", '2,placed,"1,234"'), "line 3 of the orders: amount may be thousands or decimals: 1,234;"),
        (("1,placed,a lot",), "line 2 of the orders: amount is not a number: a lot"),
        ((",placed,5.00",), "line 2 of the orders: order_id is empty"),
        (("1.23457E+15,placed,5.00",), "line 2: order_id is 1.23457E\\+15: a spreadsheet has replaced its digits"),
        (("1,on its way,5.00", "2,on its way,5.00", "3,lost,"), "'on its way' \\(2 orders\\), 'lost' \\(1 orders\\)"),
        (("1,placed",), "line 2: 2 cells for 3 columns"),
        ((), "has no rows: there is nothing to compare"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(one: Shop, lines: tuple[str, ...], says: str) -> None:
    """Nothing is guessed and nothing compared: the file, the line and the value are named."""
    with pytest.raises(ConfigurationError, match=says):
        one.reconcile(*lines, header="order_id,status,amount")
    assert one.desk.account.query("from duckdb_tables() where table_name like 'reconciliation%'") == []


@pytest.mark.skipif(os.name != "posix", reason="an open file keeps its name there")
def test_no_copy_of_the_orders_outlives_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While orders are compared, no file has their copy under a name: whatever ends the process leaves none behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with workplace(Normalised()) as connection:
        connection.execute("insert into given_orders (line, order_id) select i, 'order ' || i from range(300000) r(i)")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert connection.execute("select count(distinct order_id) from given_orders").fetchall() == [(300_000,)]
    assert list(tmp_path.iterdir()) == []


def test_many_that_cannot_be_read_are_counted(one: Shop) -> None:
    """Ten are named, of orders and of items, and how many there are."""
    bad = [f"{number},placed,x,USD,soon,maybe" for number in range(12)]
    with pytest.raises(ConfigurationError) as error:
        one.reconcile(*bad, items=("7,,x,y",))
    said = str(error.value)
    assert said.startswith("13 rows cannot be read, and nothing was compared: line 2 of the orders: amount is not a")
    assert "ordered_at is not an ISO 8601 instant or date: soon; referred is neither true nor false: maybe" in said
    assert said.endswith("; and 3 more")
    with pytest.raises(
        ConfigurationError, match=r"line 2 of the items: sku is empty; amount is not a number: y; quant"
    ):
        one.reconcile("00123,placed,1,USD,,", items=("7,,x,y",))


@pytest.mark.parametrize(
    "moment", ["infinity", "epoch", "290000-12-31", "9999-12-31T23:59:59-12:00", "0044-01-01 (BC)"]
)
def test_instants_that_no_calendar_shows_are_no_instants(one: Shop, moment: str) -> None:
    """What only a database takes for an instant is named like any other that cannot be read."""
    with pytest.raises(ConfigurationError, match="line 2 of the orders: ordered_at is not an ISO 8601 instant"):
        one.reconcile(f"00123,placed,1.00,{moment}", header="order_id,status,amount,ordered_at")


def test_amounts_of_an_item_that_add_up_to_too_much(one: Shop) -> None:
    """The first of its rows is named."""
    with pytest.raises(ConfigurationError, match="line 2 of the items: the amounts of A in order 00123 add up to more"):
        one.reconcile("00123,placed,1,USD,,", items=("00123,A,1,999999999999", "00123,A,1,999999999999"))


def test_a_missing_column_says_what_there_is(one: Shop) -> None:
    """The order id is needed; the error shows the file's own names, one of which --map takes."""
    header, line = "number,total,state", "00123,1234.50,partly_returned"
    with pytest.raises(ConfigurationError, match=r"missing column order_id;.* it has 'number', 'total', 'state'"):
        one.reconcile(line, header=header)
    path = one.file(line, header=header)
    ask = Ask(Given(path, renamed={"order_id": "number", "amount": "total", "status": "state"}))
    assert told(one.run(ask), "order_amount") == _CUT
    with pytest.raises(ConfigurationError, match=r"no column 'sum' for amount; it has 'number', 'total', 'state'"):
        one.run(replace(ask, orders=replace(ask.orders, renamed={"order_id": "number", "amount": "sum"})))


def test_a_column_that_is_named_replaces_one_of_our_name(one: Shop) -> None:
    """If the user says which column is the amount, one that happens to be called so does not count."""
    path = one.file("00123,partly_returned,1.00,1234.50", header="order_id,status,amount,net")
    assert told(one.run(Ask(Given(path, renamed={"amount": "net"}))), "order_amount") == _CUT


def test_parquet_keeps_its_types(one: Shop) -> None:
    """Decimals, floats and instants of a Parquet file are taken as they are."""
    path = one.desk.account.folder / "orders.parquet"
    rows = {
        "order_id": ["00123", "x"],
        "status": ["partly_returned", "placed"],
        "amount": pa.array([1234.5, 0.1 + 0.2], pa.float64()),
        "ordered_at": pa.array([datetime(2026, 1, 15, 1, tzinfo=UTC)] * 2, pa.timestamp("us", tz="Asia/Tokyo")),
    }
    pq.write_table(pa.table(rows), path)
    (line,) = one.run(Ask(Given(path)))
    assert told([line], "order_amount") == _CUT
    assert line["ordered_at"] == datetime(2026, 1, 15, 1, tzinfo=UTC)


def test_the_warehouse_is_asked_by_a_query(one: Shop) -> None:
    """Orders that lie beside the actions are compared where they are."""
    sql = "select oid as order_id, 'partly_returned' as status, 1234.500 as amount from impact.actions"
    assert told(one.run(Ask(Given(sql=sql))), "order_amount") == _CUT
    with pytest.raises(ConfigurationError, match="the query cannot be used"):
        one.run(Ask(Given(sql="delete from impact.actions")))


_TABLE = "create table sold (id text, state text, amount {})"
_ROW = "insert into sold values ('00123', 'partly_returned', 1234.500)"
_QUERY = "select id as order_id, state as status, amount from sold"


def test_a_sqlite_file_is_asked(one: Shop, tmp_path: Path) -> None:
    """A shop's SQLite file is read, and only read."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute(_TABLE.format("real"))
        connection.execute(_ROW)
    assert told(one.run(Ask(Given(sql=_QUERY, address=str(path)))), "order_amount") == _CUT
    for sql, says in (
        ("delete from sold", "readonly"),
        ("select lost from sold", "no such column"),
        ("pragma x", "one select"),
    ):
        with pytest.raises(ConfigurationError, match=f"cannot be used in that database: .*{says}"):
            one.run(Ask(Given(sql=sql, address=f"sqlite:{path}")))


def test_another_duckdb_file_is_asked(one: Shop, tmp_path: Path) -> None:
    """So is a DuckDB file other than the warehouse."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(_TABLE.format("decimal(9, 3)"))
        connection.execute(_ROW)
    assert told(one.run(Ask(Given(sql=_QUERY, address=f"duckdb:{path}"))), "order_amount") == _CUT
    for sql, says in (("delete from sold", "one select"), ("select nothing from sold", "nothing")):
        with pytest.raises(ConfigurationError, match=f"cannot be used in that database: .*{says}"):
            one.run(Ask(Given(sql=sql, address=str(path))))


def test_another_postgres_is_asked(one: Shop, server: str) -> None:
    """A shop's Postgres is asked in a session that can only read; its password is in no message."""
    address = postgres.new_database(server)
    connection = psycopg2.connect(address)
    with connection, connection.cursor() as cursor:
        cursor.execute(_TABLE.format("numeric(9, 3)"))
        cursor.execute(_ROW)
    connection.close()
    assert told(one.run(Ask(Given(sql=_QUERY, address=address))), "order_amount") == _CUT
    for sql in ("delete from sold", "select 1; drop table sold", "selec"):
        with pytest.raises(ConfigurationError, match="cannot be used in that database") as error:
            one.run(Ask(Given(sql=sql, address=address)))
        assert "none@" not in str(error.value)
    wrongs = (
        "me:pass:word@127.0.0.1/shop",
        "me:word@[x/shop",
        "me:pass:word/x@127.0.0.1/shop",
        "me:p%zzword@127.0.0.1/x",
    )
    for wrong in (f"{address}_not_there", *(f"postgresql://{one}" for one in wrongs), f"POSTGRESQL://{wrongs[0]}.db"):
        with pytest.raises(ConfigurationError, match="the database of the orders cannot be opened") as error:
            one.run(Ask(Given(sql=_QUERY, address=wrong)))
        assert "word" not in str(error.value)


def test_an_unknown_database_is_refused(one: Shop) -> None:
    """An address of another kind, or of a file that is not there, says what to give."""
    for address, says in (
        ("mysql://host/shop", "is given as postgresql://"),
        ("sqlite:nowhere.db", "no database nowhere"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            one.run(Ask(Given(sql=_QUERY, address=address)))


@pytest.mark.parametrize(
    "address", ["mysql://me:word@host/shop.db", "sqlite://me:word@host/x", "host=h password=word dbname=shop.duckdb"]
)
def test_an_unknown_database_keeps_its_password(address: str) -> None:
    """What is no file may be an address with a password: it is not repeated."""
    with pytest.raises(ConfigurationError, match="is given as postgresql://") as error, reading(address, _QUERY):
        pass
    assert "me:word" not in str(error.value)
    assert "=word" not in str(error.value)


def test_numbers_of_a_database_that_nobody_can_mean(one: Shop, tmp_path: Path) -> None:
    """One that is infinite, or too large, is named with its row; an id may have as many digits as it likes."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute(_TABLE.format("real"))
        connection.executemany("insert into sold values (?, 'placed', ?)", [("1", 1e400), ("2", 1e25), ("3", 1.5)])
    with pytest.raises(
        ConfigurationError, match=r"2 rows cannot be read.*line 1 of the orders.*: inf; line 2.*: 1e\+25"
    ):
        one.run(Ask(Given(sql=_QUERY, address=str(path))))


def test_the_shops_own_statuses_are_mapped(one: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration says what a status means, whatever its case and blanks; a wrong meaning is refused."""
    monkeypatch.setenv("IMPACT__ORDER_STATUSES", '{"Partially Refunded": "partly_returned"}')
    lines = one.reconcile("00123,partially refunded,1234.50", header="order_id,status,amount")
    assert told(lines, "order_amount") == _CUT
    for wrong, says in (
        ('{"refunded": "returnd"}', "is 'returnd': it must be one of placed"),
        ("refunded", "be a table"),
    ):
        monkeypatch.setenv("IMPACT__ORDER_STATUSES", wrong)
        with pytest.raises(ConfigurationError, match=says):
            one.reconcile("00123,placed,1234.50", header="order_id,status,amount")


def test_options_say_where_orders_and_items_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, queries and names go where they belong, and the database may be a secret of the configuration."""

    def ask(orders: str | None = None, **changes: object) -> Ask:
        usual: dict[str, object] = dict.fromkeys(("sql", "database", "items", "since", "until", "output"))
        usual |= {"maps": (), "ignored": (), "referred": False, "plans": False}
        return asked(orders, **(usual | changes))  # type: ignore[arg-type]

    found = ask("orders.csv", items="items.csv", maps=("amount=net", "items.amount=price"))
    assert found.orders == Given(Path("orders.csv"), renamed={"amount": "net"})
    assert found.items == Given(Path("items.csv"), renamed={"amount": "price"})
    monkeypatch.setenv("IMPACT__ORDERS_DATABASE", "sqlite:shop.db")
    found = ask(sql="from sold", items="select * from lines")
    assert found.orders == Given(sql="from sold", address="sqlite:shop.db")
    assert found.items == Given(sql="select * from lines", address="sqlite:shop.db")
    wrong: dict[str, dict[str, object]] = {
        "give either ORDERS": {},
        "--map amuont=x: give ours=theirs": {"sql": "x", "maps": ("amuont=x",)},
        "--ignore dates: it is one of case, blanks, zeros, prefix=TEXT": {"sql": "x", "ignored": ("dates",)},
        "--database is asked by --sql": {"orders": "x.csv", "database": "sqlite:shop.db"},
        "give one text": {"sql": "x", "ignored": ("prefix=A", "prefix=B")},
    }
    for says, options in wrong.items():
        with pytest.raises(ConfigurationError, match=says):
            ask(**options)  # type: ignore[arg-type]

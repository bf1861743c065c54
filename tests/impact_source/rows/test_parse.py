"""Records become typed rows exactly; what cannot be typed is set aside with its JSON and the reason."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from impact_source.rows import parse
from impact_source.rows.columns import ACTION, ITEM, TIME, Column, Kind
from impact_source.rows.naming import column_name
from impact_source.rows.parse import Reader, Records, empty, without_nul

from tests.support.account import snake

READ_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
AS_TEXT = {
    "Id": "1000.4636.158133",
    "CampaignId": "1000",
    "CampaignName": 'Café Ünïcode \\ "quoted" \n',
    "State": "PENDING",
    "Payout": "123456789012.12345678",
    "Amount": "-21.99",
    "ClientCost": "0.8800",
    "EventDate": "2020-09-10T10:42:38-07:00",
    "LockingDate": "2020-09-26T07:00:00.250Z",
    "ClearedDate": "",
    "CustomerPostCode": "01512",
    "Note": "",
}
AS_TYPES = AS_TEXT | {"CampaignId": 1000, "ClearedDate": None, "Note": None}


def read(records: object, reader: Reader | None = None) -> Records:
    """The records of a JSON list."""
    raw = records if isinstance(records, bytes) else json.dumps(records).encode()
    return (reader or Reader(ACTION)).read(raw, READ_AT)


def row(records: object) -> dict[str, Any]:
    """The one row of a JSON list of one record."""
    (only,) = read(records).table.to_pylist()
    return {name: value for name, value in only.items() if value is not None}


EXPECTED = {
    "id": "1000.4636.158133",
    "campaign_id": "1000",
    "campaign_name": 'Café Ünïcode \\ "quoted" \n',
    "state": "PENDING",
    "payout": Decimal("123456789012.12345678"),
    "amount": Decimal("-21.99"),
    "client_cost": Decimal("0.88"),
    "event_date": datetime(2020, 9, 10, 17, 42, 38, tzinfo=UTC),
    "locking_date": datetime(2020, 9, 26, 7, 0, 0, 250000, tzinfo=UTC),
    "customer_post_code": "01512",
    "synced_at": READ_AT,
}


def test_the_text_format_becomes_typed_rows() -> None:
    """Money is exact, times are UTC, ids and post codes stay text, the empty string is NULL."""
    assert row([AS_TEXT]) == EXPECTED


def test_the_typed_format_becomes_the_same_rows() -> None:
    """Numbers and nulls on the wire mean what their texts mean, to the last digit."""
    raw = json.dumps([AS_TYPES])
    for name in ("Payout", "Amount", "ClientCost"):  # numbers as written, which no float could hold
        raw = raw.replace(f'"{AS_TYPES[name]}"', str(AS_TYPES[name]))
    assert row(raw.encode()) == EXPECTED


def test_a_field_nobody_declared_becomes_a_text_column() -> None:
    """New fields are kept, for this page and later ones; values that are not text are kept as JSON."""
    reader = Reader(ACTION)
    table = read([AS_TEXT | {"SubId1": "a", "Deep": {"x": [1.50]}}], reader).table
    assert table.select(["sub_id1", "deep"]).to_pylist() == [{"sub_id1": "a", "deep": '{"x": [1.5]}'}]
    assert read([AS_TEXT], reader).table["sub_id1"].to_pylist() == [None]
    assert read([AS_TEXT | {"SubId1": "b"}], reader).table["sub_id1"].to_pylist() == ["b"]


def test_a_new_field_cannot_overwrite_a_column() -> None:
    """A field whose name would become another column's gets a different name."""
    table = read([AS_TEXT | {"payout": "mine", "SyncedAt": "yours"}]).table
    assert table["payout_x"].to_pylist() == ["mine"]
    assert table["synced_at_x"].to_pylist() == ["yours"]
    assert table["payout"].to_pylist() == [EXPECTED["payout"]]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (AS_TEXT | {"EventDate": "yesterday"}, "EventDate is not a date and time: 'yesterday'"),
        (AS_TEXT | {"EventDate": "2026-01-01T00:00:00"}, "EventDate is a time without an offset from UTC"),
        (AS_TEXT | {"Id": ""}, "it has no Id"),
        ("a text", "not an object"),
        (None, "not an object"),
        ([1], "not an object"),
    ],
)
def test_a_record_without_a_usable_key_or_date_is_set_aside_and_the_others_land(record: object, reason: str) -> None:
    """It costs only that record, which keeps its JSON and the reason."""
    found = read([AS_TEXT | {"Id": "a"}, record, AS_TEXT | {"Id": "b"}])
    assert found.table.select(["id", "synced_at"]).to_pylist() == [{"id": id_, "synced_at": READ_AT} for id_ in "ab"]
    (rejected,) = found.rejected
    assert json.loads(rejected.raw) == record
    assert reason in rejected.reason
    assert rejected.id == (record.get("Id") or None if isinstance(record, dict) else None)


BAD = [AS_TEXT | {"EventDate": "yesterday"}, AS_TEXT | {"Id": ""}, "a text", None, [1]]


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("bad", BAD, ids=["date", "key", "text", "null", "list"])
@pytest.mark.parametrize("good", [AS_TEXT, AS_TYPES], ids=["texts", "types"])
def test_one_bad_record_of_eight_costs_itself_alone(good: dict[str, Any], bad: object, place: int) -> None:
    """Wherever it is in the page, the seven others land, each with its own values, and it keeps its JSON."""
    page: list[object] = [good | {"Id": f"{number}", "Note": f"note {number}"} for number in range(8)]
    page[place] = bad
    found = read(page)
    rest = [(f"{number}", f"note {number}") for number in range(8) if number != place]
    assert list(zip(found.table["id"].to_pylist(), found.table["note"].to_pylist(), strict=True)) == rest
    assert [json.loads(record.raw) for record in found.rejected] == [bad]


@pytest.mark.parametrize(
    ("wire", "money"),
    [
        ("0.30000000000000004", "0.3"),
        ('"0.30000000000000004"', "0.3"),
        ('"12.123456789"', "12.12345679"),
        ("-12.123456785", "-12.12345679"),
        ("1e-09", "0"),
        ("1E+1", "10"),
        ('"1e-999999999"', "0"),
        ('" 5 "', "5"),
        ('"999999999999.999999994"', "999999999999.99999999"),
    ],
)
def test_money_is_rounded_to_eight_decimals(wire: str, money: str) -> None:
    """However many digits an amount is sent with, its row lands with the amount, a half rounded away from zero."""
    found = read(b'[{"Id": "a", "Payout": "1"}, {"Id": "b", "Payout": ' + wire.encode() + b"}]")
    assert found.table["payout"].to_pylist() == [Decimal(1), Decimal(money)]
    assert not found.rejected + found.misfits


@pytest.mark.parametrize(
    ("wire", "count"),
    [("2.0", 2), ('"3.0"', 3), ('"1E+1"', 10), ("-1", -1), ("0e99999999999", 0), ("9223372036854775807", 2**63 - 1)],
)
def test_a_whole_number_is_one_however_it_is_written(wire: str, count: int) -> None:
    """`2.0` and `1E+1` are the quantities 2 and 10."""
    found = Reader(ITEM, keyed=False).read(b'[{"Sku": "a", "Quantity": ' + wire.encode() + b"}]", READ_AT)
    assert found.table["quantity"].to_pylist() == [count]
    assert not found.rejected + found.misfits


@pytest.mark.parametrize(
    ("field", "wire", "reason", "again"),
    [
        ("Payout", '"1,234.5"', "Payout is not a number: '1,234.5'", True),
        ("Payout", '"NaN"', "Payout is not a number: 'NaN'", True),
        ("Payout", '"-Infinity"', "Payout is not a number: '-Infinity'", True),
        ("Payout", "true", "Payout is not a number: 'true'", True),
        ("Payout", '{"value": 1}', "Payout is not a number: '{\"value\": 1}'", True),
        ("Payout", "1234567890123", "Payout is more than 12 digits before the decimal point: '1234567890123'", False),
        ("Payout", "1e999999999", "Payout is more than 12 digits before the decimal point: '1e999999999'", False),
        ("Payout", '"' + "9" * 200 + '"', "Payout is more than 12 digits before the decimal point: '999", False),
        ("ReferringDate", '"yesterday"', "ReferringDate is not a date and time: 'yesterday'", True),
        ("ReferringDate", '"2026-02-30T00:00:00Z"', "ReferringDate is not a date and time: '2026-02-30T", True),
        ("LockingDate", '"2026-01-01T00:00:00"', "LockingDate is a time without an offset from UTC: '2026", False),
        ("LockingDate", "1767225600000", "LockingDate is not a date and time: '1767225600000'", True),
    ],
)
def test_a_value_that_does_not_fit_its_column_costs_that_cell_alone(
    field: str,
    wire: str,
    reason: str,
    again: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The row lands without it, with its neighbours, and the record is also kept as it came, with the reason."""
    record = json.dumps(AS_TEXT)[:-1].encode() + b', "' + field.encode() + b'": ' + wire.encode() + b"}"
    found = read(b"[" + json.dumps(AS_TEXT | {"Id": "a"}).encode() + b", " + record + b"]")
    name = next(column.name for column in ACTION if column.field == field)
    whole, lacking = found.table.to_pylist()
    assert {key: value for key, value in lacking.items() if key not in ("id", name)} == {
        key: value for key, value in whole.items() if key not in ("id", name)
    }
    assert lacking[name] is None
    assert not found.rejected
    (misfit,) = found.misfits
    assert (misfit.id, misfit.raw, misfit.null_columns) == (AS_TEXT["Id"], record.decode(), (name,))
    assert misfit.reason.startswith(reason)
    assert misfit.ask_again is again


def test_a_row_may_lack_several_values() -> None:
    """Each has its reason; the record is requested again if that may help for any of them."""
    clear, unclear = {"LockingDate": "2026-01-01T00:00:00"}, {"Payout": "a lot", "Amount": "1" * 600}
    found = read([AS_TEXT | clear | unclear, AS_TEXT | clear, AS_TEXT])
    both, one = found.misfits
    assert not found.rejected
    in_order = [column for column in ACTION if column.name in ("amount", "payout", "locking_date")]
    assert both.null_columns == tuple(column.name for column in in_order)
    assert [reason.split(" is ")[0] for reason in both.reason.split("; ")] == [column.field for column in in_order]
    assert max(len(reason) for reason in both.reason.split("; ")) == 500, "a long value is cut"
    assert (both.ask_again, one.ask_again) == (True, False)
    assert one.null_columns == ("locking_date",)


def test_a_needed_value_outweighs_others() -> None:
    """A record without it becomes no row; it says what else is wrong."""
    found = read([AS_TEXT | {"EventDate": "yesterday", "Payout": "a lot"}])
    (rejected,) = found.rejected
    assert (len(found.table), found.misfits, rejected.null_columns, rejected.ask_again) == (0, (), (), True)
    assert sorted(rejected.reason.split("; ")) == [
        "EventDate is not a date and time: 'yesterday'",
        "Payout is not a number: 'a lot'",
    ]


def test_a_value_nested_too_deeply_is_its_text() -> None:
    """It lands as its JSON, as a value of any depth does."""
    value = b"[" * 100_000 + b"1" + b"]" * 100_000
    found = read(b'[{"Id": "1", "Deep": ' + value + b', "Payout": "1.5"}]')
    assert found.table.select(["id", "payout", "deep", "synced_at"]).to_pylist() == [
        {"id": "1", "payout": Decimal("1.5"), "deep": value.decode(), "synced_at": READ_AT}
    ]


def test_records_of_texts_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page as the API writes it does not go through the reading record by record, which takes ten times as long."""
    monkeypatch.setattr(parse, "parse_exactly", lambda raws: pytest.fail(f"{len(raws)} records were read one by one"))
    found = read([AS_TEXT, AS_TEXT | {"Id": "2"}])
    assert found.table["id"].to_pylist() == [AS_TEXT["Id"], "2"]


def test_one_reader_reads_pages_of_any_length() -> None:
    """Nothing is left of a longer page before, whether pages are read one after another or together."""
    reader = Reader(ACTION)
    pages = [[AS_TEXT | {"Id": f"{page} {n}", "Note": "x" * 99} for n in range(page)] for page in (9, 1, 5, 0, 50, 2)]
    for page in pages:
        assert read(page, reader).table["id"].to_pylist() == [record["Id"] for record in page]
    with ThreadPoolExecutor(4) as pool:
        for page, found in zip(pages * 5, pool.map(lambda page: read(page, reader), pages * 5), strict=True):
            assert found.table["id"].to_pylist() == [record["Id"] for record in page]


def test_a_table_has_a_key_that_is_never_null() -> None:
    """Merging relies on it; every other column may be, and without a key all of them."""
    for table in (read([AS_TEXT]).table, read([AS_TYPES]).table, empty(ACTION)):
        assert [field.name for field in table.schema if not field.nullable] == ["id"]
        assert table.column_names == [*(column.name for column in ACTION), "synced_at"]
        assert table.schema.field("synced_at").type == TIME
    unkeyed = Reader(ACTION, keyed=False).read(b'[{"Id": null}, {"Id": "1"}]', READ_AT)
    assert all(field.nullable for field in unkeyed.table.schema)
    assert unkeyed.table["id"].to_pylist() == [None, "1"]
    assert unkeyed.table["synced_at"].to_pylist() == [READ_AT] * 2
    assert (unkeyed.rejected, len(empty(ACTION))) == ((), 0)


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    """Whatever zone an answer's date has, its rows have it in UTC."""
    east = READ_AT.astimezone(timezone(timedelta(hours=2)))
    table = Reader(ACTION).read(b'[{"Id": "1"}, {"Id": "2"}]', east).table
    assert table.schema.field("synced_at").type == TIME
    assert table["synced_at"].to_pylist() == [READ_AT] * 2


def test_new_fields_whose_names_coincide_have_a_column_each() -> None:
    """Neither takes the place of the other, on the page that brings them and on later ones."""
    reader = Reader(ACTION)
    for values in ("ab", "cd"):
        row = AS_TEXT | dict(zip(("SubId1", "subId1"), values, strict=True))
        (found,) = read([row], reader).table.to_pylist()
        assert sorted(value for name, value in found.items() if name.startswith("sub_id1")) == [*values]


def test_what_is_not_a_list_is_refused() -> None:
    """A page is a JSON list; anything else is no page."""
    for page in (b"{}", b"", b"[", b'"text"'):
        with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
            read(page)


def test_a_nul_becomes_its_symbol() -> None:
    """In every text that has one; other columns and texts are as they were."""
    table = read([AS_TEXT | {"Note": "a\x00b\x00", "Oid": "c"}, AS_TEXT | {"Oid": "\x00"}, AS_TEXT]).table
    found = without_nul(table)
    assert found.schema == table.schema
    assert found["note"].to_pylist() == ["a\u2400b\u2400", None, None]
    assert found["oid"].to_pylist() == ["c", "\u2400", None]
    rest = [name for name in table.column_names if name not in ("note", "oid")]
    assert found.select(rest) == table.select(rest)


def test_odd_values_are_found_among_many() -> None:
    """A few odd cells in thousands are read exactly, whatever lies between them."""
    sent = [f"{n}.{n:09}" if n % 700 == 0 else f"{n}.5" for n in range(5_000)]
    found = read([{"Id": str(n), "Payout": text} for n, text in enumerate(sent)])
    assert found.table["payout"].to_pylist() == [
        Decimal(text).quantize(Decimal("1e-8"), ROUND_HALF_UP) for text in sent
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ("9999-12-31T23:59:59-08:00", "9999-12-31T23:59:59.999999+00:00"),
        ("9999-12-31T23:59:59.9999999-08:00", "9999-12-31T23:59:59.999999+00:00"),
        ("0001-01-01T00:00:00+08:00", "0001-01-01T00:00:00+00:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00"),
        ("2026-01-01t00:00:00.1234567z", "2026-01-01T00:00:00.123456+00:00"),
    ],
)
def test_the_ends_of_the_calendar_are_dates_like_others(text: str, moment: str) -> None:
    """Instants beyond the years 1 to 9999 in UTC become their first or last instant, which every program can read."""
    found = read([AS_TEXT | {"LockingDate": text}])
    assert found.table["locking_date"].to_pylist() == [datetime.fromisoformat(moment)]
    assert not found.rejected + found.misfits


TAKEN = ["Pass", "ValidFrom", "ValidTo", "Changed", "_dlt_id", "_dlt_load_id", "ActionId", "LineCount", "Removed"]
TAKEN += ["KnownBy", "Account", "RowHash", "_gone", "SyncedAt"]


@pytest.mark.parametrize("columns", [ACTION, ITEM], ids=["actions", "items"])
def test_a_new_field_whose_name_is_taken_gets_a_suffix(columns: tuple[Column, ...]) -> None:
    """Names of the history, of the lake and of dlt are not available to the API's fields."""
    record = {columns[0].field: "1"} | {field: field for field in TAKEN}
    table = Reader(columns).read(json.dumps([record]).encode(), READ_AT).table
    found = {value: name for name, value in table.to_pylist()[0].items() if value in TAKEN}
    assert found == {
        field: f"{snake(field).removeprefix('_') if 'dlt' in field else snake(field)}_x" for field in TAKEN
    }


@example(["\u1040", "\uff11", "a" * 62 + "\u0663"])  # digits of other scripts
@given(st.lists(st.text(min_size=1) | st.sampled_from([*TAKEN, "a" * 76, "A" * 76, "a" * 63]), unique=True, max_size=8))
def test_no_two_fields_share_a_column(fields: list[str]) -> None:
    """Every field has its own column, whose name every warehouse accepts."""
    names: list[str] = []
    for field in fields:
        names.append(column_name(field, names))
    assert len(set(names)) == len(names)
    assert all(len(name) <= 63 and re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in names)
    assert not {"pass", "valid_from", "account", "_gone"} & set(names)
    assert not any(name.startswith("_dlt") for name in names)


def test_a_page_without_records_is_a_table_without_rows() -> None:
    """Without rows there is still every column, with its type."""
    table = read([]).table
    assert table.num_rows == 0
    assert [field.type for field in table.schema][:-1] == [column.kind.arrow for column in ACTION]


VALUES = (
    st.none()
    | st.text()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.lists(st.integers(), max_size=2)
)
FIELDS = st.sampled_from([column.field for column in ACTION]) | st.text(min_size=1)
RECORDS = st.dictionaries(FIELDS, VALUES, max_size=6) | VALUES


@given(st.lists(RECORDS, max_size=6))
def test_no_record_is_ever_lost(records: list[object]) -> None:
    """Rows and rejected records together are as many as came, whatever came."""
    found = read([record | {"Id": str(n)} if isinstance(record, dict) else record for n, record in enumerate(records)])
    assert len(found.table) + len(found.rejected) == len(records)
    ids = [*found.table["id"].to_pylist(), *(record.id for record in found.rejected if record.id)]
    assert sorted(ids) == sorted(str(n) for n, record in enumerate(records) if isinstance(record, dict))


@given(
    st.decimals(-(10**12) + 1, 10**12 - 1, places=8),
    st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),  # noqa: DTZ001 - hypothesis requires it
)
def test_money_and_times_survive_exactly(money: Decimal, moment: datetime) -> None:
    """Twelve integer digits, eight decimals and microseconds come through unchanged."""
    found = row([{"Id": "1", "Payout": f"{money:f}", "EventDate": moment.isoformat()}])
    assert found["payout"] == money
    assert found["event_date"] == moment


def test_every_field_of_the_api_is_declared_once() -> None:
    """No field and no column name occurs twice, and money and times are typed as such."""
    assert len({column.field for column in ACTION}) == len({column.name for column in ACTION}) == len(ACTION) == 39
    assert {column.field for column in ACTION if column.kind is Kind.TIME} == {
        "ReferringDate",
        "EventDate",
        "CreationDate",
        "LockingDate",
        "ClearedDate",
    }

"""Records become typed rows exactly; what cannot be typed is set aside with its JSON and the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.impact.columns import ACTION, Kind
from sources.impact.tables import Reader, Records

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
    """New fields are kept, for this page and those after it; values that are no text are kept as JSON."""
    reader = Reader(ACTION)
    table = read([AS_TEXT | {"SubId1": "a", "Deep": {"x": [1.50]}}], reader).table
    assert table.select(["sub_id1", "deep"]).to_pylist() == [{"sub_id1": "a", "deep": '{"x": [1.5]}'}]
    assert read([AS_TEXT], reader).table["sub_id1"].to_pylist() == [None]
    assert read([AS_TEXT | {"SubId1": "b"}], reader).table["sub_id1"].to_pylist() == ["b"]


def test_a_new_field_cannot_overwrite_a_column() -> None:
    """A field whose name would become that of another column gets a name of its own."""
    table = read([AS_TEXT | {"payout": "mine", "SyncedAt": "yours"}]).table
    assert table["payout_x"].to_pylist() == ["mine"]
    assert table["synced_at_x"].to_pylist() == ["yours"]
    assert table["payout"].to_pylist() == [EXPECTED["payout"]]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (AS_TEXT | {"Payout": "1,234.5"}, "Payout is no decimal: '1,234.5'"),
        (AS_TEXT | {"Payout": "0.123456789"}, "Payout is no decimal: '0.123456789'"),
        (AS_TEXT | {"EventDate": "yesterday"}, "EventDate is no timestamp: 'yesterday'"),
        (AS_TEXT | {"EventDate": "2026-01-01T00:00:00"}, "EventDate is no timestamp: '2026-01-01T00:00:00'"),
        (AS_TEXT | {"Id": ""}, "it has no Id"),
        ("a text", "not an object"),
        (None, "not an object"),
        ([1], "not an object"),
    ],
)
def test_a_record_that_cannot_be_typed_is_set_aside_and_the_others_land(record: object, reason: str) -> None:
    """One bad cell costs one record, which keeps its JSON and the reason."""
    found = read([AS_TEXT | {"Id": "a"}, record, AS_TEXT | {"Id": "b"}])
    assert found.table["id"].to_pylist() == ["a", "b"]
    (rejected,) = found.rejected
    assert json.loads(rejected.raw) == record
    assert reason in rejected.reason
    assert rejected.id == (record.get("Id") or None if isinstance(record, dict) else None)


def test_a_page_without_records_is_a_table_without_rows() -> None:
    """No rows still means every column, with its type."""
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
    st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),  # noqa: DTZ001 - hypothesis wants it so
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

"""Records parsed where they are in their answer."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from impact_source.api.answers import read_large_page, read_page
from impact_source.rows.framing import as_rows, frame

_TEXT = st.text(max_size=8)
_RECORDS = st.lists(st.dictionaries(_TEXT, _TEXT, max_size=3), max_size=4)


@given(before=st.dictionaries(_TEXT.filter(lambda key: key != "Actions"), _TEXT, max_size=3), records=_RECORDS)
def test_a_page_holds_the_same_records_wherever_they_are_parsed(before: dict[str, str], records: object) -> None:
    """Whatever stands around the records, and whether or not the answer may be overwritten, they are the same."""
    body = json.dumps({**before, "Actions": records, "@total": "4"}).encode()
    kept, framed = read_page(200, {}, body, "Actions"), read_large_page(200, {}, bytearray(body), "Actions")
    assert bytes(framed.records) == bytes(kept.records)
    assert framed.total == kept.total == 4
    for page in (kept, framed):
        assert json.loads(bytes(as_rows(page.records))) == {"rows": records}


def test_records_of_an_answer_are_not_copied() -> None:
    """Parsing a large page takes no second copy of it."""
    body = bytearray(b'{"@total": "1", "Actions": [{"Id": "1"}]}')
    page = read_large_page(200, {}, body, "Actions")
    rows = as_rows(page.records)
    assert isinstance(rows, memoryview)
    assert rows.obj is body


def test_records_from_elsewhere_leave_an_answer_as_it_is() -> None:
    """A list of one that came as an object is no part of its answer: nothing is overwritten."""
    body = bytearray(b'{"@total": "1", "Actions": {"Id": "1"}}')
    before = bytes(body)
    assert frame(body, memoryview(b'[{"Id": "1"}]')) is None
    assert bytes(read_large_page(200, {}, body, "Actions").records) == b'[{"Id": "1"}]'
    assert bytes(body) == before

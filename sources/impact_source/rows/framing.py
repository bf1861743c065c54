"""The list of records of an answer as the one JSON object that Arrow reads: without a second copy of a large answer."""

from __future__ import annotations

import pyarrow as pa

_BEGIN, _END = b'{"rows":', b"}"


def frame(body: bytearray, records: memoryview) -> memoryview | None:
    """Turn what is around the `records` of an answer into `{"rows":` and `}`, in place.

    Returns the records as a view of the body, for `as_rows`; None if they are no part of it, or too close to its start.
    Nothing else of the answer can be read any more.
    """
    start = pa.py_buffer(records).address - pa.py_buffer(body).address
    end = start + len(records)
    if not len(_BEGIN) <= start < end < len(body):
        return None
    body[start - len(_BEGIN) : start] = _BEGIN
    body[end : end + 1] = _END
    return memoryview(body)[start:end]


def as_rows(records: bytes | memoryview) -> bytes | memoryview:
    """`{"rows": records}`: a view of the answer if it was framed, else a copy."""
    if isinstance(records, memoryview) and isinstance(records.obj, bytearray):
        start = pa.py_buffer(records).address - pa.py_buffer(records.obj).address
        whole = memoryview(records.obj)[max(0, start - len(_BEGIN)) : start + len(records) + len(_END)]
        if whole[: len(_BEGIN)] == _BEGIN and whole[-len(_END) :] == _END:
            return whole
    return b"".join((_BEGIN, records, _END))

"""The floor: the same pages into the same columns with only httpx, pyarrow and DuckDB.

No dlt, no cursors, no check of completeness, nothing stored but the rows: the least that any correct loader of this API
does. Run as `python -m tests.bench.floor TASK`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import duckdb
import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from tests.bench.task import Task

_TEXT, _MONEY, _TIME = pa.string(), pa.decimal128(20, 8), pa.timestamp("us", tz="UTC")
_FIELDS = """
    Id CampaignId CampaignName ActionTrackerId ActionTrackerName EventCode MediaPartnerId MediaPartnerName State AdId
    ClientCost Payout DeltaPayout IntendedPayout Amount DeltaAmount IntendedAmount Currency ReferringDate EventDate
    CreationDate LockingDate ClearedDate ReferringType ReferringDomain IpAddress PromoCode Oid CustomerId
    CustomerPostCode CustomerStatus Note CallerId CustomerArea CustomerCity CustomerRegion CustomerCountry SharedId Uri
"""
_AMOUNTS = ("ClientCost", "Payout", "DeltaPayout", "IntendedPayout", "Amount", "DeltaAmount", "IntendedAmount")
_TYPES = {name: _TIME if name.endswith("Date") else _MONEY if name in _AMOUNTS else _TEXT for name in _FIELDS.split()}
_ANSWER = pa.schema(
    [
        ("@numpages", _TEXT),
        ("@nextpageuri", _TEXT),
        ("Actions", pa.list_(pa.struct([(name, _TEXT) for name in _TYPES]))),
    ]
)
_BATCH = 100_000
"""Rows merged at once: page by page takes twice as long."""
A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True)
class _Page:
    rows: pa.Table
    pages: int
    next: str


def main() -> None:
    """Load everything."""
    task = Task.told()
    with ExitStack() as stack:
        warehouse = stack.enter_context(duckdb.connect(task.warehouse))
        client = stack.enter_context(
            httpx.Client(
                base_url=task.url,
                auth=(task.account_sid, task.auth_token),
                headers={"Accept": "application/json", "IR-Version": "14"},
                timeout=600,
                trust_env=False,
            )
        )
        pool = stack.enter_context(ThreadPoolExecutor(task.ahead)) if task.ahead else None
        _create(warehouse)
        for rows in _batches(_read(task, client, pool)):
            _merge(warehouse, rows)


def _read(task: Task, client: httpx.Client, pool: ThreadPoolExecutor | None) -> Iterator[pa.Table]:
    def window(parameters: dict[str, str]) -> _Page:
        return _parse(client.get(task.path, params=parameters))

    for first in _ahead(pool, task.ahead, window, task.windows):
        yield first.rows

        def following(number: int, link: str = first.next) -> _Page:
            return _parse(client.get(httpx.URL(link).copy_set_param("Page", number)))

        for page in _ahead(pool, task.ahead, following, range(2, first.pages + 1)):
            yield page.rows


def _ahead(pool: ThreadPoolExecutor | None, most: int, fetch: Callable[[A], T], wanted: Iterable[A]) -> Iterator[T]:
    """The result for each of `wanted`, in order, fetching a few ahead; without a pool one after the other."""
    if pool is None:
        yield from map(fetch, wanted)
        return
    flying: deque[Future[T]] = deque()
    for one in wanted:
        flying.append(pool.submit(fetch, one))
        if len(flying) >= most:
            yield flying.popleft().result()
    for future in flying:
        yield future.result()


def _parse(response: httpx.Response) -> _Page:
    body = response.raise_for_status().content
    answer = pj.read_json(
        pa.BufferReader(body),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1),
        parse_options=pj.ParseOptions(explicit_schema=_ANSWER, unexpected_field_behavior="ignore"),
    )
    records = answer["Actions"].combine_chunks().flatten()
    columns = {name.lower(): _cast(records.field(name), kind) for name, kind in _TYPES.items()}
    return _Page(pa.table(columns), int(answer["@numpages"][0].as_py()), answer["@nextpageuri"][0].as_py())


def _cast(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    values = pc.if_else(pc.equal(texts, ""), pa.scalar(None, _TEXT), texts)
    return values if kind is _TEXT else pc.cast(values, kind)


def _create(warehouse: duckdb.DuckDBPyConnection) -> None:
    empty = pa.schema([(name.lower(), kind) for name, kind in _TYPES.items()]).empty_table()
    warehouse.register("page", empty)
    warehouse.execute("create schema impact")
    warehouse.execute("create table impact.actions as from page")


def _batches(pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    for page in pages:
        held.append(page)
        if sum(map(len, held)) >= _BATCH:
            yield pa.concat_tables(held)
            held.clear()
    if held:
        yield pa.concat_tables(held)


def _merge(warehouse: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Replace rows by id; neighbouring windows share their boundary, so a row may come twice."""
    warehouse.register("page", rows)
    warehouse.execute("begin")
    warehouse.execute("delete from impact.actions where id in (select id from page)")
    warehouse.execute("insert into impact.actions select distinct on (id) * from page")
    warehouse.execute("commit")


if __name__ == "__main__":
    main()

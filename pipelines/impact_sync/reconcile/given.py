"""Where orders and items come from: a file, a query in the warehouse, or a query in another database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dlt
import pyarrow as pa
from typing_extensions import override

from .. import tabular
from ..warehouse.user_query import run_query
from . import database


@dataclass(frozen=True)
class Given:
    """Either a file or a query; the query is asked in the warehouse, or in the database with this address."""

    file: Path | None = None
    sql: str | None = None
    address: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The user's names of columns, by ours."""

    @override
    def __str__(self) -> str:
        """The source as the ledger records it."""
        return str(self.file) if self.file else tabular.shown(self.sql or "")

    def orders(self, pipeline: dlt.Pipeline) -> Iterator[pa.RecordBatch]:
        """The orders as texts, with their lines. Raises `ConfigurationError`."""
        return self._rows(pipeline, orders_form(self.renamed))

    def items(self, pipeline: dlt.Pipeline) -> Iterator[pa.RecordBatch]:
        """The items in the same way."""
        return self._rows(pipeline, _items_form(self.renamed))

    def _rows(self, pipeline: dlt.Pipeline, form: tabular.Form) -> Iterator[pa.RecordBatch]:
        if self.file:
            yield from tabular.read_file(self.file, form)
        elif self.address:
            with database.reading(self.address, self.sql or "") as found:
                yield from tabular.read_arrow(found, form, "the query")
        else:
            yield from tabular.read_arrow(run_query(pipeline, self.sql or ""), form, "the query")


ORDERS = ("order_id", "event_type", "amount", "currency", "status", "ordered_at", "updated_at", "referred")
ITEMS = ("order_id", "sku", "quantity", "amount")
_AS_WRITTEN = ("order_id", "event_type", "sku")
_NOTHING = "there is nothing to compare"
_ALIASES = {
    "oid": "order_id",
    "action_tracker_id": "event_type",
    "action_tracker_name": "event_type",
    "event_type_id": "event_type",
}


def orders_form(renamed: Mapping[str, str]) -> tabular.Form:
    """The columns of orders."""
    return _form(ORDERS, lambda names: [] if "order_id" in names else ["order_id"], renamed)


def _items_form(renamed: Mapping[str, str]) -> tabular.Form:
    return _form(ITEMS, _items_lack, renamed)


def _items_lack(names: Collection[str]) -> list[str]:
    lacks = [name for name in ("order_id", "sku") if name not in names]
    return lacks if {"amount", "quantity"} & set(names) else [*lacks, "amount or quantity"]


def _form(columns: tuple[str, ...], lacks: tabular.Lacks, renamed: Mapping[str, str]) -> tabular.Form:
    return tabular.Form(
        columns,
        lacks,
        as_written=_AS_WRITTEN,
        ids=("order_id",),
        aliases=_ALIASES,
        renamed=renamed,
        skips=True,
        empty=_NOTHING,
    )

"""Imports in advance what a load would import midway, where a signal or a second thread may find it half done."""

from __future__ import annotations

from importlib import import_module

from ..console.memory import keep_modules

_ARROW = ("dlt.common.libs.pyarrow", "pyarrow.acero", "pyarrow.dataset", "pyarrow.parquet", "pyarrow.substrait")
_NEEDED = {
    "duckdb": (*_ARROW, "pytz"),
    "postgres": (*_ARROW, "sqlglot.dialects.duckdb", "sqlglot.dialects.postgres"),
}


def preload(kind: str) -> None:
    """Import what a load into this kind of destination needs."""
    for name in _NEEDED.get(kind, _ARROW):
        import_module(name)
    keep_modules()

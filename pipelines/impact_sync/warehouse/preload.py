"""What a load would import in its middle, where a signal or a second thread may find an import half done."""

from __future__ import annotations

from importlib import import_module

_ARROW = ("dlt.common.libs.pyarrow", "pyarrow.acero", "pyarrow.dataset", "pyarrow.parquet", "pyarrow.substrait")
_NEEDED = {
    "duckdb": (*_ARROW, "pytz"),
    "postgres": (*_ARROW, "sqlglot.dialects.duckdb", "sqlglot.dialects.postgres"),
}


def preload(kind: str) -> None:
    """Import it before; `kind` is the destination."""
    for name in _NEEDED.get(kind, _ARROW):
        import_module(name)

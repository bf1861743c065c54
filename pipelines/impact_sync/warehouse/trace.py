"""dlt's trace without what nobody reads: it writes the hints of every resource as YAML, a tenth of a small run."""

from __future__ import annotations

from types import SimpleNamespace

import dlt.extract.extract


def shorten_trace() -> None:
    """Have dlt put the columns of a resource into its trace as Python shows them."""
    dlt.extract.extract.yaml = SimpleNamespace(dump=_shown)  # type: ignore[attr-defined] # dlt has no setting for it; test_insides.py


def _shown(hints: object, **_: object) -> str:
    return repr(hints)

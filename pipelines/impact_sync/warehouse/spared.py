"""What dlt does again and again, or for nobody, in a small run. It has no settings for these; see test_insides.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dlt.common.validation
import dlt.extract.extract
from typing_extensions import get_type_hints

_hints: dict[Any, dict[str, Any]] = {}


def spare() -> None:
    """Have dlt work out its own types once, and trace the columns of a resource as Python shows them.

    It would find the types of a schema's fields with each of hundreds of checks, and write the columns as YAML.
    """
    dlt.common.validation.get_type_hints = _kept  # type: ignore[assignment, attr-defined]
    dlt.extract.extract.yaml = SimpleNamespace(dump=_shown)  # type: ignore[attr-defined]


def _kept(spec: Any, **where: Any) -> dict[str, Any]:  # noqa: ANN401 - as dlt has it
    if spec not in _hints:
        _hints[spec] = get_type_hints(spec, **where)
    return _hints[spec]


def _shown(hints: object, **_: object) -> str:
    return repr(hints)

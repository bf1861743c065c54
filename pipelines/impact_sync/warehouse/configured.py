"""Which warehouse the user has configured."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.common.destination import Destination

DATASET = "impact"
EMPTY = "there is no warehouse yet {where}: run `impact sync` first"


def kind() -> str:
    """Which destination of dlt the warehouse is: `impact.destination`, else `duckdb`."""
    return str(dlt.config.get("impact.destination") or "duckdb")


def configuration(destination: Destination[Any, Any]) -> Any:  # noqa: ANN401 - each destination has its own
    """The configuration of a destination, its credentials found where dlt looks for them."""
    spec = destination.spec()
    spec.dataset_name = DATASET
    return destination.configuration(spec)

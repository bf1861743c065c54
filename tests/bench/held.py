"""Writes what a warehouse holds of actions to a JSON file. Run as `python -m tests.bench.held WAREHOUSE OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

_QUESTION = "select count(*), count(distinct id), sum(payout::decimal(18, 2))::text from impact.actions"


def main() -> None:
    """Query and write the file."""
    with duckdb.connect(sys.argv[1], read_only=True) as warehouse:
        row = warehouse.execute(_QUESTION).fetchone() or ()
    Path(sys.argv[2]).write_text(json.dumps(dict(zip(("rows", "ids", "payout"), row, strict=True))))


if __name__ == "__main__":
    main()

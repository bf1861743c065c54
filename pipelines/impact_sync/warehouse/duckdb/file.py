"""The DuckDB file: where it is, and the one connection that a run keeps to it."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
import duckdb
from impact_source.errors import ConfigurationError

from ...console.exits import WarehouseBusy, WarehouseLost
from ..configured import EMPTY, configuration
from .destination import SETTINGS

DEFAULT_FILE = "impact_warehouse.duckdb"
"""DuckDB names its catalog after the file: with the dataset's name, `impact.actions` would be ambiguous."""
_RETRY_SECONDS = 0.2
_log = logging.getLogger(__name__)


def duckdb_path() -> Path:
    """Where the DuckDB file is: `DESTINATION__DUCKDB__CREDENTIALS`, else `impact_warehouse.duckdb` in this folder.

    An existing `impact.duckdb` of an earlier version stays in use.
    """
    given: Any = dlt.config.get("destination.duckdb.credentials") or dlt.config.get("destination.credentials")
    if isinstance(given, str):
        _check_file(given)
    if not given:
        usual, earlier = Path(DEFAULT_FILE).absolute(), Path("impact.duckdb").absolute()
        return earlier if earlier.exists() and not usual.exists() else usual
    return Path(str(configuration(dlt.destinations.duckdb()).credentials.database)).absolute()


def _check_file(given: str) -> None:
    """Raise if the setting for a DuckDB file names a server, or a database that is not kept."""
    scheme = given.strip().partition(":")[0].lower()
    servers = {"postgresql": "postgres", "postgres": "postgres", "md": "motherduck", "mssql": "mssql"}
    if ("://" in given and scheme != "duckdb") or scheme == "md":
        kind = servers.get(scheme, scheme)
        msg = (
            f"destination.duckdb.credentials is an address of {scheme}, not of a DuckDB file: "
            f"set IMPACT__DESTINATION={kind} and put the address into DESTINATION__{kind.upper()}__CREDENTIALS"
        )
        raise ConfigurationError(msg)
    if given.strip().endswith(":memory:"):
        msg = "destination.duckdb.credentials is :memory:, which is gone when the command ends: name a file"
        raise ConfigurationError(msg)


@contextmanager
def connected(path: Path, wait: float, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that is kept for the complete run, so that no other program gets in between two packages."""
    existed = path.exists()
    if read_only and not existed:
        raise ConfigurationError(EMPTY.format(where=f"at {path}"))
    connection = _connect(path, wait, read_only=read_only)
    opened = path.stat()
    try:
        yield connection
    finally:
        loaded = existed or connection.execute("select count(*) from duckdb_tables()").fetchone() != (0,)
        connection.close()
        ours = path.exists() and os.path.samestat(path.stat(), opened)
        if not loaded and ours:  # a run that never landed anything leaves no file
            path.unlink()
    if not ours and not read_only:
        msg = (
            f"the warehouse {path} was removed or replaced while this run was active: what it landed is lost. Leave "
            "the file alone while a run is at work, and run again"
        )
        raise WarehouseLost(msg)


def _connect(path: Path, wait: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    give_up = time.monotonic() + wait
    while True:
        try:
            connection = duckdb.connect(str(path), read_only=read_only, config=SETTINGS)
        except duckdb.Error as error:
            text = str(error)
            if "Conflicting lock" not in text and "different configuration" not in text:
                msg = f"the warehouse {path} cannot be opened: {text}"
                raise ConfigurationError(msg) from None
            if time.monotonic() > give_up:
                holder = re.search(r"held in (.+?)\s*\(PID (\d+)\)", text)
                who = f"{holder[1]} (process {holder[2]})" if holder else "another program"
                msg = f"{who} holds the warehouse {path}: close it there, then run again"
                raise WarehouseBusy(msg) from None
            _log.info("the warehouse is in use elsewhere, trying again")
            time.sleep(_RETRY_SECONDS)
            continue
        # In other zones the last day of the year 9999 may fall into a year that Python does not know.
        connection.execute("set global timezone = 'UTC'")
        return connection

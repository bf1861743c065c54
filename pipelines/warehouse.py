"""Opening the warehouse: one run at a time, a working folder that is empty, state from the destination."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
import duckdb
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import InvalidDestinationReference, UnknownDestinationModule
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from filelock import FileLock, Timeout

from pipelines import duckdb_file
from pipelines.exits import WarehouseBusy
from sources.impact.errors import ConfigurationError
from sources.impact.settings import parse_duration

PIPELINE = DATASET = "impact"
_RETRY_SECONDS = 0.2
_log = logging.getLogger(__name__)


@contextmanager
def open_pipeline(*, read_only: bool = False) -> Iterator[dlt.Pipeline]:
    """The pipeline on the configured warehouse, its state restored from there.

    Raises `WarehouseBusy` once another run or program has held the warehouse for longer than `impact.warehouse_wait`
    (30 seconds), `ConfigurationError` where the warehouse cannot be opened.
    """
    wait = _wait()
    with ExitStack() as stack:
        path = duckdb_path() if kind() == "duckdb" else None
        folder = _working_folder(f"{kind()}:{path}")
        if read_only:  # a folder of its own: a run may be at work in the other
            folder = Path(stack.enter_context(TemporaryDirectory(dir=folder.parent)))
        else:
            stack.enter_context(_run_lock(folder.with_suffix(".lock"), wait))
            shutil.rmtree(folder, ignore_errors=True)
        destination: Destination[Any, Any] | None
        if path is None:
            destination = _other_destination(kind())
        else:
            connection = stack.enter_context(_connected(path, wait, read_only=read_only))
            destination = duckdb_file.destination(connection)
        pipeline = dlt.pipeline(PIPELINE, destination=destination, dataset_name=DATASET, pipelines_dir=str(folder))
        pipeline.sync_destination()
        pipeline._state_restored = True  # noqa: SLF001 - else the first `run` does it once more
        yield pipeline


def kind() -> str:
    """Which destination of dlt the warehouse is: `impact.destination`, else `duckdb`."""
    return str(dlt.config.get("impact.destination") or "duckdb")


def _other_destination(kind: str) -> Destination[Any, Any] | None:
    try:
        return Destination.from_reference(kind)
    except (ImportError, UnknownDestinationModule, InvalidDestinationReference) as error:
        msg = f"impact.destination is {kind!r}, which dlt does not know: {str(error).splitlines()[0]}"
        raise ConfigurationError(msg) from None


def duckdb_path() -> Path:
    """Where the DuckDB file is: `DESTINATION__DUCKDB__CREDENTIALS`, else `impact.duckdb` in this folder."""
    if not (dlt.config.get("destination.duckdb.credentials") or dlt.config.get("destination.credentials")):
        return Path("impact.duckdb").absolute()
    spec = dlt.destinations.duckdb().configuration(DuckDbClientConfiguration()._bind_dataset_name(DATASET))  # noqa: SLF001
    return Path(str(spec.credentials.database)).absolute()


def beside(pipeline: dlt.Pipeline) -> Path:
    """The file that remembers which corrections left: beside a DuckDB file, else in dlt's data folder."""
    if pipeline.destination.destination_name == "duckdb":
        path = duckdb_path()
        return path.with_name(f"{path.name}.corrections.jsonl")
    return _working_folder(f"{kind()}:None").with_suffix(".corrections.jsonl")


def _wait() -> float:
    try:
        return parse_duration(dlt.config.get("impact.warehouse_wait") or timedelta(seconds=30)).total_seconds()
    except ValueError as error:
        msg = f'impact.warehouse_wait must be a duration such as "30 seconds": {error}'
        raise ConfigurationError(msg) from None


def _working_folder(warehouse: str) -> Path:
    """Dlt's working folder for one warehouse: disposable, since the warehouse is the only memory."""
    mark = hashlib.sha256(warehouse.encode()).hexdigest()[:12]
    folder = Path(dlt.current.run_context().data_dir) / "pipelines" / f"{PIPELINE}-{mark}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"dlt's data folder cannot be written: {error}; name another with DLT_DATA_DIR"
        raise ConfigurationError(msg) from None
    return folder


@contextmanager
def _run_lock(path: Path, wait: float) -> Iterator[None]:
    lock = FileLock(path, timeout=wait)
    try:
        lock.acquire()
    except Timeout:  # is an OSError itself
        msg = f"another run holds the warehouse (lock file {path}): wait for it to end, then run again"
        raise WarehouseBusy(msg) from None
    except OSError as error:
        msg = f"the lock file {path} cannot be written: {error}; name another data folder with DLT_DATA_DIR"
        raise ConfigurationError(msg) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _connected(path: Path, wait: float, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that is kept for the whole run, so that no other program gets in between two packages."""
    existed = path.exists()
    if read_only and not existed:
        msg = f"there is no warehouse yet at {path}: run `impact sync` first"
        raise ConfigurationError(msg)
    connection = _connect(path, wait, read_only=read_only)
    try:
        yield connection
    finally:
        loaded = existed or connection.execute("select count(*) from duckdb_tables()").fetchone() != (0,)
        connection.close()
        if not loaded:  # a run that never landed anything leaves no file behind
            path.unlink(missing_ok=True)


def _connect(path: Path, wait: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    give_up = time.monotonic() + wait
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only, config=duckdb_file.SETTINGS)
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

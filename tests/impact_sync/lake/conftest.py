"""Lakes to publish to, and the comparison of one with a warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.impact_sync.lake import storage


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, str]]:
    """An S3 server on loopback."""
    if not storage.WEED:
        pytest.skip("make lake installs an S3 server")
    with storage.serving() as environment:
        yield environment


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of a lake that does not exist yet."""
    if request.param == "folder":
        return str(tmp_path / "lake")
    for name, value in request.getfixturevalue("server").items():
        monkeypatch.setenv(name, value)
    return f"s3://{storage.BUCKET}/{uuid4().hex}"

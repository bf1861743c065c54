"""An account for programs that run in their own environments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from impact_sandbox import Sandbox, World

from .environment import Environment, build, requirements


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def alone(tmp_path: Path) -> Environment:
    """An environment with the source's own requirements and nothing of ours."""
    return Environment(tmp_path / "environment", requirements())


@pytest.fixture
def sandbox() -> Iterator[dict[str, str]]:
    """The variables with which a program reads a small account."""
    with Sandbox(World(seed=1, days=20, per_day=5)) as running:
        yield {
            "SOURCES__IMPACT__BASE_URL": running.url,
            "SOURCES__IMPACT__ACCOUNT_SID": running.account_sid,
            "SOURCES__IMPACT__AUTH_TOKEN": running.auth_token,
            "SOURCES__IMPACT__START_DATE": "2025-12-20",
        }

"""Fixtures for the tests of reports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.impact_sync.report.browser import browser


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    """One browser for all tests of a file."""
    with browser() as found:
        yield found

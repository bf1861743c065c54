"""A plugin of pytest: examples before properties, and what serves an account last. One failure ends a mutant's tests."""

from __future__ import annotations

import pytest
from hypothesis import is_hypothesis_test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests."""
    items.sort(key=_cost)


def _cost(item: pytest.Item) -> tuple[bool, bool]:
    serves = {"account", "desk", "pipeline", "warehouse"} & set(getattr(item, "fixturenames", ()))
    return bool(serves), is_hypothesis_test(getattr(item, "obj", None))

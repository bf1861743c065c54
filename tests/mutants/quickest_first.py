"""A plugin of pytest that runs the quickest tests first: a mutant's tests end with the first failure."""

from __future__ import annotations

import pytest
from hypothesis import is_hypothesis_test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests: examples, properties, then those with a warehouse or an account."""
    items.sort(key=_cost)


def _cost(item: pytest.Item) -> tuple[bool, bool]:
    serves = {"account", "desk", "pipeline", "warehouse"} & set(getattr(item, "fixturenames", ()))
    return bool(serves), is_hypothesis_test(getattr(item, "obj", None))

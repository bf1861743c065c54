"""Shops whose orders are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.desk import Desk
from tests.support.orders import Shop


@pytest.fixture
def shop(desk: Callable[..., Desk]) -> Callable[..., Shop]:
    """Makes shops of accounts without actions of their own: `shop(rules...)`."""

    def make(**rules: Any) -> Shop:  # noqa: ANN401 - the rules
        return Shop(desk(**rules))

    return make

"""What dlt asks a destination for dozens of times a run, found once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dlt.common.destination import Destination
from typing_extensions import override

if TYPE_CHECKING:
    _Base = Destination[Any, Any]
else:
    _Base = object


class Once(_Base):
    """Before a destination among the bases of a class: it searches all configuration once for a dataset."""

    @override
    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        key = (initial_config and initial_config.dataset_name, accept_partial)
        if key not in self._once:
            self._once[key] = super().configuration(initial_config, accept_partial)
        return self._once[key]

    @cached_property
    def _once(self) -> dict[Any, Any]:
        return {}

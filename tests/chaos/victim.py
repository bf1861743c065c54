"""Runs `impact` and records in the file `CHAOS_PHASE` which phase of which load package it is in."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

import impact_sync.cli
import impact_sync.console.logs

from tests.chaos.phases import Phase, PhaseFile


def main() -> None:
    """Run the command with this process's arguments; on SIGUSR1 it shows the stacks of all threads."""
    faulthandler.register(signal.SIGUSR1)
    file = PhaseFile(os.environ["CHAOS_PHASE"])
    configure = impact_sync.console.logs.configure

    def begin(verbosity: int, *, json: bool) -> None:
        """The first thing that the command does once it handles signals: everything before is the interpreter's."""
        file.enter(Phase.STARTING)
        configure(verbosity, json=json)
        import dlt  # noqa: PLC0415 - the phase before the import can be killed too

        for phase in (Phase.EXTRACT, Phase.NORMALIZE, Phase.LOAD):
            step = getattr(dlt.Pipeline, phase.value)
            setattr(dlt.Pipeline, phase.value, _told(step, phase, file))

    impact_sync.console.logs.configure = begin
    impact_sync.cli.main()


def _told(step: Callable[..., Any], phase: Phase, file: PhaseFile) -> Callable[..., Any]:
    @wraps(step)
    def told(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - dlt's
        file.enter(phase)
        try:
            return step(*args, **options)
        finally:
            file.enter(Phase.BETWEEN)

    return told


if __name__ == "__main__":
    main()

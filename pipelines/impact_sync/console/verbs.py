"""What all verbs of `impact` share: their order in the help, and how they end."""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from .accounts import in_turn
from .ending import end_process, watchdog

if TYPE_CHECKING:  # help is instant
    from collections.abc import Callable


class Group(click.Group):
    """Shows the verbs in the order in which a user meets them."""

    @override
    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the command that this process is for: signals end it from now on."""
        watchdog.start()
        try:
            return super().__call__(*args, **options)
        except SystemExit as ended:  # click raises it for every end
            if not isinstance(ended.code, int):
                raise
            end_process(ended.code)

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the verbs."""
        return list(self.commands)

    @override
    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command; failing output does not make it fail."""
        from .streams import guard  # noqa: PLC0415 - as the others

        guard()
        # httpx's own command line, which takes longer to import than httpx, counts as not installed.
        sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
        return super().main(*args, **options)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; an interrupt before it has begun ends it like one during it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            from .failures import interrupted  # noqa: PLC0415 - help is instant

            sys.exit(interrupted(error))


def verb(command: Callable[..., int]) -> Callable[..., None]:
    """Run a verb: its exit code, or one line that says what went wrong and what to do."""

    @wraps(command)
    def run(**options: Any) -> None:  # noqa: ANN401 - whatever the verb takes
        folders = click.get_current_context().obj or {}
        if options.get("as_json") and len(folders) > 1:
            msg = "--json describes one account: give one --folder"
            raise click.UsageError(msg)

        def tuned() -> int:
            from .memory import tune  # noqa: PLC0415 - help is instant

            tune()
            return command(**options)

        sys.exit(in_turn(folders, tuned))

    return run

"""The `impact` command, run to its end in its own process.

The process is forked from one that has imported what every command imports: importing takes longer than most commands
do.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing import forkserver
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.account import Account

IMPACT = str(Path(sys.executable).parent / "impact")
"""The command as installed."""
HERE = Path(__file__).parents[2]
"""The tree: where a separate process finds the tests' modules."""
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.preloaded"])


def start_forks() -> None:
    """Start that process, in a folder where `tests` can be imported: else it would silently import nothing."""
    forkserver.ensure_running()


def environment(one: Account | None = None, **changes: str) -> dict[str, str]:
    """The environment of a user of this account."""
    own = {}
    if one is not None:
        own = {
            "SOURCES__IMPACT__BASE_URL": one.sandbox.url,
            "SOURCES__IMPACT__ACCOUNT_SID": one.sandbox.account_sid,
            "SOURCES__IMPACT__AUTH_TOKEN": one.sandbox.auth_token,
            "SOURCES__IMPACT__PAGE_SIZE": "2000",
            "SOURCES__IMPACT__RETRY_WAIT": "0",
            "SOURCES__IMPACT__ITEMS_MAX_REQUESTS": "0",  # only tests about items request any
            "SOURCES__IMPACT__REFERENCE": "[]",  # the same
            "SOURCES__IMPACT__TIME_ZONE": "UTC",  # only tests about calendars ask for the account's
        }
        if one.start:
            own["SOURCES__IMPACT__START_DATE"] = one.start.isoformat()
    return os.environ | own | changes


def impact(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    with TemporaryDirectory() as folder:
        outputs = [os.path.join(folder, name) for name in ("stdout", "stderr")]  # noqa: PTH118 - must be picklable
        told = (arguments, dict(os.environ if env is None else env), str(Path.cwd()), outputs)
        process = _FORKS.Process(target=_command, args=told)
        process.start()
        process.join()
        stdout, stderr = (Path(output).read_text(encoding="utf-8") for output in outputs)
        return subprocess.CompletedProcess(["impact", *arguments], process.exitcode or 0, stdout, stderr)


def victim(code: str, *arguments: str) -> list[str]:
    """A command line that runs some code and then `impact` with these arguments, in one process."""
    code += f"\nimport sys; sys.argv = ['impact', *{list(arguments)!r}]; from impact_sync.cli import main; main()"
    return [sys.executable, "-c", code]


def clean(result: subprocess.CompletedProcess[str], code: int) -> str:
    """All output of a command that must have ended with `code` and without a traceback."""
    output = result.stdout + result.stderr
    assert result.returncode == code, output
    assert "Traceback" not in output
    return output


def _command(arguments: Sequence[str], env: dict[str, str], folder: str, outputs: Sequence[str]) -> None:
    """Become the command: with its folder, its environment and its streams."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for number, path in enumerate((os.devnull, *outputs)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.argv = ["impact", *arguments]
    from impact_sync.cli import main  # noqa: PLC0415 - as the installed command does

    main()

"""Plays the story with the release of the running environment, and records what changed the account: see `make`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.upgrade.story import PLAN, START_DATE, WORLD, Cast, live

_SANDBOX = "impact_sandbox" if find_spec("impact_sandbox") else "sources.impact_sandbox"  # as in the first release
_IMPACT = str(Path(sys.executable).parent / "impact")
_CHANGES = ("PUT", "DELETE")


def main(target: Path) -> None:
    """Play all chapters in this folder; `target` gets the requests of each that change the account."""
    sandbox_package = import_module(_SANDBOX)
    world = sandbox_package.World(**WORLD)
    told: list[list[dict[str, Any]]] = []
    with sandbox_package.Sandbox(world) as sandbox:
        env = os.environ | {
            "SOURCES__IMPACT__BASE_URL": sandbox.url,
            "SOURCES__IMPACT__ACCOUNT_SID": sandbox.account_sid,
            "SOURCES__IMPACT__AUTH_TOKEN": sandbox.auth_token,
            "SOURCES__IMPACT__START_DATE": START_DATE,
            "SOURCES__IMPACT__ACTOR": "Finance",
            "SOURCES__IMPACT__POLL_INTERVAL": "0 seconds",
        }
        plan = ""
        for chapter in live(world, Cast()):
            sandbox.requests.clear()
            for name, text in chapter.files.items():
                Path(name).write_text(text, encoding="utf-8")
            for code, command in chapter.commands:
                arguments = [plan if argument == PLAN else argument for argument in command]
                done = subprocess.run([_IMPACT, *arguments], env=env, capture_output=True, text=True, check=False)
                if done.returncode != code:
                    sys.exit(done.stdout + done.stderr)
                if found := re.search(r"^Plan (\S+):", done.stdout, re.MULTILINE):
                    plan = found[1]
            told.append(
                [
                    {"method": request.method, "path": request.path, "form": request.form}
                    for request in sandbox.requests
                    if request.method in _CHANGES or "/APISubmissions/" in request.path
                ]
            )
    target.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

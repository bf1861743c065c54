"""Where dlt looked for a missing setting, and where else it may be set: most people have set it somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dlt


def explain_missing(section: str, key: str) -> str:
    """Say that a secret is not set, where dlt looked for it, and where it may be."""
    variable = f"{section}.{key}".upper().replace(".", "__")
    looked = [f"{path} ({'without it' if path.is_file() else 'not there'})" for path in _files(secret=True)]
    said = f"{section}.{key} is not set: put it into .dlt/secrets.toml under [{section}] or set {variable}"
    said += f"; looked for it in the environment, {', '.join(looked)}"
    if dlt.config.get(f"{section}.{key}"):
        path = next((path for path in _files(secret=False) if path.is_file()), "config.toml")
        return f"{said}; {path} has it, where no secret is looked for: move it to secrets.toml"
    if (elsewhere := _above()) is not None:
        return f"{said}; {elsewhere} is there: run from its project's folder, or set DLT_PROJECT_DIR to that"
    return said


def _files(*, secret: bool) -> Iterator[Path]:
    for provider in dlt.secrets.config_providers if secret else dlt.config.config_providers:
        if secret or not provider.supports_secrets:
            yield from (Path(path).absolute() for path in provider.locations or ())


def _above() -> Path | None:
    """The nearest secrets.toml of a project that has the working directory among its subfolders."""
    folders = Path.cwd().parents
    return next((path for folder in folders if (path := folder / ".dlt" / "secrets.toml").is_file()), None)

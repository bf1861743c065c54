"""Checks the configuration files before dlt reads them: what is set there, and which keys nothing reads.

dlt only looks up the keys that it needs: it would ignore a misspelt one silently, and read everything.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

_OURS = frozenset(
    {
        "destination",
        "warehouse_wait",
        "shutdown_wait",
        "lake_url",
        "lake_account",
        "lake_options",
        "orders_database",
        "order_statuses",
        "order_reasons",
    }
)
"""The keys of `[impact]`; dlt looks there too, for settings of the pipeline of that name alone."""
_ADDRESS = frozenset({"credentials"})
_SOURCE, _PIPELINE = ("sources", "impact"), ("impact",)
_Path: TypeAlias = tuple[str, ...]
_FIXED = {"NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false"}
"""Not optional for our tables: a column that differs in every load would make every row a changed one."""
_DEFAULTS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    # We handle interrupts: dlt would finish its step first and, late in a load, forget them.
    "RUNTIME__INTERCEPT_SIGNALS": "false",
    # These make a load package a checkpoint, and keep a working folder and a staging dataset from growing.
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
    # Each page is written before the next is taken; otherwise a complete load package would be in memory.
    "EXTRACT__NEXT_ITEM_MODE": "fifo",
}
"""How dlt should behave unless the user sets it otherwise."""
_set = set[str]()
"""The variables that hold a default of ours, not a value of the user's."""


def set_defaults() -> None:
    """Set our defaults in the environment, which dlt reads first, unless it or one of the user's files sets them.

    Call it again in another folder, which has other files.
    """
    for name in _set:
        os.environ.pop(name, None)
    _set.clear()
    given = {tuple(part.upper() for part in path[-2:]) for _, path in _keys()}
    for name, value in _DEFAULTS.items():
        if name not in os.environ and tuple(name.split("__")) not in given:
            os.environ[name] = value
            _set.add(name)
    os.environ.update(_FIXED)


def check() -> None:
    """Raise `ConfigurationError` that names a file which is not TOML, or a key that nothing reads."""
    from impact_source.errors import ConfigurationError  # noqa: PLC0415 - is run before dlt is imported, for its defaults

    for file in settings_files():
        try:
            _read(file)
        except (ValueError, OSError) as error:
            hint = "; it begins with a byte order mark: save it as UTF-8 without one" if _has_mark(file) else ""
            msg = f"the configuration {file} cannot be read: {error}{hint}"
            raise ConfigurationError(msg) from None
    known = _known()
    for where, path in (*_keys(), *_variables()):
        if (right := _right(path, known)) is not None:
            msg = f"{where}: nothing reads {'.'.join(path)}" + (f"; did you mean {right}?" if right else "; remove it")
            raise ConfigurationError(msg)
    for name in os.environ:
        if (right := _respelt(name, known)) not in {None, name}:
            msg = f"the environment: nothing reads {name}; did you mean {right}?"
            raise ConfigurationError(msg)


def folder() -> str:
    """The name of the folder that holds a project's files."""
    return os.environ.get("DLT_CONFIG_FOLDER", ".dlt")


def settings_files() -> list[Path]:
    """The files that dlt reads, those in the working folder first; not all of them exist."""
    folders = [Path(os.environ.get("DLT_PROJECT_DIR", ".")) / folder(), _global_folder(folder())]
    return [place.absolute() / name for place in folders for name in ("secrets.toml", "config.toml")]


def _global_folder(folder: str) -> Path:
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/dlt")
    home = Path("~").expanduser() / folder
    elsewhere = os.environ.get("XDG_DATA_HOME")
    return Path(elsewhere) / "dlt" if elsewhere and not home.is_dir() else home


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}


def _has_mark(path: Path) -> bool:
    try:
        return path.read_bytes().startswith(b"\xef\xbb\xbf")
    except OSError:
        return False


def _keys() -> Iterator[tuple[str, _Path]]:
    """Every key of the readable files, with its file."""
    for path in settings_files():
        try:
            found = _read(path)
        except (ValueError, OSError):
            continue
        for key in _leaves(found):
            yield str(path), key


def _leaves(table: Mapping[str, Any], *above: str) -> Iterator[_Path]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, *above, name)
        else:
            yield (*above, name)


def _variables() -> Iterator[tuple[str, _Path]]:
    """The environment variables that dlt would read, as keys."""
    for name in os.environ:
        if "__" in name and name == name.upper():
            yield "the environment", tuple(name.lower().split("__"))


def _known() -> dict[_Path, frozenset[str]]:
    """The keys of our sections."""
    from impact_source.settings import Settings  # noqa: PLC0415 - as above

    return {_SOURCE: frozenset(item.name for item in fields(Settings)), _PIPELINE: _OURS}


def _right(path: _Path, known: Mapping[_Path, frozenset[str]]) -> str | None:
    """The correct key for a wrong one, empty if nothing is similar; None if there is nothing wrong with it."""
    section, key = path[:-1], path[-1]
    if section in known:
        return None if key in known[section] else _nearest(key, known)
    if section in {(), _SOURCE[:1]} and key in known[_SOURCE]:
        return ".".join((*_SOURCE, key))
    for place in known:
        if len(section) == len(place) and all(map(_alike, section, place)):
            return ".".join((*place, key)) if key in known[place] else _nearest(key, known)
    return None


def _nearest(key: str, known: Mapping[_Path, frozenset[str]]) -> str:
    names = {name: ".".join((*place, name)) for place, keys in known.items() for name in keys}
    near = get_close_matches(key, names, n=1) or sorted(name for name in names if name.startswith(key))
    return names[near[0]] if near else ""


def _alike(one: str, other: str) -> bool:
    return bool(get_close_matches(one, [other], cutoff=0.8))


def _respelt(name: str, known: Mapping[_Path, frozenset[str]]) -> str | None:
    """The variable in the form that dlt reads (capitals, two underscores); None if it is not meant for us."""
    plain = name.upper().replace("__", "_")
    places = {**known, ("destination", "duckdb"): _ADDRESS, ("destination", "postgres"): _ADDRESS}
    right = ("__".join((*place, key)).upper() for place, keys in places.items() for key in keys)
    return next((one for one in right if one.replace("__", "_") == plain), None)

"""`impact report` as the user calls it: reads the warehouse, writes the file, prints its path."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from impact_source.errors import ConfigurationError
from impact_source.parsing import end_of, start_of

from ..console.exits import Exit
from ..console.screen import console
from ..extras import needed
from ..views import zone_of
from ..warehouse.open import open_pipeline
from .gather import read
from .scope import Books, Scope


def run(
    output: str, campaigns: tuple[str, ...], since: date | None, compare_to: date | None, close: date | None
) -> int:
    """Write the report; the exit code is 0 whatever it shows."""
    with needed("report", "a report"):
        from .page import render  # noqa: PLC0415 - only users of reports have the libraries

    path = _target(output)
    with open_pipeline(read_only=True) as pipeline:
        zone = ZoneInfo(zone_of(pipeline).name)
        books = Books(pipeline, Scope(campaigns, start_of(since, zone) if since else None))
        books.check()
        figures = read(books, end_of(compare_to, zone) if compare_to else None, close)
    for option, bound in (("--since", since), ("--compare-to", compare_to)):
        _check_past(option, bound, zone, figures.as_of)
    html = render(figures).encode()
    _write(path, html)
    console().print(
        f"Report: {output}, {len(html) / 1e6:,.1f} MB. Open it in a browser; it needs no network.", soft_wrap=True
    )
    return Exit.DONE


def _check_past(option: str, bound: date | None, zone: ZoneInfo, as_of: datetime | None) -> None:
    """Raise `ConfigurationError` for an instant, or a day that begins, after all that was read."""
    if bound and as_of and start_of(bound, zone) > as_of:
        read = f"{as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        msg = f"{option} {bound.isoformat()} lies after {read}, up to which the warehouse was read: give an earlier one"
        raise ConfigurationError(msg)


def _target(output: str) -> Path:
    """Check the path before anything is read. Raises `ConfigurationError`."""
    try:
        path = Path(output).resolve()
        taken, placed = path.exists() and not path.is_file(), path.parent.is_dir()
    except (OSError, ValueError) as error:
        raise _unwritable(output, error) from None
    if taken:
        raise _unwritable(output, "it exists and is not a file; name a file with -o")
    if not placed:
        raise _unwritable(output, f"there is no folder {path.parent}: create it, or name another file with -o")
    return path


def _write(path: Path, html: bytes) -> None:
    """Write the complete file or nothing."""
    part = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        part.write_bytes(html)
        part.replace(path)
    except OSError as error:
        raise _unwritable(str(path), error) from None
    finally:
        part.unlink(missing_ok=True)


def _unwritable(output: str, error: Exception | str) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or error
    return ConfigurationError(f"the report cannot be written to {output}: {reason}")

"""One table for each scenario: on the console, in a JSON file with every figure, and in Markdown built from that."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_PACKAGES = ("dlt", "duckdb", "pyarrow", "httpx")
_GIB = 1 << 30


@dataclass(frozen=True)
class Sizes:
    """The scale of a scenario: its sizes in rows, and how often it runs each command after a warm-up."""

    rows: tuple[int, ...]
    runs: int


@dataclass(frozen=True)
class Report:
    """The result of a scenario: a table (first column names, others figures), remarks, and the raw figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    figures: dict[str, Any] = field(default_factory=dict)


def say(text: str) -> None:
    """Print the progress of the measurement."""
    Console(stderr=True, highlight=False, markup=False).print(text, soft_wrap=True)


def show(report: Report) -> None:
    """Print a report."""
    table = Table(title=report.title, title_justify="left", title_style="bold", pad_edge=False)
    for place, name in enumerate(report.columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    for row in report.rows:
        table.add_row(*row)
    out = Console(highlight=False, markup=False)
    out = out if out.is_terminal else Console(highlight=False, markup=False, width=160)
    out.print(table, *report.notes, sep="\n", soft_wrap=True)


def save(folder: Path, scenario: str, report: Report, *, quick: bool) -> None:
    """Save a report in `results.json`, beside those of the other scenarios, and rewrite `results.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.json"
    kept: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    kept[scenario] = asdict(report) | {"machine": machine(), "quick": quick}
    results.write_text(json.dumps(kept, indent=2) + "\n")
    (folder / "results.md").write_text("\n".join(["# Measured", *map(_markdown, kept.values())]))


def machine() -> str:
    """The machine that was measured on, and the date."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    libraries = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {_processor()}, {memory:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}, {libraries}"
    )


def _processor() -> str:
    """The processor's model if the system reports it, else its architecture."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _markdown(kept: dict[str, Any]) -> str:
    columns = kept["columns"]
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *kept["rows"]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = [*kept["notes"], *(["Quick sizes: a try, no measurement."] if kept["quick"] else []), kept["machine"]]
    return "\n".join(["", f"## {kept['title']}", "", table, "", *(f"- {note}" for note in notes), ""])


def seconds(value: float) -> str:
    """Seconds, as shown in a table."""
    return f"{value:,.2f} s"


def megabytes(value: float) -> str:
    """Bytes, as shown in a table."""
    return f"{value / 1e6:,.0f} MB"

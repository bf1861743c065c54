"""Reports as the user writes them, and their figures."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from click.testing import CliRunner, Result
from impact_sync.cli import main
from impact_sync.report.figures import Figures
from impact_sync.report.gather import read
from impact_sync.report.scope import Books, Scope
from impact_sync.warehouse.open import open_pipeline


def report(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["report", *arguments])


def written(*arguments: str) -> Path:
    """The report that the command wrote."""
    result = report(*arguments)
    assert result.exit_code == 0, result.output
    path = Path("impact-report.html").absolute()
    assert f"Report: impact-report.html, {path.stat().st_size / 1e6:,.1f} MB" in result.output
    return path


def figures(
    scope: Scope = Scope(),  # noqa: B008 - it is frozen
    compare_to: datetime | None = None,
    close: date | None = None,
) -> Figures:
    """The figures of a report."""
    with open_pipeline(read_only=True) as pipeline:
        return read(Books(pipeline, scope), compare_to, close)

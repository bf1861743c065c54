"""The benchmark itself: its contenders do the same work, its server remembers, and its results are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.bench import __main__ as command
from tests.bench.contenders import Held, Workplace, workplace
from tests.bench.process import CommandFailed, Cost, measure
from tests.bench.report import Report, Sizes
from tests.bench.serving import Counts, serving


@pytest.mark.long
def test_all_contenders_end_with_the_same_actions_from_the_same_requests() -> None:
    """The floor, the sync and dlt's own source hold the same, and request windows that the server knows by then."""
    with serving(3_000) as server:
        floor = _held(lambda place: place.floor(server, ahead=4))
        windows = server.count()
        synced = _held(lambda place: place.sync(server))
        # The list of campaigns; and two more requests for the time, as the sandbox's clock is not this machine's.
        assert server.count() == Counts(requests=windows.requests + 1 + 2, computed=1)
        assert _held(lambda place: place.ready_made(server, tuned=True, share=1.0)) == floor == synced
        assert server.count() == Counts(requests=windows.requests, computed=0)
    assert floor.rows == floor.ids > 2_900


def test_a_command_that_fails_is_not_measured(tmp_path: Path) -> None:
    """A failure raises, with the command's output."""
    with pytest.raises(CommandFailed, match="nothing works"):
        measure(["sh", "-c", "echo nothing works; exit 3"], tmp_path)


def test_reports_of_several_scenarios_are_kept_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scenario replaces its own results and keeps those of the others; the Markdown has all of them."""
    cost = Cost(wall=1.5, processor=1.0, peak=1, written=1)

    def measured(sizes: Sizes) -> Report:
        return Report(f"{sizes.rows[0]} rows", ("", "wall"), [["sync", "1.5 s"]], figures={"sync": cost.figures})

    usual = Sizes(rows=(7,), runs=1)
    monkeypatch.setattr(command, "SCENARIOS", dict.fromkeys(("backfill", "memory"), (measured, usual, usual)))
    for arguments in (["backfill"], ["memory", "--rows", "8"], ["backfill", "--rows", "9"]):
        ended = CliRunner().invoke(command.main, [*arguments, "--out", str(tmp_path)], catch_exceptions=False)
        assert "1.5 s" in ended.output
    results = json.loads((tmp_path / "results.json").read_text())
    assert [results[name]["title"] for name in ("backfill", "memory")] == ["9 rows", "8 rows"]
    assert results["memory"]["figures"]["sync"]["wall"] == 1.5
    text = (tmp_path / "results.md").read_text()
    assert "## 9 rows" in text
    assert "| sync | 1.5 s |" in text


def _held(run: Callable[[Workplace], Cost]) -> Held:
    with workplace() as place:
        run(place)
        return place.held()

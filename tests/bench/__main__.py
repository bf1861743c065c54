"""`python -m tests.bench [SCENARIO]`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tests.bench import answers, backfill, bloat, history, items, latency, memory, nothing_new, reconcile, scale
from tests.bench.report import Report, Sizes, save, show

SCENARIOS: dict[str, tuple[Callable[[Sizes], Report], Sizes, Sizes]] = {
    "backfill": (backfill.run, backfill.FULL, backfill.QUICK),
    "memory": (memory.run, memory.FULL, memory.QUICK),
    "scale": (scale.run, scale.FULL, scale.QUICK),
    "nothing-new": (nothing_new.run, nothing_new.FULL, nothing_new.QUICK),
    "latency": (latency.run, latency.FULL, latency.QUICK),
    "bloat": (bloat.run, bloat.FULL, bloat.QUICK),
    "history": (history.run, history.FULL, history.QUICK),
    "items": (items.run, items.FULL, items.QUICK),
    "reconcile": (reconcile.run, reconcile.FULL, reconcile.QUICK),
    "views": (answers.run, answers.FULL, answers.QUICK),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("scenario", type=click.Choice([*SCENARIOS, "all"]), default="backfill")
@click.option("--rows", type=click.IntRange(min=1), multiple=True, help="Size of the account; repeat where several.")
@click.option("--runs", type=click.IntRange(min=1), help="Runs of each command after a warm-up.")
@click.option("--quick", is_flag=True, help="Small sizes, one run: to see that it works.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("tests/bench"), show_default=True)
def main(scenario: str, rows: tuple[int, ...], runs: int | None, out: Path, *, quick: bool) -> None:
    """Measure a scenario and save the results in OUT/results.json and OUT/results.md."""
    for name in SCENARIOS if scenario == "all" else [scenario]:
        run, full, small = SCENARIOS[name]
        usual = small if quick else full
        report = run(Sizes(rows or usual.rows, runs or usual.runs))
        show(report)
        save(out, name, report, quick=quick)


if __name__ == "__main__":
    main()

"""A command whose libraries are not installed says in one line how to get them."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner
from impact_sync.cli import main


@pytest.mark.parametrize(
    ("arguments", "library", "line"),
    [
        (
            ["report"],
            "vl_convert",
            "impact: a report needs a library that is not installed (vl_convert): pip install 'impact-sync[report]'",
        ),
        (
            ["publish"],
            "deltalake",
            "impact: a lake needs a library that is not installed (deltalake): pip install 'impact-sync[lake]'",
        ),
    ],
)
def test_a_missing_library_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], library: str, line: str
) -> None:
    """Exit code 2 and one line on standard error, before anything is opened."""
    for module in [name for name in sys.modules if name.startswith(("impact_sync.report", "impact_sync.lake"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr.strip()) == (2, line)

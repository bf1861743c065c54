"""Has a release write the warehouses for later tests: `python -m tests.upgrade.make COMMIT VERSION`.

Checks the release out, creates its environment from its own lock file, plays the story on its own sandbox with its own
commands, into DuckDB and into Postgres, and stores the result in a folder named after its version, beside this file.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import postgres
from tests.upgrade.dumps import dump

HERE = Path(__file__).parent


def main(commit: str, version: str) -> None:
    """Check a release out, create its environment, store what it writes."""
    with TemporaryDirectory() as folder:
        tree, work = Path(folder, "tree"), Path(folder, "work")
        _run("git", "worktree", "add", "--detach", str(tree), commit)
        try:
            _run("make", "-C", str(tree), "setup", f"PYTHON={sys.executable}")
            write_warehouses(tree, work, HERE / version)
        finally:
            _run("git", "worktree", "remove", "--force", str(tree))


def write_warehouses(tree: Path, work: Path, kept: Path) -> None:
    """Have the release in `tree` write both warehouses in folders of `work`, and store them."""
    kept.mkdir()
    with postgres.serving() as server:
        address = postgres.new_database(server)
        to_duckdb = {"DESTINATION__DUCKDB__CREDENTIALS": str(work / "duckdb/warehouse.duckdb")}
        to_postgres = {"IMPACT__DESTINATION": "postgres", "DESTINATION__POSTGRES__CREDENTIALS": address}
        for warehouse, own in (("duckdb", to_duckdb), ("postgres", to_postgres)):
            (work / warehouse).mkdir(parents=True)
            paths = {
                "DLT_DATA_DIR": str(work / warehouse / "dlt"),
                "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{tree}",
            }
            play = (str(tree / ".venv/bin/python"), "-m", "tests.upgrade.play", str(kept / f"{warehouse}.json"))
            _run(*play, cwd=work / warehouse, env=os.environ | own | paths)
        _keep(kept / "warehouse.sql.gz", dump(address))
    _keep(kept / "warehouse.duckdb.gz", (work / "duckdb/warehouse.duckdb").read_bytes())
    shutil.copy(work / "duckdb/warehouse.duckdb.corrections.jsonl", kept / "duckdb.journal.jsonl")
    (journal,) = (work / "postgres/dlt/pipelines").glob("*.corrections.jsonl")
    shutil.copy(journal, kept / "postgres.journal.jsonl")
    names = {"address": address, "journal_file": journal.name}
    (kept / "names.json").write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")


def _run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, check=True, cwd=cwd, env=env)


def _keep(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:3])

"""The modules in which a mistake costs rows or money, each with the quickest tests that should notice it."""

from __future__ import annotations

MODULES: dict[str, tuple[str, ...]] = {
    # Which instants are asked for: a gap loses rows.
    "sources/impact_source/plan/windows.py": ("tests/test_windows.py",),
    # How a window that is too full is cut: what no part holds is lost.
    "sources/impact_source/plan/narrowing.py": ("tests/test_narrowing_rules.py", "tests/test_narrowing_cuts.py"),
    "sources/impact_source/plan/splitting.py": ("tests/test_parting.py",),
    # From cursors to windows: a cursor that moves too far loses rows for good.
    "sources/impact_source/plan/passes.py": ("tests/test_passes.py", "tests/test_passes_marks.py"),
    # Which rows of a page are written, and the sums of money that moved.
    "sources/impact_source/rows/diff.py": ("tests/test_changes.py",),
    # What an answer of the API means.
    "sources/impact_source/api/protocol.py": ("tests/test_protocol.py", "tests/test_protocol_answers.py"),
    # Texts become amounts and dates. (`columns` declares their types and decides nothing.)
    "sources/impact_source/rows/cells.py": ("tests/test_cells.py", "tests/test_tables.py"),
    # The hour's requests: too many, and the API refuses the account's other users.
    "sources/impact_source/api/quota.py": ("tests/test_budget.py",),
    # When an action that the API does not know is asked for again.
    "sources/impact_source/plan/gone.py": ("tests/test_gone_rules.py",),
    # What could not be read: named, and asked for again by the next run.
    "sources/impact_source/actions/unread.py": ("tests/test_unread_rules.py",),
    # Pages are fetched ahead: each once, and in order.
    "sources/impact_source/actions/prefetch.py": ("tests/test_ahead.py",),
    # What the time is: a clock that runs ahead loses rows.
    "sources/impact_source/api/clock.py": (
        "tests/test_clock_rules.py",
        "tests/test_clock.py::test_a_clock_is_believed_as_far_as_answers_and_our_own_agree",
        "tests/test_clock.py::test_a_later_answer_shows_how_far_the_clock_had_run_ahead",
    ),
    # What is asked for in a file of corrections.
    "pipelines/impact_sync/corrections/plan/request.py": (
        "tests/corrections/test_request.py",
        "--deselect=tests/corrections/test_request.py::test_a_query_in_the_warehouse_asks",  # which takes seconds
    ),
    # Answers that arrived before a run was killed: whose they are.
    "sources/impact_source/items/spool.py": ("tests/test_spool.py",),
    # What verification finds to be different.
    "pipelines/impact_sync/verify/compare.py": ("tests/test_compare.py",),
    # How files land in a table: a key twice, or not at all.
    "pipelines/impact_sync/warehouse/duckdb/merge.py": (
        "tests/test_duckdb_merge.py",
        "--deselect=tests/test_duckdb_merge.py::test_a_load_that_needs_more_memory_gets_it",  # which takes seconds
    ),
    # What left, what may take effect yet, and who may send: money is moved once.
    "pipelines/impact_sync/corrections/journal/table.py": ("tests/corrections/test_journal.py",),
    # Whether an action is still what was agreed to, and whether it shows what was asked.
    "pipelines/impact_sync/corrections/live.py": ("tests/corrections/test_live.py",),
    # Every version that was seen, with the interval it held.
    "pipelines/impact_sync/warehouse/history.py": ("tests/test_history_rules.py",),
    "pipelines/impact_sync/warehouse/history_check.py": ("tests/test_history_rules.py",),
}

"""The modules in which a mistake costs rows or money, each with the quickest tests that should detect it."""

from __future__ import annotations

from pathlib import Path

_SOURCE, _SYNC = "sources/impact_source", "pipelines/impact_sync"


def _tested(module: str, *more: str, tests: str = "", slow: str = "") -> dict[str, tuple[str, ...]]:
    """Tests are where the module is: `test_<module>.py`, or those that `tests` names, and `more` beside it.

    `slow` marks tests among them that take seconds.
    """
    path = Path("tests", *Path(module).parts[1:])
    files = [f"{path.parent}/{name}.py" for name in (tests or f"test_{path.name}", *more)]
    return {f"{module}.py": (*files, *([f"--deselect={files[0]}::{slow}"] if slow else []))}


MODULES: dict[str, tuple[str, ...]] = {
    # Which instants are requested: a gap loses rows.
    **_tested(f"{_SOURCE}/plan/windows"),
    # How a window that is too full is cut: rows in no part are lost.
    **_tested(f"{_SOURCE}/plan/narrowing", "test_cuts"),
    **_tested(f"{_SOURCE}/plan/cuts", "test_narrowing"),
    **_tested(f"{_SOURCE}/plan/splitting"),
    # From cursors to windows: a cursor that moves too far loses rows for good.
    **_tested(f"{_SOURCE}/plan/passes", "test_passes_marks"),
    **_tested(f"{_SOURCE}/plan/cursors", "test_passes_marks"),
    # How actions that no window returned are read again.
    **_tested(f"{_SOURCE}/plan/unseen"),
    # Which rows of a page are written, and the sums of money that moved.
    **_tested(f"{_SOURCE}/rows/diff"),
    # Which of two answers about an action is the later one: an older one would undo a correction.
    **_tested(f"{_SOURCE}/actions/freshness"),
    # What an answer of the API means.
    **_tested(f"{_SOURCE}/api/protocol", "test_protocol_answers"),
    **_tested(f"{_SOURCE}/api/answers", "test_protocol_answers", tests="test_protocol"),
    **_tested(f"{_SOURCE}/api/headers", "test_protocol_answers", tests="test_protocol"),
    # Texts become amounts and dates. (`columns` declares their types and decides nothing.)
    **_tested(f"{_SOURCE}/rows/cells", "test_parse"),
    **_tested(f"{_SOURCE}/rows/parse"),
    # Lines become items, and items of an action are replaced together.
    **_tested(f"{_SOURCE}/rows/items"),
    # The hourly limit: beyond it, the API refuses the account's other users too.
    **_tested(f"{_SOURCE}/api/quota"),
    **_tested(f"{_SOURCE}/api/budget", tests="test_quota"),
    # What is sent again, and how often.
    **_tested(f"{_SOURCE}/api/retries"),
    # A list is read to its end, and has one.
    **_tested(f"{_SOURCE}/api/lists"),
    # When an action that the API does not know is requested again.
    **_tested(f"{_SOURCE}/plan/gone"),
    # What could not be read: reported, and requested again by the next run.
    **_tested(f"{_SOURCE}/actions/unread"),
    # What a run should have met and has not: requested by itself.
    **_tested(f"{_SOURCE}/actions/watch"),
    # Pages are fetched ahead: each once, and in order.
    **_tested(f"{_SOURCE}/actions/prefetch"),
    # What the time is: a clock that runs ahead loses rows. (`test_clock` syncs, which takes seconds.)
    f"{_SOURCE}/api/clock.py": (
        "tests/impact_source/api/test_clock_rules.py",
        "tests/impact_source/api/test_clock.py::test_a_clock_is_believed_as_far_as_answers_and_our_own_agree",
        "tests/impact_source/api/test_clock.py::test_a_later_answer_shows_how_far_the_clock_had_run_ahead",
    ),
    # What a file of corrections requests.
    **_tested(f"{_SYNC}/corrections/plan/request", slow="test_a_query_in_the_warehouse_asks"),
    # Whose items are requested next, and how far items are known.
    **_tested(f"{_SOURCE}/items/queue", tests="test_queue_rules"),
    # Answers that arrived before a run was killed: whose they are.
    **_tested(f"{_SOURCE}/items/spool"),
    # What verification finds to be different.
    **_tested(f"{_SYNC}/verify/compare"),
    **_tested(f"{_SYNC}/verify/judge"),
    # How files land in a table: a key twice, or not at all.
    f"{_SYNC}/warehouse/duckdb/merge.py": (
        "tests/impact_sync/warehouse/duckdb/test_merge.py",
        "tests/impact_sync/warehouse/test_versions.py",
        (
            "--deselect=tests/impact_sync/warehouse/test_versions.py::"
            "test_a_run_that_fails_in_a_merge_has_changed_nothing_in_it"
        ),
    ),
    # What was sent, what may still take effect, and who may send: money is changed once.
    **_tested(f"{_SYNC}/corrections/journal/table", tests="test_journal"),
    **_tested(f"{_SYNC}/corrections/journal/queries", tests="test_journal"),
    # Whether an action is still what was agreed to, and whether it shows what was requested.
    **_tested(f"{_SYNC}/corrections/live"),
    # What may be sent.
    **_tested(f"{_SYNC}/corrections/plan/validate", tests="test_validate_rules"),
    # Each call is sent once, and only if its action is still what was agreed to.
    **_tested(f"{_SYNC}/corrections/apply/sending", "test_lost", tests="test_apply"),
    # What became of sent calls, and of those whose answer was lost.
    **_tested(
        f"{_SYNC}/corrections/apply/settle",
        "test_polls",
        "test_lost",
        "test_late",
        "test_unreadable",
        tests="test_apply",
    ),
    **_tested(f"{_SYNC}/corrections/apply/lost", "test_late"),
    # How a processed correction ended.
    **_tested(f"{_SYNC}/corrections/apply/verdicts"),
    # Every version that was seen, with the interval it held.
    **_tested(f"{_SYNC}/warehouse/versions", slow="test_a_run_that_fails_in_a_merge_has_changed_nothing_in_it"),
    **_tested(f"{_SYNC}/warehouse/history_check"),
}

SAMPLED = frozenset(
    {
        f"{_SYNC}/corrections/apply/sending.py",
        f"{_SYNC}/corrections/apply/settle.py",
        f"{_SYNC}/corrections/apply/lost.py",
    }
)
"""Those whose tests serve an account each, which takes seconds."""

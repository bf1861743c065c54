"""Pages do not land in the order in which they arrive: the latest answer about an action is the one that counts."""

from __future__ import annotations

import pyarrow as pa
from impact_source.actions.events import Batch
from impact_source.actions.freshness import Carried, Freshness
from impact_source.rows.diff import CARRIED
from impact_source.settings import PAGES_MAX

from tests.support.landings import batch


def of(*ids: str, arrived: float = 1.0) -> Batch:
    """An answer about these actions."""
    return batch(*({"Id": id_} for id_ in ids), arrived=arrived)


def ids(table: pa.Table | None) -> list[str] | None:
    """Ids of the rows; None if there is no table."""
    return None if table is None else table["id"].to_pylist()


def test_an_older_answer_loses_only_the_actions_that_a_newer_one_has() -> None:
    """Rows of a batch read earlier are dropped where a batch read later has landed, whichever that was."""
    fresh = Freshness()
    assert ids(fresh.drop_outdated(of("1", "2", arrived=5.0))) == ["1", "2"]
    assert ids(fresh.drop_outdated(of("3", arrived=6.0))) == ["3"]
    assert ids(fresh.drop_outdated(of("2", "3", "4", arrived=4.0))) == ["4"]
    assert ids(fresh.drop_outdated(of("3", "1", arrived=5.5))) == ["1"], "the answer about 1 was read earlier"
    assert ids(fresh.drop_outdated(of("8", "9", arrived=0.0))) == ["8", "9"]


def test_answers_of_one_instant_all_land() -> None:
    """Neither of two batches that arrived together was read later than the other."""
    fresh = Freshness()
    assert ids(fresh.drop_outdated(of("1", arrived=5.0))) == ["1"]
    assert ids(fresh.drop_outdated(of("1", arrived=5.0))) == ["1"]


def test_more_batches_are_remembered_than_are_ever_in_flight() -> None:
    """A newer answer holds for the 31 batches that land after it."""
    fresh = Freshness()
    fresh.drop_outdated(of("1", arrived=100.0))
    for number in range(31):
        fresh.drop_outdated(of(f"other {number}", arrived=number))
    assert ids(fresh.drop_outdated(of("1", arrived=99.0))) == []


def test_the_memory_of_batches_is_limited() -> None:
    """The 33rd batch takes the place of the first."""
    fresh = Freshness()
    fresh.drop_outdated(of("1", arrived=100.0))
    for number in range(32):
        fresh.drop_outdated(of(f"other {number}", arrived=number))
    assert ids(fresh.drop_outdated(of("1", arrived=99.0))) == ["1"]


def test_the_latest_row_that_a_package_carries_comes_first() -> None:
    """A tally compares with the answer before; only the columns that it needs are kept."""
    carried = Carried()
    carried.add(batch({"Payout": "1.00"}, {"Id": "2"}).records.table)
    carried.add(batch({"Payout": "2.00"}, {"Id": "3"}).records.table)
    found = carried.find(pa.chunked_array([["1"], ["3", "4"]]))
    assert found is not None
    assert found.column_names == list(CARRIED)
    assert list(zip(*found.select(["id", "payout"]).to_pydict().values(), strict=True)) == [
        ("1", 2),
        ("3", 1),
        ("1", 1),
    ]


def test_a_package_that_carries_none_of_the_ids_has_no_rows() -> None:
    """There is nothing to compare with, neither before the first row nor where all rows are of other actions."""
    carried = Carried()
    wanted = pa.chunked_array([["1"]])
    assert carried.find(wanted) is None
    carried.add(of("2").records.table)
    assert carried.find(wanted) is None


def test_a_new_package_remembers_the_end_of_the_last_one() -> None:
    """As many pages as a window has: its boundary is in the next window too."""
    carried = Carried()
    for number in range(PAGES_MAX + 1):
        carried.add(of(f"{number}").records.table)
    carried.next_package()
    wanted = pa.chunked_array([["0", "1", f"{PAGES_MAX}"]])
    assert ids(carried.find(wanted)) == [f"{PAGES_MAX}", "1"]
    carried.next_package()
    assert ids(carried.find(wanted)) == [f"{PAGES_MAX}", "1"], "a package without rows changes nothing"

"""A window that holds too much is narrowed until all of it is read, within a limited number of requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from impact_sandbox import Campaign, Reply, Request, Rules
from impact_source.actions.events import Batch, WindowDone
from impact_source.actions.reading import WindowReader
from impact_source.api.client import Client
from impact_source.errors import ReadingError, RequestRefused, WindowIncomplete
from impact_source.plan.axis import Axis
from impact_source.plan.narrowing import allowed
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Counts, Window

from tests.support.account import Account

Make = Callable[..., Account]
ONE = (Campaign(id="1000", name="Acme Campaign", state="ACTIVE", share=1.0),)
SIZE = 10
"""Actions per page: a hundred can be paged through."""
DAY = timedelta(days=1)


class Nothing:
    """Knows no actions."""

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:  # noqa: ARG002
        """No counts."""
        return []


class Read:
    """One window of a sandbox as the reader reads it: its ids, its error, and the requests that it took."""

    def __init__(self, one: Account, pass_: Pass = Pass.LOCKING, known: Any = Nothing()) -> None:  # noqa: ANN401, B008
        now = one.world.now
        # The API may compare to the day and exclude the end: the window ends the day after.
        window = Window(now, now + 45 * DAY) if pass_ is Pass.LOCKING else Window(now - 44 * DAY, now + DAY)
        self.ids: set[str] = set()
        self.done: list[WindowDone] = []
        one.sandbox.requests.clear()
        with Client(one.settings()) as client:
            reader = WindowReader(client, 2_000, known)
            reader.horizon = Window(now - 1094 * DAY, now)
            for event in reader.read([Reading("1000", pass_, window)]):
                if isinstance(event, Batch):
                    self.ids.update(event.ids.to_pylist())
                else:
                    self.done.append(event)
            reader.close()
        self.sent = len(one.sandbox.requests)
        self.errors: list[ReadingError] = [failure.error for failure in reader.unread.failures]
        dates = {Pass.LOCKING: "locking_date", Pass.VERIFY: "event_date"}
        self.truth = {
            id_
            for id_, row in one.truth().items()
            if pass_ is Pass.UPDATED or window.start <= row[dates[pass_]] <= window.end  # type: ignore[operator]
        }

    def assert_whole(self, size: int = SIZE) -> None:
        """All of it was read, within the limit of requests."""
        assert not self.errors
        assert self.ids >= self.truth
        assert self.done[-1].complete
        assert self.sent <= allowed(len(self.ids), size), (self.sent, len(self.ids))


def crowded(account: Make, **rules: Any) -> Account:  # noqa: ANN401 - rules of the sandbox
    """540 actions that lock at one instant."""
    usual: dict[str, Any] = {"shared_locking_day": 28, "most_a_page": SIZE}
    return account(days=13, per_day=40, rules=Rules(**usual | rules), campaigns=ONE)


@pytest.mark.parametrize("names_total", [True, False])
@pytest.mark.parametrize("refusal", ["plain", "page_size", "dates", "ok"])
def test_too_many_is_understood_in_every_form(account: Make, refusal: str, *, names_total: bool) -> None:
    """However the API says that a window holds too many, with their number or without, the window is read in parts."""
    Read(crowded(account, refusal=refusal, refusal_names_total=names_total)).assert_whole()


@pytest.mark.parametrize("names_total", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("precision", ["second", "minute", "day"])
def test_bounds_of_any_precision_are_narrowed_within_the_bound(
    account: Make, precision: str, *, ends: bool, names_total: bool
) -> None:
    """A cut that does not narrow is abandoned at once, whatever unit the API compares to, and nothing is lost."""
    rules = {"precision": precision, "exclusive_ends": ends, "refusal_names_total": names_total}
    size = 40 if precision == "day" else SIZE  # three days must fit: two neighbours share one
    Read(crowded(account, most_a_page=size, **rules)).assert_whole(size)


@pytest.mark.parametrize("pass_", [Pass.UPDATED, Pass.VERIFY])
def test_other_dates_are_narrowed_likewise(account: Make, pass_: Pass) -> None:
    """Windows of the last-updated date and of the EventDate are read in parts too."""
    Read(crowded(account, precision="minute", exclusive_ends=True), pass_).assert_whole()


@pytest.mark.long
def test_a_bulk_edit_at_one_instant_is_read(account: Make) -> None:
    """Two hundred actions that changed in one second cannot be split by that date, but are all read."""
    one = crowded(account, precision="day")
    for id_ in sorted(one.truth())[:200]:
        one.world.modify(id_, Amount="1.00")
    Read(one, Pass.UPDATED).assert_whole()


def test_pages_that_may_grow_are_enlarged(account: Make) -> None:
    """An instant that cannot be split costs two requests beyond its pages if larger pages are accepted."""
    one = account(days=13, per_day=1_600, rules=Rules(shared_locking_day=28), campaigns=ONE)
    read = Read(one)
    assert not read.errors
    assert read.ids >= read.truth
    assert len(read.ids) > 20_000
    assert read.sent <= 10 + 4 + 10


@pytest.mark.long
def test_a_month_that_locks_at_one_instant_costs_a_bounded_number_of_requests(account: Make) -> None:
    """Some 50,000 actions at one instant, pages of 2,000 that may not grow, a server that compares to the second."""
    rules = Rules(shared_locking_day=28, max_page_size=2_000, precision="second")
    Read(account(days=33, per_day=1_600, rules=rules, campaigns=ONE)).assert_whole(2_000)


@pytest.mark.parametrize(
    "words",
    ["Campaign 1000 is suspended", "StartDate must be not before 2023-11-26", "Reference 17640877920004711", ""],
)
def test_a_refusal_for_another_reason_reaches_the_user_after_three_requests(account: Make, words: str) -> None:
    """No number in the API's words counts as a number of rows; they end the window at once."""
    one = crowded(account)
    one.sandbox.on_request = lambda _: Reply(400, b'{"Status":"ERROR","Message":"%s"}' % words.encode())
    read = Read(one)
    (error,) = read.errors
    assert isinstance(error, RequestRefused)
    assert words in str(error)
    assert read.sent == 3


@pytest.mark.parametrize("axis", ["locking", "updated"])
def test_what_is_too_slow_is_narrowed(account: Make, axis: str) -> None:
    """A window that is not answered in time is read in parts; an instant is read by EventDate."""
    one = crowded(account, slow=(axis, 200), most_a_page=20)
    read = Read(one, Pass.LOCKING if axis == "locking" else Pass.UPDATED)
    assert not read.errors
    assert read.ids >= read.truth


def test_an_api_that_is_down_is_not_asked_for_narrower_windows(account: Make) -> None:
    """If a small query is not answered either, the window ends with the API's error."""
    one = crowded(account)
    one.sandbox.on_request = lambda _: Reply(504)
    read = Read(one)
    assert "504" in str(read.errors[0])
    assert read.sent <= 6, "a test makes three attempts at each request"


def test_narrowing_that_leads_nowhere_ends_with_the_words_of_the_api(account: Make) -> None:
    """When all but a tiny query is refused, the run stops after some thirty requests and reports what the API said."""
    one = crowded(account)

    def refuse(request: Request) -> Reply | None:
        tiny = request.query["ActionDateEnd"] < "2024" if "ActionDateEnd" in request.query else False
        return None if tiny else Reply(400, b'{"Message":"Too many records, dear user"}')

    one.sandbox.on_request = refuse
    read = Read(one)
    (error,) = read.errors
    assert isinstance(error, WindowIncomplete)
    assert "dear user" in str(error)
    assert read.sent <= allowed(10 * SIZE + 1, SIZE)


def few(account: Make) -> Account:
    """Twelve actions on pages of ten."""
    one = account(days=1, per_day=0, rules=Rules(most_a_page=SIZE), campaigns=ONE)
    for _ in range(12):
        one.world.create()
    return one


@pytest.mark.parametrize("pass_", [Pass.UPDATED, Pass.LOCKING])
def test_the_total_of_the_last_page_is_compared_with_that_of_the_first(account: Make, pass_: Pass) -> None:
    """An action that enters the window between two pages is on neither: it would be missing with a matching count."""
    one = few(account)

    def enter(request: Request) -> None:
        if request.query.get("Page") == "2" and len(one.truth()) == 12:
            one.world.create()

    one.sandbox.on_request = enter
    read = Read(one, pass_)
    assert len(read.truth) == 13
    assert read.ids == read.truth
    assert [done.outcome for done in read.done if done.outcome in {"moved", "parted"}] == ["moved", "parted"]


def test_parts_below_the_total_raise(account: Make) -> None:
    """A server that says 20,001 and sends 12 for every query is not believed to have sent all of them."""
    one = few(account)
    span = 40 * DAY

    def refuse(request: Request) -> Reply | None:
        start, end = (datetime.fromisoformat(request.query[f"LockingDate{at}"]) for at in ("Start", "End"))
        return Reply(400, b'{"Message": "20001 actions match, too many"}') if end - start > span else None

    one.sandbox.on_request = refuse
    read = Read(one)
    (error,) = read.errors
    assert isinstance(error, WindowIncomplete)
    assert "20,001" in str(error)
    assert not read.done[-1].complete
    assert read.ids == read.truth, "what did come is there all the same"


def test_a_total_that_is_too_high_names_the_window(account: Make) -> None:
    """A page that holds one row less than the API says is not complete; the window's other pages are."""
    one = crowded(account)
    one.world.rules = Rules(shared_locking_day=28, total_too_high=(min(one.truth()),))
    (error,) = Read(one).errors
    assert isinstance(error, WindowIncomplete)
    assert "campaign 1000, locking" in str(error)


def test_an_action_listed_twice_is_read_once(account: Make) -> None:
    """If a page lists an action twice and the total counts it once, nothing is missing."""
    one = crowded(account)
    one.world.rules = Rules(shared_locking_day=28, listed_twice=(min(one.truth()),))
    read = Read(one)
    assert not read.errors
    assert read.ids >= read.truth

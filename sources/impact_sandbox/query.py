"""Reads the parameters of a request, and refuses what the documentation does not allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from .answers import Refusal
from .rules import Rules
from .times import parse_time, sql_time

STATES = ("PENDING", "APPROVED", "REVERSED")
LONGEST_RANGE = timedelta(days=45)
FARTHEST_BACK = timedelta(days=1095)
DEFAULT_RANGE = timedelta(days=7)
DEFAULT_PAGE_SIZE = 20_000
SMALLEST_PAGE_SIZE = 2_000
SHORT_LIST_PAGE_SIZE = 100
RANGES = {
    "updated": ("StartDate", "EndDate"),
    "event": ("ActionDateStart", "ActionDateEnd"),
    "locking": ("LockingDateStart", "LockingDateEnd"),
}
PAGING = frozenset({"Page", "PageSize"})
VERSION_PARAMETER = "IrVersion"
ACTION_PARAMETERS = PAGING | {"CampaignId", "State"} | {name for pair in RANGES.values() for name in pair}


@dataclass(frozen=True)
class ShortListQuery:
    """The requested page of a short list, of campaigns or items."""

    page: int
    page_size: int


@dataclass(frozen=True)
class ActionQuery:
    """The requested page and actions; `ranges` bound columns of the ledger, both ends included."""

    campaign_id: str
    state: str | None
    ranges: tuple[tuple[str, datetime, datetime], ...]
    page: int
    page_size: int

    def condition(self, shown_state: str, rules: Rules) -> str:
        """Return the SQL condition on a version `v`, whose shown state is the SQL given."""
        below = "<" if rules.exclusive_ends else "<="
        terms = []
        for name, low, high in self.ranges:
            value, start, end = (_cut(sql, rules) for sql in (f"v.{name}", sql_time(low), sql_time(high)))
            terms.append(f"{value} >= {start} AND {value} {below} {end}")
        if self.state:
            terms.append(f"({shown_state}) = '{self.state}'")
        return f"({(' OR ' if rules.filters == 'any' else ' AND ').join(terms)})"


def _cut(instant: str, rules: Rules) -> str:
    """Return the SQL for an instant at the precision of comparisons. The finest precision is the ledger's own."""
    return instant if rules.precision == "millisecond" else f"date_trunc('{rules.precision}', {instant})"


def read_parameters(query: str) -> dict[str, str]:
    """Read a query string in which no parameter occurs twice."""
    pairs = parse_qsl(query, keep_blank_values=True)
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        twice = sorted({name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1})
        raise Refusal(400, f"Parameters were sent more than once: {', '.join(twice)}", *twice)
    return parameters


def read_short_list_query(parameters: dict[str, str]) -> ShortListQuery:
    """Read a request for campaigns or items."""
    refuse_unknown(parameters, PAGING)
    return read_page(parameters)


def read_page(parameters: dict[str, str]) -> ShortListQuery:
    """Read which page of a short list is requested."""
    page_size = _number(parameters, "PageSize", SHORT_LIST_PAGE_SIZE, least=1)
    return ShortListQuery(_number(parameters, "Page", 1, least=1), page_size)


def read_action_query(parameters: dict[str, str], now: datetime, rules: Rules) -> ActionQuery:
    """Read a request for actions."""
    refuse_unknown(parameters, ACTION_PARAMETERS)
    campaign_id = parameters.get("CampaignId", "")
    if not campaign_id:
        raise Refusal(400, "CampaignId is required", "CampaignId")
    state = parameters.get("State")
    if state is not None and state not in STATES:
        raise Refusal(400, f"State must be one of {', '.join(STATES)}", "State")
    least = min(SMALLEST_PAGE_SIZE, rules.most_a_page or SMALLEST_PAGE_SIZE)  # links to pages contain their size
    page_size = _number(parameters, "PageSize", DEFAULT_PAGE_SIZE, least=least)
    if rules.max_page_size is not None and page_size > rules.max_page_size:
        raise Refusal(400, f"PageSize must be at most {rules.max_page_size}", "PageSize")
    page_size = min(page_size, rules.most_a_page or page_size)
    page = _number(parameters, "Page", 1, least=1)
    return ActionQuery(campaign_id, state, tuple(_ranges(parameters, now, rules)), page, page_size)


def _ranges(parameters: dict[str, str], now: datetime, rules: Rules) -> list[tuple[str, datetime, datetime]]:
    ranges = []
    for column, (start_name, end_name) in RANGES.items():
        bounds = _range(parameters, start_name, end_name)
        if bounds is None:
            continue
        if (column == "updated" or rules.three_years_on_all) and bounds[0] < now - FARTHEST_BACK:
            raise Refusal(400, f"{start_name} cannot be more than 3 years in the past", start_name)
        ranges.append((column, *bounds))
    dated = {column for column, _, _ in ranges}
    if not dated or (rules.seven_day_default_on_all and "updated" not in dated):
        ranges.append(("updated", now - DEFAULT_RANGE, now))
    return ranges


def _range(parameters: dict[str, str], start_name: str, end_name: str) -> tuple[datetime, datetime] | None:
    present = [name for name in (start_name, end_name) if name in parameters]
    if not present:
        return None
    if len(present) == 1:
        missing = end_name if present == [start_name] else start_name
        raise Refusal(400, f"{present[0]} must be used with {missing}", missing)
    start, end = (_instant(parameters, name) for name in (start_name, end_name))
    if end < start:
        raise Refusal(400, f"{end_name} must not be before {start_name}", end_name)
    if end - start > LONGEST_RANGE:
        raise Refusal(400, f"The range between {start_name} and {end_name} cannot exceed 45 days", end_name)
    return start, end


def _instant(parameters: dict[str, str], name: str) -> datetime:
    instant = parse_time(parameters[name])
    if instant is None:
        raise Refusal(400, f"{name} must be an ISO 8601 date with a time component", name)
    return instant


def _number(parameters: dict[str, str], name: str, default: int, *, least: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise Refusal(400, f"{name} must be a whole number of at least {least}", name)
    return int(text)


def refuse_unknown(parameters: Mapping[str, str], known: frozenset[str]) -> None:
    """Refuse unknown parameters, and name them."""
    unknown = sorted(parameters.keys() - known - {VERSION_PARAMETER})
    if unknown:
        raise Refusal(400, f"Unknown parameters: {', '.join(unknown)}", *unknown)

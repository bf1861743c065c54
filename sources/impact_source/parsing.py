"""Parses what users write in configuration and on the command line: instants, durations, ids, yes or no."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import pendulum

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(\D|$)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w|sec|min|second|minute|hour|day|week)s?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_bound(text: str | date) -> date:
    """A bound of a range: a date, which means a whole day, or a `datetime`, both of some zone; or an instant in UTC.

    It is ISO 8601; a time without an offset stays without one: it is the zone's as well. Raises `ValueError`.
    """
    if isinstance(text, datetime):
        return text.astimezone(UTC) if text.tzinfo else text
    if isinstance(text, date):
        return text
    moment = pendulum.parse(text.strip(), tz=None, strict=True, exact=True) if _DATE.match(text.strip()) else None
    if isinstance(moment, pendulum.DateTime):
        return datetime.fromtimestamp(moment.timestamp(), UTC) if moment.tzinfo else moment.naive()
    if isinstance(moment, pendulum.Date):
        return date(moment.year, moment.month, moment.day)
    msg = f"not a date or an instant: {text!r}"
    raise ValueError(msg)


def is_local(bound: date | None) -> bool:
    """Whether a bound is a date or a time of some zone, not an instant."""
    return bound is not None and not (isinstance(bound, datetime) and bound.tzinfo)


def start_of(bound: date, zone: tzinfo) -> datetime:
    """The first instant (UTC) of a range that starts with a bound: of a date, that of the zone's day."""
    if isinstance(bound, datetime):
        return bound if bound.tzinfo else in_zone(bound.replace(tzinfo=zone), UTC)
    # A midnight that the clocks skip is the instant of the change; of one that comes twice, the first is meant.
    return in_zone(datetime.combine(bound, time.min, zone), UTC)


def end_of(bound: date, zone: tzinfo) -> datetime:
    """The last instant (UTC) of a range that ends with a bound: of a date, that of the zone's day."""
    if isinstance(bound, datetime):
        return start_of(bound, zone)
    if bound == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return start_of(bound + timedelta(days=1), zone) - timedelta(microseconds=1)


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """An instant as a zone's clocks show it; at the ends of the calendar, the nearest one that they can show."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return datetime.min.replace(tzinfo=zone) if moment.year == 1 else datetime.max.replace(tzinfo=zone)


def parse_duration(text: str | float | timedelta) -> timedelta:
    """A duration from `"1 day"`, `"90 minutes"`, `"6h"`, ISO 8601 (`"PT90M"`) or a number of seconds."""
    if isinstance(text, timedelta):
        return text
    if isinstance(text, int | float) or text.replace(".", "", 1).isdigit():
        return timedelta(seconds=float(text))
    if match := _DURATION.fullmatch(text.strip().lower()):
        return timedelta(**{_UNITS[match[2][0]]: float(match[1])})
    duration = pendulum.parse(text)
    if not isinstance(duration, pendulum.Duration):
        msg = f"not a duration: {text!r}"
        raise ValueError(msg)  # noqa: TRY004 - the text is at fault, not its type
    return timedelta(seconds=duration.total_seconds())


def parse_ids(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - TOML, JSON and environment differ
    """Ids from a list, a JSON list, or comma-separated text."""
    if isinstance(raw, str):
        raw = json.loads(raw) if raw.lstrip().startswith("[") else raw.split(",")
    if not isinstance(raw, list | tuple):
        raw = [raw]
    return tuple(str(value).strip() for value in raw if str(value).strip())


def parse_flag(raw: Any) -> bool:  # noqa: ANN401 - TOML and environment differ
    """Yes or no from a boolean or from text. Raises `ValueError`."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if (known := words.get(str(raw).strip().lower())) is None:
        msg = f"neither true nor false: {raw!r}"
        raise ValueError(msg)
    return known

"""Time zones by the names that people and the API give them. Pure.

The API names an account's zone as old versions of Windows do: `(GMT -08:00) Pacific Time (US & Canada); Tijuana`.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

_PLACES: Final[dict[str, str]] = {
    "Etc/GMT+12": "International Date Line West",
    "Pacific/Pago_Pago": "Midway Island, Samoa, American Samoa",
    "Pacific/Honolulu": "Hawaii, Honolulu",
    "America/Anchorage": "Alaska, Anchorage",
    "America/Los_Angeles": "Pacific Time (US & Canada), Pacific Time, Los Angeles, San Francisco, Seattle, Las Vegas",
    "America/Tijuana": "Tijuana, Baja California",
    "America/Vancouver": "Vancouver",
    "America/Phoenix": "Arizona, Phoenix",
    "America/Denver": "Mountain Time (US & Canada), Mountain Time, Denver, Salt Lake City",
    "America/Edmonton": "Edmonton, Calgary",
    "America/Mazatlan": "Mazatlan",
    "America/Chihuahua": "Chihuahua",
    "America/Guatemala": "Central America, Guatemala",
    "America/Tegucigalpa": "Tegucigalpa",
    "America/Chicago": "Central Time (US & Canada), Central Time, Chicago, Dallas, Houston",
    "America/Winnipeg": "Winnipeg",
    "America/Mexico_City": "Mexico City, Guadalajara",
    "America/Monterrey": "Monterrey",
    "America/Regina": "Saskatchewan, Regina",
    "America/Bogota": "Bogota",
    "America/Lima": "Lima",
    "America/Guayaquil": "Quito",
    "America/Panama": "Panama",
    "America/New_York": "Eastern Time (US & Canada), Eastern Time, New York, Boston, Washington D.C., Atlanta, Miami",
    "America/Toronto": "Toronto, Montreal",
    "America/Indiana/Indianapolis": "Indiana (East), Indianapolis",
    "America/Caracas": "Caracas",
    "America/La_Paz": "Bolivia",
    "America/Puerto_Rico": "Puerto Rico, San Juan",
    "America/Asuncion": "Asuncion",
    "America/Manaus": "Manaus",
    "America/Cuiaba": "Cuiaba",
    "America/Halifax": "Atlantic Time (Canada), Atlantic Time, Halifax",
    "America/Santiago": "Santiago",
    "America/St_Johns": "Newfoundland, St. John's",
    "America/Sao_Paulo": "Brasilia, Sao Paulo, Rio de Janeiro",
    "America/Argentina/Buenos_Aires": "Buenos Aires, City of Buenos Aires",
    "America/Cayenne": "Cayenne",
    "America/Fortaleza": "Fortaleza",
    "America/Montevideo": "Montevideo",
    "America/Nuuk": "Greenland, Nuuk",
    "Atlantic/South_Georgia": "Mid-Atlantic, South Georgia",
    "Atlantic/Azores": "Azores",
    "Atlantic/Cape_Verde": "Cape Verde Is., Cape Verde Islands, Cape Verde, Cabo Verde Is.",
    "Africa/Casablanca": "Casablanca",
    "Africa/Monrovia": "Monrovia",
    "Atlantic/Reykjavik": "Reykjavik",
    "Europe/Dublin": "Dublin",
    "Europe/London": "London, Edinburgh, Belfast",
    "Europe/Lisbon": "Lisbon",
    "UTC": "Coordinated Universal Time, Universal Coordinated Time, Universal Time",
    "Europe/Amsterdam": "Amsterdam",
    "Europe/Berlin": "Berlin, Frankfurt, Munich, Hamburg",
    "Europe/Zurich": "Bern, Berne, Zurich, Geneva",
    "Europe/Rome": "Rome, Milan",
    "Europe/Stockholm": "Stockholm",
    "Europe/Oslo": "Oslo",
    "Europe/Vienna": "Vienna",
    "Europe/Luxembourg": "Luxembourg",
    "Europe/Belgrade": "Belgrade",
    "Europe/Bratislava": "Bratislava",
    "Europe/Budapest": "Budapest",
    "Europe/Ljubljana": "Ljubljana",
    "Europe/Prague": "Prague",
    "Europe/Brussels": "Brussels",
    "Europe/Copenhagen": "Copenhagen",
    "Europe/Madrid": "Madrid, Barcelona",
    "Europe/Paris": "Paris",
    "Europe/Sarajevo": "Sarajevo",
    "Europe/Skopje": "Skopje",
    "Europe/Warsaw": "Warsaw",
    "Europe/Zagreb": "Zagreb",
    "Africa/Lagos": "West Central Africa, Lagos",
    "Africa/Windhoek": "Windhoek",
    "Europe/Athens": "Athens",
    "Europe/Bucharest": "Bucharest",
    "Europe/Istanbul": "Istanbul",
    "Europe/Minsk": "Minsk",
    "Europe/Chisinau": "Chisinau",
    "Europe/Kaliningrad": "Kaliningrad",
    "Asia/Beirut": "Beirut",
    "Asia/Amman": "Amman",
    "Asia/Damascus": "Damascus",
    "Africa/Cairo": "Cairo",
    "Africa/Tripoli": "Tripoli",
    "Africa/Harare": "Harare",
    "Africa/Johannesburg": "Pretoria, Johannesburg, Cape Town, South Africa",
    "Europe/Helsinki": "Helsinki",
    "Europe/Kiev": "Kyiv, Kiev",
    "Europe/Riga": "Riga",
    "Europe/Sofia": "Sofia",
    "Europe/Tallinn": "Tallinn",
    "Europe/Vilnius": "Vilnius",
    "Asia/Jerusalem": "Jerusalem, Tel Aviv",
    "Asia/Baghdad": "Baghdad",
    "Asia/Kuwait": "Kuwait",
    "Asia/Riyadh": "Riyadh",
    "Asia/Qatar": "Doha, Qatar",
    "Europe/Moscow": "Moscow, St. Petersburg",
    "Europe/Volgograd": "Volgograd",
    "Africa/Nairobi": "Nairobi",
    "Asia/Tehran": "Tehran",
    "Asia/Dubai": "Abu Dhabi, Dubai",
    "Asia/Muscat": "Muscat",
    "Asia/Baku": "Baku",
    "Asia/Tbilisi": "Tbilisi",
    "Asia/Yerevan": "Yerevan",
    "Indian/Mauritius": "Mauritius, Port Louis",
    "Europe/Samara": "Samara, Izhevsk",
    "Asia/Kabul": "Kabul",
    "Asia/Yekaterinburg": "Ekaterinburg, Yekaterinburg",
    "Asia/Karachi": "Karachi, Islamabad",
    "Asia/Tashkent": "Tashkent",
    "Asia/Kolkata": "Chennai, Kolkata, Calcutta, Mumbai, Bombay, New Delhi, Bangalore, India",
    "Asia/Colombo": "Sri Jayawardenepura, Sri Jayewardenepura, Colombo",
    "Asia/Kathmandu": "Kathmandu, Katmandu",
    "Asia/Almaty": "Almaty, Astana",
    "Asia/Novosibirsk": "Novosibirsk",
    "Asia/Omsk": "Omsk",
    "Asia/Dhaka": "Dhaka",
    "Asia/Rangoon": "Rangoon, Yangon (Rangoon), Yangon",
    "Asia/Bangkok": "Bangkok",
    "Asia/Ho_Chi_Minh": "Hanoi, Ho Chi Minh City",
    "Asia/Jakarta": "Jakarta",
    "Asia/Krasnoyarsk": "Krasnoyarsk",
    "Asia/Shanghai": "Beijing, Chongqing, Shanghai",
    "Asia/Hong_Kong": "Hong Kong, Hong Kong SAR",
    "Asia/Irkutsk": "Irkutsk",
    "Asia/Ulaanbaatar": "Ulaan Bataar, Ulaanbaatar",
    "Asia/Kuala_Lumpur": "Kuala Lumpur",
    "Asia/Singapore": "Singapore",
    "Asia/Manila": "Manila",
    "Australia/Perth": "Perth",
    "Asia/Taipei": "Taipei",
    "Asia/Tokyo": "Tokyo, Osaka, Sapporo",
    "Asia/Seoul": "Seoul",
    "Asia/Yakutsk": "Yakutsk",
    "Australia/Adelaide": "Adelaide",
    "Australia/Darwin": "Darwin",
    "Australia/Brisbane": "Brisbane",
    "Australia/Sydney": "Canberra, Sydney",
    "Australia/Melbourne": "Melbourne",
    "Australia/Hobart": "Hobart",
    "Pacific/Guam": "Guam",
    "Pacific/Port_Moresby": "Port Moresby",
    "Asia/Vladivostok": "Vladivostok",
    "Asia/Magadan": "Magadan",
    "Pacific/Guadalcanal": "Solomon Is., Solomon Islands",
    "Pacific/Noumea": "New Caledonia",
    "Pacific/Auckland": "Auckland, Wellington",
    "Pacific/Fiji": "Fiji",
    "Asia/Kamchatka": "Kamchatka",
    "Pacific/Majuro": "Marshall Is., Marshall Islands",
    "Pacific/Tongatapu": "Nuku'alofa",
}
"""Each zone, by a name that databases and engines of many years know, with the places and regions that stand for it.

A place that could be in two zones (La Paz, Georgetown) is left out: others beside it decide.
"""
_NO_ZONE: Final = {"Factory", "localtime", "CET", "EET", "MET", "WET"}
"""No zone, the machine's own, and names that Postgres reads as abbreviations, of which daylight saving is no part."""
_OFFSET = re.compile(r"\(?\s*(?:GMT|UTC)\s*(?:([+\-\u2212])\s*(\d{1,2})(?:[:.]?(\d{2}))?)?\s*\)?", re.IGNORECASE)
_YEARS: Final = (datetime(2025, 1, 1, 12, tzinfo=UTC), 730)


@cache
def find_zone(name: str) -> str | None:
    """The IANA name of a zone by itself, or by a display name such as `(GMT +12:00) Auckland, Wellington`.

    None if no place in it is known; if the known ones keep different time; or if one does not keep the time that the
    name says it has: then the name is older than a change of the law, and nobody can tell which of the two is meant.
    """
    if (exact := _iana().get(name.strip().lower())) is not None:
        return exact
    match = _OFFSET.match(name.strip())
    rest = name.strip()[match.end() :] if match else name
    found = [zone for part in re.split("[,;:]", rest) if (zone := _find_place(part)) is not None]
    if not found or any(_course(zone) != _course(found[0]) for zone in found):
        return None
    return found[0] if match is None or _said(match) in _course(found[0]) else None


def is_zone(name: str) -> bool:
    """Whether this is the IANA name of a zone."""
    return name in _iana().values()


def suggest_zone(name: str) -> str | None:
    """The zone that was probably meant."""
    near = get_close_matches(name.strip().lower(), _iana(), n=1, cutoff=0.7)
    return find_zone(name) or (_iana()[near[0]] if near else None)


def _find_place(text: str) -> str | None:
    return _places().get(_plain(text)) or _iana().get(text.strip().lower())


@cache
def _iana() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() - _NO_ZONE}


@cache
def _places() -> dict[str, str]:
    return {_plain(place): zone for zone, places in _PLACES.items() for place in places.split(",")}


def _plain(text: str) -> str:
    """A name without what people write in several ways: case, accents, spaces and marks."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("&", "and"))
    return "".join(one for one in apart if one.isalnum())


def _said(match: re.Match[str]) -> timedelta:
    """The offset that a display name begins with."""
    sign, hours, minutes = match.groups(default="")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return offset if sign in {"+", ""} else -offset


@cache
def _course(zone: str) -> tuple[timedelta | None, ...]:
    """A zone's offset on each day of two years: what tells apart zones that keep different time."""
    start, days = _YEARS
    return tuple((start + timedelta(days=day)).astimezone(ZoneInfo(zone)).utcoffset() for day in range(days))

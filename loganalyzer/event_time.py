"""Times of events as programs write them, to UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from loganalyzer.schema import FIRST_TIME, LAST_TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,9})?")
_DOTNET = re.compile(r"\\?/Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)\\?/")


def read_time(value: object, zone: ZoneInfo | None) -> tuple[datetime | None, str | None]:
    """A time in UTC and what had to be assumed of its zone; (None, None): it is no time.

    ISO 8601; seconds, milli-, micro- or nanoseconds since 1970 as a number or its text, told by their size;
    ``/Date(ms)/``. Without a zone it is read in ``zone``, else as UTC.
    """
    try:
        if isinstance(value, str) and (date := _DOTNET.fullmatch(value.strip())):
            return _known(_EPOCH + timedelta(milliseconds=int(date[1]))), None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _known(_since_epoch(value)), None
        if not isinstance(value, str):
            return None, None
        text = value.strip()
        if len(text) >= len("1000000000") and _NUMBER.fullmatch(text):
            return _known(_since_epoch(float(text))), None
        time = datetime.fromisoformat(text.removesuffix(" UTC").replace(",", "."))
        if text.endswith(" UTC"):
            return _known(time.replace(tzinfo=UTC)), None
        if time.tzinfo is not None:
            return _known(time.astimezone(UTC)), None
        why = f"local time, read in the given zone {zone.key}" if zone else "the time names no zone: read as UTC"
        known = _known(time.replace(tzinfo=zone or UTC).astimezone(UTC))
        return known, why if known is not None else None
    except (ValueError, OverflowError):
        return None, None


def _since_epoch(number: int | float) -> datetime:
    """Seconds up to the year 5138, then finer units."""
    size = abs(number)
    in_a_second = 1 if size < 1e11 else 10**3 if size < 1e14 else 10**6 if size < 1e17 else 10**9
    return _EPOCH + timedelta(microseconds=round(number * 10**6 / in_a_second))


def _known(time: datetime) -> datetime | None:
    return time if FIRST_TIME <= time <= LAST_TIME else None

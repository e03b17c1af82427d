"""The parser kit for dates as Windows shows them in any region: day, month and year by what the file itself tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from loganalyzer.event_time import read_time
from loganalyzer.schema import FIRST_TIME, LAST_TIME

DATE = (
    r"(?P<a>\d{1,4})(?P<mark>[./-])\s?(?P<b>\d{1,2})(?P=mark)\s?(?P<c>\d{2,4})\.?[ T,\u202f]{1,3}"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?(?:[.,](?P<part>\d{1,9}))?"
    r"(?:[\s\u202f]?(?P<half>AM|PM|a\.\s?m\.|p\.\s?m\.))?(?P<utc>\s?Z|\s?UTC)?"
)
_DATE = re.compile(DATE, re.IGNORECASE)

Order = Literal["dmy", "mdy"]


@dataclass(frozen=True, slots=True)
class DateReader:
    """Reads local times of one file. ``order``: of day and month between slashes, None where nothing tells it."""

    order: Order | None
    why: str
    zone: ZoneInfo | None

    def read(self, text: str) -> tuple[datetime | None, str | None]:
        """The time in UTC and what it rests on; (None, None) where it is no time or its order is not known."""
        known, assumed = read_time(text, self.zone)
        if known is not None:
            return known, assumed
        found = _DATE.match(text.strip())
        if found is None:
            return None, None
        return self._local(found)

    def _local(self, found: re.Match[str]) -> tuple[datetime | None, str | None]:
        first, second, third = found["a"], found["b"], found["c"]
        note = ""
        if len(first) == 4:
            year, month, day = first, second, third
        elif found["mark"] != "/":
            day, month, year = first, second, third
        elif self.order is None:
            return None, None
        else:
            day, month, year = (first, second, third) if self.order == "dmy" else (second, first, third)
            note = f"; {self.why}"
        hour = int(found["hour"])
        if found["half"]:
            hour = hour % 12 + (12 if found["half"][0] in "Pp" else 0)
        try:
            full = int(year) + 2000 if len(year) == 2 else int(year)
            micro = int(((found["part"] or "") + "000000")[:6])
            local = datetime(full, int(month), int(day), hour, int(found["minute"]), int(found["second"] or 0), micro)
            time = local.replace(tzinfo=UTC if found["utc"] or self.zone is None else self.zone).astimezone(UTC)
        except (ValueError, OverflowError):
            return None, None
        if not FIRST_TIME <= time <= LAST_TIME:
            return None, None
        if found["utc"]:
            return time, note.removeprefix("; ") or None
        zone = f"in the given zone {self.zone.key}" if self.zone else "as UTC"
        return (
            time,
            f"local time of an unknown zone, read {zone}{note}" if not self.zone else f"local time, read {zone}{note}",
        )


def date_reader(texts: Iterable[str], language: str | None, time_zone: str | None) -> DateReader:
    """What a file's own dates tell of their order: a day past 12, else hours with AM and PM, else the language.

    Args:
        texts: all dates of the file.
        language: of its labels, as ``de``; English alone does not tell.
        time_zone: IANA name for times without a zone; None: they are read as UTC, and say so.
    """
    zone = ZoneInfo(time_zone) if time_zone else None
    found = [
        date for text in texts if (date := _DATE.match(text.strip())) and date["mark"] == "/" and len(date["a"]) < 3
    ]
    days_first = any(int(date["a"]) > 12 for date in found)
    months_first = any(int(date["b"]) > 12 for date in found)
    if days_first != months_first:
        order: Order = "dmy" if days_first else "mdy"
        return DateReader(order, f"{'day' if days_first else 'month'} first, as other dates of the file tell", zone)
    if days_first and months_first:
        return DateReader(None, "", zone)
    if language in ("fr", "it", "es"):
        return DateReader("dmy", "day first, as in the language of the file", zone)
    if any(date["half"] for date in found):
        return DateReader("mdy", "month first, as where hours are AM and PM", zone)
    return DateReader(None, "", zone)

"""A record as JSON: what it says, decoded only where it is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass

import orjson

from loganalyzer.evtx.chunks import Place
from loganalyzer.evtx.events import Event, Json, read_event
from loganalyzer.evtx.glance import Glance, glance

#: FILETIME counts 100 ns since 1601; this is 1970 in µs of it.
_UNIX_EPOCH = 11_644_473_600_000_000
#: Times after this (year 9999) are no times.
_LATEST = 253_402_300_800_000_000


@dataclass(frozen=True, slots=True)
class RenderedRecord:
    """An event as JSON; ``offset`` is the record's in the file, ``head`` what was seen of it without decoding it."""

    place: Place
    offset: int
    text: str
    head: Glance | None

    def event(self, sequence: int) -> Event | None:
        """Decoded; None: it has no System element, so it is none."""
        written = self.place.written // 10 - _UNIX_EPOCH
        return read_event(
            _decoded(self.text),
            self.text,
            offset=self.offset,
            length=self.place.length,
            sequence=sequence,
            number=self.place.number,
            written=written if 0 <= written < _LATEST else None,
        )


def rendered_record(place: Place, text: str, chunk_offset: int) -> RenderedRecord | None:
    """None: it has no System element, so it is no event."""
    record = RenderedRecord(place, chunk_offset + place.offset, text, glance(text))
    return record if record.head is not None or record.event(0) is not None else None


def _decoded(text: str) -> Json:
    """orjson refuses what Python's own reader takes (NaN, numbers past 64 bits)."""
    try:
        decoded: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            decoded = json.loads(text)
        except (ValueError, RecursionError):
            return None
    return decoded

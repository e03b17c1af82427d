"""Windows event logs (``*.evtx``): every record that can be read, and an account of those that cannot (windows.md 6).

The Rust ``evtx`` binding decodes, one chunk at a time, from a chunk header that we rebuild: a damaged header, table or
record then costs only itself. Where sizes no longer lead from record to record, the next one is sought by its magic.
Records that unfold to more than any real one are kept from it, and it runs in a process of its own.
What the binding refuses goes to python-evtx, which reads around damage to definitions. What the walk over the chunks
counts and neither renders is a lost record. A checksum alone is not held against a record that reads: copies of an open
log have stale ones. A record whose end was overwritten is not read: its last values are cut.
Headers, padding, free space within a chunk and unused (all zero) chunks count as parsed bytes.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, pairwise

import orjson
import polars as pl

from loganalyzer.evtx.chunks import (
    CHUNK_MAGIC,
    CHUNK_SIZE,
    FILE_HEADER_SIZE,
    FILE_MAGIC,
    FIRST_RECORD,
    MOST_RECORDS,
    Chunk,
    Layout,
    Place,
    candidates,
    holds_record,
    is_torn,
    lenders,
    read_layout,
    rebuilt,
)
from loganalyzer.evtx.events import Event, Json, read_event
from loganalyzer.evtx.first_reader import Decoded, Failures, FirstReader
from loganalyzer.evtx.frames import frames_of
from loganalyzer.evtx.glance import Glance, glance
from loganalyzer.evtx.second_reader import SecondReader
from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.schema import REJECTED_COLUMNS, EventFrame

#: FILETIME counts 100 ns since 1601; this is 1970 in µs of it.
_UNIX_EPOCH = 11_644_473_600_000_000
#: Times after this (year 9999) are no times.
_LATEST = 253_402_300_800_000_000

#: As many chunks as a file header can count.
_MOST_CHUNKS = 1 << 16

#: Ranges of missing ids that are told one by one.
_GAPS_SHOWN = 20

#: How a record was read; in this order in the report.
_BINDING, _SECOND, _SOUGHT = "by the evtx binding", "by python-evtx", "by a search for record magic"

_LOGSOURCE = LogSource("windows")
_TEXT_IN_BINARY = re.compile(rb"(?:[\x20-\x7e]\0){4,}")


#: One chunk by ``sample_logs/evtx_writer.py``: a VSS error and a crash with unnamed values, and the crash again as
#: Windows Server 2025 writes it, with named ones (zlib, base64).
_SAMPLE = zlib.decompress(
    base64.b64decode(
        "eNrt2FtsFFUYwPFvZme3223ZCgQh3lgJF0VbWi4B8RKhVCWAKOWSGhPSdFsolLZhyy3VCF5C4gPxQRKjiRL1AV+MaEyQGI0+GF/E+IRB33xBn9"
        "DERGNM/b4zZ2Z3qyLECz78f810ds6cOWfmnPN9O23X0MB9g0P9Mlnk94d1CyQjck0g/7Tt94w/IQAAAAAA4F/XNTTQuXN4tyR/3Wf8fvKx/R/g"
        "hYLIW0WRebtfGvq7/Vr7bRt7ltSWvR2JtGZFjjeLPB7V1x/VsrszV97Py02XPp/T/g5mq8fv+D6+a66WHdayXyb1/a22+1MYf75u0rntNcfrfD"
        "sbtO5X+kwbo//X/C9cKHIxqs53KTp789OvnA9agkCag+dO/irz/VPa529G3wke+aKtY/Zg09wefUqrtWpiYkMmfkBzpjkrXbJf+mVYxvT4qA3y"
        "Ln/y/ZasHJQ9MqQnK3qcDZbJTq02JqOyUhbpT0X6tKRf6/Tq5zbdD2rJXhnRoxEZ0Jptejyi5YvkgJ4b1v1iadefpfqpXVbo7/60+0rdURhMTL"
        "SF1Xkb2ZyTbjmktcZcjyKhPsw9NTP6/XheHnK979e+ylprr5Zeb4+ULMZ1xyN5UG92j9g/0TQ6goyNSM0y+LG3oWZE1soaLVtgTRz2FW49X5CH"
        "ZZ82MqS9DOhm/dj4FAPJhcVQcpHe+k01y7N8Nivr/aNZLIbFjERW6QY9+NJX6hqPZLMbx92uShS3M1eqy3nX53lZp20c0sEc0U7LrtuwmJUZkT"
        "7GQ3ow36/YO481aWuD7kE7tWq/tmzjVk4ex5a2TfRd44W6YU0u0sfJydSMTYJUA/y+zJSa0dmk+z5/J/FIhcUGKdhtz/EZwjylQ9qp66RXLxpO"
        "hyAvQfJ8Fmp243cO57WiLZdRHeAxP4FhsTGuOttnAHOiLa+3bd3v00qDWvmQ5T+rZs23+mprnmysud81bhB6rU0/+Ft8vWdHotqzxYIcsaZKUs"
        "03N5/OyWq3hnu1x0OuWpMUoygSyxo5DUqdercFErl9XmboNlW3glyrpdN0OyNHZJauvK16+92WWkthmrnSeE7ie5UOxKhbZ33u5gZ1cIb1cfZI"
        "qx7buVaNog43aLWzvNZF7Jgb8T43me0aySt85NkVy3R/u5T0qiG35ir6eVhbGdO9tbND+6r4KbBVM0UfQdxv2zZqz3amek8rXXnJ/dzvyne6Gj"
        "ZeO7Rsm58lKyvVDHVrqXOk3L+y1LlxU9fW7u7OdrN8+ZI4z1m+O6mLPxmiEy8OzKnmu30Pv9Z9bUN8xj6fO7Voy8TPb5zqufj1yaNBmu/Ggzjf"
        "VZLc9t/nsU8lzmOWsab5jNWY5KUkC830WagxyTZ1+aTg80maOwo+d6SZouAzRZoPpvl80JjEexLRBR/RabQWfLSmUVnwUZnGXtbHnouwW3yEhb"
        "6mRVEaMwUfMxYdkkTHnMuMjnuDI5dY+CWN5b1uWiwvXMiE5TRykpURXmHkrNWjXg3E1VqvrM12aZyMuZmr+Gva9Oigi6EO/dyebqIxNODWQPIj"
        "br7L2uuQ1oj3dlVyTYeuliVyh25/dH2HlvTVtbfMxW1yrkPvc6nbl93Vnbp2H9Xvu169arf+3qH3WNGSK3miuI1tbkWX9dwB10K39Oi2Wa/coP"
        "e6WEv+6Ln2uruK49PidFZUff8sdUzUxOnxjx9r/6AQn7HPXT989d6xBYuf7Cl/8uFnYRqnH4VXPU5fDf4qTv0C3+7iLIgDb07Nm+usxgZN7fEb"
        "QTzaVjGshuylY7jkX1bNmzflXKK1Byq76bLIjupDPfdnod4wOdQ1zKzmnprX3NPvNrrlEX+NjqU3/IB909s7vAV24Vyjf6vqcyus4r/qNTPkc/"
        "bybw/wzB15XTA7/VdQ8jagKSGfqUsvTZPTS7MWrIoziqUX9xWfvM0PrM/JFu3PRtM3OEWmuwz0fJKB9Np5PgPNTCYqGzT4+E9e9cJiMe7nNl/3"
        "xmrdgq9bP2thsSW+4lZ/xfXVK34/HmWtf43W12w3tSbbWaZLsp3tazOeHdmWZL5mmS4Lda83qmeDy8iAFzLp96J7d/Axl8TgiRaR11suPxP6l4"
        "6sLaXLzyH1OdHeMpI8NSvi73UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAK6G3wCPEhjV"
    )
)
_SECOND_RECORD = 5872

_SAMPLES = (
    Sample(
        name="unnamed and named values",
        path="Windows/System32/winevt/Logs/Application.evtx",
        raw=_SAMPLE,
        events=(
            {
                "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 250_000, UTC),
                "EventID": "8193",
                "Provider_Name": "VSS",
                "EventRecordID": 1,
                "routine": "CoCreateInstance",
                "log.level": "Error",
                "log.offset": 4608,
            },
            {
                "EventID": "1000",
                "AppName": "IaaSBcdrExtension.exe",
                "ExceptionCode": "c0000005",
                "host.name": "vm-app-01",
            },
            {"EventID": "1000", "AppName": "IaaSBcdrExtension.exe", "process.pid": 4000, "Security_UserID": "S-1-5-18"},
        ),
    ),
    Sample(
        name="cut off inside the second record",
        path="Application.evtx",
        raw=_SAMPLE[: _SECOND_RECORD + 100],
        events=({"EventID": "8193", "EventRecordID": 1},),
        rejected=1,
    ),
)


@dataclass(frozen=True, slots=True)
class _Rejected:
    offset: int
    length: int
    why: str


@dataclass(frozen=True, slots=True)
class _Record:
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


@dataclass(frozen=True, slots=True)
class _Reading:
    """What came of a chunk, or of a range that is none: events, lost bytes, damage, how many records it had.

    ``numbers``: those of the events; ``ways``: how many were read which way.
    """

    events: list[_Record] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    rejected: list[_Rejected] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    records: int = 0
    ways: Counter[str] = field(default_factory=Counter)


@dataclass
class _Decoders:
    """The binding for one file, and python-evtx for what it refuses: what each may still cost the file."""

    first: FirstReader
    second: SecondReader
    data: bytes
    layout: Layout
    scan: object
    failures: Failures
    steps: int

    def decoded(self, one_chunk: bytes, places: list[tuple[Place, bool]]) -> Decoded:
        return self.first.read(one_chunk, [place for place, _ in places], self.failures, self.scan)

    def second_chance(
        self, chunk: Chunk, one_chunk: bytes, places: list[Place]
    ) -> dict[int, tuple[str | None, str | None]]:
        """By offset: JSON of the record, or why it has none."""
        if not places:
            return {}
        chunks = [one_chunk[FILE_HEADER_SIZE:], *lenders(self.data, self.layout, chunk)]
        answer = self.second.read(chunks, [(place.offset, place.length) for place in places], self.steps, self.scan)
        self.steps -= answer.steps
        found = zip(answer.events, answer.faults, strict=True)
        return {place.offset: one for place, one in zip(places, found, strict=True)}


@dataclass(frozen=True, slots=True)
class EvtxLog:
    """Parser of Windows event logs. Its readers may hold processes; what is read does not depend on that."""

    name: str = "evtx_log"
    title: str = "Windows event log (EVTX)"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("C:/Windows/System32/winevt/Logs/*.evtx",)
    samples: tuple[Sample, ...] = _SAMPLES
    first_reader: FirstReader = field(default_factory=FirstReader, repr=False, compare=False)
    second_reader: SecondReader = field(default_factory=SecondReader, repr=False, compare=False)

    def claim(self, path: str, head: bytes) -> Claim | None:
        """The magic decides, whatever the name; a file of the right name without it is taken to be rejected."""
        if head.startswith(FILE_MAGIC):
            return Claim(95, "starts with the magic of an event log (ElfFile)")
        if head.startswith(CHUNK_MAGIC) or head[FILE_HEADER_SIZE:].startswith(CHUNK_MAGIC):
            return Claim(60, "holds a chunk of an event log (ElfChnk), its file header is damaged")
        if holds_record(head[FILE_HEADER_SIZE:]):
            return Claim(60, "holds records of an event log, the headers of file and chunk are damaged")
        if path.lower().endswith(".evtx"):
            return Claim(20, "named like an event log, content not recognised")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Times are UTC in the file, so the context is not asked."""
        layout = read_layout(source.data)
        if layout.chunk_count is None and not layout.chunks:
            why = "the file is empty" if not source.data else "magic missing"
            return rejected_whole(source, f"not an event log: {why}")
        first, second = self.first_reader, self.second_reader
        costs = (first.failures(), second.limits.steps_a_file)
        decoders = _Decoders(first, second, source.data, layout, context, *costs)
        readings = [_file_header(source.data, layout)]
        frames = _frames(source, context, _kept(readings, _ranges(source.data, layout, decoders)))
        if frames is None:
            return self.parse(source, replace(context, selection=None))
        lost = [row for reading in readings for row in reading.rejected]
        damage = [text for reading in readings for text in reading.damage]
        summary = _summary(layout, readings)
        numbers = [number for reading in readings for number in reading.numbers]
        return Parsed(
            frames=frames,
            parsed_bytes=source.size - sum(row.length for row in lost),
            lines=_known(layout, readings),
            rejected=_rejected_rows(source.data, lost),
            rejected_bytes=sum(row.length for row in lost),
            damage=(*summary, *damage) if damage else (),
            notes=(*(() if damage else summary), *_notes(layout, numbers)),
        )


def _kept(readings: list[_Reading], more: Iterator[_Reading]) -> Iterator[list[_Record]]:
    """The events of each of the readings, which go behind the others without them."""
    for reading in more:
        yield reading.events
        readings.append(replace(reading, events=[]))


def _frames(source: Source, context: ParseContext, events: Iterator[list[_Record]]) -> tuple[EventFrame, ...] | None:
    """Frames of all events, or of those of a long log that are asked for; None: that cannot be told."""
    selection = context.selection
    if selection is None or source.size <= selection.longer_than:
        told = (record.event(number) for number, record in enumerate(chain.from_iterable(events)))
        return frames_of([event for event in told if event is not None], source.path)
    # numpy and hyperscan take as long to import as a small bundle takes to read
    from loganalyzer.parser_long_evtx import EventPicker, NotPlainError

    picker = EventPicker(selection.events)
    try:
        for of_chunk in events:
            picker.add(of_chunk)
        return picker.frames(source.path)
    except NotPlainError:
        return None


def _summary(layout: Layout, readings: list[_Reading]) -> tuple[str, ...]:
    """One line of what was lost and which way the rest was read; nothing for a log that the binding read whole."""
    ways = sum((reading.ways for reading in readings), Counter[str]())
    read, records = ways.total(), _known(layout, readings)
    unreadable = sum(row.length for reading in readings for row in reading.rejected)
    if read == records == ways[_BINDING] and not unreadable:
        return ()
    shown = ", ".join(f"{ways[way]} {way}" for way in (_BINDING, _SECOND, _SOUGHT) if ways[way])
    parts = [f"{read} of {records} known records read" + (f": {shown}" if shown else "")]
    parts += [f"{unreadable} bytes not readable"] if unreadable else []
    parts += ["the log was open when it was copied"] if layout.dirty else []
    return ("; ".join(parts),)


def _known(layout: Layout, readings: list[_Reading]) -> int:
    """Records that the file is known to have had: by chunk, or by the ids between its first and its last."""
    tail, *chunks = readings
    counted = sum(reading.records for reading in chunks)
    numbers = {number for reading in chunks for number in reading.numbers}
    by_id = max(numbers) - min(numbers) + 1 if numbers else 0
    return tail.records + (by_id if counted < by_id <= layout.slots * MOST_RECORDS else counted)


def _notes(layout: Layout, numbers: list[int]) -> Iterator[str]:
    """What is no damage of the file, but bears on what it can prove: an open log, and ids that it does not hold."""
    if layout.dirty:
        yield "the log was open when it was copied (dirty): headers may be behind their records"
    if layout.unused and layout.unused[-1].length < CHUNK_SIZE:
        end = layout.unused[-1].offset + layout.unused[-1].length
        yield f"the file ends inside an unused chunk, at byte {end}: if anything followed, it is missing"
    known = sorted(set(numbers))
    gaps = [(one + 1, other - 1) for one, other in pairwise(known) if other - one > 1]
    if gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        shown = ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in gaps[:_GAPS_SHOWN])
        more = f" and {len(gaps) - _GAPS_SHOWN} more ranges" if len(gaps) > _GAPS_SHOWN else ""
        yield f"{missing} record ids between {known[0]} and {known[-1]} are not in it: {shown}{more}"


def _file_header(data: bytes, layout: Layout) -> _Reading:
    if layout.chunk_count is None:
        why = "not an event log header: magic missing; read by its chunks"
        return _Reading(rejected=[_Rejected(0, layout.base, why)] if layout.base else [], damage=[why])
    if len(data) < FILE_HEADER_SIZE:
        return _Reading(damage=[f"cut off inside the file header, at byte {len(data)}"])
    damage = []
    if layout.chunk_count > layout.slots:
        chunks = f"the file header counts {layout.chunk_count} chunks, {layout.slots} are there"
        damage.append(f"cut off at byte {len(data)}: {chunks}")
    known = [chunk.records[-1].number for chunk in layout.chunks if chunk.records]
    known += [chunk.header.last for chunk in layout.chunks if chunk.header is not None and chunk.header.count]
    missing = layout.next_number - 1 - max(known) if known and layout.next_number is not None else 0
    if missing > 0:
        first, last = max(known) + 1, max(known) + missing
        damage.append(f"records {first} to {last} are counted by the file header and missing")
    return _Reading(damage=damage, records=missing if 0 < missing <= _MOST_CHUNKS * MOST_RECORDS else 0)


def _ranges(data: bytes, layout: Layout, decoders: _Decoders) -> Iterator[_Reading]:
    """Chunks in their order, then ranges that are no chunks."""
    for chunk in layout.chunks:
        yield _read_chunk(data, chunk, decoders)
    if layout.unreadable:
        why = "not a chunk: its magic is missing and it holds no whole record"
        rejected = [_Rejected(span.offset, span.length, why) for span in layout.unreadable]
        size, first = sum(span.length for span in layout.unreadable), layout.unreadable[0].offset
        yield _Reading(rejected=rejected, damage=[f"{size} bytes from byte {first} on: {why}"])
    yield from _holes(layout)


def _holes(layout: Layout) -> Iterator[_Reading]:
    """Unused chunks are normal, except where the ids on both sides say that records were there."""
    for before, after in zip(layout.chunks, layout.chunks[1:], strict=False):
        within = [span for span in layout.unused if before.offset < span.offset < after.offset]
        if not within or not before.records or not after.records:
            continue
        missing = after.records[0].number - before.records[-1].number - 1
        if missing > 0:
            first = before.records[-1].number + 1
            why = f"all zero between two chunks; records {first} to {first + missing - 1} are missing"
            yield _Reading(
                rejected=[_Rejected(span.offset, span.length, why) for span in within],
                damage=[f"{sum(span.length for span in within)} bytes from byte {within[0].offset} on: {why}"],
            )


def _read_chunk(data: bytes, chunk: Chunk, decoders: _Decoders) -> _Reading:
    """Pairs what the binding renders with the places of the walk; what it refuses is asked of python-evtx."""
    one_chunk = rebuilt(data, chunk)
    places = candidates(chunk, data)
    decoded = decoders.decoded(one_chunk, places)
    faults, unread = decoded.faults, decoded.unread
    events = _paired(chunk, [pair for pair in places if pair[0].offset not in unread], decoded.events, faults)
    known = events.keys() | unread.keys()
    refused = [place for place, is_gap in places if not is_gap and place.offset not in known]
    answers = decoders.second_chance(chunk, one_chunk, refused)
    reading = _Reading()
    for place, is_gap in places:
        event, way = events.get(place.offset), _SOUGHT if place.sought else _BINDING
        text, fault = answers.get(place.offset, (None, None))
        if event is None and text is not None:
            event, way = _record(place, text, chunk.offset), _SECOND
        if event is None:
            told = {place.number: unread[place.offset]} if place.offset in unread else faults
            why = _why_lost(place, is_gap, chunk, data, told) + (f"; by python-evtx: {fault}" if fault else "")
            reading.rejected.append(_Rejected(chunk.offset + place.offset, place.length, why))
        else:
            reading.events.append(event)
            reading.numbers.append(place.number)
            reading.ways[way] += 1
    return _account(chunk, reading)


def _paired(
    chunk: Chunk, places: list[tuple[Place, bool]], rendered: Sequence[tuple[int, str]], faults: dict[int, str]
) -> dict[int, _Record]:
    """Events of the binding by the place of their record; what it makes of a gap is none."""
    events: dict[int, _Record] = {}
    following = 0
    for place, is_gap in places:
        if following < len(rendered) and rendered[following][0] == place.number:
            event = _record(place, rendered[following][1], chunk.offset)
            following += 1
            if event is None:
                faults.setdefault(place.number, "decoded, but it has no System element")
            elif not is_gap:
                events[place.offset] = event
    return events


def _record(place: Place, text: str, chunk_offset: int) -> _Record | None:
    """None: it has no System element, so it is no event."""
    record = _Record(place, chunk_offset + place.offset, text, glance(text))
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


def _why_lost(place: Place, is_gap: bool, chunk: Chunk, data: bytes, faults: dict[int, str]) -> str:
    if is_gap and place.end >= chunk.size and chunk.size < CHUNK_SIZE:
        return "the file ends inside this record"
    if is_gap and is_torn(place, data, chunk):
        return f"the end of record {place.number} is overwritten; what follows is no record"
    if is_gap:
        return "no whole record where one should be: its magic or size is damaged"
    return faults.get(place.number) or faults.get(0) or "the decoder skipped it"


def _account(chunk: Chunk, reading: _Reading) -> _Reading:
    """Sets losses against what the chunk should hold, and says so."""
    read = len(reading.events)
    expected = max(chunk.expected, read)
    rejected, damage = list(reading.rejected), []
    where = f"chunk {chunk.index}"
    if chunk.header is None:
        why = f"{where}: header damaged, read by its {len(chunk.records)} whole records; it may have held more"
        rejected.insert(0, _Rejected(chunk.offset, min(FIRST_RECORD, chunk.size), why))
        damage.append(why)
    if expected > read:
        reasons = Counter(row.why for row in reading.rejected)
        why = reasons.most_common(1)[0][0] if reasons else "its header counts them, they are not there"
        damage.append(f"{where}: {expected - read} of {expected} records lost: {why}")
    elif reading.rejected:
        lost = sum(row.length for row in reading.rejected)
        damage.append(f"{where}: {lost} bytes are no record, though no record is missing")
    return replace(reading, rejected=rejected, damage=damage, records=expected)


def _rejected_rows(data: bytes, lost: list[_Rejected]) -> pl.DataFrame:
    """``event.original`` is the readable text in the bytes; the bytes themselves are found by offset and length."""
    lost = sorted(lost, key=lambda row: row.offset)
    columns = {
        "log.offset": [row.offset for row in lost],
        "log.length": [row.length for row in lost],
        "log.line": [None] * len(lost),
        "event.original": [_readable(data[row.offset : row.offset + row.length]) for row in lost],
        "error.message": [row.why for row in lost],
    }
    return pl.DataFrame(columns, schema=dict(REJECTED_COLUMNS))


def _readable(raw: bytes) -> str:
    """UTF-16 text of four characters and more, as a person looks for it in a broken record; at most 1000 characters."""
    found = (piece[0].decode("utf-16-le") for piece in _TEXT_IN_BINARY.finditer(raw[:CHUNK_SIZE]))
    return " | ".join(found)[:1000]


parser: Parser = EvtxLog()

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
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate, chain, groupby
from typing import TYPE_CHECKING

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
    rebuilt_for,
)
from loganalyzer.evtx.first_reader import Decoded, Failures, FirstReader
from loganalyzer.evtx.frames import frames_of
from loganalyzer.evtx.rendered import RenderedRecord, rendered_record
from loganalyzer.evtx.second_reader import SecondReader
from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Selection, Source, rejected_whole
from loganalyzer.schema import REJECTED_COLUMNS, EventFrame

if TYPE_CHECKING:
    from loganalyzer.evtx.sound_chunks import SoundChunk

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
class _Reading:
    """What came of a chunk, or of a range that is none: events, lost bytes, damage, how many records it had.

    ``numbers``: those of the events; ``ways``: how many were read which way.
    """

    events: list[RenderedRecord] = field(default_factory=list)
    numbers: list[range] = field(default_factory=list)
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

    def of_sound(self, chunk: SoundChunk, places: Sequence[Place]) -> Mapping[int, RenderedRecord]:
        """Some records of a sound chunk: those that the binding can read, by offset in it."""
        one_chunk = rebuilt_for(self.data, chunk.offset, places)
        texts = dict(self.first.read(one_chunk, places, self.failures, self.scan).events)
        told = ((place, texts[place.number]) for place in places if place.number in texts)
        records = ((place.offset, rendered_record(place, text, chunk.offset)) for place, text in told)
        return {offset: record for offset, record in records if record is not None}

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
    begins = FILE_MAGIC
    otherwise = 60
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
        selection = context.selection
        if selection is not None and source.size > selection.longer_than:
            # numpy and hyperscan take as long to import as a small bundle takes to read
            from loganalyzer.parser_long_evtx import NotPlainError

            with suppress(NotPlainError):
                return self._parsed_in_part(source, context, selection)
        layout = read_layout(source.data)
        if layout.chunk_count is None and not layout.chunks:
            why = "the file is empty" if not source.data else "magic missing"
            return rejected_whole(source, f"not an event log: {why}")
        decoders = self._decoders(source, layout, context)
        readings = [_file_header(source.data, layout)]
        readings += (_read_chunk(source.data, chunk, decoders) for chunk in layout.chunks)
        records = chain.from_iterable(reading.events for reading in readings)
        events = [event for number, one in enumerate(records) if (event := one.event(number)) is not None]
        return _parsed(source, layout, frames_of(events, source.path), readings)

    def _parsed_in_part(self, source: Source, context: ParseContext, selection: Selection) -> Parsed:
        """Rows of those events only that are asked for.

        Raises:
            NotPlainError: nothing must be selected of this log.
        """
        from loganalyzer.evtx.sound_chunks import sound_chunks
        from loganalyzer.parser_long_evtx import EventPicker, NotPlainError, RenderedStretch
        from loganalyzer.parser_sound_evtx import CHUNKS_AT_ONCE, SoundLog

        sound = sound_chunks(source.data)
        layout = read_layout(source.data, sound)
        if not layout.chunks:
            raise NotPlainError
        decoders = self._decoders(source, layout, context)
        picker, log = EventPicker(selection.events), SoundLog(source.data, decoders.of_sound)
        readings = [_file_header(source.data, layout)]
        for is_sound, chunks in groupby(layout.chunks, lambda chunk: chunk.sound):
            for some in _batches([*chunks], CHUNKS_AT_ONCE if is_sound else 1):
                if is_sound:
                    picker.add(log.stretch([sound[chunk.offset] for chunk in some]))
                    readings += map(_sound_reading, some)
                else:
                    reading = _read_chunk(source.data, some[0], decoders)
                    picker.add(RenderedStretch.of(reading.events))
                    readings.append(replace(reading, events=[]))
        return _parsed(source, layout, picker.frames(source.path), readings)

    def _decoders(self, source: Source, layout: Layout, context: ParseContext) -> _Decoders:
        first, second = self.first_reader, self.second_reader
        return _Decoders(first, second, source.data, layout, context, first.failures(), second.limits.steps_a_file)


def _batches(chunks: Sequence[Chunk], size: int) -> Iterator[Sequence[Chunk]]:
    for start in range(0, len(chunks), size):
        yield chunks[start : start + size]


def _sound_reading(chunk: Chunk) -> _Reading:
    assert chunk.numbers is not None
    numbers = range(chunk.numbers[0], chunk.numbers[1] + 1)
    return _Reading(numbers=[numbers], records=len(numbers), ways=Counter({_BINDING: len(numbers)}))


def _parsed(source: Source, layout: Layout, frames: tuple[EventFrame, ...], readings: Sequence[_Reading]) -> Parsed:
    """The readings of file header and chunks, with those of what is no chunk."""
    readings = [*readings, *_no_chunks(layout)]
    lost = [row for reading in readings for row in reading.rejected]
    damage = [text for reading in readings for text in reading.damage]
    summary = _summary(layout, readings)
    numbers = [one for reading in readings for one in reading.numbers]
    return Parsed(
        frames=frames,
        parsed_bytes=source.size - sum(row.length for row in lost),
        lines=_known(layout, readings),
        rejected=_rejected_rows(source.data, lost),
        rejected_bytes=sum(row.length for row in lost),
        damage=(*summary, *damage) if damage else (),
        notes=(*(() if damage else summary), *_notes(layout, numbers)),
    )


def _summary(layout: Layout, readings: Sequence[_Reading]) -> tuple[str, ...]:
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


def _known(layout: Layout, readings: Sequence[_Reading]) -> int:
    """Records that the file is known to have had: by chunk, or by the ids between its first and its last."""
    tail, *chunks = readings
    counted = sum(reading.records for reading in chunks)
    numbers = [one for reading in chunks for one in reading.numbers]
    by_id = max(one.stop for one in numbers) - min(one.start for one in numbers) if numbers else 0
    return tail.records + (by_id if counted < by_id <= layout.slots * MOST_RECORDS else counted)


def _notes(layout: Layout, numbers: Sequence[range]) -> Iterator[str]:
    """What is no damage of the file, but bears on what it can prove: an open log, and ids that it does not hold."""
    if layout.dirty:
        yield "the log was open when it was copied (dirty): headers may be behind their records"
    if layout.unused and layout.unused[-1].length < CHUNK_SIZE:
        end = layout.unused[-1].offset + layout.unused[-1].length
        yield f"the file ends inside an unused chunk, at byte {end}: if anything followed, it is missing"
    known = sorted(numbers, key=lambda one: one.start)
    covered = accumulate((one.stop for one in known), max)
    gaps = [(end, one.start - 1) for end, one in zip(covered, known[1:], strict=False) if one.start > end]
    if gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        shown = ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in gaps[:_GAPS_SHOWN])
        more = f" and {len(gaps) - _GAPS_SHOWN} more ranges" if len(gaps) > _GAPS_SHOWN else ""
        between = f"between {known[0].start} and {max(one.stop for one in known) - 1}"
        yield f"{missing} record ids {between} are not in it: {shown}{more}"


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
    known = [chunk.numbers[1] for chunk in layout.chunks if chunk.numbers is not None]
    known += [chunk.header.last for chunk in layout.chunks if chunk.header is not None and chunk.header.count]
    missing = layout.next_number - 1 - max(known) if known and layout.next_number is not None else 0
    if missing > 0:
        first, last = max(known) + 1, max(known) + missing
        damage.append(f"records {first} to {last} are counted by the file header and missing")
    return _Reading(damage=damage, records=missing if 0 < missing <= _MOST_CHUNKS * MOST_RECORDS else 0)


def _no_chunks(layout: Layout) -> Iterator[_Reading]:
    """Ranges that are no chunks."""
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
        if not within or before.numbers is None or after.numbers is None:
            continue
        missing = after.numbers[0] - before.numbers[1] - 1
        if missing > 0:
            first = before.numbers[1] + 1
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
            event, way = rendered_record(place, text, chunk.offset), _SECOND
        if event is None:
            told = {place.number: unread[place.offset]} if place.offset in unread else faults
            why = _why_lost(place, is_gap, chunk, data, told) + (f"; by python-evtx: {fault}" if fault else "")
            reading.rejected.append(_Rejected(chunk.offset + place.offset, place.length, why))
        else:
            reading.events.append(event)
            reading.numbers.append(range(place.number, place.number + 1))
            reading.ways[way] += 1
    return _account(chunk, reading)


def _paired(
    chunk: Chunk, places: list[tuple[Place, bool]], rendered: Sequence[tuple[int, str]], faults: dict[int, str]
) -> dict[int, RenderedRecord]:
    """Events of the binding by the place of their record; what it makes of a gap is none."""
    events: dict[int, RenderedRecord] = {}
    following = 0
    for place, is_gap in places:
        if following < len(rendered) and rendered[following][0] == place.number:
            event = rendered_record(place, rendered[following][1], chunk.offset)
            following += 1
            if event is None:
                faults.setdefault(place.number, "decoded, but it has no System element")
            elif not is_gap:
                events[place.offset] = event
    return events


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

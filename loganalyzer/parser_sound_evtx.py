"""The parser kit for sound chunks of long Windows event logs: what is seen of records that nobody decodes.

Fields of ``System`` are read as columns (``evtx.heads``), texts are looked for in the bytes (``evtx.forms``). Only the
records that are asked for are decoded: those that become rows, those beside them that a report quotes, and one of each
shape, which must say what the columns say. A log in which it does not is read record by record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from loganalyzer.evtx.chunks import Place
from loganalyzer.evtx.events import Event
from loganalyzer.evtx.forms import BinaryForms, binary_forms
from loganalyzer.evtx.frames import created_times
from loganalyzer.evtx.heads import HeadReader, Heads, Seen, System
from loganalyzer.evtx.rendered import RenderedRecord
from loganalyzer.evtx.shapes import NO_SHAPE, Shape, Shapes
from loganalyzer.evtx.sound_chunks import Records, SoundChunk, records_of
from loganalyzer.evtx.unaligned import Marks, Numbers
from loganalyzer.literal_search import byte_search
from loganalyzer.parser_long_evtx import NotPlainError

#: Chunks that are looked at together: with fewer numpy is slow, with more it takes memory.
CHUNKS_AT_ONCE = 128

#: Decodes some records of a chunk: those of them that it can, by offset in the chunk.
Decode = Callable[[SoundChunk, Sequence[Place]], Mapping[int, RenderedRecord]]


@dataclass
class SoundLog:
    """The sound chunks of one log. ``decode`` has the decoder, and its bounds."""

    data: bytes
    decode: Decode
    _numbers: Numbers = field(init=False)
    _heads: HeadReader = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = Numbers(self.data)
        self._heads = HeadReader(self._numbers, Shapes(self._numbers))

    def stretch(self, chunks: Sequence[SoundChunk]) -> SoundStretch:
        """The records of the next chunks.

        Raises:
            NotPlainError: one that must be decoded cannot be, or says something else.
        """
        records = records_of(chunks, self._numbers)
        seen = self._heads.read(records)
        stretch = SoundStretch(self.data, self.decode, chunks, records, seen, self._heads.shapes.known)
        return replace(stretch, seen=replace(seen, heads=_confirmed(stretch)))


@dataclass(frozen=True)
class SoundStretch:
    """The records of some chunks; see `parser_long_evtx.Stretch`."""

    data: bytes
    decode: Decode
    chunks: Sequence[SoundChunk]
    records: Records
    seen: Seen
    shapes: Sequence[Shape]

    @property
    def heads(self) -> Heads:
        """See `Stretch`."""
        return self.seen.heads

    def with_text(self, texts: frozenset[str]) -> Marks:
        """See `Stretch`."""
        forms = binary_forms(texts)
        found: Marks = self.seen.shape == NO_SHAPE
        numbers: list[int] = np.unique(self.seen.shape[~found]).tolist()
        found |= np.isin(self.seen.shape, [one for one in numbers if _may_hold(self.shapes[one], texts, forms)])
        search, data = byte_search(forms.letters, forms.values), memoryview(self.data)
        for chunk in self.chunks:
            ends = search.ends(data[chunk.offset : chunk.offset + chunk.free])
            places = np.searchsorted(self.records.offset, ends + (chunk.offset - 1), side="right") - 1
            found[places[places >= 0]] = True
        return found

    def events(self, places: Sequence[int], first: int) -> list[Event]:
        """See `Stretch`."""
        return self.only(places).events(places, first)

    def only(self, places: Sequence[int]) -> FewRecords:
        """See `Stretch`."""
        chunks = {chunk.offset: chunk for chunk in self.chunks}
        return FewRecords(
            self.decode, {place: (chunks[int(self.records.chunk[place])], self._place(place)) for place in places}
        )

    def _place(self, place: int) -> Place:
        records = self.records
        offset = int(records.offset[place] - records.chunk[place])
        return Place(offset, int(records.length[place]), int(records.number[place]), int(records.written[place]))

    def unsure(self) -> list[tuple[int, Event]]:
        """Those of which a decoder must say what they are."""
        places: list[int] = np.flatnonzero(self.seen.unsure).tolist()
        return [(event.sequence, event) for event in self.events(places, 0)]


@dataclass(frozen=True, slots=True)
class FewRecords:
    """Records by their places in a stretch, with the chunk of each."""

    decode: Decode
    records: Mapping[int, tuple[SoundChunk, Place]]

    def events(self, places: Sequence[int], first: int) -> list[Event]:
        """See `Decodable`."""
        found = [record.event(first + place) for place, record in self._decoded(places)]
        told = [event for event in found if event is not None]
        if len(told) < len(found):
            raise NotPlainError
        return told

    def _decoded(self, places: Sequence[int]) -> Iterator[tuple[int, RenderedRecord]]:
        for _, same in groupby(places, lambda place: self.records[place][0].offset):
            own = list(same)
            chunk = self.records[own[0]][0]
            decoded = self.decode(chunk, [self.records[place][1] for place in own])
            for place in own:
                record = decoded.get(self.records[place][1].offset)
                if record is None:
                    raise NotPlainError
                yield place, record


def _confirmed(stretch: SoundStretch) -> Heads:
    """What is known of records, those of no shape too, once a decoder has confirmed it.

    Raises:
        NotPlainError: it has not.
    """
    heads, shape = stretch.heads, stretch.seen.shape
    unsure = stretch.unsure()
    created = created_times([event.system_time or "" for _, event in unsure]).to_physical()
    systems, which, times = list(heads.systems), heads.which.copy(), heads.created.copy()
    for (place, event), time in zip(unsure, created, strict=True):
        system = _system(event)
        if shape[place] != NO_SHAPE and (system, time) != (systems[which[place]], times[place]):
            raise NotPlainError
        if shape[place] == NO_SHAPE and system is not None and time is not None:
            if system not in systems:
                systems.append(system)
            which[place], times[place] = systems.index(system), time
    return Heads(systems, which, times)


def _system(event: Event) -> System | None:
    names = ("Provider_Name", "EventID", "Level", "Channel", "Computer")
    provider, event_id, level, channel, computer = (event.system[name] for name in names)
    if provider is None or event_id is None or level is None or channel is None or computer is None:
        return None
    return provider, event_id, level, channel, computer


def _may_hold(shape: Shape, texts: frozenset[str], forms: BinaryForms) -> bool:
    """Whether records of a shape may hold one of the texts where a search through their bytes does not find it."""
    words = "\n".join(shape.words).lower()
    return not forms.not_found.isdisjoint(shape.kinds) or any(text in words for text in texts)

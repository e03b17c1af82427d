"""Sound chunks of long event logs: what is read of records as columns is what a decoder says of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer import parser_long_evtx, parser_long_log
from loganalyzer.events_asked import EventsAsked
from loganalyzer.evtx.chunks import CHUNK_SIZE, FIRST_RECORD, Place
from loganalyzer.evtx.forms import binary_forms
from loganalyzer.evtx.heads import UNKNOWN, HeadReader, Seen
from loganalyzer.evtx.rendered import RenderedRecord, rendered_record
from loganalyzer.evtx.shapes import BYTES, GUID, NO_SHAPE, Shapes
from loganalyzer.evtx.sound_chunks import SoundChunk, records_of, sound_chunks
from loganalyzer.evtx.unaligned import Numbers
from loganalyzer.literal_search import byte_search
from loganalyzer.parser import ParseContext, Parsed, Selection
from loganalyzer.parser_long_evtx import NotPlainError
from loganalyzer.parser_sound_evtx import SoundLog
from loganalyzer.source import Source
from tests.test_evtx import START, evtx_parser, record, write, writer

SEEN = UUID("faf53cc4-bd73-4e36-83f1-2b23f46e513e")


@pytest.fixture(autouse=True)
def few_last_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_long_log, "LAST_ENTRIES", 2)
    monkeypatch.setattr(parser_long_evtx, "OF_A_MACHINE", 1)


def varied(count: int) -> bytes:
    """A log of one channel with values of all kinds that samples have."""
    user_data = writer().UserData("RuleAndFileData", "http://example.invalid", {"FilePath": "%OSDRIVE%\\x.exe"})
    kinds = (
        {"provider": "Contoso", "event_id": 1, "data": ("first", "second")},
        {"provider": "Contoso", "event_id": 2, "data": ("one",), "binary": b"\x01\x02RdAgent\x03", "qualifiers": 49152},
        {"provider": "Contoso-Named", "event_id": 3, "data": {"Name": "value", "Count": 7, "Ok": True, "None": None}},
        {"provider": "Contoso-Named", "event_id": 4, "version": 1, "opcode": 0, "process_id": 4, "thread_id": 8},
        {"provider": "Contoso-User", "event_id": 5, "user_data": user_data, "user_sid": "S-1-5-18"},
        {"provider": "Contoso-Guid", "event_id": 6, "provider_guid": SEEN, "activity_id": SEEN, "data": None},
        {"provider": "Contoso-Guid", "event_id": 6, "provider_guid": SEEN, "activity_id": UUID(int=7), "data": None},
        {"provider": "Other", "event_id": 7, "event_source_name": "Contoso", "data": {"Where": "Grüße ☃"}},
    )
    events = []
    for number in range(count):
        fields = {"channel": "System", "time": START + timedelta(seconds=number), **kinds[number * 5 % len(kinds)]}
        events.append(record(**fields))
    return write(*events)


def seen(data: bytes) -> Seen:
    numbers = Numbers(data)
    return HeadReader(numbers, Shapes(numbers)).read(records_of([*sound_chunks(data).values()], numbers))


def rows_of(data: bytes) -> pl.DataFrame:
    (frame,) = evtx_parser().parse(Source("System.evtx", data), ParseContext()).frames
    return frame.rows


def asked(what: EventsAsked) -> Selection:
    return Selection(lambda logsource: None, lambda logsource: what, 0)


def parsed(data: bytes, selection: Selection | None = None) -> Parsed:
    return evtx_parser().parse(Source("System.evtx", data), ParseContext(selection=selection))


def sealed(data: bytes) -> bytes:
    """Whatever the chunks hold, their checksums are right."""
    raw = bytearray(data)
    for at in range(4096, len(raw), CHUNK_SIZE):
        free = min(struct.unpack_from("<I", raw, at + 48)[0], CHUNK_SIZE)
        struct.pack_into("<I", raw, at + 52, zlib.crc32(raw[at + FIRST_RECORD : at + free]))
        head = zlib.crc32(raw[at + 128 : at + FIRST_RECORD], zlib.crc32(raw[at : at + 120]))
        struct.pack_into("<I", raw, at + 124, head)
    return bytes(raw)


def test_the_columns_say_of_each_record_what_the_decoder_says() -> None:
    data = varied(2_000)
    found, rows = seen(data), rows_of(data)
    names = ("Provider_Name", "EventID", "Level", "Channel", "Computer")
    assert len(sound_chunks(data)) > 5
    assert (found.heads.which != UNKNOWN).all()
    assert [found.heads.systems[number] for number in found.heads.which] == rows.select(names).rows()
    assert found.heads.created.tolist() == rows["@timestamp"].to_physical().to_list()


def test_one_record_of_each_shape_must_be_confirmed() -> None:
    found = seen(varied(2_000))
    shapes = found.shape[found.unsure].tolist()
    assert len(shapes) == len(set(shapes)) == len(set(found.shape.tolist()))
    assert 7 <= len(shapes) <= 3 * 7  # by which of a definition's names stand in it


@pytest.mark.parametrize(
    "text",
    ["second", "%osdrive%", "filepath", str(SEEN), "contoso-named 3: ", "0102526441", "-5-18", "true"],
)
def test_an_event_that_holds_a_text_becomes_a_row(text: str) -> None:
    data = varied(800)
    whole = rows_of(data)
    holding = whole.filter(
        (whole["Provider_Name"] + " " + whole["EventID"] + ": ").str.to_lowercase().str.contains(text, literal=True)
        | whole["event.original"].str.to_lowercase().str.contains(text, literal=True)
    )
    (frame,) = parsed(data, asked(EventsAsked(texts=frozenset({text})))).frames
    rows = frame.rows
    assert 50 < holding.height < 800
    assert set(holding["event.sequence"]) <= set(rows["event.sequence"])
    assert frame.height == 800
    chosen = whole.filter(pl.col("event.sequence").is_in(rows["event.sequence"].to_list()))
    assert rows.equals(chosen.select(rows.columns))


def test_an_event_that_is_not_asked_for_does_not_become_a_row() -> None:
    (frame,) = parsed(varied(800), asked(EventsAsked(texts=frozenset({str(SEEN)})))).frames
    assert 90 < frame.rows.height < 250


def test_a_log_of_sound_chunks_is_read_in_part_with_the_same_account() -> None:
    data = varied(2_000)
    gap = data[:4096] + data[4096 + CHUNK_SIZE :]
    damaged = bytearray(data)
    damaged[4096 + 2 * CHUNK_SIZE + 20_000 : 4096 + 2 * CHUNK_SIZE + 20_300] = bytes(300)
    for one in (data, gap, bytes(damaged), data[:-30_000]):
        whole, part = parsed(one), parsed(one, asked(EventsAsked(ids=frozenset({"4"}))))
        names = ("lines", "parsed_bytes", "rejected_bytes", "damage", "notes")
        assert [getattr(part, name) for name in names] == [getattr(whole, name) for name in names]
        assert part.rejected.equals(whole.rejected)
        assert sum(frame.height for frame in part.frames) == sum(frame.height for frame in whole.frames)
        assert sum(frame.rows.height for frame in part.frames) < 600


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(FIRST_RECORD, 40_000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_whatever_sound_chunks_hold_no_event_is_lost_or_added(damage: list[tuple[int, int]], chunk: int) -> None:
    raw = bytearray(_VARIED)
    for at, value in damage:
        raw[4096 + chunk * CHUNK_SIZE + at] = value
    data = sealed(bytes(raw))
    whole, part = parsed(data), parsed(data, asked(EventsAsked(ids=frozenset({"4"}))))
    assert sum(frame.height for frame in part.frames) == sum(frame.height for frame in whole.frames)
    assert (part.lines, part.rejected_bytes) == (whole.lines, whole.rejected_bytes)


_VARIED = varied(1_000)


def test_a_chunk_whose_checksum_is_wrong_is_not_sound() -> None:
    data = bytearray(varied(800))
    assert {*sound_chunks(bytes(data))} == {*range(4096, len(data), CHUNK_SIZE)}
    data[4096 + 700] ^= 1
    assert 4096 not in sound_chunks(bytes(data))
    assert 4096 in sound_chunks(sealed(bytes(data)))


def sound_log(data: bytes, change: Sequence[str]) -> SoundLog:
    """With a decoder in whose texts one is replaced."""
    originals = dict(rows_of(data).select("log.offset", "event.original").rows())

    def decode(chunk: SoundChunk, places: Sequence[Place]) -> dict[int, RenderedRecord]:
        texts = {one.offset: originals[chunk.offset + one.offset].replace(*change) for one in places}
        told = {one.offset: rendered_record(one, texts[one.offset], chunk.offset) for one in places}
        return {offset: one for offset, one in told.items() if one is not None}

    return SoundLog(data, decode)


@pytest.mark.parametrize(
    "change", [('"EventID":3', '"EventID":9'), ('"vm-01"', '"vm-02"'), (":09.25", ":09.75"), ('"Event":', '"Evant":')]
)
def test_a_decoder_that_says_something_else_is_believed(change: Sequence[str]) -> None:
    data = varied(200)
    chunks = [*sound_chunks(data).values()]
    assert sound_log(data, ("", "")).stretch(chunks).heads.which.min() >= 0
    with pytest.raises(NotPlainError):
        sound_log(data, change).stretch(chunks)


def test_records_of_no_shape_are_decoded_and_known_then() -> None:
    data = varied(200)
    numbers = Numbers(data)
    stretch = sound_log(data, ("", "")).stretch([*sound_chunks(data).values()])
    without = replace(stretch.seen, shape=np.full(200, NO_SHAPE))
    assert stretch.with_text(frozenset({"nowhere"})).sum() == 0
    assert replace(stretch, seen=without).with_text(frozenset({"nowhere"})).all()
    assert len(numbers.u8) == len(data)


_HEX_64 = 0x15


@given(st.binary(min_size=4, max_size=16), st.integers(0, 8), st.integers(6, 32))
def test_a_part_of_a_value_is_found_by_its_bytes(value: bytes, start: int, length: int) -> None:
    number = int.from_bytes(value[:8], "little")
    rendered = {
        BYTES: (value.hex(), value),
        _HEX_64: (f"0x{number:x}", value[:8]),
        GUID: (str(UUID(bytes_le=value.ljust(16, b"\1"))), value.ljust(16, b"\1")),
    }
    for kind, (text, raw) in rendered.items():
        piece = text[start : start + length]
        if len(piece) >= 4:
            forms = binary_forms(frozenset({piece}))
            assert kind in forms.not_found or any(one in raw for one in forms.values), (kind, piece)
            assert 0x08 in forms.not_found or not piece.isdecimal()


@pytest.mark.parametrize("text", ["rdagent", "windows agent", "g" * 40, "0x80042306 "])
def test_a_text_that_no_value_could_be_needs_no_value(text: str) -> None:
    forms = binary_forms(frozenset({text}))
    assert forms.letters == {text.encode("utf-16-le")}
    assert not forms.values
    assert not forms.not_found


def test_every_search_for_bytes_finds_the_same_places() -> None:
    letters = frozenset(text.encode("utf-16-le") for text in ("abab", "some words", "grown"))
    values = frozenset({b"\x01\xff\x00", b"(.*)"})
    block = "xABABAB, sOME wordS".encode("utf-16-le") + b"\x01\xff\x00\x01\xff\x00(.*)" + "gro".encode("utf-16-le")
    found = [byte_search(letters, values, portable=portable).ends(memoryview(block)) for portable in (False, True)]
    assert {*found[0].tolist()} == {*found[1].tolist()}
    assert len({*found[0].tolist()}) == 6

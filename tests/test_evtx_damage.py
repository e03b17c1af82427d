"""Damaged event logs: what the second reader adds and refuses, and that no chunk and no process holds a scan up."""

from __future__ import annotations

import importlib.util
import io
import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from evtx import PyEvtxParser

from loganalyzer.evtx.chunks import FILE_HEADER_SIZE, Place, read_layout, rebuilt
from loganalyzer.evtx.first_reader import BindingLimits, FirstReader
from loganalyzer.evtx.python_evtx import Steps, read_records
from loganalyzer.evtx.second_reader import Limits, SecondReader
from loganalyzer.evtx.unfolding import TOO_MUCH, TOO_MUCH_IN_CHUNK
from loganalyzer.parser import ParseContext, Parsed, Parser, Source
from loganalyzer.registry import BuiltinParser, parsers, recognise

ROOT = Path(__file__).parents[1]
START = datetime(2024, 5, 6, 7, 8, 9, 250_000, UTC)
CHUNK = 65536
NOT_READ = "not read: "


@cache
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evtx_writer", ROOT / "sample_logs" / "evtx_writer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evtx_writer"] = module
    spec.loader.exec_module(module)
    return module


def record(provider: str = "VSS", event_id: int = 8193, channel: str = "Application", **fields: Any) -> Any:
    return writer().EventRecord(provider, event_id, channel, **{"computer": "vm-01", "time": START} | fields)


def kinds() -> list[Any]:
    """Events with every kind of value that the writer knows."""
    sid, activity = "S-1-5-21-1-2-3-500", UUID(int=7)
    modern: dict[str, Any] = {
        "version": 1,
        "opcode": 0,
        "process_id": 4,
        "thread_id": 8,
        "user_sid": sid,
        "activity_id": activity,
    }
    return [
        record(qualifiers=0x8000, data=["one", "", "three ੁ"], binary=b"\x01\x02"),
        record(data=["ੁ"]),
        record(data=[]),
        record(data=None, binary=b""),
        record("Microsoft-Windows-A", 1, data={"Text": "ü €", "Number": 7, "Yes": True, "No": False, "Empty": ""}),
        record("Microsoft-Windows-B", 2, **modern, provider_guid=UUID(int=9), event_source_name="B", data={"x": ""}),
        record("Microsoft-Windows-C", 3, user_data=writer().UserData("Root", "urn:x", {"Path": r"C:\a", "Count": 3})),
    ]


@cache
def sound() -> bytes:
    """Two chunks with the same definitions, each of which the first record of a chunk brings."""
    data: bytes = writer().write_evtx(
        [record(data=[f"routine {row}", "0x80040154"], binary=b"-") for row in range(400)]
    )
    assert (len(data) - FILE_HEADER_SIZE) // CHUNK == 2
    return data


@cache
def places() -> list[tuple[int, Place]]:
    """Chunk offset and place of each record of the sound file."""
    return [(chunk.offset, place) for chunk in read_layout(sound()).chunks for place in chunk.records]


def patched(*patches: tuple[int, bytes], data: bytes | None = None) -> bytes:
    raw = bytearray(sound() if data is None else data)
    for offset, piece in patches:
        raw[offset : offset + len(piece)] = piece
    return bytes(raw)


@cache
def in_first_definition(text: bytes, chunk: int = 0) -> int:
    """Where bytes stand first in a chunk of the sound file."""
    return sound().index(text, FILE_HEADER_SIZE + CHUNK * chunk + 512)


def parse(data: bytes, reader: SecondReader | None = None, first: FirstReader | None = None) -> Parsed:
    found = next(parser for parser in parsers() if parser.name == "evtx_log")
    assert isinstance(found, BuiltinParser)
    readers = {"first_reader": first or FirstReader(), "second_reader": reader or SecondReader()}
    parser: Parser = type(found.inner)(**readers)
    parsed = parser.parse(Source("Application.evtx", data), ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes == len(data)
    return parsed


def ids(parsed: Parsed) -> list[int]:
    return sorted(number for frame in parsed.frames for number in frame.rows["RecordNumber"].to_list())


NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event".encode("utf-16-le")


def wild_token(chunk: int) -> tuple[int, bytes]:
    """The token behind the namespace of a definition has flags that none has: python-evtx does not look at them."""
    place = in_first_definition(NAMESPACE, chunk) + len(NAMESPACE)
    assert sound()[place] == 0x02
    return place, b"\x42"


def only_python_reads() -> bytes:
    """Both chunks have a definition that the binding refuses, and with it every record."""
    return patched(wild_token(0), wild_token(1))


# A sound log


def test_a_sound_log_is_decoded_outside_of_our_process_and_never_by_python_evtx(tmp_path: Path) -> None:
    log = tmp_path / "Application.evtx"
    log.write_bytes(sound())
    code = (
        "import subprocess, sys\n"
        "start, started = subprocess.Popen, []\n"
        "def noted(command, **k): started.append(command[-1]); return start(command, **k)\n"
        "subprocess.Popen = noted\n"
        "from pathlib import Path\n"
        "from loganalyzer.pipeline import scan\n"
        f"report = scan([Path({str(log)!r})]).report\n"
        "names = [Path(one).name for one in started]\n"
        "print(sum(one.events for one in report.coverage), *names, 'evtx' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["400", "binding.py", "False"], "")


# What it reads


def test_what_python_evtx_reads_is_spelled_as_the_binding_spells_it() -> None:
    data = writer().write_evtx(kinds())
    (chunk,) = read_layout(data).chunks
    raw = rebuilt(data, chunk)[FILE_HEADER_SIZE:]
    found = read_records(raw, [(place.offset, place.length) for place in chunk.records], Steps(20_000, 1_000_000))
    given = [json.loads(one["data"]) for one in PyEvtxParser(io.BytesIO(data)).records_json() if one is not None]
    assert [form for form, _ in found] == given
    assert {fault for _, fault in found} == {None}


def test_records_that_the_binding_refuses_are_read_by_python_evtx_and_told() -> None:
    data = only_python_reads()
    alone = PyEvtxParser(io.BytesIO(data)).records_json()
    with pytest.raises(RuntimeError):
        next(alone)
    parsed = parse(data)
    assert ids(parsed) == list(range(1, 401))
    assert parsed.damage == ()
    assert parsed.notes == ("400 of 400 known records read: 400 by python-evtx",)
    rows = parsed.frames[0].rows
    assert rows["EventID"].unique().to_list() == ["8193"]
    assert rows.sort("RecordNumber")["routine"].to_list() == [f"routine {row}" for row in range(400)]


def test_the_same_file_gives_the_same_result_whichever_process_reads_it() -> None:
    data = patched((in_first_definition(b"\x41\xff\xff"), b"\x44\xff\xff"), data=only_python_reads())
    reader = SecondReader()
    first, second, third = parse(data, reader), parse(data, reader), parse(data)
    for other in (second, third):
        assert [frame.rows.to_dicts() for frame in other.frames] == [frame.rows.to_dicts() for frame in first.frames]
        assert (other.damage, other.notes) == (first.damage, first.notes)
        assert other.rejected.equals(first.rejected)


def test_one_process_serves_all_chunks_and_files_of_a_scan() -> None:
    reader = SecondReader()
    parse(only_python_reads(), reader)
    process = reader._child.process
    assert process is not None
    parse(only_python_reads(), reader)
    assert reader._child.process is process


def test_the_process_ends_with_its_reader() -> None:
    reader = SecondReader()
    parse(only_python_reads(), reader)
    process = reader._child.process
    assert process is not None
    assert process.poll() is None
    del reader
    assert process.wait(timeout=10) is not None


def test_a_damaged_name_of_system_is_mended_by_its_hash() -> None:
    name = "System".encode("utf-16-le")
    parsed = parse(patched((in_first_definition(name) + 6, b"\x74\x80")))
    assert (ids(parsed), parsed.damage, parsed.notes) == (list(range(1, 401)), (), ())


@pytest.mark.parametrize("bit", [1, 8, 128])
def test_a_record_whose_two_ends_lost_a_bit_is_whole(bit: int) -> None:
    """The size behind it, and the magic of the next one: neither leads on, both are still what they were."""
    start, place = places()[20]
    end = start + place.end
    raw = sound()
    parsed = parse(patched((end - 4, bytes([raw[end - 4] ^ bit])), (end, bytes([raw[end] ^ bit]))))
    assert (ids(parsed), parsed.damage) == (list(range(1, 401)), ())


def test_bytes_overwritten_between_two_records_cost_neither() -> None:
    start, place = places()[20]
    parsed = parse(patched((start + place.end - 4, b"\x99" * 12)))
    assert (ids(parsed), parsed.damage) == (list(range(1, 401)), ())


@pytest.mark.parametrize("row", [0, 20, 399])
def test_an_id_with_a_damaged_bit_is_mended_from_its_neighbours(row: int) -> None:
    start, place = places()[row]
    parsed = parse(patched((start + place.offset + 15, b"\x40")))
    assert (ids(parsed), parsed.damage, parsed.notes) == (list(range(1, 401)), (), ())


def test_a_log_without_any_header_is_known_by_its_records() -> None:
    data = patched((0, bytes(FILE_HEADER_SIZE + 512)), (FILE_HEADER_SIZE + CHUNK, bytes(512)))
    found = recognise(Source("export.bin", data))
    assert found is not None
    assert found.parser.name == "evtx_log"
    parsed = parse(data)
    assert ids(parsed) == list(range(1, 401))
    assert parsed.damage[0] == (
        f"400 of 400 known records read: 400 by a search for record magic; {FILE_HEADER_SIZE + 1024} bytes not readable"
    )


def test_the_summary_says_each_way_the_missing_ids_the_bytes_and_that_the_log_was_open() -> None:
    start, place = places()[350]
    second = FILE_HEADER_SIZE + CHUNK
    wiped, dirty = (start + place.offset, bytes(place.length)), (120, b"\x01")
    parsed = parse(patched(wiped, wild_token(0), dirty, (second, bytes(512))))
    first = sum(offset < second for offset, _ in places())
    assert parsed.damage[0] == (
        f"399 of 400 known records read: {first} by python-evtx, {399 - first} by a search for record magic; "
        f"{place.length + 512} bytes not readable; the log was open when it was copied"
    )
    assert "1 record ids between 1 and 400 are not in it: 351" in parsed.notes


# What it refuses


def test_a_record_whose_end_was_overwritten_is_rejected_and_named() -> None:
    start, place = places()[30]
    following = places()[31][1]
    parsed = parse(patched((start + place.end - 40, bytes(40 + following.length))))
    assert ids(parsed) == [number for number in range(1, 401) if number not in (31, 32)]
    assert parsed.rejected["error.message"].to_list() == [
        "the end of record 31 is overwritten; what follows is no record"
    ]


def test_a_record_that_would_lose_values_is_rejected_though_python_evtx_renders_it() -> None:
    """The element of the values ends early in every copy of the definition: the event would have none."""
    data = patched(*((in_first_definition("EventData".encode("utf-16-le"), chunk) + 20, b"\x03") for chunk in (0, 1)))
    parsed = parse(data)
    assert ids(parsed) == []
    assert "400 records lost" in "".join(parsed.damage) or "0 of 400 known records read" in parsed.damage[0]
    assert all("python-evtx: " in why for why in parsed.rejected["error.message"])


@pytest.mark.parametrize(
    ("piece", "at", "why"),
    [
        (b"\xff\xff", 0, "its values do not end where it ends"),
        (struct.pack("<I", 0x7FFFFFFF), -4, "unpack_from requires a buffer"),
    ],
)
def test_a_record_with_shifted_values_is_refused(piece: bytes, at: int, why: str) -> None:
    start, place = places()[50]
    raw = sound()[start : start + CHUNK]
    values = place.offset + 24 + 4 + 10 + 4  # behind magic, fragment, instance (no definition) and count
    broken = patched((values + at, piece), data=raw)
    ((form, fault),) = read_records(broken, [(place.offset, place.length)], Steps(20_000, 1_000_000))
    assert form is None
    assert fault is not None
    assert why in fault


# Hostile chunks


FRAGMENT = b"\x0f\x01\x01\x00"
HERE = 512 + 24 + len(FRAGMENT) + 10


def instance(definition: int) -> bytes:
    return FRAGMENT + b"\x0c\x01GUID" + struct.pack("<I", definition)


def element(at: int, content: bytes) -> bytes:
    """An ``Event`` in a definition at a place of its chunk, with its name; without attributes."""
    name = "Event".encode("utf-16-le")
    head = struct.pack("<IIHH", at + 24 + len(FRAGMENT) + 11, 0, 0, len(name) // 2) + name + b"\0\0\x02"
    inner = head + content + b"\x04"
    return FRAGMENT + b"\x01\xff\xff" + struct.pack("<I", len(inner)) + inner + b"\0"


def nested(definition: int, depth: int, count: int = 1) -> bytes:
    """``depth`` instances, each the value of the one around it, then what is declared about the outermost value."""
    value = instance(definition) + struct.pack("<IHBB", 1, 2, 1, 0) + b"x\0"
    for _ in range(depth):
        value = instance(definition) + struct.pack("<IHBB", 1, len(value), 0x21, 0) + value
    return struct.pack("<IHBB", count, len(value), 0x21, 0) + value + b"\0"


def record_of(content: bytes, number: int = 1) -> bytes:
    length = -(-(24 + len(content) + 4) // 8) * 8
    head = struct.pack("<4sIQQ", b"\x2a\x2a\0\0", length, number, 133_000_000_000_000_000)
    return (head + content).ljust(length - 4, b"\0") + struct.pack("<I", length)


def defining(at: int, body: bytes, rest: bytes, number: int = 1) -> bytes:
    """A record at a place of its chunk: an instance with the definition that it brings, then its values."""
    place = at + HERE - 512
    head = instance(place) + struct.pack("<I", 0) + b"GUID" + bytes(12) + struct.pack("<I", len(body))
    return record_of(head + body + rest, number)


def bomb_at(at: int, fan: int, depth: int, number: int = 1) -> bytes:
    place = at + HERE - 512
    return defining(at, element(place, struct.pack("<BHB", 0x0D, 0, 0x21) * fan), nested(place, depth), number)


def bomb(fan: int, depth: int) -> tuple[bytes, int]:
    """A chunk of one record, and its length: each of ``depth`` levels stands ``fan`` times in the one around it."""
    record = bomb_at(512, fan, depth)
    return (bytes(512) + record).ljust(CHUNK, b"\0"), len(record)


def test_a_chunk_that_unfolds_without_end_is_refused_after_a_fixed_number_of_steps() -> None:
    raw, length = bomb(50, 20)
    steps = Steps(20_000, 1_000_000)
    assert read_records(raw, [(512, length)], steps) == [(None, f"{NOT_READ}it takes more work than any real record")]
    assert steps.all_left == 1_000_000 - 20_001


def test_elements_within_elements_without_end_are_refused() -> None:
    raw, length = bomb(1, 60)
    ((_, fault),) = read_records(raw, [(512, length)], Steps(20_000, 1_000_000))
    assert fault == f"{NOT_READ}elements within elements without end"


def test_a_definition_that_holds_itself_is_refused() -> None:
    raw, length = bomb(1, 1)
    definition = 512 + 24 + 4 + 10
    inside = raw.index(b"\x0d\0\0", definition)
    again = b"\x0c\x01GUID" + struct.pack("<I", definition)
    ((form, fault),) = read_records(patched((inside, again), data=raw), [(512, length)], Steps(20_000, 1_000_000))
    assert form is None
    assert fault is not None


def test_a_file_has_a_bound_of_steps_and_says_what_was_not_read_for_it() -> None:
    parsed = parse(only_python_reads(), SecondReader(Limits(steps_a_file=2_000)))
    assert 0 < len(ids(parsed)) < 400
    assert ids(parsed) == list(range(1, len(ids(parsed)) + 1))
    why = f"{NOT_READ}as much work as is allowed for a file has been done"
    assert all(text.endswith(f"by python-evtx: {why}") for text in parsed.rejected["error.message"])


def test_an_array_on_which_python_evtx_turns_for_ever_is_read() -> None:
    """The unit U+0A41 ends with a line feed: the pattern by which python-evtx splits arrays never matches it."""
    data = writer().write_evtx([record(data=["ੁ"])])
    (chunk,) = read_layout(data).chunks
    (place,) = chunk.records
    raw = data[FILE_HEADER_SIZE:]
    ((form, _),) = read_records(raw, [(place.offset, place.length)], Steps(20_000, 1_000_000))
    assert form is not None
    assert form["Event"]["EventData"]["Data"]["#text"] == "ੁ"


# Processes that fail


def failing(code: str, *, seconds: float = 30, restarts: int = 3) -> SecondReader:
    limits = Limits(seconds_a_chunk=seconds, restarts=restarts)
    return SecondReader(limits, command=(sys.executable, "-I", "-c", code))


READS = "import sys; r = sys.stdin.buffer; f = lambda: r.read(int.from_bytes(r.read(4), 'little')); f(); "
ASKED = READS + "import json; n = json.loads(f())['chunks']; [f() for _ in range(n)]; "
ANSWERS = "w = lambda b: (sys.stdout.buffer.write(len(b).to_bytes(4, 'little') + b), sys.stdout.buffer.flush()); "


def faults(parsed: Parsed) -> set[str]:
    return {text.rpartition("by python-evtx: ")[2] for text in parsed.rejected["error.message"]}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "the process of python-evtx ended without an answer"),
        (ASKED + "sys.exit(3)", "the process of python-evtx ended without an answer"),
        (ASKED + "sys.stdout.write('x')", "the process of python-evtx ended without an answer"),
        (ASKED + "sys.stdout.buffer.write(b'\\xff' * 50)", "the process of python-evtx ended without an answer"),
        (ASKED + ANSWERS + "w(b'\\x00garbage')", "the process of python-evtx gave an answer that is none"),
        (ASKED + ANSWERS + "w(b'[' * 100000)", "the process of python-evtx gave an answer that is none"),
        (ASKED + ANSWERS + "w(b'{}')", "the process of python-evtx gave an answer that is none"),
        (
            ASKED + ANSWERS + 'w(b\'{"events": [1], "faults": [null], "steps": 0}\')',
            "the process of python-evtx gave an answer that is none",
        ),
    ],
)
def test_a_process_that_dies_or_answers_garbage_costs_only_what_it_was_asked_for(code: str, why: str) -> None:
    parsed = parse(broken_in_one_chunk(), failing(code))
    first = sum(offset == FILE_HEADER_SIZE for offset, _ in places())
    assert ids(parsed) == list(range(first + 1, 401))
    assert faults(parsed) == {NOT_READ + why}
    assert parsed.damage[0].startswith(f"{400 - first} of 400 known records read: ")


def broken_in_one_chunk() -> bytes:
    return patched(wild_token(0))


def test_events_that_a_process_made_up_are_none() -> None:
    count = sum(offset == FILE_HEADER_SIZE for offset, _ in places())
    lie = {"events": ['{"Event": 1}', *["no json"] * (count - 1)], "faults": [None] * count, "steps": 1}
    parsed = parse(broken_in_one_chunk(), failing(f"{ASKED}{ANSWERS}w({json.dumps(lie).encode()!r})"))
    assert len(ids(parsed)) == 400 - count


def test_a_process_that_hangs_is_ended_when_its_time_is_up_and_the_scan_goes_on() -> None:
    begin = time.monotonic()
    parsed = parse(only_python_reads(), failing(READS + "import time; time.sleep(600)", seconds=0.5))
    assert time.monotonic() - begin < 60
    assert ids(parsed) == []
    assert faults(parsed) == {f"{NOT_READ}python-evtx came to no end within 0.5 seconds"}
    assert parsed.lines == 400


def test_a_process_that_keeps_dying_is_not_started_without_end() -> None:
    parsed = parse(only_python_reads(), failing("", restarts=0))
    told = {f"{NOT_READ}the process of python-evtx ended without an answer"}
    assert faults(parsed) == told | {f"{NOT_READ}python-evtx died 1 times in this scan"}


def test_the_next_scan_gets_a_process_again() -> None:
    reader = failing("", restarts=0)
    parse(only_python_reads(), reader)
    assert f"{NOT_READ}the process of python-evtx ended without an answer" in faults(parse(only_python_reads(), reader))


def test_a_process_that_cannot_be_started_is_told() -> None:
    parsed = parse(only_python_reads(), SecondReader(command=("/there/is/no/such/program",)))
    assert any("cannot be started" in text for text in faults(parsed))


def test_a_process_that_was_killed_between_two_files_is_replaced() -> None:
    reader = SecondReader()
    parse(only_python_reads(), reader)
    process = reader._child.process
    assert process is not None
    process.kill()
    process.wait()
    assert ids(parse(only_python_reads(), reader)) == list(range(1, 401))


def test_a_folder_named_as_a_module_is_not_imported_from_where_the_scan_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Evtx").mkdir()
    (tmp_path / "Evtx" / "__init__.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert ids(parse(only_python_reads(), SecondReader())) == list(range(1, 401))


# Hostile chunks and the binding

NEIGHBOURS = 20


@cache
def neighbours() -> bytes:
    """A log of one chunk with room behind its records."""
    data: bytes = writer().write_evtx([record(data=[f"routine {row}"], binary=b"-") for row in range(NEIGHBOURS)])
    return data


def with_records(make: Callable[[int, int], bytes | None]) -> bytes:
    """That log with what ``make`` gives for place and id, one after the other, until it gives none."""
    (chunk,) = read_layout(neighbours()).chunks
    raw, at, number = bytearray(neighbours()), chunk.records[-1].end, NEIGHBOURS
    while (more := make(at, number + 1)) is not None:
        raw[FILE_HEADER_SIZE + at : FILE_HEADER_SIZE + at + len(more)] = more
        at, number = at + len(more), number + 1
    assert len(raw) == FILE_HEADER_SIZE + CHUNK
    for offset in (16, 32):
        struct.pack_into("<Q", raw, FILE_HEADER_SIZE + offset, number)
    struct.pack_into("<I", raw, FILE_HEADER_SIZE + 48, at)
    return bytes(raw)


def with_one(make: Callable[[int, int], bytes]) -> bytes:
    return with_records(lambda at, number: make(at, number) if number == NEIGHBOURS + 1 else None)


def reasons(parsed: Parsed) -> list[str]:
    return list(parsed.rejected["error.message"])


def nested_twice(at: int, number: int, *, through: int = 40) -> bytes:
    """A definition whose text holds an instance of itself, as a value of the kind BinXML."""
    place = at + HERE - 512
    inside = instance(place) + struct.pack("<IHBB", 1, 2, 1, 0) + b"x\0" + b"\0"
    literal = b"\x05\x21" + struct.pack("<H", len(inside)) + inside
    return defining(at, element(place, literal * through), nested(place, 1), number)


@pytest.mark.parametrize(("fan", "depth"), [(50, 2), (50, 5), (50, 20), (2, 30), (2, 64), (1, 64), (4000, 3)])
def test_a_record_that_unfolds_without_end_is_never_given_to_the_binding_and_its_neighbours_are_read(
    fan: int, depth: int
) -> None:
    reader, second = FirstReader(), SecondReader()
    parsed = parse(with_one(lambda at, number: bomb_at(at, fan, depth, number)), second, reader)
    assert ids(parsed) == list(range(1, NEIGHBOURS + 1))
    assert reasons(parsed) == [TOO_MUCH]
    assert (reader._child.starts, second._child.starts) == (1, 0)


def test_what_real_records_nest_is_no_bomb() -> None:
    parsed = parse(with_one(lambda at, number: bomb_at(at, 3, 3, number)))
    assert reasons(parsed)[0].startswith("decoded, but it has no System element")


def test_a_bomb_of_a_definition_in_another_record_is_refused_alone() -> None:
    places: dict[int, int] = {}

    def make(at: int, number: int) -> bytes | None:
        places[number] = at + HERE - 512
        if number == NEIGHBOURS + 1:
            return bomb_at(at, 50, 0, number)
        place = places[NEIGHBOURS + 1]
        return record_of(instance(place) + nested(place, 9), number) if number == NEIGHBOURS + 2 else None

    parsed = parse(with_records(make))
    assert ids(parsed) == list(range(1, NEIGHBOURS + 1))
    assert [TOO_MUCH in why for why in reasons(parsed)] == [False, True]


@pytest.mark.parametrize("through", [1, 40])
def test_a_definition_that_holds_itself_as_a_value_is_refused_and_its_neighbours_are_read(through: int) -> None:
    parsed = parse(with_one(lambda at, number: nested_twice(at, number, through=through)))
    assert ids(parsed) == list(range(1, NEIGHBOURS + 1))
    assert TOO_MUCH in reasons(parsed)[0]


@pytest.mark.slow
def test_many_small_bombs_are_read_only_up_to_a_bound_for_their_chunk() -> None:
    def make(at: int, number: int) -> bytes | None:
        return bomb_at(at, 20, 1, number) if at + 1200 < CHUNK else None

    parsed = parse(with_records(make))
    assert ids(parsed) == list(range(1, NEIGHBOURS + 1))
    in_chunk = [why for why in reasons(parsed) if why == TOO_MUCH_IN_CHUNK]
    assert 0 < len(in_chunk) < len(reasons(parsed))


def filled(content: bytes, at: int, number: int) -> bytes:
    return record_of(content, number)


def test_the_guard_itself_does_little_whatever_the_bytes_are() -> None:
    """Every byte of the chunk could begin an instance, a value or a place for one."""
    for filler in (b"\x0c", b"\x0d\0\0", b"\x05\x21\xff\xff", FRAGMENT + b"\x0c\x21", struct.pack("<HBB", 9, 0x21, 0)):
        begin = time.monotonic()
        hostile = b"\x01" + (filler * 9_000)[:50_000]
        parsed = parse(with_one(partial(filled, hostile)))
        assert time.monotonic() - begin < 30
        assert set(ids(parsed)) >= set(range(1, NEIGHBOURS + 1))


def test_a_name_that_is_repeated_without_end_costs_only_its_record() -> None:
    """Nothing is nested: a definition of thousands of elements, each with the same name of as many letters."""

    def make(at: int, number: int) -> bytes:
        place = at + HERE - 512
        letters = b"n\0" * 8_000
        name_at = place + 24 + len(FRAGMENT) + 11
        name = struct.pack("<IHH", 0, 0, len(letters) // 2) + letters + b"\0\0"
        child = b"\x01\xff\xff" + bytes(4) + struct.pack("<I", name_at) + b"\x03"
        inner = struct.pack("<I", name_at) + name + b"\x02" + child * 300 + b"\x04"
        body = FRAGMENT + b"\x01\xff\xff" + struct.pack("<I", len(inner)) + inner + b"\0"
        return defining(at, body, struct.pack("<I", 0) + b"\0", number)

    parsed = parse(with_one(make))
    assert ids(parsed) == list(range(1, NEIGHBOURS + 1))
    assert reasons(parsed)[0].startswith(NOT_READ)


def test_a_record_that_claims_billions_of_values_costs_only_itself() -> None:
    parsed = parse(with_one(lambda at, number: bomb_at(at, 2, 1, number).replace(b"\x01\0\0\0", b"\xff" * 4)))
    assert ids(parsed) == list(range(1, NEIGHBOURS + 1))


def shaped(shape: tuple[int, int], at: int, number: int) -> bytes:
    return bomb_at(at, *shape, number)


@pytest.mark.slow
def test_bombs_of_every_shape_take_no_memory(tmp_path: Path) -> None:
    """The same scan, with and without bombs in each of its chunks."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from loganalyzer.pipeline import scan\n"
        "scan([Path(sys.argv[1])])\n"
        "who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN\n"
        "print(*(resource.getrusage(one).ru_maxrss for one in who))\n"
    )
    peaks = []
    for shape in (None, (50, 20), (2, 30), (20, 1)):
        one = neighbours() if shape is None else with_one(partial(shaped, shape))
        log = tmp_path / "Application.evtx"
        log.write_bytes(one + one[FILE_HEADER_SIZE:] * 40)
        done = subprocess.run(
            [sys.executable, "-c", code, str(log)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        peaks.append(sum(map(int, done.stdout.split())))
    assert max(peaks[1:]) < peaks[0] + 200_000


# A binding that dies

DECODES = (
    "import io, json, os, sys, time; r, w = sys.stdin.buffer, sys.stdout.buffer\n"
    "n = lambda: r.read(int.from_bytes(r.read(4), 'little'))\n"
    "sys.path[:] = json.loads(n())\n"
    "from loganalyzer.evtx.binding import answered, send\n"
    "while one := n():\n"
    "    answer = answered(one)\n"
    "    if b'\"routine 7\"' in answer: {harm}\n"
    "    send(w, answer)\n"
)


def harmed(harm: str, **limits: Any) -> FirstReader:
    """The binding, but one record of each log does harm to it."""
    return FirstReader(BindingLimits(**limits), command=(sys.executable, "-I", "-c", DECODES.format(harm=harm)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "why"),
    [
        ("os.abort()", "the process of the evtx binding ended without an answer"),
        ("time.sleep(600)", "the evtx binding came to no end within 2 seconds"),
        ("answer = b'garbage'", "the process of the evtx binding gave an answer that is none"),
        ("answer = answer[:-1]", "the process of the evtx binding gave an answer that is none"),
    ],
)
def test_a_record_of_which_the_binding_dies_is_found_and_costs_only_itself(harm: str, why: str) -> None:
    parsed = parse(neighbours(), first=harmed(harm, seconds_a_chunk=2))
    assert ids(parsed) == [number for number in range(1, NEIGHBOURS + 1) if number != 8]
    assert reasons(parsed) == [f"{NOT_READ}{why}"]


def test_records_that_are_decoded_one_by_one_are_what_they_are_together() -> None:
    whole, single = parse(neighbours()), parse(neighbours(), first=harmed("os.abort()"))
    rows, others = (parsed.frames[0].rows.drop("event.sequence") for parsed in (whole, single))
    assert others.to_dicts() == [row for row in rows.to_dicts() if row["RecordNumber"] != 8]


def test_a_binding_that_keeps_dying_is_not_started_without_end_but_again_for_the_next_file() -> None:
    reader = FirstReader(command=(sys.executable, "-I", "-c", ""))
    parsed = parse(neighbours(), first=reader)
    assert ids(parsed) == []
    assert reasons(parsed)[-1] == f"{NOT_READ}the evtx binding failed 8 times for this file"
    assert reader._child.starts == 8
    parse(neighbours(), first=reader)
    assert reader._child.starts == 16


def test_a_binding_that_cannot_be_started_is_told() -> None:
    parsed = parse(neighbours(), first=FirstReader(command=("/there/is/no/such/program",)))
    assert "cannot be started" in reasons(parsed)[0]


def test_one_process_decodes_all_chunks_and_files_and_ends_with_its_reader() -> None:
    reader = FirstReader()
    parse(sound(), first=reader)
    process = reader._child.process
    parse(neighbours(), first=reader)
    assert process is not None
    assert (reader._child.process, reader._child.starts) == (process, 1)
    del reader
    assert process.wait(timeout=10) is not None

"""Windows event logs: names and frames of sound files, and what is left of damaged ones."""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from Evtx.Evtx import FileHeader
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.evtx.chunks import read_layout
from loganalyzer.evtx.frames import PAYLOAD_COLUMNS_LIMIT, service_of
from loganalyzer.parser import ParseContext, Parsed, Parser, Source
from loganalyzer.registry import parsers, recognise
from loganalyzer.schema import SHARED_COLUMNS

START = datetime(2024, 5, 6, 7, 8, 9, 250_000, UTC)
FIRST_CHUNK = 4096
CHUNK = 65536
#: Records of the file that the damage tests damage: three chunks.
COUNT = 600


@cache
def writer() -> ModuleType:
    path = Path(__file__).parents[1] / "sample_logs" / "evtx_writer.py"
    spec = importlib.util.spec_from_file_location("evtx_writer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evtx_writer"] = module
    spec.loader.exec_module(module)
    return module


def record(provider: str = "VSS", event_id: int = 8193, channel: str = "Application", **fields: Any) -> Any:
    return writer().EventRecord(provider, event_id, channel, **{"computer": "vm-01", "time": START} | fields)


def write(*events: Any) -> bytes:
    data: bytes = writer().write_evtx(events)
    return data


@cache
def evtx_parser() -> Parser:
    return next(parser for parser in parsers() if parser.name == "evtx_log")


def parse(data: bytes, path: str = "Application.evtx") -> Parsed:
    """Parses, and checks what must hold for any bytes at all."""
    source = Source(path, data)
    parsed = evtx_parser().parse(source, ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == source.size
    assert parsed.rejected["log.length"].sum() == parsed.rejected_bytes
    pieces = [*zip(parsed.rejected["log.offset"], parsed.rejected["log.length"], strict=True)]
    for frame in parsed.frames:
        pieces += zip(frame.rows["log.offset"], frame.rows["log.length"], strict=True)
        assert set(SHARED_COLUMNS) <= set(frame.rows.columns)
    pieces.sort()
    assert all(offset + length <= following for (offset, length), (following, _) in pairwise(pieces))
    assert all(0 <= offset <= offset + length <= source.size for offset, length in pieces)
    assert bool(parsed.damage) or parsed.rejected.is_empty()
    return parsed


def one(*events: Any) -> pl.DataFrame:
    (frame,) = parse(write(*events)).frames
    return frame.rows


def details(parsed: Parsed) -> tuple[str, ...]:
    """What is said of damage, without the line that sums it up (there is none where nothing is known to be lost)."""
    return parsed.damage[" known records read" in "".join(parsed.damage[:1]) :]


def ids(parsed: Parsed) -> list[int]:
    found = [(a, b) for frame in parsed.frames for a, b in frame.rows.select("event.sequence", "RecordNumber").rows()]
    return [number for _, number in sorted(found)]


# Sound files


def test_shared_columns_hold_what_the_system_element_says() -> None:
    rows = one(
        record(
            "Microsoft-Windows-Kernel-Power",
            41,
            "System",
            level=1,
            version=8,
            opcode=0,
            process_id=4,
            thread_id=8,
            user_sid="S-1-5-18",
            data={"BugcheckCode": 209, "SleepInProgress": False, "Note": ""},
        )
    )
    event = rows.row(0, named=True)
    assert event["@timestamp"] == START
    assert event["time.assumed"] is None
    assert (event["event.code"], event["EventID"]) == ("41", "41")
    assert event["event.provider"] == event["Provider_Name"] == "Microsoft-Windows-Kernel-Power"
    assert (event["host.name"], event["Computer"], event["Channel"]) == ("vm-01", "vm-01", "System")
    assert (event["log.level"], event["Level"]) == ("Critical", "1")
    assert (event["process.pid"], event["Execution_ProcessID"], event["Execution_ThreadID"]) == (4, "4", "8")
    assert event["Security_UserID"] == event["UserID"] == "S-1-5-18"
    assert (event["EventRecordID"], event["RecordNumber"], event["event.sequence"]) == (1, 1, 0)
    assert (event["BugcheckCode"], event["SleepInProgress"], event["Note"]) == ("209", "false", "")
    assert event["message"] == "Microsoft-Windows-Kernel-Power 41: BugcheckCode=209; SleepInProgress=false; Note="
    assert event["Qualifiers"] is None
    assert event["event.original"].startswith('{"Event":{')
    assert rows.schema["EventRecordID"] == pl.Int64


def test_offset_and_length_are_the_record_in_the_file() -> None:
    data = write(record(data=["one"]), record(data=["two"]))
    (frame,) = parse(data).frames
    assert frame.rows.height == 2
    for offset, length, number in frame.rows.select("log.offset", "log.length", "EventRecordID").rows():
        magic, size, found = struct.unpack_from("<4sIQ", data, offset)
        assert (magic, size, found) == (b"\x2a\x2a\0\0", length, number)


def test_unnamed_values_are_one_text_a_list_and_named_columns() -> None:
    rows = one(record("VSS", 8193, data=["CoCreateInstance", "0x80040154", "Operation:\r\n   x"], binary=b"- Code"))
    event = rows.row(0, named=True)
    assert event["Data"] == "CoCreateInstance\n0x80040154\nOperation:\r\n   x"
    assert event["DataValues"] == ["CoCreateInstance", "0x80040154", "Operation:\r\n   x"]
    assert (event["routine"], event["hr"], event["context"]) == ("CoCreateInstance", "0x80040154", "Operation:\r\n   x")
    assert event["Binary"] == b"- Code".hex().upper()
    assert event["message"] == "VSS 8193: CoCreateInstance; 0x80040154; Operation:\r\n   x"


def test_both_forms_of_a_crash_have_the_same_columns_and_the_same_words() -> None:
    values = ["IaaSBcdrExtension.exe", "1.2.3.4", "5f0", "ntdll.dll", "10.0", "5f1", "c0000005", "0001"]
    names = "AppName AppVersion AppTimeStamp ModuleName ModuleVersion ModuleTimeStamp ExceptionCode FaultingOffset"
    rows = one(
        record("Application Error", 1000, qualifiers=0, data=values, binary=b""),
        record("Application Error", 1000, version=0, data=dict(zip(names.split(), values, strict=True))),
    )
    for name, value in zip(names.split(), values, strict=True):
        assert rows[name].to_list() == [value, value]
    assert rows["message"].n_unique() == 1
    assert rows["message"][0].startswith("Faulting application name: IaaSBcdrExtension.exe, version: 1.2.3.4, ")


def test_another_provider_of_the_same_event_id_gets_no_foreign_names() -> None:
    rows = one(record("LoadPerf", 1000, data=["a", "b"]))
    assert "AppName" not in rows.columns
    assert rows["message"][0] == "LoadPerf 1000: a; b"


def test_user_data_goes_by_the_names_of_its_leaves() -> None:
    fields = {"PolicyName": "EXE", "FilePath": r"%OSDRIVE%\PACKAGES\A.EXE", "TargetProcessId": 77}
    channel = "Microsoft-Windows-AppLocker/EXE and DLL"
    data = write(
        record(
            "Microsoft-Windows-AppLocker",
            8004,
            channel,
            user_data=writer().UserData("RuleAndFileData", "urn:x", fields),
        )
    )
    (frame,) = parse(data, "renamed.evtx").frames
    assert str(frame.logsource) == "windows/applocker"
    assert frame.rows.select("PolicyName", "FilePath", "TargetProcessId").row(0) == ("EXE", fields["FilePath"], "77")


def test_names_that_collide_get_a_column_of_their_own() -> None:
    payload = {
        "Level": "a",
        "message": "b",
        "Message": "c",
        "ProcessId": "d",
        "processID": "e",
        "File Name": "f",
        "eventid": "g",
        "written": "h",
        "system_time": "i",
        "EventData_Level": "j",
    }
    event = one(record("P", 1, data=payload)).row(0, named=True)
    assert (event["Level"], event["EventData_Level_2"], event["EventData_message"]) == ("4", "a", "b")
    assert (event["written"], event["system_time"], event["EventData_Level"]) == ("h", "i", "j")
    assert (event["Message"], event["ProcessId"], event["processID"]) == ("c", "d", "e")
    assert (event["File Name"], event["FileName"], event["eventid"]) == ("f", "f", "g")


def test_the_user_of_an_event_stands_in_for_a_user_id_that_its_payload_has_not() -> None:
    rows = one(record("P", 1, data={"UserID": "a"}), record("P", 2, data={"UserId": "b"}, user_sid="S-1-5-18"))
    assert rows["UserID"].to_list() == ["a", "S-1-5-18"]
    assert rows["UserId"].to_list() == [None, "b"]


def test_process_creation_of_the_security_log_has_sysmons_names_too() -> None:
    provider = "Microsoft-Windows-Security-Auditing"
    payload = {
        "SubjectUserName": "vm-01$",
        "SubjectLogonId": "0x3e7",
        "NewProcessId": "0x10",
        "NewProcessName": r"C:\a.exe",
        "ProcessId": "0x20",
        "ParentProcessName": r"C:\b.exe",
        "MandatoryLabel": "S-1-16-16384",
    }
    rows = one(record(provider, 4688, "Security", data=payload), record(provider, 4689, "Security", data=payload))
    event, other = rows.rows(named=True)
    assert (event["Image"], event["ParentImage"], event["ProcessId"]) == (r"C:\a.exe", r"C:\b.exe", "0x20")
    assert (event["LogonId"], event["User"], event["IntegrityLevel"]) == ("0x3e7", "vm-01$", "System")
    assert event["ParentProcessId"] == "0x20"
    assert other["Image"] is None


def test_each_channel_of_a_file_is_a_frame_whatever_the_file_is_called() -> None:
    data = write(record(channel="System"), record(channel="Windows Azure"), record(channel="System"))
    first, second = parse(data, "Security.evtx").frames
    assert (str(first.logsource), first.rows["EventRecordID"].to_list()) == ("windows/system", [1, 3])
    assert (str(second.logsource), second.rows["event.sequence"].to_list()) == ("windows/windows-azure", [1])


@pytest.mark.parametrize(
    ("channel", "service"),
    [
        ("Application", "application"),
        ("security", "security"),
        ("Microsoft-Windows-Sysmon/Operational", "sysmon"),
        ("Microsoft-Windows-AppLocker/MSI and Script", "applocker"),
        ("Microsoft-Windows-CodeIntegrity/Operational", "codeintegrity-operational"),
        ("Microsoft-Windows-Windows Defender/Operational", "windefend"),
        ("Microsoft-Windows-Windows Firewall With Advanced Security/Firewall", "firewall-as"),
        ("PowerShellCore/Operational", "powershell"),
        ("Microsoft-Windows-Application-Experience/Program-Telemetry", "application-experience"),
        ("Microsoft-Windows-SMBServer/Connectivity", "smbserver-connectivity"),
        ("Microsoft-Windows-DNS-Client/Operational", "dns-client"),
        ("Microsoft-WindowsAzure-Status/Plugins", "microsoft-windowsazure-status-plugins"),
        ("", None),
        (None, None),
    ],
)
def test_channels_have_the_services_that_sigma_rules_name(channel: str | None, service: str | None) -> None:
    assert service_of(channel) == service


def test_a_channel_of_very_many_names_is_split_and_nothing_of_it_is_lost() -> None:
    events = [record("P", 1, data={f"name{row}x{column}": "v" for column in range(90)}) for row in range(20)]
    parsed = parse(write(*events))
    assert len(parsed.frames) > 1
    assert all(frame.rows.width < PAYLOAD_COLUMNS_LIMIT + 100 for frame in parsed.frames)
    assert ids(parsed) == list(range(1, 21))


def test_a_log_is_known_by_its_magic_and_not_by_its_name() -> None:
    data = write(record())
    for path in ("Windows/System32/winevt/Logs/Application.evtx", "export.bin", "x/Application.txt"):
        found = recognise(Source(path, data))
        assert found is not None
        assert (found.parser.name, found.claim.strength) == ("evtx_log", 95)


def test_all_zero_chunks_at_the_end_are_no_damage() -> None:
    parsed = parse(write(record()) + bytes(3 * CHUNK))
    assert (ids(parsed), parsed.damage) == ([1], ())


# Damaged files


def many(count: int = COUNT) -> list[Any]:
    """Three kinds of events; the first record of a chunk defines names and templates that later ones use."""
    kinds = (
        lambda row: record("VSS", 8193, data=[f"routine {row}", "0x80040154", "ctx"], binary=b"- Code"),
        lambda row: record("Application Error", 1000, data={"AppName": f"app{row}.exe", "AppVersion": "1"}),
        lambda row: record("MsiInstaller", 1033, data=[f"product {row}"] * 7, time=START + timedelta(seconds=row)),
    )
    return [kinds[row % 3](row) for row in range(count)]


@cache
def sound() -> bytes:
    return write(*many())


@cache
def places() -> list[tuple[int, int, int]]:
    """(chunk, offset in the file, length) of every record of the sound file."""
    return [
        (chunk.index, chunk.offset + place.offset, place.length)
        for chunk in read_layout(sound()).chunks
        for place in chunk.records
    ]


def patched(*patches: tuple[int, bytes], data: bytes | None = None) -> bytes:
    raw = bytearray(sound() if data is None else data)
    for offset, piece in patches:
        raw[offset : offset + len(piece)] = piece
    return bytes(raw)


def of_chunk(index: int) -> list[int]:
    return [row + 1 for row, (chunk, _, _) in enumerate(places()) if chunk == index]


def test_the_undamaged_file_has_three_chunks_and_all_records() -> None:
    parsed = parse(sound())
    assert (len(sound()) - FIRST_CHUNK) // CHUNK == 3
    assert ids(parsed) == list(range(1, COUNT + 1))
    assert (parsed.damage, parsed.rejected.height, parsed.lines) == ((), 0, COUNT)


def test_an_open_log_and_missing_ids_are_told_and_are_no_damage() -> None:
    dirty = patched((120, b"\x01"))
    assert parse(dirty).notes == ("the log was open when it was copied (dirty): headers may be behind their records",)
    assert parse(dirty).damage == ()
    first, second = (FIRST_CHUNK + CHUNK * number for number in (0, 1))
    without = sound()[:first] + sound()[second + CHUNK :]
    (note,) = parse(sound()[:second] + sound()[second + CHUNK :]).notes
    missing = of_chunk(1)
    assert note == f"{len(missing)} record ids between 1 and {COUNT} are not in it: {missing[0]} to {missing[-1]}"
    assert parse(without).notes == ()
    cut = sound() + bytes(100)
    end = f"the file ends inside an unused chunk, at byte {len(cut)}: if anything followed, it is missing"
    assert parse(cut).notes == (end,)
    assert parse(sound()).notes == ()


@pytest.mark.parametrize("keep", [0.2, 0.4, 0.65])
def test_a_file_cut_inside_a_chunk_gives_every_record_that_is_whole(keep: float) -> None:
    end = int(len(sound()) * keep)
    whole = [row + 1 for row, (_, offset, length) in enumerate(places()) if offset + length <= end]
    parsed = parse(sound()[:end])
    assert ids(parsed) == whole
    assert 0 < len(whole) < COUNT
    assert any("cut off at byte" in text or "the file ends inside" in text for text in parsed.damage)


def test_a_cut_file_that_was_filled_with_zeros_does_not_give_half_a_record() -> None:
    row = of_chunk(1)[10]
    _, offset, length = places()[row - 1]
    end = offset + length // 2
    parsed = parse(sound()[:end] + bytes(-(end - FIRST_CHUNK) % CHUNK))
    assert ids(parsed) == list(range(1, row))
    lost = len(of_chunk(1)) - 10
    assert any(f"{lost} of {len(of_chunk(1))} records lost" in text for text in parsed.damage)


def test_a_file_cut_between_chunks_is_reported_by_the_count_of_its_header() -> None:
    parsed = parse(sound()[: FIRST_CHUNK + CHUNK])
    assert ids(parsed) == of_chunk(0)
    missing = of_chunk(0)[-1] + 1
    assert details(parsed)[0].startswith(f"cut off at byte {FIRST_CHUNK + CHUNK}: the file header counts ")
    assert details(parsed)[1:] == (f"records {missing} to {COUNT} are counted by the file header and missing",)
    assert parsed.damage[0] == f"{missing - 1} of {COUNT} known records read: {missing - 1} by the evtx binding"


def test_one_broken_record_costs_only_itself() -> None:
    row = of_chunk(1)[20]
    _, offset, length = places()[row - 1]
    parsed = parse(patched((offset + 24, b"\xff" * 16)))
    assert ids(parsed) == [number for number in range(1, COUNT + 1) if number != row]
    assert parsed.rejected.select("log.offset", "log.length").rows() == [(offset, length)]
    assert "record number" in parsed.rejected["error.message"][0]
    assert details(parsed)[0].startswith(f"chunk 1: 1 of {len(of_chunk(1))} records lost: ")
    assert parsed.lines == COUNT


def broken_definition() -> tuple[bytes, set[int]]:
    """The first definition of the second chunk is none; the ids of the records that use it."""
    first = of_chunk(1)[0]
    _, offset, _ = places()[first - 1]
    users = {number for number in of_chunk(1) if number % 3 == first % 3}
    return patched((offset + 24 + 4 + 10 + 24, b"\x99" * 8)), users


def test_a_broken_definition_costs_only_the_records_that_use_it() -> None:
    data, users = broken_definition()
    alone = data[:FIRST_CHUNK] + data[FIRST_CHUNK + CHUNK : FIRST_CHUNK + 2 * CHUNK]
    parsed = parse(alone)
    assert ids(parsed) == [number for number in of_chunk(1) if number not in users]
    assert parsed.rejected.height == len(users)
    assert any(f"chunk 0: {len(users)} of {len(of_chunk(1))} records lost: " in text for text in parsed.damage)


def test_a_broken_definition_that_another_chunk_has_too_costs_nothing() -> None:
    data, users = broken_definition()
    parsed = parse(data)
    assert (ids(parsed), parsed.damage) == (list(range(1, COUNT + 1)), ())
    read = (
        f"{COUNT} of {COUNT} known records read: {COUNT - len(users)} by the evtx binding, {len(users)} by python-evtx"
    )
    assert parsed.notes == (read,)
    whole = pl.concat([frame.rows for frame in parse(sound()).frames]).drop("event.original")
    assert pl.concat([frame.rows for frame in parsed.frames]).drop("event.original").equals(whole)


@pytest.mark.parametrize("patch", [(4, struct.pack("<I", 0x7FFFFFFF)), (4, bytes(4)), (0, bytes(4)), (0, bytes(8))])
def test_a_record_with_a_broken_head_is_mended_from_its_end(patch: tuple[int, bytes]) -> None:
    _, offset, _ = places()[of_chunk(1)[20] - 1]
    parsed = parse(patched((offset + patch[0], patch[1])))
    assert (ids(parsed), parsed.damage) == (list(range(1, COUNT + 1)), ())


def test_a_wiped_record_is_counted_and_the_chunk_goes_on_behind_it() -> None:
    row = of_chunk(1)[20]
    _, offset, length = places()[row - 1]
    parsed = parse(patched((offset, bytes(length))))
    assert ids(parsed) == [number for number in range(1, COUNT + 1) if number != row]
    assert parsed.rejected.select("log.offset", "log.length").rows() == [(offset, length)]
    assert details(parsed)[0].startswith(f"chunk 1: 1 of {len(of_chunk(1))} records lost: no whole record")


def test_several_wiped_records_are_one_range_and_all_counted() -> None:
    rows = of_chunk(1)[20:25]
    start = places()[rows[0] - 1][1]
    end = places()[rows[-1] - 1][1] + places()[rows[-1] - 1][2]
    parsed = parse(patched((start, bytes(end - start))))
    assert sorted(set(range(1, COUNT + 1)) - set(ids(parsed))) == rows
    assert parsed.rejected.select("log.offset", "log.length").rows() == [(start, end - start)]
    assert f"5 of {len(of_chunk(1))} records lost" in details(parsed)[0]


@pytest.mark.parametrize("size", [8, 128, 512])
def test_a_chunk_without_a_header_is_read_by_its_records_and_reported(size: int) -> None:
    parsed = parse(patched((FIRST_CHUNK + CHUNK, bytes(size))))
    assert ids(parsed) == list(range(1, COUNT + 1))
    assert parsed.rejected.select("log.offset", "log.length").rows() == [(FIRST_CHUNK + CHUNK, 512)]
    assert details(parsed)[0].startswith("chunk 1: header damaged, read by its ")


@pytest.mark.parametrize("field", [52, 124, 48, 32, 24, 44, 128, 384])
def test_wrong_checksums_ids_free_space_and_tables_in_a_chunk_header_cost_no_record(field: int) -> None:
    parsed = parse(patched((FIRST_CHUNK + CHUNK + field, b"\xfe\xff\xff\xff")))
    assert ids(parsed) == list(range(1, COUNT + 1))
    assert parsed.damage == ()


def test_a_record_that_the_chunk_header_does_not_know_yet_is_read() -> None:
    """A log that was copied while it was open: the last record is there, the header still counts one less."""
    numbers = of_chunk(0)
    before = places()[numbers[-2] - 1]
    free = before[1] + before[2] - FIRST_CHUNK
    last = struct.pack("<Q", numbers[-2])
    parsed = parse(patched((FIRST_CHUNK + 48, struct.pack("<I", free)), (FIRST_CHUNK + 32, last)))
    assert (ids(parsed), parsed.damage) == (list(range(1, COUNT + 1)), ())


def test_old_records_behind_the_start_of_free_space_are_not_events() -> None:
    """A chunk that Windows uses again holds records of its former life behind the new ones."""
    numbers = of_chunk(0)
    raw = bytearray(sound())
    _, offset, _ = places()[numbers[50] - 1]
    struct.pack_into("<QQQQ", raw, FIRST_CHUNK + 8, 1, 50, 1, 50)
    struct.pack_into("<I", raw, FIRST_CHUNK + 48, offset - FIRST_CHUNK)
    struct.pack_into("<Q", raw, offset + 8, 7)
    assert ids(parse(bytes(raw)))[:51] == [*range(1, 51), of_chunk(1)[0]]


def test_a_wrong_file_magic_is_reported_and_the_chunks_are_read() -> None:
    data = patched((0, b"XXXXXXXX"))
    found = recognise(Source("Application.evtx", data))
    assert found is not None
    assert found.parser.name == "evtx_log"
    parsed = parse(data)
    assert ids(parsed) == list(range(1, COUNT + 1))
    assert parsed.rejected.select("log.offset", "log.length").rows() == [(0, FIRST_CHUNK)]
    assert "magic missing" in details(parsed)[0]


def test_a_file_that_starts_with_its_chunks_is_read() -> None:
    parsed = parse(sound()[FIRST_CHUNK:])
    assert ids(parsed) == list(range(1, COUNT + 1))
    assert "magic missing" in details(parsed)[0]


def test_a_stale_chunk_count_in_the_file_header_is_not_believed() -> None:
    for count in (0, 1):
        parsed = parse(patched((42, struct.pack("<H", count)), (120, b"\1")))
        assert (ids(parsed), parsed.damage) == (list(range(1, COUNT + 1)), ())


def test_zeroed_chunks_between_others_are_reported_by_the_ids_that_are_missing() -> None:
    parsed = parse(patched((FIRST_CHUNK + CHUNK, bytes(CHUNK))))
    missing = of_chunk(1)
    assert ids(parsed) == [number for number in range(1, COUNT + 1) if number not in missing]
    assert f"records {missing[0]} to {missing[-1]} are missing" in details(parsed)[0]
    assert parsed.rejected_bytes == CHUNK


def test_a_zeroed_last_chunk_is_reported_by_the_next_id_in_the_file_header() -> None:
    parsed = parse(patched((FIRST_CHUNK + 2 * CHUNK, bytes(CHUNK))))
    missing = of_chunk(2)
    assert ids(parsed) == list(range(1, missing[0]))
    assert details(parsed) == (f"records {missing[0]} to {COUNT} are counted by the file header and missing",)


def test_garbage_in_place_of_a_chunk_is_rejected_with_its_place() -> None:
    parsed = parse(patched((FIRST_CHUNK + CHUNK, b"\x5a" * CHUNK)))
    assert ids(parsed) == [number for number in range(1, COUNT + 1) if number not in of_chunk(1)]
    assert parsed.rejected.select("log.offset", "log.length").rows() == [(FIRST_CHUNK + CHUNK, CHUNK)]
    assert details(parsed)[0].startswith(f"{CHUNK} bytes from byte {FIRST_CHUNK + CHUNK} on: not a chunk")


def test_a_header_alone_is_a_sound_file_unless_it_counts_chunks() -> None:
    assert parse(patched((42, bytes(2)))[:FIRST_CHUNK]).damage == ()
    cut = parse(sound()[:FIRST_CHUNK])
    assert (cut.frames, cut.lines) == ((), 0)
    assert details(cut)[0].startswith("cut off at byte 4096")
    assert "cut off inside the file header" in parse(sound()[:1000]).damage[0]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not an event log: the file is empty"),
        (b"not an event log at all\r\n", "not an event log: magic missing"),
        (b"\xff" * 70_000, "not an event log: magic missing"),
    ],
)
def test_a_file_that_only_has_the_name_is_rejected_with_the_reason(data: bytes, why: str) -> None:
    found = recognise(Source("Logs/System.evtx", data))
    assert found is not None
    assert (found.parser.name, found.claim.strength) == ("evtx_log", 20)
    parsed = parse(data)
    assert (parsed.frames, parsed.damage, parsed.rejected_bytes) == ((), (why,), len(data))
    assert parsed.rejected["error.message"].to_list() == [why]


def test_readable_text_of_a_lost_record_is_kept() -> None:
    row = of_chunk(1)[20]
    _, offset, _ = places()[row - 1]
    parsed = parse(patched((offset + 24, b"\xff" * 8)))
    assert str(row - 1) in parsed.rejected["event.original"][0]


def mutated(edits: Sequence[tuple[float, bytes]], cut: float | None) -> bytes:
    raw = bytearray(sound())
    for place, piece in edits:
        offset = int(place * (len(raw) - len(piece)))
        raw[offset : offset + len(piece)] = piece
    return bytes(raw[: int(cut * len(raw))] if cut is not None else raw)


PLACE = st.floats(0, 1, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(PLACE, st.binary(min_size=1, max_size=64)), max_size=12), st.none() | PLACE)
def test_no_change_of_any_bytes_crashes_or_loses_a_byte(edits: list[tuple[float, bytes]], cut: float | None) -> None:
    parsed = parse(mutated(edits, cut))
    assert sum(frame.rows.height for frame in parsed.frames) <= parsed.lines or parsed.lines == 0


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_small_changes_in_one_chunk_leave_the_others_whole(data: st.DataObject) -> None:
    start = FIRST_CHUNK + CHUNK
    edits = data.draw(st.lists(st.tuples(st.integers(0, CHUNK - 16), st.binary(min_size=1, max_size=16)), min_size=1))
    parsed = parse(patched(*((start + offset, piece) for offset, piece in edits)))
    inside = (pl.col("log.offset") >= start) & (pl.col("log.offset") < start + CHUNK)
    others = [number for frame in parsed.frames for number in frame.rows.filter(~inside)["RecordNumber"]]
    assert sorted(others) == [number for number in range(1, COUNT + 1) if number not in of_chunk(1)]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=3000), st.sampled_from([b"", b"ElfFile\0", b"ElfChnk\0", bytes(4096) + b"ElfChnk\0"]))
def test_any_bytes_behind_any_magic_are_accounted_for(data: bytes, magic: bytes) -> None:
    parse(magic + data)


# Against python-evtx, on real logs that are not a part of this repository


def real_logs() -> list[Path]:
    shared = os.environ.get("LOGANALYZER_SHARED")
    return sorted(Path(shared, "evtx").glob("*.evtx")) if shared else []


@pytest.mark.slow
@pytest.mark.skipif(not real_logs(), reason="LOGANALYZER_SHARED names no folder with evtx/*.evtx")
@pytest.mark.parametrize("path", real_logs(), ids=lambda path: path.name)
def test_record_ids_and_places_are_those_of_python_evtx(path: Path) -> None:
    data = path.read_bytes()
    parsed = parse(data, path.name)
    ours = {place for frame in parsed.frames for place in frame.rows.select("log.offset", "RecordNumber").rows()}
    judged = judge(data)
    lost = parsed.rejected.select("log.offset", "log.length").rows()
    unexplained = [
        place for place in judged - ours if not any(start <= place[0] < start + length for start, length in lost)
    ]
    assert len(judged) > 0
    assert unexplained == []
    if not parsed.damage:
        assert ours >= judged
    print(f"{path.name} | ours {len(ours)} | python-evtx {len(judged)} | {'; '.join(parsed.damage) or 'none'}")


def judge(data: bytes) -> set[tuple[int, int]]:
    """Offset and id of each record that python-evtx walks over, in all chunks with a magic."""
    found: set[tuple[int, int]] = set()
    for chunk in FileHeader(data, 0).chunks(include_inactive=True):
        if chunk.check_magic():
            found |= {(record.offset(), record.record_num()) for record in chunk.records()}
    return found

"""The EVTX writer of sample_logs: both readers must see what was written."""

from __future__ import annotations

import html
import importlib.util
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import orjson
import pytest
from evtx import PyEvtxParser
from Evtx.Evtx import FileHeader
from lxml import etree

WRITER = Path(__file__).parents[1] / "sample_logs" / "evtx_writer.py"
START = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"
APPLOCKER = "http://schemas.microsoft.com/schemas/event/Microsoft.Windows/1.0.0.0"


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    return load_writer()


def load_writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evtx_writer", WRITER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evtx_writer"] = module
    spec.loader.exec_module(module)
    return module


def rust_events(data: bytes) -> list[dict[str, Any]]:
    parser = PyEvtxParser(io.BytesIO(data), validate_checksums=True)
    return [orjson.loads(record["data"])["Event"] for record in parser.records_json() if record is not None]


def judge_events(data: bytes) -> Iterator[tuple[int, etree._Element]]:
    for chunk in FileHeader(data, 0).chunks():
        assert chunk.verify()
        for record in chunk.records():
            yield record.record_num(), etree.fromstring(record.xml())


def all_shapes(writer: ModuleType) -> list[Any]:
    record = writer.EventRecord
    return [
        record(
            "VSS",
            8193,
            "Application",
            "vm-01",
            START,
            level=2,
            qualifiers=0,
            data=["one", "", "drei ü"],
            binary=b"- Code",
        ),
        record(
            "Microsoft-Windows-Kernel-Power",
            41,
            "System",
            "vm-01.example",
            START + timedelta(seconds=1),
            level=1,
            task=63,
            keywords=0x8000400000000002,
            version=8,
            opcode=0,
            provider_guid=UUID("331c3b3a-2005-44c2-ac5e-77220c37d6b4"),
            activity_id=UUID(int=9),
            process_id=4,
            thread_id=8,
            user_sid="S-1-5-21-1-2-3-1001",
            data={"BugcheckCode": 209, "SleepInProgress": False, "File Name": "a b.sys"},
        ),
        record(
            "Microsoft-Windows-AppLocker",
            8004,
            "Microsoft-Windows-AppLocker/EXE and DLL",
            "vm-01",
            START + timedelta(seconds=2),
            user_data=writer.UserData(
                "RuleAndFileData", APPLOCKER, {"PolicyName": "EXE", "FilePath": r"%OSDRIVE%\A.EXE"}
            ),
        ),
        record(
            "Microsoft-Windows-Eventlog",
            6005,
            "System",
            "vm-01",
            START,
            qualifiers=32768,
            event_source_name="EventLog",
            data=[""],
            binary=b"",
        ),
        record("Bare", 1, "System", "vm-01", START),
    ]


def test_the_same_events_give_the_same_bytes(writer: ModuleType) -> None:
    assert writer.write_evtx(all_shapes(writer)) == writer.write_evtx(all_shapes(writer))


@pytest.mark.slow
def test_both_readers_agree_on_every_record_of_several_chunks(writer: ModuleType) -> None:
    events = all_shapes(writer) * 60
    data = writer.write_evtx(events)
    rust, judge = rust_events(data), list(judge_events(data))
    assert len(data) > 4096 + 65536
    assert len(rust) == len(judge) == len(events)
    for index, (event, (number, xml), written) in enumerate(zip(rust, judge, events, strict=True)):
        system = event["System"]
        assert number == system["EventRecordID"] == index + 1
        event_id = system["EventID"]["#text"] if isinstance(system["EventID"], dict) else system["EventID"]
        assert str(event_id) == xml.findtext(f"{NAMESPACE}System/{NAMESPACE}EventID") == str(written.event_id)
        provider = xml.find(f"{NAMESPACE}System/{NAMESPACE}Provider")
        assert provider is not None
        assert provider.get("Name") == system["Provider"]["#attributes"]["Name"] == written.provider
        for field in ("Channel", "Computer"):
            text = xml.findtext(f"{NAMESPACE}System/{NAMESPACE}{field}")
            assert text == system[field] == getattr(written, field.lower())
        stamp = xml.find(f"{NAMESPACE}System/{NAMESPACE}TimeCreated")
        assert stamp is not None
        judged = datetime.fromisoformat(str(stamp.get("SystemTime")))
        assert abs(judged - written.time) <= timedelta(microseconds=1)  # this reader loses one by rounding
        assert datetime.fromisoformat(system["TimeCreated"]["#attributes"]["SystemTime"]) == written.time


def test_payloads_of_every_kind_are_read_back(writer: ModuleType) -> None:
    data = writer.write_evtx(all_shapes(writer))
    classic, named, applocker, start, bare = rust_events(data)
    assert classic["EventData"] == {"Data": {"#text": ["one", "", "drei ü"]}, "Binary": b"- Code".hex().upper()}
    assert named["EventData"] == {"BugcheckCode": 209, "SleepInProgress": False, "File Name": "a b.sys"}
    assert named["System"]["Security"]["#attributes"]["UserID"] == "S-1-5-21-1-2-3-1001"
    assert named["System"]["Provider"]["#attributes"]["Guid"].lower() == "331c3b3a-2005-44c2-ac5e-77220c37d6b4"
    assert named["System"]["Execution"]["#attributes"] == {"ProcessID": 4, "ThreadID": 8}
    assert applocker["UserData"]["RuleAndFileData"]["FilePath"] == r"%OSDRIVE%\A.EXE"
    assert start["EventData"] == {"Data": {"#text": ""}, "Binary": None}
    assert start["System"]["Provider"]["#attributes"]["EventSourceName"] == "EventLog"
    assert bare["EventData"] is None
    judged = [xml for _, xml in judge_events(data)]
    unnamed = html.unescape(judged[0].findtext(f"{NAMESPACE}EventData/{NAMESPACE}Data") or "")
    assert re.findall("<string>(.*?)</string>", unnamed) == ["one", "", "drei ü"]
    values = judged[1].findall(f"{NAMESPACE}EventData/{NAMESPACE}Data")
    assert {value.get("Name"): value.text for value in values} == {
        "BugcheckCode": "209",
        "SleepInProgress": "False",
        "File Name": "a b.sys",
    }
    assert judged[2].findtext(f".//{{{APPLOCKER}}}PolicyName") == "EXE"


def test_no_events_give_a_file_of_one_empty_chunk(writer: ModuleType) -> None:
    data = writer.write_evtx([])
    assert len(data) == 4096 + 65536
    assert rust_events(data) == []
    assert FileHeader(data, 0).verify()


def test_record_ids_can_be_given_and_go_on_from_there(writer: ModuleType) -> None:
    first, second, *_ = all_shapes(writer)
    given = type(first)(**{name: getattr(first, name) for name in first.__slots__} | {"record_id": 700})
    assert [event["System"]["EventRecordID"] for event in rust_events(writer.write_evtx([given, second]))] == [700, 701]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"time": datetime(2024, 5, 6)}, "has no zone"),
        ({"data": ["x" * 40_000]}, "longer than 65535"),
        ({"data": {"a": "x" * 32_000, "b": "y" * 32_000}}, "does not fit into a chunk"),
    ],
)
def test_what_no_event_log_can_hold_is_refused(writer: ModuleType, change: dict[str, Any], why: str) -> None:
    event = writer.EventRecord(
        **{"provider": "P", "event_id": 1, "channel": "C", "computer": "c", "time": START} | change
    )
    with pytest.raises(ValueError, match=why):
        writer.write_evtx([event])

"""WaAppAgent.log and TransparentInstaller.log."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer import registry
from loganalyzer.parser import LogSource, ParseContext, Parsed, Parser, Source

NAMES = {
    "waappagent_log": "WindowsAzure/Logs/WaAppAgent.log",
    "transparentinstaller_log": "WindowsAzure/Logs/TransparentInstaller.log",
}
SNAPSHOT = "Microsoft.Azure.RecoveryServices.VMSnapshot"
US = b"[00000006] [11/14/2019 05:52:13.44] [INFO]  a message\r\n"
SECONDS = b"[00000018] 2021-01-12T16:35:45Z [WARN]  a message\r\n"
MILLISECONDS = b"[0000000A] 2024-04-17T07:19:26.812Z [HEART] a message\r\n"
BARE = b"[ERROR] a message\r\n"


def parser_named(name: str) -> Parser:
    return next(parser for parser in registry.parsers() if parser.name == name)


def parse(data: bytes, name: str = "waappagent_log", zone: str | None = None) -> Parsed:
    parsed = parser_named(name).parse(Source(NAMES[name], data), ParseContext(zone))
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(data)
    return parsed


def rows_of(data: bytes) -> pl.DataFrame:
    parsed = parse(data)
    assert len(parsed.frames) == 1
    return parsed.frames[0].rows


def message_row(message: str) -> dict[str, object]:
    rows = rows_of(b"[00000004] 2024-04-17T07:19:26.812Z [INFO]  " + message.encode() + b"\r\n")
    assert rows.height == 1
    return rows.row(0, named=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_gives_its_events(name: str) -> None:
    parser = parser_named(name)
    assert parser.samples
    for sample in parser.samples:
        parsed = parser.parse(Source(sample.path, sample.raw), ParseContext())
        rows = list(parsed.frames[0].rows.iter_rows(named=True))
        assert len(rows) == len(sample.events)
        for row, event in zip(rows, sample.events, strict=True):
            assert {key: row[key] for key in event} == dict(event)
        found = registry.recognise(Source(sample.path, sample.raw))
        assert found is not None
        assert found.parser.name == name


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_the_era_of_a_stamp_is_chosen_line_by_line_and_always_utc(zone: str | None) -> None:
    rows = parse(US + MILLISECONDS + SECONDS + US, zone=zone).frames[0].rows
    assert rows["@timestamp"].to_list() == [
        datetime(2019, 11, 14, 5, 52, 13, 440000, tzinfo=UTC),
        datetime(2024, 4, 17, 7, 19, 26, 812000, tzinfo=UTC),
        datetime(2021, 1, 12, 16, 35, 45, tzinfo=UTC),
        datetime(2019, 11, 14, 5, 52, 13, 440000, tzinfo=UTC),
    ]
    assert rows["log.level"].to_list() == ["INFO", "HEART", "WARN", "INFO"]
    assert rows["process.thread.name"].to_list() == ["00000006", "0000000A", "00000018", "00000006"]
    assert set(rows["message"]) == {"a message"}
    assert rows["time.assumed"].null_count() == 4
    assert rows["event.sequence"].to_list() == [0, 1, 2, 3]


def test_a_line_that_lost_its_head_inherits_no_time() -> None:
    rows = rows_of(SECONDS + BARE + SECONDS)
    assert rows["@timestamp"].null_count() == 1
    assert rows.row(1, named=True)["@timestamp"] is None
    assert rows.row(1, named=True)["time.assumed"] is None
    assert rows["log.level"].to_list() == ["WARN", "ERROR", "WARN"]


def test_an_impossible_date_has_no_time_and_keeps_its_message() -> None:
    row = rows_of(b"[00000006] [13/14/2019 05:52:13.44] [INFO]  a message\r\n").row(0, named=True)
    assert row["@timestamp"] is None
    assert row["message"] == "a message"


def test_lines_without_a_head_continue_the_entry_before() -> None:
    data = (
        b"[00000012] 2024-04-17T07:19:26.812Z [ERROR] GetVersions() failed: System.Net.WebException: no answer\r\n"
        b" ---> System.Net.Sockets.SocketException: forbidden 168.63.129.16:32526\r\n"
        b"   at System.Net.Sockets.Socket.DoConnect()\r\n"
        b"\r\n"
        b"   --- End of inner exception stack trace ---\r\n" + SECONDS
    )
    rows = rows_of(data)
    assert rows["log.line"].to_list() == [1, 6]
    assert rows["log.length"].to_list() == [len(data) - len(SECONDS), len(SECONDS)]
    first = rows.row(0, named=True)
    assert first["exception"] == "System.Net.WebException"
    assert first["handler"] is None
    assert first["message"].startswith("GetVersions() failed")
    assert first["message"].endswith("--- End of inner exception stack trace ---")


def test_an_excerpt_that_begins_inside_an_entry_says_so() -> None:
    parsed = parse(b"dows\\1.1.18\\enable.cmd and params: \r\n" + SECONDS)
    assert parsed.frames[0].rows["log.level"].to_list() == [None, "WARN"]
    assert len(parsed.cut) == 1
    assert parsed.damage == ()


@pytest.mark.parametrize(
    ("message", "columns"),
    [
        (
            rf"Status file C:\Packages\Plugins\{SNAPSHOT}\1.0.92.0\Status\792.status is not available for the "
            "Extension '' yet.",
            {"handler": SNAPSHOT, "handler_version": "1.0.92.0", "sequence_number": 792, "exit_code": None},
        ),
        (
            f"Processing plugin {SNAPSHOT} version 1.0.92.0, state: enabled, autoupgrade: True, isJson: True",
            {"handler": SNAPSHOT, "handler_version": "1.0.92.0"},
        ),
        (f"Beginning enable of plugin {SNAPSHOT}.", {"handler": SNAPSHOT, "handler_version": None}),
        (f"Start the root task for Plugin handler '{SNAPSHOT}'", {"handler": SNAPSHOT}),
        (
            f"Starting extension processing for extension 'HandlerName: '{SNAPSHOT}', ExtensionName: ''",
            {"handler": SNAPSHOT},
        ),
        (
            f"Getting plugin locations for plugin '{SNAPSHOT}'. Current Version: '1.0.92.0', Requested Version: '1.1'",
            {"handler": SNAPSHOT, "handler_version": "1.0.92.0"},
        ),
        (f"{SNAPSHOT}: Error SetCPUNotification: 87", {"handler": SNAPSHOT, "exit_code": None}),
        (
            f"Command setup.exe of {SNAPSHOT} has exited with Exit code: -1073741819",
            {"exit_code": -1073741819, "hresult": None},
        ),
        (
            "WindowsAzureGuestAgent starting. Version 2.7.41491.949",
            {"agent_version": "2.7.41491.949", "handler": None, "handler_version": None},
        ),
        (
            "Checking for updates of the guest agent. Current version is 2.7.41491.1012",
            {"agent_version": None, "handler_version": None},
        ),
        ("RdCrypt Initialization failed. Error Code: -2147023143", {"hresult": "0x800706D9"}),
        ("PInvoke PFXImportCertStore failed and null handle is returned. Error Code: 86", {"hresult": None}),
        (
            "System.BadImageFormatException: wrong format (Exception from HRESULT: 0x8007000b)",
            {"hresult": "0x8007000B", "exception": "System.BadImageFormatException", "handler": None},
        ),
        ("failed with 0x80042301, then with 0x8004230F", {"hresult": "0x80042301"}),
        ("System.Configuration.Broken.ConfigurationErrorsException: The type is missing", {"handler": None}),
        (
            "Trying to download VMSettingsProfile with etag 4340445577200",
            {"handler": None, "sequence_number": None, "exit_code": None, "hresult": None, "exception": None},
        ),
    ],
)
def test_messages_give_their_columns(message: str, columns: dict[str, object]) -> None:
    row = message_row(message)
    assert {key: row[key] for key in columns} == columns
    assert row["message"] == message


@pytest.mark.parametrize("spacing", [b"[INFO]  text", b"[INFO] text", b"[INFO]text"])
def test_the_padding_of_the_level_may_be_lost(spacing: bytes) -> None:
    row = rows_of(b"[00000018] 2021-01-12T16:35:45Z " + spacing).row(0, named=True)
    assert (row["log.level"], row["message"]) == ("INFO", "text")


@pytest.mark.parametrize(
    ("path", "name", "strength"),
    [
        ("device_0/WindowsAzure/Logs/WaAppAgent.log", "waappagent_log", 90),
        ("c/windowsazure/logs/waappagent.000.LOG", "waappagent_log", 90),
        ("VM01_WaAppAgent.txt", "waappagent_log", 90),
        ("VM01_TransparentInstaller.log", "transparentinstaller_log", 90),
        ("logs/transparentinstaller_2.log", "transparentinstaller_log", 90),
        ("pasted", "waappagent_log", 50),
    ],
)
def test_the_name_decides_between_the_two_logs(path: str, name: str, strength: int) -> None:
    found = registry.recognise(Source(path, US + SECONDS))
    assert found is not None
    assert (found.parser.name, found.claim.strength) == (name, strength)


@pytest.mark.parametrize("path", ["a/Plugins/X.Y.Z/1.0.0/Other.log", "a/TransparentInstaller.json"])
def test_logs_of_extensions_are_left_to_their_own_parsers(path: str) -> None:
    assert parser_named("waappagent_log").claim(path, US) is None


def test_the_two_logs_have_their_own_log_sources() -> None:
    assert parse(US).frames[0].logsource == LogSource("windows", "waappagent")
    parsed = parse(US, "transparentinstaller_log")
    assert parsed.frames[0].logsource == LogSource("windows", "transparentinstaller")
    assert parsed.frames[0].rows["message"].to_list() == ["a message"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_other_encodings_give_the_same_entries(encoding: str) -> None:
    text = (US + SECONDS).decode()
    assert rows_of(text.encode(encoding)).select("@timestamp", "message").rows() == (
        rows_of(text.encode()).select("@timestamp", "message").rows()
    )


@pytest.mark.parametrize("name", NAMES)
@given(parts=st.lists(st.sampled_from([US, SECONDS, MILLISECONDS, BARE]) | st.binary(max_size=60), max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_bytes_crash_a_parser_or_get_lost(name: str, parts: list[bytes]) -> None:
    data = b"".join(parts)
    parsed = parse(data, name)
    lengths = [*parsed.frames[0].rows["log.length"], *parsed.rejected["log.length"]]
    assert sum(lengths) == len(data)

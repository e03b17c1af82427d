"""Windows artefacts as text, XML and JSON: who reads which file, languages, code pages, and rules that find events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from loganalyzer.evtx.codes import decoded
from loganalyzer.evtx.messages import values_of
from loganalyzer.parser import ParseContext, Parsed
from loganalyzer.parser_dates import date_reader
from loganalyzer.parser_listing import console_encoding, console_lines
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.registry import parsers, recognise
from loganalyzer.source import Source

SNAPSHOT = "Microsoft.Azure.RecoveryServices.VMSnapshot"
AGENT_LINE = b"[00000006] 2024-04-17T07:19:26.812Z [INFO]  WindowsAzureGuestAgent Heartbeat.\r\n"
TEXT = b"2024-05-06 07:08:01 begin\r\n"
STATUS = (
    b'[{"version":1.0,"timestampUTC":"2024-05-06T07:08:01Z","status":{"operation":"Enable","status":"success","code":1,'
)
STATUS += b'"formattedMessage":{"lang":"en","message":"done"}}}]'
GOAL_STATE = b"<?xml version='1.0'?><GoalState><Incarnation>3</Incarnation></GoalState>"

#: Each glob of windows.md 1.3: a path that fits it, a beginning of such a file, and the parser that takes it.
TAKEN = {
    "waappagent": ("WindowsAzure/Logs/WaAppAgent.log", AGENT_LINE, "waappagent_log"),
    "waappagent-txt": ("case/WaAppAgent.txt", AGENT_LINE, "waappagent_log"),
    "transparentinstaller": (
        "WindowsAzure/Logs/TransparentInstaller.001.log",
        AGENT_LINE,
        "transparentinstaller_log",
    ),
    "monitoringagent": ("WindowsAzure/Logs/MonitoringAgent.log", TEXT, "windows_platform_log"),
    "telemetry": ("WindowsAzure/Logs/Telemetry.log", TEXT, "windows_platform_log"),
    "appagentruntime": ("WindowsAzure/Logs/AppAgentRuntime.log", TEXT, "windows_platform_log"),
    "agentruntime": ("logs/AgentRuntime.log", TEXT, "windows_platform_log"),
    "netagent": ("WindowsAzure/Logs/NetAgent-2024.05.06-07.08.01.250.log", TEXT, "windows_platform_log"),
    "vfplugin": ("WindowsAzure/Logs/VFPlugin/VFPlugin-2024.05.06-07.08.01.250.log", TEXT, "windows_platform_log"),
    "aggregatestatus": (
        "WindowsAzure/Logs/AggregateStatus/aggregatestatus_20240506070801250.json",
        b'{"version":"1.0","timestampUTC":"2024-05-06T07:08:01Z","aggregateStatus":{"guestAgentStatus":{}}}',
        "agent_status_json",
    ),
    "bcdr": (f"WindowsAzure/Logs/Plugins/{SNAPSHOT}/1.0.92.0/IaaSBcdrExtension2.log", TEXT, "windows_platform_log"),
    "commands": (
        f"WindowsAzure/Logs/Plugins/{SNAPSHOT}/1.0.92.0/CommandExecution_20240506070801250.log",
        TEXT,
        "windows_platform_log",
    ),
    "install": ("WindowsAzure/Logs/Plugins/Contoso.Agent/1.2/Install.log", TEXT, "windows_platform_log"),
    "update": ("WindowsAzure/Logs/Plugins/Contoso.Agent/1.2/Update.log", TEXT, "windows_platform_log"),
    "heartbeat-log": ("WindowsAzure/Logs/Plugins/Contoso.Agent/1.2/Heartbeat.log", TEXT, "windows_platform_log"),
    "status": (f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/Status/41.status", STATUS, "status_file"),
    "heartbeat": (
        f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/Status/HeartBeat.Json",
        b'[{"version":"1.0","heartbeat":{"status":"Ready","code":0,"Message":""}}]',
        "handler_heartbeat",
    ),
    "settings": (
        f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/RuntimeSettings/41.settings",
        b'{"runtimeSettings":[{"handlerSettings":{"publicSettings":{"taskId":"t"}}}]}',
        "handler_settings",
    ),
    "manifest": (
        f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/HandlerManifest.json",
        b'[{"handlerManifest":{"enableCommand":"enable.cmd"}}]',
        "handler_manifest",
    ),
    "environment": (
        f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/HandlerEnvironment.json",
        b'[{"handlerEnvironment":{"logFolder":"C:"}}]',
        "handler_environment",
    ),
    "config": ("WindowsAzure/Config/6f9619ff.1.xml", b"<RoleConfig><Name>vm</Name></RoleConfig>", "windows_config_xml"),
    "goal-state": ("WindowsAzure/Config/GoalState.1.xml", GOAL_STATE, "goal_state_xml"),
    "evtx": ("Windows/System32/winevt/Logs/System.evtx", b"ElfFile\0" + bytes(4088), "evtx_log"),
    "evtx-export": ("EventLogs/VM07_evt_System.evtx", b"ElfFile\0" + bytes(4088), "evtx_log"),
    "installer": (
        "Windows/Panther/VmAgentInstaller.xml",
        b'<Event time="2024-05-06T07:08:01Z" category="INFO" source="GuestAgent">go</Event>',
        "agent_installer_xml",
    ),
    "wasetup": (
        "Windows/Panther/WaSetup.xml",
        b'<Event time="2024-05-06T07:08:01Z" category="INFO" source="GuestAgent">go</Event>',
        "agent_installer_xml",
    ),
    "sqlwriter": (
        "Program Files/Microsoft SQL Server/90/Shared/SqlWriterLogger1.txt",
        b"[05/06/2024 07:08:01, TID 1a2c] Entering.\r\n",
        "sql_writer_log",
    ),
    "results": ("results.txt", b"06:30:00  Inspecting operating system on device_0\n", "disk_inspection"),
    "diskinfo": (
        "diskinfo.txt",
        b"Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/sda2 1000 900 100 90% /sysroot\n",
        "disk_inspection",
    ),
}

#: Globs of windows.md 1.3 that hold nothing that a parser reads, or only in a form that none does, with the reason.
NOT_READ = {
    f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/config.txt": "the extension's own, of an unknown form",
    f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/PackageInformation.txt": "names of packages",
    f"Packages/Plugins/{SNAPSHOT}/1.0.92.0/SeqNumber.txt": "one number, which the status files tell, too",
    "Windows/System32/config/SYSTEM": "a registry hive in binary",
    "Windows/System32/config/SOFTWARE": "a registry hive in binary",
    "registry.json": "the form is not documented",
}


def parsed_of(path: str, data: bytes, zone: str | None = None) -> tuple[str, Parsed]:
    recognised = recognise(Source(path, data))
    assert recognised is not None, path
    return recognised.parser.name, recognised.parser.parse(Source(path, data), ParseContext(zone))


def rows_of(path: str, data: bytes, zone: str | None = None) -> list[Mapping[str, object]]:
    _, parsed = parsed_of(path, data, zone)
    assert parsed.damage == ()
    return [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)]


@pytest.mark.parametrize("glob", TAKEN)
def test_each_glob_of_windows_has_the_parser_that_reads_it(glob: str) -> None:
    path, data, name = TAKEN[glob]
    for where in (path, f"device_0/{path}", path.replace("/", "\\"), path.lower()):
        recognised = recognise(Source(where, data))
        assert recognised is not None
        assert recognised.parser.name == name, where


@pytest.mark.parametrize("path", NOT_READ)
def test_what_holds_nothing_to_read_is_taken_by_no_parser_of_text(path: str) -> None:
    recognised = recognise(Source(path, b"\x01\x02 41"))
    assert recognised is None or recognised.claim.strength <= 20, NOT_READ[path]


# vssadmin


def writers(name: str, text: str, state: str, error: str, mark: str = "'") -> str:
    return (
        f"{name}: {mark}System Writer{mark}\r\n   A: {{e8132975-6f93-4464-a53e-1050253ae220}}\r\n"
        f"   B: {{0d1a5f4e-1111-4c4c-8888-0123456789ab}}\r\n   {text}: [{state}\r\n   C: {error}\r\n"
    )


@pytest.mark.parametrize(
    ("listed", "encoding"),
    [
        (writers("Writer name", "State", "10] Failed", "Timed out"), "utf-16"),
        (writers("Verfassername", "Status", "10] Fehlgeschlagen", "Zeitüberschreitung", '"'), "cp850"),
        (writers("Nom du rédacteur ", "État ", "10] Échec", "Délai dépassé"), "cp1252"),
        (writers("Nombre de escritor", "Estado", "10] Error", "Tiempo de espera agotado"), "cp850"),
        (writers("ライター名", "状態", "10] 失敗", "タイムアウトしました"), "cp932"),
        (writers("ライター名", "状態", "10] 失敗", "タイムアウトしました"), "utf-8-sig"),
    ],
)
def test_a_writer_is_read_in_any_language_and_code_page(listed: str, encoding: str) -> None:
    (row,) = rows_of("writers.txt", listed.encode(encoding))
    assert (row["kind"], row["writer"], row["state"]) == ("writer", "System Writer", 10)
    assert row["state_name"] == "failed at thaw"
    assert row["last_error_code"] == "0x800423F2"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Retryable error", "0x800423F3"),
        ("Non-retryable error", "0x800423F4"),
        ("Inconsistent shadow copy", "0x800423F0"),
        ("0x800423f1", "0x800423F1"),
        ("Kein Fehler", "0x00000000"),
        ("something that nobody knows", None),
    ],
)
def test_the_words_of_a_writers_error_become_its_code(words: str, code: str | None) -> None:
    (row,) = rows_of("writers.txt", writers("Writer name", "State", "8] Failed", words).encode())
    assert (row["last_error"], row["last_error_code"]) == (words, code)


@pytest.mark.parametrize(
    ("shown", "size"),
    [("0 B", 0), ("384 MB", 402653184), ("1,5 Go", 1610612736), ("1.172 GB", 1258425418), ("2 TB", 2199023255552)],
)
def test_sizes_of_shadow_storage_are_bytes_in_any_region(shown: str, size: int) -> None:
    volume = r"(C:)\\?\Volume{aaaaaaaa-0000-0000-0000-100000000000}" + "\\"
    text = f"Association\r\n   For: {volume}\r\n   On: {volume}\r\n   U: {shown} (1%)\r\n"
    text += "   A: 2 GB (1%)\r\n   M: 3 GB (1%)\r\n"
    (row,) = rows_of("shadowstorage.txt", text.encode())
    assert (row["kind"], row["used_bytes"], row["maximum_bytes"]) == ("shadow_storage", size, 3221225472)


def test_a_writer_that_was_cut_off_is_a_row_without_a_state() -> None:
    text = writers("Writer name", "State", "1] Stable", "No error") + "\r\nWriter name: 'Registry Writer'\r\n"
    first, second = rows_of("writers.txt", text.encode())
    assert first["state"] == 1
    assert (second["writer"], second["state"]) == ("Registry Writer", None)


# Events


def event(labels: tuple[str, ...], date: str, description: str) -> str:
    values = ("System", "Service Control Manager", date, "7036", "x", "y", "z", "N/A", "vm07")
    head = "".join(f"{label}:   {value}\r\n" for label, value in zip(labels, values, strict=True))
    return f"{head}Text:\r\n{description}\r\n"


DUTCH = (
    "Logboeknaam",
    "Bron",
    "Datum",
    "Gebeurtenis-id",
    "Taakcategorie",
    "Niveau",
    "Trefwoorden",
    "Gebruiker",
    "Computer",
)


def test_an_event_in_a_language_that_nobody_translated_is_read_by_the_order_of_its_lines() -> None:
    text = event(DUTCH, "16-5-2024 07:08:01", "The RdAgent service entered the stopped state.")
    (row,) = rows_of("gebeurtenissen.txt", text.encode())
    assert (row["EventID"], row["Channel"], row["Computer"]) == ("7036", "System", "vm07")
    assert str(row["@timestamp"]).startswith("2024-05-16 07:08:01")
    assert row["param1"] == "RdAgent"


def test_the_xml_in_a_copy_of_event_viewer_counts_more_than_its_text() -> None:
    text = (
        "Log Name: System\r\nSource: Service Control Manager\r\nDate: 5/6/2024 9:08:01 AM\r\nEvent ID: 7036\r\n"
        "Description:\r\nThe RdAgent service entered the running state.\r\nEvent Xml:\r\n"
        '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event">\r\n  <System>\r\n'
        '    <Provider Name="Service Control Manager" />\r\n    <EventID Qualifiers="16384">7036</EventID>\r\n'
        '    <TimeCreated SystemTime="2024-05-06T07:08:01.250000000Z" />\r\n    <EventRecordID>12</EventRecordID>\r\n'
        '    <Channel>System</Channel>\r\n  </System>\r\n  <EventData>\r\n    <Data Name="param1">RdAgent</Data>\r\n'
        "    <Binary>52</Binary>\r\n  </EventData>\r\n</Event>\r\n"
    )
    (row,) = rows_of("event.txt", text.encode())
    assert (row["EventRecordID"], row["Qualifiers"], row["Binary"]) == (12, "16384", "52")
    assert str(row["@timestamp"]).startswith("2024-05-06 07:08:01.25")
    assert row["time.assumed"] is None


def test_a_list_with_all_properties_has_its_message_first() -> None:
    text = (
        "\r\nMessage              : Volume Shadow Copy Service error: Unexpected error calling routine X.  "
        "hr = 0x80040154.\r\n"
        "                       .\r\nId                   : 8193\r\nLevel                : 2\r\n"
        "RecordId             : 77\r\nProviderName         : VSS\r\nLogName              : Application\r\n"
        "ProcessId            : 12\r\nTimeCreated          : 5/16/2024 7:08:01 AM\r\n\r\n"
        "Message              : The VSS service is shutting down due to idle timeout.\r\n"
        "Id                   : 8224\r\nProviderName         : VSS\r\nLogName              : Application\r\n"
    )
    first, second = rows_of("winevent.txt", text.encode("utf-16"))
    assert (first["EventID"], first["EventRecordID"], first["process.pid"], first["routine"]) == ("8193", 77, 12, "X")
    assert (second["EventID"], second["log.line"]) == ("8224", 12)


def test_a_local_time_is_read_in_the_given_zone_and_says_so() -> None:
    text = event(DUTCH, "16-5-2024 07:08:01", "x")
    (row,) = rows_of("gebeurtenissen.txt", text.encode(), "Europe/Amsterdam")
    assert str(row["@timestamp"]).startswith("2024-05-16 05:08:01")
    assert row["time.assumed"] == "local time, read in the given zone Europe/Amsterdam"


@pytest.mark.parametrize(
    ("dates", "language", "first"),
    [
        (["5/6/2024 7:08:01 PM"], None, "2024-05-06 19:08:01"),
        (["5/6/2024 19:08:01", "13/6/2024 00:00"], None, "2024-06-05 19:08:01"),
        (["05/06/2024 19:08:01"], "fr", "2024-06-05 19:08:01"),
        (["05/06/2024 19:08:01"], "en", None),
        (["06.05.2024 19:08:01"], "de", "2024-05-06 19:08:01"),
        (["2024/05/06 19:08:01"], "ja", "2024-05-06 19:08:01"),
        (["2024-05-06T19:08:01.5Z"], None, "2024-05-06 19:08:01.5"),
        (["13/14/2024 19:08:01"], None, None),
    ],
)
def test_day_and_month_follow_from_the_file_or_stay_unknown(
    dates: list[str], language: str | None, first: str | None
) -> None:
    time, assumed = date_reader(dates, language, None).read(dates[0])
    assert (time is None) == (first is None)
    assert first is None or str(time).startswith(first)
    assert (assumed is None) == (first is None or dates[0].endswith("Z"))


def test_a_description_of_any_length_is_read_in_no_time() -> None:
    long = "The COM Server with CLSID x and name " * 20_000
    assert values_of("VSS", "12", long).unnamed == (long,)


def test_a_description_that_fits_no_template_is_the_value_itself() -> None:
    assert values_of("Service Control Manager", "7036", "quelque chose").unnamed == ("quelque chose",)
    assert values_of("nobody", None, "").unnamed == ()


def test_message_references_are_told_by_their_number() -> None:
    text = (
        "The RdAgent service failed to start due to the following error: \nThe service did not respond to the start or "
    )
    found = values_of("Service Control Manager", "7000", text + "control request in a timely fashion.")
    assert dict(found.named) == {"param1": "RdAgent", "param2": "%%1053"}


@pytest.mark.parametrize(
    ("provider", "values", "binary", "fields"),
    [
        ("Service Control Manager", ["VSS", "%%1058"], None, {"error_codes": "0x80070422"}),
        ("Service Control Manager", ["x"], "52006400410067000000", {"service_name": "RdAg"}),
        ("Service Control Manager", ["x"], "5200640041002F0034000000", {"service_name": "RdA", "service_state": "4"}),
        ("Service Control Manager", ["x"], "00D8zz", {}),
        ("VSS", ["X", "0x800423f4, text", "[0x800423F4] 0x80070005"], None, {"error_codes": "0x800423F4\n0x80070005"}),
        ("volsnap", ["C:", "C0000022"], None, {"error_codes": "0xC0000022"}),
        ("Microsoft-Windows-Security-Auditing", ["%%1936", "0x80070005"], None, {}),
    ],
)
def test_codes_of_events_are_told_in_one_spelling(
    provider: str, values: list[str], binary: str | None, fields: dict[str, str]
) -> None:
    assert dict(decoded(provider, "7036", values, binary)) == fields


EVENTS = {
    "events.txt": (
        "Log Name: Application\r\nSource: VSS\r\nDate: 5/16/2024 7:08:01 AM\r\nEvent ID: 12292\r\nLevel: Error\r\n"
        "Description:\r\nVolume Shadow Copy Service error: Error creating the Shadow Copy Provider COM class with "
        "CLSID "
        "{65ee1dba-8ff4-4a58-ac1c-3470ee2f376a} [0x80080005].\r\n"
    ),
    "events.xml": (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='VSS'/>"
        "<EventID>12292</EventID><Level>2</Level><TimeCreated SystemTime='2024-05-16T07:08:01Z'/>"
        "<Channel>Application</Channel></System><EventData>"
        "<Data>{65ee1dba-8ff4-4a58-ac1c-3470ee2f376a}</Data><Data>0x80080005</Data></EventData></Event>"
    ),
    "events.json": (
        '{"findings": [{"source": "VSS", "event_id": 12292, "time": "2024-05-16T07:08:01Z", '
        '"message": "Error creating the Shadow Copy Provider COM class with CLSID '
        '{65ee1dba-8ff4-4a58-ac1c-3470ee2f376a} [0x80080005]. "}]}'
    ),
}


@pytest.mark.parametrize("name", EVENTS)
def test_rules_find_the_same_cause_in_each_form_of_an_event(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(EVENTS[name], encoding="utf-8")
    report = scan([tmp_path], ScanOptions()).report
    assert [one.cause for one in report.diagnoses][:1] == ["vss-provider-failed"]


def test_torn_xml_is_damage_and_costs_no_other_event() -> None:
    text = EVENTS["events.xml"]
    name, parsed = parsed_of("torn.xml", f"{text}\r\n{text[:90]}\r\n{text}\r\n".encode())
    assert name == "windows_events_xml"
    assert sum(frame.rows.height for frame in parsed.frames) == 2
    assert parsed.rejected.height == 1
    assert parsed.damage == ("1 of 3 <Event> elements have no end or cannot be read",)


def test_an_entity_in_xml_is_not_followed() -> None:
    text = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + EVENTS["events.xml"].replace("0x80080005", "&e;")
    _, parsed = parsed_of("entity.xml", text.encode())
    assert "root:" not in str(parsed.frames[0].rows.to_dicts())


# Registry, services and logs of an unknown form


def test_secrets_in_the_registry_and_in_configuration_are_left_out() -> None:
    export = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Contoso]\r\n"
    export += '"Password"="swordfish"\r\n'
    config = '<configuration><add name="a" connectionString="Pwd=swordfish" /></configuration>'
    for path, text in (("contoso.reg", export), ("a.exe.config", config)):
        rows = rows_of(path, text.encode())
        assert rows
        assert "swordfish" not in str(rows)


def test_a_key_of_a_pending_restart_counts_without_any_value() -> None:
    key = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"
    (row,) = rows_of("reboot.txt", f"\r\n{key}\r\n\r\n".encode())
    assert (row["hive"], row["pending_restart"], row["key"]) == ("SOFTWARE", True, None)


def test_a_german_console_lists_services_by_their_words() -> None:
    text = "SERVICE_NAME: VSS\r\n        TYP                : 10  WIN32_OWN_PROCESS\r\n"
    text += "        STATUS             : 1  STOPPED\r\n"
    text += "        WIN32_EXITCODE     : 1077  (0x435)\r\n"
    (row,) = rows_of("dienste.txt", text.encode("cp850"))
    assert (row["service"], row["state"], row["win32_exit_code"]) == ("VSS", 1, 1077)


def test_a_log_of_unknown_form_keeps_each_line_and_finds_its_codes() -> None:
    path = f"Plugins/{SNAPSHOT}/1.0.92.0/IaaSBcdrExtension3.log"
    first, second = rows_of(
        path, b"something began\r\nit ended with 0x800423f4 as ExtensionFailedVssWriterInBadState\r\n"
    )
    assert (first["@timestamp"], first["hresult"]) == (None, None)
    assert (second["hresult"], second["error_name"]) == ("0x800423F4", "ExtensionFailedVssWriterInBadState")


def test_a_broken_machine_config_is_damage() -> None:
    _, parsed = parsed_of("Config/machine.config", b"<configuration>\r\n<runtime>\r\n</configuration>\r\n")
    assert parsed.damage


# Code pages


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "cp850", "cp1252"])
def test_lines_of_a_console_are_cut_where_its_bytes_are(encoding: str) -> None:
    data = "Zeitüberschreitung für Größe\r\nzwei\r\nohne Ende äöü".encode(encoding)
    lines = console_lines(data)
    assert console_encoding(data) == encoding
    assert [line.text for line in lines] == ["Zeitüberschreitung für Größe", "zwei", "ohne Ende äöü"]
    assert sum(line.length for line in lines) == len(data)
    assert [line.offset for line in lines][1:] == [lines[0].length, lines[0].length + lines[1].length]


def test_two_halves_of_utf_16_units_are_no_line_end() -> None:
    lines = console_lines("\u0a41\u4100x\ny".encode("utf-16"))
    assert [line.text for line in lines] == ["\u0a41\u4100x", "y"]


@pytest.mark.parametrize(
    ("text", "provider", "event_id"),
    [
        ("Event 12310, VSS\n\nThe shadow copy could not be committed - operation timed out.\n", "VSS", "12310"),
        ("Source:\nvolsnap\nEvent ID:\n36\nMessage:\nThe shadow copies of F: are gone.\n", "volsnap", "36"),
        ("Level = Error\nSource = VSS\nEvent ID = 12366\n\nIt failed.\n", "VSS", "12366"),
        ("Event ID: 2004 Description: Shadow copy 9 time-out (30000 ms).\n", "ESENT", "2004"),
        ("Event Source: VolSnap Event ID: 23 User: N/A Description: No room.\n", "VolSnap", "23"),
        ("EventID: 8229 Source: VSS Type: Warning Message: It has rejected it.\n", "VSS", "8229"),
        ("Type: Error Date: 13/03/2026 Event ID: 25 Source: volsnap Text: x\n", "volsnap", "25"),
        ("Error 13/03/2026 22:21:40 VSS 12310 None\nIt could not be committed.\n", "VSS", "12310"),
        (
            "| Level | Date | Source | Id |\n|---|---|---|---|\n| Error | 13/03/2026 22:21:40 | VSS | 22 |\n",
            "VSS",
            "22",
        ),
        ("LogName=Application\nSourceName=VSS\nEventCode=8229\nType=Warning\nMessage=It rejects.\n", "VSS", "8229"),
        ("EventCode : 36\nLogfile : System\nSourceName : volsnap\nMessage : They are gone.\n", "volsnap", "36"),
        (
            "The description for Event ID 8229 from source VSS cannot be found. It is not installed.\n\n"
            "The following information was included with the event:\n\n0x800423f4, Made up.\n",
            "VSS",
            "8229",
        ),
        (
            "Die Beschreibung für Ereignis-ID ( 24583 ) in Quelle ( SQLWRITER ) wurde nicht gefunden.\n",
            "SQLWRITER",
            "24583",
        ),
        (
            "Access to C:\\Made\\x.exe has been restricted by your Administrator by location with policy rule {0}.\n",
            "Microsoft-Windows-SoftwareRestrictionPolicies",
            "866",
        ),
        ("> The shadow copy of volume F: took too long to install.\n", "volsnap", "10"),
        ("Ereignis-ID: 8229\nEin VSS-Generator lehnte mit dem Fehler 0x800423f3 ab.\n", "VSS", "8229"),
        ("日志名称: Application\n来源: VSS\n事件 ID: 12301\n级别: 错误\n描述:\n没有响应\n", "VSS", "12301"),
        ("SQLVDI: Loc=Abort. Desc=x. ErrorCode=(0). Process=1. Thread=2. Server. Instance=A.\n", "SQLVDI", "1"),
        ("**Source:** VSS\n**Event ID:** 25\n**Message:** It hangs.\n", "VSS", "25"),
        (
            "The Made Up service terminated unexpectedly.  It has done this 3 time(s).\n",
            "Service Control Manager",
            "7034",
        ),
        (
            "The Made service depends on the Up service which failed to start because of the following error:\nNo",
            "Service Control Manager",
            "7001",
        ),
        (
            "The Made Up service failed to start due to the following error: \nAccess is denied.\n",
            "Service Control Manager",
            "7000",
        ),
        (
            "A timeout (300 milliseconds) was reached while waiting for a transaction response from the VSS service.",
            "Service Control Manager",
            "7011",
        ),
        ("%OSDRIVE%\\MADE UP\\X.EXE was prevented from running.\n", "Microsoft-Windows-AppLocker", "8004"),
        (
            "D:\\Made\\x.exe was allowed to run but would have been prevented from running.\n",
            "Microsoft-Windows-AppLocker",
            "8003",
        ),
        (
            "Code Integrity determined that a process (\\Device\\A\\cmd.exe) attempted to load \\Device\\A\\x.exe "
            "that did not meet the Enterprise signing level requirements or violated code integrity policy (ID:{0}).\n",
            "Microsoft-Windows-CodeIntegrity",
            "3077",
        ),
        (
            "Code Integrity determined that a process (\\Device\\A\\cmd.exe) attempted to load \\Device\\A\\x.exe "
            "that did not meet the Enterprise signing level requirements or violated code integrity policy. However, "
            "due to code integrity auditing policy, the image was allowed to load.\n",
            "Microsoft-Windows-CodeIntegrity",
            "3076",
        ),
    ],
)
def test_an_event_is_known_however_it_was_pasted(text: str, provider: str, event_id: str) -> None:
    [parser] = [one for one in parsers() if one.name == "windows_events_text"]
    assert parser.claim("notes.txt", text.encode()) is not None
    frames = parser.parse(Source("notes.txt", text.encode()), ParseContext()).frames
    rows = [row for frame in frames for row in frame.rows.iter_rows(named=True)]
    assert [(row["Provider_Name"], row["EventID"]) for row in rows] == [(provider, event_id)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("Error: Unexpected failure: Catastrophic failure", "0x8000FFFF"),
        ("Fehler: Unerwarteter Fehler: Klasse nicht registriert", "0x80040154"),
        ("Erreur : Défaillance irrémédiable", "0x8000FFFF"),
        ("Error: The shadow copy provider had an unexpected error while trying to process it.", "0x8004230F"),
        ("Error: Insufficient storage available to create\nthe shadow copy storage file.", "0x8004231F"),
        ("Error: You may not do that.", None),
    ],
)
def test_an_error_of_vssadmin_has_the_code_of_its_words(error: str, code: str | None) -> None:
    [parser] = [one for one in parsers() if one.name == "vssadmin_text"]
    text = f"vssadmin 1.1 - Made up command-line tool\n\n{error}\n".encode()
    [frame] = parser.parse(Source("vss.txt", text), ParseContext()).frames
    assert [(row["kind"], row["hresult"]) for row in frame.rows.iter_rows(named=True)] == [("error", code)]


@pytest.mark.parametrize(
    ("path", "text", "known"),
    [
        ("vssadmin_writers.txt", "Error: 0x8000FFFF\n", True),
        ("notes.txt", "Error: 0x8000FFFF\n", False),
        ("shadow.txt", "Error: something made up\n", False),
    ],
)
def test_an_error_alone_is_vssadmins_where_the_file_is_named_so(path: str, text: str, known: bool) -> None:
    [parser] = [one for one in parsers() if one.name == "vssadmin_text"]
    assert (parser.claim(path, text.encode()) is not None) == known


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("C:\\PACKAGES\\PLUGINS\\MICROSOFT.AZURE.RECOVERYSERVICES.VMSNAPSHOT\\1.0.9.0\\ENABLE.CMD", "confirmed"),
        ("%OSDRIVE%\\USERS\\KIM\\MADE UP.EXE", None),
    ],
)
def test_a_sentence_of_applocker_tells_a_cause_only_of_the_backups_own_files(
    path: str, verdict: str | None, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text(f"{path} was prevented from running.\n", encoding="utf-8")
    found = {one.cause: one.verdict for one in scan([tmp_path], ScanOptions()).report.diagnoses}
    assert found == ({} if verdict is None else {"app-control-blocks-bcdr": verdict})


@pytest.mark.parametrize(
    "text",
    [
        "It was prevented from running by its owner.\n",
        "Error 13/03/2026 22:21:40 of the disk 7 none\n",
        "The description for the event is in the list of source code.\n",
        "We looked at the shadow copies of all volumes, and they were there.\n",
        "Event ID: 77\nSomething else happened.\n",
        "The source of this is 25, VSS or not.\n",
        "Error 12 of the list\nnothing follows\n",
    ],
)
def test_prose_and_numbers_are_no_events(text: str) -> None:
    [parser] = [one for one in parsers() if one.name == "windows_events_text"]
    assert parser.claim("notes.txt", text.encode()) is None

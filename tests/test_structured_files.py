"""The structured files of the Linux and Windows agents: configuration, goal state, status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer import registry
from loganalyzer.parser import ParseContext, Parsed, Parser, Source
from loganalyzer.parser_json import ORIGINAL_LIMIT

SNAPSHOT = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
HANDLER_DIRECTORY = f"var/lib/waagent/{SNAPSHOT}-1.0.9225.0"
PATHS = {
    "waagent_conf": "etc/waagent.conf",
    "os_release": "etc/os-release",
    "goal_state_xml": "var/lib/waagent/GoalState.3.xml",
    "extensions_config_xml": "var/lib/waagent/ExtensionsConfig.3.xml",
    "hosting_environment_xml": "var/lib/waagent/HostingEnvironmentConfig.xml",
    "shared_config_xml": "var/lib/waagent/SharedConfig.xml",
    "ovf_env_xml": "var/lib/waagent/ovf-env.xml",
    "status_file": f"{HANDLER_DIRECTORY}/status/3.status",
    "handler_state": f"{HANDLER_DIRECTORY}/config/HandlerState",
    "handler_status": f"{HANDLER_DIRECTORY}/config/HandlerStatus",
    "handler_manifest": f"{HANDLER_DIRECTORY}/HandlerManifest.json",
    "agent_status_json": "var/lib/waagent/waagent_status.json",
}
JSON_FORMATS = ("status_file", "handler_status", "handler_manifest", "agent_status_json")
XML_FORMATS = tuple(name for name in PATHS if name.endswith("_xml"))


def parser_named(name: str) -> Parser:
    return next(parser for parser in registry.parsers() if parser.name == name)


def parse(name: str, data: bytes, path: str | None = None) -> Parsed:
    parsed = parser_named(name).parse(Source(path or PATHS[name], data), ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(data)
    return parsed


def rows_of(parsed: Parsed) -> pl.DataFrame:
    assert len(parsed.frames) == 1
    return parsed.frames[0].rows


def first_row(parsed: Parsed) -> dict[str, Any]:
    return rows_of(parsed).row(0, named=True)


def status_bytes(status: object, time: object = "2025-03-01T02:10:32Z") -> bytes:
    return orjson.dumps([{"version": "1.0", "timestampUTC": time, "status": status}])


def recognised(path: str, data: bytes) -> tuple[str, int]:
    found = registry.recognise(Source(path, data))
    assert found is not None
    return found.parser.name, found.claim.strength


# --- every format ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATHS)
def test_every_sample_gives_its_events(name: str) -> None:
    parser = parser_named(name)
    assert parser.samples
    for sample in parser.samples:
        parsed = parse(name, sample.raw, sample.path)
        rows = [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)]
        assert len(rows) == len(sample.events)
        for row, event in zip(rows, sample.events, strict=True):
            assert {key: row[key] for key in event} == dict(event)
        assert parsed.rejected.height == sample.rejected
        assert recognised(sample.path, sample.raw)[0] == name


@pytest.mark.parametrize("name", PATHS)
def test_an_empty_file_has_no_rows_and_no_damage(name: str) -> None:
    parsed = parse(name, b"")
    assert rows_of(parsed).is_empty()
    assert parsed.damage == ()
    assert parsed.lines == 0


@pytest.mark.parametrize("name", PATHS)
@given(data=st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
@settings(max_examples=40, deadline=None)
def test_no_bytes_crash_a_parser_or_get_lost(name: str, data: bytes) -> None:
    parsed = parse(name, data)
    assert parsed.rejected["log.length"].sum() == parsed.rejected_bytes


@pytest.mark.parametrize("name", PATHS)
@given(cut=st.integers(0, 600), junk=st.binary(max_size=8), at=st.integers(0, 600))
@settings(max_examples=40, deadline=None)
def test_a_damaged_sample_is_cited_inside_the_file(name: str, cut: int, junk: bytes, at: int) -> None:
    raw = parser_named(name).samples[0].raw
    data = (raw[:at] + junk + raw[at:])[: len(raw) - min(cut, len(raw))]
    parsed = parse(name, data)
    for frame in parsed.frames:
        places = frame.rows.select("log.offset", "log.length").rows()
        assert all(offset >= 0 and length >= 0 and offset + length <= len(data) for offset, length in places)


JSON_KEYS = [
    *("status", "code", "timestampUTC", "substatus", "name", "formattedMessage", "message", "telemetryData", "version"),
    *("aggregateStatus", "guestAgentStatus", "handlerAggregateStatus", "runtimeSettingsStatus", "settingsStatus"),
    *("sequenceNumber", "extensions_status", "handlerManifest", "Key", "Value"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(JSON_KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@pytest.mark.parametrize("name", JSON_FORMATS)
@given(value=json_values)
@settings(max_examples=60, deadline=None)
def test_json_values_of_unexpected_types_never_crash(name: str, value: object) -> None:
    try:
        data = orjson.dumps(value)
    except TypeError:  # integers of more than 64 bits
        data = b"[" + str(value).encode() + b"]"
    parse(name, data)


# --- key=value ------------------------------------------------------------------------------------------------------


def test_the_agents_configuration_reads_as_the_agent_reads_it() -> None:
    parsed = parse(
        "waagent_conf",
        b"\xef\xbb\xbf# comment\r\n"
        b'Provisioning.Agent = "auto" # explained\r\n'
        b"HttpProxy.Port=None\r\n"
        b"OS.SudoersFile=a=b\r\n"
        b"Logs.Verbose=\r\n"
        b"no setting\r\n"
        b"=no key\r\n"
        b"Provisioning.Agent=waagent",
    )
    rows = rows_of(parsed)
    assert rows.select("key", "value", "effective", "log.line").rows() == [
        ("Provisioning.Agent", "auto", False, 2),
        ("HttpProxy.Port", None, True, 3),
        ("OS.SudoersFile", "a=b", True, 4),
        ("Logs.Verbose", "", True, 5),
        ("Provisioning.Agent", "waagent", True, 8),
    ]
    assert rows["event.original"][0] == 'Provisioning.Agent = "auto" # explained'
    assert rows["section"].null_count() == rows.height
    assert parsed.rejected["log.line"].to_list() == [6, 7]
    assert set(parsed.rejected["error.message"]) == {"neither key=value nor comment"}
    assert parsed.rejected_bytes == len(b"no setting\r\n=no key\r\n")


def test_each_setting_cites_exactly_the_bytes_of_its_line() -> None:
    data = "# Grüße\nOS.EnableFIPS=y\nLib.Dir=/ö\n".encode()
    rows = rows_of(parse("waagent_conf", data))
    pieces = [data[offset : offset + length] for offset, length in rows.select("log.offset", "log.length").rows()]
    assert pieces == [b"OS.EnableFIPS=y\n", "Lib.Dir=/ö\n".encode()]


def test_a_line_of_nul_bytes_in_a_configuration_is_rejected_alone() -> None:
    parsed = parse("waagent_conf", b"Extensions.Enabled=y\n\0\0\0\0\nLogs.Verbose=n\n")
    assert rows_of(parsed)["key"].to_list() == ["Extensions.Enabled", "Logs.Verbose"]
    assert parsed.rejected.select("log.line", "log.length").rows() == [(2, 5)]


def test_a_suse_release_names_the_release_and_its_keys() -> None:
    parsed = parse(
        "os_release",
        b"SUSE Linux Enterprise Server 12 (x86_64)\nVERSION = 12\nPATCHLEVEL = 5\nsecond sentence\n",
        "etc/SuSE-release",
    )
    assert rows_of(parsed).select("key", "value").rows() == [
        ("release", "SUSE Linux Enterprise Server 12 (x86_64)"),
        ("VERSION", "12"),
        ("PATCHLEVEL", "5"),
    ]
    assert parsed.rejected.height == 1


def test_a_bare_configuration_is_known_by_its_keys() -> None:
    assert recognised("upload.txt", b"# x\nExtensions.Enabled=n\n") == ("waagent_conf", 50)


# --- goal state -----------------------------------------------------------------------------------------------------

EXTENSIONS = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<Extensions version="1.0.0.0" goalStateIncarnation="4">\n'
    "<!-- <Plugin name='commented'/> -->"
    f'<Plugins><Plugin name="{SNAPSHOT}" version="1.0.9225.0" state="Disabled" location="https://x/y"/></Plugins>\n'
    f'<PluginSettings><Plugin name="{SNAPSHOT}" version="1.0.9225.0"><RuntimeSettings seqNo="9">'
    '{"runtimeSettings":[{"handlerSettings":{"publicSettings":{"taskId":"t-1","objectStr":"T0JK","statusBlobUri":'
    '"https://s/?sig=SIGNED","commandToExecute":"snapshot"},"protectedSettings":"PROTECTED",'
    '"protectedSettingsCertThumbprint":"AB12"}}]}</RuntimeSettings></Plugin>\n'
    '<Plugin name="Microsoft.Azure.Extensions.CustomScript" version="2.1.0"><ExtensionRuntimeSettings name="one" '
    'seqNo="0" state="enabled">{"runtimeSettings":[{"handlerSettings":{"publicSettings":{"commandToExecute":'
    '"login --password hunter2"}}}]}</ExtensionRuntimeSettings></Plugin></PluginSettings>\n'
    '<StatusUploadBlob statusBlobType="BlockBlob">https://b/$system?sig=SIGNED</StatusUploadBlob>\n'
    '<InVMGoalStateMetaData inSvdSeqNo="4" createdOnTicks="638763918000000000" activityId="a-1"/>\n'
    "</Extensions>"
)


def test_extensions_and_settings_of_a_goal_state_become_rows() -> None:
    rows = rows_of(parse("extensions_config_xml", EXTENSIONS.encode()))
    assert set(rows["incarnation"]) == {"4"}
    assert set(rows["@timestamp"]) == {datetime(2025, 3, 1, 2, 10, tzinfo=UTC)}
    extension = rows.filter(pl.col("kind") == "extension")
    assert extension.select("handler", "handler_version", "state").rows() == [(SNAPSHOT, "1.0.9225.0", "disabled")]
    runs = rows.filter((pl.col("kind") == "settings") & pl.col("key").is_null())
    assert runs.select("handler", "sequence_number", "task_id", "extension_name", "state").rows() == [
        (SNAPSHOT, 9, "t-1", None, None),
        ("Microsoft.Azure.Extensions.CustomScript", 0, None, "one", "enabled"),
    ]
    thumbprint = rows.filter(pl.col("key") == "protectedSettingsCertThumbprint")
    assert thumbprint["value"].to_list() == ["AB12"]


def test_no_secret_of_an_extensions_config_reaches_a_column() -> None:
    shown = rows_of(parse("extensions_config_xml", EXTENSIONS.encode())).write_json()
    assert "BlockBlob" in shown
    assert "snapshot" in shown
    for secret in ("PROTECTED", "SIGNED", "T0JK", "hunter2"):
        assert secret not in shown


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_each_element_cites_its_own_start_tag(encoding: str) -> None:
    text = EXTENSIONS.replace("one", "öne 😀")
    data = ("\ufeff" if "16" in encoding else "").encode(encoding) + text.encode(encoding)
    rows = rows_of(parse("extensions_config_xml", data)).filter(pl.col("kind") == "settings")
    assert rows["extension_name"].to_list()[-1] == "öne 😀"
    codec = encoding.removesuffix("-sig")
    for offset, length, line, original in rows.select("log.offset", "log.length", "log.line", "event.original").rows():
        piece = data[offset : offset + length].decode(codec)
        assert piece == original
        assert piece.startswith(("<RuntimeSettings ", "<ExtensionRuntimeSettings "))
        assert text.split("\n")[line - 1].find(piece) >= 0


def test_settings_that_are_no_json_are_said_to_be_none() -> None:
    broken = EXTENSIONS.replace('{"runtimeSettings":[{"handlerSettings":{"publicSettings":{"taskId"', '{"broken')
    rows = rows_of(parse("extensions_config_xml", broken.encode()))
    assert rows.filter(pl.col("value") == "not JSON").select("handler", "key").rows() == [(SNAPSHOT, "runtimeSettings")]


def test_a_truncated_goal_state_keeps_what_was_read_and_names_the_damage() -> None:
    data = EXTENSIONS.encode()[: EXTENSIONS.index("<PluginSettings>") + 40]
    parsed = parse("extensions_config_xml", data)
    assert rows_of(parsed).filter(pl.col("kind") == "extension")["handler"].to_list() == [SNAPSHOT]
    assert len(parsed.damage) == 1
    assert parsed.damage[0].startswith("line 4: ")
    assert parsed.rejected.is_empty()


@pytest.mark.parametrize("name", XML_FORMATS)
def test_a_placeholder_is_one_row_and_no_damage(name: str) -> None:
    parsed = parse(name, b"<xml>empty placeholder file</xml>\n")
    assert rows_of(parsed).select("kind", "message").rows() == [("placeholder", "empty placeholder file")]
    assert parsed.damage == ()


@pytest.mark.parametrize("name", XML_FORMATS)
@pytest.mark.parametrize("prolog", ["", '<?xml version="1.0"?>\n<!-- note -->\n'])
def test_a_document_type_is_refused(name: str, prolog: str) -> None:
    bomb = f'{prolog}<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><GoalState><X>&f;</X></GoalState>'
    parsed = parse(name, bomb.encode())
    assert parsed.frames == ()
    assert "DOCTYPE" in parsed.rejected["error.message"][0]


def test_another_document_under_the_name_is_rejected_with_its_root() -> None:
    parsed = parse("shared_config_xml", b"<html><body/></html>")
    assert parsed.rejected["error.message"].to_list() == ["not a <SharedConfig> document: its root is <html>"]


def test_the_incarnation_of_a_history_entry_comes_from_its_name() -> None:
    data = b"<SharedConfig version='1'><Instances><Instance id='_vm' address='10.0.0.9'/></Instances></SharedConfig>"
    for path in (
        "var/lib/waagent/history/2025-03-01T02-09-00__17/SharedConfig.xml",
        "var/lib/waagent/history/2025-03-01T02-09-00__17.zip!SharedConfig.xml",
        "var/lib/waagent/history/2025-03-01T02:09:00.123456_incarnation_17/SharedConfig.xml",
    ):
        assert set(rows_of(parse("shared_config_xml", data, path))["incarnation"]) == {"17"}


def test_a_goal_state_is_not_taken_for_the_documents_that_it_links() -> None:
    goal_state = (
        b"<GoalState><Incarnation>2</Incarnation><HostingEnvironmentConfig>http://168.63.129.16/a"
        b"</HostingEnvironmentConfig><SharedConfig>http://168.63.129.16/b</SharedConfig></GoalState>"
    )
    assert recognised("copied/1.xml", goal_state) == ("goal_state_xml", 50)
    rows = rows_of(parse("goal_state_xml", goal_state))
    assert rows["key"].to_list() == ["Incarnation", "HostingEnvironmentConfig", "SharedConfig"]
    assert rows["event.original"][0] == "<Incarnation>2</Incarnation>"


def test_passwords_and_custom_data_of_provisioning_stay_out() -> None:
    data = (
        b'<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" xmlns:ns1="urn:wa">'
        b"<ns1:ProvisioningSection><ns1:Version>1.0</ns1:Version><ns1:LinuxProvisioningConfigurationSet>"
        b"<ns1:HostName>vm01</ns1:HostName><ns1:UserName>admin</ns1:UserName>"
        b"<ns1:UserPassword>hunter2</ns1:UserPassword><ns1:CustomData>c2VjcmV0</ns1:CustomData>"
        b"</ns1:LinuxProvisioningConfigurationSet></ns1:ProvisioningSection>"
        b"<ns1:ProvisionGuestAgent>false</ns1:ProvisionGuestAgent></ns0:Environment>"
    )
    rows = rows_of(parse("ovf_env_xml", data))
    assert dict(rows.select("key", "value").rows()) == {
        "Version": "1.0",
        "HostName": "vm01",
        "ProvisionGuestAgent": "false",
    }
    assert set(rows["host.name"]) == {"vm01"}
    assert "hunter2" not in rows.write_json()
    assert "c2VjcmV0" not in rows.write_json()


# --- status ---------------------------------------------------------------------------------------------------------


def snapshot_status(code: object, word: str = "success", inner: object = None) -> bytes:
    substatus = None if inner is None else [{"code": "0", "name": orjson.dumps(inner).decode(), "status": "success"}]
    return status_bytes({"name": SNAPSHOT, "status": word, "code": code, "substatus": substatus})


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("0", "success"), ("1", "success"), (1, "success"), ("4", "in_progress"), ("76", "failure"), (2, "failure")],
)
def test_the_linux_snapshot_extension_is_judged_by_code_and_not_by_word(code: object, outcome: str) -> None:
    row = first_row(parse("status_file", snapshot_status(code)))
    assert row["status"] == "success"
    assert row["outcome"] == outcome


def test_the_report_inside_the_report_is_preferred() -> None:
    inner = [{"timestampUTC": "/Date(1740795032475)/", "status": {"status": "success", "code": "76"}}]
    row = first_row(parse("status_file", snapshot_status("1", inner=inner)))
    assert (row["code"], row["inner_code"], row["inner_status"], row["outcome"]) == (1, 76, "success", "failure")


def test_a_report_that_the_agent_made_is_in_progress_and_not_a_success() -> None:
    row = first_row(parse("status_file", snapshot_status(0, word="transitioning")))
    assert row["outcome"] == "in_progress"


def test_a_snapshot_report_without_a_code_proves_no_success() -> None:
    assert first_row(parse("status_file", snapshot_status(None)))["outcome"] is None
    assert first_row(parse("status_file", snapshot_status(None, word="error")))["outcome"] == "failure"


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("Success", "success"), ("error", "failure"), ("transitioning", "in_progress"), ("warning", None)],
)
def test_other_extensions_are_judged_by_word(word: str, outcome: str | None) -> None:
    path = "Packages/Plugins/Microsoft.Azure.RecoveryServices.VMSnapshot/1.0.92.0/Status/240.status"
    row = first_row(parse("status_file", status_bytes({"status": word, "code": 4}), path))
    assert (row["status"], row["outcome"]) == (word.lower(), outcome)


@pytest.mark.parametrize(
    ("path", "handler", "version", "number"),
    [
        (f"x/{SNAPSHOT}-1.0.9225.0/status/12.status", SNAPSHOT, "1.0.9225.0", 12),
        ("c/packages/plugins/contoso.backup.agent/1.2.3/status/7.status", "Contoso.Backup.Agent", "1.2.3", 7),
        ("d0/Contoso.Backup.Agent-2.0/status/one.3.status", "Contoso.Backup.Agent", "2.0", 3),
        ("5.status", "Contoso.Backup.Agent", None, 5),
    ],
)
def test_handler_and_sequence_number_come_from_the_path(
    path: str, handler: str, version: str | None, number: int
) -> None:
    row = first_row(parse("status_file", status_bytes({"name": "Contoso.Backup.Agent", "status": "success"}), path))
    assert (row["handler"], row["handler_version"], row["sequence_number"]) == (handler, version, number)


def test_message_and_telemetry_are_decoded() -> None:
    wrapped = orjson.dumps({"messageStr": "froze snapshotCreator=backupHostService, ", "jobMessage": ""}).decode()
    status = {
        "status": "error",
        "formattedMessage": {"lang": "en-US", "message": wrapped},
        "telemetryData": [{"Key": "extErrorCode", "Value": "FailedFsFreeze"}, "odd", {"Key": 3}],
        "commandStartTimeUTCTicks": "638763918000000000",
        "taskId": "t-1",
    }
    row = first_row(parse("status_file", status_bytes(status)))
    assert row["message"] == "froze snapshotCreator=backupHostService, "
    assert row["extension_error_code"] == "FailedFsFreeze"
    assert row["snapshot_creator"] == "backupHostService"
    assert row["command_start"] == datetime(2025, 3, 1, 2, 10, tzinfo=UTC)
    assert row["task_id"] == "t-1"


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("2025-03-01T02:10:32Z", datetime(2025, 3, 1, 2, 10, 32, tzinfo=UTC)),
        ("2025-03-01T03:10:32.1234567+01:00", datetime(2025, 3, 1, 2, 10, 32, 123456, tzinfo=UTC)),
        ("\\/Date(1740795032475)\\/", datetime(2025, 3, 1, 2, 10, 32, 475000, tzinfo=UTC)),
        ("/Date(99999999999999999)/", None),
        ("soon", None),
        (17, None),
    ],
)
def test_times_are_read_or_null(stamp: object, time: datetime | None) -> None:
    assert first_row(parse("status_file", status_bytes({"status": "success"}, stamp)))["@timestamp"] == time


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_json_of_any_unicode_encoding_with_trailing_nuls_is_read(encoding: str) -> None:
    text = "\ufeff" + status_bytes({"status": "error", "formattedMessage": {"message": "Größe"}}).decode()
    data = text.encode(encoding)
    parsed = parse("status_file", data + b"\0\0\0\0")
    row = first_row(parsed)
    assert row["message"] == "Größe"
    assert (row["log.line"], row["log.offset"], row["log.length"]) == (1, 0, len(data) + 4)


@pytest.mark.parametrize("name", JSON_FORMATS)
def test_malformed_json_is_rejected_with_its_place(name: str) -> None:
    parsed = parse(name, b'[\n {"status": \n')
    assert parsed.frames == ()
    assert len(parsed.damage) == 1
    assert f"{PATHS[name]}:2:" in parsed.damage[0]


@pytest.mark.parametrize("name", JSON_FORMATS)
def test_a_file_of_nuls_is_said_to_have_lost_its_content(name: str) -> None:
    parsed = parse(name, b"\0" * 64)
    assert "NUL" in parsed.rejected["error.message"][0]


@pytest.mark.parametrize("name", JSON_FORMATS)
@pytest.mark.parametrize("data", [b"[]", b"3", b'["a"]', b'"text"'])
def test_json_without_what_the_format_holds_is_rejected(name: str, data: bytes) -> None:
    parsed = parse(name, data)
    assert parsed.frames == ()
    assert parsed.rejected_bytes == len(data)


def test_elements_that_are_no_reports_are_counted_as_damage() -> None:
    parsed = parse("status_file", b'[{"status": {"status": "success"}}, 7, {"other": 1}]')
    assert rows_of(parsed).height == 1
    assert parsed.damage == ("2 of 3 elements are no status reports",)


def test_the_shown_original_is_short_and_leaves_secrets_out() -> None:
    inner = orjson.dumps([{"status": {"code": "1", "snapshotInfo": [{"token": 'TO"KEN\\', "id": 5}]}}]).decode()
    status = {
        "status": "success",
        "substatus": [{"name": inner}],
        "settings": {"protectedSettings": "PROTECTED", "blobSASUri": ["https://b?sig=SIGNED"], "keep": "kept"},
        "formattedMessage": {"message": "x" * 9000},
    }
    original = first_row(parse("status_file", status_bytes(status)))["event.original"]
    assert len(original.encode()) <= ORIGINAL_LIMIT
    assert "kept" in original
    for secret in ("PROTECTED", "SIGNED", "TO", "KEN"):
        assert secret not in original


def test_a_state_file_of_one_extension_of_many_names_it() -> None:
    row = first_row(parse("handler_state", b"Enabled", f"{HANDLER_DIRECTORY}/config/first.HandlerState"))
    assert (row["extension_name"], row["status"], row["handler"]) == ("first", "enabled", SNAPSHOT)


def test_agent_update_and_goal_state_of_an_agent_report_are_rows() -> None:
    report = {
        "TimestampUTC": "2025-03-01T02:11:00Z",
        "AggregateStatus": {
            "guestAgentStatus": {
                "version": "2.11.1.4",
                "status": "Ready",
                "updateStatus": {"expectedVersion": "2.12.0.2", "status": "Error", "code": 1},
            },
            "handlerAggregateStatus": [
                {"handlerName": SNAPSHOT, "status": "Ready", "code": "0", "runtimeSettingsStatus": "none"},
                "odd",
            ],
            "vmArtifactsAggregateStatus": {
                "goalStateAggregateStatus": {"status": "Failed", "code": -1, "formattedMessage": {"message": "why"}}
            },
        },
    }
    rows = rows_of(parse("agent_status_json", orjson.dumps(report)))
    assert rows.select("kind", "handler_version", "status", "code").rows() == [
        ("agent", "2.11.1.4", "ready", None),
        ("agent_update", "2.12.0.2", "error", 1),
        ("aggregate", None, "ready", 0),
        ("goal_state", None, "failed", -1),
    ]
    assert set(rows["@timestamp"]) == {datetime(2025, 3, 1, 2, 11, tzinfo=UTC)}


def test_a_handler_in_an_agent_report_is_judged_by_the_report_inside() -> None:
    inner = orjson.dumps([{"status": {"status": "error", "code": "121"}}]).decode()
    settings = {"status": "success", "code": "121", "operation": "Enable", "substatus": [{"name": inner}]}
    handler = {
        "handlerName": SNAPSHOT,
        "handlerVersion": "1.0.9225.0",
        "status": "Ready",
        "runtimeSettingsStatus": {"sequenceNumber": "8", "settingsStatus": {"status": settings}},
    }
    report = {"aggregateStatus": {"handlerAggregateStatus": [handler]}}
    row = first_row(parse("agent_status_json", orjson.dumps(report)))
    assert (row["status"], row["settings_status"], row["outcome"]) == ("ready", "success", "failure")
    assert (row["inner_code"], row["sequence_number"]) == (121, 8)


def test_all_status_formats_share_one_set_of_columns() -> None:
    frames = []
    for name in ("status_file", "handler_state", "handler_status", "agent_status_json", "handler_manifest"):
        sample = parser_named(name).samples[0]
        frames.append(rows_of(parse(name, sample.raw, sample.path)))
    together = pl.concat(frames, how="diagonal")
    assert set(together["kind"]) == {
        "status_file",
        "handler_state",
        "handler_status",
        "handler_manifest",
        "agent",
        "aggregate",
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("waagent_status.12.json", "agent_status_json"),
        ("AggregateStatus/aggregatestatus_20250301021100123.json", "agent_status_json"),
        ("renamed.txt", "agent_status_json"),
    ],
)
def test_agent_reports_are_known_under_all_their_names(path: str, name: str) -> None:
    assert recognised(path, parser_named(name).samples[0].raw)[0] == name


def test_a_bare_status_list_is_known_by_its_keys() -> None:
    data = status_bytes({"operation": "Enable", "status": "success"})
    assert recognised("download", data) == ("status_file", 50)


@pytest.mark.parametrize(
    "damage", [b'<http://a.b/c/1" xmlns:w="x"><HostName>vm</HostName>', b'<a 1:2="3" http://="4">x</a>']
)
def test_damage_that_leaves_impossible_names_in_xml_is_survived(damage: bytes) -> None:
    data = b'<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1">' + damage + b"</Environment>"
    source = Source("var/lib/waagent/ovf-env.xml", data)
    parsed = parser_named("ovf_env_xml").parse(source, ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(data)
    assert parsed.damage

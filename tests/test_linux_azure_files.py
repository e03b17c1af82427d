"""Files of the Linux agent and its extensions: each has a parser, or a name and a reason why it is not read."""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loganalyzer.intake import Limits, walk
from loganalyzer.known_files import is_private, known_file, known_files
from loganalyzer.parser import ParseContext
from loganalyzer.pipeline import scan
from loganalyzer.registry import parsers, recognise
from loganalyzer.report.json_report import to_json
from loganalyzer.report.model import Coverage
from loganalyzer.report.terminal import render_terminal
from loganalyzer.source import Source

SNAPSHOT = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
HANDLER = f"var/lib/waagent/{SNAPSHOT}-1.0.9225.0"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\n"


def coverage_of(folder: Path, files: dict[str, str]) -> dict[str, Coverage]:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {one.source: one for one in scan([folder]).report.coverage}


# ---- files that are known and not read ----


def test_every_entry_of_the_table_has_an_id_of_its_own_and_says_what_and_why() -> None:
    ids = [known.id for known in known_files()]
    assert sorted(set(ids)) == sorted(ids)
    for known in known_files():
        assert re.fullmatch(r"[a-z0-9.-]+", known.id)
        assert known.what.strip()
        assert known.why.strip()
        assert known.private == ("never read" in known.why)


def test_private_entries_come_first_so_that_no_other_entry_hides_one() -> None:
    privacy = [known.private for known in known_files()]
    assert any(privacy)
    assert privacy == sorted(privacy, reverse=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("var/lib/waagent/provisioned", "linux.provisioned"),
        ("device_0/var/lib/waagent/PROVISIONED", "linux.provisioned"),
        ("outer.zip!var/lib/waagent/provisioned", "linux.provisioned"),
        ("home/someone/provisioned", None),
        ("var/lib/waagent/provisioned.txt", None),
        (f"{HANDLER}/mrseq", "linux.mrseq"),
        ("etc/azure/machine_identity_FD76C85E-406F-4CFA-8EB0-CF18B123358B", "linux.machine-identity"),
        ("var/lib/waagent/0123456789ABCDEF0123456789ABCDEF01234567.prv", "private-key"),
        ("var\\lib\\waagent\\TransportPrivate.pem", "private-key"),
        (f"{HANDLER}/main/safefreeze/bin/safefreeze", "linux.handler-program"),
        (f"{HANDLER}/main/handle.py", "linux.handler-program"),
        ("opt/msawb/var/lib/catalog/InquiryCatalog/a/b.bin", "linux.workload-catalogue"),
        ("opt/msawb/etc/config/SAPHana/config.json", "linux.workload-settings"),
        ("var/log/waagent.log", None),
    ],
)
def test_a_file_is_known_by_the_end_of_its_path(path: str, expected: str | None) -> None:
    known = known_file(path)
    assert (known.id if known else None) == expected


@pytest.mark.parametrize(
    "name", ["waagent.log.pem", "Certificates.xml", "etc/azure/extension.log.key", "GoalState.xml.crt"]
)
def test_a_private_file_is_shown_to_no_parser_whatever_it_holds(name: str) -> None:
    line = b"2025-03-01T02:10:03.120001Z INFO ExtHandler ExtHandler Wire server endpoint:168.63.129.16\n"
    assert is_private(name)
    assert recognise(Source(name, line)) is None
    assert recognise(Source("waagent.log", line)) is not None


def test_a_known_file_is_skipped_with_its_reason_and_an_unknown_one_is_unrecognised(tmp_path: Path) -> None:
    rows = coverage_of(
        tmp_path,
        {
            "var/lib/waagent/provisioned": "0AAEF486",
            "var/lib/waagent/ABCDEF.prv": KEY,
            "var/lib/waagent/shopping": "milk",
        },
    )
    known, private, unknown = (rows[f"var/lib/waagent/{name}"] for name in ("provisioned", "ABCDEF.prv", "shopping"))
    assert (known.status, known.bytes, known.skipped_bytes, known.parser) == ("skipped", 8, 8, None)
    assert "presence" in known.why
    assert known.notes == ("mark of the agent that the VM was provisioned",)
    assert (private.status, private.parsed_bytes, private.skipped_bytes) == ("skipped", 0, len(KEY))
    assert "never read" in private.why
    assert unknown.status == "unrecognised"


def test_the_terminal_names_skipped_files_once_a_reason(tmp_path: Path) -> None:
    for name in ("provisioned", "disable_agent", "A.prv"):
        path = tmp_path / "var/lib/waagent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    out = io.StringIO()
    render_terminal(scan([tmp_path]).report, Console(file=out, width=200), details=False, quiet=False)
    lines = [line for line in out.getvalue().splitlines() if "not read" in line or "never read" in line]
    assert len(lines) == 2
    assert "2 files (disable_agent, provisioned): known and not read" in lines[0] + lines[1]
    assert "A.prv: private and never read" in lines[0] + lines[1]


# ---- every place where a Linux VM has something to read (linux.md 1.3), and who reads it ----

ISO = "2025-03-01T02:10:03.120001Z"
AGENT_LINE = f"{ISO} INFO ExtHandler ExtHandler Wire server endpoint:168.63.129.16\n"
COMMAND_LINE = f"{ISO} INFO ExtHandler [Example.Handler-1.2] Executing command: bin/run enable\n"
SNAPSHOT_LINE = f"2025-03-01 02:10:04.512833 [{SNAPSHOT}-1.0]starting enable\n"
SHELL_LINE = "Sat Mar  1 02:10:03 UTC 2025- python3 path exists\n"
HANDLER_LINE = "2025/03/01 03:10:04 [Example.Handler-1.2.3] starting enable\n"
STATUS = (
    '[{"version":"1.0","timestampUTC":"2025-03-01T02:10:32Z","status":{"name":"Example.Handler","operation":"Enable",'
    '"status":"success","code":"0","formattedMessage":{"lang":"en-US","message":"done"}}}]'
)
AGENT_STATUS = (
    '{"version":"1.1","timestampUTC":"2025-03-01T02:10:32Z","aggregateStatus":{"guestAgentStatus":{"version":"2.15.0.1",'
    '"status":"Ready","formattedMessage":{"lang":"en-US","message":"ok"}},"handlerAggregateStatus":[]}}'
)
HANDLER_STATUS = '{"name":"Example.Handler","version":"1.2","status":"Ready","code":0,"message":"Plugin enabled"}'
SETTINGS = '{"runtimeSettings":[{"handlerSettings":{"publicSettings":{},"protectedSettings":"MIIB"}}]}'
GOAL_STATE = "<GoalState><Incarnation>5</Incarnation></GoalState>"
EXTENSIONS = '<Extensions version="1.0.0.0" goalStateIncarnation="5"><Plugins/></Extensions>'
VM_SETTINGS = '{"hostGAPluginVersion":"1.0.8.141","activityId":"a","extensionGoalStates":[]}'
ERROR = '{"last_failure": 0.0, "failure_count": 0, "was_fatal": false, "reason": ""}'
OVF = '<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"><a/></Environment>'
LEASE = "lease {\n  option unknown-245 a8:3f:81:10;\n  expire 4 2025/06/16 16:58:54;\n}\n"
SYSLOG = "Mar  1 02:10:03 vm01 systemd[1]: Started Azure Linux Agent.\n"
CLOUD_INIT = "2025-03-01 02:10:03,120 - util.py[DEBUG]: Cloud-init v. 23.1 running\n"
HISTORY = "var/lib/waagent/history/2025-03-01T02-09-00__5"

#: glob of linux.md 1.3 → (a path that it fits, its content, the parser that takes it).
PLACES = {
    "var/log/waagent.log": ("var/log/waagent.log", AGENT_LINE, "waagent_log"),
    "var/log/waagent.log[.-]*": ("var/log/waagent.log-2025-09-15-1757900000", AGENT_LINE, "waagent_log"),
    "truncated_*waagent.log*": ("truncated__var_log_waagent.log.1", AGENT_LINE, "waagent_log"),
    "var/log/azure/*/CommandExecution.log": (
        "var/log/azure/Example.Handler/CommandExecution.log",
        COMMAND_LINE,
        "command_execution_log",
    ),
    "var/log/azure/*/CommandExecution_*.log": (
        "var/log/azure/Example.Handler/CommandExecution_20250301.log",
        COMMAND_LINE,
        "command_execution_log",
    ),
    "var/log/azure/$EXT/extension.log*": (
        f"var/log/azure/{SNAPSHOT}/extension.log.1",
        SNAPSHOT_LINE,
        "vmsnapshot_extension_log",
    ),
    "var/log/azure/$EXT/*/extension.log*": (
        f"var/log/azure/{SNAPSHOT}/1.0.9100.0/extension.log",
        SNAPSHOT_LINE,
        "vmsnapshot_extension_log",
    ),
    "var/log/azure/$EXT/shell.log": (f"var/log/azure/{SNAPSHOT}/shell.log", SHELL_LINE, "vmsnapshot_shell_log"),
    "var/log/azure/$EXT/*/shell.log": (f"var/log/azure/{SNAPSHOT}/1.0/shell.log", SHELL_LINE, "vmsnapshot_shell_log"),
    "var/log/azure/$EXT/host_based_extension.log": (
        f"var/log/azure/{SNAPSHOT}/host_based_extension.log",
        SNAPSHOT_LINE,
        "vmsnapshot_extension_log",
    ),
    "var/log/azure/*/*/extension.log": ("var/log/azure/Example.Handler/1.2/extension.log", HANDLER_LINE, "handler_log"),
    "var/log/azure/*/extension.log": ("var/log/azure/Example.Handler/extension.log", HANDLER_LINE, "handler_log"),
    "var/lib/waagent/*-*/config/HandlerStatus": (f"{HANDLER}/config/HandlerStatus", HANDLER_STATUS, "handler_status"),
    "var/lib/waagent/*-*/config/HandlerState": (f"{HANDLER}/config/HandlerState", "Enabled", "handler_state"),
    "var/lib/waagent/*-*/config/*.HandlerState": (f"{HANDLER}/config/one.HandlerState", "Enabled", "handler_state"),
    "var/lib/waagent/*-*/config/*.settings": (f"{HANDLER}/config/7.settings", SETTINGS, "handler_settings"),
    "var/lib/waagent/*-*/status/*.status": (f"{HANDLER}/status/7.status", STATUS, "status_file"),
    "var/lib/waagent/waagent_status.json": ("var/lib/waagent/waagent_status.json", AGENT_STATUS, "agent_status_json"),
    "var/lib/waagent/waagent_status.*.json": (
        "var/lib/waagent/waagent_status.5.json",
        AGENT_STATUS,
        "agent_status_json",
    ),
    "history/*/waagent_status.json": (f"{HISTORY}/waagent_status.json", AGENT_STATUS, "agent_status_json"),
    "var/lib/waagent/WALinuxAgent-*/error.json": (
        "var/lib/waagent/WALinuxAgent-2.15.0.1/error.json",
        ERROR,
        "agent_error_json",
    ),
    "var/lib/waagent/GoalState*.xml": ("var/lib/waagent/GoalState.5.xml", GOAL_STATE, "goal_state_xml"),
    "history/*/GoalState.xml": (f"{HISTORY}/GoalState.xml", GOAL_STATE, "goal_state_xml"),
    "var/lib/waagent/ExtensionsConfig*.xml": (
        "var/lib/waagent/ExtensionsConfig.5.xml",
        EXTENSIONS,
        "extensions_config_xml",
    ),
    "history/*/ExtensionsConfig.xml": (f"{HISTORY}/ExtensionsConfig.xml", EXTENSIONS, "extensions_config_xml"),
    "var/lib/waagent/VmSettings.*.json": ("var/lib/waagent/VmSettings.12.json", VM_SETTINGS, "vm_settings_json"),
    "history/*/VmSettings.json": (f"{HISTORY}/VmSettings.json", VM_SETTINGS, "vm_settings_json"),
    "history/*/Certificates.json": (f"{HISTORY}/Certificates.json", "[]", "certificates_json"),
    "etc/waagent.conf": ("etc/waagent.conf", "Extensions.Enabled=y\n", "waagent_conf"),
    "usr/share/defaults/waagent/waagent.conf": (
        "usr/share/defaults/waagent/waagent.conf",
        "Logs.Verbose=n\n",
        "waagent_conf",
    ),
    "var/lib/waagent/ovf-env.xml": ("var/lib/waagent/ovf-env.xml", OVF, "ovf_env_xml"),
    "var/lib/dhcp/*.lease*": ("var/lib/dhcp/dhclient.eth0.leases", LEASE, None),
    "var/lib/dhclient/*.lease*": ("var/lib/dhclient/dhclient-eth0.leases", LEASE, None),
    "var/lib/NetworkManager/*.lease*": ("var/lib/NetworkManager/dhclient-eth0.lease", LEASE, None),
    "var/lib/wicked/lease*": ("var/lib/wicked/lease-eth0-dhcp-ipv4.xml", "<lease><family>ipv4</family></lease>", None),
    "run/systemd/netif/leases/*": ("run/systemd/netif/leases/2", "ADDRESS=10.0.0.4\nOPTION_245=a83f8110\n", None),
    "var/log/syslog*": ("var/log/syslog.1", SYSLOG, "linux_syslog"),
    "var/log/messages*": ("var/log/messages-20250901", SYSLOG, "linux_syslog"),
    "var/log/cloud-init.log*": ("var/log/cloud-init.log", CLOUD_INIT, None),
    "var/log/cloud-init-output.log*": ("var/log/cloud-init-output.log", "Cloud-init v. 23.1 running 'init'\n", None),
    "results.txt": (
        "results.txt",
        "2025-03-01T02:10:05Z WARNING Archive too big, done with adding files.\n",
        "collect_logs_results",
    ),
    "results.txt of disk inspect": ("results.txt", "15:52:59  Listing contents of /var/log:\n", "disk_inspection"),
    "diskinfo.txt": ("diskinfo.txt", "[Device: /dev/sda1, mountpoint: / ]\nbavail: 0\n", "disk_statvfs"),
    "etc/azure/vmbackup.conf": ("etc/azure/vmbackup.conf", "[SnapshotThread]\ntimeout=60\n", "vmbackup_conf"),
    "etc/azure/VMSnapshotScriptPluginConfig.json": (
        "etc/azure/VMSnapshotScriptPluginConfig.json",
        '{"pluginName":"ScriptRunner","preScriptLocation":"/a"}',
        "script_plugin_json",
    ),
    "etc/azure/VMSnapshotPluginHost.conf": (
        "etc/azure/VMSnapshotPluginHost.conf",
        "[pre_post]\ntimeout = 10\n",
        "vmbackup_conf",
    ),
    "etc/azure/workload.conf": ("etc/azure/workload.conf", "[workload]\nworkload_name = oracle\n", "vmbackup_conf"),
}

#: What else lies beside these (linux.md 1.2, 2.7, 3.4, 3.5, 3.11): path → content and parser, or an entry's id.
BESIDE = {
    f"{HISTORY}/Example.Handler.manifest.xml": ("<PluginVersionManifest/>", "package_manifest_xml"),
    "var/lib/waagent/Prod.5.agentsManifest": ("", "linux.agents-manifest"),
    "var/lib/waagent/HostingEnvironmentConfig.xml": ("<HostingEnvironmentConfig/>", "hosting_environment_xml"),
    "var/lib/waagent/Certificates.xml": ("<CertificateFile/>", "linux.certificates-xml"),
    "var/lib/waagent/ManagedIdentity-1.json": ("{}", "linux.managed-identity"),
    "var/lib/waagent/Incarnation": ("5", "agent_state_files"),
    "var/lib/waagent/events/1740795003120001.waagent.tld": (
        '{"eventId":1,"providerId":"69","parameters":[{"name":"Name","value":"WALinuxAgent"}]}',
        "telemetry_events",
    ),
    f"{HANDLER}/HandlerManifest.json": ('[{"name":"a","handlerManifest":{}}]', "handler_manifest"),
    f"{HANDLER}/HandlerEnvironment.json": ('[{"name":"a","handlerEnvironment":{}}]', "handler_environment"),
    f"{HANDLER}/heartbeat.log": ('[{"version":1.0,"heartbeat":{"status":"ready"}}]', "handler_heartbeat"),
    f"{HANDLER}/mrseq": ("12", "linux.mrseq"),
    f"{HANDLER}/config/6_settings": (SETTINGS, "handler_settings"),
    f"{HANDLER}/status/6_status": (STATUS, "status_file"),
    "var/lib/waagent/WALinuxAgent-2.15.0.1/update_attempt.json": ("{}", "linux.update-attempt"),
    "etc/azure/MicrosoftRecoverySvcsSafeFreezeLock/SafeFreezeLockFile": ("", "linux.freeze-lock"),
    "etc/fstab": ("UUID=0a1b / ext4 defaults 0 1\n", "mount_lines"),
    "opt/msawb/var/log/plugins/a/plugin.log": ("2025-03-01 02:10:04 started\n", "workload_backup_log"),
    "var/log/azure/run-command/handler.log": (f"time={ISO} version=v1 operation=enable\n", "handler_log"),
    "var/log/azure/Example.Handler/odd.log": ("no time at all\n", "handler_log"),
}


@pytest.mark.parametrize("glob", PLACES)
def test_what_lies_at_every_known_place_is_read_by_the_parser_of_its_kind(glob: str) -> None:
    path, text, taker = PLACES[glob]
    recognised = recognise(Source(path, text.encode()))
    if taker is None and recognised is None:
        pytest.skip("no parser here yet")
    assert recognised is not None
    assert recognised.parser.name == taker or taker is None
    assert recognised.claim.strength > 15, recognised.claim


@pytest.mark.parametrize("path", BESIDE)
def test_what_lies_beside_has_a_parser_or_an_entry_among_the_known_files(path: str) -> None:
    text, taker = BESIDE[path]
    recognised, known = recognise(Source(path, text.encode())), known_file(path)
    assert (recognised.parser.name if recognised else known.id if known else None) == taker


def test_every_glob_of_the_reference_is_in_the_table() -> None:
    shared = os.environ.get("LOGANALYZER_SHARED")
    if shared is None:
        pytest.skip("LOGANALYZER_SHARED does not name the folder with the material")
    text = (Path(shared) / "reference/linux.md").read_text(encoding="utf-8")
    table = text.split("### 1.3 ", 1)[1].split("\n### ", 1)[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ") and not line.startswith("| log_s")]
    globs = {glob for row in rows for glob in re.findall(r"`([^`]+)`", row[2])}
    assert len(globs) > 40
    short = {
        ".../*/shell.log": "var/log/azure/$EXT/*/shell.log",
        ".../config/*.HandlerState": "var/lib/waagent/*-*/config/*.HandlerState",
        "waagent_status.*.json": "var/lib/waagent/waagent_status.*.json",
    }
    assert {short.get(glob, glob) for glob in globs} - set(PLACES) == set()


@pytest.mark.parametrize("folder", ["cases", "bundles"])
def test_no_linux_file_of_real_bundles_is_unrecognised(folder: str) -> None:
    shared = os.environ.get("LOGANALYZER_SHARED")
    if shared is None:
        pytest.skip("LOGANALYZER_SHARED does not name the folder with the material")
    dhcp = any("dhcp" in parser.name for parser in parsers())
    unknown = []
    for bundle in sorted(path for path in (Path(shared) / folder).iterdir() if path.is_dir()):
        for item in walk([bundle], Limits(), None):
            if isinstance(item, Source) and recognise(item) is None and known_file(item.path) is None:
                unknown.append(item.path)
    of_vm = [path for path in unknown if re.search(r"(?:^|/)(?:var|etc|opt|run|usr)/", path)]
    assert [path for path in of_vm if dhcp or "lease" not in path] == []


# ---- what must stay out ----


def rows_of(path: str, raw: bytes) -> list[dict[str, Any]]:
    source = Source(path, raw)
    recognised = recognise(source)
    assert recognised is not None
    parsed = recognised.parser.parse(source, ParseContext())
    rows = [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)]
    return [*rows, *parsed.rejected.iter_rows(named=True)]


SECRET = "NOBODY-MAY-SEE-THIS"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            f"{HANDLER}/config/7.settings",
            f'{{"runtimeSettings":[{{"handlerSettings":{{"protectedSettings":"{SECRET}","publicSettings":'
            f'{{"objectStr":"{SECRET}","logsBlobUri":"https://a/b?sig={SECRET}","my own key":"{SECRET}"}}}}}}]}}',
        ),
        (f"{HANDLER}/config/7.settings", f'{{"runtimeSettings":[{{"handlerSettings":{{"publicSettings":"{SECRET}'),
        (
            f"{HISTORY}/VmSettings.json",
            f'{{"hostGAPluginVersion":"1","activityId":"a","statusUploadBlob":{{"value":"https://a?sig={SECRET}"}},'
            f'"extensionGoalStates":[{{"name":"Example.Handler","version":"1","state":"enabled","settings":[{{'
            f'"protectedSettings":"{SECRET}","publicSettings":"{{\\"commandToExecute\\":\\"{SECRET}\\"}}"}}]}}]}}',
        ),
        ("etc/azure/workload.conf", f"[workload]\ncredString = {SECRET}\npassword={SECRET}\n"),
        (
            "etc/azure/VMSnapshotScriptPluginConfig.json",
            f'{{"pluginName":"ScriptRunner","preScriptLocation":"/a","preScriptParams":["{SECRET}"]}}',
        ),
        (
            f"{HISTORY}/Example.Handler.manifest.xml",
            "<PluginVersionManifest><Plugins><Plugin><Version>1.0</Version><Uris>"
            f"<Uri>https://a/b?sig={SECRET}</Uri></Uris></Plugin></Plugins></PluginVersionManifest>",
        ),
    ],
)
def test_a_secret_comes_into_no_row_and_no_report(path: str, text: str, tmp_path: Path) -> None:
    assert rows_of(path, text.encode())
    assert SECRET not in repr(rows_of(path, text.encode()))
    target = tmp_path / path
    target.parent.mkdir(parents=True)
    target.write_text(text, encoding="utf-8")
    assert SECRET.encode() not in to_json(scan([tmp_path]).report)


def test_empty_settings_are_no_fault() -> None:
    source = Source(f"{HANDLER}/config/0.settings", b"")
    recognised = recognise(source)
    assert recognised is not None
    parsed = recognised.parser.parse(source, ParseContext())
    assert (parsed.damage, [frame.rows.height for frame in parsed.frames]) == ((), [0])


# ---- single facts ----


def test_history_is_read_in_folders_and_in_archives_alike(tmp_path: Path) -> None:
    history = tmp_path / "var/lib/waagent/history"
    history.mkdir(parents=True)
    certificates = '[{"thumbprint": "AB12", "hasPrivateKey": false}]'
    with zipfile.ZipFile(history / "2025-03-01T02-09-00__5-12.zip", "w") as archive:
        archive.writestr("Certificates.json", certificates)
        archive.writestr("VmSettings.json", VM_SETTINGS)
    rows = {one.source: one for one in scan([tmp_path]).report.coverage if one.status == "read"}
    assert {one.parser for one in rows.values()} == {"certificates_json", "vm_settings_json"}
    [first, *_] = rows_of("history/2025-03-01T02-09-00__5-12.zip!VmSettings.json", VM_SETTINGS.encode())
    assert first["incarnation"] == "5"


def test_a_mount_point_and_sizes_that_no_integer_holds_are_null() -> None:
    [row] = rows_of("df.txt", b"Filesystem Size Used Avail Use% Mounted on\n/dev/sda1 99999999999E 1K - 1% /\n")
    assert (row["size_bytes"], row["used_bytes"], row["available_bytes"]) == (None, 1024, None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/dev/sda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n", "mounts"),
        ("/dev/sda1 / ext4 defaults 0 1\n", "fstab"),
        ("/dev/sda1 / ext4 rw 0 0\nUUID=1 /data xfs defaults 0 2\n", "fstab"),
    ],
)
def test_a_list_of_mounts_under_another_name_is_told_by_its_lines(text: str, kind: str) -> None:
    assert {row["kind"] for row in rows_of("copied.txt", text.encode())} == {kind}


def test_an_error_json_of_another_program_is_not_the_agents() -> None:
    recognised = recognise(Source("control-plane/error.json", b'{"error": {"code": "X", "message": "y"}}'))
    assert recognised is None or recognised.parser.name != "agent_error_json"

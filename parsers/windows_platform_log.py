"""Logs of the backup extension, of other extensions and of the platform's agents whose form is not documented.

Their names and folders are known, their lines are not (windows.md 0, 1.3, 2.4), so several forms of a line's head are
tried, and codes and names are looked for in whatever the lines say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import console_encoding, console_head
from loganalyzer.parser_windows import HANDLER_HEAD, read_fallback_log

_LOGSOURCE = LogSource("windows", "vmsnapshot")
_PLUGIN = r"(?:^|[/!])plugins/[^/!]+/\d[\d.]*/(?:[^/!]+/)*"
#: Any other log below the folder of an extension, with or without its version.
_ANY_PLUGIN = r"(?:^|[/!])windowsazure/logs/plugins/[^/!]+/(?:[^/!]+/)*"
#: By path: the service, and how sure the name alone makes us.
_KINDS = (
    (re.compile(r"(?:^|[/!])[^/!]*iaasbcdrextension[^/!]*\.log$"), "vmsnapshot", 85),
    (re.compile(rf"{_PLUGIN}(?:commandexecution(?:_\d+)?|install|update|heartbeat)\.log$"), "extension", 60),
    (re.compile(rf"{_ANY_PLUGIN}[^/!]+\.log$"), "extension", 35),
    (re.compile(r"(?:^|[/!])monitoringagent\.log$"), "monitoringagent", 60),
    (re.compile(r"windowsazure/logs/telemetry\.log$"), "telemetry", 60),
    (re.compile(r"(?:^|[/!])(?:app)?agentruntime\.log$"), "appagentruntime", 60),
    (re.compile(r"(?:^|[/!])(?:netagent-[^/!]*|vfplugin-[^/!]*)\.log$"), "netagent", 60),
)
_SNAPSHOT = "WindowsAzure/Logs/Plugins/Microsoft.Azure.RecoveryServices.VMSnapshot/1.0.92.0"


@dataclass(frozen=True, slots=True)
class WindowsPlatformLog:
    """One row an entry; the frame's service follows from the name of the file."""

    name: str = "windows_platform_log"
    title: str = "logs of Windows extensions and agents of an unknown form: IaaSBcdrExtension*.log and others"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = (
        "C:\\WindowsAzure\\Logs\\Plugins\\Microsoft.Azure.RecoveryServices.VMSnapshot\\<version>\\IaaSBcdrExtension*.log",
        "C:\\WindowsAzure\\Logs\\Plugins\\<name>\\<version>\\{CommandExecution*,Install,Update,Heartbeat}.log",
        "C:\\WindowsAzure\\Logs\\{MonitoringAgent,Telemetry,AppAgentRuntime,NetAgent-*}.log",
    )
    strongest = 85
    samples: tuple[Sample, ...] = (
        Sample(
            "heads like the agent's",
            f"{_SNAPSHOT}/IaaSBcdrExtension0.log",
            b"[00000012] [05/06/2024 07:08:01.44] [ERROR] ExtensionSnapshotFailedCOM: hr 0x8004e00f, "
            b"taskId: 7c9e6679-7425-40de-944b-e07fc1f90ae7\r\n   at Contoso.Snapshot.Take()\r\n",
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 440_000, tzinfo=UTC),
                    "time.assumed": None,
                    "log.level": "ERROR",
                    "error_name": "ExtensionSnapshotFailedCOM",
                    "hresult": "0x8004E00F",
                    "task_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
                },
            ),
        ),
        Sample(
            "a date without a zone",
            f"{_SNAPSHOT}/IaaSBcdrExtension1.log",
            b"2024-05-06 07:08:01.250 Error Freeze failed with 0xC0000022\n2024-05-06T07:08:02.250Z [INFO] done\n",
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 250_000, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "ntstatus": "0xC0000022",
                },
                {"message": "done", "log.level": "INFO", "time.assumed": None},
            ),
        ),
        Sample(
            "forms that change from line to line",
            f"{_SNAPSHOT}/IaaSBcdrExtension4.log",
            b"2024-05-06 07:08:01,250 ERROR Freeze failed\n2024-05-06T09:08:02.5+02:00 thaw\n"
            b"   at Contoso.Snapshot.Thaw()\n[00000012] 2024-05-06T07:08:03Z [INFO]  done\n",
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 250_000, tzinfo=UTC),
                    "log.level": "ERROR",
                    "message": "Freeze failed",
                },
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 2, 500_000, tzinfo=UTC),
                    "time.assumed": None,
                    "message": "thaw\n   at Contoso.Snapshot.Thaw()",
                },
                {"@timestamp": datetime(2024, 5, 6, 7, 8, 3, tzinfo=UTC), "process.thread.name": "00000012"},
            ),
        ),
        Sample(
            "dates of a region, day first",
            f"{_SNAPSHOT}/IaaSBcdrExtension5.log",
            b"13/05/2024 14:08:01.5 begin\r\n03/06/2024 07:08:02 end\r\n",
            (
                {
                    "@timestamp": datetime(2024, 5, 13, 14, 8, 1, 500_000, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC; day first, as other dates of the file "
                    "tell",
                },
                {"@timestamp": datetime(2024, 6, 3, 7, 8, 2, tzinfo=UTC), "message": "end"},
            ),
        ),
        Sample(
            "dates of a region, hours AM and PM",
            f"{_SNAPSHOT}/IaaSBcdrExtension6.log",
            b"5/6/2024 2:08:01 PM Warning slow\n",
            ({"@timestamp": datetime(2024, 5, 6, 14, 8, 1, tzinfo=UTC), "log.level": "Warning", "message": "slow"},),
        ),
        Sample(
            "hours alone are no time",
            f"{_SNAPSHOT}/IaaSBcdrExtension7.log",
            b"[14:08:01.250] begin\n14:08:02 end\n",
            ({"@timestamp": None, "message": "begin"}, {"@timestamp": None, "message": "end"}),
        ),
        Sample(
            "an extension that names its process and thread",
            "WindowsAzure/Logs/Plugins/Contoso.Script/1.2.3/ScriptHandler.log",
            b"[4312+00000007] [05/06/2024 07:08:01.44] [WARN] Fetch: System.Net.WebException: no answer\r\n"
            b"   at Contoso.Get()\r\n[4312+00000007] [05/06/2024 07:08:02.44] [ERROR] Fetch: gave up\r\n",
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 440_000, tzinfo=UTC),
                    "log.level": "WARN",
                    "process.thread.name": "00000007",
                    "exception": "System.Net.WebException",
                },
                {"log.level": "ERROR", "message": "Fetch: gave up"},
            ),
        ),
        Sample(
            "no head that is known",
            "WindowsAzure/Logs/Plugins/Contoso.Agent/1.2.3/Install.log",
            "begin\nSystem.IO.IOException: no room\nexit code 1603\n".encode("utf-16"),
            (
                {"@timestamp": None, "message": "begin"},
                {"exception": "System.IO.IOException"},
                {"exit_code": 1603},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name of the file or its folder, where the head is text."""
        folded = path.replace("\\", "/").lower()
        strength = next((strength for pattern, _, strength in _KINDS if pattern.search(folded)), None)
        if b"\0" in head[:4096] and not console_encoding(head).startswith("utf-16"):
            return None
        if strength is None:
            built = re.search(HANDLER_HEAD, console_head(head), re.MULTILINE)
            return Claim(45, "built like a log of an extension for Windows") if built else None
        return Claim(strength, "named like a log of an extension or agent for Windows")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an entry, or a line where no head is known."""
        folded = source.path.replace("\\", "/").lower()
        service = next((service for pattern, service, _ in _KINDS if pattern.search(folded)), "extension")
        return read_fallback_log(source, LogSource("windows", service), context)


parser: Parser = WindowsPlatformLog()

"""``WaAppAgent.log``: the log of the Windows agent (windows.md 2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_windows import HEAD, read_agent_log

_LOGSOURCE = LogSource("windows", "waappagent")
_NAME = r"(?:^|[/!])[^/!]*waappagent[^/!]*\.(?:log|txt)$"
#: Logs with the same heads that are not this one.
_OTHERS = re.compile(r"transparentinstaller|/plugins/|iaasbcdr|commandexecution", re.IGNORECASE)
_SNAPSHOT = "Microsoft.Azure.RecoveryServices.VMSnapshot"


@dataclass(frozen=True, slots=True)
class WaAppAgentLog:
    """Entries of the Windows agent."""

    name: str = "waappagent_log"
    title: str = "log of the Windows agent: WaAppAgent.log"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("C:\\WindowsAzure\\Logs\\WaAppAgent.log", "C:\\WindowsAzure\\Logs\\WaAppAgent.*.log")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "three eras in one file, and a head that was lost",
            "C/WindowsAzure/Logs/WaAppAgent.log",
            b"[00000006] [11/14/2019 05:52:13.44] [INFO]  WindowsAzureGuestAgent starting. Version 2.7.41491.949\r\n"
            b"[00000018] 2021-01-12T16:35:45Z [HEART] WindowsAzureGuestAgent Heartbeat.\r\n"
            b"[00000004] 2024-04-17T07:19:26.812Z [WARN]  Status file C:\\Packages\\Plugins\\"
            b"Microsoft.Azure.RecoveryServices.VMSnapshot\\1.0.92.0\\Status\\792.status is not available for the "
            b"Extension '' yet.\r\n[INFO]  StateExecutor initialization completed.\r\n",
            (
                {
                    "@timestamp": datetime(2019, 11, 14, 5, 52, 13, 440000, tzinfo=UTC),
                    "log.level": "INFO",
                    "process.thread.name": "00000006",
                    "agent_version": "2.7.41491.949",
                    "handler": None,
                },
                {
                    "@timestamp": datetime(2021, 1, 12, 16, 35, 45, tzinfo=UTC),
                    "log.level": "HEART",
                    "message": "WindowsAzureGuestAgent Heartbeat.",
                },
                {
                    "@timestamp": datetime(2024, 4, 17, 7, 19, 26, 812000, tzinfo=UTC),
                    "handler": _SNAPSHOT,
                    "handler_version": "1.0.92.0",
                    "sequence_number": 792,
                },
                {
                    "@timestamp": None,
                    "time.assumed": None,
                    "process.thread.name": None,
                    "message": "StateExecutor initialization completed.",
                },
            ),
        ),
        Sample(
            "an exception over several lines",
            "waappagent.txt",
            b"[00000012] 2024-04-17T07:19:26.812Z [ERROR] Install failed for plugin (name: Contoso.Backup.Agent, "
            b"version 1.0.3) with exception Command setup.exe of Contoso.Backup.Agent has exited with Exit code: 1618\n"
            b"System.BadImageFormatException: An attempt was made (Exception from HRESULT: 0x8007000b)\n"
            b"   at Contoso.Agent.Install()\n",
            (
                {
                    "log.level": "ERROR",
                    "handler": "Contoso.Backup.Agent",
                    "handler_version": "1.0.3",
                    "exit_code": 1618,
                    "hresult": "0x8007000B",
                    "exception": "System.BadImageFormatException",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the head of its lines; other logs share the head, so their names keep them out."""
        claim = claim_by(path, head, name=_NAME, content=HEAD, text="WaAppAgent.log")
        return None if claim is not None and claim.strength < 90 and _OTHERS.search(path) else claim

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an entry; all times are UTC."""
        return read_agent_log(source, self.logsource, context)


parser: Parser = WaAppAgentLog()

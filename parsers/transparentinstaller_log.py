"""``TransparentInstaller.log``: the log of the Windows agent's updater, RdAgent (windows.md 2.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_windows import HEAD, read_agent_log

_LOGSOURCE = LogSource("windows", "transparentinstaller")
_NAME = r"(?:^|[/!])[^/!]*transparentinstaller[^/!]*\.(?:log|txt)$"


@dataclass(frozen=True, slots=True)
class TransparentInstallerLog:
    """Entries of the updater; the grammar is that of WaAppAgent.log, so the name decides."""

    name: str = "transparentinstaller_log"
    title: str = "log of the Windows agent's updater: TransparentInstaller.log"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("C:\\WindowsAzure\\Logs\\TransparentInstaller*.log",)
    named = _NAME
    otherwise = 0
    samples: tuple[Sample, ...] = (
        Sample(
            "a broken machine.config",
            "C/WindowsAzure/Logs/TransparentInstaller.log",
            b"[00000004] [09/12/2021 04:22:07.00] [ERROR] System.Configuration.ConfigurationErrorsException: The type "
            b"'Contoso.Profiler' could not be loaded. (C:\\Windows\\machine.config line 242)\r\n"
            b"   at System.Configuration.BaseConfigurationRecord.EvaluateOne()\r\n",
            (
                {
                    "@timestamp": datetime(2021, 9, 12, 4, 22, 7, tzinfo=UTC),
                    "log.level": "ERROR",
                    "handler": None,
                    "exception": "System.Configuration.ConfigurationErrorsException",
                    "process.thread.name": "00000004",
                },
            ),
        ),
        Sample(
            "a report of the VM's health between its banners, in later stamps",
            "C/WindowsAzure/Logs/TransparentInstaller.log",
            b"[00000004] 2021-09-12T04:22:07Z [INFO]  ======== Microsoft Azure VM Health Report - Start "
            b"2021-09-12T04:22:07.1234567Z =========\r\n"
            b'{"reportTime":"2021-09-12T04:22:07.1Z","networkAdapters":[]}\r\n'
            b"======== Microsoft Azure VM Health Report - End 2021-09-12T04:22:08.1234567Z =========\r\n"
            b"[00000005] 2021-09-12T04:22:09.812Z [WARN] next\r\n",
            (
                {
                    "@timestamp": datetime(2021, 9, 12, 4, 22, 7, tzinfo=UTC),
                    "message": "======== Microsoft Azure VM Health Report - Start "
                    "2021-09-12T04:22:07.1234567Z =========\n"
                    '{"reportTime":"2021-09-12T04:22:07.1Z","networkAdapters":[]}\n'
                    "======== Microsoft Azure VM Health Report - End 2021-09-12T04:22:08.1234567Z =========",
                },
                {"@timestamp": datetime(2021, 9, 12, 4, 22, 9, 812_000, tzinfo=UTC), "log.level": "WARN"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name; the same lines under another name are WaAppAgent.log's."""
        if not re.search(_NAME, path.replace("\\", "/"), re.IGNORECASE):
            return None
        return claim_by(path, head, name=_NAME, content=HEAD, text="TransparentInstaller.log")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an entry; all times are UTC."""
        return read_agent_log(source, self.logsource, context)


parser: Parser = TransparentInstallerLog()

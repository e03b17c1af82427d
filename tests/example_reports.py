"""A report as a scan may give it, and texts that a hostile bundle may hold, for tests of what is made of a report."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from loganalyzer.redact import NOT_BUNDLE_TEXT
from loganalyzer.report.model import (
    SCHEMA,
    AttemptEntry,
    Bundle,
    CatalogueInfo,
    Citation,
    ContextEntry,
    Coverage,
    Diagnosis,
    Doc,
    ErrorEntry,
    Evidence,
    NextEvidence,
    PluginEntry,
    Receipt,
    Report,
    Rival,
    RuledOut,
    RulesRun,
    Tool,
    UnableRule,
    Unattributed,
    Undecided,
)

WHEN = datetime(2026, 3, 1, 2, 10, 32, 125000, tzinfo=UTC)
SAS = "hfRh7gz%2BUE7sUtYwq1Zk0PaLmN3vX9dC5bT8rJ4eW6y%3D"
WORD = "S3cr3t/Pa55w0rd"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def citation(original: str, source: str = "logs/WaAppAgent.log", line: int = 7) -> Citation:
    return Citation(source, line, line * 100, None, WHEN, original, sha256(original), False)


def evidence_of(
    original: str, source: str = "logs/AppLocker.evtx", offset: int = 4096, record: int | None = 61
) -> Evidence:
    return Evidence(
        kind="line" if record is None else "record",
        rule="6d1d7d3f-5f62-4a2f-9d0a-0f3e4f6f8a01",
        rule_title="AppLocker kept a program from running",
        role="supports",
        strength="definitive",
        source=source,
        line=12 if record is None else None,
        offset=offset,
        length=len(original),
        record_id=record,
        timestamp=WHEN,
        time_assumed=None,
        original=original,
        message=original,
        sha256=sha256(original),
        redacted=False,
        bounds=(),
        derived_from=(),
    )


def coverage_of(source: str, **changes: Any) -> Coverage:
    coverage = Coverage(
        source=source,
        logsource="windows/applocker",
        parser="evtx_log",
        why="named and built like an event log",
        bytes=69632,
        parsed_bytes=69632,
        rejected_bytes=0,
        skipped_bytes=0,
        lines=131,
        events=131,
        rejected=0,
        first=WHEN - timedelta(days=2),
        last=WHEN,
        gaps=(("2026-02-28T01:00:00Z", "2026-02-28T03:00:00Z"),),
        status="read",
        notes=(),
    )
    return replace(coverage, **changes)


DIAGNOSIS = Diagnosis(
    rank=1,
    cause="app-control-blocks-bcdr",
    title="AppLocker blocks IaaSBcdrExtension.exe",
    verdict="confirmed",
    summary="A rule of AppLocker or WDAC does not let the backup extension's program run, so no snapshot is taken.",
    platform="windows",
    first_seen=WHEN - timedelta(days=1),
    last_seen=WHEN,
    count=5,
    error_codes=("ExtensionSnapshotFailedNoSecureNetwork", "GuestAgentSnapshotTaskStatusError"),
    chain=("app-control-blocks-bcdr", "extension-command-not-run", "GuestAgentSnapshotTaskStatusError"),
    consequences=("vss-writer-timeout",),
    rivals=(Rival("antivirus-blocks-bcdr", "ruled out: no crash of the program is recorded in the window"),),
    remedies=("Allow the extension's publisher in the AppLocker policy.", "Start an on-demand backup."),
    docs=(Doc("Troubleshoot backup", "https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot"),),
    how="definitive rule in the window of attempt-1",
    evidence=tuple(
        evidence_of(f"{number}: IaaSBcdrExtension.exe was prevented from running.", offset=number)
        for number in range(5)
    ),
)

EXAMPLE = Report(
    schema=SCHEMA,
    tool=Tool("0.1.0"),
    catalogue=CatalogueInfo("2026.1", 90, 140),
    bundle=Bundle("/data/vm01.zip", "disk-inspect", "windows", ("VM01",), "0" * 64, WHEN - timedelta(days=2), WHEN),
    verdict="cause-found",
    diagnoses=(DIAGNOSIS,),
    errors=(
        ErrorEntry(
            "GuestAgentSnapshotTaskStatusError",
            "Could not communicate with the VM agent for snapshot status",
            "https://learn.microsoft.com/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout",
            ("app-control-blocks-bcdr",),
        ),
    ),
    attempts=(
        AttemptEntry("attempt-1", WHEN, WHEN + timedelta(minutes=5), "command", "failure", ("402",), ("a.log",)),
        AttemptEntry("attempt-2", WHEN, None, "unknown", "unfinished", (), ()),
    ),
    undecided=(Undecided("static-ip-in-guest", ("network-config",), ("ipconfig /all > ip.txt",), "not in the bundle"),),
    ruled_out=(RuledOut("antivirus-blocks-bcdr", "the log covers the window", (evidence_of("all well"),)),),
    clear=("agent-stopped-windows",),
    next_evidence=(
        NextEvidence(
            "codeintegrity-evtx",
            "Code Integrity channel",
            ("app-control-blocks-bcdr",),
            "not in the bundle",
            "wevtutil epl Microsoft-Windows-CodeIntegrity/Operational CodeIntegrity.evtx",
        ),
    ),
    receipt=Receipt(4, 90000, 89000, 400, 600, 1356, 90, WHEN - timedelta(days=2), WHEN, 30, "a cause is confirmed"),
    unattributed=(Unattributed("Error <*> in module <*>", 3, "Error 5 in module 7"),),
    coverage=(
        coverage_of("windows/winevt/Logs/Microsoft-Windows-AppLocker%4EXE and DLL.evtx"),
        coverage_of("cut.log.gz", status="partial", notes=("the gz ends early",), rejected=2, rejected_bytes=400),
        coverage_of("photo.jpg", status="unrecognised", why="nobody knows it", events=0, logsource=None, parser=None),
        coverage_of("inner.zip", status="archive", events=0, first=None, last=None, logsource=None, parser=None),
    ),
    rules=RulesRun(89, (UnableRule("user.yml", "field X is unknown"),)),
    plugins=(
        PluginEntry("loganalyzer.parsers", "acme_log", "acme-logs", "1.2", None),
        PluginEntry("loganalyzer.redactors", "names", "acme-logs", None, "TypeError: it is a str"),
    ),
)

HOSTILE = (
    "[red]markup[/red] [link=file:///etc/passwd]x[/link] \\[bold]",
    "\x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://evil\x1b\\link \x9b5A \x1b]52;c;never closed",
    "back\x08\x08 bell\x07 nul\x00 cr\rover\nwritten \x85 \u2028 next",
    "rtl \u202eexe.gpj\u202c \u2066iso\u2069 \u200b zero \U000e0041 tag \ud800 half",
    "x" * 1500,
    "漢字" * 200 + " e\u0301" * 50,
    "tab\tone\t\ttwo",
    "",
    "   \n\n  ",
)


def filled(value: Any, text: str) -> Any:
    """The value with ``text`` in every string that may come from a bundle."""
    if isinstance(value, str):
        return text
    if is_dataclass(value) and not isinstance(value, type):
        changes = {
            each.name: filled(getattr(value, each.name), text)
            for each in fields(value)
            if not each.metadata.get(NOT_BUNDLE_TEXT)
        }
        return replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(filled(inner, text) for inner in value)
    return value


def with_citations(report: Report) -> Report:
    gap = replace(DIAGNOSIS.evidence[0], kind="gap", bounds=(citation("before"), citation("after", line=9)))
    value = replace(DIAGNOSIS.evidence[0], kind="value", derived_from=(citation("Extensions.Enabled=n"),))
    near = ContextEntry(True, None, 60, WHEN, "60: the program was started.")
    first = replace(DIAGNOSIS.evidence[0], context=(near, replace(near, before=False, record_id=62)))
    return replace(report, diagnoses=(replace(DIAGNOSIS, evidence=(gap, value, first, *DIAGNOSIS.evidence[1:])),))

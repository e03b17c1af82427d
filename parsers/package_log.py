"""Histories with a line a package: ``dpkg.log``, ``zypp/history``, ``dnf.rpm.log``, and the table of ``dnf history``.

Sources: dpkg(1), the ZYpp history format, the log files of dnf(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_listing import Rejected, cited, console_lines, listing
from loganalyzer.parser_packages import LOGSOURCE, PACKAGE_COLUMNS, action_of, local_time, package_of

_NAME = (
    r"(?:^|[/!])(?:dpkg\.log(?:\.\d+)?|zypp[/!]history(?:-\d+)?|[^/!]*zypp[^/!]*history[^/!]*"
    r"|dnf\.rpm\.log(?:[.-]\d+)?)$"
)
_STAMP = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"
_DPKG = re.compile(
    rf"^{_STAMP} (?P<action>install|upgrade|remove|purge|disappear|configure|trigproc|status \S+|startup|conffile) "
    r"(?P<package>[^\s:]+)(?::(?P<arch>\S+))?(?: (?P<old>\S+))?(?: (?P<new>\S+))?\s*$"
)
_ZYPP = re.compile(rf"^{_STAMP}\|(?P<action>[a-z]+) *\|(?P<rest>.*)$")
_RPM = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d{4})?) (?:SUBDEBUG|INFO) "
    r"(?P<action>Install|Installed|Upgrade|Upgraded|Update|Updated|Downgrade|Downgraded|Reinstall|Reinstalled|Erase"
    r"|Erased|Remove|Removed|Obsoleted|Cleanup): (?P<package>\S+)\s*$"
)
_RPM_OTHER = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d{4})? (?:SUBDEBUG|DEBUG|INFO|DDEBUG|WARNING|ERROR)\b"
)
_HISTORY = re.compile(
    r"^ *(?P<id>\d{1,6}) \| (?P<command>[^|]*?) *\| (?P<time>\d{4}-\d\d-\d\d \d\d:\d\d) \| (?P<action>[^|]*?) *\|"
)
_CONTENT = "|".join(
    (
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:status \S+ \S+:\S+ \S|startup (?:archives|packages) "
        r"|(?:install|upgrade|remove) \S+:\S+ \S+ \S)",
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\|(?:install|remove|command|patch|radd|rremove|update|upgrade) *\|",
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d{4})? SUBDEBUG "
        r"(?:Install|Upgrad|Eras|Remov|Reinstall|Downgrad|Obsolet)\w*: \S",
        r"^ *\d{1,6} \| [^|\n]{0,200} \| \d{4}-\d\d-\d\d \d\d:\d\d \| ",
    )
)
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class PackageLog:
    """One row a line."""

    name: str = "package_log"
    title: str = "package histories: dpkg.log, zypp/history, dnf.rpm.log, dnf history"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "var/log/dpkg.log*",
        "var/log/zypp/history",
        "var/log/dnf.rpm.log*",
        "dnf history > a.txt",
    )
    named = _NAME
    otherwise = 50

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every tool."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By lines of one of the forms, with the name or without."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="a history of packages")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a line; a line of no form is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        rows: list[Mapping[str, object]] = []
        for line in lines:
            text = line.text.rstrip()
            row = None if "\0" in text or len(text) > _LONGEST else _row(text, context.time_zone)
            if row is not None:
                rows.append(cited([line]) | {"message": text} | row)
            elif not (line.blank or text.startswith(("#", "ID ", "---")) or _RPM_OTHER.match(text[:_LONGEST])):
                rejected.append(Rejected(line, "no line of a history of packages"))
        return listing(source, self.logsource, lines, rows, PACKAGE_COLUMNS, rejected)


def _row(text: str, zone: str | None) -> dict[str, object] | None:
    if found := _DPKG.match(text):
        old, new = (None if one in (None, "<none>") else one for one in (found["old"], found["new"]))
        action = action_of(found["action"])
        if action in ("remove", "trigproc", "configure") or action.startswith("status"):
            old, new = None, old
        row = {"tool": "dpkg", "action": action, "package": found["package"], "arch": found["arch"]}
        return row | {"old_version": old, "version": new} | local_time(found["time"], zone)
    if found := _ZYPP.match(text):
        fields = [field.strip() for field in found["rest"].split("|")] + [""] * 3
        row = {"tool": "zypper", "action": action_of(found["action"])}
        if found["action"] in ("install", "remove"):
            row |= {"package": fields[0] or None, "version": fields[1] or None, "arch": fields[2] or None}
        elif found["action"] == "command":
            row["command"] = fields[1].replace("' '", " ").strip("'") or None
        return row | local_time(found["time"], zone)
    if found := _RPM.match(text):
        row = {"tool": "dnf", "action": action_of(found["action"])}
        return row | package_of(found["package"]) | local_time(found["time"], zone)
    if found := _HISTORY.match(text):
        row = {"tool": "dnf history", "action": action_of(found["action"]), "command": found["command"]}
        return row | local_time(found["time"], zone)
    return None


_TIME = datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC)
_ASSUMED = "local time of an unknown zone, read as UTC"


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "dpkg",
            "var/log/dpkg.log",
            b"2025-03-01 02:10:03 startup archives unpack\n"
            b"2025-03-01 02:10:03 upgrade walinuxagent:amd64 2.2.45-0ubuntu1 2.2.46-0ubuntu1\n"
            b"2025-03-01 02:10:03 status half-configured walinuxagent:amd64 2.2.45-0ubuntu1\n"
            b"2025-03-01 02:10:03 remove walinuxagent:amd64 2.2.46-0ubuntu1 <none>\nodd\n",
            (
                {"tool": "dpkg", "action": "startup", "@timestamp": _TIME, "time.assumed": _ASSUMED},
                {
                    "action": "upgrade",
                    "package": "walinuxagent",
                    "arch": "amd64",
                    "version": "2.2.46-0ubuntu1",
                    "old_version": "2.2.45-0ubuntu1",
                },
                {"action": "status half-configured", "version": "2.2.45-0ubuntu1", "old_version": None},
                {"action": "remove", "package": "walinuxagent", "version": "2.2.46-0ubuntu1"},
            ),
            rejected=1,
        ),
        Sample(
            "zypper",
            "var/log/zypp/history",
            b"# 2025-03-01 02:10:03 python-azure-agent installed\n"
            b"2025-03-01 02:10:03|command|root@vm01|'zypper' 'up'|\n"
            b"2025-03-01 02:10:03|install|python-azure-agent|2.2.49.2-7.1|noarch|root@vm01|SLES|0a1b|\n"
            b"2025-03-01 02:10:03|remove |dhcp|4.3-1|x86_64|root@vm01|\n",
            (
                {"tool": "zypper", "action": "command", "command": "zypper up", "package": None},
                {"action": "install", "package": "python-azure-agent", "version": "2.2.49.2-7.1", "arch": "noarch"},
                {"action": "remove", "package": "dhcp"},
            ),
        ),
        Sample(
            "dnf",
            "var/log/dnf.rpm.log",
            b"2025-03-01T02:10:02Z INFO --- logging initialized ---\n"
            b"2025-03-01T02:10:03Z SUBDEBUG Upgraded: WALinuxAgent-2.7.0.6-8.el8_6.noarch\n"
            b"2025-03-01T03:10:03+0100 SUBDEBUG Erase: cloud-init-0:22.1-1.el8.noarch\n",
            (
                {
                    "tool": "dnf",
                    "action": "upgrade",
                    "package": "WALinuxAgent",
                    "version": "2.7.0.6-8.el8_6",
                    "arch": "noarch",
                    "@timestamp": _TIME,
                    "time.assumed": None,
                },
                {"action": "remove", "package": "cloud-init", "version": "22.1-1.el8", "@timestamp": _TIME},
            ),
        ),
        Sample(
            "dnf history",
            "history.txt",
            b"ID     | Command line             | Date and time    | Action(s)      | Altered\n"
            b"-----------------------------------------------------------------------------\n"
            b"     7 | update -y WALinuxAgent   | 2025-03-01 02:10 | Upgrade        |    1   \n",
            ({"tool": "dnf history", "action": "upgrade", "command": "update -y WALinuxAgent", "package": None},),
        ),
    )


parser: Parser = PackageLog()

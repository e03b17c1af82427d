"""``/var/log/apt/history.log``: a paragraph a run, one row a package of it. Source: apt's own files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, key_value, listing, paragraphs
from loganalyzer.parser_packages import LOGSOURCE, PACKAGE_COLUMNS, action_of, local_time

_NAME = r"(?:^|[/!])(?:apt[/!_-]?)?history\.log(?:\.\d+)?$"
_CONTENT = r"^Start-Date: \d{4}-\d\d-\d\d  ?\d\d:\d\d:\d\d"
_KEYS = frozenset({"Start-Date", "End-Date", "Commandline", "Requested-By", "Error", "Comment", "Recommends"})
_ACTIONS = frozenset({"Install", "Upgrade", "Remove", "Purge", "Downgrade", "Reinstall"})
_PACKAGE = re.compile(
    r"([a-z0-9][a-z0-9+.-]{0,127})(?::(\w{1,16}))?(?: \(([^(),]{1,200})(?:, ([^()]{1,200}))?\))?(?:, |$)"
)


@dataclass(frozen=True, slots=True)
class AptHistory:
    """One row a package, and one for a run that changed none."""

    name: str = "apt_history"
    title: str = "history of apt"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("var/log/apt/history.log*",)
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "an upgrade, and a run that failed",
            "var/log/apt/history.log",
            b"\nStart-Date: 2025-03-01  02:10:03\nCommandline: /usr/bin/unattended-upgrade\n"
            b"Install: linux-azure:amd64 (5.15.0.1, automatic)\n"
            b"Upgrade: walinuxagent:amd64 (2.2.45-0ubuntu1, 2.2.46-0ubuntu1), tzdata:all (1, 2)\n"
            b"End-Date: 2025-03-01  02:10:09\n\n"
            b"Start-Date: 2025-03-02  02:10:03\nCommandline: apt-get -f install\nwhat is this\n"
            b"Error: Sub-process /usr/bin/dpkg returned an error code (1)\nEnd-Date: 2025-03-02  02:10:04\n",
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "tool": "apt",
                    "action": "install",
                    "package": "linux-azure",
                    "version": "5.15.0.1",
                    "command": "/usr/bin/unattended-upgrade",
                    "log.line": 4,
                },
                {
                    "action": "upgrade",
                    "package": "walinuxagent",
                    "arch": "amd64",
                    "old_version": "2.2.45-0ubuntu1",
                    "version": "2.2.46-0ubuntu1",
                    "log.line": 5,
                },
                {"package": "tzdata", "log.line": 5},
                {"action": "error", "package": None, "command": "apt-get -f install", "log.line": 11},
            ),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the first line of a run."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="the history of apt")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a package; a line without a known key is rejected."""
        lines = console_lines(source.data)
        known = _KEYS | _ACTIONS
        rejected = [
            Rejected(line, "no line of apt's history")
            for line in lines
            if not line.blank and (key_value(line.text) or ("", ""))[0] not in known
        ]
        rows = [row for run in paragraphs(lines) for row in _run(run, context.time_zone)]
        return listing(source, self.logsource, lines, rows, PACKAGE_COLUMNS, rejected)


def _run(run: Sequence[Line], zone: str | None) -> Iterator[Mapping[str, object]]:
    pairs = [(line, pair) for line in run if (pair := key_value(line.text))]
    told = {key: value for _, (key, value) in pairs}
    shared = local_time(" ".join(told.get("Start-Date", "").split()), zone)
    shared |= {"tool": "apt", "command": told.get("Commandline")}
    for line, (key, value) in pairs:
        if key == "Error":
            yield shared | cited([line]) | {"action": "error", "message": line.text.strip()}
        for found in _PACKAGE.finditer(value) if key in _ACTIONS else ():
            row = {"action": action_of(key), "package": found[1], "arch": found[2], "version": found[4] or found[3]}
            if found[4] == "automatic":
                row["version"] = found[3]
            elif found[4]:
                row["old_version"] = found[3]
            yield shared | cited([line]) | row | {"message": f"{key}: {found[0].removesuffix(', ')}"}


parser: Parser = AptHistory()

"""``WALinuxAgent-<version>/error.json``: failures of a version of the Linux agent (linux.md 3.11).

The daemon does not start a version that failed fatally once, or three times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from loganalyzer.event_time import read_time
from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_json import UnreadableError, compact, int_of, member, read_json, text_of, whole_file_rows

_LOGSOURCE = LogSource("linux", "agent_error", "status")
_VERSION_IN_PATH = re.compile(r"(?:^|[/!])WALinuxAgent-(\d+(?:\.\d+)+)[/!][^/!]*$", re.IGNORECASE)
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "agent_version": pl.String(),
    "failure_count": pl.Int64(),
    "was_fatal": pl.Boolean(),
    "reason": pl.String(),
    "disallowed": pl.Boolean(),
}
#: Failures after which the daemon leaves a version alone (linux.md 3.11).
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class AgentErrorJson:
    """One row: ``@timestamp`` is the last failure; ``disallowed`` whether the daemon leaves this version alone."""

    name: str = "agent_error_json"
    title: str = "failures of a version of the Linux agent: WALinuxAgent-<version>/error.json"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("/var/lib/waagent/WALinuxAgent-<version>/error.json",)
    named = r"(?:^|[/!])WALinuxAgent-[\d.]+[/!]error\.json$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a version that failed three times",
            "var/lib/waagent/WALinuxAgent-2.9.1.1/error.json",
            b'{"last_failure": 1740795003.5, "failure_count": 3, "was_fatal": false, "reason": "exit code 1"}',
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, 500000, tzinfo=UTC),
                    "kind": "agent_error",
                    "agent_version": "2.9.1.1",
                    "failure_count": 3,
                    "was_fatal": False,
                    "reason": "exit code 1",
                    "disallowed": True,
                    "message": "WALinuxAgent-2.9.1.1 failed 3 times: exit code 1",
                },
            ),
        ),
        Sample(
            "a version that never failed",
            "var/lib/waagent/WALinuxAgent-2.15.0.1/error.json",
            b'{"last_failure": 0.0, "failure_count": 0, "was_fatal": false}',
            ({"@timestamp": None, "failure_count": 0, "disallowed": False},),
        ),
        Sample(
            "a version that failed for good",
            "var/lib/waagent/WALinuxAgent-2.10.0.8/error.json",
            b'{"last_failure": 1740795003, "failure_count": 1, "was_fatal": true, "reason": ""}',
            ({"was_fatal": True, "disallowed": True},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the keys; the name ``error.json`` says nothing outside of the agent's folder."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r'\A\s*\{(?=[^{}]*"last_failure"\s*:)(?=[^{}]*"failure_count"\s*:)[^{}]*"was_fatal"\s*:',
            text="the agent's record of its failures",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row; anything but an object is rejected."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        if not isinstance(value, dict):
            return rejected_whole(source, "no record of failures: the JSON is no object")
        return whole_file_rows(source, self.logsource, (_row(source.path, value),), _COLUMNS)


def _row(path: str, value: object) -> dict[str, object]:
    found = _VERSION_IN_PATH.search(path.replace("\\", "/"))
    version = found[1] if found else None
    count, fatal = int_of(member(value, "failure_count")), member(value, "was_fatal") is True
    reason = text_of(member(value, "reason")) or None
    last = member(value, "last_failure")
    return {
        "@timestamp": read_time(last, None)[0] if last else None,
        "kind": "agent_error",
        "agent_version": version,
        "failure_count": count,
        "was_fatal": fatal,
        "reason": reason,
        "disallowed": fatal or (count or 0) >= _MOST_FAILURES,
        "message": f"WALinuxAgent-{version or '?'} failed {count} times" + (f": {reason}" if reason else ""),
        "event.original": compact(value),
    }


parser: Parser = AgentErrorJson()

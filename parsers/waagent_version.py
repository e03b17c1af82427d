"""Output of ``waagent -version``: the versions of the Linux agent, of its child and of Python.

The first line names the installed package and the system, the last the version that runs (linux.md 2.2). An agent that
cannot be started answers with an error instead: of Python, or of the shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_listing import Rejected, cited, console_lines, listing

_LOGSOURCE = LogSource("linux", "agent_version", "config")
_COLUMNS: Mapping[str, pl.DataType] = CONFIG_COLUMNS
_FIRST = re.compile(r"^WALinuxAgent-(\d+(?:\.\d+)+)(?: running on (\S.*))?$")
_FURTHER = re.compile(r"^(Python|Goal state agent): (\S+)$")
_COMMAND = re.compile(r"^\S*[$#>]")
#: The last line of a traceback, and the shell's words for a program that it cannot run.
_ERROR = re.compile(
    r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|DistributionNotFound)\b(?:: .*)?"
    r"|\S*(?:sh|sudo|env)\b.*(?:waagent|python)\S*: .*(?:not found|No such file|bad interpreter|Permission denied).*)$"
)
#: What stands between an error and the one that came of it.
_GOES_ON = re.compile(r"^(?:During handling of the above exception|The above exception was the direct cause)")
_IN_TRACEBACK = re.compile(r"^(?:Traceback \(most recent call last\):|\s+\S.*)$")


@dataclass(frozen=True, slots=True)
class WaagentVersion:
    """One row a version: the keys daemon_version, os, python_version and agent_version; or one an ``error``."""

    name: str = "waagent_version"
    title: str = "output of waagent -version"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("waagent-version.txt",)
    named = r"(?:^|[/!])[^/!]*(?:waagent|agent)[-_ ]?version[^/!]*$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a package whose child is newer",
            "waagent-version.txt",
            b"$ waagent --version\nWALinuxAgent-2.2.46 running on ubuntu 18.04\nPython: 3.6.9\n"
            b"Goal state agent: 2.9.1.1\n",
            (
                {"key": "daemon_version", "value": "2.2.46", "effective": True, "log.line": 2},
                {"key": "os", "value": "ubuntu 18.04"},
                {"key": "python_version", "value": "3.6.9"},
                {"key": "agent_version", "value": "2.9.1.1", "message": "Goal state agent: 2.9.1.1"},
            ),
        ),
        Sample(
            "an agent that Python cannot load",
            "waagent-version.txt",
            b"# waagent -version\nTraceback (most recent call last):\n"
            b'  File "/usr/sbin/waagent", line 27, in <module>\n    import azurelinuxagent.agent as agent\n'
            b"ModuleNotFoundError: No module named 'azurelinuxagent'\n",
            (
                {
                    "key": "error",
                    "value": "ModuleNotFoundError: No module named 'azurelinuxagent'",
                    "message": "ModuleNotFoundError: No module named 'azurelinuxagent'",
                    "log.line": 5,
                },
            ),
        ),
        Sample(
            "an agent of the goal state, and an error that came of another one",
            "answer.txt",
            b"Traceback (most recent call last):\n"
            b'  File "bin/WALinuxAgent-2.9.1.1-py3.8.egg/azurelinuxagent/common/future.py", line 77, in get\n'
            b"AttributeError: module 'platform' has no attribute '_supported_dists'\n\n"
            b"During handling of the above exception, another exception occurred:\n\n"
            b"Traceback (most recent call last):\n"
            b'  File "bin/WALinuxAgent-2.9.1.1-py3.8.egg/__main__.py", line 4, in <module>\n'
            b"ModuleNotFoundError: No module named 'distro'\n",
            ({"key": "error", "value": "ModuleNotFoundError: No module named 'distro'", "log.line": 9},),
        ),
        Sample(
            "no agent where the shell looks for it",
            "waagent_version.txt",
            b"bash: waagent: command not found\n",
            ({"key": "error", "value": "bash: waagent: command not found"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By its lines alone; the name helps. A log of the agent has a time in front of the same words."""
        claim = claim_by(path, head, name=self.named, content=_HEAD, text="the output of waagent -version")
        return claim if claim is not None and claim.strength > 20 else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows by line; a line that is none of the output's is rejected."""
        lines = console_lines(source.data)
        rows, rejected = list[dict[str, object]](), []
        for line in lines:
            if _GOES_ON.match(line.text):  # the error above is not what it ended with
                rows = [row for row in rows if row["key"] != "error"]
                continue
            found = dict(_values(line.text.strip()))
            rows += [
                cited([line]) | {"key": key, "value": value, "effective": True, "message": line.text.strip()}
                for key, value in found.items()
            ]
            if not (found or line.blank or _COMMAND.match(line.text) or _IN_TRACEBACK.match(line.text)):
                rejected.append(Rejected(line, "no line of the output of waagent -version"))
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


_FILE = r"(?:/waagent\", line \d+, in <module>|/azurelinuxagent/\S+\.py\", line \d|WALinuxAgent-\d\S*\.py\", line \d)"
_HEAD = (
    r"^WALinuxAgent-\d+(?:\.\d+)+ running on \S.*\s+Python: \d"
    rf'|^Traceback \(most recent call last\):\r?\n  File "\S*{_FILE}'
    r"|\A(?:\S*[$#>] ?waagent .*\n)?\S*(?:sh|sudo): (?:line \d+: |\d+: )?(?:\S*/)?waagent: (?:command )?not found"
)


def _values(text: str) -> list[tuple[str, str]]:
    if found := _FIRST.match(text):
        return [("daemon_version", found[1])] + ([("os", found[2])] if found[2] else [])
    if found := _FURTHER.match(text):
        return [("python_version" if found[1] == "Python" else "agent_version", found[2])]
    return [("error", text)] if _ERROR.match(text) else []


parser: Parser = WaagentVersion()

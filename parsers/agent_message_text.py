"""Messages of the Linux agent without time and level, as tickets, portals and chats quote them.

Such a text says what it is by wordings that nobody but the agent has. It stands in for the agent's log where that is
missing; beside it, it is mostly a copy of one of its lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import polars as pl

from loganalyzer.parser import HEAD_SIZE, Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, Rejected, cited, console_head, console_lines, listing, paragraphs
from loganalyzer.schema import EventFrame, conform

_LOGSOURCE = LogSource("linux", "console")

#: Errors of the agent's own classes (linux.md 2.1), and the files of the agent and of handlers in what it passes on.
_OWN_WORDS = re.compile(
    r"\[(?:Extension(?:Operation|Update|Download|sGoalState|sConfig)?|MultiConfigExtensionEnable|Agent(?:Update|Config"
    r"|FamilyMissing|Network)|Protocol(?:NotFound)?|IncompleteGoalState|GoalStateMismatch|ResourceGone|InvalidContainer"
    r"|Http|OSUtil|Dhcp|Crypt|Provision|ResourceDisk|Cgroups)(?:Error|Exception)\] "
    r"|Non-zero exit code: -?\d{1,10}, \S{0,200}/var/lib/waagent/"
    r'|File "[^"\n]{0,200}(?:/sbin/waagent|/azurelinuxagent/[\w/]{1,100}\.py|/var/lib/waagent/[^"\n]{1,200})", line \d'
    r"|Failed to decrypt /var/lib/waagent/"
)
#: A line of a log has a parser of its own; it only quotes the agent.
_LOG_LINE = re.compile(
    r"^\W{0,3}(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )", re.MULTILINE
)
_NAME = re.compile(r"\.(?:txt|log|md|out)$", re.IGNORECASE)
#: Such a text is short.
_LONGEST = HEAD_SIZE


@dataclass(frozen=True, slots=True)
class AgentMessageText:
    """One row a paragraph; the time is not known."""

    name: str = "agent_message_text"
    title: str = "message of the Linux agent without time and level, as a ticket quotes it"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("error.txt: an error of the agent that somebody copied",)
    strongest = 12

    @property
    def samples(self) -> tuple[Sample, ...]:
        """An extension that could not be installed, and two paragraphs."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By words that only the agent has, in a short text without times; whoever knows the form goes first."""
        if len(head) >= _LONGEST or not _NAME.search(path):
            return None
        text = console_head(head)
        if "\0" in text or _LOG_LINE.search(text) or not _OWN_WORDS.search(text):
            return None
        return Claim(12, "holds an error in words of the Linux agent")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; its rows stand in for the agent's log (``agent_stamp``) where there is none."""
        lines = console_lines(source.data)
        bad = [Rejected(line, "not text: the line holds NUL characters") for line in lines if "\0" in line.text]
        good = [line if "\0" not in line.text else _blank(line) for line in lines]
        rows = [cited(run) | {"message": _message(run)} for run in paragraphs(good)]
        found = listing(
            source, self.logsource, lines, rows, {"handler": pl.String(), "handler_version": pl.String()}, bad
        )
        [frame] = found.frames
        own = frame.rows.with_columns(agent_stamp=pl.lit(""))
        return replace(found, frames=(EventFrame(self.logsource, conform(own)),))


def _blank(line: Line) -> Line:
    return replace(line, text="")


def _message(run: list[Line]) -> str:
    return "\n".join(line.text.rstrip() for line in run).strip()


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "an extension that could not be installed",
            "error.txt",
            b"[ExtensionOperationError] Non-zero exit code: 51, /var/lib/waagent/Contoso.Tools.Probe-1.4.2/bin/probe.sh"
            b" --install\n[stderr]\nno such distribution\n",
            (
                {
                    "@timestamp": None,
                    "log.line": 1,
                    "message": "[ExtensionOperationError] Non-zero exit code: 51, "
                    "/var/lib/waagent/Contoso.Tools.Probe-1.4.2/bin/probe.sh --install\n[stderr]\nno such distribution",
                },
            ),
        ),
        Sample(
            "two paragraphs",
            "ticket.txt",
            b"the agent says\n\n[ProtocolError] Fetched goal state without a RoleInstance [incarnation 7]\n",
            (
                {"message": "the agent says", "log.line": 1},
                {"message": "[ProtocolError] Fetched goal state without a RoleInstance [incarnation 7]", "log.line": 3},
            ),
        ),
    )


parser: Parser = AgentMessageText()

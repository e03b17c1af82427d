"""``GoalState(.N).xml``: what the platform wants of the VM (linux.md 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_xml import LOGSOURCE, PLACEHOLDER, content, elements, name_of, read_goal_state_file, setting_row


@dataclass(frozen=True, slots=True)
class GoalStateXml:
    """One row an element that holds text; the placeholder of newer agents is one row of its own kind."""

    name: str = "goal_state_xml"
    title: str = "goal state: GoalState.xml"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("/var/lib/waagent/GoalState.<N>.xml", "/var/lib/waagent/history/*/GoalState.xml")
    named = r"(?:^|[/!])GoalState(?:\.\d+)?\.xml$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "the wanted state of a VM",
            "var/lib/waagent/history/2025-03-01T02-09-00__5/GoalState.xml",
            b'<?xml version="1.0" encoding="utf-8"?>\n<GoalState>\n  <Incarnation>5</Incarnation>\n'
            b"  <Machine><ExpectedState>Started</ExpectedState></Machine>\n</GoalState>\n",
            (
                {"kind": "goal_state", "incarnation": "5", "key": "Incarnation", "value": "5", "log.line": 3},
                {
                    "kind": "goal_state",
                    "incarnation": "5",
                    "key": "ExpectedState",
                    "value": "Started",
                    "state": "started",
                    "event.original": "<ExpectedState>Started</ExpectedState>",
                },
            ),
        ),
        Sample(
            "the placeholder is no damage",
            "var/lib/waagent/GoalState.1.xml",
            b"<xml>empty placeholder file</xml>",
            ({"kind": "placeholder", "event.original": "<xml>empty placeholder file</xml>"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the root element."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=rf"<(?:\w+:)?GoalState[\s>]|<xml>{PLACEHOLDER}</xml>",
            text="a goal state",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows in document order."""
        return read_goal_state_file(source, "GoalState", _rows)


def _rows(root: etree._Element) -> Iterator[tuple[etree._Element, dict[str, object]]]:
    for element in elements(root):
        value = content(element)
        if value is not None and len(element) == 0:
            key = name_of(element)
            state = value.lower() if key in ("ExpectedState", "State") else None
            yield element, setting_row("goal_state", key, value) | {"state": state}


parser: Parser = GoalStateXml()

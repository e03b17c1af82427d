"""``SharedConfig.xml``: the instances of a deployment and their addresses (linux.md 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_xml import LOGSOURCE, attribute, elements, name_of, read_goal_state_file, setting_row

_ATTRIBUTES = {
    "Deployment": ("name",),
    "Incarnation": ("number", "instance"),
    "Role": ("name",),
    "Instance": ("id", "address"),
}


@dataclass(frozen=True, slots=True)
class SharedConfigXml:
    """One row a name or address."""

    name: str = "shared_config_xml"
    title: str = "instances of a deployment: SharedConfig.xml"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("/var/lib/waagent/SharedConfig.xml", "/var/lib/waagent/history/*/SharedConfig.xml")
    named = r"(?:^|[/!])SharedConfig(?:\.\d+)?\.xml$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "one instance",
            "var/lib/waagent/SharedConfig.xml",
            b'<SharedConfig version="1.0.0.0" goalStateIncarnation="5">\n  <Instances>\n'
            b'    <Instance id="_vm01" address="10.0.0.4"/>\n  </Instances>\n</SharedConfig>\n',
            (
                {"kind": "shared_config", "key": "goalStateIncarnation", "value": "5"},
                {"kind": "shared_config", "key": "Instance.id", "value": "_vm01", "log.line": 3},
                {"kind": "shared_config", "key": "Instance.address", "value": "10.0.0.4", "incarnation": "5"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the root element; a goal state has an element of that name without attributes."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r"<(?:\w+:)?SharedConfig\s[^>]*=",
            text="a shared configuration",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows in document order."""
        return read_goal_state_file(source, "SharedConfig", _rows)


def _rows(root: etree._Element) -> Iterator[tuple[etree._Element, dict[str, object]]]:
    yield root, setting_row("shared_config", "goalStateIncarnation", attribute(root, "goalStateIncarnation"))
    for element in elements(root, *_ATTRIBUTES):
        for key in _ATTRIBUTES[name_of(element)]:
            if value := attribute(element, key):
                yield element, setting_row("shared_config", f"{name_of(element)}.{key}", value)


parser: Parser = SharedConfigXml()

"""``HostingEnvironmentConfig.xml``: names of deployment, role and instance (linux.md 3.4).

Values of ``ApplicationSettings`` can be secrets of classic services; none of them is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_xml import LOGSOURCE, attribute, elements, name_of, read_goal_state_file, setting_row

_ATTRIBUTES = {"Deployment": ("name",), "Incarnation": ("number", "instance"), "Role": ("name",)}


@dataclass(frozen=True, slots=True)
class HostingEnvironmentXml:
    """One row a name; ``Incarnation.instance`` is the VM's, by which the snapshot extension knows its machine."""

    name: str = "hosting_environment_xml"
    title: str = "names of a deployment: HostingEnvironmentConfig.xml"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/HostingEnvironmentConfig.xml",
        "/var/lib/waagent/history/*/HostingEnvironmentConfig.xml",
    )
    named = r"(?:^|[/!])HostingEnvironmentConfig(?:\.\d+)?\.xml$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a VM and its deployment",
            "var/lib/waagent/HostingEnvironmentConfig.xml",
            b'<HostingEnvironmentConfig version="1.0.0.0" goalStateIncarnation="5">\n  <Deployment name="d-1"/>\n'
            b'  <Incarnation number="1" instance="_vm01"/>\n  <ApplicationSettings>'
            b'<Setting name="Key" value="secret"/></ApplicationSettings>\n</HostingEnvironmentConfig>\n',
            (
                {"kind": "hosting_environment", "key": "goalStateIncarnation", "value": "5", "incarnation": "5"},
                {"kind": "hosting_environment", "key": "Deployment.name", "value": "d-1", "log.line": 2},
                {"kind": "hosting_environment", "key": "Incarnation.number", "value": "1"},
                {"kind": "hosting_environment", "key": "Incarnation.instance", "value": "_vm01"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the root element; a goal state has an element of that name without attributes."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r"<(?:\w+:)?HostingEnvironmentConfig\s[^>]*=",
            text="a hosting environment",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows in document order."""
        return read_goal_state_file(source, "HostingEnvironmentConfig", _rows)


def _rows(root: etree._Element) -> Iterator[tuple[etree._Element, dict[str, object]]]:
    yield root, setting_row("hosting_environment", "goalStateIncarnation", attribute(root, "goalStateIncarnation"))
    for element in elements(root, *_ATTRIBUTES):
        for key in _ATTRIBUTES[name_of(element)]:
            if value := attribute(element, key):
                yield element, setting_row("hosting_environment", f"{name_of(element)}.{key}", value)


parser: Parser = HostingEnvironmentXml()

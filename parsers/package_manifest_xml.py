"""``*.manifest.xml``, ``*.agentsManifest``: which versions of an extension or of the agent there are (linux.md 3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_xml import LOGSOURCE, content, elements, name_of, read_goal_state_file

#: ``waagent.Prod.manifest.xml``, ``Example.Handler.5.manifest.xml``, ``Prod.5.agentsManifest``.
_NAME = re.compile(r"(?:^|[/!])(?P<name>[^/!]+?)(?:\.\d+)?\.(?:manifest\.xml|agentsManifest)$", re.IGNORECASE)

_CONTENT = r"<(?:\w+:)?PluginVersionManifest[\s>]"


@dataclass(frozen=True, slots=True)
class PackageManifestXml:
    """One row a version: ``handler`` is the name of the file, ``state`` internal for versions of InternalPlugins."""

    name: str = "package_manifest_xml"
    title: str = "versions of an extension or of the agent: *.manifest.xml"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/<name>.<N>.manifest.xml",
        "/var/lib/waagent/<family>.<N>.agentsManifest",
        "/var/lib/waagent/history/*/<name>.manifest.xml",
    )
    named = _NAME.pattern
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "two versions, one of them internal",
            "var/lib/waagent/history/2025-03-01T02-09-00__5/Example.Handler.manifest.xml",
            b'<?xml version="1.0" encoding="utf-8"?>\n<PluginVersionManifest>\n<Plugins><Plugin>'
            b"<Version>1.0.2</Version>"
            b"<Uris><Uri>https://example.invalid/a.zip?sig=x</Uri></Uris></Plugin></Plugins>\n"
            b"<InternalPlugins><Plugin><Version>1.0.3</Version></Plugin></InternalPlugins></PluginVersionManifest>",
            (
                {
                    "kind": "package",
                    "incarnation": "5",
                    "handler": "Example.Handler",
                    "handler_version": "1.0.2",
                    "state": None,
                    "message": "Example.Handler 1.0.2",
                    "event.original": "<Version>1.0.2</Version>",
                    "log.line": 3,
                },
                {"handler_version": "1.0.3", "state": "internal"},
            ),
        ),
        Sample(
            "a family of the agent without versions",
            "var/lib/waagent/Prod.1.manifest.xml",
            b"<PluginVersionManifest><Plugins></Plugins></PluginVersionManifest>",
            (),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the root element; what an agentsManifest without it holds is not known."""
        claim = claim_by(path, head, name=_NAME.pattern, content=_CONTENT, text="a list of versions")
        guessed = claim is not None and claim.strength <= 20 and path.lower().endswith(".agentsmanifest")
        return None if guessed else claim

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows in document order."""
        named = _NAME.search(source.path.replace("\\", "/"))
        name = named["name"] if named else None

        def rows(root: etree._Element) -> Iterator[tuple[etree._Element, dict[str, object]]]:
            return _rows(root, name)

        return read_goal_state_file(source, "PluginVersionManifest", rows)


def _rows(root: etree._Element, name: str | None) -> Iterator[tuple[etree._Element, dict[str, object]]]:
    for element in elements(root, "Version"):
        plugin = element.getparent()
        group = plugin.getparent() if plugin is not None else None
        version = content(element)
        if version is None or group is None:
            continue
        yield (
            element,
            {
                "kind": "package",
                "handler": name,
                "handler_version": version,
                "state": "internal" if name_of(group) == "InternalPlugins" else None,
                "key": "Version",
                "value": version,
                "message": f"{name or 'unnamed'} {version}",
            },
        )


parser: Parser = PackageManifestXml()

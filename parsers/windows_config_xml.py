"""Configuration of the Windows agent and of .NET as XML: the agent's ``Config`` folder, ``machine.config``.

One row an attribute, and one an element's own text. A file that cannot be read to its end is damage and evidence: .NET
programs do not start on such a machine.config.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from lxml import etree

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, decode, rejected_whole
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_listing import Line, cited, console_head, console_lines, listing
from loganalyzer.parser_xml import XML_LIMIT

_LOGSOURCE = LogSource("windows", "configfile", "config")
#: ``kind``: machine_config, agent (its folder ``Config``), or program (the ``.config`` beside a program).
_COLUMNS: Mapping[str, pl.DataType] = {"kind": pl.String(), **CONFIG_COLUMNS}
_NAMED = re.compile(r"(?:^|[/!])windowsazure/config/[^!]*\.xml$|\.exe\.config$|(?:^|[/!])machine\.config$")
_CONFIGURATION = re.compile(r"\A\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<configuration[\s>]", re.DOTALL)
_XML = re.compile(r"\A\s*<[?A-Za-z!]")
_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]*\?>")
_SECRET = re.compile(r"password|secret|key$|token|connectionstring|certificate|protectedsettings|blob|machinekey", re.I)
_HIDDEN = "<left out>"
#: Rows of one file; the file itself has the rest.
_MOST = 20_000

_TEXT = (
    '<?xml version="1.0"?>\r\n<configuration>\r\n  <runtime enabled="true" />\r\n  <appSettings>\r\n'
    '    <add key="Level" value="Verbose" sharedKey="abc" />\r\n  </appSettings>\r\n  <note>plain</note>\r\n'
    "</configuration>\r\n"
)


@dataclass(frozen=True, slots=True)
class WindowsConfigXml:
    """One row a setting; ``section`` is the path of elements."""

    name: str = "windows_config_xml"
    title: str = "XML configuration of the Windows agent and of .NET: WindowsAzure\\Config, machine.config"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = (
        "C:\\WindowsAzure\\Config\\*.xml",
        "C:\\WindowsAzure\\GuestAgent_<version>\\WindowsAzureGuestAgent.exe.config",
        "C:\\Windows\\Microsoft.NET\\Framework64\\v4.0.30319\\Config\\machine.config",
    )
    strongest = 80
    samples: tuple[Sample, ...] = (
        Sample(
            "settings of an agent",
            "WindowsAzure/GuestAgent_2.7.41491.1172/WindowsAzureGuestAgent.exe.config",
            _TEXT.encode(),
            (
                {
                    "kind": "program",
                    "section": "configuration/runtime",
                    "key": "enabled",
                    "value": "true",
                    "log.line": 3,
                },
                {"section": "configuration/appSettings/add", "key": "key", "value": "Level"},
                {"key": "value", "value": "Verbose", "log.line": 5},
                {"key": "sharedKey", "value": _HIDDEN, "event.original": "sharedKey=<left out>"},
                {"section": "configuration", "key": "note", "value": "plain"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name, or the root ``configuration``; goal states in the same folder are their own parsers'."""
        text = console_head(head)
        named = _NAMED.search(path.replace("\\", "/").lower()) is not None
        if _CONFIGURATION.search(text):
            return Claim(80 if named else 40, "an XML configuration of .NET")
        return Claim(35, "an XML file of the agent's configuration") if named and _XML.search(text) else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a setting, without the values of secrets."""
        if not source.data.strip():
            return listing(source, self.logsource, console_lines(source.data), [], _COLUMNS)
        if source.size > XML_LIMIT:
            return rejected_whole(source, f"an XML document of more than {XML_LIMIT >> 20} MiB is not read")
        text = decode(source.data)
        if re.search(r"<!DOCTYPE", text[:4096], re.IGNORECASE):
            return rejected_whole(source, "refused: the document declares a DOCTYPE, which no configuration has")
        root, fault = _parsed(text)
        if root is None:
            return rejected_whole(source, f"not XML: {fault or 'it holds no element'}")
        lines = console_lines(source.data, longest=None)
        rows: list[dict[str, object]] = []
        for element, row in _settings(root):
            if len(rows) >= _MOST:
                break
            rows.append(row | _place(element, lines, row))
        kind = _kind(source.path)
        rows = [row | {"kind": kind} for row in sorted(rows, key=_line_of)]
        parsed = listing(source, self.logsource, lines, rows, _COLUMNS)
        damage = (fault,) if fault else ()
        cut = (f"only the first {_MOST} settings became rows",) if len(rows) >= _MOST else ()
        return Parsed(parsed.frames, parsed.parsed_bytes, parsed.lines, damage=damage, cut=cut)


def _kind(path: str) -> str:
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    return "machine_config" if name == "machine.config" else "program" if name.endswith(".config") else "agent"


def _line_of(row: Mapping[str, object]) -> int:
    return int(str(row["log.line"]))


def _parsed(text: str) -> tuple[etree._Element | None, str | None]:
    parser = etree.XMLParser(
        encoding="utf-8", recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    undeclared = _DECLARATION.sub(lambda found: "\n" * found[0].count("\n"), text.rstrip("\0"))
    try:
        root = etree.fromstring(undeclared.encode(errors="replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return None, str(error)
    faults = [entry for entry in parser.error_log if entry.level >= etree.ErrorLevels.ERROR]
    return root, f"line {faults[0].line}: {faults[0].message}" if faults else None


def _settings(root: etree._Element) -> Iterator[tuple[etree._Element, dict[str, object]]]:
    """Elements in their order, each with the path of those around it."""
    paths: dict[etree._Element, str] = {}
    for element in root.iter(etree.Element):
        name = str(element.tag).rpartition("}")[2]
        parent = element.getparent()
        above = paths.get(parent, "") if parent is not None else ""
        path = f"{above}/{name}".lstrip("/")[:500]
        paths[element] = path
        for key, value in element.attrib.items():
            yield element, _row(path, str(key).rpartition("}")[2], str(value))
        text = (element.text or "").strip()
        if text and len(element) == 0:
            yield element, _row(above, name, text)


def _row(section: str, key: str, value: str) -> dict[str, object]:
    shown = _HIDDEN if _SECRET.search(key) and key.lower() != "key" else value[:2048]
    return {"section": section, "key": key, "value": shown, "effective": True, "message": f"{key}={shown}"}


def _place(element: etree._Element, lines: list[Line], row: Mapping[str, object]) -> dict[str, object]:
    """The line on which the element begins. Other attributes on it may be secrets, so only this one is shown."""
    number = min(max(int(str(element.sourceline or 1)), 1), len(lines))
    return cited([lines[number - 1]]) | {"event.original": row["message"]}


parser: Parser = WindowsConfigXml()

"""Registry values as text: ``reg export`` (.reg) and ``reg query`` output, one row a value (windows.md 2.7).

A key that is there without values is a row, too: Windows keeps pending restarts as keys alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_listing import Line, Rejected, cited, console_head, console_lines, listing
from loganalyzer.parser_registry import (
    HIDDEN,
    LOGSOURCE,
    LONGEST_VALUE,
    REGISTRY_COLUMNS,
    VALUE_TYPES,
    registry_row,
    value_text,
)

_ROOTS = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKU": "HKEY_USERS",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKCC": "HKEY_CURRENT_CONFIG",
}
_ROOT = r"HKEY_(?:LOCAL_MACHINE|CURRENT_USER|USERS|CLASSES_ROOT|CURRENT_CONFIG)|HK(?:LM|CU|U|CR|CC)"
_EXPORT_KEY = re.compile(rf"^\[(-?)((?:{_ROOT})(?:\\.*)?)\]\s*$", re.IGNORECASE)
_QUERY_KEY = re.compile(rf"^((?:{_ROOT})(?:\\.*)?)\s*$", re.IGNORECASE)
_EXPORT_VALUE = re.compile(r'^(@|"(?:[^"\\]|\\.)*")=(.*)$', re.DOTALL)
_QUERY_VALUE = re.compile(r"^ {4}(.+?) {4}(REG_[A-Z_]+|<[^>]*>)(?: {4}(.*))?$")
_HEAD = re.compile(r"\A\s*(?:Windows Registry Editor Version 5\.00|REGEDIT4)\s*$", re.MULTILINE)
_QUERY_HEAD = re.compile(rf"^(?:{_ROOT})\\\S.*\s*\n {{4}}.+? {{4}}REG_[A-Z_]+", re.MULTILINE | re.IGNORECASE)
_KEY_ALONE = re.compile(
    r"^(?:HKLM|HKEY_LOCAL_MACHINE)\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\(?:Component Based Servicing"
    r"\\RebootPending|WindowsUpdate\\Auto Update\\RebootRequired)\s*$",
    re.MULTILINE | re.IGNORECASE,
)

_EXPORT = (
    "Windows Registry Editor Version 5.00\r\n\r\n"
    "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\VSS]\r\n"
    '"Start"=dword:00000004\r\n"ImagePath"=hex(2):25,00,53,00,\\\r\n  00,00\r\n"ObjectName"="LocalSystem"\r\n\r\n'
    "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\"
    "Component Based Servicing\\RebootPending]\r\n\r\n"
    "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Session Manager]\r\n"
    '"PendingFileRenameOperations"=hex(7):5c,00,3f,00,00,00,00,00\r\n'
)
_QUERY = (
    "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\BcdrAgentPersistentKeys\r\n"
    "    SnapshotMethod    REG_SZ    firstHostThenGuest\r\n"
    "    Threads    REG_DWORD    0x10\r\n    (Default)    REG_SZ    \r\n\r\n"
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class WindowsRegistryText:
    """One row a value, and one a key without values."""

    name: str = "windows_registry_text"
    title: str = "registry values as text: .reg files, reg query"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "reg export HKLM\\SOFTWARE\\Microsoft\\BcdrAgent bcdr.reg",
        "reg query ... > registry.txt",
    )
    strongest = 90
    samples: tuple[Sample, ...] = (
        Sample(
            "an export in UTF-16",
            "services.reg",
            _EXPORT.encode("utf-16"),
            (
                {
                    "section": "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\VSS",
                    "hive": "SYSTEM",
                    "key": "Start",
                    "value": "4",
                    "value_type": "REG_DWORD",
                    "service": "VSS",
                },
                {"key": "ImagePath", "value": "%S", "value_type": "REG_EXPAND_SZ", "log.line": 5},
                {"key": "ObjectName", "value": "LocalSystem", "value_type": "REG_SZ"},
                {"key": None, "hive": "SOFTWARE", "pending_restart": True},
                {"key": "PendingFileRenameOperations", "value": "\\?", "pending_restart": True},
            ),
        ),
        Sample(
            "reg query",
            "registry.txt",
            _QUERY.encode(),
            (
                {"key": "SnapshotMethod", "value": "firstHostThenGuest", "hive": "SOFTWARE"},
                {"key": "Threads", "value": "16", "value_type": "REG_DWORD"},
                {"key": "(Default)", "value": ""},
                {"key": None, "pending_restart": True},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By an export's first line, or by keys with values as ``reg query`` prints them."""
        text = console_head(head).replace("\r\n", "\n")
        if _HEAD.search(text):
            return Claim(90, "begins like a registry export")
        if _QUERY_HEAD.search(text) or _KEY_ALONE.search(text):
            return Claim(60, "built like output of reg query")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a value; the registry's own times are not in such text."""
        lines = console_lines(source.data)
        rows: list[dict[str, object]] = []
        rejected: list[Rejected] = []
        section: str | None = None
        for run in _joined(lines):
            line, text = run[0], "".join(one.text.strip() if place else one.text for place, one in enumerate(run))
            text = text.replace("\\\x00", "")
            key = _EXPORT_KEY.match(text) or _QUERY_KEY.match(text)
            if key is not None:
                section = _full(key[key.lastindex or 0])
                rows.append(registry_row(section, None, None, None) | cited(run))
            elif section is not None and (found := _value(run)):
                if rows and rows[-1]["section"] == section and rows[-1]["key"] is None:
                    rows.pop()
                row = registry_row(section, *found)
                rows.append(row | cited(run) | ({"event.original": row["message"]} if row["value"] == HIDDEN else {}))
            elif not line.blank and section is not None and not text.startswith((";", "C:\\", "PS ")):
                rejected.append(Rejected(line, "neither a registry key nor a value"))
        if not rows and source.data.strip() and not _HEAD.search(console_head(source.data)):
            return rejected_whole(source, "no registry key in it")
        return listing(source, self.logsource, lines, rows, REGISTRY_COLUMNS, rejected)


def _joined(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines with those that a backslash at their end goes on with."""
    run: list[Line] = []
    for line in lines:
        run.append(line)
        if not (line.text.endswith("\\") and ("hex" in run[0].text[:400] or len(run) > 1) and len(run) < 5000):
            yield run
            run = []
    if run:
        yield run


def _value(run: Sequence[Line]) -> tuple[str, str | None, str] | None:
    """Name, value and type of a line of either form."""
    if found := _QUERY_VALUE.match(run[0].text):
        raw = (found[3] or "").strip()
        number = re.fullmatch(r"0x([0-9A-Fa-f]{1,16})", raw)
        return found[1], str(int(number[1], 16)) if number else raw, found[2]
    text = "".join(line.text.strip().removesuffix("\\") if line is not run[-1] else line.text.strip() for line in run)
    found = _EXPORT_VALUE.match(text)
    if found is None:
        return None
    name = "(Default)" if found[1] == "@" else re.sub(r"\\(.)", r"\1", found[1][1:-1])
    return name, *_exported(found[2].strip())


def _exported(raw: str) -> tuple[str | None, str]:
    if raw.startswith('"'):
        return re.sub(r"\\(.)", r"\1", raw[1:].removesuffix('"')), "REG_SZ"
    if number := re.fullmatch(r"dword:([0-9A-Fa-f]{1,8})", raw, re.IGNORECASE):
        return str(int(number[1], 16)), "REG_DWORD"
    found = re.match(r"hex(?:\(([0-9a-f])\))?:([0-9A-Fa-f,\s]*)", raw, re.IGNORECASE)
    if found is None:
        return raw or None, "unknown"
    kind = VALUE_TYPES.get(3 if found[1] is None else int(found[1], 16), "unknown")
    digits = re.sub(r"[^0-9A-Fa-f]", "", found[2])[: 4 * LONGEST_VALUE]
    data = bytes.fromhex(digits[: len(digits) // 2 * 2])
    return value_text(kind, data), kind


def _full(path: str) -> str:
    root, mark, rest = path.partition("\\")
    return f"{_ROOTS.get(root.upper(), root.upper())}{mark}{rest}".rstrip("\\")


parser: Parser = WindowsRegistryText()

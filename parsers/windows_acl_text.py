"""Rights on files as ``icacls`` and ``cacls`` list them, in any language.

Names of groups are in the system's language and rights are not; well-known groups are told by the names that they have
in the languages of Windows Server, or by their SIDs. The folder MachineKeys has by default Everyone with read and
write, and Administrators with full control. Sources: icacls, cacls, well-known SIDs of Windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, Rejected, cited, console_head, console_lines, listing

_LOGSOURCE = LogSource("windows", "acl", "config")

#: ``kind``: entry, or summary (one a path, in front of its entries). ``account`` is as printed, ``sid`` that of a
#: well-known one. ``rights``: simple rights and flags as letters with blanks between them, as ``OI CI F``.
#: ``denied``: a right is taken away. Of a summary, ``everyone``, ``administrators`` and ``system``: what these have on
#: the path itself: none, deny, read, write (read and write) or full.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "path": pl.String(),
    "account": pl.String(),
    "sid": pl.String(),
    "rights": pl.String(),
    "denied": pl.Boolean(),
    "inherited": pl.Boolean(),
    "entries": pl.Int64(),
    "everyone": pl.String(),
    "administrators": pl.String(),
    "system": pl.String(),
}
_EVERYONE, _ADMINISTRATORS, _SYSTEM = "S-1-1-0", "S-1-5-32-544", "S-1-5-18"
#: Names of the groups behind their domain, casefolded.
_SIDS = {
    **dict.fromkeys(
        (
            "everyone",
            "jeder",
            "tout le monde",
            "todos",
            "tutti",
            "iedereen",
            "alla",
            "alle",
            "kaikki",
            "wszyscy",
            "все",
        ),
        _EVERYONE,
    ),
    **dict.fromkeys(("herkes", "mindenki", "everyone", "すべてのユーザー", "모든 사용자", "所有人"), _EVERYONE),
    **dict.fromkeys(
        (
            "administrators",
            "administratoren",
            "administrateurs",
            "administradores",
            "administratorzy",
            "administratörer",
        ),
        _ADMINISTRATORS,
    ),
    **dict.fromkeys(("amministratori", "administrators", "администраторы", "rendszergazdák"), _ADMINISTRATORS),
    **dict.fromkeys(("system", "système", "sistema", "rendszer", "система"), _SYSTEM),
}
_PATH = r"(?P<path>[A-Za-z]:\\[^:*?\"<>|]{0,400}?)"
_ACCOUNT = r"(?P<account>[^\s:()][^:()\"<>|]{0,120}?)"
_RIGHTS = r"(?P<rights>(?:\([A-Za-z, ]{1,80}\)){1,8}|(?:\([A-Za-z]{2}\)){0,4}[NRWCF]\b)"
_FIRST = re.compile(rf"^{_PATH} {_ACCOUNT}:{_RIGHTS}\s*$")
_MORE = re.compile(rf"^\s{{2,}}{_ACCOUNT}:{_RIGHTS}\s*$")
#: ``Successfully processed 1 files; Failed processing 0 files``, whatever the language.
_TOTAL = re.compile(r"^\D{0,80}\d+\D{1,120}\d+\D{0,120}$")
_COMMAND = re.compile(r"^\s*(?:[A-Za-z]:\\[^>\n]{0,120}>|PS [^>\n]{0,120}>|[$#>])")
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class WindowsAclText:
    """One row a path and one an entry of its list."""

    name: str = "windows_acl_text"
    title: str = "rights on files of Windows: icacls, cacls"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("icacls C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys > machinekeys.txt",)
    strongest = 65

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What is the default, in English and German, and what is not."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By a path with an account and rights behind it."""
        lines = [line.rstrip()[:_LONGEST] for line in console_head(head).splitlines()]
        return Claim(65, "built like output of icacls") if any(map(_FIRST.match, lines)) else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows by line; a line that is none of the output is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        rows = [row for block in _blocks(lines, rejected) for row in _rows(block)]
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _blocks(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[list[Line]]:
    """The lines of each path."""
    block: list[Line] = []
    for line in lines:
        text = line.text.rstrip()
        odd = "\0" in text or len(text) > _LONGEST
        if not odd and _FIRST.match(text):
            if block:
                yield block
            block = [line]
        elif not odd and block and _MORE.match(text):
            block.append(line)
        elif odd or not (line.blank or _TOTAL.match(text) or _COMMAND.match(text)):
            rejected.append(Rejected(line, "no line of icacls"))
    if block:
        yield block


def _rows(block: Sequence[Line]) -> Iterator[dict[str, object]]:
    first = _FIRST.match(block[0].text.rstrip())
    path = _shortest(first["path"], block) if first else ""
    entries = []
    for line in block:
        text = line.text.rstrip()
        found = _MORE.match(" " * 8 + text[len(path) :].lstrip() if line is block[0] else text)
        if found:
            entries.append((line, _entry(path, found["account"], found["rights"])))
    told = [entry for _, entry in entries]
    words = {name: _has(told, sid) for name, sid in (("everyone", _EVERYONE), ("administrators", _ADMINISTRATORS))}
    words["system"] = _has(told, _SYSTEM)
    said = ", ".join(f"{name}: {word}" for name, word in words.items())
    yield {"kind": "summary", "path": path, "entries": len(told), "message": f"{path} {said}", **words, **cited(block)}
    for line, entry in entries:
        yield entry | cited([line])


def _shortest(path: str, block: Sequence[Line]) -> str:
    """The path without the first words of an account with blanks: the lines below begin where the account does."""
    if len(block) > 1:
        text = block[0].text
        indent = block[1].indent
        if text[:indent].rstrip() and text[indent - 1 : indent] == " ":
            return text[:indent].rstrip()
    return path


def _entry(path: str, account: str, rights: str) -> dict[str, object]:
    groups = re.findall(r"\(([^()]*)\)", rights)
    letters = [letter.strip().upper() for group in groups for letter in group.split(",")]
    letters += [rights[-1].upper()] if not rights.endswith(")") else []
    plain = account.rpartition("\\")[2].strip().casefold()
    sid = plain.upper() if re.fullmatch(r"\*?s-1-[\d-]{1,100}", plain) else _SIDS.get(plain)
    return {
        "kind": "entry",
        "path": path,
        "account": account.strip(),
        "sid": sid.lstrip("*") if sid else None,
        "rights": " ".join(letters),
        "denied": bool({"DENY", "N"} & set(letters)),
        "inherited": "I" in letters,
        "message": f"{path} {account.strip()}:{rights}",
    }


def _has(entries: Sequence[Mapping[str, object]], sid: str) -> str:
    """What a group may do on the path itself: entries that only hand on (``IO``) do not count."""
    own = [entry for entry in entries if entry["sid"] == sid and "IO" not in str(entry["rights"]).split()]
    if any(entry["denied"] for entry in own):
        return "deny"
    letters = {letter for entry in own for letter in str(entry["rights"]).split()}
    if "F" in letters:
        return "full"
    if letters & {"M", "C"} or {"R", "W"} <= letters or {"RX", "W"} <= letters:
        return "write"
    return "read" if letters & {"R", "RX", "GR", "W", "GW"} else "none"


_DEFAULT = (
    "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys Everyone:(R,W)\r\n"
    "                                                 BUILTIN\\Administrators:(F)\r\n\r\n"
    "Successfully processed 1 files; Failed processing 0 files\r\n"
)
_GERMAN = (
    "c:\\programdata\\microsoft\\crypto\\rsa\\machinekeys VORDEFINIERT\\Administratoren:(RX)\r\n"
    "                                                 NT-AUTORITÄT\\SYSTEM:(DENY)(W)\r\n"
    "                                                 Jeder:(OI)(CI)(IO)(F)\r\n"
    "                                                 S-1-5-21-1-2-3-500:(I)(F)\r\n"
    "1 Dateien erfolgreich verarbeitet, bei 0 Dateien ist ein Verarbeitungsfehler aufgetreten.\r\n"
)


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "the default",
            "machinekeys.txt",
            _DEFAULT.encode(),
            (
                {
                    "kind": "summary",
                    "path": "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys",
                    "entries": 2,
                    "everyone": "write",
                    "administrators": "full",
                    "system": "none",
                },
                {"kind": "entry", "account": "Everyone", "sid": "S-1-1-0", "rights": "R W", "denied": False},
                {"account": "BUILTIN\\Administrators", "sid": "S-1-5-32-544", "rights": "F", "log.line": 2},
            ),
        ),
        Sample(
            "another, on a German system",
            "icacls.txt",
            _GERMAN.encode("cp850"),
            (
                {"everyone": "none", "administrators": "read", "system": "deny", "entries": 4},
                {"account": "VORDEFINIERT\\Administratoren", "rights": "RX"},
                {"sid": "S-1-5-18", "denied": True, "rights": "DENY W"},
                {"account": "Jeder", "rights": "OI CI IO F", "inherited": False},
                {"sid": "S-1-5-21-1-2-3-500", "inherited": True},
            ),
        ),
        Sample(
            "cacls, with an account of two words",
            "cacls.txt",
            b"C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys NT AUTHORITY\\SYSTEM:F \r\n"
            b"                                                 Everyone:(OI)(CI)R \r\nodd line\r\n",
            (
                {"system": "full", "everyone": "read", "administrators": "none"},
                {"account": "NT AUTHORITY\\SYSTEM", "rights": "F"},
                {"account": "Everyone", "rights": "OI CI R"},
            ),
            rejected=1,
        ),
    )


parser: Parser = WindowsAclText()

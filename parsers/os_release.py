"""``/etc/os-release``, ``/etc/lsb-release``, ``/etc/redhat-release`` and the like: which Linux this is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import NEITHER, Setting, read_settings

_LOGSOURCE = LogSource("linux", "os", "config")
_NAME = r"(?:^|[/!])[a-z]+-release$"
_CONTENT = (
    r"\A(?:(?:#[^\n]*|[ \t\r]*|[A-Z_]+ ?=[^\n]*)\n){0,64}(?:PRETTY_NAME|VERSION_ID|DISTRIB_ID|CPE_NAME)="
    r"|\A[A-Z][^\n=]{0,100} release \d[^\n=]{0,60}\s*\Z"
)
_PAIR = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*\Z")


@dataclass(frozen=True, slots=True)
class OsRelease:
    """Keys of os-release; the one line of a redhat-release has the key ``release``."""

    name: str = "os_release"
    title: str = "the Linux distribution: /etc/os-release, /etc/*-release"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("/etc/os-release", "/usr/lib/os-release", "/etc/*-release")
    samples: tuple[Sample, ...] = (
        Sample(
            "quotes of the shell are taken off",
            "etc/os-release",
            b"NAME=\"SLES\"\nVERSION_ID='15.5'\nID=sles\n# end\n",
            (
                {"key": "NAME", "value": "SLES", "effective": True},
                {"key": "VERSION_ID", "value": "15.5"},
                {"key": "ID", "value": "sles", "log.line": 3},
            ),
        ),
        Sample(
            "a file of one line",
            "etc/redhat-release",
            b"Red Hat Enterprise Linux Server release 7.9 (Maipo)\n",
            ({"key": "release", "value": "Red Hat Enterprise Linux Server release 7.9 (Maipo)"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name ``*-release`` and the usual keys, or one line that names a release."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="an os-release file")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a key; a second line without a key is rejected."""
        return read_settings(source, self.logsource, _line_reader())


def _line_reader() -> Callable[[str], Setting | str | None]:
    """Reads the lines of one file: the first that has no key is the name of the release (also in SuSE-release)."""
    named = False

    def read_line(line: str) -> Setting | str | None:
        nonlocal named
        if not line.strip() or line.lstrip().startswith("#"):
            return None
        if pair := _PAIR.match(line):
            return Setting(pair[1], _unquoted(pair[2]))
        if named:
            return NEITHER
        named = True
        return Setting("release", line.strip())

    return read_line


def _unquoted(value: str) -> str:
    """The value as a shell would read it: one pair of quotes off, its escapes undone (os-release(5))."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


parser: Parser = OsRelease()

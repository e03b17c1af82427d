"""``/etc/os-release``, ``/etc/lsb-release``, ``/etc/redhat-release`` and the like, ``lsb_release -a``: which Linux."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import NEITHER, Setting, read_settings

_LOGSOURCE = LogSource("linux", "os", "config")
#: Files of this kind are small; a larger one goes by its keys only.
_LARGEST = 4096
_NAME = r"(?:^|[/!])(?:[a-z][a-z0-9_-]*-release(?:-upstream|-cpe)?|debian_version)$"
_CONTENT = (
    r"\A(?:(?:#[^\n]*|[ \t\r]*|[A-Z_]+ ?=[^\n]*)\n){0,64}(?:PRETTY_NAME|VERSION_ID|DISTRIB_ID|CPE_NAME)="
    r"|\A[A-Z][^\n=]{0,100} release \d[^\n=]{0,60}\s*\Z"
    r"|^Distributor ID:[ \t]+\S[^\n]*\n(?:[A-Z][A-Za-z]+:[ \t][^\n]*\n?)+"
)
#: Under its name, a file of one line is enough: a name with a version, or a version alone; keys may follow.
_ONE_LINE = (
    r"\A(?:[A-Za-z][^\n=]{0,100} \d[^\n=]{0,60}|cpe:/o:[^\n]{1,100}|\d+(?:\.\d+)*|[a-z]+/sid|[A-Za-z_]+ ?=[^\n]*)\s*?"
    r"(?:\n(?:#|[A-Za-z_]+ ?=)[^\n]*)*\s*\Z"
)
#: What ``lsb_release -a`` prints, to the keys that /etc/lsb-release has for it.
_LSB_KEYS = {
    "Distributor ID": "DISTRIB_ID",
    "Description": "DISTRIB_DESCRIPTION",
    "Release": "DISTRIB_RELEASE",
    "Codename": "DISTRIB_CODENAME",
    "LSB Version": "LSB_VERSION",
}
_LSB = re.compile(rf"({'|'.join(_LSB_KEYS)}):[ \t]+(.*?)\s*\Z")
_NO_MODULES = "No LSB modules are available."
_PAIR = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*\Z")


@dataclass(frozen=True, slots=True)
class OsRelease:
    """Keys of os-release; the one line of a redhat-release has the key ``release``."""

    name: str = "os_release"
    title: str = "the Linux distribution: /etc/os-release, /etc/*-release"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("/etc/os-release", "/usr/lib/os-release", "/etc/*-release", "lsb_release -a > lsb.txt")
    named = _NAME
    otherwise = 50
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
        Sample(
            "a name and keys of the vendor's own",
            "etc/mariner-release",
            b"CBL-Mariner 2.0.20230721\nMARINER_BUILD_NUMBER=ce1cfb5\n",
            ({"key": "release", "value": "CBL-Mariner 2.0.20230721"}, {"key": "MARINER_BUILD_NUMBER"}),
        ),
        Sample(
            "what it was built from",
            "etc/almalinux-release-upstream",
            b"Derived from Red Hat Enterprise Linux 8.8\n",
            ({"key": "release", "value": "Derived from Red Hat Enterprise Linux 8.8"},),
        ),
        Sample("a version alone", "etc/debian_version", b"12.5\n", ({"key": "release", "value": "12.5"},)),
        Sample(
            "an identifier",
            "etc/system-release-cpe",
            b"cpe:/o:redhat:enterprise_linux:8::baseos\n",
            ({"key": "release", "value": "cpe:/o:redhat:enterprise_linux:8::baseos"},),
        ),
        Sample(
            "lsb_release -a",
            "lsb_release.txt",
            b"No LSB modules are available.\nDistributor ID:\tUbuntu\nDescription:\tUbuntu 22.04.4 LTS\n"
            b"Release:\t22.04\n",
            (
                {"key": "DISTRIB_ID", "value": "Ubuntu", "log.line": 2},
                {"key": "DISTRIB_DESCRIPTION", "value": "Ubuntu 22.04.4 LTS"},
                {"key": "DISTRIB_RELEASE", "value": "22.04"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name ``*-release`` and the usual keys, or one line that names a release."""
        named = re.search(_NAME, path.replace("\\", "/"), re.IGNORECASE) is not None and len(head) < _LARGEST
        content = f"(?:{_CONTENT})|(?:{_ONE_LINE})" if named else _CONTENT
        return claim_by(path, head, name=_NAME, content=content, text="an os-release file")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a key; a second line without a key is rejected."""
        return read_settings(source, self.logsource, _line_reader())


def _line_reader() -> Callable[[str], Setting | str | None]:
    """Reads the lines of one file: the first that has no key is the name of the release (also in SuSE-release)."""
    named = False

    def read_line(line: str) -> Setting | str | None:
        nonlocal named
        if not line.strip() or line.lstrip().startswith("#") or line.strip() == _NO_MODULES:
            return None
        if pair := _LSB.match(line):
            return Setting(_LSB_KEYS[pair[1]], pair[2])
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

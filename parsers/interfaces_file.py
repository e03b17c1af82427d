"""``/etc/network/interfaces`` of Debian: whether an interface asks for DHCP. Source: interfaces(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_listing import Line, Rejected, console_lines
from loganalyzer.parser_network import LINUX, adapter, ipv4, joined, network_listing

_NAME = r"(?:^|[/!])(?:network[/!]interfaces|interfaces\.d[/!][^/!]+)$"
_CONTENT = r"^[ \t]*iface[ \t]+\S+[ \t]+(?:inet6?[ \t]+\w|inherits\b)"
_IFACE = re.compile(r"^\s*iface\s+(\S{1,64})\s+inet\s+(\w+)\s*$")
_STANZA = re.compile(r"^\s*(?:iface|auto|mapping|allow-\S+|source|source-directory|no-auto-down|no-scripts)\b")
_OPTION = re.compile(r"^\s*([a-z][\w-]{0,63})\s+(\S.*?)\s*$")


@dataclass(frozen=True, slots=True)
class InterfacesFile:
    """One row a stanza of IPv4."""

    name: str = "interfaces_file"
    title: str = "network settings of Debian: /etc/network/interfaces"
    logsource: LogSource = LINUX
    paths: tuple[str, ...] = ("etc/network/interfaces", "etc/network/interfaces.d/*")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "loopback, DHCP, and an address by hand",
            "etc/network/interfaces",
            b"# interfaces\nsource /etc/network/interfaces.d/*\nauto lo\niface lo inet loopback\n\nauto eth0\n"
            b"iface eth0 inet dhcp\n\niface eth1 inet static\n    address 10.0.0.4/24\n    gateway 10.0.0.1\n"
            b"    dns-nameservers 10.0.0.2 10.0.0.3\niface eth1 inet6 auto\n!\n",
            (
                {"kind": "setting", "tool": "interfaces", "interface": "lo", "virtual": True, "static": False},
                {"interface": "eth0", "dhcp": True, "static": False, "log.line": 7},
                {
                    "interface": "eth1",
                    "dhcp": False,
                    "static": True,
                    "addresses": "10.0.0.4",
                    "gateways": "10.0.0.1",
                    "dns_servers": "10.0.0.2 10.0.0.3",
                    "log.line": 9,
                },
            ),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By a stanza ``iface ... inet``."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="network settings of Debian")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a stanza; a line that is neither stanza nor option nor comment is rejected."""
        lines = console_lines(source.data)
        rejected = [Rejected(line, "no line of an interfaces file") for line in lines if not _is_line(line)]
        rows = [(own, _row(own)) for own in _stanzas(lines)]
        return network_listing(source, self.logsource, lines, rows, rejected)


def _is_line(line: Line) -> bool:
    plain = line.text.lstrip()
    return not plain or plain.startswith("#") or bool(_STANZA.match(plain) or _OPTION.match(plain))


def _stanzas(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines of each ``iface ... inet`` up to the next stanza."""
    own: list[Line] = []
    for line in lines:
        if _STANZA.match(line.text):
            if own:
                yield own
            own = [line] if _IFACE.match(line.text) else []
        elif own and not line.blank:
            own.append(line)
    if own:
        yield own


def _row(own: Sequence[Line]) -> dict[str, object]:
    head = _IFACE.match(own[0].text)
    options = [found for line in own[1:] if (found := _OPTION.match(line.text))]

    def told(*keys: str) -> list[str | None]:
        return [ipv4(word) for found in options if found[1] in keys for word in found[2].split()]

    addresses = [one for one in told("address") if one]
    method = head[2] if head else ""
    return adapter(
        "interfaces",
        "setting",
        head[1] if head else None,
        addresses,
        dhcp=method == "dhcp",
        static=method == "static" and bool(addresses),
        gateways=joined(told("gateway")),
        dns_servers=joined(told("dns-nameservers", "dns-nameserver")),
    )


parser: Parser = InterfacesFile()

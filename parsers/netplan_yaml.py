"""Files of netplan: which interface asks for DHCP, and which has an address that somebody wrote down.

Read line by line by its indents, so that a torn file still tells what it can; wireless networks are left out, for they
hold passwords. Source: netplan(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_listing import Line, Rejected, console_lines
from loganalyzer.parser_network import LINUX, adapter, ipv4, joined, network_listing

_KINDS = ("ethernets", "bonds", "bridges", "vlans")
_NAME = r"(?:^|[/!])(?:netplan[/!][^/!]+|[^/!]*(?:netplan|50-cloud-init)[^/!]*)\.ya?ml$"
_CONTENT = (
    r"\A(?:[ \t]*(?:#[^\n]*|---)?\r?\n){0,60}network:[ \t\r]*\n(?:[ \t]*\r?\n|[ \t]+\S[^\n]*\n){0,40}?"
    rf"[ \t]+(?:{'|'.join(_KINDS)}):"
)
_PAIR = re.compile(r"^(\s*)((?:-\s+)?)([\"']?[\w.:*+/ -]{1,64}?[\"']?)\s*:(?:\s+(.*))?$")
_ITEM = re.compile(r"^(\s*)-\s+(.*)$")
_TRUE = frozenset({"true", "yes", "on", "y"})
_FLOW = re.compile(r"([\w-]{1,40}):\s*(\[[^\[\]]*\]|[^,{}\[\]]+)")
#: More levels than any such file has, and the longest line that is looked at.
_DEEPEST = 32
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class NetplanYaml:
    """One row an interface."""

    name: str = "netplan_yaml"
    title: str = "network settings of netplan"
    logsource: LogSource = LINUX
    paths: tuple[str, ...] = ("etc/netplan/*.yaml",)
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "what the platform writes",
            "etc/netplan/50-cloud-init.yaml",
            b"# made by cloud-init\nnetwork:\n    ethernets:\n        eth0:\n            dhcp4: true\n"
            b"            dhcp4-overrides:\n                route-metric: 100\n            match:\n"
            b"                macaddress: 00:0d:3a:00:00:01\n            set-name: eth0\n    version: 2\n",
            (
                {
                    "kind": "setting",
                    "tool": "netplan",
                    "interface": "eth0",
                    "dhcp": True,
                    "static": False,
                    "addresses": None,
                    "mac": "00:0d:3a:00:00:01",
                    "log.line": 4,
                },
            ),
        ),
        Sample(
            "an address by hand, and a second interface",
            "01-netcfg.yaml",
            b'network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses:\n      - "10.0.0.4/24"\n'
            b"      routes:\n        - to: default\n          via: 10.0.0.1\n      nameservers:\n"
            b"        addresses: [168.63.129.16, 8.8.8.8]\n    eth1:\n      dhcp4: yes\n"
            b"      addresses: [10.1.0.5/24]\n",
            (
                {
                    "interface": "eth0",
                    "dhcp": False,
                    "static": True,
                    "addresses": "10.0.0.4",
                    "gateways": "10.0.0.1",
                    "dns_servers": "168.63.129.16 8.8.8.8",
                },
                {"interface": "eth1", "dhcp": True, "static": False, "address_count": 1},
            ),
        ),
        Sample(
            "neither a setting nor an item",
            "etc/netplan/a.yaml",
            b"network:\n  ethernets:\n    eth0: {dhcp4: true}\nrubbish\n",
            ({"interface": "eth0", "dhcp": True},),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By ``network:`` with a kind of device below it."""
        claim = claim_by(path, head, name=_NAME, content=_CONTENT, text="settings of netplan")
        return claim if claim is not None and (claim.strength > 20 or "netplan/" in path.replace("\\", "/")) else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an interface; a line that is neither pair, item nor comment is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        rows = []
        for name, entries in _interfaces(lines, rejected):
            own = lines[entries[0].place : entries[-1].place + 1]
            rows.append((own, _row(name, entries)))
        return network_listing(source, self.logsource, lines, rows, rejected)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value with the keys that lead to it, and the line that it stands on, from 0."""

    place: int
    keys: tuple[str, ...]
    value: str


def _interfaces(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[tuple[str, list[_Entry]]]:
    """The entries of each interface, in the order of the file."""
    devices = [
        entry
        for entry in _entries(lines, rejected)
        if len(entry.keys) >= 3 and entry.keys[0] == "network" and entry.keys[1] in _KINDS
    ]
    for (_, name), own in groupby(devices, key=lambda entry: entry.keys[1:3]):
        yield name, [_Entry(one.place, one.keys[3:], one.value) for one in own]


def _entries(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[_Entry]:
    """Each pair and item with the keys above it, which stand further to the left."""
    above: list[tuple[int, str]] = []
    for place, line in enumerate(lines):
        text = line.text.split(" #")[0].rstrip()
        if not text or text.lstrip().startswith(("#", "---", "...")):
            continue
        pair, item = (None, None) if len(text) > _LONGEST else (_PAIR.match(text), _ITEM.match(text))
        if pair is None and item is None:
            rejected.append(Rejected(line, "neither key: value nor item nor comment"))
            continue
        if pair is not None:
            dashed = bool(pair[2])
            above = [one for one in above if one[0] < len(pair[1]) + dashed][-_DEEPEST:]
            above.append((len(pair[1]) + len(pair[2]), pair[3].strip("\"'")))
            value = pair[4] or ""
        elif item is not None:
            above = [one for one in above if one[0] <= len(item[1])]
            value = item[2]
        keys = tuple(key for _, key in above)
        yield from (_Entry(place, keys + inner, told) for inner, told in _values(value))


def _values(text: str) -> list[tuple[tuple[str, ...], str]]:
    """A value as it stands, or what stands in ``[a, b]`` and ``{key: value}``."""
    if text.startswith("{"):
        pairs = [(key, value) for key, value in _FLOW.findall(text)]
        return [((key,), one) for key, value in pairs for _, one in _values(value.strip())]
    parts = text.strip("[]").split(",") if text.startswith("[") else [text]
    return [((), part.strip().strip("\"'")) for part in parts]


def _row(name: str, entries: Sequence[_Entry]) -> dict[str, object]:
    def told(*keys: str) -> list[str]:
        return [one.value for one in entries if one.keys == keys]

    addresses = [one for one in map(ipv4, told("addresses")) if one]
    dhcp = any(value.lower() in _TRUE for value in told("dhcp4")[-1:])
    ways = list(zip(told("routes", "to"), told("routes", "via"), strict=False))
    gateways = told("gateway4") + [via for to, via in ways if to in ("default", "0.0.0.0/0")]
    return adapter(
        "netplan",
        "setting",
        next(iter(told("set-name")), name),
        addresses,
        dhcp=dhcp,
        static=bool(addresses) and not dhcp,
        mac=next(iter(told("match", "macaddress") + told("macaddress")), None),
        gateways=joined(map(ipv4, gateways)),
        dns_servers=joined(map(ipv4, told("nameservers", "addresses"))),
    )


parser: Parser = NetplanYaml()

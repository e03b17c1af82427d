"""Connections of NetworkManager (``*.nmconnection``) and ``*.network`` of systemd-networkd: DHCP or an address by hand.

Only the sections about addresses are cited, for a connection may hold passwords in others. Sources:
nm-settings-keyfile(5), systemd.network(5).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import NEITHER
from loganalyzer.parser_listing import Line, Rejected, console_lines
from loganalyzer.parser_network import LINUX, adapter, ipv4, joined, network_listing

_NAME = r"(?:^|[/!])(?:[^/!]*\.nmconnection|[^/!]*\.network|system-connections[/!][^/!]+)$"
_CONTENT = (
    r"^\[connection\][ \t\r]*\n(?:[^\n\[]*\n){0,40}\[|^\[ipv4\][ \t\r]*\n(?:[^\n\[]*\n){0,20}?method="
    r"|^\[Match\][ \t\r]*\n(?:[^\n\[]*\n){0,20}\[(?:Network|Link)\]"
)
_SECTION = re.compile(r"^\[([\w. -]{1,64})\]\s*$")
_PAIR = re.compile(r"^\s*([A-Za-z][\w.-]{0,63})\s*=\s*(.*?)\s*$")
#: Words of DHCP= that ask for an IPv4 address.
_DHCP = frozenset({"yes", "true", "1", "on", "ipv4", "both", "v4"})

_Sections = Mapping[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class NetworkKeyfile:
    """One row a file, for it is about one connection."""

    name: str = "network_keyfile"
    title: str = "network settings of NetworkManager and systemd-networkd"
    logsource: LogSource = LINUX
    paths: tuple[str, ...] = ("etc/NetworkManager/system-connections/*.nmconnection", "etc/systemd/network/*.network")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a connection with an address by hand; what it holds besides is not cited",
            "etc/NetworkManager/system-connections/eth0.nmconnection",
            b"[connection]\nid=System eth0\ninterface-name=eth0\n\n[802-1x]\npassword=x\n\n[ipv4]\n"
            b"address1=10.0.0.4/24,10.0.0.1\ndns=10.0.0.2;168.63.129.16;\nmethod=manual\n\n[ipv6]\nmethod=auto\n",
            (
                {
                    "kind": "setting",
                    "tool": "NetworkManager",
                    "interface": "eth0",
                    "dhcp": False,
                    "static": True,
                    "addresses": "10.0.0.4",
                    "gateways": "10.0.0.1",
                    "dns_servers": "10.0.0.2 168.63.129.16",
                    "log.line": 8,
                },
            ),
        ),
        Sample(
            "a connection that asks for DHCP, and has one address more",
            "cloud-init-eth0.nmconnection",
            b"[connection]\nid=cloud-init eth0\n[ipv4]\nmethod=auto\naddress1=10.0.0.5/24\nodd\n",
            ({"interface": "cloud-init eth0", "dhcp": True, "static": False, "address_count": 1},),
            rejected=1,
        ),
        Sample(
            "systemd-networkd",
            "etc/systemd/network/10-eth0.network",
            b"[Match]\nName=eth0\n\n[Network]\nDHCP=no\nAddress=10.0.0.4/24\nGateway=10.0.0.1\n",
            ({"tool": "networkd", "interface": "eth0", "static": True, "gateways": "10.0.0.1"},),
        ),
        Sample(
            "systemd-networkd with DHCP",
            "run/systemd/network/10-netplan-eth0.network",
            b"[Match]\nName=eth0\n\n[Network]\nDHCP=ipv4\n",
            ({"interface": "eth0", "dhcp": True, "static": False, "addresses": None},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By folder or ending and the sections; the sections alone do under any name."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="settings of a network connection")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row; a line that is neither section, key=value nor comment is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
        cited: dict[str, list[Line]] = defaultdict(list)
        section = ""
        for line in lines:
            if found := _SECTION.match(line.text):
                section = found[1].strip().lower()
                cited[section].append(line)
            elif pair := _PAIR.match(line.text):
                sections[section].append((pair[1].lower(), pair[2]))
                cited[section].append(line)
            elif not line.blank and not line.text.lstrip().startswith(("#", ";")):
                rejected.append(Rejected(line, NEITHER))
        told = next((name for name in ("ipv4", "network", "match", "connection") if name in cited), None)
        rows = [(cited[told], _row(sections))] if told else []
        return network_listing(source, self.logsource, lines, rows, rejected)


def _row(sections: _Sections) -> dict[str, object]:
    def told(section: str, key: str) -> list[str]:
        return [value for name, value in sections.get(section, ()) if re.fullmatch(rf"{key}\d*", name)]

    if "match" in sections or "network" in sections:
        network = "network"
        dhcp = any(value.lower() in _DHCP for value in told(network, "dhcp")[-1:])
        found = told(network, "address") + told("address", "address")
        gateways, tool = told(network, "gateway") + told("route", "gateway"), "networkd"
        name = next(iter(told("match", "name")), None)
        servers = " ".join(told(network, "dns")).split()
    else:
        dhcp = told("ipv4", "method")[-1:] in (["auto"], [])
        found = told("ipv4", "address") + [one for value in told("ipv4", "addresses") for one in value.split(";")]
        gateways = told("ipv4", "gateway") + [value.partition(",")[2] for value in found]
        name = next(iter(told("connection", "interface-name") + told("connection", "id")), None)
        servers, tool = re.split(r"[;,\s]", " ".join(told("ipv4", "dns"))), "NetworkManager"
    addresses = [one for one in map(ipv4, found) if one]
    return adapter(
        tool,
        "setting",
        name,
        addresses,
        dhcp=dhcp,
        static=bool(addresses) and not dhcp,
        gateways=joined(map(ipv4, gateways)),
        dns_servers=joined(map(ipv4, servers)),
    )


parser: Parser = NetworkKeyfile()

"""``ifcfg-*`` of Red Hat and of SUSE (wicked): whether an interface asks for DHCP or has an address of its own.

Sources: sysconfig.txt of initscripts, ifcfg(5) of wicked. A number behind a key (``IPADDR0``, ``IPADDR_1``) is one of
several addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import NEITHER
from loganalyzer.parser_listing import Rejected, console_lines
from loganalyzer.parser_network import LINUX, adapter, ipv4, joined, network_listing

_NAME = r"(?:^|[/!])ifcfg-[\w.:@-]+$"
_CONTENT = r"^[ \t]*(?:BOOTPROTO|IPADDR\d*)=[^\n]*$"
_PAIR = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$")
#: Words of BOOTPROTO that ask for an IPv4 address; the first two are Red Hat's, the others SUSE's.
_DHCP = frozenset({"dhcp", "bootp", "dhcp4", "dhcp+autoip", "auto"})
_OFF = frozenset({"no", "off", "manual"})


@dataclass(frozen=True, slots=True)
class IfcfgFile:
    """One row a file, for it is about one interface."""

    name: str = "ifcfg_file"
    title: str = "network settings of Red Hat and SUSE: ifcfg-*"
    logsource: LogSource = LINUX
    paths: tuple[str, ...] = ("etc/sysconfig/network-scripts/ifcfg-*", "etc/sysconfig/network/ifcfg-*")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "what the platform's images have",
            "etc/sysconfig/network-scripts/ifcfg-eth0",
            b"DEVICE=eth0\nONBOOT=yes\nBOOTPROTO=dhcp\nTYPE=Ethernet\n",
            (
                {
                    "kind": "setting",
                    "tool": "ifcfg",
                    "interface": "eth0",
                    "up": True,
                    "dhcp": True,
                    "static": False,
                    "log.line": 1,
                },
            ),
        ),
        Sample(
            "an address by hand",
            "etc/sysconfig/network-scripts/ifcfg-System_eth0",
            b"# by hand\nBOOTPROTO=none\nDEVICE=\"eth0\"\nIPADDR='10.0.0.4'\nIPADDR1=10.0.0.5\nPREFIX=24\n"
            b"GATEWAY=10.0.0.1\nDNS1=10.0.0.2\nONBOOT=no\nwhat\n",
            (
                {
                    "interface": "eth0",
                    "up": False,
                    "dhcp": False,
                    "static": True,
                    "addresses": "10.0.0.4 10.0.0.5",
                    "gateways": "10.0.0.1",
                    "dns_servers": "10.0.0.2",
                },
            ),
            rejected=1,
        ),
        Sample(
            "wicked, the interface by the name of the file",
            "etc/sysconfig/network/ifcfg-eth1",
            b"STARTMODE='auto'\nBOOTPROTO='static'\nIPADDR='10.0.1.4/24'\n",
            ({"interface": "eth1", "up": True, "static": True, "addresses": "10.0.1.4"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name and a key of its own; without the name too few keys tell it from other settings."""
        claim = claim_by(path, head, name=_NAME, content=_CONTENT, text="network settings of an interface")
        return claim if claim is not None and claim.strength != 50 else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row; a line that is neither key=value nor comment is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        values: dict[str, str] = {}
        for line in lines:
            if pair := _PAIR.match(line.text):
                values[pair[1].upper()] = pair[2].strip("'\"")
            elif not line.blank and not line.text.lstrip().startswith("#"):
                rejected.append(Rejected(line, NEITHER))
        rows = [(lines, _row(source.name, values))] if values else []
        return network_listing(source, self.logsource, lines, rows, rejected)


def _row(name: str, values: dict[str, str]) -> dict[str, object]:
    def told(key: str) -> list[str]:
        return [
            one for name, value in values.items() if re.fullmatch(rf"{key}_?\w{{0,8}}", name) and (one := ipv4(value))
        ]

    asks = values.get("BOOTPROTO", "").lower()
    starts = (values.get("ONBOOT") or values.get("STARTMODE") or "").lower()
    dhcp = asks in _DHCP
    addresses = told("IPADDR")
    return adapter(
        "ifcfg",
        "setting",
        values.get("DEVICE") or name.rpartition("ifcfg-")[2] or None,
        addresses,
        up=starts not in _OFF if starts else None,
        dhcp=dhcp,
        static=bool(addresses) and not dhcp,
        mac=values.get("HWADDR"),
        gateways=joined(told("GATEWAY")),
        dns_servers=joined(told("DNS")),
    )


parser: Parser = IfcfgFile()

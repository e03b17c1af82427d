"""Addresses and routes of a Linux guest: ``ip addr``, ``ip route``, ``ifconfig``, ``route -n``, ``netstat -rn``.

``dynamic`` behind an address means a lease with an end, so that its absence says nothing: the platform's leases have
none. Sources: ip-address(8), ip-route(8), ifconfig(8), route(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_listing import Line, Rejected, console_lines
from loganalyzer.parser_network import LINUX, adapter, ipv4, network, network_listing, route, with_summary

#: No line of these is longer.
_LONGEST = 1024
_IP_ADAPTER = re.compile(r"^(\d{1,5}): ([^\s:@]{1,32})(?:@[^\s:]+)?: <([A-Z0-9_,-]*)> mtu \d+(?:.* state (\w+))?")
_IP_BRIEF = re.compile(r"^([a-z][^\s:@]{0,31})(?:@\S+)?\s+(UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT)(?:\s+(.*))?$")
_OLD_ADAPTER = re.compile(r"^([a-z][^\s]{0,31})\s+Link encap:\S+(?:.*?\bHWaddr (\S+))?")
_IFCONFIG = re.compile(r"^([a-z][^\s:]{0,31}(?::\d+)?): flags=\d+<([A-Z0-9_,]*)>\s+mtu \d+")
_ADDRESS = re.compile(r"^\s+inet (?:addr:)?(\d+\.\d+\.\d+\.\d+)(?:/\d+)?(?: (.*))?$")
_LINK = re.compile(r"^\s+(?:link/ether|ether) ([0-9a-f:]{17})\b")
_IP_ROUTE = re.compile(
    r"^(?:(?:unreachable|blackhole|prohibit|throw|unicast) )?(default|\d+(?:\.\d+){3}(?:/\d+)?)"
    r"(?: via (\S+))?(?: dev (\S+))?( .*)?$"
)
_TABLE_HEAD = re.compile(r"^(?:Kernel IP routing table|Destination\s+Gateway\s+Genmask\b.*)$")
_TABLE_ROW = re.compile(
    r"^(default|\d+\.\d+\.\d+\.\d+)\s+(\S+)\s+(\d+\.\d+\.\d+\.\d+)\s+([A-Z!]+)(?:\s+(\d+))?(?:\s+\d+){1,2}\s+(\S+)$"
)
_COMMAND = re.compile(r"^\s*(?:[$#>]|\S+[$#>]\s)")

_Found = list[tuple[list[Line], Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class NetworkStateText:
    """One row a listing, an interface and a route."""

    name: str = "network_state_text"
    title: str = "addresses and routes of Linux: ip addr, ip route, ifconfig, route -n"
    logsource: LogSource = LINUX
    paths: tuple[str, ...] = ("ip addr > ip-addr.txt", "ip route > ip-route.txt", "ifconfig > ifconfig.txt")
    strongest = 55

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every tool."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the first line that is none of a prompt; a log that quotes such lines begins in another way."""
        first = next((line for line in text_head(head).splitlines() if line.strip() and not _COMMAND.match(line)), "")
        if len(first) > _LONGEST:
            return None
        sure = any(form.match(first) for form in (_IP_ADAPTER, _OLD_ADAPTER, _IFCONFIG, _IP_BRIEF, _TABLE_HEAD))
        found = _IP_ROUTE.match(first)
        if sure or (found and found[3]):
            return Claim(55, "built like addresses or routes of Linux")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows by line; the summary of a listing stands in front of it."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        found = _read(lines, rejected)
        rows = with_summary("ip", lines, found, complete=_is_complete(lines))
        return network_listing(source, self.logsource, lines, rows, rejected)


def _is_complete(lines: Sequence[Line]) -> bool:
    """A heading, or loopback as the first interface: nobody has filtered the lines."""
    text = [line.text[:_LONGEST] for line in lines]
    return any(_TABLE_HEAD.match(one) or one.startswith(("1: lo:", "lo ", "lo:")) for one in text)


def _read(lines: Sequence[Line], rejected: list[Rejected]) -> _Found:
    found: _Found = []
    block: list[Line] = []
    for line in lines:
        text = line.text.rstrip()
        odd = "\0" in text or len(text) > _LONGEST
        if not odd and _is_adapter(text):
            found += _block(block)
            block = [line]
        elif not odd and (row := _route(text)):
            found += _block(block)
            found.append(([line], row))
            block = []
        elif block and line.indent and not odd:
            block.append(line)
        elif odd or not (line.blank or _COMMAND.match(text) or _TABLE_HEAD.match(text) or line.indent):
            rejected.append(Rejected(line, "no line about an interface or a route"))
    return found + _block(block)


def _is_adapter(text: str) -> bool:
    return any(form.match(text) for form in (_IP_ADAPTER, _OLD_ADAPTER, _IFCONFIG, _IP_BRIEF))


def _block(block: Sequence[Line]) -> _Found:
    """The row of an interface and the lines under it."""
    if not block:
        return []
    first = block[0].text.rstrip()
    texts = [line.text for line in block[1:]]
    told = [found for text in texts if (found := _ADDRESS.match(text))]
    addresses = [one for one in (ipv4(found[1]) for found in told) if one]
    link = next((found[1] for text in texts if (found := _LINK.match(text))), None)
    if found := _IP_ADAPTER.match(first):
        up, tool, name = "UP" in found[3].split(",") and found[4] != "DOWN", "ip addr", found[2]
    elif found := _IP_BRIEF.match(first):
        up, tool, name = found[2] != "DOWN", "ip addr", found[1]
        addresses = [one for one in map(ipv4, (found[3] or "").split()) if one]
    elif found := _IFCONFIG.match(first):
        up, tool, name = "UP" in found[2].split(","), "ifconfig", found[1]
    else:
        name, tool = first.split()[0], "ifconfig"
        old = _OLD_ADAPTER.match(first)
        up, link = any(re.match(r"\s+UP\b", text) for text in texts), (old[2] if old else None) or link
    leased = any(re.search(r"\bdynamic\b", found[2] or "") for found in told)
    return [(list(block), adapter(tool, "adapter", name, addresses, up=up, mac=link, dhcp=True if leased else None))]


def _route(text: str) -> dict[str, object] | None:
    if found := _TABLE_ROW.match(text):
        to = network(found[1], found[3])
        gateway = ipv4(found[2])
        metric = int(found[5]) if found[5] and len(found[5]) < 10 else None
        where: dict[str, object] = {"interface": found[6], "gateways": gateway, "metric": metric}
        return route("route", to, **where) if to else None
    found = _IP_ROUTE.match(text)
    if found is None or not (found[2] or found[3]):
        return None
    to, rest = network(found[1]), f"{found[4] or ''} "
    told = dict(re.findall(r"\b(proto|metric) (\S{1,32})", rest))
    metric = int(told["metric"]) if re.fullmatch(r"\d{1,9}", told.get("metric", "")) else None
    where = {"interface": found[3], "gateways": ipv4(found[2] or ""), "metric": metric, "origin": told.get("proto")}
    return route("ip route", to, **where) if to else None


_IP_TEXT = (
    "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n"
    "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n"
    "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000\n"
    "    link/ether 00:0d:3a:00:00:01 brd ff:ff:ff:ff:ff:ff\n"
    "    inet 10.0.0.4/24 brd 10.0.0.255 scope global dynamic eth0\n       valid_lft 3000sec preferred_lft 3000sec\n"
    "3: eth1@if9: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default qlen 1000\n"
)
_ROUTE_TEXT = (
    "default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100 \n"
    "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.4 \n"
    "168.63.129.16 via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100 \n"
)
_TABLE_TEXT = (
    "Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n"
    "10.0.0.0        0.0.0.0         255.255.255.0   U     0      0        0 eth0\nodd\n"
)


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "ip addr",
            "ip-addr.txt",
            b"$ ip addr\n" + _IP_TEXT.encode(),
            (
                {
                    "kind": "summary",
                    "adapters": 1,
                    "dhcp_adapters": 1,
                    "static_adapters": 0,
                    "addressless_adapters": 0,
                    "default_routes": None,
                    "complete": True,
                },
                {"kind": "adapter", "interface": "lo", "virtual": True, "addresses": "127.0.0.1"},
                {"interface": "eth0", "up": True, "dhcp": True, "addresses": "10.0.0.4", "mac": "00:0d:3a:00:00:01"},
                {"interface": "eth1", "up": False, "dhcp": None, "addresses": None, "log.line": 9},
            ),
        ),
        Sample(
            "ip -brief addr, without an address",
            "a.txt",
            b"lo               UNKNOWN        127.0.0.1/8 ::1/128\neth0             UP             fe80::1/64\n",
            (
                {"adapters": 1, "addressless_adapters": 1},
                {"interface": "lo"},
                {"interface": "eth0", "addresses": None, "address_count": 0},
            ),
        ),
        Sample(
            "ip route",
            "ip-route.txt",
            _ROUTE_TEXT.encode(),
            (
                {"kind": "summary", "default_routes": 1, "platform_routes": 1, "adapters": None, "complete": False},
                {
                    "kind": "route",
                    "destination": "0.0.0.0/0",
                    "gateways": "10.0.0.1",
                    "interface": "eth0",
                    "metric": 100,
                    "origin": "dhcp",
                },
                {"destination": "10.0.0.0/24", "gateways": None, "origin": "kernel"},
                {"destination": "168.63.129.16/32"},
            ),
        ),
        Sample(
            "route -n without a way out",
            "route.txt",
            _TABLE_TEXT.encode(),
            (
                {"kind": "summary", "default_routes": 0, "platform_routes": 0, "complete": True},
                {"kind": "route", "tool": "route", "destination": "10.0.0.0/24", "interface": "eth0"},
            ),
            rejected=1,
        ),
        Sample(
            "ifconfig of two eras",
            "ifconfig.txt",
            b"eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n"
            b"        inet 169.254.3.4  netmask 255.255.0.0  broadcast 169.254.255.255\n"
            b"        ether 00:0d:3a:00:00:01  txqueuelen 1000  (Ethernet)\n\n"
            b"eth1      Link encap:Ethernet  HWaddr 00:0d:3a:00:00:02\n"
            b"          inet addr:10.0.0.5  Bcast:10.0.0.255  Mask:255.255.255.0\n"
            b"          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n",
            (
                {"adapters": 2, "addressless_adapters": 1, "complete": False},
                {"tool": "ifconfig", "interface": "eth0", "link_local": True, "mac": "00:0d:3a:00:00:01"},
                {"interface": "eth1", "up": True, "addresses": "10.0.0.5", "mac": "00:0d:3a:00:00:02"},
            ),
        ),
    )


parser: Parser = NetworkStateText()

"""``route print`` and ``netstat -r`` of Windows, in any language: rows of four addresses and a metric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, Rejected, console_head, console_lines
from loganalyzer.parser_network import WINDOWS, ipv4, network, network_listing, route, with_summary

_ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
#: Destination, mask, gateway (or words for a network that is on the link), interface, metric.
_ROW = re.compile(rf"^\s+({_ADDRESS})\s+({_ADDRESS})\s+(\S[^\n]{{0,40}}?)\s+({_ADDRESS})\s+(\d{{1,5}})\s*$")
#: A row of the persistent routes has no interface; its metric may be words.
_PERSISTENT = re.compile(rf"^\s+({_ADDRESS})\s+({_ADDRESS})\s+({_ADDRESS})\s+(\S[^\n]{{0,40}}?)\s*$")
_RULER = re.compile(r"^={20,}\s*$")
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class WindowsRoutesText:
    """One row a route and one about all of them."""

    name: str = "windows_routes_text"
    title: str = "routes of Windows: route print"
    logsource: LogSource = WINDOWS
    paths: tuple[str, ...] = ("route print > route.txt",)
    strongest = 65
    samples: tuple[Sample, ...] = (
        Sample(
            "French, with a way out and a persistent route",
            "route.txt",
            "===========================================================================\r\nListe d'Interfaces\r\n"
            "  5...00 0d 3a 00 00 01 ......Microsoft Hyper-V Network Adapter\r\n"
            "===========================================================================\r\n\r\n"
            "IPv4 Table de routage\r\n"
            "===========================================================================\r\nItinéraires actifs :\r\n"
            "Destination réseau    Masque réseau  Adr. passerelle   Adr. interface Métrique\r\n"
            "          0.0.0.0          0.0.0.0         10.0.0.1         10.0.0.4     10\r\n"
            "         10.0.0.0    255.255.255.0         On-link         10.0.0.4    266\r\n"
            "    168.63.129.16  255.255.255.255         10.0.0.1         10.0.0.4     11\r\n"
            "===========================================================================\r\n"
            "Itinéraires persistants :\r\n"
            "          0.0.0.0          0.0.0.0         10.0.0.9  Par défaut\r\n".encode("cp850"),
            (
                {"kind": "summary", "default_routes": 1, "platform_routes": 1, "complete": True},
                {
                    "kind": "route",
                    "tool": "route print",
                    "destination": "0.0.0.0/0",
                    "gateways": "10.0.0.1",
                    "interface": "10.0.0.4",
                    "metric": 10,
                    "origin": "active",
                },
                {"destination": "10.0.0.0/24", "gateways": None, "metric": 266},
                {"destination": "168.63.129.16/32"},
                {
                    "destination": "0.0.0.0/0",
                    "gateways": "10.0.0.9",
                    "origin": "persistent",
                    "kind": "persistent route",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By rulers and rows."""
        lines = [line[:_LONGEST] for line in console_head(head).splitlines()]
        if any(map(_RULER.match, lines)) and any(map(_ROW.match, lines)):
            return Claim(65, "built like output of route print")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a route of IPv4; other lines are headings and routes of IPv6."""
        lines = console_lines(source.data)
        rejected = [Rejected(line, "no line of route print") for line in lines if _is_odd(line)]
        rows = [([line], row) for line in lines if not _is_odd(line) and (row := _route(line.text))]
        whole = with_summary("route print", lines, rows, complete=any(_RULER.match(line.text) for line in lines))
        return network_listing(source, self.logsource, lines, whole, rejected)


def _is_odd(line: Line) -> bool:
    return "\0" in line.text or len(line.text) > _LONGEST


def _route(text: str) -> Mapping[str, object] | None:
    if found := _ROW.match(text):
        to = network(found[1], found[2])
        where = {"gateways": ipv4(found[3]), "interface": found[4], "metric": int(found[5]), "origin": "active"}
        return route("route print", to, **where) if to else None
    if found := _PERSISTENT.match(text):
        to = network(found[1], found[2])
        row = route("route print", to, gateways=ipv4(found[3]), origin="persistent") if to else None
        return row | {"kind": "persistent route"} if row else None
    return None


parser: Parser = WindowsRoutesText()

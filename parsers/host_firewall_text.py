"""Listings of the firewalls that Linux distributions bring: ``ufw status``, ``firewall-cmd --list-all[-zones]``.

Rows are as those of the packet filter: one a rule, and one for what happens to all else. A zone of firewalld is about
what comes in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing

_LOGSOURCE = LogSource("linux", "firewall", "config")

#: As those of the packet filter; ``chain`` is INPUT, OUTPUT or FORWARD for ufw, the zone's name for firewalld.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "tool": pl.String(),
    "chain": pl.String(),
    "target": pl.String(),
    "protocol": pl.String(),
    "source": pl.String(),
    "destination": pl.String(),
    "port": pl.String(),
    "negated": pl.String(),
}
_TARGETS = {"ALLOW": "ACCEPT", "LIMIT": "ACCEPT", "DENY": "DROP", "REJECT": "REJECT", "DISABLED": None}
_CHAINS = {"IN": "INPUT", "OUT": "OUTPUT", "FWD": "FORWARD"}
_DIRECTIONS = {"incoming": "INPUT", "outgoing": "OUTPUT", "routed": "FORWARD"}

_UFW_STATUS = re.compile(r"^Status: (active|inactive)\s*$")
_UFW_DEFAULT = re.compile(r"^Default: (.{1,200})$")
_UFW_POLICY = re.compile(r"(\w+) \((incoming|outgoing|routed)\)")
_UFW_RULE = re.compile(
    r"^(?:\[ *\d+\] )?(?P<to>\S.{0,80}?)\s{2,}(?P<act>ALLOW|DENY|REJECT|LIMIT)(?: (?P<way>IN|OUT|FWD))?\s{2,}"
    r"(?P<of>\S.{0,99})$"
)
_UFW_OTHER = re.compile(
    r"^(?:To\s+Action\s+From|--\s+------\s+----|Logging: .*|New profiles: .*|\s+To\s+.*|\s+--\s.*)\s*$"
)
_ZONE = re.compile(r"^([\w-]{1,60})(?: \(([\w ,]{1,60})\))?\s*$")
_ZONE_KEY = re.compile(r"^  ([a-z][a-z -]{1,30}): ?(.*)$")
_RICH = re.compile(r"^\t?\s*(rule\b.*)$")
_COMMAND = re.compile(r"^\S*[#$>]\s*(?:sudo )?(?:ufw|firewall-cmd)\b")
_PORT = re.compile(r"^([\d:,-]+)(?:/(\w+))?$")
_MOST = 1024

_UFW = (
    "Status: active\nLogging: on (low)\nDefault: deny (incoming), allow (outgoing), disabled (routed)\n"
    "New profiles: skip\n\nTo                         Action      From\n--                         ------      ----\n"
    "22/tcp                     ALLOW IN    10.0.0.0/8                 # by hand\n"
    "168.63.129.16 80/tcp       DENY OUT    Anywhere\n22/tcp (v6)                ALLOW IN    Anywhere (v6)\n"
)
_FIREWALLD = (
    "public (active)\n  target: default\n  interfaces: eth0\n  services: ssh\n  ports: 8080/tcp 60000-61000/udp\n"
    '  rich rules: \n\trule family="ipv4" destination address="168.63.129.16" port port="80" protocol="tcp" drop\n'
)


@dataclass(frozen=True, slots=True)
class HostFirewallText:
    """One row a rule, and one a default."""

    name: str = "host_firewall_text"
    title: str = "firewalls of Linux as text: ufw status, firewall-cmd --list-all"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("ufw status verbose > ufw.txt", "firewall-cmd --list-all-zones > firewalld.txt")
    strongest = 85
    samples: tuple[Sample, ...] = (
        Sample(
            "ufw",
            "ufw.txt",
            _UFW.encode(),
            (
                {"kind": "chain", "tool": "ufw", "chain": "INPUT", "target": "DROP", "log.line": 3},
                {"kind": "chain", "chain": "OUTPUT", "target": "ACCEPT"},
                {"kind": "chain", "chain": "FORWARD", "target": None},
                {"kind": "rule", "chain": "INPUT", "target": "ACCEPT", "port": "22", "source": "10.0.0.0/8"},
                {"chain": "OUTPUT", "target": "DROP", "destination": "168.63.129.16", "port": "80", "source": None},
                {"port": "22", "protocol": "tcp", "destination": None, "source": None},
            ),
        ),
        Sample(
            "firewalld",
            "firewalld.txt",
            _FIREWALLD.encode(),
            (
                {"kind": "chain", "tool": "firewalld", "chain": "public", "target": "DEFAULT"},
                {"kind": "rule", "target": "ACCEPT", "message": "public: service ssh", "port": None},
                {"kind": "rule", "port": "8080", "protocol": "tcp", "target": "ACCEPT"},
                {"kind": "rule", "port": "60000-61000", "protocol": "udp"},
                {"target": "DROP", "destination": "168.63.129.16", "port": "80", "protocol": "tcp", "log.line": 7},
            ),
        ),
        Sample("ufw that is off", "ufw.txt", b"Status: inactive\n", ()),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By a line that begins every listing; a lone ``Status: inactive`` needs the tool's name in the file's."""
        lines = [line.rstrip()[:_MOST] for line in text_head(head).splitlines()]
        named = re.search(r"ufw|firewall", path.replace("\\", "/").rpartition("/")[2], re.IGNORECASE) is not None
        ufw = any(_UFW_STATUS.match(line) for line in lines[:5])
        if ufw and (named or any(_UFW_RULE.match(line) or _UFW_DEFAULT.match(line) for line in lines)):
            return Claim(85, "built like output of ufw status")
        zone = any(_ZONE.match(line) for line in lines) and any(line.startswith("  target: ") for line in lines)
        keys = {found[1] for line in lines if (found := _ZONE_KEY.match(line))}
        return Claim(85, "zones as firewall-cmd prints them") if zone and "services" in keys else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a rule; a line of neither tool is rejected."""
        lines = console_lines(source.data)
        rows: list[dict[str, object]] = []
        rejected: list[Rejected] = []
        zone: str | None = None
        for line in lines:
            if line.blank or _COMMAND.match(line.text[:_MOST]):
                continue
            if (found := _ufw(line)) is None and zone is not None:
                found = _firewalld(line, zone)
            if found is None and (opened := _ZONE.match(line.text)):
                zone, found = opened[1], []
            if found is None:
                rejected.append(Rejected(line, "no line of ufw or firewall-cmd"))
                continue
            rows += [{"message": line.text.strip()} | row | cited([line]) for row in found]
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _ufw(line: Line) -> Sequence[dict[str, object]] | None:
    text = line.text.partition(" # ")[0].rstrip()[:_MOST]
    if _UFW_STATUS.match(text) or _UFW_OTHER.match(text):
        return []
    if found := _UFW_DEFAULT.match(text):
        return [
            {"kind": "chain", "tool": "ufw", "chain": _DIRECTIONS[way], "target": _TARGETS.get(word.upper())}
            for word, way in _UFW_POLICY.findall(found[1])
        ]
    if (found := _UFW_RULE.match(text)) is None:
        return None
    row: dict[str, object] = {"kind": "rule", "tool": "ufw", "target": _TARGETS[found["act"]]}
    row |= {"chain": _CHAINS[found["way"] or "IN"], "source": _address(found["of"])[0]}
    destination, port, protocol = _address(found["to"])
    return [row | {"destination": destination, "port": port, "protocol": protocol}]


def _address(text: str) -> tuple[str | None, str | None, str | None]:
    """Address, port and protocol of ``Anywhere``, ``22/tcp (v6)``, ``168.63.129.16 80/tcp``."""
    address = port = protocol = None
    for word in text.split():
        if found := _PORT.match(word):
            port, protocol = found[1], found[2]
        elif re.fullmatch(r"[0-9A-Fa-f:.]+(?:/\d+)?", word):
            address = word
    return address, port, protocol


def _firewalld(line: Line, zone: str) -> Sequence[dict[str, object]] | None:
    row: dict[str, object] = {"tool": "firewalld", "chain": zone, "kind": "rule"}
    if found := _RICH.match(line.text[:_MOST]):
        return [row | _rich(found[1])]
    if (found := _ZONE_KEY.match(line.text[:_MOST])) is None:
        return None
    key, words = found[1], found[2].split()
    if key == "target" and words:
        return [row | {"kind": "chain", "target": words[0].strip("%").upper()}]
    if key == "services":
        return [row | {"target": "ACCEPT", "message": f"{zone}: service {word}"} for word in words]
    if key == "ports":
        parts = [found for word in words if (found := _PORT.match(word))]
        return [row | {"target": "ACCEPT", "port": part[1], "protocol": part[2]} for part in parts]
    return []


def _rich(text: str) -> dict[str, object]:
    """A rich rule: what it is about in pairs, what happens at its end."""
    row: dict[str, object] = {"negated": " ".join(re.findall(r"(\w+) NOT address=", text)) or None}
    for column, pattern in (
        ("source", r"source (?:NOT )?address=\"([^\"]+)\""),
        ("destination", r"destination (?:NOT )?address=\"([^\"]+)\""),
        ("port", r"\bport port=\"([^\"]+)\""),
        ("protocol", r"protocol(?: value)?=\"([^\"]+)\""),
    ):
        found = re.search(pattern, text)
        row[column] = found[1] if found else None
    act = re.search(r"\b(accept|drop|reject)\b", text)
    return row | {"target": act[1].upper() if act else None}


parser: Parser = HostFirewallText()

"""The parser kit for the network of a guest: one set of columns for settings, addresses and routes of both systems."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from loganalyzer.parser import Parsed, Source
from loganalyzer.parser_listing import Line, Rejected, cited, listing
from loganalyzer.schema import LogSource

LINUX = LogSource("linux", "network", "config")
WINDOWS = LogSource("windows", "network", "config")

#: ``kind``: setting (what a file asks for), adapter (what holds), route, or summary (one a listing, about all its
#: rows). ``addresses``, ``gateways`` and ``dns_servers`` are IPv4 addresses with blanks between them, null where
#: there are none. ``dhcp``: whether the IPv4 address comes by DHCP; ``static``: whether one is set by hand instead;
#: null where nothing tells. ``link_local``: all its addresses are those of a machine that got none (RFC 3927). ``up``:
#: false for an adapter that is off or not connected. Counts of a summary leave loopback and virtual adapters out; it
#: is ``complete`` where the listing shows that nothing was filtered out of it.
NETWORK_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "tool": pl.String(),
    "interface": pl.String(),
    "description": pl.String(),
    "mac": pl.String(),
    "up": pl.Boolean(),
    "virtual": pl.Boolean(),
    "dhcp": pl.Boolean(),
    "static": pl.Boolean(),
    "link_local": pl.Boolean(),
    "addresses": pl.String(),
    "address_count": pl.Int64(),
    "gateways": pl.String(),
    "dns_servers": pl.String(),
    "dhcp_server": pl.String(),
    "destination": pl.String(),
    "metric": pl.Int64(),
    "origin": pl.String(),
    "adapters": pl.Int64(),
    "static_adapters": pl.Int64(),
    "dhcp_adapters": pl.Int64(),
    "addressless_adapters": pl.Int64(),
    "default_routes": pl.Int64(),
    "platform_routes": pl.Int64(),
    "complete": pl.Boolean(),
}

#: Where the platform answers (linux.md 2.9).
PLATFORM = ipaddress.IPv4Address("168.63.129.16")

_VIRTUAL = re.compile(
    r"lo\d*$|(?:docker|veth|virbr|br-|cni|flannel|cali|tun|tap|wg|lxc|lxd|podman|vnet|sit|gre|ip6tnl|dummy|kube|ppp"
    r"|azure|bonding_masters|ifb|nodelocal)|.*\b(?:loopback|teredo|isatap|6to4|wan miniport|vpn|kernel debug)",
    re.IGNORECASE,
)
_LINK_LOCAL = ipaddress.IPv4Network("169.254.0.0/16")


def is_virtual(name: str) -> bool:
    """Whether a name is that of loopback, a tunnel, or an adapter of containers: none that the platform gave."""
    return _VIRTUAL.match(name) is not None


def ipv4(text: str) -> str | None:
    """The IPv4 address at the beginning of ``10.0.0.4/24`` or ``10.0.0.4(Preferred)``; None: there is none."""
    found = re.match(r"\s*(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])", text)
    try:
        return str(ipaddress.IPv4Address(found[1])) if found else None
    except ValueError:
        return None


def joined(addresses: Iterable[str | None]) -> str | None:
    """Addresses, each once, as the columns have them."""
    return " ".join(dict.fromkeys(one for one in addresses if one)) or None


def adapter(tool: str, kind: str, name: str | None, found: Sequence[str], **columns: object) -> dict[str, object]:
    """A row about one interface; ``found``: its IPv4 addresses."""
    addresses = list(dict.fromkeys(found))
    return {
        "kind": kind,
        "tool": tool,
        "interface": name,
        "virtual": is_virtual(name or ""),
        "addresses": joined(addresses),
        "address_count": len(addresses),
        "link_local": bool(addresses) and all(ipaddress.IPv4Address(one) in _LINK_LOCAL for one in addresses),
        **columns,
    }


def network(destination: str, mask: str | None = None) -> ipaddress.IPv4Network | None:
    """A destination of a table of routes: ``default``, ``10.0.0.0/24``, or an address with its mask."""
    if destination == "default":
        return ipaddress.IPv4Network("0.0.0.0/0")
    try:
        return ipaddress.IPv4Network(f"{destination}/{mask}" if mask else destination, strict=False)
    except ValueError:
        return None


def route(tool: str, to: ipaddress.IPv4Network, **columns: object) -> dict[str, object]:
    """A row about one route; a default route has the destination ``0.0.0.0/0``."""
    return {"kind": "route", "tool": tool, "destination": str(to), **columns}


def _summary(tool: str, rows: Sequence[Mapping[str, object]], complete: bool) -> dict[str, object]:
    """What a whole listing says: how many adapters have which kind of address, and which routes lead out."""
    own = [row for row in rows if row["kind"] == "adapter" and not row["virtual"] and row.get("up") is not False]
    routes = [ipaddress.IPv4Network(str(row["destination"])) for row in rows if row["kind"] == "route"]
    row: dict[str, object] = {"kind": "summary", "tool": tool, "complete": complete}
    if any(one["kind"] == "adapter" for one in rows):
        row |= {
            "adapters": len(own),
            "static_adapters": sum(one.get("static") is True for one in own),
            "dhcp_adapters": sum(one.get("dhcp") is True for one in own),
            "addressless_adapters": sum(not one["addresses"] or one["link_local"] is True for one in own),
        }
    if routes:
        row |= {
            "default_routes": sum(one.prefixlen == 0 for one in routes),
            "platform_routes": sum(one.prefixlen > 0 and PLATFORM in one for one in routes),
        }
    return row


def network_listing(
    source: Source,
    logsource: LogSource,
    lines: Sequence[Line],
    rows: Sequence[tuple[Sequence[Line], Mapping[str, object]]],
    rejected: Sequence[Rejected] = (),
) -> Parsed:
    """The rows of a listing, each with the lines that it was read from, and a line for people."""
    full = [cited(own) | {"message": _words(row)} | dict(row) for own, row in rows if own]
    return listing(source, logsource, lines, full, NETWORK_COLUMNS, rejected)


def with_summary(
    tool: str, lines: Sequence[Line], rows: Sequence[tuple[Sequence[Line], Mapping[str, object]]], complete: bool
) -> list[tuple[Sequence[Line], Mapping[str, object]]]:
    """The rows of all ``lines`` behind one that sums them up and cites all that they cite; none if there are none."""
    numbers = [line.number for own, _ in rows for line in own]
    if not numbers:
        return []
    whole = lines[min(numbers) - 1 : max(numbers)]
    return [(whole, _summary(tool, [row for _, row in rows], complete)), *rows]


def _words(row: Mapping[str, object]) -> str:
    """``ip addr adapter: interface=eth0, addresses=10.0.0.4``: what is true of it, or false of an address."""
    told = [f"{name}={value}" for name, value in row.items() if value is not None and name not in ("kind", "tool")]
    return f"{row['tool']} {row['kind']}: {', '.join(told)}"

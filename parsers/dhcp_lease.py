"""DHCP leases of Linux: dhclient, systemd-networkd, NetworkManager, wicked (linux.md 2.9).

Option 245 has the address of the platform's wire server, 168.63.129.16 as a8:3f:81:10. The Linux agent's own test reads
the form of dhclient only, and takes the last lease that has not run out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("linux", "dhcp", "config")

#: ``client``: dhclient, networkd (NetworkManager's own client has the same form), or wicked. ``option_245``: dotted
#: where it is an address of four bytes, else as it stands. ``never_expires``: the lease has no end. ``effective``: the
#: last lease of its interface in the file.
_COLUMNS: Mapping[str, pl.DataType] = {
    "client": pl.String(),
    "interface": pl.String(),
    "address": pl.String(),
    "server_identifier": pl.String(),
    "option_245": pl.String(),
    "routers": pl.String(),
    "domain_name_servers": pl.String(),
    "subnet_mask": pl.String(),
    "lease_seconds": pl.Int64(),
    "renew": TIMESTAMP,
    "expire": TIMESTAMP,
    "never_expires": pl.Boolean(),
    "effective": pl.Boolean(),
}

_NAME = (
    r"(?:^|[/!])(?:[^/!]*\.leases?|dhclient[^/!]*\.lease[^/!]*|lease-[^/!]+\.xml|internal-[^/!]+\.lease)$"
    r"|[/!](?:netif/leases/\d+|wicked/lease[^/!]*)$"
)
_CONTENT = r"^[ \t]*lease6? \{|^[ \t]*option dhcp-server-identifier \S|^SERVER_ADDRESS=[\d.]+\r?$|^[ \t]*<ipv[46]:dhcp>"
_OPTION_245 = r"(?:option[ _-])?(?:(?:unknown|private|option)[_-])?245"
_ISC = re.compile(r"^(?:option )?([\w.-]+)(.*)$")
_ISC_TIME = re.compile(r"^(?:\d )?(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)$")
_ISC_EPOCH = re.compile(r"^epoch (\d{1,12})")
_KEY = re.compile(r"^([A-Za-z][\w-]*)=(.*)$")
_ELEMENT = re.compile(r"<([\w:.-]+)(?:\s+code=\"(\d+)\")?[^<>]*>([^<>]*)</[\w:.-]+>")
_BYTES = re.compile(r"^(?:0x)?([0-9A-Fa-f]{1,2})[: ]?([0-9A-Fa-f]{1,2})[: ]?([0-9A-Fa-f]{1,2})[: ]?([0-9A-Fa-f]{1,2})$")
_INTERFACE_IN_NAME = re.compile(r"(?:^|[-._])((?:eth|en[opsxP]|wl|ib|bond)[A-Za-z0-9]*)[-.]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Names of the three clients for one thing.
_NAMES = {
    **{"interface": "interface", "fixed-address": "address", "dhcp-server-identifier": "server_identifier"},
    **{"routers": "routers", "domain-name-servers": "domain_name_servers", "subnet-mask": "subnet_mask"},
    **{"dhcp-lease-time": "lease_seconds", "renew": "renew", "expire": "expire"},
    **{"address": "address", "server_address": "server_identifier", "router": "routers", "dns": "domain_name_servers"},
    **{"netmask": "subnet_mask", "lifetime": "lease_seconds"},
    **{
        "server-id": "server_identifier",
        "lease-time": "lease_seconds",
        "netmask4": "subnet_mask",
        "ifname": "interface",
    },
    **{"gateway": "routers"},
}
_TIMES = frozenset({"renew", "expire"})
#: A lease time of all ones has no end (RFC 2131, section 3.3).
_FOR_EVER = 0xFFFFFFFF

_ISC_TEXT = (
    'lease {\n  interface "eth0";\n  fixed-address 10.0.0.4;\n  option subnet-mask 255.255.255.0;\n'
    "  option routers 10.0.0.1;\n  option dhcp-server-identifier 168.63.129.16;\n"
    "  option unknown-245 a8:3f:81:10;\n  renew 6 2025/03/01 02:10:03;\n  expire 6 2025/03/01 03:10:03;\n}\n"
    'lease {\n  interface "eth0";\n  fixed-address 10.0.0.4;\n  option dhcp-server-identifier 10.0.0.2;\n'
    "  expire never;\n}\n"
)
_NETWORKD_TEXT = (
    "# This is private data. Do not parse.\nADDRESS=10.0.0.4\nNETMASK=255.255.255.0\nROUTER=10.0.0.1\n"
    "SERVER_ADDRESS=168.63.129.16\nT1=2147483647\nLIFETIME=4294967295\nDNS=168.63.129.16\nOPTION_245=a83f8110\n"
)
_WICKED_TEXT = (
    "<lease>\n  <family>ipv4</family>\n  <type>dhcp</type>\n  <ipv4:dhcp>\n    <server-id>168.63.129.16</server-id>\n"
    "    <address>10.0.0.4</address>\n    <lease-time>3600</lease-time>\n"
    '    <option code="245">a8:3f:81:10</option>\n  </ipv4:dhcp>\n</lease>\n'
)


@dataclass(frozen=True, slots=True)
class DhcpLease:
    """One row a lease, in the order of the file: later ones replace earlier ones of the same interface."""

    name: str = "dhcp_lease"
    title: str = "DHCP leases of Linux: dhclient, systemd-networkd, NetworkManager, wicked"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = (
        *("var/lib/dhcp/*.leases", "var/lib/dhclient/*.leases", "var/lib/NetworkManager/*.lease"),
        *("run/systemd/netif/leases/*", "var/lib/wicked/lease-*"),
    )
    named = _NAME
    otherwise = 50

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every client, with and without option 245."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By folder or ending, and by the words of a lease."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="DHCP leases")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a lease; a line that is none of a lease is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        text = [line for line in lines if not _is_rubbish(line, rejected)]
        if any(line.text.lstrip().startswith("<") for line in text):
            rows = list(_wicked(text, rejected))
        elif any(_KEY.match(line.text) for line in text):
            rows = list(_keys(text, rejected))
        else:
            rows = list(_isc(text, rejected))
        named = _INTERFACE_IN_NAME.search(source.name)
        for row in rows:
            row.setdefault("interface", named[1] if named else None)
        last = {row["interface"]: number for number, row in enumerate(rows)}
        full = [row | {"effective": last[row["interface"]] == number} for number, row in enumerate(rows)]
        return listing(source, self.logsource, lines, full, _COLUMNS, rejected)


def _is_rubbish(line: Line, rejected: list[Rejected]) -> bool:
    if "\0" in line.text:
        rejected.append(Rejected(line, "not text: the line holds NUL characters"))
    return "\0" in line.text


def _isc(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[dict[str, object]]:
    """Blocks ``lease { ... }``; a file may end, or begin, inside of one."""
    block: list[Line] = []
    for line in lines:
        text = line.text.strip()
        if not text or text.startswith("#") or re.match(r"^(?:default-duid|server-duid|authoring-byte-order)\b", text):
            continue
        if re.match(r"^lease6? ?\{", text):
            if block:
                yield _isc_row(block)
            block = [line]
        elif text == "}":
            if block:
                yield _isc_row([*block, line])
            block = []
        elif block or text.startswith("option ") or _statement(text)[0] in _NAMES:
            block.append(line)
        else:
            rejected.append(Rejected(line, "no statement of a lease"))
    if block:
        yield _isc_row(block)


def _isc_row(block: Sequence[Line]) -> dict[str, object]:
    row: dict[str, object] = {"client": "dhclient"}
    for line in block:
        name, value = _statement(line.text.strip())
        if re.fullmatch(_OPTION_245, name):
            row["option_245"] = _dotted(value)
        elif (column := _NAMES.get(name)) in _TIMES:
            row |= _isc_time(column, value)
        elif column is not None:
            row[column] = _seconds(value) if column == "lease_seconds" else value
    return _finished(row, block)


def _statement(text: str) -> tuple[str, str]:
    """Name and value of ``option routers 10.0.0.1;``; a comment may stand behind a time."""
    found = _ISC.match(text)
    return (found[1].lower(), found[2].strip().removesuffix(";").strip('" ')) if found else ("", "")


def _isc_time(column: str, value: str) -> dict[str, object]:
    """Times are UTC; ``never`` is a time too."""
    if value == "never":
        return {"never_expires": True} if column == "expire" else {}
    try:
        if found := _ISC_TIME.match(value):
            return {column: datetime.strptime(found[1], "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC)}
        if found := _ISC_EPOCH.match(value):
            return {column: _EPOCH + timedelta(seconds=int(found[1]))}
    except (ValueError, OverflowError):
        pass
    return {}


def _keys(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[dict[str, object]]:
    """``KEY=value``: the whole file is one lease."""
    row: dict[str, object] = {"client": "networkd"}
    own: list[Line] = []
    for line in lines:
        text = line.text.strip()
        if found := _KEY.match(text):
            own.append(line)
            name, value = found[1].lower(), found[2].strip().strip("'\"")
            if re.fullmatch(_OPTION_245, name):
                row["option_245"] = _dotted(value)
            elif name in _NAMES and name not in _TIMES:
                row[_NAMES[name]] = _seconds(value) if _NAMES[name] == "lease_seconds" else value
        elif text and not text.startswith(("#", "[")):
            rejected.append(Rejected(line, "neither key=value nor comment"))
    if own:
        yield _finished(row, own)


def _wicked(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[dict[str, object]]:
    """Elements of a line each, as wicked writes them; a document is a lease."""
    row: dict[str, object] = {}
    own: list[Line] = []
    for line in lines:
        if not line.blank and not own and "<" not in line.text:
            rejected.append(Rejected(line, "no element of a lease"))
            continue
        own.append(line)
        for name, code, value in _ELEMENT.findall(line.text):
            if code == "245" or re.fullmatch(_OPTION_245, name):
                row["option_245"] = _dotted(value.strip())
            elif name in _NAMES and name not in _TIMES:
                column = _NAMES[name]
                row.setdefault(column, _seconds(value) if column == "lease_seconds" else value.strip())
    if row:
        yield _finished({"client": "wicked", **row}, own)


def _finished(row: dict[str, object], lines: Sequence[Line]) -> dict[str, object]:
    row.setdefault("never_expires", row.get("lease_seconds") == _FOR_EVER)
    option = row.get("option_245")
    words = f"lease of {row.get('address') or '?'} by {row.get('server_identifier') or '?'}"
    return row | cited(lines) | {"message": f"{words}, option 245 {'is ' + str(option) if option else 'is missing'}"}


def _dotted(value: str) -> str:
    """The four bytes of an address with dots; anything else as it stands."""
    found = _BYTES.match(value.strip().strip('"'))
    return ".".join(str(int(part, 16)) for part in found.groups()) if found else value


def _seconds(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[0-9]{1,12}", value.strip()) else None


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "dhclient, the last lease without option 245",
            "var/lib/dhcp/dhclient.eth0.leases",
            _ISC_TEXT.encode() + b"what is this\n",
            (
                {
                    "@timestamp": None,
                    "client": "dhclient",
                    "interface": "eth0",
                    "address": "10.0.0.4",
                    "server_identifier": "168.63.129.16",
                    "option_245": "168.63.129.16",
                    "renew": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                    "expire": datetime(2025, 3, 1, 3, 10, 3, tzinfo=UTC),
                    "never_expires": False,
                    "effective": False,
                    "log.line": 1,
                },
                {
                    "server_identifier": "10.0.0.2",
                    "option_245": None,
                    "expire": None,
                    "never_expires": True,
                    "effective": True,
                    "log.line": 11,
                    "message": "lease of 10.0.0.4 by 10.0.0.2, option 245 is missing",
                },
            ),
            rejected=1,
        ),
        Sample(
            "dhclient of another distribution, its beginning cut",
            "leases.txt",
            b"  option dhcp-server-identifier 168.63.129.16;\n  option private-245 a8:3f:81:10;\n"
            b"  expire epoch 1740795003; # Sat Mar  1 02:10:03 2025\n}\n",
            (
                {
                    "option_245": "168.63.129.16",
                    "interface": None,
                    "expire": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                },
            ),
        ),
        Sample(
            "systemd-networkd",
            "run/systemd/netif/leases/2",
            _NETWORKD_TEXT.encode(),
            (
                {
                    "client": "networkd",
                    "address": "10.0.0.4",
                    "server_identifier": "168.63.129.16",
                    "option_245": "168.63.129.16",
                    "lease_seconds": 4294967295,
                    "never_expires": True,
                    "effective": True,
                },
            ),
        ),
        Sample(
            "NetworkManager's own client",
            "var/lib/NetworkManager/internal-0a1b-eth0.lease",
            b"# This is private data. Do not parse.\nADDRESS=10.0.0.4\nSERVER_ADDRESS=168.63.129.16\nLIFETIME=86400\n",
            ({"interface": "eth0", "option_245": None, "lease_seconds": 86400, "never_expires": False},),
        ),
        Sample(
            "wicked",
            "var/lib/wicked/lease-eth0-dhcp-ipv4.xml",
            _WICKED_TEXT.encode(),
            (
                {
                    "client": "wicked",
                    "interface": "eth0",
                    "server_identifier": "168.63.129.16",
                    "option_245": "168.63.129.16",
                    "lease_seconds": 3600,
                },
            ),
        ),
    )


parser: Parser = DhcpLease()

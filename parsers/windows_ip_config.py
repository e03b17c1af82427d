"""``ipconfig /all`` of any language: by the shape of a line, its place, and the names of protocols in its label.

A physical address has one form in every language, and whether DHCP is on stands on the line below it; ``IPv4``,
``DHCP`` and ``DNS`` are written the same nearly everywhere; the gateway stands between the mask and the servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, Rejected, console_head, console_lines
from loganalyzer.parser_network import WINDOWS, adapter, ipv4, is_virtual, joined, network_listing, with_summary

#: ``Label . . . . : value``; of long labels no dots are left, and in some languages the colon is a wide one.
_VALUE = re.compile(r"^\s{1,8}(\S[^:：]{0,80}?)[\s.]{0,60}[:：](?: (.*?))?\s*$")
_DOTS = ". . ."
_HEADING = re.compile(r"^(\S.{0,200}?)\s?[:：]\s*$")
_MORE = re.compile(r"^\s{20,}(\S+)\s*$")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}-){5,7}[0-9A-Fa-f]{2}\Z")
_MASK = re.compile(r"255\.(?:\d{1,3}\.){2}\d{1,3}\Z")
_LONGEST = 1024
#: Yes and no in the languages of Windows Server, casefolded.
_YES = frozenset(
    {
        "yes",
        "ja",
        "oui",
        "sí",
        "si",
        "sì",
        "sim",
        "はい",
        "是",
        "예",
        "да",
        "tak",
        "ano",
        "igen",
        "evet",
        "kyllä",
        "áno",
    }
)
_NO = frozenset(
    {
        "no",
        "nein",
        "non",
        "não",
        "nao",
        "いいえ",
        "否",
        "아니요",
        "нет",
        "nie",
        "ne",
        "nem",
        "hayır",
        "nee",
        "nej",
        "nei",
        "ei",
    }
)

_Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class WindowsIpConfig:
    """One row an adapter, and one about all of them."""

    name: str = "windows_ip_config"
    title: str = "addresses of Windows: ipconfig /all"
    logsource: LogSource = WINDOWS
    paths: tuple[str, ...] = ("ipconfig /all > ipconfig.txt",)
    strongest = 65

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Three languages; with and without DHCP, with no address, with several."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By a heading of an adapter, dotted labels below it, and a physical address or an IPv4 address among them."""
        lines = [line[:_LONGEST] for line in console_head(head).splitlines()]
        values = [found for line in lines if _DOTS in line and (found := _VALUE.match(line))]
        told = any(_MAC.match(found[2] or "") or (_is_ipv4(found[1]) and ipv4(found[2] or "")) for found in values)
        if len(values) >= 3 and told and any(_HEADING.match(line) for line in lines):
            return Claim(65, "built like output of ipconfig")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an adapter; a line of no form is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        blocks: list[list[Line]] = []
        for line in lines:
            text = line.text.rstrip()
            odd = "\0" in text or len(text) > _LONGEST
            if not odd and line.indent == 0 and _HEADING.match(text):
                blocks.append([line])
            elif odd or not (line.blank or _VALUE.match(text) or _MORE.match(text) or line.indent == 0):
                rejected.append(Rejected(line, "no line of ipconfig"))
            elif blocks and not line.blank and line.indent:
                blocks[-1].append(line)
        rows = [(block, _row(block)) for block in blocks if len(block) > 1]
        whole = with_summary("ipconfig", lines, rows, complete=_has_host(lines))
        return network_listing(source, self.logsource, lines, whole, rejected)


def _has_host(lines: Sequence[Line]) -> bool:
    """Whether values about the host stand in front of the first adapter: nothing was cut off."""
    first = next((line for line in lines if _VALUE.match(line.text[:_LONGEST]) or _HEADING.match(line.text)), None)
    return first is not None and first.indent > 0


def _row(block: Sequence[Line]) -> Mapping[str, object]:
    values: list[tuple[str, list[str]]] = []
    for line in block[1:]:
        if found := _VALUE.match(line.text):
            values.append((found[1].strip(), [found[2] or ""]))
        elif values and (more := _MORE.match(line.text)):
            values[-1][1].append(more[1])
    plain: list[_Label] = [(label, told[0]) for label, told in values]
    mac = next((place for place, (_, told) in enumerate(plain) if _MAC.match(told)), None)
    title = block[0].text.strip().rstrip(":： ")
    description = plain[mac - 1][1] if mac else None
    addresses = [one for label, told in values if _is_ipv4(label) for one in map(ipv4, told) if one]
    leased = _is_on(plain, mac)
    virtual = is_virtual(description or "") or is_virtual(title)
    return adapter(
        "ipconfig",
        "adapter",
        title,
        addresses,
        description=description,
        mac=plain[mac][1] if mac is not None else None,
        up=any(_is_address(told) for _, told in plain),
        virtual=virtual,
        dhcp=leased,
        static=bool(addresses) and not leased if leased is not None else None,
        gateways=joined(_gateways(values)),
        dns_servers=joined(one for label, told in values if "DNS" in label for one in map(ipv4, told)),
        dhcp_server=next((one for label, told in plain if "DHCP" in label and (one := ipv4(told))), None),
    )


def _is_ipv4(label: str) -> bool:
    """The label of an address; old releases wrote ``IP Address``, and those of no connection ``Autoconfiguration``."""
    words = re.findall(r"\w+", label)
    return "IPv4" in label or (("IP" in words or label.startswith("IP-")) and not re.search("DNS|DHCP|WINS", label))


def _is_address(value: str) -> bool:
    return ipv4(value) is not None or re.match(r"[0-9a-f:]*::?[0-9a-f:]+(?:%\d+)?(?:\W|$)", value) is not None


def _is_on(values: Sequence[_Label], mac: int | None) -> bool | None:
    """Whether DHCP is on: the line with ``DHCP`` and no address in it, else the one below the physical address."""
    below = [values[mac + 1]] if mac is not None and mac + 1 < len(values) else []
    named = [one for one in values if "DHCP" in one[0] and "DHCPv6" not in one[0] and not _is_address(one[1])]
    for _, value in (*named, *below):
        word = value.casefold().strip(" .")
        if word in _YES or word in _NO:
            return word in _YES
    return None


def _gateways(values: Sequence[tuple[str, list[str]]]) -> list[str | None]:
    """The addresses under the first label behind the last mask that names none of the protocols and holds no date."""
    masks = [place for place, (_, told) in enumerate(values) if _MASK.match(told[0])]
    behind = values[masks[-1] + 1 :] if masks else []
    for label, told in behind:
        if re.search("DHCP|DNS|WINS|NetBIOS|IPv6|IPv4|DUID|IAID", label):
            return []
        if not told[0] or _is_address(told[0]):
            return [ipv4(one) for one in told]
    return []


_ENGLISH = (
    "\r\nWindows IP Configuration\r\n\r\n   Host Name . . . . . . . . . . . . : vm01\r\n"
    "   Node Type . . . . . . . . . . . . : Hybrid\r\n   IP Routing Enabled. . . . . . . . : No\r\n\r\n"
    "Ethernet adapter Ethernet:\r\n\r\n   Connection-specific DNS Suffix  . : a.internal.cloudapp.net\r\n"
    "   Description . . . . . . . . . . . : Microsoft Hyper-V Network Adapter\r\n"
    "   Physical Address. . . . . . . . . : 00-0D-3A-00-00-01\r\n"
    "   DHCP Enabled. . . . . . . . . . . : Yes\r\n   Autoconfiguration Enabled . . . . : Yes\r\n"
    "   Link-local IPv6 Address . . . . . : fe80::1%5(Preferred) \r\n"
    "   IPv4 Address. . . . . . . . . . . : 10.0.0.4(Preferred) \r\n"
    "   Subnet Mask . . . . . . . . . . . : 255.255.255.0\r\n"
    "   Lease Obtained. . . . . . . . . . : Saturday, March 1, 2025 2:10:03 AM\r\n"
    "   Lease Expires . . . . . . . . . . : Tuesday, April 7, 2161 8:38:19 AM\r\n"
    "   Default Gateway . . . . . . . . . : 10.0.0.1\r\n   DHCP Server . . . . . . . . . . . : 168.63.129.16\r\n"
    "   DHCPv6 IAID . . . . . . . . . . . : 83890490\r\n"
    "   DNS Servers . . . . . . . . . . . : 168.63.129.16\r\n"
    "   NetBIOS over Tcpip. . . . . . . . : Enabled\r\n\r\n"
    "Tunnel adapter isatap.a:\r\n\r\n   Media State . . . . . . . . . . . : Media disconnected\r\n"
    "   Description . . . . . . . . . . . : Microsoft ISATAP Adapter\r\n"
    "   Physical Address. . . . . . . . . : 00-00-00-00-00-00-00-E0\r\n"
    "   DHCP Enabled. . . . . . . . . . . : No\r\n"
)
_GERMAN = (
    "\r\nWindows-IP-Konfiguration\r\n\r\n   Hostname  . . . . . . . . . . . . : vm01\r\n\r\n"
    "Ethernet-Adapter Ethernet:\r\n\r\n   Verbindungsspezifisches DNS-Suffix: \r\n"
    "   Beschreibung. . . . . . . . . . . : Microsoft Hyper-V Network Adapter\r\n"
    "   Physische Adresse . . . . . . . . : 00-0D-3A-00-00-01\r\n"
    "   DHCP aktiviert. . . . . . . . . . : Nein\r\n   Autokonfiguration aktiviert . . . : Ja\r\n"
    "   IPv4-Adresse  . . . . . . . . . . : 10.0.0.4(Bevorzugt) \r\n"
    "   Subnetzmaske  . . . . . . . . . . : 255.255.255.0\r\n"
    "   IPv4-Adresse  . . . . . . . . . . : 10.0.0.5(Bevorzugt) \r\n"
    "   Subnetzmaske  . . . . . . . . . . : 255.255.255.0\r\n"
    "   Standardgateway . . . . . . . . . : 10.0.0.1\r\n   DNS-Server  . . . . . . . . . . . : 10.0.0.2\r\n"
    "                                       10.0.0.3\r\n"
)
_JAPANESE = (
    "\r\nイーサネット アダプター イーサネット:\r\n\r\n"
    "   説明. . . . . . . . . . . . . . . : Microsoft Hyper-V Network Adapter\r\n"
    "   物理アドレス. . . . . . . . . . . : 00-0D-3A-00-00-01\r\n"
    "   DHCP 有効 . . . . . . . . . . . . : はい\r\n"
    "   自動構成 IPv4 アドレス. . . . . . : 169.254.7.8(優先) \r\n"
    "   サブネット マスク . . . . . . . . : 255.255.0.0\r\n   デフォルト ゲートウェイ . . . . . : \r\n    odd\r\n"
)


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "English, with a tunnel",
            "ipconfig.txt",
            _ENGLISH.encode("utf-16"),
            (
                {
                    "kind": "summary",
                    "adapters": 1,
                    "dhcp_adapters": 1,
                    "static_adapters": 0,
                    "addressless_adapters": 0,
                    "complete": True,
                },
                {
                    "kind": "adapter",
                    "tool": "ipconfig",
                    "interface": "Ethernet adapter Ethernet",
                    "description": "Microsoft Hyper-V Network Adapter",
                    "mac": "00-0D-3A-00-00-01",
                    "dhcp": True,
                    "static": False,
                    "addresses": "10.0.0.4",
                    "gateways": "10.0.0.1",
                    "dhcp_server": "168.63.129.16",
                    "dns_servers": "168.63.129.16",
                    "virtual": False,
                },
                {"up": False, "addresses": None, "virtual": True},
            ),
        ),
        Sample(
            "German, two addresses by hand",
            "ip.txt",
            _GERMAN.encode("cp850"),
            (
                {"adapters": 1, "dhcp_adapters": 0, "static_adapters": 1},
                {
                    "dhcp": False,
                    "static": True,
                    "addresses": "10.0.0.4 10.0.0.5",
                    "address_count": 2,
                    "gateways": "10.0.0.1",
                    "dns_servers": "10.0.0.2 10.0.0.3",
                    "dhcp_server": None,
                },
            ),
        ),
        Sample(
            "Japanese, with no lease; its beginning is lost",
            "ipconfig_all.txt",
            _JAPANESE.encode("cp932"),
            (
                {"adapters": 1, "addressless_adapters": 1, "complete": False},
                {"dhcp": True, "link_local": True, "addresses": "169.254.7.8", "gateways": None},
            ),
            rejected=1,
        ),
    )


parser: Parser = WindowsIpConfig()

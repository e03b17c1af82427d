"""``netsh winhttp show proxy`` in any language: the proxy of Windows services, the agent's among them.

The heading names WinHTTP in every language; of a proxy there are lines with a colon, of direct access there are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_listing import Rejected, cited, console_head, console_lines, key_value, listing

_LOGSOURCE = LogSource("windows", "proxy", "config")
_HEADING = re.compile(r"^[^\n]{0,80}\bWinHTTP\b[^\n]{0,80}[:：]\s*$", re.MULTILINE)
_COMMAND = re.compile(r"^\s*(?:[A-Za-z]:\\[^>\n]{0,120}>|PS [^>\n]{0,120}>|[$#>]|netsh\b)")
#: The lines of a proxy, in their order.
_KEYS = ("proxy_server", "bypass_list")


@dataclass(frozen=True, slots=True)
class WindowsProxyText:
    """The keys ``proxy_server``, ``bypass_list`` and, where there is no proxy, ``direct``."""

    name: str = "windows_proxy_text"
    title: str = "proxy of Windows services: netsh winhttp show proxy"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("netsh winhttp show proxy > winhttp.txt",)
    strongest = 65
    samples: tuple[Sample, ...] = (
        Sample(
            "no proxy",
            "winhttp.txt",
            b"\r\nCurrent WinHTTP proxy settings:\r\n\r\n    Direct access (no proxy server).\r\n\r\n",
            ({"key": "direct", "value": "yes", "effective": True, "log.line": 4},),
        ),
        Sample(
            "a proxy, in German",
            "proxy.txt",
            "\r\nAktuelle WinHTTP-Proxyeinstellungen:\r\n\r\n    Proxyserver:  proxy.contoso.com:8080\r\n"
            "    Umgehungsliste:  168.63.129.16;169.254.169.254\r\nwas\r\n".encode("cp850"),
            (
                {"key": "proxy_server", "value": "proxy.contoso.com:8080"},
                {"key": "bypass_list", "value": "168.63.129.16;169.254.169.254"},
            ),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the heading, in a file that holds little else."""
        text = console_head(head)
        return Claim(65, "built like output of netsh winhttp") if len(text) < 4096 and _HEADING.search(text) else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a line behind the heading."""
        lines = console_lines(source.data)
        rows: list[dict[str, object]] = []
        rejected: list[Rejected] = []
        begun = False
        for line in lines:
            pair = key_value(line.text.replace("：", ":", 1)) if line.indent and "\0" not in line.text else None
            if _HEADING.match(line.text):
                begun, rows = True, []
            elif begun and line.indent and "\0" not in line.text and not line.blank and len(rows) < len(_KEYS):
                key, value = (_KEYS[len(rows)], pair[1]) if pair else ("direct", "yes")
                rows.append(
                    cited([line]) | {"key": key, "value": value, "effective": True, "message": line.text.strip()}
                )
            elif not line.blank and not _COMMAND.match(line.text):
                rejected.append(Rejected(line, "no line of netsh winhttp"))
        return listing(source, self.logsource, lines, rows, CONFIG_COLUMNS, rejected)


parser: Parser = WindowsProxyText()

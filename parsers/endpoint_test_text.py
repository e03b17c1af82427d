"""Somebody tried to reach the platform from the guest: ``curl``, ``wget``, ``nc``, ``telnet``, ``Test-NetConnection``.

What they print about 168.63.129.16 tells whether its ports answer. The Linux agent itself drops connections of others
than root (linux.md section 0, fact 17), and the output does not say who asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, cited, console_head, console_lines, listing
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("azure", "endpointtest", "config")

#: ``outcome``: connected, answered (``status`` is that of HTTP), timeout, refused, no route, forbidden, unresolved,
#: failed, or unfinished where the text ends before. ``host`` is an address or a name. ``answered_at``: the ``Date`` of
#: the answer.
_COLUMNS: Mapping[str, pl.DataType] = {
    "tool": pl.String(),
    "host": pl.String(),
    "port": pl.Int64(),
    "outcome": pl.String(),
    "status": pl.Int64(),
    "proxy": pl.String(),
    "answered_at": TIMESTAMP,
}
#: A line that opens an attempt; groups are host and port, whichever of them the tool prints.
_TRYING = re.compile(
    r"^(?:\* +Trying (?P<host>[\w.-]{1,253})(?::(?P<port>\d{1,5}))?\.\.\."
    r"|\* About to connect\(\) to (?P<host2>[\w.-]{1,253}) port (?P<port2>\d{1,5}) .*"
    r"|Connecting to (?P<host3>[\w.-]{1,253})(?: \([^()]*\)|\|[\d.]+\|)?:(?P<port3>\d{1,5})\.\.\. .*"
    r"|Trying (?P<host4>\d+\.\d+\.\d+\.\d+)\.\.\.)\s*$"
)
_NC = re.compile(
    r"^(?:Connection to (?P<host>[\w.-]{1,253}) (?:\([^()]*\) )?(?P<port>\d{1,5}) port .*succeeded!"
    r"|[Nn]c(?:at)?: (?:connect to )?(?P<host2>[\w.-]{1,253})(?: \([^()]*\))?(?: port (?P<port2>\d{1,5}))?"
    r".*?(?:failed|Connection)[: ]?.*)\s*$"
)
_CURL_ERROR = re.compile(r"^curl: \((?P<code>\d{1,3})\) (?P<text>.*?)\s*$")
_TO = re.compile(
    r"(?:connect to|reach|host:|Recv failure from|connect to server) ([\w.-]{1,253}?)(?: port (\d{1,5}))?(?:[\s:]|$)"
)
_STATUS = re.compile(r"^(?:< )?HTTP/[\d.]+ (\d{3})\b|^HTTP request sent, awaiting response\.\.\. (\d{3})\b")
_CONNECTED = re.compile(r"^(?:\* +)?Connected to ([\w.-]{1,253})(?: \([^()]*\))?(?: port (\d{1,5}))?")
_DATE = re.compile(r"^(?:< |  )?Date: (\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d) GMT\s*$")
_PROXY = re.compile(r"^\* Uses proxy env variable \w+ == '([^']{1,200})'|^Proxy request sent")
#: A property of PowerShell's ``Test-NetConnection``, whose names no language changes.
_PROPERTY = re.compile(r"^(RemoteAddress|RemotePort|TcpTestSucceeded|ComputerName)\s*: (.*?)\s*$")
_PROGRAMS = re.compile(
    r"^(?:\* |< |> |curl: \(|wget: |Connecting to |Trying \d|nc: |[Nn]cat: |Connection to |TcpTestSucceeded)"
)
_LONGEST = 2048
#: What older curl says before it tries the addresses of a host.
_ABOUT = "About to connect()"
#: Words of an outcome, most specific first.
_OUTCOMES = (
    ("timeout", "timed out|timeout|time out"),
    ("refused", "refused"),
    ("no route", "No route to host|Network is unreachable|unreachable"),
    ("forbidden", "Permission denied|forbidden by its access permissions|prohibited|not permitted"),
    ("unresolved", "not resolve|resolve host|Name or service not known|unknown host"),
)
_CODES = {6: "unresolved", 28: "timeout", 5: "unresolved"}


@dataclass(frozen=True, slots=True)
class EndpointTestText:
    """One row an attempt."""

    name: str = "endpoint_test_text"
    title: str = "attempts to reach the platform: curl, wget, nc, telnet, Test-NetConnection"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = (
        "curl -v http://168.63.129.16/?comp=versions > curl.txt 2>&1",
        "Test-NetConnection 168.63.129.16 -Port 80 > tnc.txt",
    )
    strongest = 50

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Each tool, with an answer and without one."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By lines that only these tools print; a log that quotes some of them begins in another way."""
        lines = [line[:_LONGEST] for line in console_head(head).splitlines()]
        own = sum(_PROGRAMS.match(line) is not None for line in lines)
        first = any(
            _PROGRAMS.match(line) or _PROPERTY.match(line) for line in [line for line in lines if line.strip()][:8]
        )
        if first and own and any(_begins(line) is not None for line in lines):
            return Claim(50, "built like an attempt to reach a host")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an attempt; what else the tools print belongs to it."""
        lines = console_lines(source.data)
        rows = [row for block in _blocks(lines) if (row := _row(block))]
        return listing(source, self.logsource, lines, rows, _COLUMNS)


def _begins(text: str) -> Mapping[str, str] | None:
    """Host and port where a line opens an attempt, or is all of one."""
    if opened := _TRYING.match(text) or _NC.match(text):
        return {name.rstrip("234"): value for name, value in opened.groupdict().items() if value}
    if error := _CURL_ERROR.match(text):
        to = _TO.search(error["text"])
        return {"host": to[1], "port": to[2] or ""} if to else {"host": ""}
    told = _PROPERTY.match(text)
    return {"host": told[2]} if told and told[1] == "ComputerName" else None


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines of each attempt; the error that curl ends with belongs to the attempt above it."""
    block: list[Line] = []
    for line in lines:
        if line.blank or len(line.text) > _LONGEST:
            continue
        text = line.text
        if _CURL_ERROR.match(text):
            yield [*block, line]
            block = []
        elif _NC.match(text):
            yield from ([block, [line]] if block else [[line]])
            block = []
        elif _begins(text) is not None and not (len(block) == 1 and _ABOUT in block[0].text):
            if block:
                yield block
            block = [line]
        elif block or _PROPERTY.match(text):
            block.append(line)
    if block:
        yield block


def _row(block: Sequence[Line]) -> dict[str, object] | None:
    texts = [line.text.rstrip() for line in block]
    told = {found[1]: found[2] for text in texts if (found := _PROPERTY.match(text))}
    if "TcpTestSucceeded" in told:
        row: dict[str, object] = {
            "tool": "Test-NetConnection",
            "host": told.get("RemoteAddress") or told.get("ComputerName"),
        }
        row |= {
            "port": _port(told.get("RemotePort")),
            "outcome": "connected" if told["TcpTestSucceeded"] == "True" else "failed",
        }
    else:
        row = _of_program(texts)
    if not row.get("host"):
        return None
    dates = [found[1] for text in texts if (found := _DATE.match(text))]
    said = (
        f"{row['tool']} to {row['host']} port {row['port'] or '?'}: {row['outcome']} {row.get('status') or ''}".rstrip()
    )
    return row | cited(block) | {"answered_at": _date(dates[0]) if dates else None, "message": said}


def _of_program(texts: Sequence[str]) -> dict[str, object]:
    begun = [opened for text in texts if (opened := _begins(text))]
    host = next((one["host"] for one in begun if one.get("host")), None)
    port = next((_port(one.get("port")) for one in begun if one.get("port")), None)
    connected = next((found for text in texts if (found := _CONNECTED.match(text))), None)
    statuses = [int(found[1] or found[2]) for text in texts if (found := _STATUS.match(text))]
    proxy = next((found[1] for text in texts if (found := _PROXY.match(text))), None)
    first = texts[0]
    tool = "wget" if first.startswith("Connecting") else "curl" if first.startswith(("*", "curl")) else "nc"
    if statuses:
        outcome = "answered"
    elif connected or any("succeeded!" in text or text.endswith("... connected.") for text in texts):
        outcome = "connected"
    else:
        outcome = _outcome(texts)
    if connected and connected[2]:
        port = port or _port(connected[2])
    if outcome not in ("connected", "answered") and tool == "curl":
        port = port or next((_port(found[2]) for text in texts if (found := _TO.search(text)) and found[2]), None)
    return {
        "tool": tool,
        "host": host,
        "port": port,
        "outcome": outcome,
        "status": next(iter(statuses), None),
        "proxy": proxy,
    }


def _outcome(texts: Sequence[str]) -> str:
    whole = "\n".join(texts)[: 4 * _LONGEST]
    for word, pattern in _OUTCOMES:
        if re.search(pattern, whole, re.IGNORECASE):
            return word
    codes = [int(found["code"]) for text in texts if (found := _CURL_ERROR.match(text))]
    if not codes and "failed" not in whole:
        return "unfinished"
    return next((_CODES[code] for code in codes if code in _CODES), "failed")


def _port(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,5}", text) else None


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


_ANSWERED = (
    "*   Trying 168.63.129.16:80...\n* TCP_NODELAY set\n* Connected to 168.63.129.16 (168.63.129.16) port 80 (#0)\n"
    "> GET /?comp=versions HTTP/1.1\n> Host: 168.63.129.16\n>\n< HTTP/1.1 200 OK\n"
    '< Date: Sat, 01 Mar 2025 02:10:03 GMT\n<\n<?xml version="1.0"?><Versions/>\n* Connection #0 left intact\n'
)


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "curl, with an answer",
            "curl.txt",
            _ANSWERED.encode(),
            (
                {
                    "tool": "curl",
                    "host": "168.63.129.16",
                    "port": 80,
                    "outcome": "answered",
                    "status": 200,
                    "answered_at": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                    "@timestamp": None,
                },
            ),
        ),
        Sample(
            "curl, without an answer, and once more without its steps",
            "a.txt",
            b"* About to connect() to 168.63.129.16 port 32526 (#0)\n*   Trying 168.63.129.16...\n"
            b"* Connection timed out\ncurl: (7) Failed connect to 168.63.129.16:32526; Connection timed out\n\n"
            b"curl: (28) Failed to connect to 168.63.129.16 port 80: Connection timed out\n"
            b"curl: (6) Could not resolve host: a.blob.core.windows.net\n",
            (
                {"host": "168.63.129.16", "port": 32526, "outcome": "timeout"},
                {"outcome": "timeout", "host": "168.63.129.16", "port": 80},
                {"outcome": "unresolved", "host": "a.blob.core.windows.net"},
            ),
        ),
        Sample(
            "wget",
            "wget.txt",
            b"--2025-03-01 02:10:03--  http://168.63.129.16/?comp=versions\n"
            b"Connecting to 168.63.129.16:80... failed: Connection refused.\n"
            b"Connecting to 168.63.129.16:80... connected.\nHTTP request sent, awaiting response... 200 OK\n",
            ({"tool": "wget", "port": 80, "outcome": "refused"}, {"outcome": "answered", "status": 200}),
        ),
        Sample(
            "nc and telnet",
            "nc.txt",
            b"Connection to 168.63.129.16 80 port [tcp/http] succeeded!\n"
            b"nc: connect to 168.63.129.16 port 32526 (tcp) failed: Connection refused\n"
            b"Trying 168.63.129.16...\ntelnet: connect to address 168.63.129.16: No route to host\n",
            (
                {"tool": "nc", "port": 80, "outcome": "connected"},
                {"port": 32526, "outcome": "refused"},
                {"host": "168.63.129.16", "port": None, "outcome": "no route"},
            ),
        ),
        Sample(
            "Test-NetConnection",
            "tnc.txt",
            b"\r\nComputerName     : 168.63.129.16\r\nRemoteAddress    : 168.63.129.16\r\nRemotePort       : 32526\r\n"
            b"InterfaceAlias   : Ethernet\r\nSourceAddress    : 10.0.0.4\r\nTcpTestSucceeded : False\r\n",
            ({"tool": "Test-NetConnection", "host": "168.63.129.16", "port": 32526, "outcome": "failed"},),
        ),
    )


parser: Parser = EndpointTestText()

"""The way from a source to events: by one parser, or block by block where a paste holds the output of several commands.

Somebody types ``cat /var/log/waagent.log``, then ``systemctl status walinuxagent``, and saves the screen. Such a
transcript is cut where a prompt, the heading of ``tail`` or a bare path says what follows, and every block is claimed
by its own name and content. A file that one parser knows by name and content is never cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import polars as pl
from msgspec import Struct

from loganalyzer.lazy_pattern import LazyPattern
from loganalyzer.parser import REJECTED_LIMIT, ParseContext, Parsed, decode
from loganalyzer.registry import Choice, Recognised, recognise
from loganalyzer.schema import EventFrame, LogSource, empty_rejected
from loganalyzer.source import Source

#: Nobody pastes more; beyond this a file is a log, whatever its first lines look like.
LARGEST = 4 * 1024 * 1024

#: Nor is anything with more headings a paste.
MOST_HEADINGS = 200

#: A claim from here on rests on name and content (``loganalyzer.parser.claim_by``).
_SURE = 80

_COMMANDS = (
    "cat|tac|tail|head|less|more|grep|egrep|zgrep|zcat|sed|awk|type|get-content|gc|journalctl|systemctl|service|dmesg|sc|"
    "vssadmin|wevtutil|get-winevent|get-eventlog|get-service|waagent|ps|df|ls|dir|mount|lsblk|blkid|findmnt|ip|ifconfig|"
    "ipconfig|netsh|iptables|iptables-save|nft|ss|netstat|curl|wget|az|get-az\\w+|rpm|dpkg|apt|yum|dnf|zypper|python3?|"
    "uname|hostnamectl|reg|icacls|systeminfo|ausearch"
)
_PROMPT = (
    r"(?:[\w.-]+@[\w.-]+[^\n$#>]{0,80}[$#>]|\[[\w.-]+@[\w.-]+ [^\]\n]{0,80}\][$#]|PS [A-Za-z]:\\[^\n>]{0,120}>|"
    r"[A-Za-z]:\\[^\n>]{0,120}>|[$#])"
)
_FILE_NAME = r"(?:[A-Za-z]:\\|/)?(?:[\w.+-]+[/\\])*[\w.+-]+"

#: What opens a block; ``path`` is a file of which it tells.
_OPENINGS = (
    LazyPattern(r"==> (?P<path>[^\n]{1,300}?) <==\Z"),
    LazyPattern(rf"{_PROMPT} ?(?:sudo )?(?i:{_COMMANDS})(?:\.exe)?(?:\s(?P<arguments>[^\n]{{0,400}}))?\Z"),
    LazyPattern(rf"\W{{0,8}}(?P<path>{_FILE_NAME}\.(?:log|conf|xml|json|txt|status)(?:\.\d{{1,3}})?)\W{{0,4}}\Z"),
)
#: A prompt at which nothing was typed.
_IDLE = LazyPattern(rf"{_PROMPT}\s*\Z")
_ARGUMENT = LazyPattern(rf"(?:^|[\s\"'])(?P<path>{_FILE_NAME}\.[A-Za-z]\w{{1,8}}(?:\.\d{{1,3}})?|/{_FILE_NAME})")

UNKNOWN_BLOCK = "no parser knows this part of the transcript"


class Block(Struct, frozen=True):
    """Lines of a transcript under one heading. ``first`` and ``last`` are 1-based; ``recognised`` None: nobody's."""

    first: int
    last: int
    recognised: Recognised | None


class Read(Struct, frozen=True):
    """A source after parsing. ``recognised`` is None where nobody knows it; ``blocks`` are there for a transcript."""

    recognised: Recognised | None
    parsed: Parsed | None
    blocks: tuple[Block, ...] = ()


def blocks_of(source: Source, choices: Sequence[Choice] = ()) -> tuple[Block, ...]:
    """The blocks of a transcript, headings among them; none for a file that is no transcript of several formats."""
    return _blocks(_transcript(source, choices, recognise(source, choices)))


def read_source(source: Source, context: ParseContext, choices: Sequence[Choice] = ()) -> Read:
    """Recognises and parses; what one parser does not know for sure may be a transcript. Never raises for any bytes."""
    recognised = recognise(source, choices)
    if parts := _transcript(source, choices, recognised):
        first = next(part.recognised for part in parts if part.recognised is not None)
        return Read(first, _joined(source, parts, context), _blocks(parts))
    return Read(recognised, recognised.parser.parse(source, context) if recognised is not None else None)


class _Part(Struct, frozen=True):
    """Bytes of a transcript: a heading, which is skipped, or what stands under one. ``line`` is its first, 1-based."""

    source: Source
    offset: int
    line: int
    lines: int
    recognised: Recognised | None
    is_heading: bool


def _blocks(parts: Sequence[_Part]) -> tuple[Block, ...]:
    return tuple(Block(one.line, one.line + one.lines - 1, one.recognised) for one in parts)


def _transcript(source: Source, choices: Sequence[Choice], whole: Recognised | None) -> tuple[_Part, ...]:
    """The parts of a source that no parser knows for sure as a ``whole``, where they are of several formats."""
    if whole is not None and whole.claim.strength >= _SURE:
        return ()
    parts = _parts(source, choices)
    known = {part.recognised.parser.name for part in parts if part.recognised is not None}
    return parts if len(known) > 1 or (known and whole is None) else ()


def _parts(source: Source, choices: Sequence[Choice]) -> tuple[_Part, ...]:
    data = source.data
    if len(data) > LARGEST or b"\0" in data[:4096] or any(choice.fits(source.path) for choice in choices):
        return ()
    lines = data.splitlines(keepends=True)
    headings = {place: name for place, line in enumerate(lines) if (name := _heading(line)) is not None}
    if not 0 < len(headings) <= MOST_HEADINGS:
        return ()
    edges = sorted({0, len(lines), *headings, *(place + 1 for place in headings)})
    return tuple(_cut(source, lines, list(pairwise(edges)), headings))


def _cut(
    source: Source, lines: Sequence[bytes], ranges: Sequence[tuple[int, int]], headings: dict[int, str]
) -> Iterator[_Part]:
    offset, named = 0, source.path
    folder = source.path.rpartition("/")[0]
    for start, stop in ranges:
        data = b"".join(lines[start:stop])
        is_heading = start in headings
        if is_heading:
            told = [step for step in headings[start].replace("\\", "/").split("/") if step.strip(".")]
            named = "/".join([folder, *told]).lstrip("/") if told else source.path
        part = Source(named, data)
        known = None if is_heading or not data.strip() else _recognised(part, source.path)
        yield _Part(part, offset, start + 1, stop - start, known, is_heading or not data.strip())
        offset += len(data)


def _recognised(part: Source, path: str) -> Recognised | None:
    """By the name that its heading tells, else by the name of the whole; a claim of a name alone is none."""
    found = [recognise(one) for one in (part, replace(part, path=path))]
    sure = [one for one in found if one is not None and one.claim.strength > 20]
    return max(sure, key=lambda one: one.claim.strength, default=None)


def _heading(line: bytes) -> str | None:
    """The path of which a heading tells, empty where it tells none; None: the line is no heading."""
    if len(line) > 600:
        return None
    text = decode(line).strip()
    if _IDLE.match(text):
        return ""
    for opening in _OPENINGS:
        if found := opening.match(text):
            groups = found.groupdict()
            path = groups.get("path") or ""
            if arguments := groups.get("arguments"):
                path = told["path"] if (told := _ARGUMENT.search(arguments)) else ""
            return path
    return None


def _joined(source: Source, parts: Sequence[_Part], context: ParseContext) -> Parsed:
    """One result for all parts, with places in the whole file."""
    rows: dict[LogSource, list[pl.DataFrame]] = defaultdict(list)
    rejected = [empty_rejected()]
    notes: list[str] = []
    damage: list[str] = []
    cut: list[str] = []
    parsed_bytes = skipped_bytes = headings = events = 0
    for part in parts:
        if part.is_heading:
            skipped_bytes += part.source.size
            headings += part.lines
        elif part.recognised is None:
            rejected.append(_unknown(part))
        else:
            parsed = part.recognised.parser.parse(part.source, context)
            parsed_bytes += parsed.parsed_bytes
            skipped_bytes += parsed.skipped_bytes
            rejected.append(_moved(parsed.rejected, part))
            for frame in parsed.frames:
                rows[frame.logsource].append(_moved(frame.rows, part, events))
            events += sum(frame.rows.height for frame in parsed.frames)
            damage += parsed.damage
            cut += parsed.cut
            notes += parsed.notes
            where = f"lines {part.line} to {part.line + part.lines - 1}"
            notes.append(f"{where}: {part.recognised.parser.name}, {part.recognised.claim.why}")
    if headings:
        notes.append(f"{headings} lines are prompts, headings or empty")
    return Parsed(
        tuple(EventFrame(logsource, pl.concat(own, how="diagonal_relaxed")) for logsource, own in rows.items()),
        parsed_bytes,
        sum(part.lines for part in parts),
        pl.concat(rejected),
        source.size - parsed_bytes - skipped_bytes,
        skipped_bytes,
        tuple(dict.fromkeys(damage)),
        tuple(dict.fromkeys(cut)),
        tuple(dict.fromkeys(notes)),
    )


def _unknown(part: _Part) -> pl.DataFrame:
    row = {
        "log.offset": [part.offset],
        "log.length": [part.source.size],
        "log.line": [part.line],
        "event.original": [decode(part.source.data[: 4 * REJECTED_LIMIT])[:REJECTED_LIMIT]],
        "error.message": [UNKNOWN_BLOCK],
    }
    return pl.DataFrame(row, schema=empty_rejected().schema)


def _moved(rows: pl.DataFrame, part: _Part, events: int = 0) -> pl.DataFrame:
    moves = {"log.offset": part.offset, "log.line": part.line - 1, "event.sequence": events}
    return rows.with_columns(pl.col(name) + by for name, by in moves.items() if name in rows.columns)

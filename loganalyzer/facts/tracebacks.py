"""Tracebacks of Python, put together wherever they stand: in one entry, or a line an entry, as system logs have them.

Which program a traceback is of, its last line does not say; the files that it names do. One of a program that is seen
at work later is marked as recovered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import polars as pl
from msgspec import Struct

from loganalyzer.facts.fact_rows import FACT_COLUMNS
from loganalyzer.facts.hits import Hit, derived_frame, find
from loganalyzer.facts.tables import TracebackTable
from loganalyzer.schema import EventFrame, LogSource

PYTHON_TRACEBACK = "python_traceback"
#: The object of a traceback whose files are of no owner in the table.
OTHER_PROGRAM = "other program"
_SOURCE = LogSource("linux", "python", "fact")
#: ``complete`` is ``false`` where a traceback goes on after the last line of it that is there. ``uncaught`` is ``true``
#: where it begins at the top of the program, which therefore ended; who catches an exception sees its own part alone.
_COLUMNS = {**FACT_COLUMNS, "recovered": pl.String(), "complete": pl.String(), "uncaught": pl.String()}

_START = re.compile(r"Traceback \(most recent call last\)")
_FILE = re.compile(r'^\s*File "([^"]{1,4096})", line \d{1,9}(, in <module>)?')
_ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|NotFound|Exit|Interrupt|Conflict|Warning)(?::|$)")
_GOES_ON = re.compile(r"^(?:During handling of the above exception|The above exception was the direct cause)")
#: Characters of the last line of a traceback that are kept.
_LONGEST = 500
#: Entries of a log between two lines of one traceback; more of them are of something else.
_APART = 200
#: Files of a traceback that are kept, the outermost first; a recursion has as many as the interpreter lets it.
_MOST = 200

#: What writes a traceback: an entry of several lines, or a process (file, name, id) that writes a line an entry.
_Writer: TypeAlias = tuple[str | None, ...]


class _Traceback(Struct, frozen=True):
    """``files``: the outermost first, of the last part before those of earlier ones. ``first``, ``last``: entries.

    ``error`` is None where the end was cut off.
    """

    files: tuple[str, ...]
    error: str | None
    first: Hit
    last: Hit
    complete: bool
    uncaught: bool


@dataclass(slots=True)
class _Begun:
    """What was read of one so far. ``goes_on``: its last line was, and a further part of it is announced.

    ``uncaught``: None where the line that opens it was not read, or the file after it was not.
    """

    files: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    error: str | None = None
    first: Hit | None = None
    last: Hit | None = None
    goes_on: bool = False
    opened: bool = False
    uncaught: bool | None = None
    seen: int | None = None


class _Reader:
    """Puts together what one writer writes. ``alone``: what an error says that counts without a file as well."""

    def __init__(self, alone: str) -> None:
        self._alone = re.compile(alone)
        self._begun = _Begun()

    def line(self, text: str, hit: Hit) -> _Traceback | None:
        """Takes a line; the traceback that was over before it, if one was."""
        begun, place = self._begun, hit.sequence or 0
        opens = _START.search(text) is not None
        file = None if opens else _FILE.match(text)
        over = None
        apart = begun.seen is not None and place - begun.seen > _APART
        if apart or (begun.error is not None and not begun.goes_on and (opens or file)):
            over = self.end()
            begun = self._begun
        begun.seen = place
        if opens:
            begun.earlier, begun.files = [*begun.files, *begun.earlier][:_MOST] if begun.goes_on else [], []
            begun.opened, begun.uncaught = True, None
        elif file and len(begun.files) < _MOST:
            begun.files.append(file[1])
            if begun.opened:
                begun.opened, begun.uncaught = False, file[2] is not None
        elif _GOES_ON.match(text):
            begun.goes_on = begun.error is not None
        elif _ERROR.match(text) and begun.files and (begun.error is None or begun.goes_on):
            begun.error, begun.last, begun.goes_on = text[:_LONGEST], hit, False
        elif _ERROR.match(text) and self._alone.search(text[:_LONGEST]):
            over = self.end() or over
            self._begun = _Begun(error=text[:_LONGEST], first=hit, last=hit, seen=place)
        if opens or file:
            begun.first = begun.first or hit
            begun.last = begun.last if begun.error else hit
        return over

    def end(self) -> _Traceback | None:
        """What it holds, where that has a last line or its first two; then it holds nothing."""
        begun, self._begun = self._begun, _Begun()
        if (begun.error is None and begun.uncaught is None) or begun.first is None or begun.last is None:
            return None
        files = (*begun.files, *begun.earlier)
        complete = begun.error is not None and not begun.goes_on
        return _Traceback(files, begun.error, begun.first, begun.last, complete, begun.uncaught is True)


def traceback_frames(frames: Sequence[EventFrame], table: TracebackTable) -> list[EventFrame]:
    """One frame (``linux/python/fact``), a row a traceback, at the entry with its last line."""
    plain = [frame for frame in frames if frame.logsource.category is None]
    found = [one for frame in plain for one in _tracebacks(find([frame], table.lines), table.alone)]
    if not found:
        return []
    at_work = {name: _Work.of(find(plain, pattern)) for name, pattern in table.alive.items()}
    return [derived_frame(_SOURCE, [_row(one, _owner(one, table), at_work) for one in found], _COLUMNS)]


def _tracebacks(hits: Sequence[Hit], alone: str) -> Iterator[_Traceback]:
    """All of one frame, in the order in which they ended."""
    open_ones: dict[_Writer, _Reader] = {}
    for hit in hits:
        texts = _lines(hit)
        reader = open_ones.setdefault(_writer(hit), _Reader(alone)) if len(texts) == 1 else _Reader(alone)
        ended = [reader.line(text.rstrip(), hit) for text in texts]
        if len(texts) > 1:
            ended.append(reader.end())
        yield from (one for one in ended if one is not None)
    yield from (one for reader in open_ones.values() if (one := reader.end()) is not None)


def _lines(hit: Hit) -> list[str]:
    """The lines of an entry; rsyslog writes an end of line as ``#012``."""
    return (hit.message or "").replace("#012", "\n").split("\n")


def _writer(hit: Hit) -> _Writer:
    return (hit.path, hit.values.get("process"), hit.values.get("pid"))


def _owner(found: _Traceback, table: TracebackTable) -> str | None:
    """Whose it is, by the outermost file that is not Python's own; by unit or process where there is none.

    An entry of several lines may quote what another program wrote, so that its process tells nothing. None: unknown.
    """
    script = next((file for file in found.files if not re.search(table.python, file)), None)
    for one in table.owners:
        if script is not None and re.search(one.file, script):
            return one.object
    if script is not None:
        return OTHER_PROGRAM
    if len(_lines(found.last)) > 1:
        return None
    for one in table.owners:
        for regex, value in (
            (one.unit, found.last.values.get("unit")),
            (one.process, found.last.values.get("process")),
        ):
            if regex is not None and value is not None and re.search(regex, value):
                return one.object
    return None


class _Work(Struct, frozen=True):
    """When a program was last seen at work, and after how many entries of each file."""

    time: datetime | None
    places: dict[str | None, int]

    @staticmethod
    def of(hits: Sequence[Hit]) -> _Work:
        places: dict[str | None, int] = {}
        for hit in hits:
            places[hit.path] = max(places.get(hit.path, -1), hit.sequence or 0)
        return _Work(max((hit.time for hit in hits if hit.time is not None), default=None), places)

    def after(self, hit: Hit) -> bool:
        """Whether it was at work after the entry: by their times, or by their places where they have none."""
        if hit.time is not None and self.time is not None:
            return self.time > hit.time
        return self.places.get(hit.path, -1) > (hit.sequence or 0)


def _row(found: _Traceback, owner: str | None, at_work: dict[str, _Work]) -> dict[str, Any]:
    maybe_its = at_work.values() if owner is None else [at_work[owner]] if owner in at_work else []
    recovered = any(work.after(found.last) for work in maybe_its)
    cited = [found.last] if found.first is found.last else [found.first, found.last]
    return {
        **found.last.row(),
        "message": found.error or _lines(found.last)[-1][:_LONGEST],
        "event.end": found.last.time,
        "process.name": found.last.values.get("process"),
        "fact": PYTHON_TRACEBACK,
        "value": found.error,
        "version": None,
        "version_num": None,
        "object": owner,
        "count": 1,
        "recovered": "true" if recovered else "false",
        "complete": "true" if found.complete else "false",
        "uncaught": "true" if found.uncaught else "false",
        "derived_from": [one.citation() for one in cited],
    }

"""From inputs to event frames for rules: event logs, logs that a parser knows, and JSON events, wherever they lie."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from loganalyzer.errors import BundleError, Location, UsageError
from loganalyzer.facts import derive, load_tables
from loganalyzer.intake import Archive, Limits, walk
from loganalyzer.intake.decoders import HEAD_SIZE, kind_of
from loganalyzer.intake.names import printable
from loganalyzer.json_events import JsonEvents, read_json_events
from loganalyzer.known_files import is_private
from loganalyzer.parser import ParseContext
from loganalyzer.registry import Choice, recognise
from loganalyzer.schema import EventFrame, LogSource, conform
from loganalyzer.sigma.rows import concat_rows
from loganalyzer.source import Source
from loganalyzer.transcript import read_source

Progress = Callable[[str, str, int], None]

STDIN: Final = "-"
#: A claim below this was made by a file's name alone.
_BY_CONTENT: Final = 50
#: Columns of one table; events of one log source that name more fields than this stay in several tables.
_MOST_COLUMNS: Final = 1500


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read to its end, or lines of it that are no events; and why.

    ``line``: the first of them (1-based); ``count``: how many there are; both only of lines.
    """

    path: str
    why: str
    line: int | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class EventReading:
    """All that was read of some inputs. Paths begin with the input as it was given.

    ``bundles``: frames by input; bare files are one bundle. ``order``: paths of files with events, in the order of
    reading. ``damaged``: those of them that could not be read to their end. ``unread``: whatever could not; an exit
    status must say so. ``rejected``: lines that are no events, by file. ``ignored``: files inside of folders and
    archives that hold no events, or were left out by design. ``undeclared``: by path, JSON events that do not say
    what they are. ``events``: how many there are. ``idle``: choices of parsers that fit no file.
    """

    bundles: tuple[tuple[EventFrame, ...], ...]
    order: tuple[str, ...]
    damaged: frozenset[str]
    unread: tuple[Unread, ...]
    rejected: tuple[Unread, ...]
    ignored: int
    undeclared: dict[str, int]
    events: int
    idle: tuple[Choice, ...]

    def frames(self, *, derived: bool) -> list[EventFrame]:
        """One frame a log source (more if its events name very many fields), with derived rows on request."""
        members: list[EventFrame] = []
        for bundle in self.bundles:
            frames = _joined(bundle) if derived else list(bundle)
            rows = derive(frames, load_tables(), self.damaged).frames if derived else ()
            members += [frame for frame in frames if frame.logsource.category != "config"]
            members += rows
        return _joined(members)


def read_events(
    inputs: Sequence[str | os.PathLike[str]],
    limits: Limits,
    logsource: LogSource | None,
    time_zone: str | None,
    stdin: BinaryIO | None,
    progress: Progress,
    choices: tuple[Choice, ...] = (),
) -> EventReading:
    """Walks every input and reads what holds events, one file at a time.

    Args:
        inputs: paths; ``-`` is ``stdin``. The limits hold for each.
        limits: of intake.
        logsource: what JSON events are that name no Windows channel; None: left open.
        time_zone: IANA name for times without a zone; None: UTC.
        stdin: standard input, if it may be read.
        progress: called with a phase, a path and a size in bytes.
        choices: of parsers for paths, which override recognition.

    Raises:
        UsageError: no input, or standard input twice or without ``stdin``.
        BundleError: an input does not exist.
    """
    run = _Run(limits, logsource, time_zone, progress, choices)
    for path in _checked(inputs, stdin):
        run.read(path, stdin)
    return EventReading(
        bundles=tuple(map(tuple, run.bundles.values())),
        order=tuple(run.order),
        damaged=frozenset(run.damaged),
        unread=tuple(run.unread),
        rejected=tuple(run.rejected),
        ignored=run.ignored,
        undeclared=dict(run.undeclared),
        events=run.events,
        idle=tuple(one for one in choices if one.glob not in run.used),
    )


def _checked(inputs: Sequence[str | os.PathLike[str]], stdin: BinaryIO | None) -> list[str]:
    """Each input once, as text."""
    paths = list(dict.fromkeys(os.fspath(path) for path in inputs))
    if not paths or "" in paths:
        help = "name event logs, JSON files, folders or archives, or - to read a pipe"
        raise UsageError("no events were named", None, help)
    if STDIN in paths and stdin is None:
        raise UsageError("standard input cannot be read", Location(STDIN), "pipe one file or archive in, and name -")
    for path in paths:
        if path != STDIN and not os.path.exists(path):  # noqa: PTH110  (Path.exists raises for a NUL or a long name)
            raise BundleError("there is no such file or directory", Location(path), "check the path for a typing error")
    return paths


@dataclass(slots=True)
class _Run:
    """What is known after some of the inputs."""

    limits: Limits
    logsource: LogSource | None
    time_zone: str | None
    progress: Progress
    choices: tuple[Choice, ...]
    used: set[str] = field(default_factory=set)
    bundles: dict[str, list[EventFrame]] = field(default_factory=lambda: defaultdict(list))
    damaged: set[str] = field(default_factory=set)
    order: dict[str, None] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    rejected: list[Unread] = field(default_factory=list)
    undeclared: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    events: int = 0
    readable: int = 0
    context: ParseContext = field(init=False)

    def __post_init__(self) -> None:
        self.context = ParseContext(self.time_zone)  # one for the run: what is bounded by a scan is bounded by it

    def read(self, given: str, stdin: BinaryIO | None) -> None:
        """Everything in one input."""
        naming = _Naming.of(given)
        before = self.readable, len(self.unread)
        try:
            for item in walk([given], self.limits, stdin if given == STDIN else None):
                path, alone = naming.path(item.path), naming.is_alone(item.path)
                if isinstance(item, Source):
                    self.progress("reading", path, item.size)
                    self._leaf(replace(item, path=path), alone, "" if alone else given)
                elif isinstance(item, Archive):
                    if item.damage is not None:
                        self.unread.append(Unread(path, f"cannot be read to its end: {item.damage}"))
                elif alone or not item.by_design:
                    self.unread.append(Unread(path, item.why))
                else:
                    self.ignored += 1
        except BundleError as error:
            self.unread.append(Unread(given, error.what))
        if (self.readable, len(self.unread)) == before:
            self.unread.append(Unread(given, "nothing in it is a log that can be read, or JSON events"))

    def _leaf(self, source: Source, alone: bool, bundle: str) -> None:
        if source.damage is not None:
            self._damage(source.path, source.damage)
        self.used.update(one.glob for one in self.choices if one.fits(source.path))
        if is_private(source.path):
            self.ignored += 1
            return
        recognised = recognise(source, self.choices)
        if recognised is None or recognised.claim.strength < _BY_CONTENT:
            found = read_json_events(source, self.logsource, self.time_zone)
            if found is not None and (alone or self._convinces(found)):
                self._json(source.path, bundle, found)
                return
        parsed = read_source(source, self.context, self.choices).parsed
        if parsed is None:
            self.ignored += not alone
            return
        if parsed.damage:
            self._damage(source.path, parsed.damage[0])
        elif parsed.rejected.height:
            self._reject(source.path, parsed.rejected)
        self._add(source.path, bundle, parsed.frames)

    def _convinces(self, found: JsonEvents) -> bool:
        """Whether JSON in a folder or archive is events, and neither settings nor text with some JSON in it."""
        return found.rejected.height <= found.events and (found.telling > 0 or self.logsource is not None)

    def _json(self, path: str, bundle: str, found: JsonEvents) -> None:
        if found.undeclared:
            self.undeclared[path] += found.undeclared
        if found.rejected.height:
            self._reject(path, found.rejected)
        self._add(path, bundle, found.frames)

    def _add(self, path: str, bundle: str, frames: Iterable[EventFrame]) -> None:
        self.readable += 1
        self.order.setdefault(path)
        for frame in frames:
            self.events += frame.rows.height
            self.bundles[bundle].append(EventFrame(frame.logsource, conform(frame.rows, log_file_path=path)))

    def _damage(self, path: str, why: str) -> None:
        self.damaged.add(path)
        self.unread.append(Unread(path, why))

    def _reject(self, path: str, rejected: pl.DataFrame) -> None:
        first = rejected.row(0, named=True)
        self.rejected.append(Unread(path, first["error.message"], first["log.line"], rejected.height))


@dataclass(frozen=True, slots=True)
class _Naming:
    """How paths of a walk over one input become paths that begin with the input as it was given.

    ``own``: what the walk calls the input itself. ``inside``: stands before the path of what lies in it.
    """

    given: str
    own: str | None
    inside: str

    @classmethod
    def of(cls, given: str) -> _Naming:
        """For a directory, archive, file or standard input."""
        if given == STDIN:
            return cls("stdin", "stdin", "stdin!")
        shown = printable(given)
        if os.path.isdir(given):  # noqa: PTH112  (as above)
            return cls(shown, None, shown if shown.endswith("/") else f"{shown}/")
        own = printable(Path(os.path.abspath(given)).name)  # noqa: PTH100
        return cls(shown, own, f"{shown}!" if _is_archive(given) else shown)

    def path(self, path: str) -> str:
        """The path as a user knows it."""
        if path in (self.own, "."):
            return self.given
        if self.own is not None and path.startswith(f"{self.own}!"):
            return self.given + path.removeprefix(self.own)
        return self.inside + path

    def is_alone(self, path: str) -> bool:
        """Whether this is the input itself, or what is in a compressed file: the user has named it."""
        return self.own is not None and (path == self.own or path.startswith(f"{self.own}!"))


def _is_archive(path: str) -> bool:
    """Whether a walk looks into the file."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return kind_of(file.read(HEAD_SIZE)) is not None
    except OSError:
        return False


def _joined(frames: Iterable[EventFrame]) -> list[EventFrame]:
    """One frame a log source, rows in the order given: many small tables cost more than a large one."""
    by_source: dict[LogSource, list[pl.DataFrame]] = defaultdict(list)
    for frame in frames:
        if frame.rows.height:
            by_source[frame.logsource].append(frame.rows)
    return [
        EventFrame(logsource, concat_rows(part))
        for logsource in sorted(by_source)
        for part in _narrow_parts(by_source[logsource])
    ]


def _narrow_parts(tables: Iterable[pl.DataFrame]) -> Iterator[list[pl.DataFrame]]:
    part: list[pl.DataFrame] = []
    names: set[str] = set()
    for table in tables:
        if part and len(names.union(table.columns)) > _MOST_COLUMNS:
            yield part
            part, names = [], set()
        part.append(table)
        names.update(table.columns)
    yield part

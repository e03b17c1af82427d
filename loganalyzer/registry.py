"""Discovery of parsers, and the choice of one for a source.

The parsers of other packages are plug-ins: one that cannot be loaded is left out, and one that raises loses only what
it was asked about. Either is recorded as a fault (`loganalyzer.plugins`).
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import polars as pl
from msgspec import Struct

from loganalyzer.errors import Location, LogAnalyzerError
from loganalyzer.known_files import is_private
from loganalyzer.parser import (
    HEAD_SIZE,
    Claim,
    ParseContext,
    Parsed,
    Parser,
    Sample,
    conform,
    rejected_whole,
)
from loganalyzer.plugins import PARSERS, Plugin, blame, installed, load
from loganalyzer.precompiled import restored
from loganalyzer.required_text import texts_of_regex
from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.source import Source, fits_glob

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

#: The name of the index of this package's parsers among the precompiled tables.
PRECOMPILED = "parsers"

#: The strength of a claim that a user made.
CHOSEN = 100


class Recognised(Struct, frozen=True):
    """The parser with the strongest claim on a source, and its reason."""

    parser: Parser
    claim: Claim


class Choice(Struct, frozen=True):
    """A user's word that the sources which fit a glob are of one format, whatever they look like."""

    glob: str
    parser: Parser

    def fits(self, path: str) -> bool:
        """Whether it speaks of the source of this path."""
        return fits_glob(path, self.glob)


def parsers() -> tuple[Parser, ...]:
    """All parsers, sorted by name: those of this package by walking its folder, others by entry point.

    Of several parsers with a name, that of this package is used, else the first by entry point and distribution.

    Raises:
        LogAnalyzerError: two parsers of this package have the same name.
    """
    plugged = installed(PARSERS)
    return _with_plugged(plugged) if plugged else _builtin()


@lru_cache(maxsize=1)
def _builtin() -> tuple[Parser, ...]:
    index = restored(PRECOMPILED, (), tuple[_Entry, ...])
    if index is None or {entry.module for entry in index} != _modules():
        index = read_index()
    return tuple(BuiltinParser(entry) for entry in index)


class _Entry(Struct, frozen=True):
    """What is told of a parser of this package before it is imported; ``None``: its claims have no such bound.

    ``texts``: in lower case, one of them stands in whatever path fits ``named``; empty: none is known.
    """

    module: str
    name: str
    title: str
    logsource: LogSource
    paths: tuple[str, ...]
    strongest: int
    otherwise: int
    named: str | None
    texts: tuple[str, ...]
    begins: bytes | None

    def bound(self, path: str, head: bytes) -> int:
        """The most that its claim on a source may be."""
        fits = self._is_named(path) or (self.begins is not None and head.startswith(self.begins))
        return self.strongest if fits else min(self.strongest, self.otherwise)

    def _is_named(self, path: str) -> bool:
        if self.named is None:
            return False
        if self.texts and path.isascii() and not any(text in path.lower() for text in self.texts):
            return False  # the case of other letters than ASCII is a matter of the regex
        return re.search(self.named, path.replace("\\", "/"), re.IGNORECASE) is not None


def read_index() -> tuple[_Entry, ...]:
    """What the precompiled index holds: of all parsers of this package, by name. It imports them all.

    The index is not bound to their text by a digest, which would take longer than all that it tells: a test compares.

    Raises:
        LogAnalyzerError: two of them have the same name.
    """
    found = sorted(map(_entry, _modules()), key=lambda entry: entry.name)
    for one, other in pairwise(found):
        if one.name == other.name:
            raise LogAnalyzerError(f"two parsers are called {one.name!r}", Location("parsers/"), "rename one of them")
    return tuple(found)


def _entry(module: str) -> _Entry:
    parser: Parser = importlib.import_module(f"loganalyzer.parsers.{module}").parser
    named = getattr(parser, "named", None)
    return _Entry(
        module,
        parser.name,
        parser.title,
        parser.logsource,
        parser.paths,
        _limit(parser),
        getattr(parser, "otherwise", CHOSEN),
        named,
        () if named is None else tuple(sorted(texts_of_regex(named))),
        getattr(parser, "begins", None),
    )


def _modules() -> set[str]:
    package = importlib.import_module("loganalyzer.parsers")
    return {module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")}


class BuiltinParser:
    """A parser of this package, imported when it is asked for more than the index tells."""

    def __init__(self, entry: _Entry) -> None:
        self.module = entry.module
        self.name = entry.name
        self.title = entry.title
        self.logsource = entry.logsource
        self.paths = entry.paths
        self.bound = entry.bound

    @property
    def inner(self) -> Parser:
        """The parser itself."""
        parser: Parser = importlib.import_module(f"loganalyzer.parsers.{self.module}").parser
        return parser

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Proofs of the format."""
        return self.inner.samples

    def claim(self, path: str, head: bytes) -> Claim | None:
        """The parser's own claim."""
        return self.inner.claim(path, head)

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """What the parser itself makes of a source."""
        return self.inner.parse(source, context)


def _with_plugged(plugged: Sequence[Plugin]) -> tuple[Parser, ...]:
    by_name = {parser.name: parser for parser in _builtin()}
    for plugin in plugged:
        inner = load(plugin, _checked)
        if inner is None:
            continue
        if inner.name in by_name:
            blame(plugin, f"another parser is called {inner.name!r}; rename this one")
        else:
            by_name[inner.name] = PluginParser(plugin, inner)
    return tuple(by_name[name] for name in sorted(by_name))


def _checked(found: object) -> Parser:
    """The parser, if it has all that a parser has.

    Raises:
        TypeError: it lacks something, or something is of another kind.
    """
    kinds = {"name": str, "title": str, "logsource": LogSource, "paths": tuple, "samples": tuple}
    for name, kind in kinds.items():
        if not isinstance(getattr(found, name, None), kind):
            raise TypeError(f"it is no parser: its {name} is not a {kind.__name__}")
    name, paths = getattr(found, "name", ""), getattr(found, "paths", ())
    if not _NAME.fullmatch(name):
        raise TypeError(f"its name {name!r} is not in snake_case")
    if not all(isinstance(path, str) for path in paths):
        raise TypeError("its paths are not all str")
    for name in ("claim", "parse"):
        if not callable(getattr(found, name, None)):
            raise TypeError(f"it is no parser: it has no method {name}")
    return found  # type: ignore[return-value]  # what the protocol asks for was looked at above


class PluginParser(Struct, frozen=True):
    """The parser of a plug-in behind a guard: what it raises or wrongly gives is a fault and costs one source."""

    plugin: Plugin
    inner: Parser

    @property
    def name(self) -> str:
        """As the plug-in names it; so are the others."""
        return self.inner.name

    @property
    def title(self) -> str:
        """One line for ``loganalyzer formats``."""
        return self.inner.title

    @property
    def logsource(self) -> LogSource:
        """The log source of its (main) frame."""
        return self.inner.logsource

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the file lies on a VM."""
        return self.inner.paths

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Proofs of the format."""
        return self.inner.samples

    def claim(self, path: str, head: bytes) -> Claim | None:
        """The plug-in's claim; None where it fails."""
        try:
            claim = self.inner.claim(path, head)
            if claim is None or (isinstance(claim, Claim) and 0 <= claim.strength <= CHOSEN):
                return claim
            blame(self.plugin, f"claim gives {claim!r}, not a Claim of 0 to {CHOSEN} or None")
        except _FAILURES as error:
            blame(self.plugin, error)
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """What the plug-in makes of a source; where it fails, all of it is rejected, with the reason."""
        try:
            return _sound(self.inner.parse(source, context), source)
        except _FAILURES as error:
            fault = blame(self.plugin, error)
            return rejected_whole(source, f"{self.plugin} failed: {fault.what}")


#: What code of others may raise; a panic of polars is no Exception.
_FAILURES = (Exception, pl.exceptions.PanicException)


def _sound(parsed: Parsed, source: Source) -> Parsed:
    """The result of a plug-in, if all that follows can rely on it.

    Raises:
        TypeError: it is of another kind.
        ValueError: it does not account for every byte.
        polars.exceptions.PolarsError: a shared column cannot be of its type.
    """
    if not isinstance(parsed, Parsed) or not all(isinstance(frame, EventFrame) for frame in parsed.frames):
        raise TypeError("parse gives no Parsed of EventFrames")
    told = parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes
    if told != source.size:
        raise ValueError(f"parse accounts for {told} bytes of {source.size}")
    for frame in parsed.frames:
        conform(frame.rows)
    return parsed


def recognise(source: Source, choices: Sequence[Choice] = ()) -> Recognised | None:
    """The strongest claim on a source; of equal claims the first by parser name. None: nobody knows it.

    The last of the choices that fits decides instead. A private file, such as a key, is shown to no parser.
    """
    if is_private(source.path):
        return None
    for choice in reversed(choices):
        if choice.fits(source.path):
            return Recognised(choice.parser, Claim(CHOSEN, f"said to be {choice.parser.name}: {choice.glob}"))
    return _strongest(source)


def _strongest(source: Source) -> Recognised | None:
    """The first of `claims`. A parser whose claim cannot be stronger than that of another is not asked."""
    head, path = _shown(source)
    bounds = [(_bound(parser, path, head), parser) for parser in parsers()]
    best: Recognised | None = None
    for bound, parser in sorted(bounds, key=lambda pair: (-pair[0], pair[1].name)):
        if best is not None and (-bound, parser.name) > (-best.claim.strength, best.parser.name):
            break
        claim = parser.claim(path, head)
        if claim is not None and (best is None or _before(Recognised(parser, claim), best)):
            best = Recognised(parser, claim)
    return best


def _bound(parser: Parser, path: str, head: bytes) -> int:
    return parser.bound(path, head) if isinstance(parser, BuiltinParser) else _limit(parser)


def _limit(parser: Parser) -> int:
    """The most that a parser's claims may be."""
    limit = getattr(parser, "strongest", CHOSEN)
    return limit if isinstance(limit, int) else CHOSEN


def _before(one: Recognised, other: Recognised) -> bool:
    return (-one.claim.strength, one.parser.name) < (-other.claim.strength, other.parser.name)


def claims(source: Source) -> tuple[Recognised, ...]:
    """All claims on a source, the strongest first, equal ones by parser name; none on a private file."""
    if is_private(source.path):
        return ()
    head, path = _shown(source)
    found = [Recognised(parser, claim) for parser in parsers() if (claim := parser.claim(path, head)) is not None]
    return tuple(sorted(found, key=lambda one: -one.claim.strength))


def _shown(source: Source) -> tuple[bytes, str]:
    """What a claim looks at; a member of a nested archive is named like any other file."""
    return source.data[:HEAD_SIZE], source.path.replace("!", "/")

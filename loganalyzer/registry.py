"""Discovery of parsers, and the choice of one for a source."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points

from loganalyzer.errors import Location, LogAnalyzerError
from loganalyzer.known_files import is_private
from loganalyzer.parser import HEAD_SIZE, Claim, Parser
from loganalyzer.source import Source, fits_glob

ENTRY_POINT_GROUP = "loganalyzer.parsers"

#: The strength of a claim that a user made.
CHOSEN = 100


@dataclass(frozen=True, slots=True)
class Recognised:
    """The parser with the strongest claim on a source, and its reason."""

    parser: Parser
    claim: Claim


@dataclass(frozen=True, slots=True)
class Choice:
    """A user's word that the sources which fit a glob are of one format, whatever they look like."""

    glob: str
    parser: Parser

    def fits(self, path: str) -> bool:
        """Whether it speaks of the source of this path."""
        return fits_glob(path, self.glob)


@lru_cache(maxsize=1)
def parsers() -> tuple[Parser, ...]:
    """All parsers, sorted by name: those of this package by walking its folder, others by entry point.

    Raises:
        LogAnalyzerError: two parsers have the same name.
    """
    found: list[Parser] = []
    package = importlib.import_module("loganalyzer.parsers")
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            found.append(importlib.import_module(f"loganalyzer.parsers.{module.name}").parser)
    found.extend(point.load() for point in entry_points(group=ENTRY_POINT_GROUP))
    names = [parser.name for parser in found]
    for name in names:
        if names.count(name) > 1:
            raise LogAnalyzerError(
                f"two parsers are called {name!r}",
                Location(ENTRY_POINT_GROUP),
                "uninstall one of the packages that bring a parser of this name",
            )
    return tuple(sorted(found, key=lambda parser: parser.name))


def recognise(source: Source, choices: Sequence[Choice] = ()) -> Recognised | None:
    """The strongest claim on a source; of equal claims the first by parser name. None: nobody knows it.

    The last of the choices that fits decides instead. A private file, such as a key, is shown to no parser.
    """
    if is_private(source.path):
        return None
    for choice in reversed(choices):
        if choice.fits(source.path):
            return Recognised(choice.parser, Claim(CHOSEN, f"said to be {choice.parser.name}: {choice.glob}"))
    return next(iter(claims(source)), None)


def claims(source: Source) -> tuple[Recognised, ...]:
    """All claims on a source, the strongest first, equal ones by parser name; none on a private file."""
    if is_private(source.path):
        return ()
    head = source.data[:HEAD_SIZE]
    path = source.path.replace("!", "/")  # a member of a nested archive is named like any other file
    found = [Recognised(parser, claim) for parser in parsers() if (claim := parser.claim(path, head)) is not None]
    return tuple(sorted(found, key=lambda one: -one.claim.strength))

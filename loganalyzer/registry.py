"""Discovery of parsers, and the choice of one for a source."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points

from loganalyzer.errors import Location, LogAnalyzerError
from loganalyzer.known_files import is_private
from loganalyzer.parser import HEAD_SIZE, Claim, Parser
from loganalyzer.source import Source

ENTRY_POINT_GROUP = "loganalyzer.parsers"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The parser with the strongest claim on a source, and its reason."""

    parser: Parser
    claim: Claim


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


def recognise(source: Source) -> Recognised | None:
    """The strongest claim on a source; of equal claims the first by parser name. None: nobody knows it.

    A private file, such as a key, is shown to no parser.
    """
    if is_private(source.path):
        return None
    head = source.data[:HEAD_SIZE]
    path = source.path.replace("!", "/")  # a member of a nested archive is named like any other file
    claims = [(claim, parser) for parser in parsers() if (claim := parser.claim(path, head)) is not None]
    if not claims:
        return None
    claim, parser = max(claims, key=lambda pair: pair[0].strength)
    return Recognised(parser, claim)

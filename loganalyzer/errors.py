"""Kinds of failure that a user can mend: what failed, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file: a path as the user knows it, and 1-based line and column where they are known."""

    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)


class LogAnalyzerError(Exception):
    """A fault that the user can act on. Bugs stay plain exceptions.

    ``what`` failed, ``where`` it failed and ``help`` (what to do next) are kept apart: each skin lays them out.
    """

    def __init__(self, what: str, where: Location | None = None, help: str | None = None) -> None:
        self.what = what
        self.where = where
        self.help = help
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what
        if self.where is not None:
            text += f"\n  --> {self.where}"
        if self.help is not None:
            text += f"\n  help: {self.help}"
        return text


class UsageError(LogAnalyzerError):
    """The command line asks for something that cannot be done (exit 2)."""


class RuleError(LogAnalyzerError):
    """A signature file cannot be used (exit 2 when the user asked for it, reported otherwise)."""


class CatalogueError(LogAnalyzerError):
    """The catalogue's data contradicts itself or its schema."""


class BundleError(LogAnalyzerError):
    """A bundle or one of its members cannot be read (exit 3)."""

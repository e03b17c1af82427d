"""Whether the name of a field tells that its value has to be hidden, whatever that looks like."""

from __future__ import annotations

from functools import lru_cache

from loganalyzer.redact.redactor import Redactor


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    written = f'{name}="x7Qp0LmZ"'
    return Redactor().text(written) != written


@lru_cache(maxsize=4096)
def names_an_identity(name: str) -> bool:
    """Whether a field of this name holds the name of a person or a machine."""
    written = f'{name}="xqprlmz"'
    return Redactor("all").text(written) != written

"""Tables of this package in a form that takes milliseconds to read; their YAML files take a tenth of a second.

``loganalyzer signatures compile`` writes them beside their files. One that is missing, or was made from other files, is
not used: reading its YAML is slower, and never different.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

import msgspec

Value = TypeVar("Value")


def restored(name: str, made_from: Iterable[Traversable], kind: type[Value]) -> Value | None:
    """The table, if it was made from these files as they are now; else None."""
    try:
        head, _, body = where(name).read_bytes().partition(b"\n")
        if head != _head(made_from):
            return None
        return msgspec.json.decode(body, type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def stored(value: object, made_from: Iterable[Traversable]) -> bytes:
    """What `restored` reads: a line with the digest of the files, and the table as JSON, a line a value."""
    return _head(made_from) + b"\n" + msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def where(name: str) -> Traversable:
    """Where the precompiled table of this name lies."""
    return files("loganalyzer.signatures") / f"compiled_{name}.json"


def _head(made_from: Iterable[Traversable]) -> bytes:
    """The lower-case hex SHA-256 of the files and their names, in their order."""
    digested = hashlib.sha256()
    for file in made_from:
        text = file.read_bytes().replace(b"\r\n", b"\n")
        for part in (file.name.encode(), text):
            digested.update(f"{len(part)}\n".encode() + part)
    return b'"sha256:%s"' % digested.hexdigest().encode()

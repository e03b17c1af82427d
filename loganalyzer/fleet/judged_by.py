"""What a report depends on beside the bundle and the rules: this program, its catalogue, plug-ins, and the options."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from loganalyzer import __version__
from loganalyzer.fleet.outcome import ScanSettings
from loganalyzer.plugins import GROUPS, installed
from loganalyzer.sigma.store import digest


def judged_by(settings: ScanSettings, rules: str) -> str:
    """Two times twelve hexadecimal digits that change when a scan of the same bytes could say something else.

    The latter are ``rules``, the digest of the rules; see `judged_alike`.

    A key of tokens is part of it by its hash alone, which tells nothing of a key of 16 random bytes.
    """
    data = {path: text for path, text in _files(files("loganalyzer.signatures"), "") if not path.startswith("rules/")}
    plugins = sorted(str(one) for group in GROUPS for one in installed(group))
    parts = [__version__, digest(data), *plugins, msgspec.json.encode(replace(settings, rules=())).decode()]
    return f"{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:12]}-{rules}"


def judged_alike(one: str, other: str) -> bool:
    """Whether two reports depend on the same but for the rules."""
    return one.partition("-")[0] == other.partition("-")[0]


def rules_of(judged: str) -> str:
    """The digest of the rules."""
    return judged.partition("-")[2]


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".yml"):
            yield f"{path}{entry.name}", entry.read_text(encoding="utf-8")

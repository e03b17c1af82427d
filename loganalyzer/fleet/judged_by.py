"""What a report depends on beside the bundle: this program, its rules and catalogue, plug-ins, and the options of the
run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from loganalyzer import __version__
from loganalyzer.fleet.outcome import ScanSettings
from loganalyzer.plugins import GROUPS, installed
from loganalyzer.sigma.store import digest


def judged_by(settings: ScanSettings) -> str:
    """Twelve hexadecimal digits that change when a scan of the same bytes could say something else.

    A key of tokens is part of it by its hash alone, which tells nothing of a key of 16 random bytes.
    """
    data = dict(_files(files("loganalyzer.signatures"), ""))
    plugins = sorted(str(one) for group in GROUPS for one in installed(group))
    parts = [__version__, digest(data), *plugins, msgspec.json.encode(settings).decode()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".yml"):
            yield f"{path}{entry.name}", entry.read_text(encoding="utf-8")

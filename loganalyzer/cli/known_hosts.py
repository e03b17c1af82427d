"""The names of a bundle's machines, for commands that hide them and do not read events themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from loganalyzer.intake import Limits
from loganalyzer.pipeline import ScanOptions, read


def hosts_of(bundle: Sequence[str], limits: Limits, stdin: BinaryIO | None = None) -> list[str]:
    """The names of machines that the events of a bundle tell, sorted."""
    reading = read(bundle, ScanOptions(limits), stdin, lambda phase, name, size: None)
    return sorted({host for frame in reading.frames for host in frame.rows["host.name"].drop_nulls().unique()})

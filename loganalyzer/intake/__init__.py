"""From a path or standard input to the files of a bundle, in place and within limits. See ARCHITECTURE.md."""

from __future__ import annotations

from loganalyzer.intake.bundle import walk, walk_in_pieces
from loganalyzer.intake.items import Archive, Skipped
from loganalyzer.intake.layout import Layout, begins_a_disk, recognise_layout, relative
from loganalyzer.intake.limits import Limits
from loganalyzer.intake.long_leaf import LongLeaf
from loganalyzer.source import Source

__all__ = [
    "Archive",
    "Layout",
    "Limits",
    "LongLeaf",
    "Skipped",
    "Source",
    "begins_a_disk",
    "recognise_layout",
    "relative",
    "walk",
    "walk_in_pieces",
]

"""How much of a bundle is read before intake says "enough": the guard against archive bombs and against surprise."""

from __future__ import annotations

from dataclasses import dataclass, fields

from loganalyzer.errors import UsageError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one walk over all its inputs. What a limit keeps out is reported as skipped, never dropped in silence.

    ``max_members``: files, in directories and archives together. ``max_depth``: archives inside archives; a bare
    compressed file counts as one, and so does a tar together with its compression. ``max_expanded_bytes``: bytes that
    came out of archives, counted as they come out (declared sizes lie) and at each level of nesting. ``max_ratio``:
    bytes out for a byte in, judged for a member and for a whole archive once more than ``ratio_floor_bytes`` came out.
    ``max_member_memory``: bytes of one file that is held in memory while it is parsed; what is read in pieces may be
    longer.

    Raises:
        UsageError: a limit is not positive.
    """

    max_members: int = 100_000
    max_depth: int = 3
    max_expanded_bytes: int = 20 * GIB
    max_ratio: int = 1000
    ratio_floor_bytes: int = 10 * MIB
    max_member_memory: int = 256 * MIB

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise UsageError(f"the limit {field.name} must be at least 1", help="leave it out to use the default")


def in_words(size: int) -> str:
    """A size in bytes as people read it: ``256 MiB``, ``1.5 GiB``, ``17 bytes``."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"

"""One file of a bundle, wherever it lies: its path, its bytes, its hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Source:
    """A leaf of a bundle, held in memory while it is parsed.

    ``path`` uses ``/``, has no ``..`` and no leading ``/``; a member of a nested archive is ``outer.zip!inner/name``.
    ``damage`` says why the bytes end early or may be wrong (a cut archive, a bad checksum); None: they are all there.
    """

    path: str
    data: bytes
    damage: str | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        """Lower-case hex digest of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def name(self) -> str:
        """The last part of the path, inside the innermost archive."""
        return self.path.rsplit("!", 1)[-1].rsplit("/", 1)[-1]

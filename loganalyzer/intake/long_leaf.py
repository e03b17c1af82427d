"""A leaf that may be read in pieces, and still be had whole where its reader cannot make do with them."""

from __future__ import annotations

from collections.abc import Callable

from loganalyzer.intake.decoders import HEAD_SIZE
from loganalyzer.intake.items import Skipped
from loganalyzer.intake.streams import LimitReached, Stream, too_big
from loganalyzer.source import LongSource, Source


class LongLeaf:
    """A file that is longer than a walk holds unasked. Its ``source`` is read once, or `whole` is asked for.

    What cannot be read ``again`` is kept meanwhile, as far as a file may be held.
    """

    def __init__(
        self, path: str, stream: Stream, size: int | None, most: int, again: Callable[[], Stream] | None
    ) -> None:
        """``size``: bytes, None where nobody knows it; ``most`` of them are held."""
        self.size = size
        self._stream, self._most, self._again = stream, most, again
        self._kept: list[bytes] | None = None if again else []
        self._limit: LimitReached | None = None
        self.source = LongSource(path, stream.peek(HEAD_SIZE), self._fill)

    @property
    def path(self) -> str:
        """As of the source."""
        return self.source.path

    @property
    def damage(self) -> str | None:
        """Why the bytes ended early or may be wrong."""
        return self._stream.damage

    @property
    def stopped(self) -> Skipped | None:
        """Set where a limit was reached before the end: the file counts as not read."""
        return None if self._limit is None else self._skipped(self._limit.why)

    def whole(self) -> Source | Skipped:
        """All of it, as long as it may be held, from its first byte on."""
        if self._limit is not None:
            return self._skipped(self._limit.why)
        if (self.size is not None and self.size > self._most) or (self._again is None and self._kept is None):
            return self._skipped(too_big(self._most))
        if self._again is not None:
            self._stream = self._again()
        try:
            data = self._stream.read_whole(self._most, b"".join(self._kept or ()))
        except LimitReached as limit:
            return self._skipped(limit.why)
        return Source(self.path, data, self._stream.damage)

    def _skipped(self, why: str) -> Skipped:
        return Skipped(self.path, self.size or self.source.size, why, True)

    def _fill(self, buffer: memoryview) -> int:
        try:
            count = self._stream.readinto(buffer)
        except LimitReached as limit:
            self._limit = limit
            return 0
        if self._kept is not None:
            self._kept.append(bytes(buffer[:count]))
            if self.source.size + count > self._most:
                self._kept = None
        return count

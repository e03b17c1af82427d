"""A line's beginning whose parts stand at fixed places, so that bytes alone tell it."""

from __future__ import annotations

from msgspec import Struct


class FixedHead(Struct, frozen=True):
    """A head like ``2025-06-10T00:00:01.123646Z INFO``, behind which a blank or the end of the line follows.

    Every line that begins so opens an entry, whatever follows. ``levels``: all of them; entries of those in ``quiet``
    are rows only for what they hold. No other line opens one unless it begins with a digit.
    """

    levels: tuple[str, ...]
    quiet: tuple[str, ...]

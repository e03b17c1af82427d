"""What zip, 7z and tar have in common: a member, with its bytes or with the reason why it is left out."""

from __future__ import annotations

from msgspec import Struct

from loganalyzer.intake.streams import Stream


class Member(Struct, frozen=True):
    """One file of an archive. ``stream`` must be used up before the next member is asked for; None: see ``skip``.

    ``size`` is what the archive declares, in bytes; None: it does not.
    """

    name: str
    size: int | None
    stream: Stream | None
    skip: str | None = None

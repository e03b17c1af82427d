"""Which files are parts of one log: what logrotate, the collectors and the Windows agent do to names (linux.md 1.4).

Names say which files belong together and whether one between them is missing; in what order they come is told by the
times inside them.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

#: ``waagent.log.2``, ``messages-20250301``, ``waagent.log-2025-09-15-1757900000``, ``WaAppAgent.000.log``, ``x.old``.
_ROTATED = re.compile(
    r"""(?P<log>.+?)
        (?: \.(?P<number>\d{1,3})
        | [.-](?P<date>(?:19|20)\d\d-?\d\d-?\d\d(?:[-.T_]?\d{2,10})?)
        | \.old
        | (?:_\d{17}|\.\d{3})(?P<suffix>\.log))""",
    re.VERBOSE | re.IGNORECASE,
)
_PACKED = re.compile(r"\.(gz|bz2|xz|zst)$", re.IGNORECASE)
#: The agent's collector stores the end of a long file under its whole path, with ``_`` for ``/`` (linux.md 1.1).
_CUT = re.compile(r"truncated_+")


class Part(Struct, frozen=True):
    """A file as a part of a log. ``log`` is the same for all parts, and only good for comparing.

    ``kind``: the file that is written to (``live``), or one that was put aside, by number or otherwise. ``number``
    counts back from the live file, whose number is 0.
    """

    log: str
    kind: Literal["live", "numbered", "aside"]
    number: int
    date: str

    @property
    def age(self) -> tuple[bool, int, str]:
        """Sorts the parts of a log from the oldest on as far as their names tell."""
        return (self.kind == "live", -self.number, self.date)


def part_of(path: str) -> Part:
    """What the path says about rotation; a file that was never rotated is the live part of a log of its own."""
    folder, _, name = _file(path).rpartition("/")
    cut = _CUT.match(name)
    name = _PACKED.sub("", name[cut.end() :] if cut else name)
    rotated = _ROTATED.fullmatch(name)
    whole = rotated["log"] + (rotated["suffix"] or "") if rotated else name
    # A cut file tells its folders, but not where they end.
    log = (f"{folder}/" if folder else "") + whole
    log = log.replace("/", "_")
    if rotated is None:
        return Part(log, "live", 0, "")
    if rotated["number"] is not None:
        return Part(log, "numbered", int(rotated["number"]), "")
    return Part(log, "aside", 0, rotated["date"] or "")


def _file(path: str) -> str:
    """``x/waagent.log.1.gz!waagent.log.1`` is the file ``x/waagent.log.1``, which happens to be packed."""
    outer, mark, inner = path.rpartition("!")
    folder, slash, packed = outer.rpartition("/")
    if mark and "/" not in inner and _PACKED.sub("", packed) == inner:
        return folder + slash + inner
    return path

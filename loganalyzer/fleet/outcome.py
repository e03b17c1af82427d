"""What a run asks of a task, and what comes back: plain values that go over pipes and networks as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from loganalyzer.fleet.collection import Member
from loganalyzer.intake import Limits
from loganalyzer.redact import RedactMode, Redactor

#: ``scanned``; ``unchanged``: the content is the one that is known, nothing was read but its bytes; ``failed``: there
#: is no report.
Status: TypeAlias = Literal["scanned", "unchanged", "failed"]
#: Why there is no report: the bundle cannot be opened (``input``), a fault of this program (``fault``), its process
#: ended several times
#: (``crash``), or needed more time (``time``) or memory (``memory``) than it may have.
FailureKind: TypeAlias = Literal["input", "fault", "crash", "time", "memory"]

#: Failures that may not happen again, so that the next run tries these bundles once more.
PASSING: Final[frozenset[FailureKind]] = frozenset(("input", "crash"))


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """How each bundle of a run is scanned. ``key``: of tokens, as hexadecimal digits. ``rules``: texts of one's own
    rules by path.
    """

    limits: Limits = field(default_factory=Limits)
    time_zone: str | None = None
    redact: RedactMode = "tokens"
    key: str | None = None
    rules: tuple[tuple[str, str], ...] = ()

    def redactor(self) -> Redactor:
        """A new one, which has seen nothing yet."""
        return Redactor(self.redact, bytes.fromhex(self.key) if self.key is not None else None)


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What one bundle may take: seconds on the clock, and resident bytes of its process with all that this starts."""

    seconds: float = 900.0
    resident_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Request:
    """One bundle to scan; with the content that is known of it, if its report is still what a scan would say.

    ``copy``: where the machine that scans has the bundle, if not at the path of the member.
    """

    member: Member
    known_sha256: str | None = None
    copy: str | None = None

    @property
    def path(self) -> Path:
        """What is read."""
        return Path(self.copy or self.member.path)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bundles that one task scans, one after the other, in one process."""

    requests: tuple[Request, ...]
    settings: ScanSettings
    limits: TaskLimits


@dataclass(frozen=True, slots=True)
class Found:
    """What the scan of one bundle says of it, without the report.

    ``shown``: the name of the bundle, redacted as the report is. ``recognised``: files that a parser knows. ``unread``:
    how many sources could not be read to their end.
    """

    status: Status
    shown: str = ""
    content_sha256: str | None = None
    recognised: int = 0
    unread: int = 0
    failure_kind: FailureKind | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one bundle; ``report``: the bytes of its JSON, where it was scanned."""

    member: Member
    found: Found
    report: bytes | None = None

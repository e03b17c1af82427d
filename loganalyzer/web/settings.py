"""What a server may be told, and where it keeps things."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Quota:
    """What one user may have. ``stored_bytes``: of uploads and reports together; ``scans``: kept, finished or not."""

    stored_bytes: int = 20 << 30
    scans: int = 1000


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """A server.

    ``host_names``: what the ``Host`` header may say beside the loopback names, in lower case and without a port.
    ``secure``: browsers reach it through TLS, its own or a proxy's. ``keep``: after this time uploads and reports are
    deleted; None: never. ``scan_seconds``, ``scan_bytes``, ``expanded_bytes``: what one scan may take in time, in
    resident memory, and in bytes that come out of archives.
    """

    data: Path
    host_names: frozenset[str] = frozenset()
    secure: bool = False
    keep: timedelta | None = None
    jobs: int = 1
    quota: Quota = field(default_factory=Quota)
    upload_bytes: int = 4 << 30
    upload_files: int = 10_000
    part_bytes: int = 8 * MIB
    parts_at_once: int = 4
    scan_seconds: float = 1800.0
    scan_bytes: int = 4 << 30
    expanded_bytes: int = 20 << 30
    session: timedelta = timedelta(days=7)
    time_zone: str | None = None

    @property
    def database(self) -> Path:
        """Users, tokens, uploads, scans and the audit log: SQLite."""
        return self.data / "server.sqlite"

    @property
    def lock(self) -> Path:
        """Held while a server uses the folder."""
        return self.data / "server.lock"

    def upload(self, upload: str) -> Path:
        """The folder with the files of one upload, under the names that they came with."""
        return self.data / "uploads" / upload

    def report(self, scan: str) -> Path:
        """The report of one scan, as JSON."""
        return self.data / "reports" / f"{scan}.json"

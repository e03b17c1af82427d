"""One server: its folder, which it alone uses, and what works on it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync
from filelock import FileLock, Timeout
from starlette.requests import Request

from loganalyzer.errors import UsageError
from loganalyzer.report.model import Report
from loganalyzer.report.read_report import read_report
from loganalyzer.web.access import Access, Caller
from loganalyzer.web.problems import ProblemError, not_found
from loganalyzer.web.rows import AuditEntry, Scan
from loganalyzer.web.settings import ServerSettings
from loganalyzer.web.store import Store, now
from loganalyzer.web.uploads import Uploads
from loganalyzer.web.workers import Workers


@dataclass(frozen=True, slots=True)
class Server:
    """What the routes work with."""

    settings: ServerSettings
    store: Store
    access: Access
    uploads: Uploads
    workers: Workers
    lock: FileLock

    def close(self) -> None:
        """Gives the folder free."""
        self.workers.stop()
        self.store.close()
        self.lock.release()

    async def audit(
        self, request: Request, action: str, object: str | None, caller: Caller | None, outcome: str = "done"
    ) -> None:
        """Writes down who did what."""
        address = request.client.host if request.client is not None else None
        user = caller.user.id if caller is not None else None
        await run_sync(self.store.add, "audit", AuditEntry(now(), user, action, object, address, outcome))

    def scan(self, caller: Caller, scan: str, *, own: bool = False) -> Scan:
        """A scan that the caller may read, or with ``own`` may change.

        Raises:
            ProblemError: there is none of this id.
        """
        found = self.store.one(Scan, "scans", "id = ?", scan)
        if found is None or (found.user != caller.user.id and (own or not found.shared)):
            raise not_found("scan")
        return found

    def report(self, scan: Scan) -> Report:
        """The report of a scan.

        Raises:
            ProblemError: it has none (yet).
        """
        if scan.state != "done":
            raise ProblemError(409, "conflict", f"the scan is {scan.state}: it has no report")
        return read_report(self.settings.report(scan.id))


def server_of(request: Request) -> Server:
    """The server that a request came to."""
    found: Any = request.app.state.server
    assert isinstance(found, Server)
    return found


def open_server(settings: ServerSettings) -> Server:
    """A server on its data folder, which is made if there is none.

    Raises:
        UsageError: the folder cannot be used, or another server uses it.
    """
    data = settings.data
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(settings.lock)
        lock.acquire(timeout=0)
    except Timeout:
        help = "stop it first, or give this one another --data folder"
        raise UsageError(f"another server uses the folder {data}", help=help) from None
    except OSError as error:
        raise UsageError(
            f"the folder {data} cannot be used: {error.strerror}", help="give --data a folder of yours"
        ) from None
    try:
        for name in ("uploads", "reports"):
            (data / name).mkdir(exist_ok=True, mode=0o700)
        store = Store(settings.database)
    except (OSError, sqlite3.Error) as error:
        lock.release()
        raise UsageError(
            f"the database {settings.database} cannot be used: {error}", help="give --data another folder"
        ) from None
    uploads = Uploads(settings, store)
    return Server(settings, store, Access(settings, store), uploads, Workers(settings, store, uploads), lock)

"""What the database of a server holds, a class a table. Times are in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

Scope: TypeAlias = Literal["read", "upload", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "upload", "admin")
#: ``link``: a sign-in link, good for one use; ``session``: of a browser; ``api``: of a program.
TokenKind: TypeAlias = Literal["link", "session", "api"]
ScanState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
#: States that no scan leaves again.
ENDED: Final[frozenset[str]] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class User:
    """Who may sign in. ``admin``: may invite others and see the audit log."""

    id: str
    name: str
    admin: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A key of a user; only its hash is kept. ``scopes`` are separated by blanks."""

    id: str
    user: str
    kind: str
    name: str
    scopes: str
    created: datetime
    expires: datetime
    used: datetime | None


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that came, or are to come. ``started``: a scan was made of them; no further part is taken."""

    id: str
    user: str
    created: datetime
    started: bool


@dataclass(frozen=True, slots=True)
class UploadFile:
    """One file of an upload, by its number. ``size``: what the client says it has, in bytes."""

    upload: str
    number: int
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan, its state, and of its report what lists show and are searched by.

    ``codes``: documented errors, separated by blanks. ``tries``: how often it was begun. ``shared``: every user may
    read it. ``stored``: bytes of the upload and the report.
    """

    id: str
    upload: str
    user: str
    name: str
    created: datetime
    state: ScanState
    tries: int
    shared: bool
    stored: int
    started: datetime | None = None
    ended: datetime | None = None
    why: str | None = None
    verdict: str | None = None
    cause: str | None = None
    cause_title: str | None = None
    host: str | None = None
    codes: str | None = None
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, and whether it was allowed."""

    at: datetime
    user: str | None
    action: str
    object: str | None
    address: str | None
    outcome: str

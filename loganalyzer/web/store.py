"""The database of a server: SQLite with a write-ahead log, a connection that writes and one that reads.

Every change is on disk before a client hears of it; who reads does not wait for the disk. The bytes of files are not
in it: what was received of a file is the file itself.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

from loganalyzer.web.rows import AuditEntry, Scan, Token, Upload, UploadFile, User

_Row = TypeVar("_Row", User, Token, Upload, UploadFile, Scan, AuditEntry)

#: The version of the tables; a database of a later one is not touched.
_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, admin INTEGER NOT NULL, created TEXT NOT NULL);
CREATE TABLE tokens (
  id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, kind TEXT NOT NULL, name TEXT NOT NULL,
  scopes TEXT NOT NULL, created TEXT NOT NULL, expires TEXT NOT NULL, used TEXT, hash TEXT NOT NULL UNIQUE);
CREATE TABLE uploads (
  id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, created TEXT NOT NULL,
  started INTEGER NOT NULL);
CREATE TABLE files (
  upload TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE, number INTEGER NOT NULL, path TEXT NOT NULL,
  size INTEGER NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID;
CREATE TABLE scans (
  id TEXT PRIMARY KEY, upload TEXT NOT NULL, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, name TEXT NOT NULL,
  created TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, shared INTEGER NOT NULL DEFAULT 0,
  stored INTEGER NOT NULL DEFAULT 0, started TEXT, ended TEXT, why TEXT, verdict TEXT, cause TEXT, cause_title TEXT,
  host TEXT, codes TEXT, first TEXT, last TEXT);
CREATE INDEX scans_by_user ON scans (user, created);
CREATE INDEX scans_by_state ON scans (state, created);
CREATE TABLE answers (
  user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, key TEXT NOT NULL, request TEXT NOT NULL, object TEXT NOT NULL,
  created TEXT NOT NULL, PRIMARY KEY (user, key)) WITHOUT ROWID;
CREATE TABLE audit (
  at TEXT NOT NULL, user TEXT, action TEXT NOT NULL, object TEXT, address TEXT, outcome TEXT NOT NULL);
"""
_TIMES: Final = frozenset({"created", "expires", "used", "started", "ended", "first", "last", "at"})
_FLAGS: Final = frozenset({"admin", "shared"})


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """An id that nobody guesses: 22 characters of URLs."""
    return secrets.token_urlsafe(16)


def hash_of(secret: str) -> str:
    """What is kept of a token: it is random and long, so that a plain hash cannot be turned back."""
    return sha256(secret.encode()).hexdigest()


class Store:
    """The tables as methods. Times go in and come out as datetimes in UTC."""

    def __init__(self, path: Path) -> None:
        self._lock, self._reading = threading.RLock(), threading.Lock()
        self._changing: int | None = None
        self._db, self._reader = (
            sqlite3.connect(path, check_same_thread=False, isolation_level=None) for _ in range(2)
        )
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            self._db.execute(f"PRAGMA {setting}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            with self.change():
                for statement in _TABLES.split(";\n"):
                    if statement.strip():
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={_VERSION}")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"its tables are of version {version}, this program knows {_VERSION}")

    def close(self) -> None:
        """Nothing can be asked any more."""
        with self._lock, self._reading:
            self._db.close()
            self._reader.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing of what is done within."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._changing = threading.get_ident()
            try:
                yield
                self._db.execute("COMMIT")  # may fail too: the disk may be full
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._changing = None

    def _asked(self, question: str, values: Sequence[object] = ()) -> list[Any]:
        """The rows of an answer; who is changing something sees it as it will be."""
        stored = [_stored(value) for value in values]
        if self._changing == threading.get_ident():
            return self._db.execute(question, stored).fetchall()
        with self._reading:
            return self._reader.execute(question, stored).fetchall()

    # ---- any table ----

    def add(self, table: str, row: _Row, **more: object) -> None:
        """A new row; ``more``: columns that its class does not have."""
        values = {field.name: _stored(getattr(row, field.name)) for field in fields(row)} | more
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self.change():
            self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608

    def one(self, kind: type[_Row], table: str, where: str, *values: object) -> _Row | None:
        """The first row that fits."""
        found = self.all(kind, table, f"{where} LIMIT 1", *values)
        return found[0] if found else None

    def all(self, kind: type[_Row], table: str, where: str, *values: object) -> list[_Row]:
        """All rows that fit; ``where`` may go on with an order and a limit."""
        names = [field.name for field in fields(kind)]
        asked = f"SELECT {', '.join(names)} FROM {table} WHERE {where}"  # noqa: S608  names of this module
        return [
            kind(**{name: _read(name, value, kind) for name, value in zip(names, row, strict=True)})
            for row in self._asked(asked, values)
        ]

    def count(self, table: str, where: str, *values: object, of: str = "count(*)") -> int:
        """How many rows fit, or what ``of`` makes of them."""
        ((found,),) = self._asked(f"SELECT {of} FROM {table} WHERE {where}", values)  # noqa: S608  names of this module
        return int(found or 0)

    def counts(self, table: str, column: str) -> dict[str, int]:
        """Rows by the value of a column."""
        return dict(self._asked(f"SELECT {column}, count(*) FROM {table} GROUP BY {column}"))  # noqa: S608  as above

    def update(self, table: str, where: str, values: Sequence[object], **columns: object) -> int:
        """Sets columns of the rows that fit; how many they were."""
        sets = ", ".join(f"{name} = ?" for name in columns)
        with self.change():
            done = self._db.execute(
                f"UPDATE {table} SET {sets} WHERE {where}",  # noqa: S608  names of this module
                [_stored(value) for value in (*columns.values(), *values)],
            )
            return done.rowcount

    def delete(self, table: str, where: str, *values: object) -> int:
        """Takes away the rows that fit; how many they were."""
        with self.change():
            done = self._db.execute(
                f"DELETE FROM {table} WHERE {where}",  # noqa: S608  names of this module
                [_stored(value) for value in values],
            )
            return done.rowcount

    # ---- what needs more than one table or more than one row ----

    def owner_of(self, secret: str, kinds: Sequence[str]) -> tuple[User, Token] | None:
        """Whose token it is, if it is one of these kinds and good still."""
        marks = ", ".join("?" * len(kinds))
        token = self.one(
            Token, "tokens", f"hash = ? AND kind IN ({marks}) AND expires > ?", hash_of(secret), *kinds, now()
        )
        user = self.one(User, "users", "id = ?", token.user) if token is not None else None
        return (user, token) if user is not None and token is not None else None

    def claim(self) -> Scan | None:
        """The scan that waits longest, which runs from now on; None: none waits. What was begun before goes last."""
        with self.change():
            scan = self.one(Scan, "scans", "state = 'queued' ORDER BY tries, created")
            if scan is not None:
                self.update("scans", "id = ?", [scan.id], state="running", started=now(), tries=scan.tries + 1)
                scan = self.one(Scan, "scans", "id = ?", scan.id)
        return scan

    def place_in_queue(self, scan: Scan) -> int:
        """How many scans are begun before it, plus one."""
        return 1 + self.count("scans", "state = 'queued' AND created < ?", scan.created)

    def answered(self, user: str, key: str) -> tuple[str, str] | None:
        """What was asked with this idempotency key before, and the object that came of it."""
        found = self._asked("SELECT request, object FROM answers WHERE user = ? AND key = ?", [user, key])
        return (str(found[0][0]), str(found[0][1])) if found else None

    def keep_answer(self, user: str, key: str, request: str, object: str) -> None:
        """The same key gives the same object from now on."""
        with self.change():
            self._db.execute(
                "INSERT INTO answers (user, key, request, object, created) VALUES (?, ?, ?, ?, ?)",
                [user, key, request, object, _stored(now())],
            )


def _stored(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return int(value) if isinstance(value, bool) else value


def _read(name: str, value: Any, kind: type[Any]) -> Any:
    if name == "started" and kind is Upload:
        return bool(value)
    if name in _FLAGS:
        return bool(value)
    return datetime.fromisoformat(value) if name in _TIMES and value is not None else value

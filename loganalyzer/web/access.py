"""Who asks, and whether from where: sessions, tokens, scopes, the name of the server, and other pages.

A browser sends its cookie whoever made it ask. So a request that changes something and comes with a cookie must say
that a page of this server made it: by ``Sec-Fetch-Site``, which all browsers of today send, else by ``Origin``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loganalyzer.web.problems import ProblemError
from loganalyzer.web.rows import SCOPES, Token, TokenKind, User
from loganalyzer.web.settings import ServerSettings
from loganalyzer.web.store import Store, hash_of, new_id, now

_LOG: Final = logging.getLogger("loganalyzer.web")
COOKIE: Final = "loganalyzer_session"
#: So that a secret that leaked is found by those who look for such.
PREFIX: Final = "loganalyzer_"
LINK_LIFE: Final = timedelta(minutes=15)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Nothing is loaded from elsewhere, nothing in a page runs, and no page of others holds one of ours.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The user who asks, with what the key that came with the request allows."""

    user: User
    token: Token

    def may(self, scope: str) -> bool:
        """Whether the key has a scope; what an admin may, only an admin's key allows."""
        return scope in self.token.scopes.split() and (scope != "admin" or self.user.admin)


class Access:
    """Keys of users: made, looked up, taken away."""

    def __init__(self, settings: ServerSettings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._seen: dict[str, datetime] = {}

    def caller(self, request: Request, scope: str) -> Caller:
        """Who asks, if that is allowed.

        Raises:
            ProblemError: nobody known asks, or the key lacks the scope.
        """
        if "authorization" in request.headers:  # then the cookie does not count: the guard let it pass for this
            kind, _, bearer = request.headers["authorization"].partition(" ")
            found = self._store.owner_of(bearer.strip(), ["api"]) if kind.lower() == "bearer" else None
        else:
            found = self._store.owner_of(request.cookies.get(COOKIE, ""), ["session"])
        if found is None:
            raise ProblemError(
                401,
                "not-signed-in",
                "sign in with the link of the server, or send a token",
                {"WWW-Authenticate": "Bearer"},
            )
        user, token = found
        self._mark_used(token)
        caller = Caller(user, token)
        if not caller.may(scope):
            raise ProblemError(403, "not-allowed", f"the key has no scope {scope!r}")
        return caller

    def _mark_used(self, token: Token) -> None:
        """Writes down when a key was used, to the minute; nobody waits for the disk for that."""
        last = max(filter(None, (token.used, self._seen.get(token.id))), default=None)
        if last is None or now() - last > timedelta(minutes=1):
            self._seen[token.id] = used = now()

            def mark() -> None:
                with suppress(sqlite3.Error):  # that a disk is full is told to who keeps something
                    self._store.update("tokens", "id = ?", [token.id], used=used)

            asyncio.get_running_loop().run_in_executor(None, mark)

    def new(
        self, user: User, kind: TokenKind, name: str, scopes: tuple[str, ...], life: timedelta
    ) -> tuple[Token, str]:
        """A new key and its secret, which is told once."""
        secret = PREFIX + secrets.token_urlsafe(32)
        token = Token(new_id(), user.id, kind, name, " ".join(scopes), now(), now() + life, None)
        self._store.add("tokens", token, hash=hash_of(secret))
        return token, secret

    def invite(self, name: str, *, admin: bool) -> str:
        """The secret of a sign-in link for a user, who is made if there is none of this name."""
        user = self._store.one(User, "users", "name = ?", name)
        if user is None:
            user = User(new_id(), name, admin, now())
            self._store.add("users", user)
        return self.new(user, "link", "sign-in link", (), LINK_LIFE)[1]

    def sign_in(self, secret: str) -> tuple[User, str] | None:
        """A session for a sign-in link that was not used before; None: it is none."""
        with self._store.change():
            found = self._store.owner_of(secret, ["link"])
            if found is None or not self._store.delete("tokens", "id = ?", found[1].id):
                return None
            scopes = SCOPES if found[0].admin else ("read", "upload")
            return found[0], self.new(found[0], "session", "browser", scopes, self._settings.session)[1]


class Guard:
    """The outermost layer: the server's name, requests that other pages made, and headers of every answer."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        began, status = time.monotonic(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._settings.secure:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        try:
            self._check(Headers(scope=scope), scope["method"])
            await self._app(scope, receive, send_with_headers)
        except ProblemError as problem:
            await problem.as_json()(scope, receive, send_with_headers)
        finally:
            client = scope["client"][0] if scope.get("client") else None
            told = {"method": scope["method"], "path": scope["path"], "status": status, "client": client}
            _LOG.info("request", extra=told | {"milliseconds": round((time.monotonic() - began) * 1000, 1)})

    def _check(self, headers: Headers, method: str) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise ProblemError(421, "bad-host", "the server is not reached under this name; see --host-name")
        if method in _SAFE or "authorization" in headers:
            return
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            same = site in ("same-origin", "none")
        else:
            same = origin is None or origin.partition("://")[2] == hosts[0]
        if not same or (site is None and origin is None and COOKIE in headers.get("cookie", "")):
            raise ProblemError(403, "not-allowed", "the request was not made by a page of this server")

    def _is_ours(self, host: str) -> bool:
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        name = name if name and port.isdigit() else host
        return name.lower() in _LOOPBACK | self._settings.host_names

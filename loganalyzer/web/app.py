"""The application: routes, what stands around them, and its life from start to end."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from loganalyzer.web import api, pages
from loganalyzer.web.access import Guard
from loganalyzer.web.problems import KINDS, ProblemError, no_room
from loganalyzer.web.server import Server

_LOG: Final = logging.getLogger("loganalyzer.web")
#: That write to the disk and read reports. More of them write no faster, and take their turns from all who only ask.
_THREADS: Final = 4
_KIND_OF: Final = {404: "not-found", 405: "bad-request", 413: "too-large"}


def app_of(server: Server) -> ASGIApp:
    """The application that serves from a data folder; its workers begin and end with it."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        server.workers.start()
        try:
            yield
        finally:
            server.close()

    app = Starlette(
        routes=[*api.ROUTES, *pages.ROUTES],
        lifespan=life,
        exception_handlers={
            ProblemError: _refused,
            HTTPException: _no_route,
            MultiPartException: _bad_form,
            ClientDisconnect: _gone,
            sqlite3.OperationalError: _not_kept,
            Exception: _failed,
        },
        max_body_size=server.settings.upload_bytes + (64 << 20),
    )
    app.state.server = server
    return Guard(app, server.settings)  # around all, so that no answer lacks its headers


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, ProblemError)
    if not _is_for_people(request):
        return problem.as_json()
    if problem.status == 401 and request.method == "GET":
        return RedirectResponse("/sign-in", 303)
    return pages.problem_page(problem)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _KIND_OF.get(error.status_code, "bad-request")
    assert kind in KINDS
    return await _refused(request, ProblemError(error.status_code, kind, str(error.detail), error.headers))


async def _bad_form(request: Request, error: Exception) -> Response:
    return await _refused(request, ProblemError(422, "bad-request", f"the form cannot be read: {str(error)[:200]}"))


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads this; the server's log needs no traceback for a client that went away."""
    return Response(status_code=400)


async def _not_kept(request: Request, error: Exception) -> Response:
    if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
        return await _refused(request, no_room())
    return await _failed(request, error)


async def _failed(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return await _refused(request, ProblemError(500, "failed", "the server could not do it; its log says why"))


def _is_for_people(request: Request) -> bool:
    path = request.url.path
    return not path.startswith(("/api/", "/health", "/metrics")) and "text/html" in request.headers.get("accept", "")

"""The REST API under ``/api/v1``; `loganalyzer.web.openapi` describes it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec
import orjson
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from loganalyzer.report.formats import format_called, formats
from loganalyzer.web.access import Caller
from loganalyzer.web.openapi import NewToken, NewUpload, document
from loganalyzer.web.problems import ProblemError
from loganalyzer.web.rows import ENDED, SCOPES, Scan, Token, Upload
from loganalyzer.web.search import Search
from loganalyzer.web.server import Server, server_of
from loganalyzer.web.store import hash_of, now
from loganalyzer.web.uploads import Named

_Asked = TypeVar("_Asked")
#: Bytes of a request that describes something.
_LARGEST_REQUEST: Final = 4 << 20
#: Seconds between two looks at a running scan, and between two signs of life of a stream of events.
_LOOK: Final = 0.3
_ALIVE: Final = 15.0
MEDIA_TYPES: Final = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "sarif": "application/sarif+json",
    "junit": "application/xml",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON."""
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, headers, media_type="application/json")


# ---- what is told of things ----


def told_scan(server: Server, scan: Scan) -> dict[str, Any]:
    """A scan as the API shows it."""
    told: dict[str, Any] = {
        name: getattr(scan, name)
        for name in (
            *("id", "name", "state", "created", "started", "ended", "shared", "why", "verdict", "cause", "cause_title"),
            *("host", "first", "last"),
        )
    }
    told["codes"] = scan.codes.split() if scan.codes else []
    told["queue_position"] = server.store.place_in_queue(scan) if scan.state == "queued" else None
    at = server.workers.progress(scan.id) if scan.state == "running" else None
    told["progress"] = {"phase": at.phase, "file": at.file, "bytes": at.bytes} if at is not None else None
    return told


def _told_upload(server: Server, upload: Upload) -> dict[str, Any]:
    files = [
        {"number": one.number, "path": one.path, "size": one.size, "received": here}
        for one, here in server.uploads.files(upload.id)
    ]
    return {
        "id": upload.id,
        "created": upload.created,
        "started": upload.started,
        "part_bytes": server.settings.part_bytes,
        "files": files,
    }


def _told_token(token: Token) -> dict[str, Any]:
    told = {name: getattr(token, name) for name in ("id", "name", "created", "expires", "used")}
    return told | {"scopes": token.scopes.split()}


# ---- what is asked ----


async def asked(request: Request, kind: type[_Asked]) -> _Asked:
    """The JSON of a request.

    Raises:
        ProblemError: it is too large, or not what is documented.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "unsupported", "the request must be application/json")
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > _LARGEST_REQUEST:
            raise ProblemError(413, "too-large", f"a request may have {_LARGEST_REQUEST} bytes")
    try:
        return msgspec.json.decode(held, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(422, "bad-request", str(error)[:300]) from None


def _number(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ProblemError(422, "bad-request", f"{what} must be a whole number")
    return int(text)


# ---- uploads ----


async def create_upload(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    wanted = await asked(request, NewUpload)
    files = [Named(one.path, one.size) for one in wanted.files]
    same = f"upload {hash_of(repr(files))}"
    if (before := _answered(request, server, caller, same)) is not None:
        return answer(_told_upload(server, server.uploads.of(caller.user, before)), 201)
    upload = await run_sync(server.uploads.create, caller.user, files)
    await run_sync(_keep_answer, request, server, caller, same, upload.id)
    await server.audit(request, "upload", upload.id, caller)
    return answer(_told_upload(server, upload), 201, {"Location": f"/api/v1/uploads/{upload.id}"})


async def get_upload(request: Request) -> Response:
    server = server_of(request)
    upload = server.uploads.of(server.access.caller(request, "upload").user, request.path_params["upload"])
    return answer(_told_upload(server, upload))


async def add_part(request: Request) -> Response:
    server = server_of(request)
    upload = server.uploads.of(server.access.caller(request, "upload").user, request.path_params["upload"])
    file = server.uploads.file(upload.id, _number(request.path_params["number"], "the number of the file"))
    offset = _number(request.headers.get("upload-offset", ""), "Upload-Offset")
    here = await server.uploads.append(upload, file, offset, request.stream())
    return Response(status_code=204, headers={"Upload-Offset": str(here)})


async def delete_upload(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    upload = server.uploads.of(caller.user, request.path_params["upload"])
    if upload.started:
        raise ProblemError(409, "conflict", "the scan of this upload was started; delete the scan")
    await run_sync(server.uploads.delete, upload.id)
    await server.audit(request, "delete upload", upload.id, caller)
    return Response(status_code=204)


async def start_scan(request: Request) -> Response:
    """A repeated request with the same ``Idempotency-Key`` gives the scan that the first one made."""
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    same = f"scan {request.path_params['upload']}"
    if (before := _answered(request, server, caller, same)) is not None:
        return _accepted(server, server.scan(caller, before))
    upload = server.uploads.of(caller.user, request.path_params["upload"])

    def start() -> Scan:
        with server.store.change():
            scan = server.uploads.start(upload)
            _keep_answer(request, server, caller, same, scan.id)
        return scan

    scan = await run_sync(start)
    server.workers.wake()
    await server.audit(request, "scan", scan.id, caller)
    return _accepted(server, scan)


def _answered(request: Request, server: Server, caller: Caller, same: str) -> str | None:
    """The object that the same request with the same ``Idempotency-Key`` made before.

    Raises:
        ProblemError: the key was used for another request.
    """
    key = request.headers.get("idempotency-key", "")[:200]
    before = server.store.answered(caller.user.id, key) if key else None
    if before is not None and before[0] != same:
        raise ProblemError(422, "bad-request", "this Idempotency-Key was used for another request")
    return before[1] if before is not None else None


def _keep_answer(request: Request, server: Server, caller: Caller, same: str, made: str) -> None:
    key = request.headers.get("idempotency-key", "")[:200]
    if key:
        server.store.keep_answer(caller.user.id, key, same, made)


def _accepted(server: Server, scan: Scan) -> Response:
    return answer(told_scan(server, scan), 202, {"Location": f"/api/v1/scans/{scan.id}"})


# ---- scans ----


async def list_scans(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    search = Search.of(request.query_params)
    found = search.scans(server, caller.user.id)
    more = search.offset + search.limit if len(found) > search.limit else None
    return answer({"scans": [told_scan(server, one) for one in found[: search.limit]], "next_offset": more})


async def get_scan(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    return answer(told_scan(server, server.scan(caller, request.path_params["scan"])))


async def follow_scan(request: Request) -> Response:
    """Server-sent events: ``scan`` whenever something changed, and the last one when it ended."""
    server = server_of(request)
    caller = server.access.caller(request, "read")
    scan = server.scan(caller, request.path_params["scan"])
    return StreamingResponse(_events(request, server, scan), media_type="text/event-stream")


async def _events(request: Request, server: Server, scan: Scan) -> AsyncIterator[bytes]:
    said, quiet = b"", 0.0
    while not await request.is_disconnected():
        found = server.store.one(Scan, "scans", "id = ?", scan.id)
        if found is None:
            yield b"event: gone\ndata: {}\n\n"
            return
        body = orjson.dumps(told_scan(server, found), option=orjson.OPT_UTC_Z)
        if body != said:
            yield b"event: scan\ndata: " + body + b"\n\n"
            said, quiet = body, 0.0
        if found.state in ENDED:
            return
        if quiet >= _ALIVE:
            yield b": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(_LOOK)
        quiet += _LOOK


async def get_report(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    scan = server.scan(caller, request.path_params["scan"])
    return await report_in(server, scan, request.query_params.get("format", "json"))


async def report_in(server: Server, scan: Scan, name: str) -> Response:
    """The report of a scan in a format.

    Raises:
        ProblemError: there is no such format, or no report.
    """
    known = {one.name for one in formats()}
    form = format_called(name) if name in known else None
    if form is None:
        raise ProblemError(
            422, "unsupported", f"there is no format {name[:50]!r}; there are {', '.join(sorted(known))}"
        )
    report = await run_sync(server.report, scan)
    data = await run_sync(form.bytes_of, report, 0)
    suffix = form.suffixes[0]
    headers = {"Content-Disposition": f'attachment; filename="report-{scan.id}{suffix}"'}
    return Response(data, 200, headers, media_type=MEDIA_TYPES.get(name, "application/octet-stream"))


async def cancel_scan(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    scan = server.scan(caller, request.path_params["scan"], own=True)
    if not await run_sync(server.workers.cancel, scan):
        raise ProblemError(409, "conflict", f"the scan is {scan.state} already")
    await server.audit(request, "cancel", scan.id, caller)
    return answer(told_scan(server, server.scan(caller, scan.id)), 202)


async def delete_scan(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    scan = server.scan(caller, request.path_params["scan"], own=True)
    await run_sync(server.workers.delete, scan)
    await server.audit(request, "delete scan", scan.id, caller)
    return Response(status_code=204)


async def share_scan(request: Request) -> Response:
    return await _shared(request, shared=True)


async def unshare_scan(request: Request) -> Response:
    return await _shared(request, shared=False)


async def _shared(request: Request, *, shared: bool) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    scan = server.scan(caller, request.path_params["scan"], own=True)
    server.store.update("scans", "id = ?", [scan.id], shared=shared)
    await server.audit(request, "share" if shared else "unshare", scan.id, caller)
    return Response(status_code=204)


async def summary(request: Request) -> Response:
    """What the finished scans that one may read come to."""
    server = server_of(request)
    caller = server.access.caller(request, "read")
    found = server.store.all(Scan, "scans", "(user = ? OR shared) AND state = 'done'", caller.user.id)
    titles = {one.cause: one.cause_title for one in found if one.cause is not None}
    causes = Counter(one.cause for one in found if one.cause is not None)
    codes = Counter(code for one in found for code in (one.codes or "").split())
    return answer(
        {
            "scans": len(found),
            "verdicts": dict(Counter(one.verdict for one in found)),
            "causes": [{"cause": name, "title": titles[name], "scans": count} for name, count in causes.most_common()],
            "codes": [{"code": code, "scans": count} for code, count in codes.most_common()],
        }
    )


# ---- tokens ----


async def list_tokens(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    found = server.store.all(Token, "tokens", "user = ? AND kind = 'api' ORDER BY created", caller.user.id)
    return answer({"tokens": [_told_token(one) for one in found]})


async def create_token(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    wanted = await asked(request, NewToken)
    missing = [scope for scope in wanted.scopes if scope not in SCOPES or not caller.may(scope)]
    if missing or not wanted.scopes:
        raise ProblemError(
            403, "not-allowed", f"a token may have the scopes of yours; not {', '.join(missing) or 'none'}"
        )
    token, secret = server.access.new(caller.user, "api", wanted.name, wanted.scopes, timedelta(days=wanted.days))
    await server.audit(request, "create token", token.id, caller)
    return answer(_told_token(token) | {"token": secret}, 201)


async def delete_token(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    if not server.store.delete(
        "tokens", "id = ? AND user = ? AND kind = 'api'", request.path_params["token"], caller.user.id
    ):
        raise ProblemError(404, "not-found", "there is no token of this id")
    await server.audit(request, "delete token", request.path_params["token"], caller)
    return Response(status_code=204)


# ---- about the server ----


async def openapi(request: Request) -> Response:
    return answer(document())


async def health(request: Request) -> Response:
    server = server_of(request)
    return answer({"status": "ok", "queued": server.store.count("scans", "state = 'queued'"), "time": now()})


async def metrics(request: Request) -> Response:
    """The state of the server in the text format of Prometheus; a key with the scope ``read`` is needed."""
    server = server_of(request)
    server.access.caller(request, "read")
    states = server.store.counts("scans", "state")
    lines = ["# HELP loganalyzer_scans Scans that are kept, by state.", "# TYPE loganalyzer_scans gauge"]
    lines += [f'loganalyzer_scans{{state="{state}"}} {count}' for state, count in sorted(states.items())]
    for name, help, value in (
        ("loganalyzer_uploads", "Uploads whose scan was not started.", server.store.count("uploads", "NOT started")),
        (
            "loganalyzer_stored_bytes",
            "Bytes of uploads and reports.",
            server.store.count("scans", "1", of="sum(stored)"),
        ),
        ("loganalyzer_users", "Users.", server.store.count("users", "1")),
    ):
        lines += [f"# HELP {name} {help}", f"# TYPE {name} gauge", f"{name} {value}"]
    return Response("\n".join([*lines, ""]), media_type="text/plain; version=0.0.4; charset=utf-8")


_Handler = Callable[[Request], Awaitable[Response]]
_ROUTES: Final[tuple[tuple[str, str, _Handler], ...]] = (
    ("POST", "/uploads", create_upload),
    ("GET", "/uploads/{upload}", get_upload),
    ("DELETE", "/uploads/{upload}", delete_upload),
    ("PATCH", "/uploads/{upload}/files/{number}", add_part),
    ("POST", "/uploads/{upload}/scan", start_scan),
    ("GET", "/scans", list_scans),
    ("GET", "/scans/{scan}", get_scan),
    ("DELETE", "/scans/{scan}", delete_scan),
    ("GET", "/scans/{scan}/events", follow_scan),
    ("GET", "/scans/{scan}/report", get_report),
    ("POST", "/scans/{scan}/cancel", cancel_scan),
    ("PUT", "/scans/{scan}/shared", share_scan),
    ("DELETE", "/scans/{scan}/shared", unshare_scan),
    ("GET", "/fleet", summary),
    ("GET", "/tokens", list_tokens),
    ("POST", "/tokens", create_token),
    ("DELETE", "/tokens/{token}", delete_token),
    ("GET", "/openapi.json", openapi),
)
ROUTES: Final = [
    *(Route(f"/api/v1{path}", handler, methods=[method]) for method, path, handler in _ROUTES),
    Route("/health", health),
    Route("/metrics", metrics),
]

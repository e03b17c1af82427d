"""The pages of a server. Each works without scripts; these add progress, parts and drag and drop."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from anyio.to_thread import run_sync
from jinja2 import Environment
from starlette.datastructures import UploadFile as FormFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from loganalyzer.compare import compare
from loganalyzer.report.formats import formats
from loganalyzer.report.html.page import asset as report_asset
from loganalyzer.report.html.page import environment_of
from loganalyzer.report.html_report import to_html
from loganalyzer.web.access import COOKIE, Caller
from loganalyzer.web.api import report_in
from loganalyzer.web.problems import ProblemError
from loganalyzer.web.rows import ENDED, SCOPES, AuditEntry, Scan, Token, User
from loganalyzer.web.search import Search
from loganalyzer.web.server import Server, server_of
from loganalyzer.web.uploads import Named

_ASSETS: Final = {"app.js": "text/javascript; charset=utf-8", "app.css": "text/css; charset=utf-8"}
#: Bytes of a field of a form that is no file.
_LARGEST_FIELD: Final = 64 << 10
_SEEN: Final = 20
_VERDICTS: Final = {"cause-found": "Cause found", "no-fault-found": "No fault found", "cannot-tell": "Cannot tell"}


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = environment_of(_template)
    environment.globals.update(verdicts=_VERDICTS, ended=ENDED)
    return environment


def _template(name: str) -> str:
    return files("loganalyzer.web").joinpath("templates", name).read_text(encoding="utf-8")


def page(name: str, caller: Caller | None, status: int = 200, **values: Any) -> Response:
    """A page from its template."""
    text = _environment().get_template(name).render(caller=caller, **values)
    return Response(text, status, media_type="text/html; charset=utf-8")


def problem_page(problem: ProblemError) -> Response:
    """A refusal for people."""
    response = page("problem.html", None, problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


# ---- signing in ----


async def show_sign_in(request: Request) -> Response:
    return page("sign-in.html", None, code=request.query_params.get("code", "")[:200])


async def sign_in(request: Request) -> Response:
    """The link is good for one use, and a look at it does not use it up."""
    server = server_of(request)
    async with request.form(max_files=0, max_fields=4, max_part_size=_LARGEST_FIELD) as form:
        code = form.get("code")
    found = server.access.sign_in(code if isinstance(code, str) else "")
    if found is None:
        await server.audit(request, "sign in", None, None, "refused")
        raise ProblemError(
            401, "not-signed-in", "the link was used before or is too old: ask who runs the server for a new one"
        )
    user, secret = found
    await server.audit(request, "sign in", user.id, None)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        *(COOKIE, secret, int(server.settings.session.total_seconds())),
        path="/",
        secure=server.settings.secure,
        httponly=True,
        samesite="strict",
    )
    return response


async def sign_out(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    server.store.delete("tokens", "id = ?", caller.token.id)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, path="/")
    return response


# ---- scans ----


async def home(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    recent = Search(limit=_SEEN).scans(server, caller.user.id)[:_SEEN]
    return page("home.html", caller, scans=recent, settings=server.settings)


async def upload_form(request: Request) -> Response:
    """The way without scripts: all files in one request."""
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    most = server.settings.upload_files
    async with request.form(max_files=most, max_fields=8, max_part_size=_LARGEST_FIELD) as form:
        came = [one for one in form.getlist("files") if isinstance(one, FormFile) and one.filename]
        if not came:
            raise ProblemError(422, "bad-request", "choose at least one file")
        scan = await _taken(server, caller, came)
    await server.audit(request, "scan", scan.id, caller)
    return RedirectResponse(f"/scans/{scan.id}", 303)


async def _taken(server: Server, caller: Caller, came: list[FormFile]) -> Scan:
    named = [Named(one.filename or "", one.size or 0) for one in came]
    upload = await run_sync(server.uploads.create, caller.user, named)
    try:
        for (file, _), one in zip(server.uploads.files(upload.id), came, strict=True):
            await run_sync(server.uploads.take, file, one.file)
        scan = server.uploads.start(upload)
    except BaseException:
        server.uploads.delete(upload.id)
        raise
    server.workers.wake()
    return scan


async def list_scans(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    search = Search.of(request.query_params)
    found = search.scans(server, caller.user.id)
    more = len(found) > search.limit
    return page("scans.html", caller, scans=found[: search.limit], search=search, more=more)


async def show_scan(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    scan = server.scan(caller, request.path_params["scan"])
    report = await run_sync(server.report, scan) if scan.state == "done" else None
    others = [
        one for one in Search(limit=_SEEN).scans(server, caller.user.id) if one.id != scan.id and one.state == "done"
    ]
    return page(
        "scan.html",
        caller,
        scan=scan,
        report=report,
        own=scan.user == caller.user.id,
        at=server.workers.progress(scan.id),
        place=server.store.place_in_queue(scan),
        formats=formats(),
        others=others[:_SEEN],
    )


async def show_report(request: Request) -> Response:
    """The report as its own page, which brings its own, stricter policy."""
    server = server_of(request)
    scan = server.scan(server.access.caller(request, "read"), request.path_params["scan"])
    data = to_html(await run_sync(server.report, scan))
    policy = {"content-security-policy": "frame-ancestors 'self'; form-action 'none'", "x-frame-options": "SAMEORIGIN"}
    return Response(data, headers=policy, media_type="text/html; charset=utf-8")


async def download(request: Request) -> Response:
    server = server_of(request)
    scan = server.scan(server.access.caller(request, "read"), request.path_params["scan"])
    return await report_in(server, scan, request.path_params["format"])


async def change_scan(request: Request) -> Response:
    """What the buttons of a scan do."""
    server = server_of(request)
    caller = server.access.caller(request, "upload")
    scan, action = server.scan(caller, request.path_params["scan"], own=True), request.path_params["action"]
    if action == "delete":
        await run_sync(server.workers.delete, scan)
    elif action == "cancel":
        await run_sync(server.workers.cancel, scan)
    elif action in ("share", "unshare"):
        server.store.update("scans", "id = ?", [scan.id], shared=action == "share")
    else:
        raise ProblemError(404, "not-found", "there is no such button")
    await server.audit(request, f"{action} scan", scan.id, caller)
    return RedirectResponse("/scans" if action == "delete" else f"/scans/{scan.id}", 303)


async def show_comparison(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    sides = [server.scan(caller, request.query_params.get(name, "")) for name in ("before", "after")]
    reports = [await run_sync(server.report, one) for one in sides]
    found = await run_sync(compare, reports[0], reports[1])
    return page("compare.html", caller, before=sides[0], after=sides[1], found=found)


# ---- settings ----


async def show_settings(request: Request) -> Response:
    server = server_of(request)
    return _settings(server, server.access.caller(request, "read"))


def _settings(server: Server, caller: Caller, secret: str | None = None, link: str | None = None) -> Response:
    tokens = server.store.all(Token, "tokens", "user = ? AND kind = 'api' ORDER BY created", caller.user.id)
    admin = caller.may("admin")
    users = server.store.all(User, "users", "1 ORDER BY name") if admin else []
    audit = server.store.all(AuditEntry, "audit", "1 ORDER BY at DESC LIMIT 50") if admin else []
    names = {user.id: user.name for user in users}
    stored = server.store.count("scans", "user = ?", caller.user.id, of="sum(stored)")
    return page(
        "settings.html",
        caller,
        tokens=tokens,
        secret=secret,
        link=link,
        users=users,
        audit=audit,
        names=names,
        stored=stored,
        settings=server.settings,
        scopes=[scope for scope in SCOPES if caller.may(scope)],
    )


async def create_token(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    async with request.form(max_files=0, max_fields=8, max_part_size=_LARGEST_FIELD) as form:
        name, days = str(form.get("name", "")).strip()[:100], str(form.get("days", "90"))
        scopes = tuple(scope for scope in SCOPES if scope in form.getlist("scopes") and caller.may(scope))
    if not name or not scopes or not days.isdigit() or not 1 <= int(days[:5]) <= 3650:
        raise ProblemError(422, "bad-request", "a token needs a name, at least one scope, and 1 to 3650 days")
    token, secret = server.access.new(caller.user, "api", name, scopes, timedelta(days=int(days)))
    await server.audit(request, "create token", token.id, caller)
    return _settings(server, caller, secret=secret)


async def delete_token(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "read")
    token = request.path_params["token"]
    server.store.delete("tokens", "id = ? AND user = ? AND kind = 'api'", token, caller.user.id)
    await server.audit(request, "delete token", token, caller)
    return RedirectResponse("/settings", 303)


async def invite(request: Request) -> Response:
    server = server_of(request)
    caller = server.access.caller(request, "admin")
    async with request.form(max_files=0, max_fields=8, max_part_size=_LARGEST_FIELD) as form:
        name, admin = str(form.get("name", "")).strip()[:100], form.get("admin") == "yes"
    if not name:
        raise ProblemError(422, "bad-request", "a user needs a name")
    secret = server.access.invite(name, admin=admin)
    await server.audit(request, "invite", name, caller)
    return _settings(server, caller, link=f"{request.url.scheme}://{request.url.netloc}/sign-in?code={secret}")


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise ProblemError(404, "not-found", "there is no such file")
    text = files("loganalyzer.web").joinpath("assets", name).read_text(encoding="utf-8")
    palette = report_asset("palette.css") if name == "app.css" else ""
    return Response(palette + text, media_type=_ASSETS[name])


ROUTES: Final = [
    Route("/", home),
    Route("/sign-in", show_sign_in, methods=["GET"]),
    Route("/sign-in", sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
    Route("/upload", upload_form, methods=["POST"]),
    Route("/scans", list_scans),
    Route("/scans/{scan}", show_scan),
    Route("/scans/{scan}/report", show_report),
    Route("/scans/{scan}/download/{format}", download),
    Route("/scans/{scan}/{action}", change_scan, methods=["POST"]),
    Route("/compare", show_comparison),
    Route("/settings", show_settings),
    Route("/settings/tokens", create_token, methods=["POST"]),
    Route("/settings/tokens/{token}/delete", delete_token, methods=["POST"]),
    Route("/settings/users", invite, methods=["POST"]),
    Route("/assets/{name}", asset),
]

"""What the API takes and gives, as OpenAPI 3.1: served at ``/api/v1/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from loganalyzer import __version__
from loganalyzer.web.problems import KINDS

Name = Annotated[str, Meta(min_length=1, max_length=1024)]


class NewFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that is to come: its path within the upload, with slashes, and its size in bytes."""

    path: Name
    size: Annotated[int, Meta(ge=0, le=1 << 50)]


class NewUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An upload: one archive, or the files of a folder."""

    files: Annotated[tuple[NewFile, ...], Meta(min_length=1)]


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token: what it is for, what it may (``read``, ``upload``, ``admin``), and for how many days."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: tuple[str, ...] = ("read", "upload")
    days: Annotated[int, Meta(ge=1, le=3650)] = 90


class UploadedFile(msgspec.Struct, frozen=True):
    """A file of an upload; ``received`` bytes of it are on disk."""

    number: int
    path: str
    size: int
    received: int


class UploadInfo(msgspec.Struct, frozen=True):
    """An upload; a part may have ``part_bytes`` at most."""

    id: str
    created: str
    started: bool
    part_bytes: int
    files: tuple[UploadedFile, ...]


class ScanProgress(msgspec.Struct, frozen=True):
    """Where a running scan is: what it does, the file, bytes read so far."""

    phase: str
    file: str | None
    bytes: int


class ScanInfo(msgspec.Struct, frozen=True):
    """A scan: queued, running, done, failed (``why``) or cancelled.

    Times are in UTC; ``first`` and ``last`` are those of the logs.
    """

    id: str
    name: str
    state: str
    created: str
    started: str | None
    ended: str | None
    shared: bool
    why: str | None
    verdict: str | None
    cause: str | None
    cause_title: str | None
    host: str | None
    first: str | None
    last: str | None
    codes: tuple[str, ...]
    queue_position: int | None
    progress: ScanProgress | None


class ScanList(msgspec.Struct, frozen=True):
    """A page of scans, the newest first; ``next_offset`` leads to the next page."""

    scans: tuple[ScanInfo, ...]
    next_offset: int | None


class TokenInfo(msgspec.Struct, frozen=True):
    """A token of the caller; ``token`` itself is told once, when it is made."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created: str
    expires: str
    used: str | None
    token: str | None = None


class TokenList(msgspec.Struct, frozen=True):
    """All tokens of the caller."""

    tokens: tuple[TokenInfo, ...]


class CauseCount(msgspec.Struct, frozen=True):
    """How many scans have a cause as their first."""

    cause: str
    title: str | None
    scans: int


class CodeCount(msgspec.Struct, frozen=True):
    """How many scans tell an error."""

    code: str
    scans: int


class FleetInfo(msgspec.Struct, frozen=True):
    """What the finished scans come to, the most frequent first."""

    scans: int
    verdicts: dict[str, int]
    causes: tuple[CauseCount, ...]
    codes: tuple[CodeCount, ...]


class ProblemInfo(msgspec.Struct, frozen=True):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


_STRUCTS: Final = (NewUpload, NewToken, UploadInfo, ScanInfo, ScanList, TokenInfo, TokenList, FleetInfo, ProblemInfo)


def _path(name: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 0, "maximum": 10**9} if name == "number" else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": schema or {"type": "string", "maxLength": 200},
    }


def _header(name: str, description: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def _answers(status: int, name: str | None, description: str, refused: tuple[int, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {str(status): {"description": description}}
    if name is not None:
        found[str(status)]["content"] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemInfo"}}}
    for one in (401, 403, *refused):
        found[str(one)] = {"description": "refused", "content": problem}
    return found


def _takes(name: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


_INTEGER: Final = {"type": "integer", "minimum": 0}
_BYTES: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_SEARCH: Final = [
    _query("machine", "part of a host's name, or of the upload's"),
    _query("cause", "part of a cause's id or title"),
    _query("code", "part of an error code"),
    _query("state", "queued, running, done, failed or cancelled"),
    _query("since", "made at this time or later (ISO 8601; UTC without a zone)"),
    _query("until", "made before this time"),
    _query("offset", "how many to leave out", {"type": "integer", "minimum": 0, "maximum": 10**9}),
    _query("limit", "how many to show", {"type": "integer", "minimum": 0, "maximum": 500}),
]
_IDEMPOTENT: Final = _header(
    "Idempotency-Key", "the same key gives the same object", {"type": "string", "maxLength": 200}, required=False
)
#: Method, path, what it does, parameters, body, success (status, schema, description), refusals beside 401 and 403.
_OPERATIONS: Final[tuple[tuple[str, str, str, list[Any], Any, tuple[int, str | None, str], tuple[int, ...]], ...]] = (
    (
        "post",
        "/uploads",
        "Begin an upload",
        [_IDEMPOTENT],
        _takes("NewUpload"),
        (201, "UploadInfo", "made"),
        (413, 415, 422, 507),
    ),
    (
        "get",
        "/uploads/{upload}",
        "How much of an upload is here",
        [_path("upload")],
        None,
        (200, "UploadInfo", "it"),
        (404,),
    ),
    ("delete", "/uploads/{upload}", "Give up an upload", [_path("upload")], None, (204, None, "gone"), (404, 409)),
    (
        *("patch", "/uploads/{upload}/files/{number}", "Add a part where the file ends so far"),
        [_path("upload"), _path("number"), _header("Upload-Offset", "bytes that are here", _INTEGER, required=True)],
        {"required": True, "content": _BYTES},
        *((204, None, "on disk; Upload-Offset says how much is here"), (404, 409, 413, 422, 429, 507)),
    ),
    (
        *("post", "/uploads/{upload}/scan", "Scan what came", [_path("upload"), _IDEMPOTENT], None),
        *((202, "ScanInfo", "queued"), (404, 409, 422)),
    ),
    ("get", "/scans", "The scans that one may read", _SEARCH, None, (200, "ScanList", "a page"), (422,)),
    ("get", "/scans/{scan}", "One scan", [_path("scan")], None, (200, "ScanInfo", "it"), (404,)),
    (
        "delete",
        "/scans/{scan}",
        "Delete a scan, its report and its files",
        [_path("scan")],
        None,
        (204, None, "gone"),
        (404,),
    ),
    (
        *("get", "/scans/{scan}/events", "Follow a scan: server-sent events named scan", [_path("scan")], None),
        *((200, None, "text/event-stream"), (404,)),
    ),
    (
        *("get", "/scans/{scan}/report", "The report, in any format"),
        [_path("scan"), _query("format", "json, html, markdown, text, sarif, junit, csv, ndjson and others")],
        *(None, (200, None, "the report"), (404, 409, 422)),
    ),
    ("post", "/scans/{scan}/cancel", "End a scan", [_path("scan")], None, (202, "ScanInfo", "ending"), (404, 409)),
    ("put", "/scans/{scan}/shared", "Let every user read it", [_path("scan")], None, (204, None, "shared"), (404,)),
    ("delete", "/scans/{scan}/shared", "Read it alone again", [_path("scan")], None, (204, None, "not shared"), (404,)),
    ("get", "/fleet", "What the finished scans come to", [], None, (200, "FleetInfo", "counts"), ()),
    ("get", "/tokens", "One's tokens", [], None, (200, "TokenList", "them"), ()),
    ("post", "/tokens", "Make a token", [], _takes("NewToken"), (201, "TokenInfo", "made"), (413, 415, 422)),
    ("delete", "/tokens/{token}", "Take a token away", [_path("token")], None, (204, None, "gone"), (404,)),
)


def document() -> dict[str, Any]:
    """The description of the API."""
    (_, components) = msgspec.json.schema_components(_STRUCTS, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for method, path, summary, parameters, body, (status, schema, told), refused in _OPERATIONS:
        operation: dict[str, Any] = {"summary": summary, "responses": _answers(status, schema, told, refused)}
        if parameters:
            operation["parameters"] = parameters
        if body is not None:
            operation["requestBody"] = body
        if schema is None and status == 200:
            operation["responses"]["200"]["content"] = {"*/*": {}}
        paths.setdefault(f"/api/v1{path}", {})[method] = operation
    kinds = "\n".join(f"- `{kind}`: {text}" for kind, text in KINDS.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "loganalyzer",
            "version": __version__,
            "description": "Bundles of logs of Azure VMs are uploaded in parts and scanned; reports are fetched in any "
            "format. A problem's `type` is `urn:loganalyzer:problem:` and one of:\n\n" + kinds,
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }

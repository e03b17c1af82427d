"""What a client did that cannot be done, as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

#: The kinds of problems; each is the last part of a problem's ``type`` and stands in the API's documentation.
KINDS: Final[Mapping[str, str]] = {
    "not-signed-in": "No valid session or token came with the request.",
    "not-allowed": "The token has no scope for this, or the page was asked from elsewhere.",
    "not-found": "There is no such thing, or it belongs to somebody else.",
    "bad-request": "The request is not of the form that is documented.",
    "bad-host": "The server is not reached under this name.",
    "bad-path": "A file's name leaves its folder, or is no name that a file can have.",
    "conflict": "The thing is in another state than the request needs.",
    "wrong-offset": "The part does not begin where the file ends so far.",
    "too-large": "The upload, a part or a request is larger than the server takes.",
    "too-many": "Too many files, or too many requests at once.",
    "quota": "The user has no room left: delete older scans.",
    "no-room": "The disk of the server is full.",
    "unsupported": "The server does not take this kind of content, or has no such format.",
    "failed": "The server could not do it; its log says why.",
}


class ProblemError(Exception):
    """A request that is refused: ``kind`` is one of `KINDS`, ``detail`` says what and what to do."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        assert kind in KINDS
        self.status, self.kind, self.detail, self.headers = status, kind, detail, dict(headers or {})

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def as_json(self) -> Response:
        """The problem as programs read it."""
        body: dict[str, Any] = {
            "type": f"urn:loganalyzer:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return Response(orjson.dumps(body), self.status, self.headers, media_type="application/problem+json")


def busy(detail: str, seconds: int = 2) -> ProblemError:
    """Too much at once; the client is to come back after ``seconds``."""
    return ProblemError(429, "too-many", detail, {"Retry-After": str(seconds)})


def not_found(what: str) -> ProblemError:
    """It is not told whether a thing of somebody else exists."""
    return ProblemError(404, "not-found", f"there is no {what} of this id, or it belongs to somebody else")


def no_room() -> ProblemError:
    """The answer where the disk of the data folder is full; what was acknowledged before is kept."""
    return ProblemError(507, "no-room", "the disk of the server is full: tell who runs it")

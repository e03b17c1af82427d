"""``loganalyzer submit``: uploads a bundle to a server, follows its scan, and prints or writes the report."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from loganalyzer.cli import EXIT_FINDING, EXIT_UNREADABLE
from loganalyzer.errors import LogAnalyzerError, UsageError

#: How often a part is sent again before the upload is given up, and the longest pause between two tries: seconds.
_TRIES: Final = 8
_LONGEST_PAUSE: Final = 20.0
_TIMEOUT: Final = 120.0
_ENDED: Final = ("done", "failed", "cancelled")


@click.command("submit")
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--server", required=True, metavar="URL", help="Address of the server: https://logs.example.com")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a token of the server, instead of the variable LOGANALYZER_TOKEN.",
)
@click.option("-f", "--format", "form", default="text", show_default=True, help="Format of the report.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report there.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(bundle: Path, server: str, token_file: Path | None, form: str, output: Path | None, quiet: bool) -> int:
    """Upload BUNDLE, a file or a folder, to a server of 'loganalyzer serve', and fetch the report.

    A connection that breaks is taken up where it broke.

    \b
    Exit status: 0 no finding, 1 a cause was found, 2 wrong usage or refused, 3 the scan failed.
    """
    remote = _Server(_address(server), _token(token_file))
    files = _files(bundle)
    upload = remote.json("POST", "/uploads", {"files": [{"path": name, "size": size} for name, _, size in files]})
    for number, (name, path, size) in enumerate(files):
        if not quiet:
            click.echo(f"uploading {name} ({size:,} bytes)", err=True)
        _send(remote, upload, number, path, size)
    scan = remote.json("POST", f"/uploads/{upload['id']}/scan", None, {"Idempotency-Key": upload["id"]})
    shown = None
    while scan["state"] not in _ENDED:
        state = scan["state"] if not scan["progress"] else scan["progress"]["phase"]
        if not quiet and state != shown:
            click.echo(state, err=True)
            shown = state
        time.sleep(0.5)
        scan = remote.json("GET", f"/scans/{scan['id']}")
    if scan["state"] != "done":
        click.echo(f"the scan was not done: {scan['why'] or scan['state']}", err=True)
        return EXIT_UNREADABLE
    report = remote.bytes("GET", f"/scans/{scan['id']}/report?format={urllib.parse.quote(form)}")
    if output is not None:
        output.write_bytes(report)
    else:
        click.echo(report, nl=False)
    return EXIT_FINDING if scan["verdict"] == "cause-found" else 0


def _address(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{text!r} is no address of a server", help="write it as http://127.0.0.1:8080")
    return f"{parts.scheme}://{parts.netloc}/api/v1"


def _token(file: Path | None) -> str:
    token = file.read_text(encoding="utf-8") if file is not None else os.environ.get("LOGANALYZER_TOKEN", "")
    if not token.strip():
        help = "make one on the page Settings of the server, and give --token-file or the variable LOGANALYZER_TOKEN"
        raise UsageError("the server needs a token", help=help)
    return token.strip()


def _files(bundle: Path) -> list[tuple[str, Path, int]]:
    """Name, place and size of what is to be sent; links are not followed out of a folder."""
    if bundle.is_file():
        return [(bundle.name, bundle, bundle.stat().st_size)]
    found = [path for path in sorted(bundle.rglob("*")) if path.is_file() and not path.is_symlink()]
    if not found:
        raise UsageError(f"there is no file in {bundle}")
    top = bundle.resolve().name or "bundle"
    return [(f"{top}/{path.relative_to(bundle).as_posix()}", path, path.stat().st_size) for path in found]


def _send(remote: _Server, upload: Mapping[str, Any], number: int, path: Path, size: int) -> None:
    """One file in parts, from where the server says that it ends."""
    offset, failures = 0, 0
    with path.open("rb") as file:
        while offset < size:
            file.seek(offset)
            part = file.read(min(upload["part_bytes"], size - offset))
            try:
                headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
                remote.bytes("PATCH", f"/uploads/{upload['id']}/files/{number}", part, headers)
                offset, failures = offset + len(part), 0
            except _AgainError as error:
                failures += 1
                if failures == _TRIES:
                    raise LogAnalyzerError(str(error), help="try again later: the upload was not finished") from None
                time.sleep(min(error.seconds * failures, _LONGEST_PAUSE))
                offset = remote.json("GET", f"/uploads/{upload['id']}")["files"][number]["received"]


class _AgainError(Exception):
    """What may go well the next time, in so many seconds."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class _Server:
    """The API of a server."""

    address: str
    token: str

    def json(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """What it answers.

        Raises:
            LogAnalyzerError: it cannot be reached.
            UsageError: it refuses.
        """
        data = json.dumps(body).encode() if body is not None else None
        told = {"Content-Type": "application/json", **(headers or {})}
        for failures in range(1, _TRIES + 1):
            try:
                return json.loads(self.bytes(method, path, data, told))
            except _AgainError as error:
                # only what changes nothing, or says that it is the same request, is asked twice
                if failures == _TRIES or not (method == "GET" or "Idempotency-Key" in told):
                    raise LogAnalyzerError(str(error), help="is the server running, and is this its address?") from None
                time.sleep(min(error.seconds * failures, _LONGEST_PAUSE))
        raise AssertionError("unreachable")

    def bytes(
        self, method: str, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The same as bytes.

        Raises:
            UsageError: it refuses.
            _AgainError: it cannot be reached, or is busy.
        """
        request = urllib.request.Request(  # noqa: S310  the scheme was looked at
            self.address + path,
            data,
            {**(headers or {}), "Authorization": f"Bearer {self.token}"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as error:
            what = _detail(error)
            if error.code in (429, 502, 503, 504) or (error.code == 409 and method == "PATCH"):
                raise _AgainError(what, float(error.headers.get("Retry-After") or 1)) from None
            raise UsageError(f"the server refused: {what}", help="see docs/server.md for what it takes") from None
        except (urllib.error.URLError, OSError) as error:
            raise _AgainError(f"the server cannot be reached: {getattr(error, 'reason', error)}", 1) from None


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(65536))["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {error.code}"

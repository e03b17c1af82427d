"""A program of its own: scans one bundle after the other for ``task``, which watches it and may end it at any time.

It reads frames from standard input: first the path to import from, which it has already, then the settings, then one
bundle a frame. It answers the settings when it is ready for bundles, and each bundle with one frame: the length of a
JSON head, that head (`Found`), and the report.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from pathlib import Path

import msgspec

from loganalyzer.errors import LogAnalyzerError
from loganalyzer.evtx.binding import received, send
from loganalyzer.fleet.content import content_sha256
from loganalyzer.fleet.outcome import FailureKind, Found, Request, ScanSettings
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.redact import Redactor
from loganalyzer.report.json_report import to_json


def main() -> None:
    """Answers until the input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a word printed by a library would break a frame
    received(requests)
    settings = msgspec.json.decode(received(requests), type=ScanSettings)
    send(answers, b"ready")
    while frame := received(requests):
        found, report = scanned(msgspec.json.decode(frame, type=Request), settings)
        head = msgspec.json.encode(found)
        send(answers, b"".join([len(head).to_bytes(4, "little"), head, report]))


def scanned(request: Request, settings: ScanSettings) -> tuple[Found, bytes]:
    """What a scan finds in the bundle, and its report; no bytes if there is none."""
    redactor = settings.redactor()
    content = None
    try:
        content = content_sha256(request.path)
        if content == request.known_sha256:
            return Found("unchanged", redactor.text(request.member.name), content), b""
        options = ScanOptions(
            settings.limits, settings.time_zone, redact=settings.redact != "off", rules=settings.rules
        )
        result = scan([request.path], options, redactor=redactor)
    except LogAnalyzerError as error:
        return _failed(request, redactor, "input", error.what, content), b""
    except OSError as error:
        return _failed(request, redactor, "input", error.strerror or str(error), content), b""
    except Exception as error:  # noqa: BLE001  (one bundle must not cost the others)
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"internal error: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        return _failed(request, redactor, "fault", text, content), b""
    found = Found("scanned", redactor.text(request.member.name), content, result.recognised, len(result.unread))
    report = result.report
    if request.copy is not None:
        report = replace(report, bundle=replace(report.bundle, path=redactor.text(request.member.path)))
    return found, to_json(report)


def _failed(request: Request, redactor: Redactor, kind: FailureKind, why: str, content: str | None) -> Found:
    shown = redactor.text(request.member.name)
    return Found("failed", shown, content, failure_kind=kind, failure=redactor.text(why))


if __name__ == "__main__":
    main()

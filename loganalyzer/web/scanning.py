"""A program of its own that scans one upload for a server, which watches it and may end it at any time.

It reads one JSON object from standard input and writes a JSON object a line: what it is reading, in the end what a list
shows of the report. The report itself goes to a file.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from loganalyzer.errors import LogAnalyzerError
from loganalyzer.intake import Limits
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.redact import Redactor
from loganalyzer.report.json_report import to_json
from loganalyzer.report.model import Report

#: Seconds between two words on the progress.
_BETWEEN: Final = 0.1


class Order(msgspec.Struct, frozen=True):
    """What is to be scanned, what the report calls it, and where the report goes."""

    path: str
    name: str
    report: str
    expanded_bytes: int
    time_zone: str | None = None


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the answer: progress (``phase``, ``file``, ``bytes``: read so far), or how it ended."""

    phase: str | None = None
    file: str | None = None
    bytes: int = 0
    failed: str | None = None
    verdict: str | None = None
    cause: str | None = None
    cause_title: str | None = None
    host: str | None = None
    codes: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None


def main() -> None:
    """Scans, and says so."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # a word printed by a library would be taken for an answer
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)

    def say(said: Said) -> None:
        answers.write(msgspec.json.encode(said).decode() + "\n")
        answers.flush()

    said_at, said_phase, read = 0.0, "", 0

    def progress(phase: str, name: str, size: int) -> None:
        nonlocal said_at, said_phase, read
        read += size
        if phase != said_phase or time.monotonic() - said_at >= _BETWEEN:
            said_at, said_phase = time.monotonic(), phase
            say(
                Said(
                    phase=phase,
                    file=redactor.text(name.removeprefix(order.path).lstrip("/!") or order.name),
                    bytes=read,
                )
            )

    redactor = Redactor("tokens")
    try:
        options = ScanOptions(Limits(max_expanded_bytes=order.expanded_bytes), order.time_zone)
        report = scan([order.path], options, progress=progress, redactor=redactor).report
        say(
            _written(replace(report, bundle=replace(report.bundle, path=redactor.text(order.name))), Path(order.report))
        )
    except LogAnalyzerError as error:
        say(Said(failed=redactor.text(error.what)))
    except Exception as error:  # noqa: BLE001  (what is wrong with us must reach the page, not a log alone)
        place = traceback.extract_tb(error.__traceback__)[-1]
        say(
            Said(
                failed=redactor.text(
                    f"internal error: {type(error).__name__} ({Path(place.filename).name}:{place.lineno})"
                )
            )
        )


def _written(report: Report, target: Path) -> Said:
    """Writes the report, whole or not at all; what a list shows of it."""
    # its own name: the process of a server that was killed may still be at work on the same scan
    half = target.with_suffix(f".{os.getpid()}.half")
    with half.open("wb") as file:
        file.write(to_json(report))
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)
    first = report.diagnoses[0] if report.diagnoses else None
    times = report.bundle.first, report.bundle.last
    return Said(
        phase="done",
        verdict=report.verdict,
        cause=first.cause if first is not None else None,
        cause_title=first.title if first is not None else None,
        host=", ".join(report.bundle.hosts) or None,
        codes=tuple(dict.fromkeys(one.code for one in report.errors)),
        first=times[0].isoformat() if times[0] else None,
        last=times[1].isoformat() if times[1] else None,
    )


if __name__ == "__main__":
    main()

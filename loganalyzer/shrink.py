"""The smallest part of a bundle that still says the same: for a ticket that takes little, or for a test.

Delta debugging (Zeller, Hildebrandt: "Simplifying and Isolating Failure-Inducing Input", 2002): parts are left out,
larger ones first, and stay out where the findings are still the same. What is cited is tried first to be enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias, TypeVar

from loganalyzer.errors import LogAnalyzerError
from loganalyzer.pipeline import Scan, ScanOptions, scan
from loganalyzer.report.evidence_rows import evidence_rows
from loganalyzer.report.model import Report

Files: TypeAlias = Mapping[str, bytes]
_Part = TypeVar("_Part")

#: Scans of smaller bundles, at most, unless a user says otherwise.
TRIES: Final = 300

#: Lines kept around each cited one, tried from few to many.
_AROUND: Final = (0, 3, 30)

_EVTX: Final = b"ElfFile\0"
_EVTX_HEADER: Final = 4096
_EVTX_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Findings:
    """What has to stay the same: the bundle's verdict, the causes in order with theirs, and the backup attempts."""

    verdict: str
    causes: tuple[tuple[str, str], ...]
    attempts: tuple[tuple[object, ...], ...]


def findings_of(report: Report) -> Findings:
    """The findings of a report. Attempts are known by what happened, not by their numbers or their files."""
    return Findings(
        report.verdict,
        tuple((one.cause, one.verdict) for one in report.diagnoses),
        tuple((one.start, one.end, one.phase, one.outcome, one.codes) for one in report.attempts),
    )


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The files that are left, by path; how many scans that took, and whether there were none left to try more."""

    files: Files
    tries: int
    exhausted: bool


def shrink(files: Files, options: ScanOptions, wanted: Findings | None = None, tries: int = TRIES) -> Shrunk:
    """Leaves out of a bundle what its findings do not need. ``files``: by path, as they lie in a folder.

    ``wanted``: the findings of the bundle that the files are made of; None: of the files themselves.

    Raises:
        LogAnalyzerError: none of the files is recognised, or they do not give the wanted findings.
    """
    first = _scan(files, options)
    if first.recognised == 0:
        help = "'loganalyzer formats' says what of a bundle can be read"
        raise LogAnalyzerError("nothing in this bundle is recognised", None, help)
    if wanted is None:
        wanted = findings_of(first.report)
    if findings_of(first.report) != wanted:
        help = "share the result of 'loganalyzer redact' instead, and report this"
        raise LogAnalyzerError("the redacted copy does not give the same findings as the bundle", None, help)
    trial = _Trial(lambda tried: findings_of(_scan(tried, options).report) == wanted, tries)
    files = _needed_files(files, first.report, trial)
    for path in sorted(files, key=lambda name: (-len(files[name]), name)):
        files = {**files, path: _needed_parts(path, files, first.report, trial)}
    return Shrunk(dict(sorted(files.items())), trial.done, trial.done >= trial.most)


def _scan(files: Files, options: ScanOptions) -> Scan:
    with TemporaryDirectory() as folder:
        root = Path(folder, "bundle")
        write_files(files, root)
        return scan([root], options)


def write_files(files: Files, folder: Path) -> None:
    """Writes files below a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


class _Trial:
    """Asks whether a smaller bundle says the same, as often as it may; after that nothing is smaller."""

    def __init__(self, same: Callable[[Files], bool], most: int) -> None:
        self._same = same
        self.most = most
        self.done = 0

    def is_enough(self, files: Files) -> bool:
        """Whether these files give the same findings."""
        if self.done >= self.most:
            return False
        self.done += 1
        return self._same(files)


def _needed_files(files: Files, report: Report, trial: _Trial) -> Files:
    cited = {one.evidence.source for one in evidence_rows(report)} | {
        name for one in report.attempts for name in one.sources
    }
    only = {path: data for path, data in files.items() if path in cited}
    if only and len(only) < len(files) and trial.is_enough(only):
        files = only
    names = sorted(files, key=lambda name: (-len(files[name]), name))
    kept = reduced(names, lambda some: trial.is_enough({name: files[name] for name in some}))
    return {name: files[name] for name in kept}


def _needed_parts(path: str, files: Files, report: Report, trial: _Trial) -> bytes:
    """What of a file is needed: lines of a text, chunks of an event log; any other file is needed whole."""
    data = files[path]
    head, parts = _parts(data)
    if len(parts) < 2:
        return data

    def is_enough(numbers: Collection[int]) -> bool:
        return trial.is_enough({**files, path: _put_together(head, parts, numbers)})

    numbers: Sequence[int] = range(len(parts))
    for around in _AROUND:
        near = sorted(_near_cited(path, data, report, len(parts), around)) if not head else []
        if near and len(near) < len(parts) and is_enough(near):
            numbers = near
            break
    return _put_together(head, parts, reduced(numbers, is_enough))


def _parts(data: bytes) -> tuple[bytes, list[bytes]]:
    """What stays in any case, and what may be left out one by one."""
    if data.startswith(_EVTX):
        starts = range(_EVTX_HEADER, len(data), _EVTX_CHUNK)
        return data[:_EVTX_HEADER], [data[start : start + _EVTX_CHUNK] for start in starts]
    return (b"", []) if b"\0" in data[:4096] else (b"", data.splitlines(keepends=True))


def _put_together(head: bytes, parts: Sequence[bytes], numbers: Collection[int]) -> bytes:
    return head + b"".join(parts[number] for number in sorted(numbers))


def _near_cited(path: str, data: bytes, report: Report, lines: int, around: int) -> set[int]:
    """The lines of cited entries and their neighbours, and the first and the last line, which bound what is covered."""
    found = {0, lines - 1}
    for line, length, offset in _cited_lines(path, report):
        count = data[offset : offset + length].count(b"\n") if offset is not None and length else 1
        found.update(range(max(0, line - 1 - around), min(lines, line - 1 + max(count, 1) + around)))
    return found


def _cited_lines(path: str, report: Report) -> Iterator[tuple[int, int | None, int | None]]:
    for row in (one.evidence for one in evidence_rows(report)):
        if row.source == path and row.line is not None:
            yield row.line, row.length, row.offset
        for one in (*row.bounds, *row.derived_from):
            if one.source == path and one.line is not None:
                yield one.line, None, None


def reduced(parts: Sequence[_Part], is_enough: Callable[[Sequence[_Part]], bool]) -> Sequence[_Part]:
    """The parts without any slice that is not needed: slices of half of them first, of a single one last."""
    size = -(-len(parts) // 2)
    while size and len(parts) > 1:
        at, before = 0, len(parts)
        while at < len(parts) and len(parts) > 1:
            smaller = [*parts[:at], *parts[at + size :]]
            if smaller and is_enough(smaller):
                parts = smaller
            else:
                at += size
        if size == 1 and len(parts) == before:
            break
        size = size // 2 if size > 1 else 1
    return parts

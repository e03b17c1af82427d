"""A redacted copy of a bundle: surveyed whole, written file by file, each file checked before it is written.

Archives inside the bundle become folders of their names; a single compressed file stays one. What cannot be redacted
safely is left out, with the reason.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import polars as pl
import zstandard

from loganalyzer.errors import LogAnalyzerError
from loganalyzer.intake import Archive, Skipped, Source
from loganalyzer.intake.names import UniqueNames
from loganalyzer.known_files import is_private
from loganalyzer.parser import ParseContext
from loganalyzer.redact.binary import (
    Told,
    is_event_log,
    is_hive,
    overwritten,
    runs,
    told_by_events,
    told_by_hive,
    unread_spans,
)
from loganalyzer.redact.copying import CopyRedactor
from loganalyzer.redact.field_names import names_a_secret, names_an_identity
from loganalyzer.redact.file_text import read_text
from loganalyzer.redact.names import is_secret_file
from loganalyzer.redact.redactor import Redactor
from loganalyzer.registry import recognise

Item: TypeAlias = Source | Skipped | Archive

#: The file of the copy that says what is not in it.
LISTING: Final = "REDACTED.txt"

_PACKED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}
_PRIVATE: Final = "private: it holds keys, passwords or identities"
_UNKNOWN: Final = "binary, and no format that can be redacted in place"


class LeakError(LogAnalyzerError):
    """A secret would have stayed in the copy: nothing is written."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not in the copy: its redacted path, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file of the copy, by its path there."""

    path: str
    data: bytes


class BundleCopy:
    """The files of a redacted copy.

    ``walk`` gives the files of the bundle, each time from the first. ``hosts``: its machines. ``left``: what is not in
    the copy, ``changed``: how many files differ, once `files` has come to its end.
    """

    def __init__(self, walk: Callable[[], Iterable[Item]], survey: Redactor, hosts: Iterable[str] = ()) -> None:
        self._walk = walk
        self.survey: Final = survey
        survey.know_hosts(hosts)
        self._kinds: dict[str, str] = {}
        self.left: list[LeftOut] = []
        self.changed = 0

    def files(self) -> Iterator[CopiedFile]:
        """Every file of the copy, then the listing of what is left out.

        Raises:
            LeakError: a secret that is known would stand in a file or its name.
        """
        for item in self._walk():
            self._look_at(item)
        redactor, names = CopyRedactor(self.survey), UniqueNames()
        for item in self._walk():
            if isinstance(item, Source):
                yield from self._copied(item, redactor, names)
            elif isinstance(item, Skipped):
                self._leave_out(item.path, item.why, redactor)
            elif item.damage is not None:
                self._leave_out(item.path, f"in part: {item.damage}", redactor)
        yield CopiedFile(LISTING, self._listing().encode())

    def _look_at(self, item: Item) -> None:
        """The survey: every secret of the bundle gets its token here, in the order of the files."""
        self.survey.texts([item.path])
        if isinstance(item, Archive):
            self._kinds[item.path] = item.kind
        if not isinstance(item, Source) or _reason_to_leave_out(item) is not None:
            return
        if is_event_log(item.data) or is_hive(item.data):
            for told in _told(item):
                _survey(told, self.survey)
        elif (content := read_text(item.data)) is not None:
            for part in CopyRedactor.entries(content.text):
                self.survey.text(part)

    def _copied(self, source: Source, redactor: CopyRedactor, names: UniqueNames) -> Iterator[CopiedFile]:
        why = _reason_to_leave_out(source)
        if why is not None:
            self._leave_out(source.path, why, redactor)
            return
        data = _redacted(source, redactor)
        self.changed += data != source.data
        _check(source.path, data, redactor)
        folder, packing = self._place(source.path)
        path = names.tell_apart(redactor.name(folder))
        yield CopiedFile(path, data if packing is None else _PACKED[packing](data))

    def _place(self, path: str) -> tuple[str, str | None]:
        """Where a file stands in the copy, and how it is compressed there."""
        outer, mark, _ = path.rpartition("!")
        kind = self._kinds.get(outer) if mark else None
        if kind in _PACKED:
            return outer.replace("!", "/"), kind
        return path.replace("!", "/"), None

    def _leave_out(self, path: str, why: str, redactor: CopyRedactor) -> None:
        self.left.append(LeftOut(redactor.name(path), redactor.file(why)))

    def _listing(self) -> str:
        lines = ["A redacted copy by loganalyzer. Not in it, or not whole:", ""]
        lines += [f"{one.path}: {one.why}" for one in sorted(self.left, key=lambda each: (each.path, each.why))]
        return "\n".join(lines if self.left else [*lines, "nothing"]) + "\n"


def _reason_to_leave_out(source: Source) -> str | None:
    if is_private(source.path) or is_secret_file(source.path):
        return _PRIVATE
    if source.damage is not None:
        return f"damaged: {source.damage}"
    if is_event_log(source.data) or is_hive(source.data) or read_text(source.data) is not None:
        return None
    return _UNKNOWN


def _redacted(source: Source, redactor: CopyRedactor) -> bytes:
    if is_event_log(source.data) or is_hive(source.data):
        return overwritten(source.data, list(_told(source)), redactor)
    content = read_text(source.data)
    assert content is not None
    return content.encoded(redactor.file(content.text))


def _told(source: Source) -> Iterator[Told]:
    if is_hive(source.data):
        yield from told_by_hive(source.data)
        yield from runs(source.data, 0, len(source.data))
        return
    found = recognise(source)
    frames = found.parser.parse(source, ParseContext()).frames if found is not None else ()
    told = list(told_by_events(frames, source.size))
    yield from told
    for start, end in unread_spans(source.data, told):
        yield from runs(source.data, start, end)


def _survey(told: Told, survey: Redactor) -> None:
    if told.name in ("host.name", "Computer"):
        survey.know_hosts([told.text])
        survey.host(told.text)
    elif told.name and (names_a_secret(told.name) or (survey.mode == "all" and names_an_identity(told.name))):
        survey.text(f'{told.name}="{told.text}"')
    else:
        survey.text(told.text)


def _check(path: str, data: bytes, redactor: CopyRedactor) -> None:
    """Looks for every known secret in the bytes of a file, in every encoding.

    Raises:
        LeakError: one is there.
    """
    forms, _ = redactor.forms_elsewhere()
    encodings = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
    sought = {form.encode(code, errors="replace").decode("latin-1") for form in forms for code in encodings}
    bytes_as_text = pl.Series([data.decode("latin-1")])
    is_leak = bool(sought) and bytes_as_text.str.contains_any(sorted(sought)).item()
    content = None if is_event_log(data) or is_hive(data) else read_text(data)
    if content is not None:
        words = (word for _, _, word in redactor.words.find(content.text))
        is_leak = is_leak or any(not redactor.stand_ins.is_one(word) for word in words)
    if is_leak:
        help = "leave the file out of the bundle, and report this: a form of a secret is not known"
        raise LeakError(f"a secret would stay in {redactor.name(path)}: nothing is written", None, help)

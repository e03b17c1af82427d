"""Whether a bundle still says what a report cites of it: every entry is read again and held against the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from loganalyzer.facts import derive, load_tables
from loganalyzer.pipeline import Leaf, Reading, bundle_digest
from loganalyzer.redact import TOKEN, Redactor
from loganalyzer.report.build import sha256_of
from loganalyzer.report.evidence_rows import evidence_rows
from loganalyzer.report.model import Citation, Evidence, Report
from loganalyzer.report.quoting import ORIGINAL_LIMIT, cut
from loganalyzer.schema import EventFrame

#: ``holds``: the bundle says it. ``differs``: it says something else, or nothing. ``unproved``: what is shown is there,
#: but the file was changed and the report does not show every byte of the entry.
Outcome: TypeAlias = Literal["holds", "differs", "unproved"]
_Cited: TypeAlias = Evidence | Citation
_Place: TypeAlias = tuple[int | None, int | None]

#: Characters quoted of a difference, on both sides.
QUOTED: Final = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One citation held against the bundle. ``why`` says what differs, redacted; empty where it holds."""

    outcome: Outcome
    source: str
    line: int | None
    record_id: int | None
    offset: int | None
    rules: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    """All checks by source and place. ``same_bytes``: the bundle holds exactly the bytes that the report is of.

    ``changed``: sources that have other bytes now; ``gone``: that are not in the bundle.
    """

    checks: tuple[Check, ...]
    same_bytes: bool
    changed: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the bundle says all that the report cites."""
        return all(one.outcome == "holds" for one in self.checks)


def verify(report: Report, reading: Reading) -> Verified:
    """Holds every citation of the report against what was read of a bundle, however that is packed now."""
    bundle = _Bundle.of(report, reading)
    cited: dict[Citation, dict[str, None]] = defaultdict(dict)
    gaps: dict[Evidence, None] = {}
    for one, rule in _citations(report):
        cited[_citation(one)][rule] = None
        if isinstance(one, Evidence) and one.kind == "gap":
            gaps[one] = None
    checks = [_check(one, tuple(rules), bundle) for one, rules in cited.items()]
    if gaps:
        derived = derive(reading.frames, load_tables(), reading.damaged, reading.torn)
        known = _gaps_of(derived.frames)
        checks += [_check_gap(one, known, bundle) for one in gaps]
    checks.sort(key=lambda one: (one.source, one.offset or 0, one.line or 0, one.record_id or 0, one.rules))
    return Verified(tuple(checks), bundle.same_bytes, tuple(sorted(bundle.changed)), tuple(sorted(bundle.gone)))


def _citations(report: Report) -> Iterator[tuple[_Cited, str]]:
    """Every cited entry with the rule that it stands for."""
    for row in (one.evidence for one in evidence_rows(report)):
        yield row, row.rule_title
        for one in (*row.bounds, *row.derived_from):
            yield one, row.rule_title
    for miss in report.receipt.near_misses:
        yield miss.line, miss.rule_title


def _citation(one: _Cited) -> Citation:
    """What an evidence row and a citation of the same entry have in common."""
    return Citation(
        one.source, one.line, one.offset, one.record_id, one.timestamp, one.original, one.sha256, one.redacted
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    text: str
    length: int | None


@dataclass(frozen=True, slots=True)
class _Bundle:
    """The bundle as it is now. ``paths``: the file of each source of the report; ``entries`` by path and place."""

    paths: Mapping[str, str]
    entries: Mapping[str, Mapping[_Place, Sequence[_Entry]]]
    same_bytes: bool
    changed: frozenset[str]
    gone: frozenset[str]

    @staticmethod
    def of(report: Report, reading: Reading) -> _Bundle:
        same_bytes = bundle_digest(reading.leaves) == report.bundle.sha256
        leaves = {reading.relative(leaf): leaf for leaf in reading.leaves}
        by_hash = {leaf.sha256: path for path, leaf in leaves.items()}
        hashes = {row.source: row.sha256 for row in report.coverage if row.status != "archive"}
        sources = {one.source for one, _ in _citations(report)}
        paths: dict[str, str] = {}
        for source in sources:
            path = by_hash.get(hashes.get(source) or "") or _file_named(source, leaves)
            if path is not None:
                paths[source] = path
        changed = {
            source for source, path in paths.items() if not same_bytes and leaves[path].sha256 != hashes.get(source)
        }
        wanted = set(paths.values())
        return _Bundle(
            paths, _entries(reading.frames, wanted), same_bytes, frozenset(changed), frozenset(sources - paths.keys())
        )


def _file_named(source: str, leaves: Mapping[str, Leaf]) -> str | None:
    """The file of a source by its path; of a path that was redacted, the one that fits what is left of it."""
    if source in leaves:
        return source
    fitting = [path for path in leaves if TOKEN.search(source) and _fits(source, path)]
    return min(fitting, default=None)


def _entries(frames: Iterable[EventFrame], paths: set[str]) -> Mapping[str, Mapping[_Place, list[_Entry]]]:
    """The entries of these files, by offset and record number."""
    found: dict[str, dict[_Place, list[_Entry]]] = defaultdict(lambda: defaultdict(list))
    for frame in frames:
        rows = frame.rows.filter(pl.col("log.file.path").is_in(sorted(paths)))
        record = rows["EventRecordID"].to_list() if "EventRecordID" in rows.columns else [None] * rows.height
        columns = [rows[name].to_list() for name in ("log.file.path", "log.offset", "log.length")]
        original = pl.col("event.original").replace("", None)
        texts = rows.select(pl.coalesce(original, "message").fill_null("")).to_series().to_list()
        for path, offset, length, number, text in zip(*columns, record, texts, strict=True):
            found[path][offset, number].append(_Entry(text, length))
    return found


def _check(one: Citation, rules: tuple[str, ...], bundle: _Bundle) -> Check:
    outcome, why = _judged(one, bundle)
    return Check(outcome, one.source, one.line, one.record_id, one.offset, rules, why)


def _judged(one: Citation, bundle: _Bundle) -> tuple[Outcome, str]:
    if sha256_of(one.original) != one.sha256:
        return "differs", "the report itself was changed: its text and its hash disagree"
    if one.source not in bundle.paths:
        return "differs", "the bundle has no such file"
    entries = bundle.entries[bundle.paths[one.source]].get((one.offset, one.record_id), ())
    if not entries:
        return "differs", f"no entry begins at byte {one.offset} of the file any more"
    fitting = [entry for entry in entries if _says(entry, one)]
    if not fitting:
        return "differs", _difference(one, entries[0])
    if one.source not in bundle.changed or any(_is_whole(entry, one) for entry in fitting):
        return "holds", ""
    return "unproved", "the file was changed, and the report does not show every byte of this entry"


def _says(entry: _Entry, one: Citation) -> bool:
    text = cut(entry.text)
    return _fits(one.original, text) if one.redacted else text == one.original


def _is_whole(entry: _Entry, one: Citation) -> bool:
    """Whether the text of the report is all of the entry's bytes, but for its line ends."""
    if one.redacted or entry.length is None or len(entry.text) > ORIGINAL_LIMIT or "\ufffd" in entry.text:
        return False
    ends = entry.text.count("\n") + 1
    missing = entry.length - len(entry.text.encode("utf-8", errors="surrogatepass"))
    return missing in (0, 1, ends - 1, ends + 1)


def _fits(redacted: str, text: str) -> bool:
    """Whether a text is what it was before redaction: what stands between the tokens is there, in this order."""
    first, *others = TOKEN.split(redacted)
    if not others:
        return text == redacted
    *middle, last = others
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or end < len(first):
        return False
    at = len(first)
    for piece in middle:
        at = text.find(piece, at, end)
        if at == -1:
            return False
        at += len(piece)
    return True


def _difference(one: Citation, entry: _Entry) -> str:
    """Where the texts part, in bytes of the file where nothing is hidden, and what stands there now."""
    before, now = (_without_numbers(Redactor().text(text)) for text in (one.original, cut(entry.text)))
    at = next((n for n, (old, new) in enumerate(zip(before, now, strict=False)) if old != new), None)
    at = min(len(before), len(now)) if at is None else at
    where = ""
    if not one.redacted and one.offset is not None:
        where = f" at byte {one.offset + len(entry.text[:at].encode('utf-8', errors='replace'))}"
    old, new = (text[max(0, at - QUOTED // 4) : at + QUOTED] for text in (before, now))
    return f"the text differs{where}: the report has {old!r}, the bundle {new!r}"


def _without_numbers(redacted: str) -> str:
    """Tokens are numbered by their order in a report, which says nothing about one entry."""
    return TOKEN.sub(lambda token: token[0].partition(":")[0] + ">", redacted)


_Gap: TypeAlias = tuple[tuple[tuple[str, int | None, int | None], ...], str]


def _gaps_of(frames: Iterable[EventFrame]) -> Sequence[_Gap]:
    """The bounding entries and the message of every gap that the bundle shows now."""
    found: list[_Gap] = []
    for frame in frames:
        if frame.logsource.category == "gap":
            for row in frame.rows.iter_rows(named=True):
                found.append((tuple(map(_bound, row["derived_from"] or ())), row["message"] or ""))
    return found


def _bound(row: Mapping[str, Any]) -> tuple[str, int | None, int | None]:
    return row["log.file.path"] or "", row["log.offset"], row["EventRecordID"]


def _check_gap(one: Evidence, known: Sequence[_Gap], bundle: _Bundle) -> Check:
    """A gap is there where a series is silent between the same entries; an entry of it in between would end it."""
    bounds = tuple((bundle.paths.get(each.source, ""), each.offset, each.record_id) for each in one.bounds)
    is_there = any(bounds == found for found, _ in known)
    why = "" if is_there else "the gap is not between these entries: something of its series lies there, or one is gone"
    return Check(
        "holds" if is_there else "differs", one.source, one.line, one.record_id, one.offset, (one.rule_title,), why
    )

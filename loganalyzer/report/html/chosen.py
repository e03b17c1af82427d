"""What of a report stands in the page: bounded, with every cut told in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from loganalyzer.report.model import Citation, Diagnosis, Evidence, Report, RuledOut
from loganalyzer.report.plain_text import plain

#: Entries of evidence in the page, and the entries below each that it was derived from or that bound a gap.
MOST_ENTRIES: Final = 500
MOST_CITED: Final = 3
#: Attempts and sources in the page's tables.
MOST_ATTEMPTS: Final = 200
MOST_SOURCES: Final = 300
#: Bytes of HTML for what all entries quote, what an entry is given at least and at most.
_ROOM: Final = 800_000
_LEAST: Final = 400
_MOST: Final = 8192


@dataclass(frozen=True, slots=True)
class Quote:
    """Text of an entry; ``left_out`` characters of it are not shown."""

    text: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Cited:
    """An entry that evidence was derived from, or that bounds a gap."""

    citation: Citation
    quote: Quote


@dataclass(frozen=True, slots=True)
class Entry:
    """Evidence in the page. ``anchor``: its id there; ``more_cited``: how many entries below it are not shown."""

    anchor: str
    evidence: Evidence
    quote: Quote
    cited: tuple[Cited, ...]
    more_cited: int


@dataclass(frozen=True, slots=True)
class RuleEntries:
    """The entries of one rule."""

    title: str
    role: str
    strength: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries in the page: by rank of their diagnosis, and by the cause that they rule out.

    ``anchors``: by ``id`` of an evidence value where it stands. ``cuts``: what is not in the page, in words.
    """

    of_diagnosis: Mapping[int, tuple[RuleEntries, ...]]
    of_ruled_out: Mapping[str, tuple[RuleEntries, ...]]
    anchors: Mapping[int, str]
    cuts: tuple[str, ...]


def choose(report: Report) -> Chosen:
    """The first entry of each rule before the second of any, diagnoses before what is ruled out."""
    candidates = list(_candidates(report))
    kept = sorted(candidates, key=lambda one: one.order)[:MOST_ENTRIES]
    kept.sort(key=lambda one: one.place)
    room = min(max(_ROOM // max(len(kept), 1), _LEAST), _MOST)
    entries = {one.place: _entry(f"e{number}", one.evidence, room) for number, one in enumerate(kept, start=1)}
    by_owner: dict[int, list[Entry]] = {}
    for one in kept:
        by_owner.setdefault(one.place[0], []).append(entries[one.place])
    first = len(report.diagnoses)
    cuts = [
        *_cut(len(candidates), len(kept), "entries of evidence", "the first of each rule come first"),
        *_cut(len(report.attempts), MOST_ATTEMPTS, "backup attempts", "the latest"),
        *_cut(len(report.coverage), MOST_SOURCES, "sources", "those that were read come first"),
    ]
    return Chosen(
        {one.rank: _by_rule(by_owner.get(owner, ())) for owner, one in enumerate(report.diagnoses)},
        {one.cause: _by_rule(by_owner.get(owner, ())) for owner, one in enumerate(report.ruled_out, start=first)},
        {id(one.evidence): entries[one.place].anchor for one in kept},
        tuple(cuts),
    )


def quoted(text: str, room: int) -> Quote:
    """As much of a text as takes ``room`` bytes in the page."""
    text = plain(text).strip("\n")
    if _size(text) <= room:
        return Quote(text, 0)
    kept = text[:room]
    while _size(kept) > room:
        kept = kept[: len(kept) * room // _size(kept)]
    return Quote(kept, len(text) - len(kept))


@dataclass(frozen=True, slots=True)
class _Candidate:
    evidence: Evidence
    #: The number of the diagnosis or of what is ruled out, and of the evidence in it.
    place: tuple[int, int]
    #: Its number among the entries of its rule, whether it rules out, its place.
    order: tuple[int, bool, tuple[int, int]]


def _candidates(report: Report) -> Iterator[_Candidate]:
    owners: Sequence[Diagnosis | RuledOut] = (*report.diagnoses, *report.ruled_out)
    for owner, one in enumerate(owners):
        seen: Counter[str] = Counter()
        for number, evidence in enumerate(one.evidence):
            order = (seen[evidence.rule], isinstance(one, RuledOut), (owner, number))
            seen[evidence.rule] += 1
            yield _Candidate(evidence, (owner, number), order)


def _entry(anchor: str, evidence: Evidence, room: int) -> Entry:
    citations = (*evidence.bounds, *evidence.derived_from)
    alone = len(citations) == 1 and citations[0].original == evidence.original and _same_place(evidence, citations[0])
    shown = () if alone else citations[:MOST_CITED]
    return Entry(
        anchor,
        evidence,
        quoted(evidence.original or evidence.message, room),
        tuple(Cited(one, quoted(one.original, room // 4)) for one in shown),
        0 if alone else len(citations) - len(shown),
    )


def _same_place(evidence: Evidence, cited: Citation) -> bool:
    places = ((one.source, one.line, one.record_id) for one in (evidence, cited))
    return len(set(places)) == 1


def _by_rule(entries: Sequence[Entry]) -> tuple[RuleEntries, ...]:
    groups: dict[tuple[bool, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.evidence.role == "refutes", entry.evidence.rule), []).append(entry)
    return tuple(
        RuleEntries(first.rule_title, first.role, first.strength, tuple(own))
        for (against, _), own in sorted(groups.items(), key=lambda item: item[0][0])
        for first in [own[0].evidence]
    )


def _cut(there: int, shown: int, what: str, which: str) -> Iterator[str]:
    if there > shown:
        yield f"{shown:,} of {there:,} {what} ({which})"


def _size(text: str) -> int:
    return len(escape(text).encode("utf-8", errors="replace"))

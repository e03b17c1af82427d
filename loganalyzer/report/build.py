"""From verdicts to the Report value: diagnoses with their evidence, what is undecided, and what to collect next."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from loganalyzer.attribute import SUPPORTED, Attribution, CauseVerdict, Finding
from loganalyzer.catalogue import Catalogue, Cause
from loganalyzer.facts import Attempt, Derived
from loganalyzer.redact import is_secret_file
from loganalyzer.report.model import (
    AttemptEntry,
    Citation,
    Diagnosis,
    Doc,
    ErrorEntry,
    Evidence,
    EvidenceKind,
    NextEvidence,
    Rival,
    RuledOut,
    Unattributed,
    Undecided,
)
from loganalyzer.report.next_evidence import asked_causes, next_evidence
from loganalyzer.report.quoting import context_of, cut
from loganalyzer.report.unattributed import unattributed
from loganalyzer.schema import SHARED_COLUMNS, EventFrame
from loganalyzer.sigma.ir import leaves
from loganalyzer.sigma.match import Matches
from loganalyzer.sigma.rule import Correlation, Rule

#: Evidence shown of one rule: its first entries and its last.
FIRST_OF_RULE = 4
LAST_OF_RULE = 1
#: Leading evidence of a diagnosis that is shown among its neighbours: the first entry of so many rules.
MOST_IN_CONTEXT = 5
#: Further limits of lists that only help the reader.
MOST_RIVALS = 5
MESSAGE_LIMIT = 1024


class Body(Struct, frozen=True):
    """The parts of a report that come from verdicts."""

    diagnoses: tuple[Diagnosis, ...]
    errors: tuple[ErrorEntry, ...]
    attempts: tuple[AttemptEntry, ...]
    undecided: tuple[Undecided, ...]
    ruled_out: tuple[RuledOut, ...]
    clear: tuple[str, ...]
    next_evidence: tuple[NextEvidence, ...]
    unattributed: tuple[Unattributed, ...]
    not_guest_visible: int


def build_body(
    catalogue: Catalogue,
    derived: Derived,
    frames: Sequence[EventFrame],
    matches: Matches,
    attribution: Attribution,
    signatures: Sequence[Rule | Correlation],
    layout: str,
) -> Body:
    """Everything but the envelope. ``frames`` are those that the matches and findings refer to.

    ``signatures``: all that were offered. ``layout``: how the bundle was collected.
    """
    verdicts = attribution.verdicts
    asked = asked_causes(catalogue, attribution)
    visible = [
        one
        for one in verdicts.values()
        if one.cause.guest_visible != "no" or one.supports or one.refutes or one.cause.id in asked
    ]
    diagnoses = tuple(
        _diagnosis(rank, verdicts[name], catalogue, frames, attribution)
        for rank, name in enumerate(attribution.ranked, start=1)
    )
    return Body(
        diagnoses,
        _errors(catalogue, derived, attribution),
        tuple(_attempt(one) for one in derived.attempts),
        tuple(_undecided(one, catalogue) for one in visible if one.verdict == "undecided"),
        tuple(
            RuledOut(one.cause.id, one.how, _evidence(one.refutes, frames))
            for one in visible
            if one.verdict == "ruled-out"
        ),
        tuple(one.cause.id for one in visible if one.verdict == "clear"),
        next_evidence(catalogue, derived, attribution, signatures, layout),
        unattributed(frames, matches, attribution),
        len(verdicts) - len(visible),
    )


def _diagnosis(
    rank: int, one: CauseVerdict, catalogue: Catalogue, frames: Sequence[EventFrame], attribution: Attribution
) -> Diagnosis:
    cause = one.cause
    times = [time for finding in one.supports for time in (finding.start, finding.end) if time is not None]
    consequences = tuple(name for name in attribution.ranked if attribution.roots.get(name) == cause.id)
    codes = tuple(error.code for error in catalogue.errors_of(cause.id))
    preferred = [code for code in attribution.ticket_errors if code in codes]
    assert one.verdict in SUPPORTED
    return Diagnosis(
        rank=rank,
        cause=cause.id,
        title=cause.title,
        verdict=one.verdict,  # type: ignore[arg-type]  # narrowed by the assertion above, which mypy cannot follow
        summary=cause.explanation,
        platform=cause.platform,
        first_seen=min(times, default=None),
        last_seen=max(times, default=None),
        count=len(one.supports),
        error_codes=tuple(dict.fromkeys([*preferred, *codes])),
        chain=_chain(catalogue, cause, preferred or codes),
        consequences=consequences,
        rivals=_rivals(catalogue, one, attribution),
        remedies=tuple(cause.remedies),
        docs=tuple(Doc(doc.title, doc.url) for doc in cause.docs if doc.url is not None),
        how=one.how,
        evidence=_evidence([*one.supports, *one.refutes], frames, MOST_IN_CONTEXT),
    )


def _chain(catalogue: Catalogue, cause: Cause, codes: Sequence[str]) -> tuple[str, ...]:
    """The shortest way from the cause through causes and states to the first error that it reaches."""
    for code in codes:
        path = catalogue.path(cause.id, code)
        if path:
            return path
    return (cause.id,)


def _rivals(catalogue: Catalogue, one: CauseVerdict, attribution: Attribution) -> tuple[Rival, ...]:
    """Seed causes that would explain the same errors, with what was said of them."""
    errors = set(one.cause.errors)
    rivals = []
    for other in attribution.verdicts.values():
        if other.cause.id == one.cause.id or not errors & set(other.cause.errors):
            continue
        if attribution.roots.get(other.cause.id) == one.cause.id:  # a consequence is no rival
            continue
        if other.verdict == "ruled-out" and other.refutes:
            rivals.append(Rival(other.cause.id, f"ruled out: {other.how}"))
        elif other.verdict in SUPPORTED and SUPPORTED.index(other.verdict) >= SUPPORTED.index(one.verdict):
            rivals.append(Rival(other.cause.id, f"{other.verdict}: {other.how}"))
    return tuple(rivals[:MOST_RIVALS])


def _evidence(findings: Iterable[Finding], frames: Sequence[EventFrame], in_context: int = 0) -> tuple[Evidence, ...]:
    """Evidence rows by source and place; of each rule the first ones and the last.

    The first entry of each rule has its neighbours, up to ``in_context`` of them.
    """
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda one: (one.path, one.entry[1], one.frame, one.row)):
        by_rule[finding.rule.id].append(finding)
    kept = [
        finding
        for group in by_rule.values()
        for finding in (
            group if len(group) <= FIRST_OF_RULE + LAST_OF_RULE else group[:FIRST_OF_RULE] + group[-LAST_OF_RULE:]
        )
    ]
    kept.sort(key=lambda one: (one.path, one.entry[1], one.rule.id, one.frame, one.row))
    leading = [group[0] for group in by_rule.values() if _has_neighbours(group[0])][:in_context]
    return tuple(
        _one_evidence(finding, frames[finding.frame], any(finding is one for one in leading)) for finding in kept
    )


def _has_neighbours(finding: Finding) -> bool:
    """Derived rows stand in no file; of a key file nothing is shown."""
    return not finding.lasting and not isinstance(finding.rule, Correlation) and not is_secret_file(finding.path)


def _one_evidence(finding: Finding, frame: EventFrame, in_context: bool) -> Evidence:
    row = frame.rows.row(finding.row, named=True)
    attribution = finding.rule.attribution
    assert attribution is not None  # findings are made of rules with an attribution only
    cited = tuple(citation(one) for one in row.get("derived_from") or ())
    category = frame.logsource.category
    record_id = row.get("EventRecordID")
    kind: EvidenceKind = (
        "gap" if category == "gap" else "value" if finding.lasting else "record" if record_id is not None else "line"
    )
    original = cut(row["event.original"] or row["message"] or "")
    return Evidence(
        kind=kind,
        rule=finding.rule.id,
        rule_title=finding.rule.title,
        role=attribution.role,
        strength=attribution.strength or "",
        source=finding.path,
        line=row["log.line"],
        offset=row["log.offset"],
        length=row["log.length"],
        record_id=record_id,
        timestamp=row["@timestamp"],
        time_assumed=row["time.assumed"],
        original=original,
        message=cut(_message(finding, row), MESSAGE_LIMIT),
        sha256=sha256_of(original),
        redacted=False,
        bounds=cited if kind == "gap" else (),
        derived_from=cited if kind == "value" else (),
        context=context_of(frame.rows, finding.row, frame.passed) if in_context else (),
    )


def _message(finding: Finding, row: Mapping[str, Any]) -> str:
    """The readable text of an entry; of an event record the fields that the rule asked for come first."""
    message = row["message"] or ""
    if row.get("EventRecordID") is None or finding.lasting or isinstance(finding.rule, Correlation):
        return message
    asked = dict.fromkeys(leaf.field for leaf in leaves(finding.rule.condition) if leaf.field is not None)
    values = {name: row.get(name) for name in asked if name not in _TOLD}
    named = [
        f"{name}={value}" for name, value in values.items() if isinstance(value, str) and value not in message[:80]
    ]
    head, colon, rest = message.partition(": ")
    return f"{head}{colon}{'; '.join([*named, rest])}" if named else message


#: Fields that every event message begins with, or that are the message.
_TOLD = frozenset({"EventID", "Provider_Name", "Channel", "Data", *SHARED_COLUMNS})


def citation(cited: Mapping[str, Any]) -> Citation:
    original = cut(cited["event.original"] or "")
    return Citation(
        source=cited["log.file.path"] or "",
        line=cited["log.line"],
        offset=cited["log.offset"],
        record_id=cited["EventRecordID"],
        timestamp=cited["@timestamp"],
        original=original,
        sha256=sha256_of(original),
        redacted=False,
    )


def sha256_of(text: str) -> str:
    """Lower-case hex digest of the text as UTF-8."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _errors(catalogue: Catalogue, derived: Derived, attribution: Attribution) -> tuple[ErrorEntry, ...]:
    """The documented errors that the ticket names, each with the supported causes that explain it."""
    entries = []
    for code in dict.fromkeys(attribution.ticket_errors):
        error = catalogue.error(code)
        if error is None:
            continue
        explained = tuple(name for name in attribution.ranked if name in error.causes or catalogue.reaches(name, code))
        entries.append(ErrorEntry(error.code, error.message or error.summary, error.doc.url, explained))
    return tuple(entries)


def _attempt(one: Attempt) -> AttemptEntry:
    return AttemptEntry(one.id, one.start, one.end, one.phase or "unknown", one.outcome, one.codes, one.sources)


def _undecided(one: CauseVerdict, catalogue: Catalogue) -> Undecided:
    collect = tuple(dict.fromkeys(command for name in one.missing if (command := catalogue.artefacts[name].collect)))
    return Undecided(one.cause.id, one.missing, collect, one.how)

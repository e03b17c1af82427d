"""The Report: what one scan says, as frozen values. All renderings read this and nothing else.

Times are aware and in UTC; byte counts are bytes of the leaf as stored. Strings that come from this program or its
catalogue carry ``OURS`` in their field's metadata; **all other strings are redacted**, so that a new field is safe
until somebody says that it cannot hold text of a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from loganalyzer.redact import NOT_BUNDLE_TEXT

SCHEMA: Final = "loganalyzer/report/1"

#: ``field(metadata=OURS)``: never holds text of a bundle, a ticket or a command line.
OURS: Final[Mapping[str, bool]] = {NOT_BUNDLE_TEXT: True}

BundleVerdict: TypeAlias = Literal["cause-found", "no-fault-found", "cannot-tell"]
DiagnosisVerdict: TypeAlias = Literal["confirmed", "likely", "possible"]
EvidenceKind: TypeAlias = Literal["line", "record", "value", "gap"]
Platform: TypeAlias = Literal["linux", "windows", "unknown"]
#: What kept it from a diagnosis: it is ``history``, it was ``refuted``, or ``almost`` all conditions of its rule hold.
NearMissKind: TypeAlias = Literal["history", "refuted", "almost"]
CoverageStatus: TypeAlias = Literal["read", "partial", "skipped", "unrecognised", "archive"]


@dataclass(frozen=True, slots=True)
class Citation:
    """One place in a bundle. ``sha256`` is of the entry's bytes, or of the redacted UTF-8 text if ``redacted``."""

    source: str
    line: int | None
    offset: int | None
    record_id: int | None
    timestamp: datetime | None
    original: str
    sha256: str = field(metadata=OURS)
    redacted: bool


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """An entry of the same source shortly ``before`` a cited one, or after it; ``text`` may be cut."""

    before: bool
    line: int | None
    record_id: int | None
    timestamp: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A match of a rule, with the place that it can be re-read from.

    ``offset`` and ``length`` are bytes of the source. A ``gap`` cites the two entries around it in ``bounds``, a
    ``value`` the entries that it was derived from. ``message`` is the readable part of ``original``.
    ``time_assumed`` says why a zone or a year had to be assumed. ``context`` are its neighbours in the order of the
    source; the leading evidence of a diagnosis alone has any.
    """

    kind: EvidenceKind = field(metadata=OURS)
    rule: str = field(metadata=OURS)
    rule_title: str
    role: str = field(metadata=OURS)
    strength: str = field(metadata=OURS)
    source: str
    line: int | None
    offset: int | None
    length: int | None
    record_id: int | None
    timestamp: datetime | None
    time_assumed: str | None
    original: str
    message: str
    sha256: str = field(metadata=OURS)
    redacted: bool
    bounds: tuple[Citation, ...]
    derived_from: tuple[Citation, ...]
    context: tuple[ContextEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Rival:
    """Another cause that would look alike, and what speaks against it."""

    cause: str = field(metadata=OURS)
    why_not: str


@dataclass(frozen=True, slots=True)
class Doc:
    """A public page of documentation."""

    title: str = field(metadata=OURS)
    url: str = field(metadata=OURS)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A supported cause. ``chain`` are the states it leads to, ``how`` the rules and windows behind its verdict."""

    rank: int
    cause: str = field(metadata=OURS)
    title: str = field(metadata=OURS)
    verdict: DiagnosisVerdict = field(metadata=OURS)
    summary: str
    platform: str = field(metadata=OURS)
    first_seen: datetime | None
    last_seen: datetime | None
    count: int
    error_codes: tuple[str, ...] = field(metadata=OURS)
    chain: tuple[str, ...] = field(metadata=OURS)
    consequences: tuple[str, ...] = field(metadata=OURS)
    rivals: tuple[Rival, ...]
    remedies: tuple[str, ...] = field(metadata=OURS)
    docs: tuple[Doc, ...]
    how: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """A documented error of the ticket or the bundle, and the diagnoses that explain it."""

    code: str
    message: str
    doc: str | None = field(metadata=OURS)
    explained_by: tuple[str, ...] = field(metadata=OURS)


@dataclass(frozen=True, slots=True)
class AttemptEntry:
    """One backup attempt, as far as the sources show it."""

    id: str
    start: datetime | None
    end: datetime | None
    phase: str
    outcome: str
    codes: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Undecided:
    """A cause that these sources cannot decide: the artefacts that would, and the commands that collect them."""

    cause: str = field(metadata=OURS)
    missing: tuple[str, ...] = field(metadata=OURS)
    collect: tuple[str, ...] = field(metadata=OURS)
    why: str


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A cause that evidence from a source that covers the window speaks against."""

    cause: str = field(metadata=OURS)
    why: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class NextEvidence:
    """What to collect next, and between which causes it decides."""

    artefact: str = field(metadata=OURS)
    what: str = field(metadata=OURS)
    separates: tuple[str, ...] = field(metadata=OURS)
    why_missing: str
    command: str = field(metadata=OURS)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """What nearly made a diagnosis: the cause, the rule, why it is none, and the line."""

    kind: NearMissKind = field(metadata=OURS)
    cause: str = field(metadata=OURS)
    title: str = field(metadata=OURS)
    rule: str = field(metadata=OURS)
    rule_title: str = field(metadata=OURS)
    why: str
    line: Citation


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was read, so that "nothing found" can be judged: parsed + rejected + skipped bytes = bytes.

    ``near_misses``: what came nearest to a diagnosis, at most three causes; only where there is no diagnosis.
    """

    files: int
    bytes: int
    parsed_bytes: int
    rejected_bytes: int
    skipped_bytes: int
    events: int
    rules_ran: int
    first: datetime | None
    last: datetime | None
    not_guest_visible: int
    statement: str
    near_misses: tuple[NearMiss, ...] = ()


@dataclass(frozen=True, slots=True)
class Unattributed:
    """Errors that no rule explains: their template, how often, when (UTC), and one example with its place.

    ``new``: the template does not stand in what was logged before the last successful backup; null: none succeeded.
    """

    template: str
    count: int
    example: str
    first: datetime | None = None
    last: datetime | None = None
    source: str | None = None
    line: int | None = None
    new: bool | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that the machine is set to: a version, a fact that lasts, or a setting of a file, with its place.

    ``object`` is what it speaks of (an extension, a service, a section of the file). A value is redacted
    as its name tells.
    """

    logsource: str = field(metadata=OURS)
    name: str
    object: str | None
    value: str
    source: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of one source. ``gaps`` are (start, end) where its log is silent; archives count no bytes.

    ``sha256`` is of its bytes; null where they were not read, and for files that hold little but a secret.
    """

    source: str
    logsource: str | None = field(metadata=OURS)
    parser: str | None = field(metadata=OURS)
    why: str
    bytes: int
    parsed_bytes: int
    rejected_bytes: int
    skipped_bytes: int
    lines: int
    events: int
    rejected: int
    first: datetime | None
    last: datetime | None
    gaps: tuple[tuple[str, str], ...]
    status: CoverageStatus = field(metadata=OURS)
    notes: tuple[str, ...]
    sha256: str | None = field(default=None, metadata=OURS)


@dataclass(frozen=True, slots=True)
class Tool:
    """This program."""

    version: str = field(metadata=OURS)


@dataclass(frozen=True, slots=True)
class CatalogueInfo:
    """The data that was scanned with: its version, and how many rules and causes it has."""

    version: str = field(metadata=OURS)
    rules: int
    causes: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was scanned. ``sha256`` is over the sorted (size, sha256) of the leaf members."""

    path: str
    layout: str = field(metadata=OURS)
    platform: Platform = field(metadata=OURS)
    hosts: tuple[str, ...]
    sha256: str = field(metadata=OURS)
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class UnableRule:
    """A rule that could not run, and why."""

    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class RulesRun:
    """How many rules ran, and which could not."""

    ran: int
    unable: tuple[UnableRule, ...]


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """An entry point of another package that was switched on. ``fault``: what it did wrong first; null: nothing."""

    group: str = field(metadata=OURS)
    name: str = field(metadata=OURS)
    distribution: str | None = field(metadata=OURS)
    version: str | None = field(metadata=OURS)
    fault: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The JSON report, version 1: additions are allowed, changes are not."""

    schema: str = field(metadata=OURS)
    tool: Tool
    catalogue: CatalogueInfo
    bundle: Bundle
    verdict: BundleVerdict = field(metadata=OURS)
    diagnoses: tuple[Diagnosis, ...]
    errors: tuple[ErrorEntry, ...]
    attempts: tuple[AttemptEntry, ...]
    undecided: tuple[Undecided, ...]
    ruled_out: tuple[RuledOut, ...]
    clear: tuple[str, ...] = field(metadata=OURS)
    next_evidence: tuple[NextEvidence, ...]
    receipt: Receipt
    unattributed: tuple[Unattributed, ...]
    coverage: tuple[Coverage, ...]
    rules: RulesRun
    settings: tuple[Setting, ...] = ()
    plugins: tuple[PluginEntry, ...] = ()

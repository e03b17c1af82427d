"""From evidence to verdicts: exactly one for every cause of the catalogue, and an order among those that are supported.

Knows no cause by name. What is evidence for which cause stands in the signatures, what leads to what in the catalogue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import polars as pl
from msgspec import Struct

from loganalyzer.catalogue import ArtefactFrame, Catalogue, Cause
from loganalyzer.facts import Derived, Span, zone_is_unknown
from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.attribution import STRENGTHS
from loganalyzer.sigma.match import Matches
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.sigma.taxonomy import DERIVED_CATEGORIES, speaks_of
from loganalyzer.windows import Relevance, Ticket, Window, relevance

VerdictWord = Literal["confirmed", "likely", "possible", "ruled-out", "undecided", "clear"]
BundleVerdict = Literal["cause-found", "no-fault-found", "cannot-tell"]

#: Verdicts that make a diagnosis, strongest first.
SUPPORTED: tuple[VerdictWord, ...] = ("confirmed", "likely", "possible")


class Finding(Struct, frozen=True):
    """One match with its time and place. ``where`` is the window that it falls into, ``"standing"``, or None: history.

    ``start``/``end`` are UTC; a ``lasting`` finding (a derived row) without ``end`` goes on.
    """

    rule: Rule | Correlation
    frame: int
    row: int
    start: datetime | None
    end: datetime | None
    assumed: bool
    lasting: bool
    path: str
    entry: tuple[str, int]
    where: Window | str | None


class CauseVerdict(Struct, frozen=True):
    """The verdict on one cause: what speaks for it, what against it, what is history, what is missing, and how so."""

    cause: Cause
    verdict: VerdictWord
    supports: tuple[Finding, ...]
    refutes: tuple[Finding, ...]
    history: tuple[Finding, ...]
    missing: tuple[str, ...]
    how: str


class Attribution(Struct, frozen=True):
    """All verdicts by cause id, the supported causes in order, and the bundle's verdict with its reason.

    ``roots``: for a consequence the cause above it; ``behind``: the same among causes that are only possible.
    ``covered``: the artefacts of the catalogue that were read and cover every window.
    """

    verdicts: Mapping[str, CauseVerdict]
    ranked: tuple[str, ...]
    roots: Mapping[str, str]
    behind: Mapping[str, str]
    verdict: BundleVerdict
    why: str
    relevance: Relevance
    ticket_errors: tuple[str, ...]
    covered: frozenset[str]


def attribute(
    catalogue: Catalogue,
    derived: Derived,
    frames: Sequence[EventFrame],
    matches: Matches,
    rules: Sequence[Rule | Correlation],
    ticket: Ticket,
) -> Attribution:
    """Gives every cause its verdict.

    ``frames`` are those that ``matches`` refer to; ``rules`` all rules that were offered, so that a cause without any
    is never called clear.
    """
    windows = relevance(derived, ticket)
    findings = _findings(frames, matches, windows)
    ruled = _rules_by_cause(rules)
    covered = frozenset(name for name in catalogue.artefacts if _is_covered(catalogue, name, derived, windows))
    reported = frozenset(found.error.code for text in ticket.errors for found in catalogue.find_codes(text))
    judge = _Judge(catalogue, derived, findings, ruled, covered, bool(windows.failed), reported)
    verdicts = {cause.id: judge.judge(cause) for cause in catalogue.causes.values()}
    errors = tuple(dict.fromkeys(found.error.code for text in ticket.errors for found in catalogue.find_codes(text)))
    weights = {name: weight(one, errors, windows) for name, one in verdicts.items() if one.verdict in SUPPORTED}
    ranked, roots, behind = _rank(catalogue, verdicts, weights)
    verdict, why = _bundle_verdict(catalogue, derived, verdicts)
    return Attribution(verdicts, ranked, roots, behind, verdict, why, windows, errors, covered)


def _rules_by_cause(rules: Sequence[Rule | Correlation]) -> Mapping[str, list[Rule | Correlation]]:
    by_cause: dict[str, list[Rule | Correlation]] = defaultdict(list)
    for rule in rules:
        if rule.attribution is not None and rule.attribution.cause is not None:
            by_cause[rule.attribution.cause].append(rule)
    return by_cause


def _findings(frames: Sequence[EventFrame], matches: Matches, windows: Relevance) -> Mapping[str, list[Finding]]:
    speaking = [
        (one, one.rule.attribution.cause)
        for one in matches.matches
        if one.rule.attribution is not None and one.rule.attribution.cause is not None
    ]
    spoken: dict[int, set[int]] = defaultdict(set)
    for match, _ in speaking:
        spoken[match.frame].add(match.row)
    placed = {number: _placed(frames[number].rows, sorted(rows), windows) for number, rows in spoken.items()}
    by_cause: dict[str, list[Finding]] = defaultdict(list)
    for match, cause in speaking:
        by_cause[cause].append(Finding(match.rule, match.frame, match.row, *placed[match.frame][match.row]))
    return by_cause


#: All of a finding that its row tells: what follows its rule, frame and row.
_Placed: TypeAlias = tuple[datetime | None, datetime | None, bool, bool, str, tuple[str, int], Window | str | None]


def _placed(rows: pl.DataFrame, numbers: list[int], windows: Relevance) -> Mapping[int, _Placed]:
    """When and where each of these rows is. A rule may fit most lines of a long log: rows are fetched at once."""
    lasting = "event.end" in rows.columns
    names = ["@timestamp", "event.end" if lasting else "@timestamp", "log.file.path", "time.assumed", "log.offset"]
    columns = [rows[name].gather(numbers).to_list() for name in names]
    unknown = {zone: zone_is_unknown(zone) for zone in set(columns[3])}
    found: dict[int, _Placed] = {}
    for number, start, end, path, zone, offset in zip(numbers, *columns, strict=True):
        # A stamp that does not tell the time is another matter than one of an unknown zone.
        assumed = zone is not None
        if start is not None:
            assumed = windows.uncertain(path or "", unknown[zone])
        entry = (path or "", offset if offset is not None else number)
        where = windows.placed(start, end, assumed, lasting)
        found[number] = (start, end, assumed, lasting, path or "", entry, where)
    return found


class _Judge(Struct, frozen=True):
    catalogue: Catalogue
    derived: Derived
    findings: Mapping[str, Sequence[Finding]]
    rules: Mapping[str, Sequence[Rule | Correlation]]
    covered: frozenset[str]
    failed: bool
    reported: frozenset[str]

    def judge(self, cause: Cause) -> CauseVerdict:
        found = self.findings.get(cause.id, ())
        if self._is_foreign(cause):
            found = [one for one in found if not _told_by_azure(one)]
        relevant = [one for one in found if one.where is not None]
        history = tuple(one for one in found if one.where is None and _role(one) == "supports")
        refutes = tuple(one for one in relevant if _role(one) == "refutes")
        answer = _Answer.of(refutes)
        supports = tuple(one for one in relevant if _role(one) == "supports" and not answer.to(one))
        if supports and not self._says_something(cause, supports):
            how = f"backups are well with this too, and none is seen to fail: {_told(supports)}"
            return CauseVerdict(cause, "undecided", (), refutes, (*history, *supports), self._missing(cause), how)
        if supports:
            verdict, how = _weigh(supports)
            return CauseVerdict(cause, verdict, supports, refutes, history, (), how)
        if refutes:
            return CauseVerdict(cause, "ruled-out", (), refutes, history, (), _told(refutes))
        return self._without_evidence(cause, history)

    def _says_something(self, cause: Cause, supports: Sequence[Finding]) -> bool:
        """Whether a backup failed, or an error of this cause was reported, or something tells more than a state that is
        common where all is well.
        """
        beside_failure = self.failed or bool(self.reported & set(cause.errors))
        return beside_failure or any(not _needs_failure(one) for one in supports)

    def _without_evidence(self, cause: Cause, history: tuple[Finding, ...]) -> CauseVerdict:
        past = f" ({len(history)} older findings are history)" if history else ""
        if self._is_foreign(cause):
            how = f"the VM runs {self.derived.platform.capitalize()}"
            return CauseVerdict(cause, "ruled-out", (), (), history, (), how)
        any_of, all_of = cause.requires.any_of, cause.requires.all_of
        foreign = [name for name in all_of if not self._fits_platform(name)]
        if foreign or (any_of and not any(self._fits_platform(name) for name in any_of)):
            how = f"nothing in a {self.derived.platform.capitalize()} guest decides it" + past
            return CauseVerdict(cause, "undecided", (), (), history, (), how)
        missing = self._missing(cause)
        if missing:
            return CauseVerdict(cause, "undecided", (), (), history, missing, "what decides it was not read" + past)
        if not self._decided(cause):
            how = "no signature decides it from what was read" + past
            return CauseVerdict(cause, "undecided", (), (), history, (), how)
        how = "everything that decides it was read, and nothing was found" + past
        return CauseVerdict(cause, "clear", (), (), history, (), how)

    def _is_foreign(self, cause: Cause) -> bool:
        """Whether a cause is one of the other system: what Azure says may fit both, and the guest's logs tell which."""
        return self.derived.platform != "unknown" and cause.platform not in (
            self.derived.platform,
            "both",
            "control-plane",
        )

    def _decided(self, cause: Cause) -> bool:
        """Whether a supporting rule read what the cause requires; where any of several would do, one that covers."""
        required = cause.requires.any_of
        artefacts = [name for name in required if self._covered(name)] if required else list(cause.requires.all_of)
        spans = self.derived.spans
        read = {
            span.logsource
            for name in artefacts
            for span in spans_of(self.catalogue, name, spans, self.derived.platform)
        }
        return any(
            reads(source, one)
            for rule in self.rules.get(cause.id, ())
            if rule.attribution is not None and rule.attribution.role == "supports"
            for source in rule.logsources
            for one in (read or {span.logsource for span in spans})
        )

    def _missing(self, cause: Cause) -> tuple[str, ...]:
        """Artefacts that the cause requires and that were not read, or do not cover the windows.

        Of several of which one would do, one that is in the bundle and was cut is missed too: what it lost may have
        been the proof.
        """
        missing = [name for name in cause.requires.all_of if not self._covered(name)]
        open_ones = [name for name in cause.requires.any_of if self._fits_platform(name) and not self._covered(name)]
        if any(self._covered(name) for name in cause.requires.any_of):
            open_ones = [name for name in open_ones if self._was_cut(name)]
        return tuple(missing + open_ones)

    def _was_cut(self, artefact: str) -> bool:
        spans = spans_of(self.catalogue, artefact, self.derived.spans, self.derived.platform)
        return any(not span.complete for span in spans)

    def _fits_platform(self, artefact: str) -> bool:
        platform = self.catalogue.artefacts[artefact].platform
        return self.derived.platform == "unknown" or platform in (self.derived.platform, "both", "control-plane")

    def _covered(self, artefact: str) -> bool:
        return artefact in self.covered


def _is_covered(catalogue: Catalogue, artefact: str, derived: Derived, windows: Relevance) -> bool:
    """Whether what was read of an artefact covers every window."""
    spans = spans_of(catalogue, artefact, derived.spans, derived.platform)
    if not windows.windows and (windows.since is None or derived.last is None):
        return bool(spans)
    spans.sort(key=lambda span: (span.first is not None, span.first))  # what begins first is most likely to cover
    asked = [(window.opened, window.end) for window in windows.windows]
    if not asked and windows.since is not None and derived.last is not None:
        asked = [(windows.since, max(windows.since, derived.last))]  # what may have failed since the last success
    return all(any(span.covers(*times) for span in spans) for times in asked)


def spans_of(catalogue: Catalogue, artefact: str, spans: Sequence[Span], platform: str) -> list[Span]:
    """The parts of the bundle that hold an artefact of the catalogue; one of the other platform is in none."""
    known = catalogue.artefacts[artefact]
    if platform not in ("unknown", known.platform) and known.platform in ("linux", "windows"):
        return []
    return [span for span in spans if any(_holds(holder, span) for holder in known.logsources)]


def _holds(holder: ArtefactFrame, span: Span) -> bool:
    source = LogSource(holder.product, holder.service, holder.category)
    return source == span.logsource and all(
        set(values) & span.columns.get(column, frozenset()) for column, values in holder.where.items()
    )


def reads(rule: LogSource, read: LogSource) -> bool:
    """Whether a rule had something to read: its own log source, or the one that its derived rows are made from."""
    if rule.category not in DERIVED_CATEGORIES - {"config"}:
        return speaks_of(rule, read)
    settings = read.category == "config" and rule.category != "fact"  # only facts are made from settings
    return not settings and LogSource(rule.product, None if rule.service == "backup" else rule.service).covers(read)


def _role(finding: Finding) -> str:
    return finding.rule.attribution.role if finding.rule.attribution is not None else "fact"


def _strength(finding: Finding) -> str:
    attribution = finding.rule.attribution
    return attribution.strength or "weak" if attribution is not None else "weak"


def _told_by_azure(finding: Finding) -> bool:
    """Whether it is the control plane that says so, and nothing in the guest."""
    return all(source.product == "azure" for source in finding.rule.logsources)


def _needs_failure(finding: Finding) -> bool:
    return finding.rule.attribution is not None and finding.rule.attribution.needs_failure


class _Answer(Struct, frozen=True):
    """What refuting evidence takes away, as far as that does not depend on the support.

    Definitive refutation takes all. A state is answered by a state. What was seen in a failed attempt stays true of
    that attempt; outside of one, a later refutation (``latest``) shows that the fault is over.
    """

    definitive: bool
    state: bool
    latest: datetime | None

    @staticmethod
    def of(refutes: Sequence[Finding]) -> _Answer:
        starts = [one.start for one in refutes if one.start is not None]
        definitive = any(_strength(one) == "definitive" for one in refutes)
        return _Answer(definitive, len(starts) < len(refutes), max(starts, default=None))

    def to(self, support: Finding) -> bool:
        """Whether the support is taken away."""
        if self.definitive:
            return True
        if support.start is None:
            return self.state
        in_attempt = isinstance(support.where, Window) and support.where.attempt is not None
        return not in_attempt and self.latest is not None and self.latest >= (support.end or support.start)


def _weigh(supports: Sequence[Finding]) -> tuple[VerdictWord, str]:
    """The verdict by the table: definitive or two independent strong ones, one strong, weak ones that agree."""
    independent: dict[str, dict[tuple[str, int], str]] = defaultdict(dict)
    used: set[tuple[str, int]] = set()
    # The strongest takes an entry first: a correlation shares that of its last event with what is weak alone.
    for finding in sorted(supports, key=lambda one: (STRENGTHS.index(_strength(one)), one.rule.id, one.frame, one.row)):
        names = independent[_strength(finding)]
        if finding.rule.id not in names.values() and finding.entry not in used:
            names[finding.entry] = finding.rule.id
            used.add(finding.entry)
    definitive, strong, weak = (len(independent[word]) for word in ("definitive", "strong", "weak"))
    how = _told(supports)
    if definitive or any(_strength(one) == "definitive" for one in supports):
        return "confirmed", f"definitive: {how}"
    if strong >= 2:
        return "confirmed", f"{strong} independent strong findings: {how}"
    if strong or any(_strength(one) == "strong" for one in supports):
        return "likely", f"one strong finding: {how}"
    if weak >= 2:
        return "likely", f"{weak} weak findings that agree: {how}"
    return "possible", f"weak evidence only: {how}"


def _told(findings: Sequence[Finding]) -> str:
    """The rules and windows behind a verdict, each once, in order."""
    told: dict[str, None] = {}
    for one in findings:
        where = one.where.why if isinstance(one.where, Window) else "standing at the end of the bundle"
        told[f"{one.rule.title} [{where}]"] = None
    return "; ".join(list(told)[:4]) + (f"; and {len(told) - 4} more" if len(told) > 4 else "")


#: What orders supported causes, smallest first; see `weight`.
_Weight: TypeAlias = tuple[bool, bool, bool, bool, int, bool, int, int, str]

#: Derived rows that tell what a machine has, such as its versions. Nothing has failed by them.
_INVENTORY = "fact"


def _rank(
    catalogue: Catalogue, verdicts: Mapping[str, CauseVerdict], weights: Mapping[str, _Weight]
) -> tuple[tuple[str, ...], Mapping[str, str], Mapping[str, str]]:
    """Supported causes in order, for each consequence the cause that it hangs under, and for what is only possible the
    likewise possible cause that leads to it.

    Upstream first, also among what is only possible, which never comes before something stronger; umbrella causes after
    all others; last what only a version makes possible.
    """
    supported = [name for name, one in verdicts.items() if one.verdict in SUPPORTED]
    firm = [name for name in supported if verdicts[name].verdict != "possible"]
    roots: dict[str, str] = {}
    for name in supported:
        above = [other for other in firm if other != name and _leads(catalogue, other, name)]
        if above:
            roots[name] = min(above, key=lambda other: weights[other])
    open_ones = [name for name in supported if name not in firm and not weights[name][0]]
    behind: dict[str, str] = {}
    for name in open_ones:
        above = [other for other in open_ones if other != name and _leads(catalogue, other, name)]
        if above:
            behind[name] = min(above, key=lambda other: weights[other])
    order = sorted(
        supported, key=lambda name: (name in roots and name in firm, weights[name][0], name in behind, weights[name])
    )
    firm_first = [name for name in order if name in firm] + [name for name in order if name not in firm]
    return tuple(firm_first), roots, behind


def _leads(catalogue: Catalogue, upstream: str, downstream: str) -> bool:
    if not catalogue.reaches(upstream, downstream):
        return (
            catalogue.causes[downstream].umbrella
            and not catalogue.causes[upstream].umbrella
            and _share(catalogue, upstream, downstream)
        )
    return not catalogue.reaches(downstream, upstream)


def _share(catalogue: Catalogue, one: str, other: str) -> bool:
    return bool(set(catalogue.causes[one].errors) & set(catalogue.causes[other].errors))


def weight(one: CauseVerdict, errors: Sequence[str], windows: Relevance) -> _Weight:
    """Specific before umbrella, possible last, the last failed attempt before older ones; then strength and ticket.

    What only a version makes possible comes behind all that failed.
    """
    strengths = [_strength(finding) for finding in one.supports]
    last = windows.failed[-1] if windows.failed else None
    older = last is not None and not any(
        finding.start is None or last.holds(finding.start, finding.end, finding.assumed) for finding in one.supports
    )
    return (
        one.verdict == "possible" and all(_is_inventory(finding) for finding in one.supports),
        one.cause.umbrella,
        one.verdict == "possible",
        older,
        SUPPORTED.index(one.verdict),
        bool(errors) and not set(errors) & set(one.cause.errors),
        -len({finding.rule.id for finding in one.supports if _strength(finding) != "weak"}),
        -strengths.count("strong"),
        one.cause.id,
    )


def _is_inventory(finding: Finding) -> bool:
    return all(source.category == _INVENTORY for source in finding.rule.logsources)


def _bundle_verdict(
    catalogue: Catalogue, derived: Derived, verdicts: Mapping[str, CauseVerdict]
) -> tuple[BundleVerdict, str]:
    words = {name: one.verdict for name, one in verdicts.items()}
    if any(word in ("confirmed", "likely") for word in words.values()):
        return "cause-found", "a cause is confirmed or likely"
    if any(word == "possible" for word in words.values()):
        return "cannot-tell", "only weak evidence was found"
    if derived.attempts:
        last = derived.attempts[-1]
        if last.outcome == "success" and (derived.watched is None or derived.watched < last.start):
            return (
                "cannot-tell",
                f"the last backup attempt seen ({last.id}) succeeded, and what would show a later one was not read",
            )
        if last.outcome == "success":
            return "no-fault-found", f"the last backup attempt ({last.id}) succeeded and nothing speaks for a cause"
        return (
            "cannot-tell",
            f"the last backup attempt ({last.id}) did not succeed, and no documented cause is supported",
        )
    seeds = [
        cause.id
        for cause in catalogue.causes.values()
        if cause.seed and cause.guest_visible == "yes" and cause.platform in (derived.platform, "both")
    ]
    if seeds and derived.platform != "unknown" and all(words[name] in ("clear", "ruled-out") for name in seeds):
        return "no-fault-found", "every documented cause that a guest can show is clear or ruled out"
    return "cannot-tell", "no backup attempt shows in what was read, and no documented cause is supported"

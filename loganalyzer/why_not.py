"""Why a cause was not given, or why it was and its rivals were not: what `why-not` answers, as frozen values.

Nothing here is redacted; as in the Report, strings that come from this program or its catalogue are marked as ``OURS``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from loganalyzer.attribute import (
    SUPPORTED,
    CauseVerdict,
    Finding,
    VerdictWord,
    spans_of,
    weight,  # the order of the diagnoses is told from what made it, not from a second reckoning
)
from loganalyzer.catalogue import Cause
from loganalyzer.facts import Span
from loganalyzer.grounds import (
    MOST_NAMED,
    Grounds,
    answered_reason,
    citation,
    history_reason,
    of_cause,
    strength_of,
    taken_away,
)
from loganalyzer.redact import is_secret_file
from loganalyzer.report.json_report import iso
from loganalyzer.report.model import OURS
from loganalyzer.report.quoting import cut
from loganalyzer.schema import LogSource
from loganalyzer.sigma.bind import BindError
from loganalyzer.sigma.nearest import Nearest, fields_of, nearest
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.sigma.taxonomy import DERIVED_CATEGORIES, scopes, speaks_of
from loganalyzer.sigma.unmet import Lack, Unmet, unmet
from loganalyzer.sigma.words import in_words
from loganalyzer.windows import Relevance, Window

SCHEMA: Final = "loganalyzer/why-not/1"

#: Of the findings of one rule the first ones and the last are cited.
FIRST_OF_RULE: Final = 4

VALUE_LIMIT: Final = 1024
#: ``matched``: it matched, and what it found does not count. ``near``: a row fits it in part. ``nothing``: of no row
#: anything holds. ``unmet``: a correlation that lacks something. ``unread``: nothing of its log source was read.
#: ``unable``: it could not run.
RuleState: TypeAlias = Literal["matched", "near", "nothing", "unmet", "unread", "unable"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line or record of a bundle: a `Citation` with its readable part and what had to be assumed of its time."""

    source: str
    line: int | None
    offset: int | None
    record_id: int | None
    timestamp: datetime | None
    time_assumed: str | None
    original: str
    message: str
    sha256: str = field(metadata=OURS)
    redacted: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What one rule found, and why it counts or does not. ``lines``: the first ones and the last of ``count``."""

    rule: str = field(metadata=OURS)
    title: str = field(metadata=OURS)
    strength: str = field(metadata=OURS)
    why: str
    count: int
    first: datetime | None
    last: datetime | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """An artefact that decides the cause: why it does not yet, what was read of it, and how to collect it."""

    artefact: str = field(metadata=OURS)
    what: str = field(metadata=OURS)
    why: str
    read: tuple[str, ...]
    commands: tuple[str, ...] = field(metadata=OURS)


@dataclass(frozen=True, slots=True)
class Holds:
    """What the row holds in a field; None: nothing, or it is not to be shown."""

    field: str
    value: str | None


@dataclass(frozen=True, slots=True)
class NearestLine:
    """The row that comes nearest to a rule: ``failed`` is the first condition that is false of it.

    ``held`` conditions hold, at least ``lacking`` more would have to; ``holds`` is what stands in the asked fields.
    """

    failed: str = field(metadata=OURS)
    holds: tuple[Holds, ...]
    held: int
    lacking: int
    line: Line


@dataclass(frozen=True, slots=True)
class Below:
    """A rule that a correlation refers to: how often it matched, and where it never did, the nearest line."""

    rule: str = field(metadata=OURS)
    title: str = field(metadata=OURS)
    matched: int
    nearest: NearestLine | None


@dataclass(frozen=True, slots=True)
class RuleTold:
    """Why one supporting rule gave nothing that counts. ``below`` is of a correlation."""

    rule: str = field(metadata=OURS)
    title: str = field(metadata=OURS)
    strength: str = field(metadata=OURS)
    logsources: tuple[str, ...] = field(metadata=OURS)
    state: RuleState = field(metadata=OURS)
    why: str
    nearest: NearestLine | None
    below: tuple[Below, ...]


@dataclass(frozen=True, slots=True)
class RivalCause:
    """Another cause that explains some of the same errors, its verdict, and what speaks against it."""

    cause: str = field(metadata=OURS)
    title: str = field(metadata=OURS)
    verdict: VerdictWord = field(metadata=OURS)
    errors: tuple[str, ...] = field(metadata=OURS)
    why: str


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The answer about one cause.

    ``rank`` is its place among the diagnoses, from 1; None: it is none. ``rules`` are the supporting ones that gave
    nothing that counts, the nearest first. ``order`` says what put a diagnosis before or behind its neighbours;
    ``would_raise`` and ``would_take_away`` what would change its verdict.
    """

    cause: str = field(metadata=OURS)
    title: str = field(metadata=OURS)
    verdict: VerdictWord = field(metadata=OURS)
    rank: int | None
    guest_visible: str = field(metadata=OURS)
    how: str
    supports: tuple[Found, ...]
    refutes: tuple[Found, ...]
    history: tuple[Found, ...]
    taken_away: tuple[Found, ...]
    missing: tuple[Missing, ...]
    rules: tuple[RuleTold, ...]
    rivals: tuple[RivalCause, ...]
    order: tuple[str, ...]
    would_raise: tuple[str, ...]
    would_take_away: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhyNotReport:
    """The answers to one question; its JSON is version 1: additions are allowed."""

    schema: str = field(metadata=OURS)
    asked: str
    answers: tuple[WhyNot, ...]


def answers(grounds: Grounds, asked: str, causes: Iterable[str]) -> WhyNotReport:
    """An answer for each cause: those that were given in their order, then those of which anything was found.

    Raises:
        KeyError: the catalogue has no such cause.
    """
    told = [why_not(grounds, cause) for cause in causes]
    last = len(grounds.attribution.ranked) + 1
    told.sort(key=lambda one: (one.rank or last, not one.refutes, not one.history))
    return WhyNotReport(SCHEMA, asked, tuple(told))


def why_not(grounds: Grounds, cause: str) -> WhyNot:
    """Why the cause was not given; of a given one, why its rivals stand behind it.

    Raises:
        KeyError: the catalogue has no such cause.
    """
    one = grounds.attribution.verdicts[cause]
    given = one.verdict in SUPPORTED
    rules = _rules(grounds, one)
    ranked = grounds.attribution.ranked
    return WhyNot(
        cause=cause,
        title=one.cause.title,
        verdict=one.verdict,
        rank=ranked.index(cause) + 1 if cause in ranked else None,
        guest_visible=one.cause.guest_visible,
        how=one.how,
        supports=_found(grounds, [(finding, _place_of(finding)) for finding in one.supports]),
        refutes=_found(grounds, [(finding, _place_of(finding)) for finding in one.refutes]),
        history=_found(grounds, [(finding, history_reason(grounds, finding)) for finding in one.history]),
        taken_away=_found(grounds, [(finding, answered_reason(one)) for finding in taken_away(grounds, one)]),
        missing=tuple(_missing(grounds, one.cause, name) for name in one.missing),
        rules=rules,
        rivals=_rivals(grounds, one) if given else (),
        order=_order(grounds, cause) if given else (),
        would_raise=_would_raise(grounds, one, rules) if given else (),
        would_take_away=_would_take_away(grounds, one) if given else (),
    )


# Findings


def _found(grounds: Grounds, reasons: Iterable[tuple[Finding, str]]) -> tuple[Found, ...]:
    """Findings by rule and reason, in order of their first times."""
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding, why in reasons:
        groups[finding.rule.id, why].append(finding)
    told = []
    for (_, why), own in groups.items():
        own.sort(key=lambda one: (one.start is None, one.start, one.path, one.entry[1], one.frame, one.row))
        shown = own if len(own) <= FIRST_OF_RULE + 1 else [*own[:FIRST_OF_RULE], own[-1]]
        times = [time for one in own for time in (one.start, one.end) if time is not None]
        lines = tuple(_line(grounds.frames[one.frame].rows.row(one.row, named=True)) for one in shown)
        rule = own[0].rule
        first, last = min(times, default=None), max(times, default=None)
        told.append(Found(rule.id, rule.title, strength_of(rule), why, len(own), first, last, lines))
    return tuple(sorted(told, key=lambda one: (one.first is None, one.first, one.title, one.rule, one.why)))


def _line(row: Mapping[str, Any]) -> Line:
    """The same with what a reader needs; of a file of keys the message is left out, as redaction hides the rest."""
    cited = citation(row)
    message = "" if is_secret_file(cited.source) else cut(row["message"] or "", VALUE_LIMIT)
    return Line(
        source=cited.source,
        line=cited.line,
        offset=cited.offset,
        record_id=cited.record_id,
        timestamp=cited.timestamp,
        time_assumed=row["time.assumed"],
        original=cited.original,
        message=message,
        sha256=cited.sha256,
        redacted=False,
    )


def _place_of(finding: Finding) -> str:
    return finding.where.why if isinstance(finding.where, Window) else "standing at the end of the bundle"


# What is missing


def _missing(grounds: Grounds, cause: Cause, name: str) -> Missing:
    artefact, derived = grounds.catalogue.artefacts[name], grounds.derived
    spans = spans_of(grounds.catalogue, name, derived.spans, derived.platform)
    own = [one.command for one in cause.collect if one.artefact == name]
    commands = tuple(dict.fromkeys(one for one in own or [artefact.collect or artefact.where] if one))
    if spans:
        why = _not_covered(spans, grounds.attribution.relevance)
    else:
        why = "not in the bundle" if artefact.logsources else "not in the bundle, or in a form that is not read yet"
    return Missing(name, artefact.what, why, tuple(map(_span_told, spans)), commands)


def _span_told(span: Span) -> str:
    if span.first is None or span.last is None:
        return f"{span.path}: {span.events} entries, none with a time"
    return f"{span.path}: {iso(span.first)} to {iso(span.last)}"


def _not_covered(spans: Sequence[Span], relevance: Relevance) -> str:
    """Why none of the logs covers the first window that none of them covers."""
    for window in relevance.windows:
        if any(span.covers(window.opened, window.end) for span in spans):
            continue
        begins = [one.begins for one in spans if one.begins is not None]
        if begins and min(begins) > window.opened:
            return f"what was read begins at {iso(min(begins))}, too late for {window.why} from {iso(window.opened)} on"
        if not all(span.whole for span in spans):
            return f"a part of it could not be read, and may hold what happened in {window.why}"
        return f"a part of the log is missing that may hold what happened in {window.why}"
    return "what was read does not cover every window"


# Rules


def _rules(grounds: Grounds, one: CauseVerdict) -> tuple[RuleTold, ...]:
    """The supporting rules without a finding that counts, the nearest first."""
    counted = {finding.rule.id for finding in one.supports}
    matched = {match.rule.id for match in grounds.matches.matches}
    told = [
        _rule_told(grounds, rule, rule.id in matched)
        for rule in of_cause(grounds, one.cause.id, "supports")
        if rule.id not in counted
    ]
    return tuple(sorted(told, key=_by_nearness))


_STATES: Final = ("matched", "near", "unmet", "nothing", "unable", "unread")


def _by_nearness(told: RuleTold) -> tuple[int, int, int, int, str, str]:
    near = told.nearest
    matched = -sum(below.matched > 0 for below in told.below)
    lacking, held = (near.lacking, -near.held) if near is not None else (0, 0)
    return _STATES.index(told.state), lacking, held, matched, told.title, told.rule


def _rule_told(grounds: Grounds, rule: Rule | Correlation, matched: bool) -> RuleTold:
    state, why, near, below = _what_of(grounds, rule, matched)
    sources = tuple(dict.fromkeys(map(str, rule.logsources)))
    return RuleTold(rule.id, rule.title, strength_of(rule), sources, state, why, near, below)


_Told: TypeAlias = tuple[RuleState, str, NearestLine | None, tuple[Below, ...]]


def _what_of(grounds: Grounds, rule: Rule | Correlation, matched: bool) -> _Told:
    if matched:
        return "matched", "it matched, and nothing that it found counts", None, ()
    unable = {one.rule_id: one.why for one in grounds.matches.unable}
    if rule.id in unable:
        return "unable", unable[rule.id], None, ()
    if isinstance(rule, Correlation):
        return _correlation_told(grounds, rule)
    if not _was_read(grounds, rule.logsource):
        return "unread", _unread(grounds, rule.logsource), None, ()
    near = _nearest_line(grounds, rule)
    if near is None:
        return "nothing", "nothing of what it asks for stands in any line that it reads", None, ()
    return "near", f"conditions met: {near.held} of {near.held + near.lacking}", near, ()


def _was_read(grounds: Grounds, source: LogSource) -> bool:
    return any(speaks_of(scope.source, frame.logsource) for scope in scopes(source) for frame in grounds.frames)


def _unread(grounds: Grounds, source: LogSource) -> str:
    """Derived rows may be missing although their log was read; rules of the other platform have nothing to read."""
    if _is_foreign(grounds, source):
        return f"the VM runs {grounds.derived.platform.capitalize()}"
    if source.category in DERIVED_CATEGORIES:
        log = LogSource(source.product, None if source.service == "backup" else source.service)
        if any(log.covers(span.logsource) for span in grounds.derived.spans):
            return f"no row of the kind {source.category} comes from what was read of {log}"
    return f"nothing of {source} was read"


def _is_foreign(grounds: Grounds, source: LogSource) -> bool:
    platform = grounds.derived.platform
    return platform != "unknown" and source.product in ("linux", "windows") and source.product != platform


def _nearest_line(grounds: Grounds, rule: Rule | Correlation) -> NearestLine | None:
    if isinstance(rule, Correlation):  # no row is near to one
        return None
    try:
        found = nearest(rule, grounds.frames, grounds.around)
    except BindError:  # then it ran on no frame, and stands among those that could not
        return None
    return None if found is None else nearest_line(found)


def nearest_line(near: Nearest) -> NearestLine:
    """The nearest row as it is told."""
    row = near.rows.row(near.row, named=True)
    line = _line(row)
    shown = not is_secret_file(line.source)
    holds = tuple(
        Holds(name, _value_told(row[name]) if shown else None) for name in fields_of(near.failed, near.rows.columns)
    )
    return NearestLine(in_words(near.failed), holds, near.held, near.lacking, line)


def _value_told(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return cut(", ".join(_value_told(one) or "" for one in value), VALUE_LIMIT)
    return cut(str(value), VALUE_LIMIT)


# Correlations

_LACKS: Mapping[Lack, str] = {
    "rule": "never matched: {rules}",
    "absence": "within the timespan stands what must not follow: {rules}",
    "group": "the matches do not share one value of {group}",
    "timespan": "the matches are further apart than {span}",
    "order": "the matches stand in another order",
    "count": "{value}, and {limits} is asked for within {span}",
    "several": "the matches do not come together within {span}",
}
_LIMITS: Mapping[str, str] = {
    "lt": "less than {}",
    "lte": "at most {}",
    "gt": "more than {}",
    "gte": "at least {}",
    "eq": "exactly {}",
    "neq": "other than {}",
}


def _correlation_told(grounds: Grounds, rule: Correlation) -> _Told:
    lower = _below(grounds, rule)
    events = [one for one in lower if isinstance(one, Rule)]
    if not any(_was_read(grounds, one.logsource) for one in events):
        return "unread", "; ".join(dict.fromkeys(_unread(grounds, one.logsource) for one in events)), None, ()
    correlations = [one for one in lower if isinstance(one, Correlation)]
    lack = unmet(rule, correlations, grounds.frames, grounds.matches)
    told = tuple(
        Below(rule_id, known.title, count, _nearest_line(grounds, known) if not count else None)
        for rule_id, count in lack.matched
        if (known := grounds.signatures.get(rule_id)) is not None
    )
    return "unmet", _lack_told(grounds, rule, lack), None, told


def _below(grounds: Grounds, rule: Correlation) -> list[Rule | Correlation]:
    """All signatures below a correlation, each once, the lowest first."""
    found: dict[str, Rule | Correlation] = {}
    for rule_id in rule.rules:
        known = grounds.signatures.get(rule_id)
        if isinstance(known, Correlation):
            found.update((one.id, one) for one in _below(grounds, known))
        if known is not None:
            found[rule_id] = known
    return list(found.values())


def _lack_told(grounds: Grounds, rule: Correlation, lack: Unmet) -> str:
    titles = [known.title for name in lack.rules if (known := grounds.signatures.get(name)) is not None]
    limits = " and ".join(_LIMITS[one.op].format(one.limit) for one in rule.thresholds)
    return _LACKS[lack.lacks].format(
        rules="; ".join(titles),
        group=" and ".join(rule.group_by),
        span=_span(rule.timespan),
        value="no value can be computed" if lack.value is None else f"the nearest that it comes is {lack.value:g}",
        limits=limits,
    )


def _span(seconds: int) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


# Rivals, and what would change a verdict


def _rivals(grounds: Grounds, one: CauseVerdict) -> tuple[RivalCause, ...]:
    """Causes of the same errors: those that are given in their order, then those that evidence speaks against."""
    attribution, own = grounds.attribution, set(one.cause.errors)
    words = (*SUPPORTED, "undecided", "clear", "ruled-out")
    rivals = []
    for other in attribution.verdicts.values():
        shared = tuple(code for code in other.cause.errors if code in own)
        if other.cause.id != one.cause.id and shared:
            rivals.append(
                RivalCause(other.cause.id, other.cause.title, other.verdict, shared, _against(grounds, one, other))
            )
    places = {name: place for place, name in enumerate(attribution.ranked)}

    def weight(rival: RivalCause) -> tuple[int, bool, int]:
        answered = bool(attribution.verdicts[rival.cause].refutes)
        return places.get(rival.cause, len(places)), not answered, words.index(rival.verdict)

    return tuple(sorted(rivals, key=weight))


def _against(grounds: Grounds, one: CauseVerdict, other: CauseVerdict) -> str:
    roots = grounds.attribution.roots
    if roots.get(other.cause.id) == one.cause.id:
        return f"a consequence of {one.cause.id}, no rival; {other.how}"
    if roots.get(one.cause.id) == other.cause.id:
        return f"it stands above: {one.cause.id} is its consequence; {other.how}"
    return other.how


#: What the components of `weight` say, in their order, of the cause that comes first.
_WEIGHTS: Final = (
    "something failed, while {other} is only made possible by a version",
    "it is a cause of its own, and {other} names what others cause, too",
    "it is more than possible",
    "its evidence lies in the last failed attempt, that of {other} only in older ones",
    "{verdict} goes before {other_verdict}",
    "it is documented for the errors that were reported, and {other} is not",
    "more rules than those of {other} found more than weak evidence for it",
    "it has more strong findings",
    "everything else is equal, and names decide",
)


def _order(grounds: Grounds, cause: str) -> tuple[str, ...]:
    """What put the cause before the diagnosis that follows, and behind the one in front of it."""
    ranked = grounds.attribution.ranked
    place = ranked.index(cause)
    told = []
    if place > 0:
        first = ranked[place - 1]
        told.append(f"behind {first}: of {first}, {_decided(grounds, first, cause)}")
    if place + 1 < len(ranked):
        told.append(f"before {ranked[place + 1]}: {_decided(grounds, cause, ranked[place + 1])}")
    return tuple(told)


def _decided(grounds: Grounds, first: str, other: str) -> str:
    """Why ``first`` stands before ``other``; the steps of `attribute._rank`, then its weights."""
    attribution = grounds.attribution
    one, two = attribution.verdicts[first], attribution.verdicts[other]
    if one.verdict != "possible" and two.verdict == "possible":
        return f"it is {one.verdict}, and {other} is only possible"
    firm = two.verdict != "possible"
    if firm and other in attribution.roots and first not in attribution.roots:
        return f"{attribution.roots[other]} leads to {other}"
    weights = [weight(each, attribution.ticket_errors, attribution.relevance) for each in (one, two)]
    if weights[0][0] == weights[1][0] and other in attribution.behind and first not in attribution.behind:
        return f"{attribution.behind[other]} leads to {other}"
    index = next(index for index, (mine, theirs) in enumerate(zip(*weights, strict=True)) if mine != theirs)
    return _WEIGHTS[index].format(other=other, verdict=one.verdict, other_verdict=two.verdict)


def _would_raise(grounds: Grounds, one: CauseVerdict, rules: Sequence[RuleTold]) -> tuple[str, ...]:
    """By the table of verdicts, with rules that could give it."""
    if one.verdict == "confirmed":
        return ()
    strong = any(strength_of(finding.rule) == "strong" for finding in one.supports)
    if one.verdict == "possible":
        said = ["a strong finding, or a second weak one of another rule in another entry, would make it likely"]
    elif strong:
        said = ["a second strong finding, of another rule in another entry, or a definitive one would confirm it"]
    else:
        said = ["two strong findings of different rules, or a definitive one, would confirm it"]
    could = [told for told in rules if told.strength != "weak" or one.verdict == "possible"]
    could = [told for told in could if not _all_foreign(grounds, told.rule)]
    return (*said, *(f"such as ({told.strength}): {told.title}" for told in could[:MOST_NAMED]))


def _all_foreign(grounds: Grounds, rule_id: str) -> bool:
    return all(_is_foreign(grounds, source) for source in grounds.signatures[rule_id].logsources)


def _would_take_away(grounds: Grounds, one: CauseVerdict) -> tuple[str, ...]:
    refuting = of_cause(grounds, one.cause.id, "refutes")
    here = {finding.rule.id for finding in one.refutes}
    told = [
        f"{rule.title}: {_effect(rule)}"
        for rule in sorted(refuting, key=lambda rule: (strength_of(rule) != "definitive", rule.title, rule.id))
        if rule.id not in here
    ]
    told += [f"{finding.rule.title}: it was found, and answers nothing of what counts" for finding in one.refutes]
    if grounds.attribution.relevance.failed:
        told.append("a later backup that succeeds: what was seen before it is history")
    return tuple(dict.fromkeys(told))


def _effect(rule: Rule | Correlation) -> str:
    if strength_of(rule) == "definitive":
        return "would rule it out"
    return "would answer a state, and what was seen outside of an attempt and before it"

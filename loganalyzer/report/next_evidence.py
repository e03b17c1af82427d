"""What to collect next: the artefacts that would best tell the causes apart that are still open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from loganalyzer.attribute import Attribution, reads, spans_of
from loganalyzer.catalogue import Artefact, Catalogue
from loganalyzer.facts import Derived, load_tables
from loganalyzer.report.model import NextEvidence
from loganalyzer.schema import LogSource
from loganalyzer.sigma.rule import Correlation, Rule

MOST_NEXT = 5

#: How much a cause counts of which nothing is known, against one that another artefact makes unlikely.
OPEN = 2
#: How much an artefact counts more that would show why the work stopped where it did.
STOPPED = 3
#: How much one of the causes that the articles themselves name counts more than any other.
SEED = 3
#: How well a signature decides that reads the artefact: one sign that is enough, or one that needs another.
DECIDES: Mapping[str, int] = {"definitive": 4, "strong": 4, "weak": 1}

#: The collections that the catalogue's ``in_manifests`` name, by the layout that they leave behind.
_COLLECTIONS: Mapping[str, tuple[str, ...]] = {
    "disk-inspect": ("windows/", "linux/"),
    "collect-logs": ("waagent -collect-logs",),
}


def next_evidence(
    catalogue: Catalogue,
    derived: Derived,
    attribution: Attribution,
    signatures: Sequence[Rule | Correlation],
    layout: str,
) -> tuple[NextEvidence, ...]:
    """The artefacts that would decide most of what is open, the best first; at most ``MOST_NEXT``.

    An artefact counts by the open causes that a signature would decide from it: first those that bear on what is known
    (the ticket's errors, the codes of failed attempts, what lies upstream of a supported cause), then all others.
    ``signatures``: all that were offered. ``layout``: how the bundle was collected.
    """
    near = _near(catalogue, derived, attribution)
    open_causes = _open_causes(catalogue, derived, attribution, near)
    powers = _powers(catalogue, open_causes, signatures)

    verdicts = attribution.verdicts
    stopped = _stopped_in(derived, attribution)

    def weight(name: str) -> tuple[int, int, bool, int, str]:
        causes = open_causes[name]
        close = sum(
            powers[name][cause] * (1 if verdicts[cause].verdict == "clear" else OPEN)
            for cause in causes
            if cause in near
        )
        close *= STOPPED if stopped & set(_frames(catalogue.artefacts[name])) else 1
        others = sum(powers[name][cause] * (SEED if catalogue.causes[cause].seed else 1) for cause in causes)
        present = bool(spans_of(catalogue, name, derived.spans, derived.platform))
        return (-close, -others, present, -len(causes), name)

    rows = []
    for name in sorted(open_causes, key=weight)[:MOST_NEXT]:
        artefact = catalogue.artefacts[name]
        present = bool(spans_of(catalogue, name, derived.spans, derived.platform))
        why = _why_missing(artefact, present, layout)
        rows.append(
            NextEvidence(name, artefact.what, tuple(open_causes[name]), why, artefact.collect or artefact.where)
        )
    return tuple(rows)


def _open_causes(
    catalogue: Catalogue, derived: Derived, attribution: Attribution, near: frozenset[str]
) -> Mapping[str, list[str]]:
    """For each artefact that is missing the causes that wait for it.

    They are undecided, or so far only possible, or they bear on the failure and are clear by one artefact of several
    that would show them.
    """
    waiting: dict[str, list[str]] = defaultdict(list)
    asked = asked_causes(catalogue, attribution)
    for one in attribution.verdicts.values():
        if one.cause.guest_visible == "no" and one.cause.id not in asked:
            continue
        missing: Iterable[str] = ()
        if one.verdict == "undecided":
            missing = one.missing
        elif one.verdict == "possible" or (one.verdict == "clear" and one.cause.id in near):
            requires = one.cause.requires
            wanted = dict.fromkeys([*requires.all_of, *requires.any_of, *requires.helps])
            missing = (name for name in wanted if name not in attribution.covered and _fits(catalogue, name, derived))
        for name in missing:
            waiting[name].append(one.cause.id)
    return waiting


def _fits(catalogue: Catalogue, artefact: str, derived: Derived) -> bool:
    platform = catalogue.artefacts[artefact].platform
    return derived.platform == "unknown" or platform in (derived.platform, "both", "control-plane")


def asked_causes(catalogue: Catalogue, attribution: Attribution) -> frozenset[str]:
    """The causes that are documented for the errors of the ticket, or of the jobs in the bundle."""
    errors = (catalogue.error(code) for code in attribution.ticket_errors)
    return frozenset(cause for error in errors if error is not None for cause in error.causes)


def _near(catalogue: Catalogue, derived: Derived, attribution: Attribution) -> frozenset[str]:
    """The causes that bear on what is known of this failure."""
    near = set(asked_causes(catalogue, attribution))
    near |= {above for name in attribution.ranked for above in catalogue.upstream_causes(name)}
    near |= {name for name in attribution.ranked if attribution.verdicts[name].verdict == "possible"}
    umbrellas = [catalogue.causes[name] for name in attribution.ranked if catalogue.causes[name].umbrella]
    near |= {cause for umbrella in umbrellas for code in umbrella.errors for cause in catalogue.errors[code].causes}
    failed = {window.attempt for window in attribution.relevance.failed}
    numbers = {code for one in derived.attempts if one.id in failed for code in one.codes if code.isdigit()}
    near |= {cause for code in numbers for meaning in catalogue.numbered(int(code[:9])) for cause in meaning.causes}
    return frozenset(near)


def _powers(
    catalogue: Catalogue, open_causes: Mapping[str, Sequence[str]], signatures: Sequence[Rule | Correlation]
) -> Mapping[str, Mapping[str, int]]:
    """For each artefact and cause how well the best signature decides that reads the artefact."""
    supporting: dict[str, list[tuple[LogSource, int]]] = defaultdict(list)
    for one in signatures:
        told = one.attribution
        if told is not None and told.cause is not None and told.role == "supports":
            supporting[told.cause] += [(source, DECIDES[told.strength or "weak"]) for source in one.logsources]
    powers: dict[str, dict[str, int]] = {}
    for name, causes in open_causes.items():
        held = _frames(catalogue.artefacts[name])
        powers[name] = {
            cause: max(
                (power for source, power in supporting[cause] for one in held if reads(source, one)),
                default=0,
            )
            for cause in causes
        }
    return powers


def _frames(artefact: Artefact) -> list[LogSource]:
    return [LogSource(one.product, one.service, one.category) for one in artefact.logsources]


def _stopped_in(derived: Derived, attribution: Attribution) -> frozenset[LogSource]:
    """The sources that would show why the last failed attempt stopped in the phase that it reached."""
    failed = {window.attempt for window in attribution.relevance.failed[-1:]}
    phases = [one.phase for one in derived.attempts if one.id in failed and one.phase is not None]
    shown_in = load_tables().shown_in
    return frozenset(source for phase in phases for source in shown_in.get(phase, ()))


def _why_missing(artefact: Artefact, present: bool, layout: str) -> str:
    if present:
        return "what is in the bundle does not cover the time of the failure, or was read only in part"
    carried = [name for name in artefact.in_manifests if name.startswith(_COLLECTIONS.get(layout, "\0"))]
    if layout in _COLLECTIONS and not carried:
        return f"not in the bundle: a collection of this kind ({layout}) does not take it"
    if layout == "disk-inspect":
        return f"not in the bundle: of the disk inspections only {', '.join(carried)} take it"
    return "not in the bundle" if artefact.logsources else "not in the bundle, or in a form that is not read yet"

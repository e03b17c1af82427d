"""What to collect next: the artefacts that would best tell the causes apart that are still open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from loganalyzer.attribute import Attribution, reads, spans_of
from loganalyzer.catalogue import Artefact, Catalogue
from loganalyzer.facts import Derived
from loganalyzer.report.model import NextEvidence
from loganalyzer.schema import LogSource
from loganalyzer.sigma.rule import Correlation, Rule

MOST_NEXT = 5

#: How much a cause counts that an artefact would decide: one that bears on what is known of this failure, one of the
#: article's own causes, any other.
NEAR, SEED, OTHER = 12, 3, 1
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

    An artefact counts by the open causes that a signature would decide from it: those that bear on what is known (the
    ticket's errors, the codes of failed attempts, what lies upstream of a supported cause) far more than all others.
    ``signatures``: all that were offered. ``layout``: how the bundle was collected.
    """
    near = _near(catalogue, derived, attribution)
    open_causes = _open_causes(catalogue, derived, attribution, near)
    powers = _powers(catalogue, open_causes, signatures)

    def weight(name: str) -> tuple[int, bool, int, int, str]:
        causes = open_causes[name]
        score = sum(_worth(catalogue, cause, near) * powers[name].get(cause, 0) for cause in causes)
        present = bool(spans_of(catalogue, name, derived.spans, derived.platform))
        listed = sum(_worth(catalogue, cause, near) for cause in causes)
        return (-score, present, -listed, -len(causes), name)

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


def _worth(catalogue: Catalogue, cause: str, near: frozenset[str]) -> int:
    return NEAR if cause in near else SEED if catalogue.causes[cause].seed else OTHER


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
        held = [LogSource(one.product, one.service, one.category) for one in catalogue.artefacts[name].logsources]
        powers[name] = {
            cause: max(
                (power for source, power in supporting[cause] for one in held if reads(source, one)),
                default=0,
            )
            for cause in causes
        }
    return powers


def _why_missing(artefact: Artefact, present: bool, layout: str) -> str:
    if present:
        return "what is in the bundle does not cover the time of the failure, or was read only in part"
    carried = [name for name in artefact.in_manifests if name.startswith(_COLLECTIONS.get(layout, "\0"))]
    if layout in _COLLECTIONS and not carried:
        return f"not in the bundle: a collection of this kind ({layout}) does not take it"
    if layout == "disk-inspect":
        return f"not in the bundle: of the disk inspections only {', '.join(carried)} take it"
    return "not in the bundle" if artefact.logsources else "not in the bundle, or in a form that is not read yet"

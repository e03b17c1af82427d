"""Documents that speak of other documents: filters go into the rules that they name, correlations find theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from msgspec import Struct

from loganalyzer.errors import Location
from loganalyzer.schema import LogSource
from loganalyzer.sigma.ir import And, Condition
from loganalyzer.sigma.rule import Alternative, Correlation, Rule, SigmaRuleError, Signature


class PendingCorrelation(Struct, frozen=True):
    """A correlation that still names rules as its document does; ``where``: the place of the names."""

    correlation: Correlation
    where: Location


class PendingFilter(Struct, frozen=True):
    """A filter for the rules that it refers to (None: for all) and whose log source its own covers."""

    logsource: LogSource
    references: tuple[str, ...] | None
    condition: Condition
    where: Location


def apply_filters(
    rules: Sequence[Rule], filters: Sequence[PendingFilter]
) -> tuple[tuple[Rule, ...], tuple[SigmaRuleError, ...]]:
    """The rules, each joined by 'and' to the filters that fit it; and a fault for a filter that fits none."""
    faults: list[SigmaRuleError] = []
    conditions = {index: [rule.condition] for index, rule in enumerate(rules)}
    for one in filters:
        fitting = [index for index, rule in enumerate(rules) if _fits(one, rule)]
        for index in fitting:
            conditions[index].append(one.condition)
        if not fitting:
            help = "name rules of these files by id or name, whose log source the filter's covers"
            faults.append(SigmaRuleError("quality", "the filter fits no rule", one.where, help))
    filtered = (
        replace(rule, condition=And(tuple(conditions[index]))) if len(conditions[index]) > 1 else rule
        for index, rule in enumerate(rules)
    )
    return tuple(filtered), tuple(faults)


def _fits(one: PendingFilter, rule: Rule) -> bool:
    named = one.references is None or rule.id in one.references or rule.name in one.references
    return named and one.logsource.covers(rule.logsource)


def resolve(
    rules: Sequence[Rule], pending: Sequence[PendingCorrelation]
) -> tuple[tuple[Correlation, ...], tuple[SigmaRuleError, ...]]:
    """Correlations whose names have become ids, each after those that it refers to; and what refers to nothing."""
    known = _by_name([*rules, *(one.correlation for one in pending)])
    sources: dict[str, tuple[LogSource, ...]] = {rule.id: rule.logsources for rule in rules}
    waiting, resolved, faults = list(pending), [], []
    while waiting:
        ready = [one for one in waiting if _ids(one, known) <= sources.keys()]
        if not ready:
            faults = [_fault(one, known) for one in waiting]
            break
        for one in ready:
            correlation = _named_by_id(one.correlation, known, sources)
            sources[correlation.id] = correlation.logsources
            resolved.append(correlation)
        waiting = [one for one in waiting if one not in ready]
    return tuple(resolved), tuple(faults)


def _by_name(signatures: Iterable[Signature]) -> Mapping[str, Sequence[str]]:
    """Ids by what a correlation may call a rule: its id or its name."""
    known: dict[str, dict[str, None]] = defaultdict(dict)
    for signature in signatures:
        for name in {signature.id, signature.name} - {None}:
            known[str(name)][signature.id] = None
    return {name: tuple(ids) for name, ids in known.items()}


def _ids(one: PendingCorrelation, known: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The ids that a correlation waits for; a name of nothing or of several is waited for in vain."""
    return frozenset(known[name][0] if len(known.get(name, ())) == 1 else f"\0{name}" for name in one.correlation.rules)


def _fault(one: PendingCorrelation, known: Mapping[str, Sequence[str]]) -> SigmaRuleError:
    title = one.correlation.title
    for name in one.correlation.rules:
        found = known.get(name, ())
        if not found:
            what = f"{title!r} refers to {name!r}, which is no usable rule of these files"
            return SigmaRuleError(
                "invalid", what, one.where, "name a rule by its id or name, and mend it if it is broken"
            )
        if len(found) > 1:
            what = f"{title!r} refers to {name!r}, which {len(found)} rules are called"
            return SigmaRuleError("invalid", what, one.where, "give each rule its own name, or use the id")
    what = f"{title!r} refers to a correlation that cannot be used, or to itself"
    return SigmaRuleError("invalid", what, one.where, "mend the other correlation, or break the circle")


def _named_by_id(
    correlation: Correlation, known: Mapping[str, Sequence[str]], sources: Mapping[str, tuple[LogSource, ...]]
) -> Correlation:
    ids = {name: known[name][0] for name in correlation.rules}
    return replace(
        correlation,
        rules=tuple(ids[name] for name in correlation.rules),
        aliases={
            alias: {ids[name]: field for name, field in fields.items()} for alias, fields in correlation.aliases.items()
        },
        alternatives=tuple(
            Alternative(tuple(ids[name] for name in one.present), tuple(ids[name] for name in one.absent))
            for one in correlation.alternatives
        ),
        logsources=tuple(sorted({source for name in ids.values() for source in sources[name]})),
    )

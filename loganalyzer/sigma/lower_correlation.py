"""From a Sigma correlation document to plain values; pySigma checks it. Import it only when such a document is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from sigma import exceptions
from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.rule.base import check_alias_expansion

from loganalyzer.sigma.lower import Header, Refusal, RefusalError, header_of, refused
from loganalyzer.sigma.rule import Alternative, CorrelationType, Threshold, ThresholdOp

_OPS: tuple[ThresholdOp, ...] = get_args(ThresholdOp)
#: Ways in which an extended condition may hold; a longer one multiplies out of hand.
_MOST_ALTERNATIVES = 64


@dataclass(frozen=True, slots=True)
class LoweredCorrelation:
    """What pySigma says of a valid correlation; rules are named as the document names them (id or name)."""

    header: Header
    type: CorrelationType
    references: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: int
    aliases: Mapping[str, Mapping[str, str]]
    thresholds: tuple[Threshold, ...]
    alternatives: tuple[Alternative, ...]
    fields: tuple[str, ...]
    percentile: int | None
    generate: bool


def lower_correlation(document: Mapping[str, Any]) -> tuple[LoweredCorrelation | None, tuple[Refusal, ...]]:
    """Checks one correlation document and lowers it; with any refusal there is none."""
    try:
        check_alias_expansion(document)
        first, *others = _one_threshold_each(document)
        rule = SigmaCorrelationRule.from_dict(first, collect_errors=True)
        if rule.errors:
            return None, tuple(_refusal(error, document) for error in rule.errors)
        thresholds = [_threshold(rule)] + [_threshold(SigmaCorrelationRule.from_dict(other)) for other in others]
        return _lowered(rule, thresholds, document["correlation"]), ()
    except RefusalError as error:
        return None, (error.refusal,)
    except Exception as error:  # noqa: BLE001  # pySigma raises what its input leads to
        return None, (_refusal(error, document),)


def _one_threshold_each(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The specification joins several comparisons of a condition by 'and' (a range); pySigma takes one at a time."""
    correlation = document.get("correlation")
    condition = correlation.get("condition") if isinstance(correlation, dict) else None
    if not isinstance(condition, dict) or not isinstance(correlation, dict):
        return [dict(document)]
    ops = [op for op in _OPS if op in condition]
    rest = {key: value for key, value in condition.items() if key not in ops}
    if len(ops) < 2:
        return [dict(document)]
    return [{**document, "correlation": {**correlation, "condition": {op: condition[op], **rest}}} for op in ops]


def _threshold(rule: SigmaCorrelationRule) -> Threshold | None:
    condition = rule.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        return None
    (op,) = (op for op in _OPS if op == condition.op.name.lower())
    return Threshold(op, condition.count)


def _lowered(
    rule: SigmaCorrelationRule, thresholds: Iterable[Threshold | None], document: Mapping[str, Any]
) -> LoweredCorrelation:
    (kind,) = (name for name in get_args(CorrelationType) if name == rule.type.name.lower())
    written = tuple(reference.reference for reference in rule.rules or ())
    if kind != "temporal_ordered":
        written = tuple(dict.fromkeys(written))
    alternatives: tuple[Alternative, ...] = ()
    counted: tuple[str, ...] = ()
    percentile = None
    if isinstance(rule.condition, SigmaExtendedCorrelationCondition):
        alternatives = _alternatives(rule.condition.parsed)
        written = written or tuple(rule.condition.get_referenced_rules())
    else:
        counted = _fields(rule.condition.fieldref)
        percentile = _percentile(document, kind)
    if not written or not all(isinstance(name, str) and name for name in written):
        raise _refuse("'rules' must name at least one rule", "name rules by their 'name' or 'id'", "rules")
    known = [threshold for threshold in thresholds if threshold is not None]
    if kind == "temporal" and "condition" not in document:
        known = [Threshold("gte", len(written))]
    return LoweredCorrelation(
        header=header_of(rule),
        type=kind,
        references=written,
        group_by=tuple(rule.group_by or ()),
        timespan=rule.timespan.seconds,
        aliases=_aliases(rule, written),
        thresholds=tuple(known),
        alternatives=alternatives,
        fields=counted,
        percentile=percentile,
        generate=rule.generate,
    )


def _aliases(rule: SigmaCorrelationRule, written: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    aliases = {
        str(alias.alias): {reference.reference: name for reference, name in alias.mapping.items()}
        for alias in rule.aliases
    }
    for alias, mapping in aliases.items():
        for reference, name in mapping.items():
            if reference not in written:
                raise _refuse(f"alias {alias!r} names {reference!r}, which is not among 'rules'", "add it", "aliases")
            if not isinstance(name, str):
                raise _refuse(f"alias {alias!r}: {name!r} is no field name", "write it as text", "aliases")
    return aliases


def _fields(named: object) -> tuple[str, ...]:
    names = named if isinstance(named, list) else [] if named is None else [named]
    if not all(isinstance(name, str) for name in names):
        raise _refuse("'field' must be a field name, or a list of them", "write it as text", "condition")
    return tuple(names)


def _percentile(document: Mapping[str, Any], kind: CorrelationType) -> int | None:
    if kind != "value_percentile":
        return None
    wanted = document["condition"].get("percentile")
    if not isinstance(wanted, int) or isinstance(wanted, bool) or not 0 <= wanted <= 100:
        raise _refuse("a value_percentile needs 'percentile', a whole number from 0 to 100", "add it", "condition")
    return wanted


def _alternatives(node: CorrelationConditionItem | SigmaRuleReference) -> tuple[Alternative, ...]:
    """The condition as alternatives of which one must hold: its disjunctive normal form, in its own order."""
    found = []
    for literals in _normal_form(node, wanted=True):
        present = tuple(dict.fromkeys(name for name, there in literals if there))
        absent = tuple(dict.fromkeys(name for name, there in literals if not there))
        if not present:
            what = "the condition can hold without any event, so that nothing would complete it"
            raise _refuse(what, "name a rule that must match beside what must not", "condition")
        found.append(Alternative(present, absent))
    return tuple(dict.fromkeys(found))


def _normal_form(
    node: CorrelationConditionItem | SigmaRuleReference, wanted: bool
) -> list[tuple[tuple[str, bool], ...]]:
    if isinstance(node, SigmaRuleReference):
        return [((node.reference, wanted),)]
    if isinstance(node, CorrelationConditionNOT):
        return _normal_form(node.args[0], not wanted)
    parts = [_normal_form(arg, wanted) for arg in node.args]
    if isinstance(node, CorrelationConditionOR if wanted else CorrelationConditionAND):
        joined = [literals for part in parts for literals in part]
    else:
        joined = [()]
        for part in parts:
            joined = [(*left, *right) for left in joined for right in part][: _MOST_ALTERNATIVES + 1]
    if len(joined) > _MOST_ALTERNATIVES:
        what = f"the condition can hold in more than {_MOST_ALTERNATIVES} ways"
        raise RefusalError(
            Refusal(what, ("correlation", "condition"), "split it into several correlations", "unsupported")
        )
    return joined


def _refuse(what: str, help: str, key: str) -> RefusalError:
    return RefusalError(Refusal(what, ("correlation", key), help))


_HELP: Mapping[type[Exception], tuple[str, str]] = {
    exceptions.SigmaCorrelationTypeError: ("type", f"use one of {', '.join(get_args(CorrelationType))}"),
    exceptions.SigmaTimespanError: ("timespan", "write a number and one of s, m, h, d, w, M, y: 10m"),
    exceptions.SigmaCorrelationConditionError: (
        "condition",
        "write 'gte: 5' (with 'field:' for value_*), or, in temporal correlations, rule names with and, or, not",
    ),
    exceptions.SigmaCorrelationRuleError: ("correlation", "see Sigma's correlation rules specification"),
}


def _refusal(error: Exception, document: Mapping[str, Any]) -> Refusal:
    key, help = _HELP.get(type(error), ("", ""))
    if not key:
        return refused(error, document)
    return Refusal(str(error), ("correlation", key), help)

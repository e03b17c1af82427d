"""From a Sigma document to the project's own form, through pySigma; import it only when rule files are read.

pySigma checks the rule and builds the condition tree; here the tree becomes `loganalyzer.sigma.ir`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from sigma import exceptions
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.filters import SigmaFilter
from sigma.rule import SigmaDetection, SigmaDetections, SigmaRule, SigmaRuleBase
from sigma.rule.base import SigmaYAMLLoader, check_alias_expansion
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

from loganalyzer.schema import LogSource
from loganalyzer.sigma.ir import ANY_ONE, ANY_RUN, And, Condition, Leaf, Not, Op, Or, join_pattern
from loganalyzer.sigma.rule import FaultKind


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document is no usable rule; ``path`` are the keys that lead to the place."""

    what: str
    path: tuple[str, ...]
    help: str
    kind: FaultKind = "invalid"


class RefusalError(Exception):
    """A refusal on its way up the tree."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Header:
    """What every kind of Sigma document says of itself."""

    id: str | None
    name: str | None
    title: str
    level: str | None
    status: str | None
    description: str | None
    taxonomy: str


@dataclass(frozen=True, slots=True)
class Lowered:
    """What pySigma says of a valid rule, in plain values."""

    header: Header
    logsource: LogSource
    condition: Condition


@dataclass(frozen=True, slots=True)
class LoweredFilter:
    """A valid filter: the condition that a match must fulfil as well, and the rules (None: all) it is put to."""

    header: Header
    logsource: LogSource
    references: tuple[str, ...] | None
    condition: Condition


def yaml_loader(text: str) -> yaml.CSafeLoader:
    """pySigma's own loader: C speed, duplicate keys refused."""
    return SigmaYAMLLoader(text)


def lower_rule(document: Mapping[str, Any]) -> tuple[Lowered | None, tuple[Refusal, ...]]:
    """Checks one rule document and lowers it; with any refusal there is no rule."""
    try:
        rule, exact, refusals = _checked(SigmaRule, document, "detection")
        return (None if rule is None else Lowered(header_of(rule), *_detected(rule, rule.detection, exact))), refusals
    except RefusalError as error:
        return None, (error.refusal,)
    except Exception as error:  # noqa: BLE001  # pySigma raises what its input leads to: TypeError, KeyError, re2.error
        return None, (refused(error, document),)


def lower_filter(document: Mapping[str, Any]) -> tuple[LoweredFilter | None, tuple[Refusal, ...]]:
    """Checks one filter document (Sigma filters specification 2.1) and lowers it; with any refusal there is none."""
    try:
        found, exact, refusals = _checked(SigmaFilter, document, "filter")
        if found is None:
            return None, refusals
        named = found.filter.rules
        references = None if isinstance(named, str) else tuple(reference.reference for reference in named)
        source, condition = _detected(found, found.filter, exact)
        return LoweredFilter(header_of(found), source, references, condition), ()
    except RefusalError as error:
        return None, (error.refusal,)
    except Exception as error:  # noqa: BLE001  # as above
        return None, (refused(error, document),)


_Read = TypeVar("_Read", SigmaRule, SigmaFilter)


def _checked(
    kind: type[_Read], document: Mapping[str, Any], section: str
) -> tuple[_Read | None, Mapping[int, int], tuple[Refusal, ...]]:
    """pySigma's reading of a document whose detections stand under ``section``, and what leads back to its numbers."""
    exact: dict[int, int] = {}
    try:
        check_alias_expansion(document)
    except exceptions.SigmaError as error:
        why = Refusal(str(error), (), "write the values out instead of using aliases", "unreadable")
        return None, exact, (why,)
    _check_modifiers(document.get(section))
    safe = {**document, section: _respelled(_keep_large_integers(document.get(section), exact))}
    if document.get(section) is None:
        del safe[section]
    read = kind.from_dict(safe, collect_errors=True)
    if read.errors:
        return None, exact, tuple(refused(error, document) for error in read.errors)
    return read, exact, ()


def header_of(rule: SigmaRuleBase) -> Header:
    """The header of a document as plain values."""
    return Header(
        id=None if rule.id is None else str(rule.id),
        name=rule.name,
        title=rule.title,
        level=None if rule.level is None else str(rule.level),
        status=None if rule.status is None else str(rule.status),
        description=rule.description,
        taxonomy=rule.taxonomy,
    )


#: No documented chain is longer than four; ``base64`` and ``base64offset`` multiply a value each time.
_MOST_MODIFIERS = 5


def _check_modifiers(node: Any) -> None:
    """Raises RefusalError for a field with more modifiers than make sense."""
    for name, value in node.items() if isinstance(node, dict) else ():
        if isinstance(name, str) and name.count("|") > _MOST_MODIFIERS:
            what = f"{name[:40]!r} has more than {_MOST_MODIFIERS} modifiers"
            raise RefusalError(Refusal(what, ("detection",), "leave out those that say nothing"))
        _check_modifiers(value)
    for value in node if isinstance(node, list) else ():
        _check_modifiers(value)


def _respelled(node: Any) -> Any:
    """Copies a detection with each field's modifiers as pySigma knows them.

    The specification's ``utf16le`` is ``wide``; ``cased`` comes last, for pySigma forgets it where another modifier
    makes a new text after it.
    """
    if isinstance(node, list):
        return [_respelled(value) for value in node]
    if not isinstance(node, dict):
        return node
    copied: dict[Any, Any] = {}
    for name, value in node.items():
        spelled = _respelled_name(name) if isinstance(name, str) else name
        copied[name if spelled in node else spelled] = _respelled(value)
    return copied


def _respelled_name(name: str) -> str:
    field, *modifiers = name.split("|")
    known = ["wide" if modifier == "utf16le" else modifier for modifier in modifiers]
    return "|".join([field, *sorted(known, key="cased".__eq__)])


#: pySigma holds a number as a float if the float's value differs from it, so that integers beyond 2**53 change.
_LARGEST_EXACT = 2**53


def _keep_large_integers(node: Any, exact: dict[int, int]) -> Any:
    """Copies a detection; each integer that pySigma would round becomes a stand-in, ``exact`` leads back."""
    if isinstance(node, dict):
        return {key: _keep_large_integers(value, exact) for key, value in node.items()}
    if isinstance(node, list):
        return [_keep_large_integers(value, exact) for value in node]
    whole = isinstance(node, int) or (isinstance(node, float) and node.is_integer())
    if whole and abs(node) >= _LARGEST_EXACT // 2:
        stand_in = -(_LARGEST_EXACT // 2) - len(exact)  # values of this size are themselves replaced: no collision
        exact[stand_in] = int(node)
        return stand_in
    return node


def _detected(
    rule: SigmaRule | SigmaFilter, detections: SigmaDetections, exact: Mapping[int, int]
) -> tuple[LogSource, Condition]:
    source = rule.logsource
    conditions = [condition.parsed for condition in detections.parsed_condition]
    return (
        LogSource(source.product, source.service, source.category),
        _any([_condition(condition, exact) for condition in conditions]),
    )


def _condition(node: object, exact: Mapping[int, int]) -> Condition:
    match node:
        case ConditionAND(args=args):
            return _all([_condition(arg, exact) for arg in args])
        case ConditionOR(args=args):
            return _any([_condition(arg, exact) for arg in args])
        case ConditionNOT(args=[arg]):
            return Not(_condition(arg, exact))
        case ConditionFieldEqualsValueExpression(field=field, value=value):
            return _question(field, value, exact)
        case ConditionValueExpression(value=value):
            return _question(None, value, exact)
    raise RefusalError(Refusal("the condition asks for nothing", ("detection", "condition"), "name a detection in it"))


def _flat(items: Iterable[Condition], kind: type[And] | type[Or]) -> Iterator[Condition]:
    for item in items:
        if isinstance(item, kind):
            yield from item.items
        else:
            yield item


def _all(items: Iterable[Condition]) -> Condition:
    flat = tuple(_flat(items, And))
    return flat[0] if len(flat) == 1 else And(flat)


def _any(items: Iterable[Condition]) -> Condition:
    """An Or in which all values that ask one field the same question are one leaf."""
    merged: dict[object, Condition] = {}
    for item in _flat(items, Or):
        key = (item.field, item.op, item.cased) if isinstance(item, Leaf) else len(merged)
        known = merged.get(key)
        if isinstance(known, Leaf) and isinstance(item, Leaf):
            item = Leaf(item.field, item.op, tuple(dict.fromkeys(known.values + item.values)), item.cased)
        merged[key] = item
    flat = tuple(merged.values())
    return flat[0] if len(flat) == 1 else Or(flat)


_COMPARISONS: Mapping[CompareOperators, Op] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}
_TIME_PARTS: Mapping[TimestampPart, Op] = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "day",
    TimestampPart.WEEK: "week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}
_REFERENCES: Mapping[tuple[bool, bool], Op] = {
    (False, False): "fieldref",
    (True, False): "fieldref_startswith",
    (False, True): "fieldref_endswith",
    (True, True): "fieldref_contains",
}


def _question(field: str | None, value: SigmaType, exact: Mapping[int, int]) -> Condition:
    """One field (None: a keyword) and one value as a leaf."""
    plain: Op = "equals" if field is not None else "contains"
    match value:
        case SigmaExpansion(values=values):
            return _any([_question(field, each, exact) for each in values])
        case SigmaString():
            return _text_question(field, value)
        case SigmaRegularExpression():
            return Leaf(field, "re", (_regex(value),), cased=True)
        case SigmaCIDRExpression(network=network):
            return Leaf(field, "cidr", (str(network),))
        case SigmaBool(boolean=boolean):
            return Leaf(field, plain, ("true" if boolean else "false",))
        case SigmaTimestampPart(timestamp_part=part, number=number) if field is not None:
            return Leaf(field, _TIME_PARTS[part], (int(number),))
        case SigmaNumber(number=number) if not isinstance(value, SigmaTimestampPart):
            return Leaf(field, plain, (str(_exact(number, exact)),))
        case SigmaCompareExpression(number=number, op=op) if field is not None and op in _COMPARISONS:
            return Leaf(field, _COMPARISONS[op], (_exact(number.number, exact),))
        case SigmaFieldReference(field=other) if field is not None:
            return Leaf(field, _REFERENCES[value.starts_with, value.ends_with], (other,))
        case SigmaExists(exists=exists) if field is not None:
            return Leaf(field, "exists" if exists else "missing")
        case SigmaNull() if field is not None:
            return Leaf(field, "missing")
    kind = type(value).__name__.removeprefix("Sigma").lower()
    raise RefusalError(
        Refusal(
            f"a {kind} cannot be asked of {field or 'all fields at once'}",
            ("detection",),
            "give it a field, or write it as a text",
        )
    )


def _exact(number: int | float, exact: Mapping[int, int]) -> int | float:
    return exact.get(number, number) if isinstance(number, int) else number


def _text_question(field: str | None, value: SigmaString) -> Leaf:
    cased = isinstance(value, SigmaCasedString)
    star = (True, ANY_RUN)
    parts: list[tuple[bool, str]] = [] if field is not None else [star]
    for special, text in [*_parts(value), *([] if field is not None else [star])]:
        if special and text == ANY_RUN and parts and parts[-1] == star:
            continue
        if not special and parts and not parts[-1][0]:
            parts[-1] = (False, parts[-1][1] + text)
        else:
            parts.append((special, text))
    match parts:
        case []:
            return Leaf(field, "equals", ("",), cased)
        case [(False, text)]:
            return Leaf(field, "equals", (text,), cased)
        case [(True, "*")]:
            return Leaf(field, "exists")
        case [(True, "*"), (False, text), (True, "*")]:
            return Leaf(field, "contains", (text,), cased)
        case [(False, text), (True, "*")]:
            return Leaf(field, "startswith", (text,), cased)
        case [(True, "*"), (False, text)]:
            return Leaf(field, "endswith", (text,), cased)
    return Leaf(field, "wildcard", (join_pattern(parts),), cased)


def _parts(value: SigmaString) -> Iterator[tuple[bool, str]]:
    for part in value.s:
        if isinstance(part, Placeholder):
            raise _placeholder(part)
        if isinstance(part, SpecialChars):
            yield True, ANY_RUN if part is SpecialChars.WILDCARD_MULTI else ANY_ONE
        elif part:
            yield False, part


def _regex(value: SigmaRegularExpression) -> str:
    for part in value.regexp.s:
        if isinstance(part, Placeholder):
            raise _placeholder(part)
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return (f"(?{flags})" if flags else "") + str(value.regexp)


def _placeholder(part: Placeholder) -> RefusalError:
    return RefusalError(
        Refusal(
            f"the placeholder %{part.name}% has no value",
            ("detection",),
            "write the values themselves instead of |expand",
            "unsupported",
        )
    )


#: Where the fault of an exception lies; what is not named lies in the detections.
_PLACES: Mapping[type[Exception], tuple[str, ...]] = {
    exceptions.SigmaTitleError: ("title",),
    exceptions.SigmaLogsourceError: ("logsource",),
    exceptions.SigmaConditionError: ("detection", "condition"),
    exceptions.SigmaIdentifierError: ("id",),
    exceptions.SigmaNameError: ("name",),
    exceptions.SigmaTaxonomyError: ("taxonomy",),
    exceptions.SigmaRelatedError: ("related",),
    exceptions.SigmaLevelError: ("level",),
    exceptions.SigmaStatusError: ("status",),
    exceptions.SigmaDateError: ("date",),
    exceptions.SigmaTagError: ("tags",),
    exceptions.SigmaFieldsError: ("fields",),
    exceptions.SigmaFalsePositivesError: ("falsepositives",),
    exceptions.SigmaAuthorError: ("author",),
    exceptions.SigmaDescriptionError: ("description",),
    exceptions.SigmaReferencesError: ("references",),
}

_HELP: Mapping[str, str] = {
    "title": "give the rule a title of at most 256 characters",
    "logsource": "name a product, a service or a category, each as text",
    "id": "write a new UUID, for example from uuidgen",
    "level": "use informational, low, medium, high or critical",
    "status": "use stable, test, experimental, deprecated or unsupported",
    "date": "write it as yyyy-mm-dd",
    "condition": "join the detections of this rule with and, or, not, '1 of x_*' and 'all of x_*'",
    "detection": "see the Sigma specification for detections and their modifiers",
}


def refused(error: Exception, document: Mapping[str, Any]) -> Refusal:
    """A fault that pySigma found, with the keys that lead to it."""
    path = _PLACES.get(type(error), ("detection",))
    if path == ("detection",):
        section = next((key for key in ("detection", "filter", "correlation") if key in document), "detection")
        path = (section, *_faulty_detection(document.get(section)))
    what = re.sub(r"<sigma\.types\.Sigma(\w+) object at 0x\w+>", r"\1", str(error)) or type(error).__name__
    what = re.sub(r": b(['\"])(.*)\1$", r": \2", what)  # RE2 gives its reason as bytes
    if not isinstance(error, exceptions.SigmaError):
        what = f"no valid Sigma rule: {what}"
    help = _HELP.get(path[-1]) or _HELP.get(path[0]) or f"see the Sigma specification for {path[0]!r}"
    return Refusal(what, path, help)


def _faulty_detection(detection: object) -> tuple[str, ...]:
    """pySigma does not say which detection is wrong: try them one by one, then each of its fields."""
    if not isinstance(detection, dict):
        return ()
    for name, definition in detection.items():
        if name in ("condition", "rules") or _is_valid(definition):
            continue
        if isinstance(definition, dict):
            for key, value in definition.items():
                if not _is_valid({key: value}):
                    return str(name), str(key)
        return (str(name),)
    return ()


def _is_valid(definition: Any) -> bool:
    try:
        SigmaDetection.from_definition(_respelled(definition))
    except Exception:  # noqa: BLE001  # as above: it raises what its input leads to
        return False
    return True

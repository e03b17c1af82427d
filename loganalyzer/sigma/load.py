"""Reads rule files: YAML text in, rules and every fault out. One bad rule never stops the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from msgspec import Struct

from loganalyzer.errors import Location
from loganalyzer.sigma.attribution import read_attribution
from loganalyzer.sigma.resolve import PendingCorrelation, PendingFilter, apply_filters, resolve
from loganalyzer.sigma.rule import Attribution, Correlation, Loaded, Rule, SigmaRuleError

if TYPE_CHECKING:
    from loganalyzer.sigma.lower import Header, Refusal

_Outcome: TypeAlias = "Rule | PendingCorrelation | PendingFilter | SigmaRuleError"


def load_rules(files: Mapping[str, str]) -> Loaded:
    """Reads Sigma rules, correlations and filters from YAML texts, each under the path that faults are reported with.

    A file may hold several documents; documents refer to each other across all files. Faults are collected, never
    raised: a text that is no YAML, a duplicate key, an invalid rule, a wrong key ``loganalyzer``, a reference to
    nothing.
    """
    read: list[Rule | PendingCorrelation | PendingFilter] = []
    faults: list[SigmaRuleError] = []
    for path, text in files.items():
        for chunk, first_line in _documents(text):
            for outcome in _read_chunk(chunk, path, first_line):
                if isinstance(outcome, SigmaRuleError):
                    faults.append(outcome)
                else:
                    read.append(outcome)
    rules, unused = apply_filters(
        [one for one in read if isinstance(one, Rule)], [one for one in read if isinstance(one, PendingFilter)]
    )
    correlations, dangling = resolve(rules, [one for one in read if isinstance(one, PendingCorrelation)])
    return Loaded(rules, (*faults, *unused, *dangling), correlations)


def _documents(text: str) -> Iterator[tuple[str, int]]:
    """The text cut before each document marker, so that a syntax error stays in its document; with line offsets.

    YAML forbids ``---`` at the start of a line inside any scalar, so the cut is safe.
    """
    starts = [0, *(match.start() for match in re.finditer(r"(?m)^---(?=\s|\Z)", text) if match.start() > 0)]
    first_line = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        chunk = text[start:end]
        if any(line.strip() and not line.startswith(("#", "%")) for line in chunk.splitlines()):
            yield chunk, first_line
        first_line += chunk.count("\n")


class _Document(Struct, frozen=True):
    """One composed YAML document, which knows the line of each of its keys."""

    path: str
    node: yaml.Node
    first_line: int

    def at(self, *keys: str | int) -> Location:
        """The place of the value that ``keys`` lead to, or of the last of them that exists."""
        node, mark = self.node, self.node.start_mark
        for key in keys:
            found = self._child(node, key)
            if found is None:
                break
            node, mark = found
        return Location(self.path, self.first_line + mark.line + 1)

    @staticmethod
    def _child(node: yaml.Node, key: str | int) -> tuple[yaml.Node, Any] | None:
        if isinstance(key, int) and isinstance(node, yaml.SequenceNode) and key < len(node.value):
            return node.value[key], node.value[key].start_mark
        if isinstance(key, str) and isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                if name.value == key:
                    return value, name.start_mark
        return None


def _read_chunk(chunk: str, path: str, first_line: int) -> Iterator[_Outcome]:
    for document in _compose(chunk, path, first_line):
        if isinstance(document, SigmaRuleError):
            yield document
            continue
        duplicates = list(_duplicate_keys(document))
        if duplicates:
            yield from duplicates
            continue
        try:
            data = _loader("").construct_document(document.node)
        except _YAML_FAULTS as error:
            yield _unreadable(error, document.path, document.at().line or 1)
        else:
            yield from _read_document(data, document)


#: What PyYAML raises: its own errors, ValueError for an impossible date, TypeError for a key that is a list.
_YAML_FAULTS = (yaml.YAMLError, ValueError, TypeError, RecursionError)


def _loader(text: str) -> yaml.CSafeLoader:
    from loganalyzer.sigma.lower import yaml_loader  # brings pySigma in, only when a rule file is read

    return yaml_loader(text)


#: Lists and maps inside each other. PyYAML's C composer recurses without a limit of its own and ends the process.
_DEEPEST = 64
#: Where nothing of this stands, nothing is nested that deeply: the look at each event can be saved.
_MAYBE_DEEP = re.compile(rf"(?m)^[ ?:-]{{{_DEEPEST // 2},}}|(?:[\[{{][^\[{{]*){{{_DEEPEST},}}")


def _check_depth(chunk: str) -> None:
    """Raises yaml.YAMLError for lists and maps nested more deeply than any rule."""
    depth = 0
    for event in yaml.parse(chunk, Loader=yaml.CSafeLoader) if _MAYBE_DEEP.search(chunk) else ():
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"more than {_DEEPEST} lists and maps inside each other")


def _compose(chunk: str, path: str, first_line: int) -> Iterator[_Document | SigmaRuleError]:
    try:
        _check_depth(chunk)
        loader = _loader(chunk)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None, "check_node has said that there is one"
            yield _Document(path, node, first_line)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        yield _unreadable(error, path, first_line + (mark.line if mark is not None else 0) + 1)
    except _YAML_FAULTS as error:
        yield _unreadable(error, path, first_line + 1)


def _unreadable(error: Exception, path: str, line: int) -> SigmaRuleError:
    if isinstance(error, yaml.MarkedYAMLError):
        what = " ".join(part for part in (error.context, error.problem) if part)
    else:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
    help = "mend the YAML here, or just above"
    return SigmaRuleError("unreadable", f"no valid YAML: {what}", Location(path, line), help)


def _duplicate_keys(document: _Document) -> Iterator[SigmaRuleError]:
    """YAML's readers let the last of two equal keys win in silence; here both are an error."""
    pending, seen = [document.node], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            names: set[tuple[str, str]] = set()
            for name, value in node.value:
                if isinstance(name, yaml.ScalarNode) and (name.tag, name.value) in names:
                    where = Location(document.path, document.first_line + name.start_mark.line + 1)
                    yield SigmaRuleError("invalid", f"duplicate key {name.value!r}", where, "keep one of the two")
                if isinstance(name, yaml.ScalarNode):
                    names.add((name.tag, name.value))
                pending.append(value)


def _read_document(data: object, document: _Document) -> Iterator[_Outcome]:
    if data is None:
        return
    if not isinstance(data, dict):
        what = f"a rule is a YAML map, this is a {type(data).__name__}"
        yield SigmaRuleError("invalid", what, document.at(), "start with 'title:'")
    elif "action" in data:
        help = "write each rule out in full"
        yield SigmaRuleError("unsupported", "collection actions are not supported", document.at("action"), help)
    elif "correlation" in data:
        yield from _read_correlation(data, document)
    elif "filter" in data:
        yield from _read_filter(data, document)
    else:
        yield from _read_rule(data, document)


def _read_rule(data: Mapping[str, Any], document: _Document) -> Iterator[_Outcome]:
    from loganalyzer.sigma.lower import lower_rule

    lowered, refusals = lower_rule(data)
    attribution, faults = _attributed(data, document, refusals)
    if lowered is None or faults:
        yield from faults
        return
    yield Rule(
        **_signature(lowered.header, attribution, document.at()),
        logsource=lowered.logsource,
        condition=lowered.condition,
    )


def _read_correlation(data: Mapping[str, Any], document: _Document) -> Iterator[_Outcome]:
    from loganalyzer.sigma.lower_correlation import lower_correlation

    lowered, refusals = lower_correlation(data)
    attribution, faults = _attributed(data, document, refusals)
    if lowered is None or faults:
        yield from faults
        return
    correlation = Correlation(
        **_signature(lowered.header, attribution, document.at()),
        type=lowered.type,
        rules=lowered.references,
        group_by=lowered.group_by,
        timespan=lowered.timespan,
        aliases=lowered.aliases,
        thresholds=lowered.thresholds,
        alternatives=lowered.alternatives,
        fields=lowered.fields,
        percentile=lowered.percentile,
        generate=lowered.generate,
        logsources=(),
    )
    yield PendingCorrelation(correlation, document.at("correlation", "rules"))


def _signature(header: Header, attribution: Attribution | None, where: Location) -> dict[str, Any]:
    """What every kind of rule says of itself; one without an id is called by its place."""
    return {**asdict(header), "id": header.id or str(where), "attribution": attribution, "location": where}


def _read_filter(data: Mapping[str, Any], document: _Document) -> Iterator[_Outcome]:
    from loganalyzer.sigma.lower import lower_filter

    lowered, refusals = lower_filter(data)
    if lowered is None:
        yield from _told(refusals, document)
        return
    yield PendingFilter(lowered.logsource, lowered.references, lowered.condition, document.at("filter", "rules"))


def _attributed(
    data: Mapping[str, Any], document: _Document, refusals: Sequence[Refusal]
) -> tuple[Attribution | None, list[SigmaRuleError]]:
    """The key ``loganalyzer``, and all faults of the document."""
    faults = _told(refusals, document)
    if "loganalyzer" not in data or any(refusal.kind == "unreadable" for refusal in refusals):
        return None, faults
    attribution, wrong = read_attribution(data["loganalyzer"])
    faults += [
        SigmaRuleError("invalid", fault.what, document.at("loganalyzer", *fault.keys), fault.help) for fault in wrong
    ]
    return attribution, faults


def _told(refusals: Iterable[Refusal], document: _Document) -> list[SigmaRuleError]:
    return [SigmaRuleError(one.kind, one.what, document.at(*one.path), one.help) for one in refusals]

"""Reads rule files: YAML text in, rules and every fault out. One bad rule never stops the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from loganalyzer.errors import Location
from loganalyzer.sigma.attribution import read_attribution
from loganalyzer.sigma.rule import Correlation, Rule, SigmaRuleError


@dataclass(frozen=True, slots=True)
class Loaded:
    """Event rules in the order of their files, the faults of the documents that are no rules, and correlations.

    Filters are applied to the rules that they name. A correlation stands after those that it refers to.
    """

    rules: tuple[Rule, ...]
    faults: tuple[SigmaRuleError, ...]
    correlations: tuple[Correlation, ...] = ()

    @property
    def silent(self) -> frozenset[str]:
        """Ids of what is there for a correlation only, which does not ask for its own matches (``generate``)."""
        return frozenset(name for one in self.correlations if not one.generate for name in one.rules)


def load_rules(files: Mapping[str, str]) -> Loaded:
    """Reads Sigma rules from YAML texts, each under the path that faults are reported with.

    A file may hold several documents. Faults are collected, never raised: a text that is no YAML, a duplicate key, an
    invalid rule, a wrong key ``loganalyzer``, a correlation (not supported yet).
    """
    rules: list[Rule] = []
    faults: list[SigmaRuleError] = []
    for path, text in files.items():
        for chunk, first_line in _documents(text):
            for outcome in _read_chunk(chunk, path, first_line):
                if isinstance(outcome, Rule):
                    rules.append(outcome)
                else:
                    faults.append(outcome)
    return Loaded(tuple(rules), tuple(faults))


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


@dataclass(frozen=True, slots=True)
class _Document:
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


def _read_chunk(chunk: str, path: str, first_line: int) -> Iterator[Rule | SigmaRuleError]:
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


_UNSUPPORTED: Mapping[str, tuple[str, str]] = {
    "correlation": ("correlations are not supported yet", "use a rule over a derived frame (category gap or fact)"),
    "filter": ("filters are not supported", "write the exception into the rule's own condition"),
    "action": ("collection actions are not supported", "write each rule out in full"),
}


def _read_document(data: object, document: _Document) -> Iterator[Rule | SigmaRuleError]:
    from loganalyzer.sigma.lower import lower_rule

    if data is None:
        return
    if not isinstance(data, dict):
        what = f"a rule is a YAML map, this is a {type(data).__name__}"
        yield SigmaRuleError("invalid", what, document.at(), "start with 'title:'")
        return
    for key, (what, help) in _UNSUPPORTED.items():
        if key in data:
            yield SigmaRuleError("unsupported", what, document.at(key), help)
            return
    lowered, refusals = lower_rule(data)
    faults = [
        SigmaRuleError(refusal.kind, refusal.what, document.at(*refusal.path), refusal.help) for refusal in refusals
    ]
    attribution = None
    if "loganalyzer" in data and not any(refusal.kind == "unreadable" for refusal in refusals):
        attribution, wrong = read_attribution(data["loganalyzer"])
        faults += [
            SigmaRuleError("invalid", fault.what, document.at("loganalyzer", *fault.keys), fault.help)
            for fault in wrong
        ]
    if lowered is None or faults:
        yield from faults
        return
    where = document.at()
    yield Rule(
        id=lowered.id or str(where),
        name=lowered.name,
        title=lowered.title,
        level=lowered.level,
        status=lowered.status,
        description=lowered.description,
        taxonomy=lowered.taxonomy,
        logsource=lowered.logsource,
        condition=lowered.condition,
        attribution=attribution,
        location=where,
    )

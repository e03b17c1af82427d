"""What a built-in rule must be beyond valid: proved, attributed, findable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from loganalyzer.sigma.bind import BindError, check_regexes
from loganalyzer.sigma.ir import leaves, required_literals
from loganalyzer.sigma.rule import Rule, SigmaRuleError
from loganalyzer.sigma.taxonomy import is_own, is_text_log, unmapped


def lint(rules: Sequence[Rule], causes: Collection[str] | None = None) -> tuple[SigmaRuleError, ...]:
    """Faults of quality, in the order of the rules. ``causes``: the ids that the catalogue knows; None: not checked."""
    ids = Counter(rule.id for rule in rules)
    names = Counter(rule.name for rule in rules)
    return tuple(
        SigmaRuleError("quality", f"{rule.name or rule.id}: {what}", rule.location, help)
        for rule in rules
        for what, help in (
            *_identity(rule, ids[rule.id], names[rule.name]),
            *_attribution(rule, causes),
            *_examples(rule),
            *_condition(rule),
        )
    )


def _identity(rule: Rule, same_id: int, same_name: int) -> Iterator[tuple[str, str]]:
    try:
        UUID(rule.id)
    except ValueError:
        yield "no id", "give it a new UUID, for example from uuidgen"
    if same_id > 1:
        yield f"{same_id} rules have the id {rule.id}", "give each its own UUID"
    if not rule.name:
        yield "no name", "give it a name in snake_case"
    elif same_name > 1:
        yield f"{same_name} rules have this name", "give each its own name"
    if rule.level is None:
        yield "no level", "use informational, low, medium, high or critical"


def _attribution(rule: Rule, causes: Collection[str] | None) -> Iterator[tuple[str, str]]:
    if rule.attribution is None:
        yield "no key 'loganalyzer'", "say its role, and which cause it supports or refutes"
    elif rule.attribution.cause is not None and causes is not None and rule.attribution.cause not in causes:
        yield f"the catalogue has no cause {rule.attribution.cause!r}", "use the id of a cause of the catalogue"


def _examples(rule: Rule) -> Iterator[tuple[str, str]]:
    kinds = {example.match for example in rule.attribution.examples} if rule.attribution else set()
    if True not in kinds:
        yield "no example that matches", "add one with match: true"
    if False not in kinds:
        yield "no example that must not match", "add its nearest harmless neighbour with match: false"


def _condition(rule: Rule) -> Iterator[tuple[str, str]]:
    why = unmapped(rule.logsource)
    if why is not None:
        yield f"it can never run: {why}", "use a log source of ARCHITECTURE.md"
    if is_own(rule.logsource) and rule.taxonomy != "loganalyzer":
        yield "its log source is ours, its taxonomy is not", "add taxonomy: loganalyzer"
    if is_text_log(rule.logsource) and not required_literals(rule.condition):
        help = "add a text that every matching message contains; without one each line must be parsed"
        yield "no required literal", help
    for leaf in leaves(rule.condition):
        if leaf.op == "re":
            try:
                check_regexes(leaf.values)
            except BindError as error:
                yield str(error), "write a smaller regular expression"

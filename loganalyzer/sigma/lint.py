"""What a rule must be beyond valid: proved, attributed, findable. A plain Sigma rule of a user is only advised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from loganalyzer.sigma.bind import BindError, check_regexes
from loganalyzer.sigma.ir import leaves, required_literals
from loganalyzer.sigma.rule import Correlation, Rule, SigmaRuleError
from loganalyzer.sigma.taxonomy import is_own, is_text_log, unmapped

_Signature: TypeAlias = Rule | Correlation

#: Seconds. A bundle rarely covers more than a month, so that a longer timespan is a slip of the unit.
LONGEST_TIMESPAN = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Linted:
    """Faults of quality, in the order of the rules: ``errors`` are to be mended, ``advice`` may be followed."""

    errors: tuple[SigmaRuleError, ...]
    advice: tuple[SigmaRuleError, ...]


@dataclass(frozen=True, slots=True)
class _Flaw:
    """``plain_too``: it is an error in a plain Sigma rule as well, for the rule does not do what it says."""

    what: str
    help: str
    plain_too: bool = False


def lint(signatures: Sequence[_Signature], causes: Collection[str] | None = None, *, custom: bool = False) -> Linted:
    """Looks at event rules and correlations.

    Args:
        causes: the ids that the catalogue knows; None: not checked.
        custom: the rules are a user's own. One without the key ``loganalyzer`` is plain Sigma, and gets advice where a
            rule with the key gets an error.
    """
    ids = Counter(one.id for one in signatures)
    names = Counter(one.name for one in signatures)
    by_id = {one.id: one for one in signatures}
    errors: list[SigmaRuleError] = []
    advice: list[SigmaRuleError] = []
    for one in signatures:
        own = _condition(one) if isinstance(one, Rule) else _correlation(one, by_id)
        flaws = (*_identity(one, ids[one.id], names[one.name]), *_attribution(one, causes), *_examples(one), *own)
        for flaw in flaws:
            fault = SigmaRuleError("quality", f"{one.name or one.id}: {flaw.what}", one.location, flaw.help)
            (advice if custom and one.attribution is None and not flaw.plain_too else errors).append(fault)
    return Linted(tuple(errors), tuple(advice))


def _identity(one: _Signature, same_id: int, same_name: int) -> Iterator[_Flaw]:
    try:
        UUID(one.id)
    except ValueError:
        yield _Flaw("no id", "give it a new UUID, for example from uuidgen")
    if same_id > 1:
        yield _Flaw(f"{same_id} rules have the id {one.id}", "give each its own UUID", plain_too=True)
    if not one.name:
        yield _Flaw("no name", "give it a name in snake_case")
    elif same_name > 1:
        yield _Flaw(f"{same_name} rules have this name", "give each its own name")
    if one.level is None:
        yield _Flaw("no level", "use informational, low, medium, high or critical")


def _attribution(one: _Signature, causes: Collection[str] | None) -> Iterator[_Flaw]:
    if one.attribution is None:
        yield _Flaw("no key 'loganalyzer'", "say its role, which cause it supports or refutes, and give examples")
    elif one.attribution.cause is not None and causes is not None and one.attribution.cause not in causes:
        yield _Flaw(f"the catalogue has no cause {one.attribution.cause!r}", "use the id of a cause of the catalogue")


def _examples(one: _Signature) -> Iterator[_Flaw]:
    kinds = {example.match for example in one.attribution.examples} if one.attribution is not None else {True, False}
    if True not in kinds:
        yield _Flaw("no example that matches", "add one with match: true")
    if False not in kinds:
        yield _Flaw("no example that must not match", "add its nearest harmless neighbour with match: false")


def _condition(rule: Rule) -> Iterator[_Flaw]:
    why = unmapped(rule.logsource)
    if why is not None:
        yield _Flaw(f"it can never run: {why}", "use a log source of ARCHITECTURE.md")
    if is_own(rule.logsource) and rule.taxonomy != "loganalyzer":
        yield _Flaw("its log source is ours, its taxonomy is not", "add taxonomy: loganalyzer")
    if is_text_log(rule.logsource) and not required_literals(rule.condition):
        help = "add a text that every matching message contains; without one each line must be parsed"
        yield _Flaw("no required literal", help)
    for leaf in leaves(rule.condition):
        if leaf.op == "re":
            try:
                check_regexes(leaf.values)
            except BindError as error:
                yield _Flaw(str(error), "write a smaller regular expression", plain_too=True)


def _correlation(one: Correlation, by_id: Mapping[str, _Signature]) -> Iterator[_Flaw]:
    if one.timespan > LONGEST_TIMESPAN:
        what = f"its timespan is longer than {LONGEST_TIMESPAN // 86_400} days, and a bundle rarely is"
        yield _Flaw(what, "look at the unit: s, m, h, d, w, M, y")
    for name in dict.fromkeys(one.rules):
        below = by_id.get(name)
        role = below.attribution.role if below is not None and below.attribution is not None else "fact"
        if role != "fact" and not one.generate:
            called = below.name or below.title if below is not None else name
            what = f"it takes the matches of {called!r}, whose role is {role}, so that they speak for nothing"
            help = "give that rule the role fact, or this one 'generate: true'"
            yield _Flaw(what, help, plain_too=True)

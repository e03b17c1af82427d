"""What will be asked of the entries of a log, as texts: an entry that holds none of them needs no row.

Rules and the tables of derived rows ask for wordings. Of each a set of texts is known of which one stands in whatever
it fits. Something of which no text is known makes that log source one that is read whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from loganalyzer.facts import Tables
from loganalyzer.facts.tables import Pattern
from loganalyzer.parser import Selection
from loganalyzer.required_text import SHORTEST, most_telling, texts_of_regex
from loganalyzer.schema import LogSource
from loganalyzer.sigma.ir import And, Condition, Leaf, Not, Or, literal_of
from loganalyzer.sigma.rule import Rule, SigmaRuleError
from loganalyzer.sigma.taxonomy import FIELD_ALIASES, scopes, speaks_of

#: Columns whose text stands in the entry itself, in any case; ``payload`` is decoded from it, and its entry is kept.
_OF_THE_ENTRY = frozenset(
    {
        "message",
        "event.original",
        "handler",
        "handler_version",
        "log.level",
        "log.logger",
        "payload",
        "process.thread.name",
    }
)

#: Logs up to this size are read whole: to be read in part must be worth its preparations.
LONG = 4 << 20


def selection_for(rules: Sequence[Rule], tables: Tables) -> Selection:
    """What these rules and tables ask."""

    @cache
    def texts(logsource: LogSource) -> frozenset[str] | None:
        asked = [
            *(_texts_of(rule.condition) for rule in rules if _reads(rule, logsource)),
            *(_texts_of_pattern(one) for one in tables.patterns if one.logsource.covers(logsource)),
        ]
        return frozenset().union(*asked) if all(asked) else None

    return Selection(texts)


#: The log sources whose long logs are read in part.
READ_IN_PART = (LogSource("linux", "waagent"),)


def without_text(rules: Iterable[Rule]) -> list[SigmaRuleError]:
    """Advice on the rules for whose sake long logs are read whole, which takes much longer."""
    return [
        SigmaRuleError(
            "quality",
            f"{rule.title}: no text is known that stands in whatever it fits, so that long logs are read whole",
            rule.location,
            "let it also ask for a word of the message, with 'message|contains'",
        )
        for rule in rules
        if not _texts_of(rule.condition) and any(_reads(rule, logsource) for logsource in READ_IN_PART)
    ]


def _reads(rule: Rule, logsource: LogSource) -> bool:
    return any(speaks_of(scope.source, logsource) for scope in scopes(rule.logsource))


def _texts_of(condition: Condition) -> frozenset[str]:
    """Texts of which one stands in every entry that fits; empty: none is known."""
    match condition:
        case And(items):
            return most_telling(map(_texts_of, items))
        case Or(items):
            return _any_of(map(_texts_of, items))
        case Not():
            return frozenset()
        case Leaf(field, op, values):
            if field is None or FIELD_ALIASES.get(field, field) not in _OF_THE_ENTRY:
                return frozenset()
            known = (texts_of_regex(str(one)) if op == "re" else _text(literal_of(op, one)) for one in values)
            return _any_of(known)


def _any_of(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    known = list(parts)
    return frozenset().union(*known) if known and all(known) else frozenset()


def _text(literal: str) -> frozenset[str]:
    return frozenset({literal}) if len(literal) >= SHORTEST and literal.isascii() else frozenset()


def _texts_of_pattern(pattern: Pattern) -> frozenset[str]:
    own = texts_of_regex(pattern.regex) if pattern.column in _OF_THE_ENTRY else frozenset()
    where = (_any_of(map(_text, texts)) for name, texts in pattern.where.items() if name in _OF_THE_ENTRY)
    return most_telling([own, *where])

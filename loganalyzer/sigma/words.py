"""A condition in words, as its reader would say it: field, what is asked of it, value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loganalyzer.sigma.ir import And, Condition, Leaf, Not, Op, Or

#: Alternatives told of a leaf or an `Or`; of more the rest is counted.
MOST_TOLD: Final = 6

_OPS: Mapping[Op, str] = {
    "equals": "is {}",
    "contains": "holds {}",
    "startswith": "begins with {}",
    "endswith": "ends with {}",
    "wildcard": "fits the pattern {}",
    "re": "fits the regular expression {}",
    "cidr": "lies in {}",
    "lt": "is less than {}",
    "lte": "is at most {}",
    "gt": "is more than {}",
    "gte": "is at least {}",
    "fieldref": "is the same as the field {}",
    "fieldref_contains": "holds the field {}",
    "fieldref_startswith": "begins with the field {}",
    "fieldref_endswith": "ends with the field {}",
    "exists": "is there",
    "missing": "is not there",
    "minute": "has the minute {}",
    "hour": "has the hour {}",
    "day": "has the day {}",
    "week": "has the week {}",
    "month": "has the month {}",
    "year": "has the year {}",
}


def in_words(condition: Condition) -> str:
    """The condition in one line; text of a rule stands in it as the rule has it."""
    match condition:
        case And(items):
            return " and ".join(_inner(item) for item in items)
        case Or(items):
            return _some([_inner(item) for item in items])
        case Not(item):
            return f"not ({in_words(item)})"
        case Leaf(field, op, values, cased):
            told = _OPS[op].format(_some([_value(value, op) for value in values]))
            return f"{field or 'any field'} {told}{', in this case of letters' if cased and op != 're' else ''}"


def _inner(condition: Condition) -> str:
    told = in_words(condition)
    return f"({told})" if isinstance(condition, And | Or) else told


def _value(value: str | int | float, op: Op) -> str:
    plain = isinstance(value, int | float) or op.startswith("fieldref")
    return str(value) if plain else f'"{value}"'


def _some(texts: list[str]) -> str:
    shown = texts if len(texts) <= MOST_TOLD else [*texts[:MOST_TOLD], f"{len(texts) - MOST_TOLD} more"]
    return " or ".join(shown)

"""The project's own form of a Sigma condition: and, or, not and leaves, as plain values that JSON can hold.

It is what pySigma's tree is lowered to, what is stored precompiled, and what is bound to a frame's columns. It knows
neither pySigma nor polars.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

#: What a leaf asks of one field. A leaf is true where ANY of its values fits.
#: ``equals`` .. ``endswith`` hold plain text, ``wildcard`` a pattern (see `split_pattern`), ``re`` a regex with its
#: flags in front; ``exists`` and ``missing`` have no value; the last six compare a part of a time, in UTC.
Op: TypeAlias = Literal[
    "equals",
    "contains",
    "startswith",
    "endswith",
    "wildcard",
    "re",
    "cidr",
    "lt",
    "lte",
    "gt",
    "gte",
    "fieldref",
    "fieldref_contains",
    "fieldref_startswith",
    "fieldref_endswith",
    "exists",
    "missing",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
]
OPS: frozenset[str] = frozenset(get_args(Op))

Value: TypeAlias = str | int | float

#: Version of this form and of the rules around it. Whatever changes what a stored condition means, or how it is
#: written, gets the next number; forms of other numbers are not read.
FORM_VERSION = 2


class And(Struct, frozen=True):
    """True where every item is."""

    items: tuple[Condition, ...]


class Or(Struct, frozen=True):
    """True where any item is."""

    items: tuple[Condition, ...]


class Not(Struct, frozen=True):
    """True where the item is false; a missing field makes a leaf false, never unknown."""

    item: Condition


class Leaf(Struct, frozen=True):
    """One question to one field. ``field`` None: a keyword, asked of every field, one at a time."""

    field: str | None
    op: Op
    values: tuple[Value, ...] = ()
    cased: bool = False


Condition: TypeAlias = And | Or | Not | Leaf

ANY_RUN = "*"
ANY_ONE = "?"


def split_pattern(pattern: str) -> list[tuple[bool, str]]:
    r"""A ``wildcard`` value as parts: (False, literal text) or (True, ``*`` or ``?``).

    In a pattern ``\*``, ``\?`` and ``\\`` stand for the character itself, and every literal one is written so.
    """
    parts: list[tuple[bool, str]] = []
    text, characters = "", iter(pattern)
    for character in characters:
        if character in (ANY_RUN, ANY_ONE):
            if text:
                parts.append((False, text))
                text = ""
            parts.append((True, character))
        else:
            text += next(characters, "") if character == "\\" else character
    if text:
        parts.append((False, text))
    return parts


def join_pattern(parts: Iterable[tuple[bool, str]]) -> str:
    """The inverse of `split_pattern`."""
    return "".join(
        text if special else text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
        for special, text in parts
    )


def to_json(condition: Condition) -> list[object]:
    """Nested lists of JSON's own types; `from_json` gives the same condition back."""
    match condition:
        case And(items):
            return ["and", *map(to_json, items)]
        case Or(items):
            return ["or", *map(to_json, items)]
        case Not(item):
            return ["not", to_json(item)]
        case Leaf(field, op, values, cased):
            return ["leaf", field, op, list(values), cased]


def from_json(data: object) -> Condition:
    """Reads what `to_json` wrote.

    Raises:
        ValueError: it is not such a form.
    """
    match data:
        case ["and", *items]:
            return And(tuple(map(from_json, items)))
        case ["or", *items]:
            return Or(tuple(map(from_json, items)))
        case ["not", item]:
            return Not(from_json(item))
        case ["leaf", str() | None as field, str() as op, list() as values, bool() as cased] if op in OPS:
            return Leaf(field, op, tuple(values), cased)  # type: ignore[arg-type]  # the guard has checked op
    raise ValueError(f"not a condition: {str(data)[:80]}")


def leaves(condition: Condition) -> list[Leaf]:
    """All leaves, from left to right."""
    match condition:
        case And(items) | Or(items):
            return [leaf for item in items for leaf in leaves(item)]
        case Not(item):
            return leaves(item)
        case Leaf():
            return [condition]


#: Fields that are text of the entry itself; what other fields hold may be normalised or come from elsewhere.
TEXT_FIELDS = frozenset({"message", "event.original"})


def required_literals(condition: Condition, fields: Collection[str] | None = TEXT_FIELDS) -> frozenset[str]:
    """Lower-case texts of which at least one stands in every event that fits; empty: nothing is required.

    Only leaves on ``fields`` and keywords count; None means leaves on any field.
    """
    match condition:
        case And(items):
            choices = [found for item in items if (found := required_literals(item, fields))]
            return max(choices, key=_selectivity, default=frozenset())
        case Or(items):
            alternatives = [required_literals(item, fields) for item in items]
            return frozenset().union(*alternatives) if all(alternatives) else frozenset()
        case Not():
            return frozenset()
        case Leaf(field):
            if field is not None and fields is not None and field not in fields:
                return frozenset()
            literals = [literal_of(condition.op, value) for value in condition.values]
            return frozenset(literals) if all(literals) else frozenset()


def _selectivity(literals: frozenset[str]) -> tuple[int, int, list[str]]:
    return min(map(len, literals)), -len(literals), sorted(literals)


def literal_of(op: Op, value: Value) -> str:
    """The lower-case text that stands in whatever the comparison with a value fits; empty: none is known."""
    if op in ("equals", "contains", "startswith", "endswith"):
        return str(value).lower()
    if op == "wildcard":
        texts = [text.lower() for special, text in split_pattern(str(value)) if not special]
        return max(texts, key=len, default="")
    return ""


#: The fields that name an event's type in a Windows event log.
EVENT_ID_FIELDS = frozenset({"EventID", "event.code"})


def event_ids(condition: Condition) -> frozenset[str] | None:
    """The event ids (as text) that an event must have one of; None: the condition does not say."""
    match condition:
        case And(items):
            known = [ids for item in items if (ids := event_ids(item)) is not None]
            return frozenset.intersection(*known) if known else None
        case Or(items):
            known = [ids for item in items if (ids := event_ids(item)) is not None]
            return frozenset().union(*known) if known and len(known) == len(items) else None
        case Leaf(field, "equals", values) if field in EVENT_ID_FIELDS:
            return frozenset(map(str, values))
    return None


def json_object(data: object) -> Mapping[str, object]:
    """``data`` as a JSON object.

    Raises:
        ValueError: it is none.
    """
    if isinstance(data, dict) and all(isinstance(key, str) for key in data):
        return data
    raise ValueError(f"not an object: {str(data)[:80]}")

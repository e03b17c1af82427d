"""A slow, obvious evaluator of Sigma 2 rules in plain Python: the judge of the engine.

It reads a rule's own dictionaries and knows neither pySigma's tree, nor polars, nor the engine. Semantics:

- A field that is missing and one that is null are the same; ``''`` is only the empty text, ``*`` any value there is.
- Texts are equal when their Unicode lower case is, unless ``cased``; wildcards cross line ends.
- A regex stands anywhere in the text and minds case. ``$`` is the very end, as in RE2 and Rust, not Python's "or before
  a last line end".
- A list fits where any of its elements does. Numbers and booleans are their decimal text, ``true`` and ``false``.
- A keyword is asked of the text of each field, one at a time, never of names or of fields joined.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import product
from typing import Any, TypeAlias

#: Field to text, integer, float, boolean, None, or a list of those.
Event: TypeAlias = Mapping[str, Any]
#: Whether an event fits.
Holds: TypeAlias = Callable[[Event], bool]
#: Whether the value of one field fits.
Fits: TypeAlias = Callable[[Any], bool]


class RefusedError(Exception):
    """The rule cannot be evaluated; the text says why."""


class Wildcard(Enum):
    """What stands for other characters in a text."""

    RUN = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Text:
    """Single characters and wildcards."""

    tokens: tuple[str | Wildcard, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression and its flags among ``i``, ``m`` and ``s``."""

    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """Addresses of one network."""

    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Limit:
    """A comparison with a number."""

    operator: str
    number: int | float


@dataclass(frozen=True, slots=True)
class Reference:
    """Another field whose value is the whole, the start, the end or any part of this one's."""

    field: str
    starts: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether the field is there."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class TimePart:
    """A part of a time in UTC; a week is one of ISO 8601."""

    part: str
    number: int


Value: TypeAlias = Text | Regex | Network | Limit | Reference | Presence | TimePart | bool | int | float | None


def compile_rule(document: Mapping[str, Any], unsearched: Collection[str] = ()) -> Holds:
    """The rule as a question to events. Keywords do not look at the fields ``unsearched``; the log source is not asked.

    Raises:
        RefusedError: the rule is no valid one, or a placeholder of it has no value.
    """
    definitions = {name: each for name, each in document["detection"].items() if name != "condition"}
    detections = {name: _detection(each, frozenset(unsearched)) for name, each in definitions.items()}
    conditions = document["detection"]["condition"]
    return _any_of([_Condition(each, detections).parse() for each in _as_list(conditions)])


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _all_of(questions: Sequence[Holds]) -> Holds:
    if len(questions) == 1:
        return questions[0]

    def holds(event: Event) -> bool:
        for question in questions:  # noqa: SIM110  # all() over a generator takes twice the time
            if not question(event):
                return False
        return True

    return holds


def _any_of(questions: Sequence[Holds]) -> Holds:
    if len(questions) == 1:
        return questions[0]

    def holds(event: Event) -> bool:
        for question in questions:  # noqa: SIM110  # as above
            if question(event):
                return True
        return False

    return holds


def _not(question: Holds) -> Holds:
    return lambda event: not question(event)


class _Condition:
    """Reads a condition: ``or`` of ``and`` of ``not`` of a name, a quantifier or a parenthesis."""

    def __init__(self, text: str, detections: Mapping[str, Holds]) -> None:
        self.tokens = re.findall(r"[()]|[^\s()]+", text)
        self.detections = detections

    def parse(self) -> Holds:
        """The whole text."""
        question = self._or()
        if self.tokens:
            raise RefusedError(f"unexpected {self.tokens[0]!r} in the condition")
        return question

    def _next(self, *wanted: str) -> bool:
        if not self.tokens or self.tokens[0] not in wanted:
            return False
        self.tokens.pop(0)
        return True

    def _or(self) -> Holds:
        questions = [self._and()]
        while self._next("or"):
            questions.append(self._and())
        return _any_of(questions)

    def _and(self) -> Holds:
        questions = [self._unary()]
        while self._next("and"):
            questions.append(self._unary())
        return _all_of(questions)

    def _unary(self) -> Holds:
        if self._next("not"):
            return _not(self._unary())
        if self._next("("):
            question = self._or()
            if not self._next(")"):
                raise RefusedError("a parenthesis is not closed")
            return question
        if not self.tokens:
            raise RefusedError("the condition ends too early")
        name = self.tokens.pop(0)
        if name in ("1", "any", "all") and self._next("of"):
            return self._quantified(name)
        if name not in self.detections:
            raise RefusedError(f"no detection is called {name!r}")
        return self.detections[name]

    def _quantified(self, quantifier: str) -> Holds:
        """Names that start with ``_`` are only meant where the pattern starts so, too."""
        pattern = self.tokens.pop(0)
        regex = ".*" if pattern == "them" else ".*".join(map(re.escape, pattern.split("*")))
        names = [name for name in self.detections if re.fullmatch(regex, name)]
        meant = [self.detections[name] for name in names if pattern.startswith("_") or not name.startswith("_")]
        if not meant:
            raise RefusedError(f"no detection is called {pattern!r}")
        return _all_of(meant) if quantifier == "all" else _any_of(meant)


def _detection(definition: Any, unsearched: frozenset[str]) -> Holds:
    """A map is true where all of its fields are; a list where any of its maps or keywords is."""
    if isinstance(definition, Mapping):
        if not definition:
            raise RefusedError("a detection asks for nothing")
        return _all_of([_item(key, value, unsearched) for key, value in definition.items()])
    if isinstance(definition, list) and any(isinstance(each, Mapping | list) for each in definition):
        return _any_of([_detection(each, unsearched) for each in definition])
    return _item("", definition, unsearched)


def _item(key: str, raw: Any, unsearched: frozenset[str]) -> Holds:
    """One ``field|modifiers: values``; what a modifier makes of one value are alternatives, also under ``all``."""
    field, *modifiers = key.split("|")
    unknown = set(modifiers) - MODIFIERS.keys() - {"all", "neq"}
    if unknown:
        raise RefusedError(f"unknown modifiers {sorted(unknown)}")
    values = [[_read(each, modifiers)] for each in _as_list(raw)] or [[None]]
    before: list[str] = []
    for modifier in modifiers if raw != [] else ():
        if modifier not in ("all", "neq"):
            values = [[new for each in part for new in MODIFIERS[modifier](each, before)] for part in values]
        before.append(modifier)
    questions = [_any_of([_question(field, each, unsearched) for each in part]) for part in values]
    question = _all_of(questions) if "all" in modifiers else _any_of(questions)
    return _not(question) if "neq" in modifiers else question


def _read(raw: Any, modifiers: Sequence[str]) -> Value:
    if "re" in modifiers:
        if modifiers[0] != "re" or not isinstance(raw, str):
            raise RefusedError("re is the first modifier, of a text")
        return Regex(raw)
    if isinstance(raw, str):
        return Text(_tokens(raw))
    if isinstance(raw, float) and raw.is_integer():
        return int(raw)
    if raw is None or isinstance(raw, bool | int | float):
        return raw
    raise RefusedError(f"a value cannot be a {type(raw).__name__}")


def _tokens(text: str) -> tuple[str | Wildcard, ...]:
    r"""``*`` and ``?`` are wildcards; a backslash before one of them, or before a backslash, takes its meaning away."""
    found: list[str | Wildcard] = []
    characters = iter(enumerate(text))
    for position, character in characters:
        if character == "\\" and text[position + 1 : position + 2] in ("*", "?", "\\"):
            found.append(next(characters)[1])
        elif character in "*?":
            found.append(Wildcard(character))
        else:
            found.append(character)
    return tuple(found)


def _runs(tokens: Iterable[str | Wildcard]) -> list[str | Wildcard]:
    """Neighbouring characters as one text, neighbouring ``*`` as one."""
    runs: list[str | Wildcard] = []
    for token in tokens:
        last = runs[-1] if runs else None
        if isinstance(token, str) and isinstance(last, str):
            runs[-1] = last + token
        elif not (token is Wildcard.RUN and last is Wildcard.RUN):
            runs.append(token)
    return runs


# --- modifiers: a value, and the modifiers before this one, to values of which any may fit ---


def _text(value: Value, plain: bool = False) -> Text:
    if not isinstance(value, Text):
        raise RefusedError("the modifier wants a text")
    if plain and any(isinstance(token, Wildcard) for token in value.tokens):
        raise RefusedError("the modifier wants a text without wildcards")
    return value


def _plain(value: Value) -> str:
    return "".join(str(token) for token in _text(value, plain=True).tokens)


def _part(starts: bool, ends: bool) -> Callable[[Value, Sequence[str]], list[Value]]:
    """``starts``: the value may go on after the text; ``ends``: something may come before it."""

    def modified(value: Value, _: Sequence[str]) -> list[Value]:
        if isinstance(value, Regex):
            return [value]  # it stands anywhere already
        if isinstance(value, Reference):
            return [replace(value, starts=value.starts or starts, ends=value.ends or ends)]
        head = (Wildcard.RUN,) if ends else ()
        tail = (Wildcard.RUN,) if starts else ()
        return [replace(_text(value), tokens=(*head, *_text(value).tokens, *tail))]

    return modified


def _windash(value: Value, _: Sequence[str]) -> list[Value]:
    """A dash or slash before a word, and not after one, may be any of five dashes."""
    pieces: list[Sequence[str | Wildcard]] = []
    for run in _runs(_text(value).tokens):
        if isinstance(run, Wildcard):
            pieces.append([run])
            continue
        starts = {match.start() for match in re.finditer(r"\B[-/]\b", run)}
        pieces += ["-/\u2013\u2014\u2015" if index in starts else character for index, character in enumerate(run)]
    if sum(len(piece) == 5 for piece in pieces) > 3:
        raise RefusedError("windash: more than three dashes in one value")
    return [replace(_text(value), tokens=tuple(choice)) for choice in product(*pieces)]


def _encoded(encoding: str, mark: str = "") -> Callable[[Value, Sequence[str]], list[Value]]:
    """The bytes of the encoding read as characters, behind a byte order mark if there is one."""

    def characters(run: str | Wildcard) -> Iterable[str | Wildcard]:
        return [run] if isinstance(run, Wildcard) else run.encode(encoding).decode()

    def modified(value: Value, _: Sequence[str]) -> list[Value]:
        try:
            tokens = [token for run in _runs(_text(value).tokens) for token in characters(run)]
        except UnicodeError as error:
            raise RefusedError("only ASCII can be made wide") from error
        return [replace(_text(value), tokens=(*mark, *tokens))]

    return modified


def _bytes(value: Value, before: Sequence[str]) -> bytes:
    text = _plain(value)
    return b"\xff\xfe" + text[1:].encode() if "utf16" in before and text[:1] == "\ufeff" else text.encode()


def _base64(value: Value, before: Sequence[str]) -> list[Value]:
    return [Text(tuple(base64.b64encode(_bytes(value, before)).decode()))]


def _base64offset(value: Value, before: Sequence[str]) -> list[Value]:
    """What of the encoded text does not depend on the bytes around it, behind none, one or two other bytes."""
    wanted = _bytes(value, before)
    found: list[Value] = []
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + wanted).decode()
        first = (shift * 8 + 5) // 6  # the first character that has no bit of the bytes before
        last = (shift + len(wanted)) * 8 // 6  # the first that has a bit of the bytes after
        found.append(Text(tuple(encoded[first:last])))
    return found


def _cased(value: Value, _: Sequence[str]) -> list[Value]:
    return [replace(_text(value), cased=True)]


def _regex(value: Value, _: Sequence[str]) -> list[Value]:
    return [value]


def _flag(flag: str) -> Callable[[Value, Sequence[str]], list[Value]]:
    def modified(value: Value, _: Sequence[str]) -> list[Value]:
        if not isinstance(value, Regex):
            raise RefusedError(f"{flag} is a flag of re")
        return [replace(value, flags=value.flags + flag)]

    return modified


def _cidr(value: Value, before: Sequence[str]) -> list[Value]:
    try:
        return [Network(ip_network(_plain(value)))]
    except ValueError as error:
        raise RefusedError(str(error)) from error


def _limit(operator: str) -> Callable[[Value, Sequence[str]], list[Value]]:
    return lambda value, _: [Limit(operator, _number(value))]


def _time_part(part: str) -> Callable[[Value, Sequence[str]], list[Value]]:
    return lambda value, _: [TimePart(part, int(_number(value)))]


def _number(value: Value) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError("the modifier wants a number")
    return value


def _fieldref(value: Value, _: Sequence[str]) -> list[Value]:
    return [Reference(_plain(value))]


def _exists(value: Value, before: Sequence[str]) -> list[Value]:
    if not isinstance(value, bool) or before:
        raise RefusedError("exists wants true or false, and no modifier before it")
    return [Presence(value)]


def _expand(value: Value, _: Sequence[str]) -> list[Value]:
    text = value.pattern if isinstance(value, Regex) else "".join(map(str, _runs(_text(value).tokens)))
    if re.search(r"%[^%\\]+%", text):
        raise RefusedError(f"a placeholder in {text!r} has no value")
    return [value]


MODIFIERS: Mapping[str, Callable[[Value, Sequence[str]], list[Value]]] = {
    "contains": _part(True, True),
    "startswith": _part(True, False),
    "endswith": _part(False, True),
    "windash": _windash,
    "wide": _encoded("utf-16-le"),
    "utf16le": _encoded("utf-16-le"),
    "utf16be": _encoded("utf-16-be"),
    "utf16": _encoded("utf-16-le", "\ufeff"),
    "base64": _base64,
    "base64offset": _base64offset,
    "cased": _cased,
    "re": _regex,
    "i": _flag("i"),
    "ignorecase": _flag("i"),
    "m": _flag("m"),
    "multiline": _flag("m"),
    "s": _flag("s"),
    "dotall": _flag("s"),
    "cidr": _cidr,
    "lt": _limit("lt"),
    "lte": _limit("lte"),
    "gt": _limit("gt"),
    "gte": _limit("gte"),
    "minute": _time_part("minute"),
    "hour": _time_part("hour"),
    "day": _time_part("day"),
    "week": _time_part("week"),
    "month": _time_part("month"),
    "year": _time_part("year"),
    "fieldref": _fieldref,
    "exists": _exists,
    "expand": _expand,
}


# --- questions: whether the value of a field fits ---


def _question(field: str, value: Value, unsearched: frozenset[str]) -> Holds:
    if not field:
        fits = _fits(_as_keyword(value))
        return lambda event: any(fits(each) for name, each in event.items() if name not in unsearched)
    if isinstance(value, Reference):
        return _refers(field, value)
    fits = _fits(value)
    return lambda event: fits(event.get(field))


def _as_keyword(value: Value) -> Value:
    """A text somewhere in the field; what is neither text nor address needs a field."""
    if isinstance(value, Text):
        return replace(value, tokens=(Wildcard.RUN, *value.tokens, Wildcard.RUN))
    if isinstance(value, bool | int | float):
        return Text((Wildcard.RUN, *texts(value)[0], Wildcard.RUN))
    if isinstance(value, Regex | Network):
        return value
    raise RefusedError("a keyword is a text")


def _refers(field: str, reference: Reference) -> Holds:
    def related(one: str, other: str) -> bool:
        if reference.starts and reference.ends:
            return other in one
        if reference.starts:
            return one.startswith(other)
        return one.endswith(other) if reference.ends else one == other

    def holds(event: Event) -> bool:
        others = [other.lower() for other in texts(event.get(reference.field))]
        return any(related(one.lower(), other) for one in texts(event.get(field)) for other in others)

    return holds


def texts(value: Any) -> list[str]:
    """The texts of a field's value: none of null, one of each element of a list."""
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    if isinstance(value, list):
        return [text for element in value for text in texts(element)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value).removesuffix(".0")]


def _fits(value: Value) -> Fits:
    match value:
        case None:
            return lambda found: found is None
        case Presence(wanted):
            return lambda found: (found is not None) is wanted
        case Text():
            return _fits_text(value)
        case Regex(pattern, flags):
            search = python_regex(pattern, flags).search
            return lambda found: any(search(text) for text in texts(found))
        case Network(network):
            return lambda found: any(_is_inside(text, network) for text in texts(found))
        case Limit():
            return lambda found: any(_compares(text, value) for text in texts(found))
        case TimePart():
            return lambda found: any(_has_part(text, value) for text in _as_list(found))
        case Reference():
            raise RefusedError("a keyword is a text")
    wanted_text = texts(value)[0]
    return lambda found: any(wanted_text == text.lower() for text in texts(found))


def _fits_text(value: Text) -> Fits:
    """Runs of letters are lowered as a whole, because some letters depend on their neighbours."""
    runs = [run if isinstance(run, Wildcard) or value.cased else run.lower() for run in _runs(value.tokens)]
    if runs == [Wildcard.RUN]:
        return lambda found: found is not None
    matches = _matcher(runs)
    if value.cased:
        return lambda found: any(matches(text) for text in texts(found))
    return lambda found: any(matches(text.lower()) for text in texts(found))


def _matcher(runs: Sequence[str | Wildcard]) -> Callable[[str], bool]:
    match runs:
        case []:
            return lambda text: text == ""
        case [str() as wanted]:
            return lambda text: text == wanted
        case [Wildcard.RUN, str() as wanted, Wildcard.RUN]:
            return lambda text: wanted in text
        case [str() as wanted, Wildcard.RUN]:
            return lambda text: text.startswith(wanted)
        case [Wildcard.RUN, str() as wanted]:
            return lambda text: text.endswith(wanted)
    meanings = {Wildcard.RUN: ".*", Wildcard.ONE: "."}
    parts = [re.escape(run) if isinstance(run, str) else meanings[run] for run in runs]
    whole = re.compile("".join(parts), re.DOTALL)
    return lambda text: whole.fullmatch(text) is not None


def python_regex(pattern: str, flags: str = "") -> re.Pattern[str]:
    r"""The pattern as Python writes it: ``\z``, and ``$`` where it is not the end of a line, are ``\Z`` there.

    Raises:
        RefusedError: Python does not know the syntax.
    """
    multiline = "m" in flags or re.match(r"\(\?[is]*m", pattern) is not None
    written, in_class = "", False
    for piece in re.findall(r"\\.|.", pattern, re.DOTALL):
        if in_class:
            in_class = piece != "]"
        elif piece == "[":
            in_class = True
        elif piece == "\\z" or (piece == "$" and not multiline):
            piece = "\\Z"
        written += piece
    known = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
    try:
        return re.compile(written, sum(known[flag] for flag in set(flags)))
    except re.error as error:
        raise RefusedError(f"{pattern!r}: {error}") from error


def _is_inside(text: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(text) in network
    except ValueError:
        return False


def _compares(text: str, limit: Limit) -> bool:
    """Whole numbers are compared exactly, whatever their size."""
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text):
        return False
    whole = isinstance(limit.number, int) and re.fullmatch(r"-?[0-9]+", text)
    number = int(text) if whole else float(text)
    return {
        "lt": number < limit.number,
        "lte": number <= limit.number,
        "gt": number > limit.number,
        "gte": number >= limit.number,
    }[limit.operator]


def _has_part(found: Any, wanted: TimePart) -> bool:
    time = _time(found)
    if time is None:
        return False
    number: int = time.isocalendar().week if wanted.part == "week" else getattr(time, wanted.part)
    return number == wanted.number


_ISO_8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|([+-])(\d\d):?(\d\d))?", re.ASCII
)


def _time(found: Any) -> datetime | None:
    """A time in UTC, which a text without a zone is in already."""
    match = _ISO_8601.fullmatch(found) if isinstance(found, str) else None
    if match is None:
        return None
    *parts, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        return datetime(*map(int, parts), tzinfo=timezone(offset)).astimezone(UTC)  # type: ignore[misc, arg-type]
    except (ValueError, OverflowError):
        return None

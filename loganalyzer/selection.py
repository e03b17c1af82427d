"""What will be asked of the entries of a log, as texts: an entry that holds none of them needs no row.

Rules and the tables of derived rows ask for wordings. Of each a set of texts is known of which one stands in whatever
it fits. Something of which no text is known makes that log source one that is read whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product

from loganalyzer.events_asked import EventsAsked
from loganalyzer.evtx.events import SYSTEM_FIELDS
from loganalyzer.facts import Tables
from loganalyzer.facts.clock_facts import EVENTS_OF_CLOCKS
from loganalyzer.facts.tables import Pattern
from loganalyzer.parser import Selection
from loganalyzer.required_text import SHORTEST, choices_of_regex, most_telling, texts_of_regex
from loganalyzer.schema import SHARED_COLUMNS, LogSource
from loganalyzer.sigma.ir import And, Condition, Leaf, Not, Or, event_ids, literal_of
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


def selection_for(rules: Sequence[Rule], tables: Tables, longer_than: int = LONG) -> Selection:
    """What these rules and tables ask; ``longer_than`` in bytes."""

    @cache
    def texts(logsource: LogSource) -> frozenset[str] | None:
        asked = [
            *(_texts_of(rule.condition) for rule in rules if _reads(rule, logsource)),
            *(_texts_of_pattern(one) for one in tables.patterns if one.logsource.covers(logsource)),
        ]
        return frozenset().union(*asked) if all(asked) else None

    @cache
    def events(logsource: LogSource) -> EventsAsked | None:
        asked = [
            *(_events_of(rule, logsource) for rule in rules if _reads(rule, logsource)),
            *(_events_of_pattern(one) for one in tables.patterns if one.logsource.covers(logsource)),
        ]
        return _all_of([EventsAsked(kinds=EVENTS_OF_CLOCKS | _WORDED), *asked])

    return Selection(texts, events, longer_than)


#: Kinds of events whose message is not made of their values alone.
_WORDED = frozenset({("application error", "1000")})
#: Columns of an event whose values do not stand in its payload as they are; ``Provider_Name`` is looked for itself.
_NOT_OF_THE_PAYLOAD = frozenset(
    {*SYSTEM_FIELDS, *SHARED_COLUMNS, "EventRecordID", "RecordNumber", "IntegrityLevel"}
    | {"error_codes", "service_name", "service_state"}
) - {"message"}
_BY_PROVIDER = frozenset({"Provider_Name", "event.provider"})
#: What the message of an event may have between values, and what JSON escapes.
_BETWEEN_VALUES = re.compile(r'[\s;:=_"\\\x00-\x1f]*[;:=_"\\\x00-\x1f][\s;:=_"\\\x00-\x1f]*')
#: What a message begins with tells no more than an id does.
_HEAD_OF_MESSAGE = re.compile(r".* \d+")
#: Texts from this length on are rarer than most ids.
_RARE = 7


def _all_of(parts: Iterable[EventsAsked | None]) -> EventsAsked | None:
    """What any of the parts asks; None: of one that is not known."""
    asked = EventsAsked()
    for one in parts:
        if one is None:
            return None
        asked = EventsAsked(asked.ids | one.ids, asked.kinds | one.kinds, asked.texts | one.texts)
    return asked


def _events_of(rule: Rule, logsource: LogSource) -> EventsAsked | None:
    of_scopes = [one.event_ids for one in scopes(rule.logsource) if speaks_of(one.source, logsource)]
    if all(ids is not None for ids in of_scopes):
        return EventsAsked(frozenset(str(number) for ids in of_scopes for number in ids or ()))
    return _events_that_fit(rule.condition)


def _events_that_fit(condition: Condition) -> EventsAsked | None:
    if isinstance(condition, Or):
        return _all_of(map(_events_that_fit, condition.items))
    asked = _rarer(event_ids(condition), _providers(condition), _pieces(_texts_of(condition, _is_of_the_payload)))
    return asked or _rarer(None, None, _pieces(_texts_of(condition, _BY_PROVIDER.__contains__)))


def _providers(condition: Condition) -> frozenset[str] | None:
    """Of which an event must have one, in lower case; None: the condition does not say."""
    match condition:
        case And(items):
            return next((known for item in items if (known := _providers(item)) is not None), None)
        case Leaf(field, "equals", values) if field in _BY_PROVIDER:
            return frozenset(str(value).lower() for value in values)
    return None


def _events_of_pattern(pattern: Pattern) -> EventsAsked | None:
    ids, providers = (
        frozenset(pattern.where[name]) if name in pattern.where else None for name in ("EventID", "Provider_Name")
    )
    choices = choices_of_regex(pattern.regex) if _is_of_the_payload(pattern.column) else []
    pieces = [_pieces(one) for one in choices]
    values = most_telling(one for one in pieces if not any(map(_HEAD_OF_MESSAGE.fullmatch, one)))
    telling = values if values and min(map(len, values)) >= _RARE else most_telling(pieces)
    return _rarer(ids, providers, telling)


def _rarer(ids: frozenset[str] | None, providers: frozenset[str] | None, texts: frozenset[str]) -> EventsAsked | None:
    """What is rarest of ids, with their providers where these are known, and texts; None: neither is known."""
    if texts and (ids is None or min(map(len, texts)) >= _RARE):
        return EventsAsked(texts=texts)
    if ids is None:
        return None
    return EventsAsked(ids) if providers is None else EventsAsked(kinds=frozenset(product(providers, ids)))


def _is_of_the_payload(column: str) -> bool:
    return column not in _NOT_OF_THE_PAYLOAD


def _pieces(texts: frozenset[str]) -> frozenset[str]:
    """Of each text the longest piece that a value must hold; nothing where one has none."""
    pieces = [[piece for piece in _BETWEEN_VALUES.split(text) if len(piece) >= SHORTEST] for text in texts]
    return frozenset(max(one, key=len) for one in pieces) if all(pieces) else frozenset()


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


def _texts_of(condition: Condition, is_searched: Callable[[str], bool] = _OF_THE_ENTRY.__contains__) -> frozenset[str]:
    """Texts of which one stands in the searched columns of every entry that fits; empty: none is known."""
    match condition:
        case And(items):
            return most_telling(_texts_of(item, is_searched) for item in items)
        case Or(items):
            return _any_of(_texts_of(item, is_searched) for item in items)
        case Not():
            return frozenset()
        case Leaf(field, op, values):
            if field is None or not is_searched(FIELD_ALIASES.get(field, field)):
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

"""The engine against a slow, obvious evaluator in plain Python, on generated rules and events.

The evaluator reads the rule's own dictionaries, so it shares neither pySigma's tree nor polars' logic with the engine.
Over-matching shows here: the reference says for every event whether it may match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.schema import LogSource
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match

Event = dict[str, Any]

FIELDS = ("a", "b", "c")
ALPHABET = "aAbB*?\\.\n äÄσΣ0-["
#: Texts that meet each other often: patterns, what they match, and what they nearly match.
RELATED = [
    "a*b",
    r"a\*?b",
    "a*xb",
    "a?b",
    "*a*b",
    "?b",
    r"a\*b",
    "ab",
    "a\nb",
    "A*B",
    "xa\nb",
    "ab\n",
    "a*",
    "aäb",
    "AÄB",
    "a.b",
    "ä.*b",
]
TEXTS = st.one_of(st.text(ALPHABET, max_size=5), st.sampled_from(RELATED), st.sampled_from(RELATED))
LARGE = st.sampled_from([2**53, 2**53 + 1, 2**53 - 1, -(2**53) - 1, -(2**53), 2**62 + 1])
NUMBERS = st.one_of(st.integers(-3, 12), LARGE)
NUMBER_TEXTS = st.one_of(NUMBERS.map(str), st.sampled_from(["1.5", "-0.5", "1_0", " 5 ", "nan", "0x5", "1e1"]))
SCALARS = st.one_of(TEXTS, NUMBER_TEXTS, NUMBERS, st.booleans(), st.sampled_from([1.5, -2.25]))
VALUES = st.one_of(st.none(), SCALARS, st.lists(TEXTS, max_size=3))
EVENTS = st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=6)

TEXT_MODIFIERS = st.sampled_from(["", "contains", "startswith", "endswith", "cased", "contains|cased", "contains|all"])


@st.composite
def items(draw: st.DrawFn) -> tuple[str, Any]:
    """One ``field|modifiers: value`` of a detection."""
    field = draw(st.sampled_from((*FIELDS, "nowhere")))
    kind = draw(st.sampled_from(["text", "text", "number", "plain", "neq", "exists", "compare", "re", "fieldref"]))
    if kind == "text":
        modifiers = draw(TEXT_MODIFIERS)
        return (f"{field}|{modifiers}" if modifiers else field), draw(st.lists(TEXTS, min_size=1, max_size=3))
    if kind == "number":
        return field, draw(NUMBERS)
    if kind == "plain":
        return field, draw(st.lists(st.one_of(st.none(), TEXTS, st.booleans()), min_size=1, max_size=3))
    if kind == "neq":
        return f"{field}|neq", draw(st.lists(TEXTS, min_size=1, max_size=2))
    if kind == "exists":
        return f"{field}|exists", draw(st.booleans())
    if kind == "compare":
        return f"{field}|{draw(st.sampled_from(['gt', 'gte', 'lt', 'lte']))}", draw(st.one_of(NUMBERS, st.just(1.5)))
    if kind == "re":
        flags = draw(st.sampled_from(["", "|i", "|s", "|i|s"]))
        return f"{field}|re{flags}", draw(st.sampled_from(["a.b", "^[ab]+", "A|0", r"ä\.", "b{2}"]))
    return f"{field}|fieldref", draw(st.sampled_from(FIELDS))


MAPS = st.lists(items(), min_size=1, max_size=3).map(dict)
KEYWORDS = st.one_of(
    st.lists(TEXTS.filter(bool), min_size=1, max_size=2),
    st.lists(TEXTS.filter(bool), min_size=1, max_size=2).map(lambda words: {"|all": words}),
)
DETECTIONS = st.one_of(MAPS, MAPS, st.lists(MAPS, min_size=1, max_size=2), KEYWORDS)
CONDITIONS = st.sampled_from(["x", "not x", "x and y", "x or y", "x and not y", "not (x and y)", "not (not x or y)"])


def tokens(text: str) -> list[str]:
    """Sigma text, character by character: ``*`` and ``?`` are wildcards, a literal one is written with a backslash."""
    found, position = [], 0
    while position < len(text):
        if text[position] == "\\" and text[position + 1 : position + 2] in ("*", "?", "\\"):
            found.append("\\" + text[position + 1])
            position += 2
        else:
            found.append(text[position] if text[position] in "*?" else "\\" + text[position])
            position += 1
    return found


def fits(pattern: list[str], text: str) -> bool:
    """Whether the whole text fits; every literal character is written with a backslash."""
    if not pattern:
        return text == ""
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return text != "" and pattern[0] in ("?", "\\" + text[0]) and fits(pattern[1:], text[1:])


def lower_tokens(pattern: list[str]) -> list[str]:
    """Literal runs in lower case; as one piece, because some letters depend on their neighbours."""
    lowered: list[str] = []
    run = ""
    for token in [*pattern, "*"]:
        if token[0] == "\\":
            run += token[1]
            continue
        lowered += ["\\" + character for character in run.lower()]
        lowered.append(token)
        run = ""
    return lowered[:-1]


def texts(value: Any) -> list[str]:
    """The texts of a field's value; a list gives each element."""
    if value is None:
        return []
    if isinstance(value, list):
        return [text for element in value for text in texts(element)]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def text_fits(value: Any, wanted: str, modifiers: list[str]) -> bool:
    pattern = tokens(wanted)
    if "contains" in modifiers or "endswith" in modifiers:
        pattern = ["*", *pattern]
    if "contains" in modifiers or "startswith" in modifiers:
        pattern = [*pattern, "*"]
    if all(token == "*" for token in pattern) and pattern:
        return value is not None
    if "cased" in modifiers:
        return any(fits(pattern, text) for text in texts(value))
    return any(fits(lower_tokens(pattern), text.lower()) for text in texts(value))


def compares(value: Any, operator: str, limit: float) -> bool:
    for text in texts(value):
        if re.fullmatch(r"-?[0-9]+", text) and isinstance(limit, int):
            number: float = int(text)
        elif re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", text):
            number = float(text)
        else:
            continue
        if {"gt": number > limit, "gte": number >= limit, "lt": number < limit, "lte": number <= limit}[operator]:
            return True
    return False


def item_holds(key: str, wanted: Any, event: Event) -> bool:
    field, *modifiers = key.split("|")
    value = event.get(field)
    if "exists" in modifiers:
        return (value is not None) is bool(wanted)
    if "fieldref" in modifiers:
        others = {text.lower() for text in texts(event.get(wanted))}
        return any(text.lower() in others for text in texts(value))
    if "re" in modifiers:
        flags = (re.IGNORECASE if "i" in modifiers else 0) | (re.DOTALL if "s" in modifiers else 0)
        return any(re.search(wanted, text, flags) for text in texts(value))
    if modifiers and modifiers[0] in ("gt", "gte", "lt", "lte"):
        return compares(value, modifiers[0], wanted)
    answers = [one_holds(value, each, modifiers) for each in (wanted if isinstance(wanted, list) else [wanted])]
    answer = all(answers) if "all" in modifiers else any(answers)
    return not answer if "neq" in modifiers else answer


def one_holds(value: Any, wanted: Any, modifiers: list[str]) -> bool:
    if wanted is None:
        return value is None
    if isinstance(wanted, bool):
        return str(wanted).lower() in [text.lower() for text in texts(value)]
    if isinstance(wanted, int):
        return str(wanted) in texts(value)
    return text_fits(value, wanted, modifiers)


def keyword_holds(word: str, event: Event) -> bool:
    return any(text_fits(value, word, ["contains"]) for value in event.values())


def detection_holds(detection: Any, event: Event) -> bool:
    if isinstance(detection, dict):
        if "|all" in detection:
            return all(keyword_holds(word, event) for word in detection["|all"])
        return all(item_holds(key, wanted, event) for key, wanted in detection.items())
    return any(
        detection_holds(each, event) if isinstance(each, dict) else keyword_holds(each, event) for each in detection
    )


def expected(rule: dict[str, Any], events: list[Event]) -> Iterator[int]:
    for index, event in enumerate(events):
        answers = {name: detection_holds(rule["detection"][name], event) for name in ("x", "y")}
        if eval(rule["detection"]["condition"], {}, answers):
            yield index


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(DETECTIONS, DETECTIONS, CONDITIONS), min_size=4, max_size=12), EVENTS)
def test_the_engine_agrees_with_a_plain_evaluator(shapes: list[tuple[Any, Any, str]], events: list[Event]) -> None:
    source = {"product": "linux", "service": "vector"}
    documents = [
        {"title": f"{index:02}", "logsource": source, "detection": {"x": x, "y": y, "condition": condition}}
        for index, (x, y, condition) in enumerate(shapes)
    ]
    loaded = load_rules({"generated.yml": yaml.safe_dump_all(documents, allow_unicode=True)})
    assert loaded.faults == ()
    outcome = match(loaded.rules, [frame_of(LogSource("linux", "vector"), events)])
    assert outcome.unable == ()
    for document, rule in zip(documents, loaded.rules, strict=True):
        rows = [found.row for found in outcome.matches if found.rule == rule]
        assert rows == list(expected(document, events)), (document, rule.condition)

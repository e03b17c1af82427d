"""The engine against a slow, obvious evaluator in plain Python, on generated rules and events.

The evaluator (`tests.plain_sigma`) reads the rule's own dictionaries, so it shares neither pySigma's tree nor polars'
logic with the engine. Over-matching shows here: it says for every event whether the rule may match.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.schema import LogSource
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from tests.plain_sigma import MODIFIERS, RefusedError, compile_rule

Event = dict[str, Any]

FIELDS = ("a", "b", "c")
#: Fields that never hold a list: parts of a list cannot be compared with a field.
SCALAR_FIELDS = ("s", "t")
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

DASHED = ["-ab", "/ab", "x -a /b", "\u2013ab", "x \u2014a \u2015b", "x-ab", "a -- b", "*-a?", "-a/b -c", "X \u2015A -B"]
WORDS = ["a", "ab", "Abc", "abab*"]
WIDE = ["a\0b\0", "\0a\0b", "\ufeffa\0b\0", "xA\0b\0c\0"]


def encoded(word: str) -> list[str]:
    """What a log may hold of an encoded word: alone, inside of more, and as UTF-16 with a byte order mark."""
    wide = word.encode("utf-16-le")
    whole = [word.encode(), b"x" + word.encode() + b"yz", b"xy" + word.encode(), wide, b"x" + wide, b"\xff\xfe" + wide]
    return [base64.b64encode(each).decode() for each in whole]


ENCODED = [text for word in WORDS for text in encoded(word)]
ADDRESSES = ["10.1.2.3", "10.1.3.4", "010.1.2.3", "10.1.2", "::1", "0:0:0:0:0:0:0:1", "fe80::1%eth0", "::ffff:10.1.2.3"]
NETWORKS = ["10.1.2.0/24", "10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "::/0", "::1/128", "fe80::/10", "::ffff:0:0/96"]
TIMES = [
    "2024-12-30T23:59:59Z",
    "2024-12-30 23:59:59.5",
    "2024-12-31T00:30:00+01:00",
    "2024-12-31T00:30:00.123456789-0130",
    "2025-01-01T12:05:00Z",
    "2023-01-01T00:00:00",
    "2024-02-30T00:00:00Z",
    "2024-12-30T24:00:00Z",
    "2024-12-30T23:59",
    "30.12.2024 23:59:59",
]
PARTS_OF_TIMES = [0, 1, 5, 12, 22, 23, 30, 31, 52, 53, 59, 2022, 2023, 2024, 2025]
SPECIAL = st.sampled_from([*DASHED, *WIDE, *ENCODED, *ADDRESSES, *TIMES])
SCALARS = st.one_of(TEXTS, SPECIAL, NUMBER_TEXTS, NUMBERS, st.booleans(), st.sampled_from([1.5, -2.25]))
VALUES = st.one_of(st.none(), SCALARS, st.lists(st.one_of(TEXTS, SPECIAL), max_size=3), SPECIAL)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(FIELDS, VALUES),
            **{field: st.one_of(st.none(), SCALARS) for field in SCALAR_FIELDS},
        },
    ),
    min_size=1,
    max_size=6,
)


def few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One value or a list of some."""
    return st.one_of(values, st.lists(values, min_size=1, max_size=3))


TEXT_CHAINS = ("", "contains", "startswith", "endswith", "cased", "contains|cased", "contains|all", "cased|endswith")
PATTERNS = st.sampled_from(["a.b", "^[ab]+", "A|0", r"ä\.", "b{2}", "b$", "^a", "[$b]$", r"\s", r"^\w+$", r"(?i)aÄ|^X"])
WIDTHS = ("", "wide|", "utf16|", "utf16be|")

#: Chains of modifiers that are alike, and values for them.
KINDS: Mapping[str, tuple[Sequence[str], st.SearchStrategy[Any]]] = {
    "text": (TEXT_CHAINS, few(TEXTS)),
    "more text": (TEXT_CHAINS, few(TEXTS)),
    "number": (("",), few(st.one_of(NUMBERS, st.just(1.5)))),
    "plain": (("", "all"), st.lists(st.one_of(st.none(), TEXTS, st.booleans()), max_size=3)),
    "exists": (("exists",), st.booleans()),
    "compare": (("gt", "gte", "lt", "lte"), few(st.one_of(NUMBERS, st.just(1.5)))),
    "re": (("re", "re|i", "re|s", "re|m", "re|i|s", "re|ignorecase|multiline", "re|dotall"), few(PATTERNS)),
    "part of re": (("re|contains", "re|startswith", "re|endswith", "re|i|contains"), few(PATTERNS)),
    "field": (("fieldref",), few(st.sampled_from((*FIELDS, *SCALAR_FIELDS, "nowhere")))),
    "part of field": (
        ("fieldref|contains", "fieldref|startswith", "fieldref|endswith"),
        few(st.sampled_from(SCALAR_FIELDS)),
    ),
    "dash": (
        ("windash", "contains|windash", "windash|contains|all", "windash|startswith", "windash|endswith|cased"),
        few(st.sampled_from(DASHED)),
    ),
    "encoded": (
        [f"{width}base64{end}" for width in WIDTHS for end in ("", "offset", "|contains", "offset|contains|cased")],
        few(st.sampled_from(["a", "ab", "Abc"])),
    ),
    "wide": (("wide", "wide|contains", "utf16", "utf16be|endswith"), few(st.sampled_from(["a", "ab", "a*b", "?b"]))),
    "address": (("cidr",), few(st.sampled_from(NETWORKS))),
    "time": (("minute", "hour", "day", "week", "month", "year"), few(st.sampled_from(PARTS_OF_TIMES))),
    "expand": (("expand", "contains|expand"), few(st.sampled_from(["ab", "a%b", "%", "*a"]))),
}


@st.composite
def items(draw: st.DrawFn) -> tuple[str, Any]:
    """One ``field|modifiers: value`` of a detection."""
    kind = draw(st.sampled_from(list(KINDS)))
    field = draw(st.sampled_from(SCALAR_FIELDS if kind == "part of field" else (*FIELDS, *SCALAR_FIELDS, "nowhere")))
    chains, values = KINDS[kind]
    parts = (field, draw(st.sampled_from(chains)), draw(st.sampled_from(["", "", "", "neq"])))
    return "|".join(part for part in parts if part), draw(values)


MAPS = st.lists(items(), min_size=1, max_size=3).map(dict)
WORD_LISTS = st.lists(st.one_of(TEXTS.filter(bool), NUMBERS), min_size=1, max_size=2)
KEYWORDS = st.one_of(
    WORD_LISTS,
    WORD_LISTS.map(lambda words: {"|all": words}),
    st.lists(TEXTS.filter(bool), min_size=1, max_size=2).map(lambda words: {"|cased|neq": words}),
    PATTERNS.map(lambda pattern: {"|re": pattern}),
    st.sampled_from(NETWORKS).map(lambda network: {"|cidr": network}),
    TEXTS.filter(bool),
)
DETECTIONS = st.one_of(MAPS, MAPS, st.lists(st.one_of(MAPS, TEXTS.filter(bool)), min_size=1, max_size=2), KEYWORDS)
CONDITIONS = st.sampled_from(
    [
        "x_1",
        "not x_1",
        "x_1 and y",
        "x_1 or not y and x_2",
        "x_1 and not y",
        "not (x_1 and y)",
        "not (not x_1 or y)",
        "1 of x_*",
        "all of x_*",
        "y and not 1 of x_*",
        "all of them",
        "not 1 of them or y",
        "any of _*",
        ["x_1 and y", "x_2"],
    ]
)
NAMES = ("x_1", "x_2", "y", "_hidden")
SHAPES = st.tuples(st.fixed_dictionaries(dict.fromkeys(NAMES, DETECTIONS)), CONDITIONS)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(SHAPES, min_size=4, max_size=12), EVENTS)
def test_the_engine_agrees_with_a_plain_evaluator(shapes: list[tuple[Event, Any]], events: list[Event]) -> None:
    source = {"product": "linux", "service": "vector"}
    documents = [
        {"title": f"{index:02}", "logsource": source, "detection": {**detections, "condition": condition}}
        for index, (detections, condition) in enumerate(shapes)
    ]
    loaded = load_rules({"generated.yml": yaml.safe_dump_all(documents, allow_unicode=True)})
    assert loaded.faults == ()
    outcome = match(loaded.rules, [frame_of(LogSource("linux", "vector"), events)])
    assert outcome.unable == ()
    for document, rule in zip(documents, loaded.rules, strict=True):
        rows = [found.row for found in outcome.matches if found.rule == rule]
        holds = compile_rule(document)
        assert rows == [row for row, event in enumerate(events) if holds(event)], (document, rule.condition)


def test_every_modifier_of_the_plain_evaluator_is_generated() -> None:
    generated = {part for chains, _ in KINDS.values() for chain in chains for part in chain.split("|")}
    assert MODIFIERS.keys() - generated == {"utf16le"}  # the specification's name for wide; pySigma does not know it


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a|nonsense", "x"),
        ("a|contains", 5),
        ("a|contains", None),
        ("a|base64", "x*"),
        ("a|wide", "ä"),
        ("a|windash", "-a -b -c -d"),
        ("a|contains|re", "x"),
        ("a|re", "("),
        ("a|i", "x"),
        ("a|cidr", "10.1.2.3/8"),
        ("a|cidr", "here"),
        ("a|gt", "5"),
        ("a|hour", "noon"),
        ("a|exists", "yes"),
        ("a|contains|exists", True),
        ("a|fieldref", "b*"),
        ("a|expand", "%names%"),
        ("a|re|expand", "^%names%$"),
        ("|gt", 5),
        ("|exists", True),
        ("|fieldref", "a"),
        ("", None),
    ],
)
def test_what_means_nothing_is_refused_by_the_engine_and_by_the_plain_evaluator(key: str, value: Any) -> None:
    detection = {"x": {key: value}, "condition": "x"}
    document = {"title": "x", "logsource": {"product": "linux"}, "detection": detection}
    assert load_rules({"refused.yml": yaml.safe_dump(document)}).faults
    with pytest.raises(RefusedError):
        compile_rule(document)


@pytest.mark.parametrize("condition", ["z", "x and", "(x", "x)", "1 of z_*", "x x", "all of _*", ""])
def test_a_wrong_condition_is_refused_by_the_engine_and_by_the_plain_evaluator(condition: str) -> None:
    document = {"title": "x", "logsource": {"product": "linux"}, "detection": {"x": {"a": "b"}, "condition": condition}}
    assert load_rules({"refused.yml": yaml.safe_dump(document)}).faults
    with pytest.raises(RefusedError):
        compile_rule(document)

"""The ways that make many rules fast change no answer: rules that share a pass, and a look ahead for their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.errors import Location
from loganalyzer.schema import EventFrame, LogSource, conform
from loganalyzer.sigma import match as matching
from loganalyzer.sigma.bind import BindError, bind, check_regexes
from loganalyzer.sigma.ir import And, Condition, Leaf, Not, Or, leaves
from loganalyzer.sigma.match import match
from loganalyzer.sigma.prefilter import may_fit
from loganalyzer.sigma.rule import Rule
from loganalyzer.sigma.taxonomy import SECURITY_4688_FIELDS, scopes, speaks_of

LINES = LogSource("linux", "waagent")
SECURITY, SYSMON = LogSource("windows", "security"), LogSource("windows", "sysmon")
PROCESSES = LogSource("windows", None, "process_creation")


def rule_of(number: int, condition: Condition, source: LogSource = LINES) -> Rule:
    name = f"00000000-0000-4000-8000-{number:012}"
    return Rule(
        id=name,
        name=None,
        title=name,
        level=None,
        status=None,
        description=None,
        taxonomy="sigma",
        attribution=None,
        location=Location("rules.yml", number),
        logsource=source,
        condition=condition,
    )


def frame_of(rows: Any, source: LogSource = LINES) -> EventFrame:
    return EventFrame(source, conform(pl.DataFrame(rows)))


def plainly(rule: Rule, frame: EventFrame) -> list[int]:
    """The rows that a rule fits, asked alone and of the columns as they are."""
    for scope in scopes(rule.logsource):
        if not speaks_of(scope.source, frame.logsource):
            continue
        rows = frame.rows
        for name, other in scope.fields.items():
            if other in rows.columns:
                own = [name] if name in rows.columns else []
                rows = rows.with_columns(pl.coalesce(*own, other).alias(name))
        ids = None if scope.event_ids is None else set(map(str, scope.event_ids))
        fits = rows.select(pl.int_range(pl.len()), fits=bind(rule.condition, rows.schema))["fits"].to_list()
        codes = rows["EventID"].to_list() if ids is not None else [None] * rows.height
        return [row for row in range(rows.height) if fits[row] and (ids is None or codes[row] in ids)]
    return []


def cannot_run(rule: Rule, frames: Sequence[EventFrame]) -> bool:
    try:
        check_regexes(value for leaf in leaves(rule.condition) if leaf.op == "re" for value in leaf.values)
        for frame in frames:
            plainly(rule, frame)
    except BindError:
        return True
    return False


#: What rows hold, and what rules ask: mostly parts of the former, in another case. Some are beyond ASCII, with a letter
#: whose lower case is longer, and one whose lower case depends on its neighbours.
HELD = st.sampled_from(["Alpha Beta", "GAMMA", "x", "ΒΑΣΕ", "İSTANBUL", ""]) | st.text("aAbB1σΣςİK. ", max_size=4)
ASKED = [
    "alpha",
    "Beta",
    "GAMMA",
    "gamma",
    "x",
    "ΒΑΣ",
    "βας",
    "istanbul",
    "4688",
    "10",
    "10.5",
    "1e1",
    "true",
    "nothing",
]
TEXTS = st.sampled_from(ASKED)
FIELDS = st.sampled_from(["text", "other", "number", "real", "flag", "many", "level", "EventID", "Image", "nowhere"])
#: Most ask a column of text for one text, for only such rules can be left out.
TEXT_LEAVES = st.builds(
    Leaf,
    st.sampled_from(["text", "text", "text", "level", "Image", "User"]) | FIELDS | st.none(),
    st.sampled_from(["contains", "startswith", "endswith", "equals"]),
    TEXTS.map(lambda text: (text,)) | st.lists(TEXTS, min_size=1, max_size=7).map(tuple),
    st.booleans(),
)
OTHER_LEAVES = st.one_of(
    st.builds(Leaf, FIELDS, st.just("wildcard"), st.sampled_from([("al*TA",), ("*BETA?",), ("*Σ?",), ("A*", "b?")])),
    st.builds(Leaf, FIELDS, st.just("re"), st.sampled_from([("^al",), ("[Bb]eta", "1"), (r"[\w]{1,1000}x",)])),
    st.builds(Leaf, FIELDS, st.sampled_from(["exists", "missing"])),
    st.builds(Leaf, FIELDS, st.sampled_from(["gt", "lte"]), st.just((1,))),
    st.builds(Leaf, FIELDS, st.sampled_from(["fieldref", "fieldref_contains"]), st.just(("other",))),
)
CONDITIONS = st.recursive(
    st.one_of(TEXT_LEAVES, TEXT_LEAVES, TEXT_LEAVES, OTHER_LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or),
        inner.map(Not),
    ),
    max_leaves=3,
)


@st.composite
def frames(draw: st.DrawFn) -> EventFrame:
    height = draw(st.sampled_from([1, 2, 3, 0]))

    def column(values: st.SearchStrategy[Any], dtype: Any) -> pl.Series:
        return pl.Series(draw(st.lists(values | st.none(), min_size=height, max_size=height)), dtype=dtype)

    columns = {
        "text": column(HELD, pl.String),
        "other": column(HELD, pl.String),
        "number": column(st.sampled_from([10, 4688]), pl.Int64),
        "real": column(st.sampled_from([10.0, 10.5]), pl.Float64),
        "flag": column(st.booleans(), pl.Boolean),
        "many": column(st.lists(HELD, max_size=2), pl.List(pl.String)),
        "log.level": column(HELD, pl.String),
        "EventID": column(st.sampled_from(["1", "4688", "10"]), pl.String),
        "NewProcessName": column(HELD, pl.String),
        "User": column(HELD, pl.String),
        "SubjectUserName": column(HELD, pl.String),
    }
    return frame_of(columns, draw(st.sampled_from([LINES, LINES, LINES, SECURITY, SYSMON])))


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(CONDITIONS, st.sampled_from([LINES, LINES, LINES, PROCESSES, SECURITY])), min_size=1, max_size=8
    ),
    st.lists(frames(), min_size=1, max_size=2),
    st.sampled_from([2, matching.BATCH]),
)
@pytest.mark.slow
def test_many_rules_at_once_find_what_each_finds_alone(
    shapes: list[tuple[Condition, LogSource]], given_frames: list[EventFrame], batch: int
) -> None:
    rules = [rule_of(number, condition, source) for number, (condition, source) in enumerate(shapes)]
    with patch.object(matching, "BATCH", batch):
        outcome = match(rules, given_frames)
    read = [rule for rule in rules if rule.id not in outcome.no_source]
    broken = [rule for rule in read if cannot_run(rule, given_frames)]
    assert [unable.rule_id for unable in outcome.unable] == [rule.id for rule in broken]
    assert list(outcome.ran) == [rule.id for rule in read if rule not in broken]
    for rule in read:
        if rule not in broken:
            found = [(one.frame, one.row) for one in outcome.matches if one.rule == rule]
            assert found == [(index, row) for index, frame in enumerate(given_frames) for row in plainly(rule, frame)]
    order = [(one.frame, one.row, one.rule.id) for one in outcome.matches]
    assert order == sorted(order)


def test_a_rule_whose_texts_stand_nowhere_is_left_out_and_no_other() -> None:
    rows = frame_of({"text": ["Alpha beta", None], "level": ["x", "GAMMA"], "number": [4688, 1]}).rows
    known: dict[Condition, bool] = {
        Leaf("text", "contains", ("ALPHA",)): True,
        Leaf("text", "contains", ("nothing",)): False,
        Leaf("text", "equals", ("nothing", "beta")): True,
        Leaf("level", "startswith", ("gamma",), True): True,
        Leaf("text", "wildcard", ("al*nothing",)): False,
        Leaf("text", "re", ("nothing",)): True,
        Leaf("text", "contains", ("no",)): True,
        Leaf("number", "equals", ("nothing",)): True,
        Leaf("nowhere", "contains", ("nothing",)): True,
        Leaf(None, "contains", ("nothing",)): True,
        Not(Leaf("text", "contains", ("nothing",))): True,
        And((Leaf("text", "exists"), Leaf("text", "contains", ("nothing",)))): False,
        Or((Leaf("text", "exists"), Leaf("text", "contains", ("nothing",)))): True,
    }
    assert dict(zip(known, may_fit(list(known), rows), strict=True)) == known


def test_a_text_beyond_ascii_never_leaves_a_rule_out() -> None:
    """A last sigma has a lower case of its own: in lower case, the end of one word is no part of the other."""
    text, part = "ΒΑΣΕ", "ΒΑΣ"
    assert part in text
    assert part.lower() not in text.lower()
    rows = frame_of({"text": [text, "x"]}).rows
    assert may_fit([Leaf("text", "contains", (part,), True), Leaf("text", "contains", ("nothing",))], rows) == [
        True,
        False,
    ]


def test_a_rule_that_fails_when_it_runs_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_bind(condition: Condition, schema: Any) -> pl.Expr:
        broken = "broken" in str(condition)
        return pl.col("no such column") if broken else bind(condition, schema)

    monkeypatch.setattr(matching, "bind", broken_bind)
    conditions = [Leaf("text", "re", ("broken",) if number in (3, 4) else ("^a",)) for number in range(9)]
    rules = [rule_of(number, condition) for number, condition in enumerate(conditions)]
    outcome = match(rules, [frame_of({"text": ["b", "abc"]})])
    assert [unable.rule_id for unable in outcome.unable] == [rules[3].id, rules[4].id]
    assert [(one.row, one.rule.id) for one in outcome.matches] == [(1, rules[n].id) for n in (0, 1, 2, 5, 6, 7, 8)]


def test_a_regex_is_looked_at_once_for_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def counting(patterns: Any) -> None:
        known = list(patterns)
        seen.extend(known)
        check_regexes(known)

    monkeypatch.setattr(matching, "check_regexes", counting)
    rules = [rule_of(0, Leaf("text", "re", ("^a",))), rule_of(1, Leaf("text", "re", (r"[\w]{1,1000}x",)))]
    outcome = match([*rules, rule_of(2, Leaf("text", "re", ("b",)), SYSMON)], [frame_of({"text": ["a"]})] * 4)
    assert sorted(map(str, seen)) == [r"[\w]{1,1000}x", "^a"]
    assert [unable.rule_id for unable in outcome.unable] == [rules[1].id]
    assert [one.frame for one in outcome.matches] == [0, 1, 2, 3]


def test_the_fields_of_security_4688_are_filled_before_their_texts_are_looked_for() -> None:
    assert SECURITY_4688_FIELDS["Image"] == "NewProcessName"
    rows = {"EventID": ["1", "4688", "4688"], "NewProcessName": ["c:\\waagent", "c:\\waagent", "c:\\other"]}
    outcome = match([rule_of(0, Leaf("Image", "endswith", ("WAAGENT",)), PROCESSES)], [frame_of(rows, SECURITY)])
    assert [one.row for one in outcome.matches] == [1]

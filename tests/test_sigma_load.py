"""Reading rule files: every fault has a place and help, and one bad rule never stops the others."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.schema import LogSource
from loganalyzer.sigma.ir import (
    And,
    Leaf,
    Not,
    Or,
    event_ids,
    from_json,
    join_pattern,
    leaves,
    required_literals,
    split_pattern,
)
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.rule import Loaded, Rule

GOOD = """\
title: Good
id: 6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0001
name: good
taxonomy: loganalyzer
status: experimental
description: A line that names a timeout.
level: high
logsource:
  product: linux
  service: waagent
detection:
  selection:
    message|contains: timed out
  condition: selection
loganalyzer:
  cause: wireserver-blocked
  role: supports
  strength: strong
  examples:
    - name: the words
      match: true
      event: {message: it timed out, when: 2026-01-02T03:04:05Z, tags: [a, 1]}
    - name: other words
      match: false
      raw: "2026-01-02 all is well"
      parser: waagent_log
      path: var/log/waagent.log
"""


def load(text: str) -> Loaded:
    return load_rules({"rules/some.yml": text})


def only_fault(text: str) -> tuple[str, str, int | None, str]:
    """Kind, text, line and help of the one fault."""
    (fault,) = load(text).faults
    assert fault.where is not None
    assert fault.where.path == "rules/some.yml"
    assert fault.help
    return fault.kind, fault.what, fault.where.line, fault.help


def test_a_rule_is_read_with_all_that_it_says() -> None:
    loaded = load(GOOD)
    assert loaded.faults == ()
    (rule,) = loaded.rules
    assert rule.id == "6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0001"
    assert (rule.name, rule.title, rule.level, rule.status) == ("good", "Good", "high", "experimental")
    assert rule.taxonomy == "loganalyzer"
    assert rule.logsource == LogSource("linux", "waagent")
    assert rule.condition == Leaf("message", "contains", ("timed out",))
    assert str(rule.location) == "rules/some.yml:1"
    assert rule.attribution is not None
    assert (rule.attribution.cause, rule.attribution.role, rule.attribution.strength) == (
        "wireserver-blocked",
        "supports",
        "strong",
    )
    first, second = rule.attribution.examples
    assert first.event == {"message": "it timed out", "when": "2026-01-02T03:04:05Z", "tags": ["a", 1]}
    assert (second.match, second.parser, second.path) == (False, "waagent_log", "var/log/waagent.log")


def test_a_rule_survives_json() -> None:
    (rule,) = load(GOOD).rules
    assert Rule.from_json(json.loads(json.dumps(rule.to_json()))) == rule
    with pytest.raises(ValueError, match="not a stored rule"):
        Rule.from_json({"id": "x"})


def test_a_duplicate_key_is_refused_at_its_line() -> None:
    kind, what, line, _ = only_fault(GOOD.replace("level: high\n", "level: high\nlevel: low\n"))
    assert (kind, what, line) == ("invalid", "duplicate key 'level'", 8)
    deep = GOOD.replace("  condition: selection", "  selection:\n    message: x\n  condition: selection")
    assert only_fault(deep)[1:3] == ("duplicate key 'selection'", 14)


def test_one_bad_document_stops_neither_its_file_nor_others() -> None:
    second = GOOD.replace("6fbb2e0c", "7fbb2e0c").replace("name: good", "name: second")
    broken = "title: [unclosed\n"
    loaded = load_rules(
        {"a.yml": f"# a comment\n---\n{GOOD}---\n{broken}---\n{second}", "b.yml": "\ttitle: x", "c.yml": GOOD}
    )
    assert [(rule.name, str(rule.location)) for rule in loaded.rules] == [
        ("good", "a.yml:3"),
        ("second", f"a.yml:{3 + GOOD.count(chr(10)) + 3}"),
        ("good", "c.yml:1"),
    ]
    assert [(fault.kind, str(fault.where)) for fault in loaded.faults] == [
        ("unreadable", f"a.yml:{3 + GOOD.count(chr(10)) + 2}"),
        ("unreadable", "b.yml:1"),
    ]


CORRELATION = """\
title: Often
correlation:
  type: event_count
  rules: [good]
  group-by: [host]
  timespan: 10m
  condition: {gte: 5}
"""


def test_a_correlation_finds_the_rule_that_it_names() -> None:
    loaded = load(f"{CORRELATION}---\n{GOOD}")
    assert [rule.name for rule in loaded.rules] == ["good"]
    (correlation,) = loaded.correlations
    assert correlation.rules == ("6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0001",)
    assert str(correlation.location) == "rules/some.yml:1"


def test_a_placeholder_without_a_value_is_refused_by_its_name() -> None:
    kind, what, line, _ = only_fault(GOOD.replace("message|contains: timed out", "message|expand: '%servers%'"))
    assert (kind, what, line) == ("unsupported", "the placeholder %servers% has no value", 11)


@pytest.mark.parametrize(
    ("old", "new", "line", "part"),
    [
        ("id: 6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0001", "id: nonsense", 2, "UUID"),
        ("id: 6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0001", "id: 12", 2, ""),
        ("level: high", "level: huge", 7, "huge"),
        ("title: Good\n", "", 1, "title"),
        ("message|contains: timed out", "message|sounds: x", 13, "sounds"),
        ("message|contains: timed out", "message|re: '['", 13, "Regular expression"),
        ("message|contains: timed out", "message|gt: much", 13, "much"),
        ("message|contains: timed out", "message|contains:", 13, "value type of 'Null'"),
        ("message|contains: timed out", "message|cidr: 10.0.0.0/99", 13, "CIDR"),
        ("  condition: selection", "  condition: selection and", 14, ""),
        ("  condition: selection", "  condition: nothing", 14, "nothing"),
        ("  condition: selection", "  condition: 7", 11, ""),
        ("    message|contains: timed out", "    - |gt: 5", 12, ""),
        ("  product: linux\n  service: waagent", "  - linux", 8, ""),
    ],
)
def test_an_invalid_rule_is_reported_at_its_line(old: str, new: str, line: int, part: str) -> None:
    assert old in GOOD
    loaded = load(GOOD.replace(old, new))
    assert loaded.rules == ()
    assert loaded.faults
    for fault in loaded.faults:
        assert fault.kind in ("invalid", "unreadable")
        assert fault.help
    first = loaded.faults[0]
    assert first.where is not None
    assert part in first.what
    if part:
        assert first.where.line == line


@pytest.mark.parametrize(
    ("old", "new", "line", "part"),
    [
        ("  strength: strong", "  strength: strong\n  remedy: restart it", 19, "unknown key 'remedy'"),
        ("  strength: strong", "  strength: certain", 18, "'certain'"),
        ("  strength: strong\n", "", 15, "no strength"),
        ("  role: supports", "  role: hints", 17, "'hints'"),
        ("  role: supports\n", "", 15, "no role"),
        ("  role: supports", "  role: fact", 16, "a fact has no cause"),
        ("  cause: wireserver-blocked\n", "", 15, "no cause"),
        ("  cause: wireserver-blocked", "  cause: Wire Server", 16, "'Wire Server'"),
        ("      match: true", "      match: 'yes'", 21, "'match'"),
        ("      match: true\n", "", 20, "'match'"),
        ("      match: true", "      match: true\n      colour: red", 22, "'colour'"),
        ("      parser: waagent_log\n", "", 25, "'raw' needs a parser"),
        ('      raw: "2026-01-02 all is well"\n', "", 25, "'parser' goes with 'raw'"),
        ("      match: false", "      match: false\n      count: 2", 25, "count 2"),
        ("- name: other words", "- name: the words", 23, "two examples"),
        ("event: {message: it timed out,", "event: {message: {deep: 1},", 22, "dict"),
    ],
)
def test_a_wrong_key_of_ours_is_reported_at_its_line(old: str, new: str, line: int, part: str) -> None:
    assert old in GOOD
    loaded = load(GOOD.replace(old, new, 1))
    assert loaded.rules == ()
    assert [fault for fault in loaded.faults if part in fault.what], [fault.what for fault in loaded.faults]
    for fault in loaded.faults:
        assert fault.help
        if part in fault.what:
            assert fault.where is not None
            assert fault.where.line == line


def test_all_faults_of_a_rule_are_reported_at_once() -> None:
    text = (
        GOOD.replace("level: high", "level: huge").replace("role: supports", "role: hints").replace("Good", "G" * 300)
    )
    assert len(load(text).faults) == 3


def test_a_refuting_rule_is_strong_unless_it_says_otherwise_and_a_fact_needs_nothing() -> None:
    refuting = GOOD.replace("supports", "refutes").replace("  strength: strong\n", "")
    (rule,) = load(refuting).rules
    assert rule.attribution is not None
    assert rule.attribution.strength == "strong"
    fact = GOOD[: GOOD.index("loganalyzer:\n")] + "loganalyzer: {role: fact}\n"
    (rule,) = load(fact).rules
    assert rule.attribution is not None
    assert (rule.attribution.cause, rule.attribution.strength) == (None, None)


def test_a_rule_of_others_has_no_attribution_and_is_called_by_its_place_without_an_id() -> None:
    text = "title: Plain\nlogsource: {product: windows}\ndetection: {s: {EventID: 1}, condition: s}\n"
    (rule,) = load(text).rules
    assert rule.attribution is None
    assert rule.id == "rules/some.yml:1"


def test_aliases_that_expand_without_end_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    bomb = "\n".join(lines) + "\n" + GOOD.replace("event: {message: it", "events: *a8\n      x: {message: it")
    assert {fault.kind for fault in load(bomb).faults} == {"unreadable"}
    assert load("title: &t [*t]\n").rules == ()


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))))
def test_any_text_gives_rules_or_faults_and_never_a_traceback(text: str) -> None:
    for candidate in (
        text,
        GOOD.replace("timed out", text),
        GOOD.replace("good", text),
        GOOD.replace("message|contains: timed out", text),
    ):
        for fault in load(candidate).faults:
            assert fault.where is not None
            assert fault.where.line is not None
            assert fault.help


YAML_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["title", "id", "name", "taxonomy", "status", "level", "description", "logsource", "detection",
                     "loganalyzer", "tags", "date", "related", "falsepositives"]),
    YAML_VALUES,
)  # fmt: skip
def test_any_value_under_any_key_gives_a_rule_or_a_fault(key: str, value: object) -> None:
    import yaml

    document = yaml.safe_load(GOOD) | {key: value}
    loaded = load(yaml.safe_dump(document, allow_unicode=True))
    assert loaded.rules or loaded.faults
    for rule in loaded.rules:
        assert Rule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


def test_importing_the_room_does_not_import_pysigma() -> None:
    code = (
        "import pkgutil, sys, loganalyzer.sigma as room\n"
        "names = [m.name for m in pkgutil.iter_modules(room.__path__) if not m.name.startswith('lower')]\n"
        "assert len(names) >= 9, names\n"
        "for name in names: __import__(f'loganalyzer.sigma.{name}')\n"
        "assert 'sigma' not in sys.modules and 're2' not in sys.modules\n"
        "from loganalyzer.sigma.load import load_rules\n"
        "load_rules({'a.yml': 'title: x'})\n"
        "assert 'sigma' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_required_literals_stand_in_every_match() -> None:
    both = And((Leaf("message", "contains", ("No Space",)), Leaf("message", "contains", ("left", "on device"))))
    assert required_literals(both) == {"no space"}
    assert required_literals(Or((both, Leaf(None, "contains", ("ENOSPC",))))) == {"no space", "enospc"}
    assert required_literals(Or((both, Leaf("message", "re", ("x",))))) == frozenset()
    assert required_literals(Not(both)) == frozenset()
    assert required_literals(Leaf("message", "wildcard", (r"a*longer\*?b",))) == {"longer*"}
    assert required_literals(Leaf("status", "equals", ("x",))) == frozenset()
    assert required_literals(Leaf("status", "equals", ("X",)), fields=None) == {"x"}


def test_event_ids_of_a_condition() -> None:
    ids = Leaf("EventID", "equals", ("1", "4688"))
    assert event_ids(And((Leaf("f", "exists"), ids))) == frozenset({"1", "4688"})
    assert event_ids(And((ids, Leaf("EventID", "equals", ("1", "2"))))) == frozenset({"1"})
    assert event_ids(Or((ids, Leaf("EventID", "equals", ("7",))))) == frozenset({"1", "4688", "7"})
    assert event_ids(Or((ids, Leaf("f", "exists")))) is None
    assert event_ids(Not(ids)) is None


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from("*?").map(lambda c: (True, c)), st.text("a\\*?", min_size=1).map(lambda t: (False, t))
        )
    )
)
def test_a_pattern_keeps_its_parts(parts: list[tuple[bool, str]]) -> None:
    joined = join_pattern(parts)
    assert join_pattern(split_pattern(joined)) == joined
    assert "".join(text for special, text in split_pattern(joined) if not special) == "".join(
        text for special, text in parts if not special
    )


@pytest.mark.parametrize(
    "data", [None, [], ["xor"], ["leaf", "f", "sounds", [], False], ["leaf", 1, "equals", [], True]]
)
def test_what_is_no_stored_condition_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="not a condition"):
        from_json(data)


@pytest.mark.parametrize(
    ("modifiers", "value"),
    [("utf16le|base64offset|contains", "whoami"), ("cased|wide|base64", "Who"), ("cased|windash|contains", " -Enc ")],
)
def test_spellings_that_pysigma_does_not_know_or_forgets_mean_what_they_say(modifiers: str, value: str) -> None:
    usual = "|".join(sorted(modifiers.replace("utf16le", "wide").split("|"), key="cased".__eq__))
    written, known = (
        load(GOOD.replace("message|contains: timed out", f"message|{spelling}: '{value}'"))
        for spelling in (modifiers, usual)
    )
    assert written.faults == ()
    assert written.rules[0].condition == known.rules[0].condition
    assert all(leaf.cased == ("cased" in modifiers) for leaf in leaves(written.rules[0].condition))


def test_two_spellings_of_one_modifier_do_not_hide_each_other() -> None:
    both = GOOD.replace("message|contains: timed out", "message|wide|base64: a\n    message|utf16le|base64: b")
    kind, what, _, _ = only_fault(both)
    assert kind == "invalid"
    assert "utf16le" in what

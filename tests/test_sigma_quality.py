"""Lint and the examples inside rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.examples import ExampleResult, frame_of, run_correlation_examples, run_examples
from loganalyzer.sigma.lint import Linted, lint
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.rule import Loaded, Rule

BASE: dict[str, Any] = {
    "title": "Good",
    "id": "6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0001",
    "name": "good",
    "taxonomy": "loganalyzer",
    "level": "high",
    "logsource": {"product": "linux", "service": "waagent"},
    "detection": {"s": {"message|contains": "timed out"}, "condition": "s"},
    "loganalyzer": {
        "cause": "wireserver-blocked",
        "role": "supports",
        "strength": "strong",
        "examples": [
            {"name": "it is", "match": True, "event": {"message": "timed out"}},
            {"name": "it is not", "match": False, "event": {"message": "in time"}},
        ],
    },
}

CLEAN = Linted((), ())


def rule_of(**changes: Any) -> Rule:
    document = {key: value for key, value in (BASE | changes).items() if value is not None}
    loaded = load_rules({"good.yml": yaml.safe_dump(document, sort_keys=False)})
    assert loaded.faults == ()
    return loaded.rules[0]


def with_examples(*examples: dict[str, Any]) -> dict[str, Any]:
    named = [{"name": f"example {index}", **example} for index, example in enumerate(examples)]
    return {**BASE["loganalyzer"], "examples": named}


def read(parser: str, path: str | None, raw: bytes) -> Sequence[EventFrame]:
    """A parser of lines; each becomes a message under the log source of its name."""
    if parser not in ("waagent", "other"):
        raise LookupError(parser)
    lines = raw.decode().splitlines()
    return [frame_of(LogSource("linux", parser), [{"message": line, "handler": path} for line in lines])]


def test_a_good_rule_has_no_fault_of_quality() -> None:
    assert lint([rule_of()], {"wireserver-blocked"}) == CLEAN
    assert lint([rule_of()]) == CLEAN


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"id": None}, "no id"),
        ({"name": None}, "no name"),
        ({"level": None}, "no level"),
        ({"taxonomy": None}, "taxonomy"),
        ({"loganalyzer": None}, "no key 'loganalyzer'"),
        ({"loganalyzer": with_examples({"match": True, "event": {"f": 1}})}, "must not match"),
        ({"loganalyzer": with_examples({"match": False, "event": {"f": 1}})}, "no example that matches"),
        ({"detection": {"s": {"message|re": "time.out"}, "condition": "s"}}, "no required literal"),
        ({"detection": {"s": {"thread": "ExtHandler"}, "condition": "s"}}, "no required literal"),
        ({"detection": {"s": {"message|re": r"[\w]{1,1000}x"}, "condition": "s"}}, "regular expression"),
        ({"logsource": {"product": "aws"}}, "it can never run"),
        ({"loganalyzer": {**BASE["loganalyzer"], "cause": "gremlins"}}, "gremlins"),
    ],
)
def test_lint_names_what_is_missing(changes: dict[str, Any], part: str) -> None:
    for custom in (False, True) if changes.get("loganalyzer", True) else (False,):
        linted = lint([rule_of(**changes)], {"wireserver-blocked"}, custom=custom)
        assert linted.advice == ()
    faults = linted.errors
    (fault,) = [fault for fault in faults if part in fault.what]
    assert fault.kind == "quality"
    assert str(fault.where) == "good.yml:1"
    assert fault.help


def test_lint_finds_equal_ids_and_names() -> None:
    faults = lint([rule_of(), rule_of()]).errors
    assert len([fault for fault in faults if "rules have the id" in fault.what]) == 2
    assert len([fault for fault in faults if "rules have this name" in fault.what]) == 2


def test_a_rule_over_derived_rows_or_events_needs_no_literal_in_its_text() -> None:
    gap = {"product": "linux", "service": "waagent", "category": "gap"}
    assert lint([rule_of(logsource=gap, detection={"s": {"seconds|gte": 1800}, "condition": "s"})]) == CLEAN
    system = {"product": "windows", "service": "system"}
    assert (
        lint([rule_of(logsource=system, taxonomy=None, detection={"s": {"EventID": 7036}, "condition": "s"})]) == CLEAN
    )


PLAIN: dict[str, Any] = {
    "title": "Plain",
    "logsource": {"product": "linux", "service": "waagent"},
    "detection": {"s": {"thread": "ExtHandler"}, "condition": "s"},
}


def test_a_plain_rule_of_a_user_is_advised_and_not_refused() -> None:
    rule = load_rules({"plain.yml": yaml.safe_dump(PLAIN)}).rules[0]
    strict = lint([rule])
    assert strict.advice == ()
    advised = lint([rule], custom=True)
    assert advised.errors == ()
    assert list(map(str, advised.advice)) == list(map(str, strict.errors))
    for part in ("no id", "no name", "no level", "no key 'loganalyzer'", "taxonomy", "no required literal"):
        assert [part in fault.what for fault in strict.errors].count(True) == 1
    foreign = load_rules({"plain.yml": yaml.safe_dump(PLAIN | {"logsource": {"product": "aws"}})}).rules[0]
    assert "it can never run" in " ".join(fault.what for fault in lint([foreign], custom=True).advice)


def test_what_a_plain_rule_cannot_do_is_an_error_in_it_too() -> None:
    condition = {"s": {"message|re": r"[\w]{1,1000}x"}, "condition": "s"}
    ids = {"id": BASE["id"]}
    texts = {"1.yml": yaml.safe_dump(PLAIN | ids | {"detection": condition}), "2.yml": yaml.safe_dump(PLAIN | ids)}
    errors = lint(load_rules(texts).rules, custom=True).errors
    assert sorted(str(fault.where) for fault in errors) == ["1.yml:1", "1.yml:1", "2.yml:1"]
    assert len([fault for fault in errors if "regular expression" in fault.what]) == 1
    assert len([fault for fault in errors if "2 rules have the id" in fault.what]) == 2


FACT = {"role": "fact", "examples": BASE["loganalyzer"]["examples"]}
SEVERAL: dict[str, Any] = {
    "title": "Several",
    "id": "6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0002",
    "name": "several",
    "taxonomy": "loganalyzer",
    "level": "high",
    "correlation": {
        "type": "event_count",
        "rules": ["good"],
        "group-by": ["host.name"],
        "timespan": "10m",
        "condition": {"gte": 2},
    },
    "loganalyzer": BASE["loganalyzer"],
}


def correlated(*rules: dict[str, Any], correlation: dict[str, Any] | None = None, **changes: Any) -> Loaded:
    """Rules (by default one that is a fact) and the correlation over them."""
    several = SEVERAL | changes | {"correlation": SEVERAL["correlation"] | (correlation or {})}
    documents = [*(rules or (BASE | {"loganalyzer": FACT},)), several]
    texts = [yaml.safe_dump({key: value for key, value in one.items() if value is not None}) for one in documents]
    loaded = load_rules({"several.yml": "---\n".join(texts)})
    assert loaded.faults == ()
    return loaded


def linted(loaded: Loaded, *, custom: bool = False) -> Linted:
    return lint((*loaded.rules, *loaded.correlations), {"wireserver-blocked"}, custom=custom)


def test_a_good_correlation_has_no_fault_of_quality() -> None:
    assert linted(correlated()) == CLEAN
    assert linted(correlated(BASE, correlation={"generate": True})) == CLEAN


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"id": None}, "no id"),
        ({"name": None}, "no name"),
        ({"name": "good", "correlation": {"rules": [BASE["id"]]}}, "2 rules have this name"),
        ({"level": None}, "no level"),
        ({"loganalyzer": None}, "no key 'loganalyzer'"),
        ({"loganalyzer": with_examples({"match": True, "event": {"f": 1}})}, "must not match"),
        ({"loganalyzer": {**BASE["loganalyzer"], "cause": "gremlins"}}, "gremlins"),
        ({"correlation": {"timespan": "2M"}}, "longer than 31 days"),
    ],
)
def test_lint_names_what_a_correlation_lacks(changes: dict[str, Any], part: str) -> None:
    loaded = correlated(**changes)
    faults = [fault for fault in linted(loaded).errors if part in fault.what]
    assert loaded.correlations[0].location in [fault.where for fault in faults]
    assert all(fault.help for fault in faults)


def test_a_rule_whose_matches_a_correlation_takes_is_a_fact() -> None:
    for custom in (False, True):
        (fault,) = linted(correlated(BASE), custom=custom).errors
        assert "'good'" in fault.what
        assert "generate" in (fault.help or "")


def test_a_plain_correlation_of_a_user_is_advised_and_not_refused() -> None:
    loaded = correlated(PLAIN | {"name": "good"}, loganalyzer=None, id=None, level=None)
    assert linted(loaded, custom=True).errors == ()
    place = loaded.correlations[0].location
    advice = {fault.what for fault in linted(loaded, custom=True).advice if fault.where == place}
    assert advice == {f"several: {what}" for what in ("no id", "no level", "no key 'loganalyzer'")}


def timed(minute: int, message: str, **fields: object) -> dict[str, object]:
    return {"@timestamp": f"2026-03-01T02:{minute:02}:00Z", "host.name": "vm", "message": message} | fields


def run_correlation(*examples: dict[str, Any], loaded: Loaded | None = None) -> list[ExampleResult]:
    """The examples of the last correlation; in ``loaded`` they stand already."""
    loaded = loaded or correlated(loganalyzer=with_examples(*examples))
    return run_correlation_examples(loaded.correlations[-1], loaded, read)


def test_examples_of_a_correlation_are_run_over_its_rules() -> None:
    near = [timed(0, "it timed out"), timed(5, "other"), timed(10, "timed out again"), timed(11, "it timed out")]
    results = run_correlation(
        {"match": True, "count": 2, "events": near},
        {"match": False, "events": [timed(0, "it timed out"), timed(11, "it timed out")]},
        {"match": False, "event": timed(0, "it timed out")},
    )
    assert [(result.matched, result.why) for result in results] == [(2, None), (0, None), (0, None)]


def test_an_example_of_a_correlation_that_says_the_wrong_thing_fails_with_the_reason() -> None:
    twice = [timed(0, "it timed out"), timed(1, "it timed out")]
    results = run_correlation(
        {"match": True, "event": timed(0, "it timed out")},
        {"match": False, "events": twice},
        {"match": True, "count": 2, "events": twice},
        {"match": False, "events": [timed(0, "in time"), timed(1, "in time")]},
        {"match": False, "events": [{"message": "timed out"}, {"message": "timed out"}]},
        {"match": True, "events": [{**one, "host.name": None} for one in twice]},
    )
    assert [result.passed for result in results] == [False] * 6
    whys = [str(result.why) for result in results]
    assert whys[:4] == [
        "no event completes it",
        "1 events complete it and none may",
        "1 events complete it, not 2",
        "no rule below it matches any of the events",
    ]
    assert "no time" in whys[4]
    assert "host.name" in whys[5]


def test_raw_examples_of_a_correlation_go_through_the_parser() -> None:
    results = run_correlation(
        {"match": True, "raw": "it timed out", "parser": "missing"},
        {"match": False, "raw": "it timed out", "parser": "other"},
        {"match": False, "raw": "it timed out", "parser": "waagent"},
    )
    whys = [str(result.why) for result in results]
    assert "no parser 'missing'" in whys[0]
    assert "no event of linux/waagent: it was read as linux/other" in whys[1]
    assert "no time" in whys[2]


def test_an_event_that_rules_of_several_log_sources_read_is_one_event() -> None:
    wide = BASE | {"logsource": {"product": "linux"}, "taxonomy": "sigma", "name": "wide", "loganalyzer": FACT}
    rules = (BASE | {"loganalyzer": FACT}, wide | {"id": "6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0003"})
    once, twice = timed(0, "it timed out"), [timed(0, "it timed out"), timed(1, "timed out")]
    examples = with_examples({"match": False, "event": once}, {"match": True, "count": 1, "events": twice})
    loaded = correlated(*rules, correlation={"rules": ["good", "wide"]}, loganalyzer=examples)
    assert len(loaded.correlations[0].logsources) == 2
    assert [result.why for result in run_correlation(loaded=loaded)] == [None, None]


def test_examples_run_over_correlations_of_correlations() -> None:
    base, below = BASE | {"loganalyzer": FACT}, SEVERAL | {"loganalyzer": FACT}
    nearby = [timed(minute, "it timed out") for minute in (0, 1)]
    later = [timed(minute, "it timed out") for minute in (30, 31)]
    above = SEVERAL | {
        "id": "6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0003",
        "name": "again",
        "correlation": SEVERAL["correlation"] | {"rules": ["several"], "timespan": "1h"},
        "loganalyzer": with_examples({"match": True, "events": nearby + later}, {"match": False, "events": nearby}),
    }
    loaded = load_rules({"above.yml": "---\n".join(yaml.safe_dump(one) for one in (above, below, base))})
    assert [one.name for one in loaded.correlations] == ["several", "again"]
    assert [(result.matched, result.why) for result in run_correlation(loaded=loaded)] == [(1, None), (0, None)]


def test_examples_of_rows_are_run() -> None:
    results = run_examples(rule_of(), read)
    assert [(result.passed, result.matched) for result in results] == [(True, 1), (True, 0)]


def test_an_example_that_says_the_wrong_thing_fails_with_the_reason() -> None:
    wrong = with_examples(
        {"match": True, "event": {"message": "in time"}},
        {"match": False, "event": {"message": "timed out"}},
        {"match": True, "count": 2, "events": [{"message": "timed out"}, {"message": "x"}]},
        {"match": True, "count": 2, "events": [{"message": "timed out"}, {"message": "TIMED OUT"}]},
    )
    results = run_examples(rule_of(loganalyzer=wrong), read)
    assert [result.passed for result in results] == [False, False, False, True]
    assert [result.why for result in results[:3]] == [
        "no row matches",
        "1 rows match and none may",
        "1 rows match, not 2",
    ]


def test_examples_of_raw_text_go_through_the_parser_and_must_reach_the_log_source() -> None:
    raw = with_examples(
        {"match": True, "raw": "a\nit timed out\n", "parser": "waagent", "path": "p"},
        {"match": False, "raw": "a\nb\n", "parser": "waagent"},
        {"match": False, "raw": "", "parser": "waagent"},
        {"match": False, "raw": "it timed out", "parser": "other"},
        {"match": True, "raw": "it timed out", "parser": "missing"},
    )
    results = run_examples(rule_of(loganalyzer=raw), read)
    assert [result.passed for result in results] == [True, True, False, False, False]
    assert "no event of linux/waagent" in (results[2].why or "")
    assert "linux/other" in (results[3].why or "")
    assert "no parser 'missing'" in (results[4].why or "")


def test_an_example_for_a_windows_category_is_an_event_of_one_of_its_channels() -> None:
    windows = rule_of(
        logsource={"product": "windows", "category": "process_creation"},
        detection={"s": {"Image|endswith": "waagent.exe"}, "condition": "s"},
        loganalyzer=with_examples(
            {"match": True, "event": {"EventID": 4688, "NewProcessName": r"C:\waagent.exe"}},
            {"match": True, "event": {"EventID": 1, "Image": r"C:\waagent.exe"}},
            {"match": False, "event": {"EventID": 5, "Image": r"C:\waagent.exe"}},
        ),
    )
    assert [result.passed for result in run_examples(windows, read)] == [True, True, True]


def test_a_row_of_an_example_has_the_shared_columns_typed_and_its_own_by_value() -> None:
    events: list[dict[str, Any]] = [
        {"@timestamp": "2026-01-02T03:04:05Z", "event.code": 7036, "log.line": 3, "n": 1, "x": 1.5, "mixed": 1},
        {"@timestamp": "2026-01-02 03:04:05", "n": None, "flag": True, "list": ["a", "b"], "mixed": "one"},
        {"@timestamp": "no time", "list": "c"},
    ]
    rows = frame_of(LogSource("linux"), events).rows
    assert [str(time) for time in rows["@timestamp"]] == ["2026-01-02 03:04:05+00:00"] * 2 + ["None"]
    assert rows["event.code"].to_list() == ["7036", None, None]
    assert rows["log.line"].to_list() == [3, None, None]
    assert rows["event.sequence"].to_list() == [0, 1, 2]
    assert {name: str(rows.schema[name]) for name in ("n", "x", "flag", "list", "mixed")} == {
        "n": "Int64",
        "x": "Float64",
        "flag": "Boolean",
        "list": "List(String)",
        "mixed": "String",
    }
    assert rows["list"].to_list() == [None, ["a", "b"], ["c"]]

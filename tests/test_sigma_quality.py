"""Lint and the examples inside rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.examples import frame_of, run_examples
from loganalyzer.sigma.lint import lint
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.rule import Rule

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
    assert lint([rule_of()], {"wireserver-blocked"}) == ()
    assert lint([rule_of()]) == ()


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
    faults = lint([rule_of(**changes)], {"wireserver-blocked"})
    (fault,) = [fault for fault in faults if part in fault.what]
    assert fault.kind == "quality"
    assert str(fault.where) == "good.yml:1"
    assert fault.help


def test_lint_finds_equal_ids_and_names() -> None:
    faults = lint([rule_of(), rule_of()])
    assert len([fault for fault in faults if "rules have the id" in fault.what]) == 2
    assert len([fault for fault in faults if "rules have this name" in fault.what]) == 2


def test_a_rule_over_derived_rows_or_events_needs_no_literal_in_its_text() -> None:
    gap = {"product": "linux", "service": "waagent", "category": "gap"}
    assert lint([rule_of(logsource=gap, detection={"s": {"seconds|gte": 1800}, "condition": "s"})]) == ()
    system = {"product": "windows", "service": "system"}
    assert lint([rule_of(logsource=system, taxonomy=None, detection={"s": {"EventID": 7036}, "condition": "s"})]) == ()


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

"""Traps of Sigma over polars, each with the rule that falls into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
import yaml

from loganalyzer.schema import EventFrame, LogSource, conform
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import Matches, match
from loganalyzer.sigma.rule import Rule

SOURCE = LogSource("linux", "waagent")


def rules_of(*detections: dict[str, Any], condition: str | None = None) -> tuple[Rule, ...]:
    """Rules titled r0, r1, ... over one log source; the condition defaults to the first detection."""
    documents = [
        {
            "title": f"r{index}",
            "id": f"00000000-0000-4000-8000-{index:012}",
            "logsource": {"product": "linux", "service": "waagent"},
            "detection": {**detection, "condition": condition or next(iter(detection))},
        }
        for index, detection in enumerate(detections)
    ]
    loaded = load_rules({"rules.yml": yaml.safe_dump_all(documents, allow_unicode=True)})
    assert loaded.faults == ()
    assert len(loaded.rules) == len(detections)
    return loaded.rules


def run(detection: dict[str, Any], events: Sequence[Any], condition: str | None = None) -> list[int]:
    """The rows that one rule matches."""
    outcome = match(rules_of(detection, condition=condition), [frame_of(SOURCE, events)])
    assert outcome.unable == ()
    return [found.row for found in outcome.matches]


def outcome_on(rows: pl.DataFrame, *detections: dict[str, Any]) -> Matches:
    return match(rules_of(*detections), [EventFrame(SOURCE, conform(rows))])


def test_1_a_null_is_false_before_the_not_for_every_kind_of_leaf() -> None:
    questions = {
        "f": "x",
        "f|contains": "x",
        "f|contains|all": ["x", "y"],
        "f|startswith": ["x", "y"],
        "f|cased": "x",
        "f|re": "x",
        "f|cidr": "10.0.0.0/8",
        "f|gt": 1,
        "f|fieldref": "g",
        "f|hour": 3,
        "f|exists": True,
        "f|contains|cased": "x*y",
    }
    for key, value in questions.items():
        assert run({"s": {key: value}}, [{"f": None, "g": None}], "not s") == [0], key
        assert run({"s": {key: value}}, [{"other": "z"}], "not s") == [0], key


def test_2_a_field_that_no_event_has_is_null_and_the_rule_still_runs() -> None:
    detection = {"s": {"f": "a"}, "filter": {"nowhere|contains": "b"}, "alternative": {"nowhere": "c"}}
    assert run(detection, [{"f": "a"}], "(s or alternative) and not filter") == [0]


def test_3_null_empty_and_present_are_three_things() -> None:
    events = [{"f": None}, {"g": "x"}, {"f": ""}, {"f": "x"}]
    assert run({"s": {"f": None}}, events) == [0, 1]
    assert run({"s": {"f": ""}}, events) == [2]
    assert run({"s": {"f": "*"}}, events) == [2, 3]


def test_4_whole_numbers_are_compared_exactly_and_texts_strictly() -> None:
    large = 2**53
    events = [{"n": large}, {"n": large + 1}, {"n": large + 2}]
    assert run({"s": {"n|gt": large}}, events) == [1, 2]
    assert run({"s": {"n|gt": large + 1}}, events) == [2]
    assert run({"s": {"n|gte": large + 1, "n|lt": large + 2}}, events) == [1]
    assert run({"s": {"n": large + 1}}, events) == [1]
    assert run({"s": {"n|lt": large + 1}}, [{"n": str(large)}, {"n": str(large + 1)}]) == [0]
    odd = ["1_0", " 5 ", "nan", "inf", "0x5", "+5", "5.", "1e1"]
    assert run({"s": {"n|gte": 1}}, [{"n": text} for text in odd]) == [odd.index("1e1")]
    assert run({"s": {"n|gt": 1}}, [{"n": float("nan")}, {"n": float("inf")}, {"n": 1.5}]) == [2]


def test_5_an_event_id_is_the_same_as_a_number_and_as_a_text() -> None:
    for column in (pl.Series("EventID", [4688, 1]), pl.Series("EventID", ["4688", "1"])):
        rows = pl.DataFrame([column])
        outcome = outcome_on(rows, {"s": {"EventID": 4688}}, {"s": {"EventID": "4688"}}, {"s": {"EventID": [4688, 7]}})
        assert [(found.rule.title, found.row) for found in outcome.matches] == [("r0", 0), ("r1", 0), ("r2", 0)]
    assert run({"s": {"EventID": 4688}}, [{"EventID": "04688"}, {"EventID": "46880"}]) == []
    assert run({"s": {"seconds": 1800}}, [{"seconds": 1800.0}, {"seconds": 1800.5}]) == [0]


def test_12_case_is_folded_beyond_ascii_in_single_and_in_set_searches() -> None:
    events = [{"f": "GERÄT ÜBERLASTET"}, {"f": "gerät überlastet"}, {"f": "gerat uberlastet"}]
    assert run({"s": {"f": "Gerät Überlastet"}}, events) == [0, 1]
    assert run({"s": {"f|contains": ["ÜBER", "nothing"]}}, events) == [0, 1]
    assert run({"s": {"f|contains": ["ÜBER", *(f"nothing {n}" for n in range(20))]}}, events) == [0, 1]
    assert run({"s": {"f": ["gerät überlastet", "nothing"]}}, events) == [0, 1]
    assert run({"s": {"f|contains": "g*ÄT"}}, events) == [0, 1]
    assert run({"s": {"F": "gerät überlastet"}}, events) == []


def test_13_a_keyword_neither_spans_fields_nor_sees_names_and_provenance() -> None:
    events = [
        {"a": "ab", "b": "cd"},
        {"a": "x AB and CD"},
        {"a": ["ab", "cd"]},
        {"message": "fine", "log.file.path": "abcd.log", "host.name": "abcd", "event.original": "abcd"},
        {"abcd": "x"},
    ]
    assert run({"k": ["ab*cd"]}, events) == [1]


def test_14_wildcards_cross_line_ends_and_anchors_hold_before_a_last_line_end() -> None:
    events = [{"f": "begin\nmiddle\nend"}, {"f": "begin end\n"}, {"f": "x\nbegin end"}]
    assert run({"s": {"f": "begin*end"}}, events) == [0]
    assert run({"s": {"f|contains": "begin?middle"}}, events) == [0]
    assert run({"s": {"f": "beg?n e*d"}}, events) == []


def test_15_rule_text_is_never_a_pattern() -> None:
    signs = "[a-z]+(x|y)^$.{2}\\S #&~-"
    events = [{"f": f"<{signs}>"}, {"f": "<abcx>"}]
    assert run({"s": {"f|contains": signs}}, events) == [0]
    assert run({"s": {"f": f"?{signs}*"}}, events) == [0]
    assert run({"s": {"f|contains": [signs, *(f"nothing {n}" for n in range(20))]}}, events) == [0]
    assert run({"s": {"f|endswith": r"\S\D?x"}}, [{"f": r"a\s\d-X"}, {"f": "a b1x"}]) == [0]


def test_16_of_a_list_any_element_fits_and_its_joined_text_does_not() -> None:
    events = [{"f": ["a", "B"]}, {"f": ["ab"]}, {"f": []}, {"f": None}]
    assert run({"s": {"f": "b"}}, events) == [0]
    assert run({"s": {"f|contains": "a*b"}}, events) == [1]
    assert run({"s": {"f|re": "^B$"}}, events) == [0]
    assert run({"s": {"f": "b"}}, events, "not s") == [1, 2, 3]
    assert run({"s": {"f": None}}, events) == [3]
    assert run({"s": {"n|gt": 5}}, [{"n": [1, 6]}, {"n": [1]}]) == [0]
    assert run({"s": {"ip|cidr": "10.0.0.0/8"}}, [{"ip": ["1.1.1.1", "10.2.3.4"]}, {"ip": ["1.1.1.1"]}]) == [0]
    assert run({"s": {"f|fieldref": "g"}}, [{"f": ["a", None], "g": "A"}, {"f": ["a", None], "g": None}]) == [0]


def test_18_a_regex_that_rust_refuses_costs_only_its_own_rule() -> None:
    outcome = outcome_on(pl.DataFrame({"f": ["a"]}), {"s": {"f|re": r"[\w]{1,1000}x"}}, {"s": {"f": "a"}})
    assert [found.rule.title for found in outcome.matches] == ["r1"]
    (unable,) = outcome.unable
    assert unable.rule_id.endswith("0")
    assert "regular expression" in unable.why
    assert "size limit" in unable.why
    assert "\n" not in unable.why
    assert len(outcome.ran) == 1


def test_31_one_broken_rule_in_a_batch_is_named_and_the_others_match() -> None:
    rows = pl.DataFrame({"f": [["a"], ["b"]], "g": ["a", "b"]})
    outcome = outcome_on(
        rows, {"s": {"g": "a"}}, {"s": {"f|fieldref|contains": "g"}}, {"s": {"g": "b"}}, {"s": {"f|fieldref": "g"}}
    )
    assert [(found.row, found.rule.title) for found in outcome.matches] == [(0, "r0"), (0, "r3"), (1, "r2"), (1, "r3")]
    (unable,) = outcome.unable
    assert unable.rule_id.endswith("1")


def test_31_a_rule_that_fails_only_when_it_runs_is_isolated_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from loganalyzer.sigma import match as matching

    def bind(condition: object, schema: object) -> pl.Expr:
        broken = "broken" in str(condition)
        return pl.col("no such column") if broken else pl.col("f") == "a"

    monkeypatch.setattr(matching, "bind", bind)
    outcome = outcome_on(pl.DataFrame({"f": ["a"]}), {"s": {"f": "a"}}, {"s": {"f|re": "broken"}}, {"s": {"f": "b"}})
    assert [found.rule.title for found in outcome.matches] == ["r0", "r2"]
    assert [unable.rule_id[-1] for unable in outcome.unable] == ["1"]
    assert "no such column" in outcome.unable[0].why


@pytest.mark.parametrize("height", [0, 1, 3])
def test_32_a_rule_without_any_column_answers_for_every_row(height: int) -> None:
    rows = pl.DataFrame({"f": ["x"] * height}, schema={"f": pl.String})
    outcome = outcome_on(rows, {"s": {"nowhere": None}}, {"s": {"nowhere": "x"}})
    assert [(found.row, found.rule.title) for found in outcome.matches] == [(row, "r0") for row in range(height)]
    alone = outcome_on(rows, {"s": {"nowhere|exists": False}})
    assert [found.row for found in alone.matches] == list(range(height))


def test_a_column_whose_name_looks_like_a_pattern_is_one_column() -> None:
    rows = pl.DataFrame({"*": ["a", "b"], "^f.*$": ["c", "a"], "f1": ["a", "a"]})
    rules = rules_of({"s": {"*": "a"}}, {"s": {"^f.*$": "a"}}, {"k": ["b"]})
    outcome = match(rules, [EventFrame(SOURCE, rows)])
    assert [(found.row, found.rule.title) for found in outcome.matches] == [(0, "r0"), (1, "r1"), (1, "r2")]


def test_a_name_of_the_shared_columns_may_be_written_short_unless_the_frame_has_it() -> None:
    short = {"s": {"level": "error", "line": 7, "thread": "ExtHandler"}}
    event = {"log.level": "ERROR", "log.line": 7, "process.thread.name": "ExtHandler"}
    assert run(short, [event]) == [0]
    assert run(short, [{**event, "level": "info"}]) == []
    assert run(
        {"s": {"ts|hour": 3}}, [{"@timestamp": "2026-01-02T03:04:05Z"}, {"@timestamp": "2026-01-02T04:00:00Z"}]
    ) == [0]


def test_the_hour_of_a_time_with_an_offset_is_read_in_utc() -> None:
    times = ["2026-01-02T03:04:05+02:00", "2026-01-02 01:04:05", "2026-01-02T03:04:05.1234567Z", "at 01:00"]
    assert run({"s": {"t|hour": 1}}, [{"t": time} for time in times]) == [0, 1]


def test_columns_of_any_dtype_are_answered_without_a_fault() -> None:
    rows = pl.DataFrame(
        {
            "f": pl.Series([None], dtype=pl.Null),
            "g": pl.Series([b"\xff"], dtype=pl.Binary),
            "h": [{"x": 1}],
            "i": pl.Series([[[1]]]),
            "j": pl.Series(["a"], dtype=pl.Categorical),
            "k": pl.Series([5], dtype=pl.UInt64),
            "l": pl.Series([1.5]).cast(pl.Decimal(10, 2)),
        }
    )
    for name in "fghijkl":
        keys = (
            name,
            f"{name}|contains",
            f"{name}|re",
            f"{name}|cidr",
            f"{name}|gt",
            f"{name}|hour",
            f"{name}|fieldref",
        )
        values: tuple[Any, ...] = ("A", "a", "a", "10.0.0.0/8", 4, 1, "j")
        outcome = outcome_on(rows, *({"s": {key: value}} for key, value in zip(keys, values, strict=True)))
        assert outcome.unable == (), name
        assert len(outcome.ran) == len(keys)
        if name == "j":
            assert [found.rule.title for found in outcome.matches] == ["r0", "r1", "r2", "r6"]
        if name == "k":
            assert [found.rule.title for found in outcome.matches] == ["r4"]

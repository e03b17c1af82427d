"""Correlations: what the specification says, what it leaves open, and both against a slow evaluator in plain Python."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations, pairwise
from statistics import median
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.correlate import Correlated, Correlations, correlate
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.sigma.rule import Correlation, Loaded

SOURCE = LogSource("linux", "vector")
START = datetime(2026, 1, 1, tzinfo=UTC)
Event = dict[str, Any]


def base(name: str, **detection: object) -> dict[str, Any]:
    return {
        "title": f"kind {name}",
        "name": name,
        "logsource": {"product": "linux", "service": "vector"},
        "detection": {"s": detection or {"kind|contains": name}, "condition": "s"},
    }


def correlation(kind: str, rules: list[str], **more: Any) -> dict[str, Any]:
    keys = {key.replace("_", "-"): value for key, value in more.items()}
    return {
        "title": f"a {kind}",
        "name": keys.pop("name", "finding"),
        "correlation": {"type": kind, "rules": rules, "timespan": "60s", "group-by": ["user"], **keys},
    }


def loaded(*documents: dict[str, Any]) -> Loaded:
    read = load_rules({"rules.yml": yaml.safe_dump_all(documents)})
    assert read.faults == (), [str(fault) for fault in read.faults]
    return read


def frame(events: list[Event], source: LogSource = SOURCE) -> EventFrame:
    """``at``: seconds after the start; no ``at``: no time."""
    rows = []
    for event in events:
        time = {"@timestamp": (START + timedelta(seconds=event["at"])).isoformat()} if "at" in event else {}
        rows.append({**event, **time})
    return frame_of(source, rows)


def judged(rules: Loaded, *frames: EventFrame) -> Correlations:
    return correlate(rules.correlations, frames, match(rules.rules, frames))


def completed(rules: Loaded, events: list[Event]) -> list[int]:
    outcome = judged(rules, frame(events))
    assert outcome.unable == ()
    return [one.row for one in outcome.found]


def records(one: Correlated) -> list[int]:
    return [record.row for record in one.records]


KINDS = ("a", "b", "c")
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 12).map(lambda ticks: ticks * 10),
            "kind": st.sampled_from(["a", "b", "c", "ab", "bc", "x"]),
        },
        optional={
            "user": st.sampled_from(["u", "U", "v"]),
            "n": st.sampled_from(["1", "2", "2.5", "-4", "0.1", "1e1", "many", "9007199254740993"]),
            "m": st.sampled_from(["p", "q"]),
        },
    ),
    max_size=12,
)
OPS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge, "eq": operator.eq}
OPS["neq"] = operator.ne
THRESHOLDS = st.one_of(
    st.dictionaries(st.sampled_from(sorted(OPS)), st.integers(0, 4), min_size=1, max_size=2),
    st.just({"gte": 2}),
    st.just({"gte": 2.5}),
)
RULES = st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True)
#: Ways to hold: (rules that must be there, rules that must not follow).
WAYS = st.lists(st.tuples(RULES, st.lists(st.sampled_from(KINDS), max_size=2, unique=True)), min_size=1, max_size=2)


def groups(events: list[Event], rules: list[str]) -> Iterator[list[int]]:
    """Row numbers of the events that fit any of the rules, a user at a time, by time and row."""
    for user in sorted({event["user"] for event in events if "user" in event}):
        own = [
            row
            for row, event in enumerate(events)
            if event.get("user") == user and any(rule in event["kind"] for rule in rules)
        ]
        yield sorted(own, key=lambda row: (events[row]["at"], row))


def numbers(events: list[Event], rows: list[int]) -> list[Fraction]:
    return [Fraction(events[row]["n"]) for row in rows if events[row].get("n", "many") != "many"]


def percentile(values: list[Fraction], wanted: int) -> Fraction:
    ordered = sorted(values)
    place = Fraction(wanted * (len(ordered) - 1), 100)
    lower = int(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] * (1 - (place - lower)) + ordered[upper] * (place - lower)


def value_of(kind: str, events: list[Event], window: list[int], rules: list[str]) -> Any:
    """What is compared, of the events of one window; None: nothing."""
    if kind == "event_count":
        return len(window)
    if kind == "value_count":
        return len({(events[row]["n"], events[row]["m"]) for row in window if {"n", "m"} <= events[row].keys()})
    if kind == "temporal":
        return len({rule for row in window for rule in rules if rule in events[row]["kind"]})
    if kind == "temporal_ordered":
        return max(
            size
            for size in range(1, len(rules) + 1)
            for rows in combinations(window, size)
            for chosen in combinations(rules, size)
            if rows[-1] == window[-1]
            and all(rule in events[row]["kind"] for row, rule in zip(rows, chosen, strict=True))
        )
    values = numbers(events, window)
    if not values:
        return None
    answers: dict[str, Callable[[], Any]] = {
        "value_sum": lambda: sum(values),
        "value_avg": lambda: sum(values) / len(values),
        "value_median": lambda: median(values),
        "value_percentile": lambda: percentile(values, 90),
    }
    return answers[kind]()


def expected(kind: str, events: list[Event], rules: list[str], thresholds: dict[str, Any]) -> list[int]:
    found = []
    for rows in groups(events, rules):
        for place, row in enumerate(rows):
            window = [other for other in rows[: place + 1] if events[other]["at"] >= events[row]["at"] - 60]
            value = value_of(kind, events, window, rules)
            if value is not None and all(OPS[op](value, Fraction(str(limit))) for op, limit in thresholds.items()):
                found.append(row)
    return sorted(found, key=lambda row: (events[row]["at"], row))


COUNTED = ("event_count", "value_count", "value_sum", "value_avg", "value_median", "value_percentile")


@pytest.mark.parametrize("kind", [*COUNTED, "temporal", "temporal_ordered"])
@settings(max_examples=60, deadline=None)
@given(EVENTS, RULES, THRESHOLDS)
def test_every_type_agrees_with_the_plain_evaluator(
    kind: str, events: list[Event], rules: list[str], thresholds: dict[str, Any]
) -> None:
    condition = dict(thresholds)
    if kind == "value_count":
        condition["field"] = ["n", "m"]
    elif kind.startswith("value"):
        condition |= {"field": "n"} | ({"percentile": 90} if kind == "value_percentile" else {})
    read = loaded(*map(base, KINDS), correlation(kind, rules, condition=condition))
    assert [one.row for one in judged(read, frame(events)).found] == expected(kind, events, rules, thresholds)


def holds(events: list[Event], rows: list[int], place: int, way: tuple[list[str], list[str]], ordered: bool) -> bool:
    """Whether one way holds at the event ``rows[place]``, by trying every choice of events."""
    present, absent = sorted(way[0]), way[1]
    now = events[rows[place]]["at"]
    window = [at for at in range(place + 1) if events[rows[at]]["at"] >= now - 60]
    latest: tuple[int, ...] | None = None
    for chosen in combinations(window * len(present), len(present)):
        fitting = all(rule in events[rows[at]]["kind"] for at, rule in zip(chosen, present, strict=True))
        rising = all(left < right for left, right in pairwise(chosen))
        last = chosen[-1] == place if ordered else place in chosen
        if fitting and last and (rising or not ordered) and (latest is None or sorted(chosen) > sorted(latest)):
            latest = chosen
    if latest is None:
        return False
    after = [row for at, row in enumerate(rows) if at > min(latest) and events[row]["at"] <= now + 60]
    return not any(rule in events[row]["kind"] for rule in absent for row in after)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["temporal", "temporal_ordered"]), EVENTS.map(lambda events: events[:8]), WAYS)
def test_extended_conditions_agree_with_the_plain_evaluator(
    kind: str, events: list[Event], ways: list[tuple[list[str], list[str]]]
) -> None:
    rules = sorted({rule for way in ways for part in way for rule in part})
    text = " or ".join(
        "(" + " and ".join([*present, *(f"not {rule}" for rule in absent)]) + ")" for present, absent in ways
    )
    read = loaded(*map(base, KINDS), correlation(kind, rules, condition=text))
    wanted = []
    for rows in groups(events, rules):
        for place, row in enumerate(rows):
            if any(holds(events, rows, place, way, kind == "temporal_ordered") for way in ways):
                wanted.append(row)
    found = [one.row for one in judged(read, frame(events)).found]
    assert found == sorted(wanted, key=lambda row: (events[row]["at"], row))


def test_every_contributing_record_is_kept_in_time_order_and_the_last_one_completes() -> None:
    read = loaded(base("a"), base("b"), correlation("event_count", ["a", "b"], condition={"gte": 3}))
    events = [{"at": at, "kind": kind, "user": "u"} for at, kind in [(20, "ab"), (0, "a"), (10, "b"), (90, "a")]]
    (one,) = judged(read, frame(events)).found
    assert (one.row, one.value, one.group) == (0, 3, (("user", "u"),))
    assert records(one) == [1, 2, 0]
    ids = {rule.name: rule.id for rule in read.rules}
    assert [set(record.rule_ids) for record in one.records] == [{ids["a"]}, {ids["b"]}, {ids["a"], ids["b"]}]


def test_a_window_crosses_every_boundary_of_the_clock_and_is_closed_on_both_sides() -> None:
    read = loaded(base("a"), correlation("event_count", ["a"], condition={"gte": 2}))
    assert completed(read, [{"at": at, "kind": "a", "user": "u"} for at in (86_370, 86_430, 86_491)]) == [1]


@pytest.mark.parametrize("order", [["a", "b", "c"], ["b", "a", "c"]])
def test_of_chains_that_are_equally_long_the_one_that_starts_last_counts(order: list[str]) -> None:
    read = loaded(*map(base, KINDS), correlation("temporal_ordered", order, condition={"gte": 2, "lt": 3}))
    events = [{"at": at, "kind": kind, "user": "u"} for at, kind in [(0, order[1]), (50, order[0]), (70, "c")]]
    (one,) = judged(read, frame(events)).found
    assert (one.value, records(one)) == (2, [1, 2])


def test_an_alias_joins_fields_of_different_names() -> None:
    joined = correlation("temporal", ["a", "b"], group_by=["who"], aliases={"who": {"a": "source", "b": "target"}})
    read = loaded(base("a"), base("b"), joined)
    events = [
        {"at": 0, "kind": "a", "source": "x", "target": "z"},
        {"at": 1, "kind": "b", "target": "y"},
        {"at": 2, "kind": "b", "target": "x"},
    ]
    (one,) = judged(read, frame(events)).found
    assert (records(one), one.group) == ([0, 2], (("who", "x"),))


def test_correlations_chain_and_the_outer_one_keeps_the_events_of_the_inner() -> None:
    many = correlation("event_count", ["a"], name="many", condition={"gte": 2}, group_by=["user", "host"])
    outer = correlation("temporal_ordered", ["many", "b"], name="outer")
    read = loaded(outer, base("a"), base("b"), many)
    assert [one.name for one in read.correlations] == ["many", "outer"]
    events = [{"at": at, "kind": kind, "user": "u", "host": "h"} for at, kind in [(0, "a"), (5, "a"), (9, "b")]]
    inner, last = judged(read, frame(events)).found
    assert (inner.rule.name, records(inner)) == ("many", [0, 1])
    assert (last.rule.name, records(last)) == ("outer", [0, 1, 2])


def test_events_of_several_log_sources_meet_in_one_correlation() -> None:
    other = {**base("b"), "logsource": {"product": "windows", "service": "application"}}
    read = loaded(base("a"), other, correlation("temporal_ordered", ["b", "a"]))
    assert read.correlations[0].logsources == (SOURCE, LogSource("windows", "application"))
    frames = [
        frame([{"at": 7, "kind": "a", "user": "u"}]),
        frame([{"at": 3, "kind": "b", "user": "u"}], LogSource("windows", "application")),
    ]
    (one,) = judged(read, *frames).found
    assert [(record.frame, record.row) for record in one.records] == [(1, 0), (0, 0)]


def test_a_list_counts_each_of_its_values_and_numbers_group_as_their_text() -> None:
    read = loaded(base("a"), correlation("value_count", ["a"], condition={"field": "n", "gte": 3}))
    events = [{"at": 0, "kind": "a", "user": 5, "n": ["1", "2"]}, {"at": 1, "kind": "a", "user": 5, "n": ["2", "3"]}]
    (one,) = judged(read, frame(events)).found
    assert (one.row, one.value, one.group) == (1, 3, (("user", "5"),))


def test_sums_are_exact_and_a_tenth_is_a_tenth() -> None:
    read = loaded(base("a"), correlation("value_sum", ["a"], condition={"field": "n", "eq": 0.3}))
    assert completed(read, [{"at": at, "kind": "a", "user": "u", "n": n} for at, n in enumerate(["0.1", "0.2"])]) == [1]
    large = loaded(base("a"), correlation("value_sum", ["a"], condition={"field": "n", "eq": 2**53 + 1}))
    rows = [{"at": at, "kind": "a", "user": "u", "n": n} for at, n in enumerate([str(2**53), "1"])]
    assert completed(large, rows) == [1]


@pytest.mark.parametrize("text", ["1" * 401, "1e9999", "nan", "0x10", " 5", "1_0", "\u0661"])
def test_a_text_that_is_no_measurement_is_skipped(text: str) -> None:
    read = loaded(base("a"), correlation("value_sum", ["a"], condition={"field": "n", "gte": -(10**500)}))
    assert completed(read, [{"at": 0, "kind": "a", "user": "u", "n": text}]) == []
    assert completed(read, [{"at": 0, "kind": "a", "user": "u", "n": "5"}]) == [0]


def test_without_group_by_all_events_are_one_group() -> None:
    whole = correlation("event_count", ["a"], condition={"gte": 2})
    del whole["correlation"]["group-by"]
    assert completed(loaded(base("a"), whole), [{"at": 0, "kind": "a"}, {"at": 1, "kind": "a", "user": "u"}]) == [1]


def test_what_cannot_take_part_is_told() -> None:
    read = loaded(base("a"), correlation("event_count", ["a"], condition={"gte": 1}))
    outcome = judged(read, frame([{"kind": "a", "user": "u"}, {"at": 0, "kind": "a", "user": "u"}]))
    assert [one.row for one in outcome.found] == [1]
    assert [one.why for one in outcome.unable] == ["left out 1 matching events that have no time"]
    outcome = judged(read, frame([{"at": 0, "kind": "a"}]))
    assert [one.why for one in outcome.unable] == ["left out 1 matching events that have no field 'user' to group by"]


def test_a_correlation_over_a_rule_that_cannot_run_says_so() -> None:
    broken = {**base("a"), "detection": {"s": {"kind|re": "[\\w]{1,1000}" * 3}, "condition": "s"}}
    read = loaded(broken, correlation("event_count", ["a"], condition={"gte": 1}))
    (why,) = [one.why for one in judged(read, frame([{"at": 0, "kind": "a", "user": "u"}])).unable]
    assert "cannot run" in why


def test_a_stored_correlation_is_the_same_correlation() -> None:
    read = loaded(
        *map(base, KINDS),
        correlation("temporal", ["a", "b", "c"], name="one", condition="a and (b or not c)"),
        correlation(
            "value_percentile",
            ["a"],
            name="two",
            condition={"field": ["n"], "percentile": 95, "gt": 1, "lte": 9.5},
            aliases={"user": {"a": "account"}},
            generate=True,
        ),
    )
    one, two = read.correlations
    for correlated in (one, two):
        assert Correlation.from_json(json.loads(json.dumps(correlated.to_json()))) == correlated
    assert [len(way.present) for way in one.alternatives] == [2, 1]
    assert {threshold.op for threshold in two.thresholds} == {"gt", "lte"}
    assert {rule.name for rule in read.rules if rule.id in read.silent} == {"a", "b", "c"}
    with pytest.raises(ValueError, match="stored correlation"):
        Correlation.from_json({"id": "x"})


@pytest.mark.parametrize(
    ("change", "part", "line"),
    [
        ({"rules": ["a", "nothing"]}, "'nothing', which is no usable rule", "rules"),
        ({"rules": ["finding"]}, "or to itself", "rules"),
        ({"rules": []}, "at least one rule", "rules"),
        ({"type": "sometimes"}, "no valid Sigma correlation type", "type"),
        ({"timespan": "soon"}, "Timespan 'soon' is invalid", "timespan"),
        ({"timespan": None}, "without timespan", "correlation"),
        ({"condition": {"gte": 1, "roughly": 2}}, "invalid items: roughly", "condition"),
        ({"condition": {"gte": "many"}}, "no valid Sigma correlation condition count", "condition"),
        ({"condition": None}, "without condition", "correlation"),
        ({"condition": "a and"}, "only be used with temporal", "correlation"),
        ({"type": "temporal", "condition": "a and"}, "Failed to parse", "condition"),
        ({"type": "temporal", "condition": "not a"}, "without any event", "condition"),
        ({"type": "value_count"}, "without field", "correlation"),
        ({"type": "value_percentile", "condition": {"field": "n", "gte": 1}}, "0 to 100", "condition"),
        ({"aliases": {"who": {"b": "x"}}}, "'b', which is not among 'rules'", "aliases"),
        ({"aliases": ["who"]}, "must be a dict", "correlation"),
    ],
)
def test_a_wrong_correlation_is_refused_with_place_and_help_and_the_others_stay(
    change: dict[str, Any], part: str, line: str
) -> None:
    wrong = correlation("event_count", ["a"], condition={"gte": 1})
    wrong["correlation"] |= change
    wrong["correlation"] = {key: value for key, value in wrong["correlation"].items() if value is not None}
    text = yaml.safe_dump_all([base("a"), wrong])
    read = load_rules({"rules.yml": text})
    assert [rule.name for rule in read.rules] == ["a"]
    assert read.correlations == ()
    (fault,) = read.faults
    assert part in fault.what
    assert fault.help
    assert fault.where is not None
    assert text.splitlines()[(fault.where.line or 0) - 1].strip().startswith(f"{line}:")


def test_a_name_that_two_rules_share_is_refused_and_a_circle_too() -> None:
    twice = load_rules(
        {
            "rules.yml": yaml.safe_dump_all(
                [base("a"), base("a"), correlation("event_count", ["a"], condition={"gt": 1})]
            )
        }
    )
    assert [fault.what for fault in twice.faults] == ["'a event_count' refers to 'a', which 2 rules are called"]
    first = correlation("event_count", ["two"], name="one", condition={"gt": 1})
    second = correlation("event_count", ["one"], name="two", condition={"gt": 1})
    circle = load_rules({"rules.yml": yaml.safe_dump_all([first, second])})
    assert len(circle.faults) == 2
    assert circle.correlations == ()


def test_a_condition_that_multiplies_out_of_hand_is_refused() -> None:
    text = " and ".join(f"(a or b{index})" for index in range(7))
    names = ["a", *(f"b{index}" for index in range(7))]
    read = load_rules(
        {"rules.yml": yaml.safe_dump_all([*map(base, names), correlation("temporal", names, condition=text)])}
    )
    assert [fault.kind for fault in read.faults] == ["unsupported"]


FILTER: dict[str, Any] = {
    "title": "not the backup account",
    "logsource": {"product": "linux"},
    "filter": {"rules": ["a"], "selection": {"user": "backup"}, "condition": "not selection"},
}


def test_a_filter_joins_the_rules_that_it_names_across_files() -> None:
    read = load_rules({"a.yml": yaml.safe_dump_all([base("a"), base("b")]), "filter.yml": yaml.safe_dump(FILTER)})
    assert read.faults == ()
    rows = frame([{"kind": "ab", "user": "backup"}, {"kind": "ab", "user": "u"}])
    found = [(one.rule.name, one.row) for one in match(read.rules, [rows]).matches]
    assert sorted(found, key=str) == [("a", 1), ("b", 0), ("b", 1)]


def test_a_filter_for_any_rule_keeps_to_its_log_source() -> None:
    any_rule = {**FILTER, "filter": {**FILTER["filter"], "rules": "any"}, "logsource": {"product": "windows"}}
    other = {**base("b"), "logsource": {"product": "windows", "service": "application"}}
    read = load_rules({"rules.yml": yaml.safe_dump_all([base("a"), other, any_rule])})
    frames = [frame([{"kind": "ab", "user": "backup"}]), frame([{"kind": "ab", "user": "backup"}], other_source())]
    assert [one.rule.name for one in match(read.rules, frames).matches] == ["a"]


def other_source() -> LogSource:
    return LogSource("windows", "application")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"rules": ["nobody"]}, "fits no rule"),
        ({"condition": "selection and other"}, "other"),
        ({"condition": None}, "condition"),
        ({"rules": None}, "'rules' field"),
        ({"selection": {"user|fuzzy": "x"}}, "fuzzy"),
    ],
)
def test_a_wrong_filter_is_told_and_filters_nothing(change: dict[str, Any], part: str) -> None:
    section = {key: value for key, value in {**FILTER["filter"], **change}.items() if value is not None}
    read = load_rules({"rules.yml": yaml.safe_dump_all([base("a"), {**FILTER, "filter": section}])})
    (fault,) = read.faults
    assert part in fault.what
    assert fault.where is not None
    assert [one.row for one in match(read.rules, [frame([{"kind": "a", "user": "backup"}])]).matches] == [0]

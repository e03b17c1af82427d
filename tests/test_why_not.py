"""Why a cause was not given: each case over small bundles, the nearest line against brute force, and the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.attribute import attribute
from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli import run
from loganalyzer.facts import correlated, derive, load_tables
from loganalyzer.grounds import Grounds
from loganalyzer.near_misses import MOST_TOLD, near_misses
from loganalyzer.pipeline import Judged, ScanOptions, judge
from loganalyzer.redact import Redactor, redact_report
from loganalyzer.report.json_report import schema, to_json
from loganalyzer.report.model import NearMiss, Report
from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.bind import bind
from loganalyzer.sigma.ir import And, Condition, Leaf, Not, Or
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.sigma.nearest import Nearest, almost, first_failed, nearest, views
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.sigma.words import in_words
from loganalyzer.why_not import WhyNot, answers, why_not
from loganalyzer.windows import Ticket
from sample_logs.generate import bundles
from sample_logs.packing import SampleBundle, write_bundle, write_directory
from tests.frames import make_frame

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = {bundle.name: bundle for bundle in bundles()}
BUNDLES = ROOT / "sample_logs" / "bundles"
WAAGENT = LogSource("linux", "waagent")
VMSNAPSHOT = LogSource("linux", "vmsnapshot")
CAUSE = "wireserver-blocked"


@cache
def judged(name: str) -> Judged:
    return judge([BUNDLES / SAMPLES[name].file_name], ScanOptions())


def asked(name: str, cause: str) -> WhyNot:
    return why_not(judged(name).grounds, cause)


def changed(sample: str, tmp_path: Path, change: Mapping[str, bytes | None]) -> Grounds:
    """What is known of a sample some of whose files are replaced or left out, by the ends of their names."""
    files = dict(SAMPLES[sample].files)
    for end, data in change.items():
        for name in [name for name in files if name.endswith(end)]:
            del files[name]
            if data is not None:
                files[name] = data
    write_directory(files, tmp_path / "bundle")
    return judge([tmp_path / "bundle"], ScanOptions()).grounds


def rule(number: int, detection: Mapping[str, object] | str, **own: Any) -> dict[str, Any]:
    """A rule about the agent's log; ``detection`` is one selection, or a text that the message holds."""
    selection = {"message|contains": detection} if isinstance(detection, str) else dict(detection)
    condition = own.pop("condition", "selection")
    more = own.pop("more", {})
    role = own.pop("role", "supports")
    about = {} if role == "fact" else {"cause": own.pop("cause", CAUSE), "strength": own.pop("strength", "strong")}
    return {
        "title": own.pop("title", f"rule {number}"),
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"rule_{number}",
        "taxonomy": "loganalyzer",
        "logsource": own.pop("logsource", {"product": "linux", "service": "waagent"}),
        "detection": {"selection": selection, **more, "condition": condition},
        "level": "medium",
        "loganalyzer": {"role": role, **about},
    }


def correlation(number: int, kind: str, rules: list[str], **own: Any) -> dict[str, Any]:
    keys = {key.replace("_", "-"): value for key, value in own.items()}
    return {
        "title": f"correlation {number}",
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "taxonomy": "loganalyzer",
        "correlation": {"type": kind, "rules": rules, "timespan": "60s", **keys},
        "level": "medium",
        "loganalyzer": {"role": "supports", "cause": CAUSE, "strength": "strong"},
    }


def loaded(documents: Sequence[Mapping[str, Any]]) -> tuple[tuple[Rule, ...], tuple[Correlation, ...]]:
    read = load_rules({"rules.yml": yaml.safe_dump_all(documents)})
    assert read.faults == (), [str(fault) for fault in read.faults]
    return read.rules, read.correlations


def grounds_of(
    documents: Sequence[Mapping[str, Any]], frames: Sequence[EventFrame], ticket: Ticket | None = None
) -> Grounds:
    """What is known of these frames with these rules and no others."""
    rules, correlations = loaded(documents)
    catalogue, derived = load_catalogue(), derive(frames, load_tables())
    everything = [*frames, *derived.frames]
    together = correlated(correlations, everything, match(rules, everything))
    everything += together.frames
    signatures: tuple[Rule | Correlation, ...] = (*rules, *correlations)
    verdicts = attribute(catalogue, derived, everything, together.matches, signatures, ticket or Ticket())
    by_id = {one.id: one for one in signatures}
    return Grounds(catalogue, derived, tuple(everything), together.matches, by_id, verdicts)


def agent(*lines: tuple[str, str], **columns: Any) -> EventFrame:
    rows = ({"at": f"2026-03-01 {at}", "message": text, **columns} for at, text in lines)
    return make_frame(WAAGENT, "var/log/waagent.log", *rows)


def backup(start: str, code: str, number: int = 1) -> list[dict[str, Any]]:
    """The extension's lines of one backup on 2026-03-01 that ends half a minute later with a code."""
    task = f"5b1c6c7e-9b0d-4a54-9d0f-7a1e0000000{number}"
    return [
        {"at": f"2026-03-01 {start}:00", "message": "starting enable"},
        {"at": f"2026-03-01 {start}:01", "message": f"taskId: {task}"},
        {"at": f"2026-03-01 {start}:30", "message": f"Enable,success,{code},,False"},
    ]


# Every cause over every sample


def stated(report: Report) -> dict[str, str]:
    """The verdict that a report states of each cause that it speaks of."""
    return {
        **{one.cause: one.verdict for one in report.diagnoses},
        **{one.cause: "undecided" for one in report.undecided},
        **{one.cause: "ruled-out" for one in report.ruled_out},
        **dict.fromkeys(report.clear, "clear"),
    }


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if number == 0 else (pytest.mark.slow,)) for number, name in enumerate(SAMPLES)],
)
def test_every_cause_is_answered_and_its_verdict_is_that_of_the_report(name: str) -> None:
    known, catalogue = stated(judged(name).report), judged(name).grounds.catalogue
    assert len(known) > 60
    ranks = {one.cause: one.rank for one in judged(name).report.diagnoses}
    told = answers(judged(name).grounds, "everything", catalogue.causes)
    assert {one.cause for one in told.answers} == set(catalogue.causes)
    for one in told.answers:
        assert known.get(one.cause, one.verdict) == one.verdict
        assert one.rank == ranks.get(one.cause)
        assert one.cause in known or one.guest_visible == "no"
        assert one.verdict == "undecided" or not one.missing
        assert bool(one.rivals or one.would_raise or one.would_take_away) <= (one.rank is not None)
        for rule in one.rules:
            assert (rule.state == "near") == (rule.nearest is not None)
            assert rule.why
    report = json.loads(to_json(redact_report(told, Redactor())))  # type: ignore[arg-type]
    assert len(report["answers"]) == len(catalogue.causes)


def holds(condition: Condition, near: Nearest) -> bool:
    """Whether a condition holds of the nearest row, by the engine."""
    row = near.rows[near.row : near.row + 1]
    return bool(row.with_row_index("\x1fn").select(bind(condition, row.schema).alias("held"))["held"][0])


def before(condition: Condition, failed: Condition) -> list[Condition] | None:
    """The items of every `And` on the way to a part that stand before it; None: the part is not inside."""
    if condition is failed:
        return []
    if isinstance(condition, And):
        for index, item in enumerate(condition.items):
            inner = before(item, failed)
            if inner is not None:
                return [*condition.items[:index], *inner]
    if isinstance(condition, Or):
        for item in condition.items:
            inner = before(item, failed)
            if inner is not None:
                return inner
    return None


@pytest.mark.parametrize(
    "name", [next(iter(SAMPLES)), *(pytest.param(name, marks=pytest.mark.slow) for name in list(SAMPLES)[4::4])]
)
def test_the_nearest_line_fails_the_named_condition_and_none_before_it(name: str) -> None:
    grounds = judged(name).grounds
    unable = {one.rule_id for one in grounds.matches.unable}
    asked = [one for one in grounds.signatures.values() if isinstance(one, Rule) and one.id not in unable]
    found = [near for one in asked if (near := nearest(one, grounds.frames, grounds.around)) is not None]
    assert len(found) > 20
    matched = {(one.rule.id, one.frame, one.row) for one in grounds.matches.matches}
    for near in found:
        assert (near.rule.id, near.frame, near.row) not in matched
        assert not holds(near.condition, near)
        assert not holds(near.failed, near)
        earlier = before(near.condition, near.failed)
        assert earlier is not None
        assert all(holds(one, near) for one in earlier), in_words(near.condition)
        assert near.speaking <= near.held
        assert near.lacking > 0


# The nearest row


LEAVES = st.builds(
    lambda field, value: Leaf(field, "equals", (value,)), st.sampled_from("abcd"), st.sampled_from(["x", "y"])
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: And(tuple(items))),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: Or(tuple(items))),
        inner.map(Not),
    ),
    max_leaves=6,
)
ROWS = st.lists(st.fixed_dictionaries({name: st.sampled_from(["x", "y", None]) for name in "abc"}), max_size=6)


def slowly(condition: Condition, row: Mapping[str, str | None]) -> tuple[bool, int, int, int]:
    """Whether a condition holds of a row, and its leaves that hold, that speak, and that lack: one by one."""
    if isinstance(condition, Leaf):
        held = row.get(str(condition.field)) in condition.values
        return held, int(held), int(held), int(not held)
    if isinstance(condition, Not):
        held = not slowly(condition.item, row)[0]
        return held, int(held), 0, int(not held)
    parts = [slowly(item, row) for item in condition.items]
    heads, helds, speakings, lackings = zip(*parts, strict=True)
    if isinstance(condition, And):
        return all(heads), sum(helds), sum(speakings), sum(lackings)
    return any(heads), max(helds), max(speakings), min(lackings)


def rule_of(condition: Condition) -> Rule:
    (known,), _ = loaded([rule(1, "alpha")])
    return Rule(**{**{name: getattr(known, name) for name in known.__dataclass_fields__}, "condition": condition})


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, ROWS)
def test_the_nearest_row_is_the_one_that_brute_force_finds(condition: Condition, rows: list[dict[str, Any]]) -> None:
    frame = make_frame(WAAGENT, "a.log", *({**row, "message": str(index)} for index, row in enumerate(rows)))
    one = nearest(rule_of(condition), [frame])
    scored = [(slowly(condition, row), index) for index, row in enumerate(rows)]
    assert all(held == (lacking == 0) for (held, _, _, lacking), _ in scored)
    left = [(-held, -speaking, lacking, index) for (true, held, speaking, lacking), index in scored if not true]
    left = [row for row in left if row[1] < 0]
    if not left:
        assert one is None
        return
    assert one is not None
    assert (-one.held, -one.speaking, one.lacking, one.row) == min(left)
    assert not slowly(one.failed, rows[one.row])[0]


@pytest.mark.parametrize(
    "times", [("03:00", "09:50", "12:00"), ("09:00", "10:20", "12:00"), ("02:00", "09:00", "12:00")]
)
def test_of_equally_near_rows_the_one_nearest_to_the_window_is_taken(times: tuple[str, str, str]) -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", "76"))
    lines = agent(*zip(times, ("alpha one", "alpha two", "alpha three"), strict=True))
    grounds = grounds_of([rule(1, {"message|contains|all": ["alpha", "beta"]})], [log, lines])
    (told,) = why_not(grounds, CAUSE).rules
    assert told.nearest is not None
    assert told.nearest.line.original == "alpha two"
    assert (told.nearest.held, told.nearest.lacking) == (1, 1)
    assert told.nearest.failed == 'message holds "beta"'


def test_a_field_that_is_rightly_not_there_says_nothing_alone() -> None:
    grounds = grounds_of([rule(1, {"message|contains": "alpha", "user": None})], [agent(("02:00", "gamma"))])
    (told,) = why_not(grounds, CAUSE).rules
    assert (told.state, told.nearest) == ("nothing", None)


def test_a_row_that_only_lacks_what_is_forbidden_says_nothing() -> None:
    grounds = grounds_of(
        [rule(1, "alpha", more={"harmless": {"message|contains": "beta"}}, condition="selection and not harmless")],
        [agent(("02:00", "gamma"), ("02:01", "delta"))],
    )
    (told,) = why_not(grounds, CAUSE).rules
    assert (told.state, told.nearest) == ("nothing", None)


def test_the_condition_that_fails_may_be_an_exception() -> None:
    grounds = grounds_of(
        [rule(1, "alpha", more={"harmless": {"message|contains": "beta"}}, condition="selection and not harmless")],
        [agent(("02:00", "alpha and beta"))],
    )
    (told,) = why_not(grounds, CAUSE).rules
    assert told.nearest is not None
    assert told.nearest.failed == 'not (message holds "beta")'


def test_a_category_of_windows_is_told_as_the_event_ids_that_it_stands_for() -> None:
    document = rule(1, {"Image|endswith": "\\x.exe"}, logsource={"product": "windows", "category": "process_creation"})
    (one,), _ = loaded([{**document, "taxonomy": "sigma"}])
    sysmon = LogSource("windows", "sysmon")
    frame = make_frame(sysmon, "s.evtx", {"EventID": 3, "Image": "C:\\x.exe", "message": "a"})
    near = nearest(one, [frame])
    assert near is not None
    assert in_words(near.failed) == "EventID is 1"
    security = make_frame(LogSource("windows", "security"), "s.evtx", {"EventID": 4688, "NewProcessName": "C:\\y.exe"})
    renamed = nearest(one, [security])
    assert renamed is not None
    assert in_words(renamed.failed) == 'Image ends with "\\x.exe"'
    assert [view.frame for view in views(one, [frame, security])] == [0, 1]


def test_of_alternatives_the_one_that_holds_most_is_told() -> None:
    a, b, c = (Leaf("message", "contains", (word,)) for word in ("a", "b", "c"))
    truth = {a: False, b: True, c: False}
    assert first_failed(Or((a, And((b, c)))), truth) is c
    whole = Or((a, c))
    assert first_failed(And((b, whole)), truth) is whole
    assert in_words(whole) == 'message holds "a" or message holds "c"'


# The cases


def test_a_finding_before_the_last_success_is_told_as_history() -> None:
    one = asked("linux-wireserver-recovered", CAUSE)
    (found,) = one.history
    assert one.verdict == "clear"
    assert found.why.startswith("it was over before the last backup that succeeded (2025-06-11T01:30:")
    assert found.lines[0].line == 5
    assert "Error fetching the goal state" in found.lines[0].original
    matched = [told for told in one.rules if told.state == "matched"]
    assert [told.title for told in matched] == [found.title]


def test_a_finding_outside_of_the_failed_attempt_is_told_as_history() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", "76"))
    lines = agent(("02:00", "alpha"), ("11:30", "end"))
    (found,) = why_not(grounds_of([rule(1, "alpha")], [log, lines]), CAUSE).history
    assert found.why == (
        "it lies outside of the window of attempt-1 (failure), 2026-03-01T09:30:00Z to 2026-03-01T10:15:30Z"
    )
    two = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", "76"), *backup("13:00", "76", 2))
    (found,) = why_not(grounds_of([rule(1, "alpha")], [two, lines]), CAUSE).history
    assert found.why.startswith("it lies outside of the windows of the 2 attempts that did not succeed")


def test_a_finding_after_the_last_success_is_history_where_no_backup_failed() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", "1"))
    (found,) = why_not(grounds_of([rule(1, "alpha")], [log, agent(("12:00", "alpha"))]), CAUSE).history
    assert found.why == "no backup failed after it"


def test_what_is_missing_is_told_with_the_command_that_collects_it(tmp_path: Path) -> None:
    grounds = changed("linux-healthy", tmp_path, {"extension.log": None})
    one = why_not(grounds, "freeze-timeout")
    assert one.verdict == "undecided"
    (missing,) = one.missing
    assert missing.why == "not in the bundle"
    assert missing.read == ()
    collect = {
        item.command for item in grounds.catalogue.causes["freeze-timeout"].collect if item.artefact == missing.artefact
    }
    assert set(missing.commands) == collect != set()
    assert "nothing of linux/vmsnapshot was read" in {told.why for told in one.rules if told.state == "unread"}


def test_a_log_that_begins_after_the_failure_is_told_with_its_times(tmp_path: Path) -> None:
    name, data = next(
        (name, data) for name, data in SAMPLES["linux-freeze-failed"].files.items() if "waagent.log" in name
    )
    lines = data.splitlines(keepends=True)
    grounds = changed("linux-freeze-failed", tmp_path, {name: b"".join(lines[-12:])})
    one = why_not(grounds, "agent-state-files-damaged")
    (missing,) = one.missing
    assert re.fullmatch(r"what was read begins at \S+Z, too late for attempt-\d \(failure\) from \S+Z on", missing.why)
    assert [read.partition(": 2025-")[0] for read in missing.read] == ["var/log/waagent.log"]


def test_a_refutation_is_told_with_its_lines_and_what_it_takes_away() -> None:
    documents = [
        rule(1, "alpha", title="seen"),
        rule(2, "beta", role="refutes", strength="definitive", title="excluded"),
    ]
    one = why_not(grounds_of(documents, [agent(("02:00", "alpha"), ("02:05", "beta"))]), CAUSE)
    assert one.verdict == "ruled-out"
    ((refuting,), (taken,)) = one.refutes, one.taken_away
    assert [line.original for line in refuting.lines] == ["beta"]
    assert taken.why == "taken away by what speaks against it (definitive): excluded"
    assert [line.line for line in taken.lines] == [1]


def test_a_platform_that_does_not_have_the_cause_is_reason_enough() -> None:
    one = asked("linux-healthy", "vss-service-bad-state")
    assert (one.verdict, one.how) == ("ruled-out", "the VM runs Linux")
    assert {told.state for told in one.rules if told.logsources[0].startswith("windows")} == {"unread"}
    assert {told.why for told in one.rules if told.logsources[0].startswith("windows")} == {"the VM runs Linux"}


def test_of_a_clear_cause_the_nearest_line_is_told_with_what_it_holds_instead() -> None:
    one = asked("windows-healthy", "vss-service-bad-state")
    assert one.verdict == "clear"
    first = next(told for told in one.rules if told.title == "The Volume Shadow Copy service failed")
    assert first.why == "conditions met: 3 of 4"
    assert first.nearest is not None
    assert first.nearest.failed.startswith('EventID is "7000" or')
    assert [(held.field, held.value) for held in first.nearest.holds] == [("EventID", "7036")]
    assert first.nearest.line.record_id is not None
    assert first.nearest.line.message == "Service Control Manager 7036: param1=Volume Shadow Copy; param2=stopped"


def test_a_given_cause_is_told_with_its_rivals_and_what_would_change_its_verdict() -> None:
    one = asked("linux-wireserver-blocked", CAUSE)
    assert (one.verdict, one.rank) == ("likely", 1)
    (order,) = one.order
    assert order == "before goal-state-fetch-failed: it is likely, and goal-state-fetch-failed is only possible"
    assert one.rivals[0].cause == "goal-state-fetch-failed"
    assert one.rivals[0].why.startswith(f"a consequence of {CAUSE}, no rival; ")
    assert one.would_raise[0].startswith("a second strong finding")
    refuting = [told for told in one.would_take_away if told.startswith("The agent reaches the platform endpoint: ")]
    assert [told.partition(": ")[2][:20] for told in refuting] == ["would answer a state"]
    assert one.supports
    second = asked("linux-wireserver-blocked", "goal-state-fetch-failed")
    assert second.order == (f"behind {CAUSE}: of {CAUSE}, it is likely, and goal-state-fetch-failed is only possible",)
    assert second.would_raise[0].startswith("a strong finding, or a second weak one")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (("definitive", CAUSE, "10:00"), ("strong", "no-network", "10:00"), "confirmed goes before likely"),
        (("strong", "no-network", "10:00"), ("strong", CAUSE, "04:00"), "its evidence lies in the last failed attempt"),
    ],
)
def test_what_decided_between_two_diagnoses_is_told(
    first: tuple[str, str, str], second: tuple[str, str, str], said: str
) -> None:
    causes = iter(pair_without_a_chain())
    names = {name: next(causes) for name in (first[1], second[1])}
    documents = [
        rule(number, f"word{number}", strength=strength, cause=names[cause])
        for number, (strength, cause, _) in enumerate((first, second), start=1)
    ]
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("04:00", "76"), *backup("10:00", "76", 2))
    lines = agent(*sorted([(first[2], "word1"), (second[2], "word2")], key=lambda pair: pair[0]))
    grounds = grounds_of(documents, [log, lines])
    winner, loser = names[first[1]], names[second[1]]
    assert grounds.attribution.ranked == (winner, loser)
    (told,) = why_not(grounds, winner).order
    assert told.startswith(f"before {loser}: ")
    assert said in told


def pair_without_a_chain() -> list[str]:
    """Two causes of Linux of which none leads to the other."""
    catalogue = load_catalogue()
    linux = [cause.id for cause in catalogue.causes.values() if cause.platform == "linux" and not cause.umbrella]
    first = linux[0]
    return [
        first,
        next(
            name for name in linux[1:] if not any(catalogue.reaches(*pair) for pair in ((first, name), (name, first)))
        ),
    ]


# Correlations


FACTS = [rule(1, "alpha", role="fact"), rule(2, "beta", role="fact")]
BOTH = ["rule_1", "rule_2"]


COUNT = "the nearest that it comes is 2, and at least 3 is asked for within 60 seconds"
APART = "the matches are further apart than 60 seconds"


@pytest.mark.parametrize(
    ("kind", "rules", "condition", "lines", "why"),
    [
        ("event_count", ["rule_1"], {"gte": 3}, "00:00 alpha, 00:09 alpha", COUNT),
        ("event_count", ["rule_1"], {"gte": 2}, "00:00 alpha, 10:09 alpha", APART),
        ("temporal", BOTH, None, "00:00 alpha", "never matched: rule 2"),
        ("temporal", BOTH, None, "00:00 alpha, 05:00 beta", APART),
        ("temporal_ordered", BOTH, None, "00:00 beta, 00:10 alpha", "the matches stand in another order"),
        (
            *("temporal", BOTH, "rule_1 and not rule_2", "00:00 alpha, 00:10 beta"),
            "within the timespan stands what must not follow: rule 2",
        ),
    ],
)
def test_a_correlation_says_what_it_lacks(kind: str, rules: list[str], condition: object, lines: str, why: str) -> None:
    events = [(f"02:{time}", word) for time, word in (one.split() for one in lines.split(", "))]
    keys = {} if condition is None else {"condition": condition}
    (told,) = why_not(grounds_of([*FACTS, correlation(9, kind, rules, **keys)], [agent(*events)]), CAUSE).rules
    assert (told.state, told.why) == ("unmet", why)
    counted = {
        f"rule {number}": sum(word == text for _, text in events) for number, word in enumerate(("alpha", "beta"), 1)
    }
    assert {below.title: below.matched for below in told.below}.items() <= counted.items()
    assert len(told.below) == len(rules)


def test_a_correlation_whose_matches_share_no_value_says_so() -> None:
    one = agent(("02:00:00", "alpha"), **{"user": "u"})
    other = agent(("02:00:10", "beta"), **{"user": "v"})
    frame = EventFrame(WAAGENT, pl.concat([one.rows, other.rows]))
    keys = {"group_by": ["user"]}
    (told,) = why_not(grounds_of([*FACTS, correlation(9, "temporal", BOTH, **keys)], [frame]), CAUSE).rules
    assert told.why == "the matches do not share one value of user"


def test_a_rule_below_that_never_matched_is_told_with_its_nearest_line() -> None:
    documents = [FACTS[0], rule(2, {"message|contains|all": ["beta", "gamma"]}, role="fact")]
    lines = agent(("02:00:00", "alpha"), ("02:00:05", "only beta"))
    (told,) = why_not(grounds_of([*documents, correlation(9, "temporal", BOTH)], [lines]), CAUSE).rules
    near = {below.title: below.nearest for below in told.below}
    assert near["rule 1"] is None
    assert near["rule 2"] is not None
    assert (near["rule 2"].failed, near["rule 2"].line.original) == ('message holds "gamma"', "only beta")


def test_a_correlation_that_had_nothing_to_read_is_told_as_such() -> None:
    grounds = grounds_of(
        [*FACTS, correlation(9, "temporal", BOTH)], [make_frame(VMSNAPSHOT, "e.log", *backup("10:00", "1"))]
    )
    (told,) = why_not(grounds, CAUSE).rules
    assert (told.state, told.why) == ("unread", "nothing of linux/waagent was read")


# Near misses


THREE = {"message|contains|all": ["alpha", "beta", "gamma"]}


def test_near_misses_are_history_then_what_was_answered_then_what_lacks_one_condition() -> None:
    causes = ["wireserver-blocked", "dns-resolution-failed", "freeze-timeout", "dhcp-disabled"]
    catalogue = load_catalogue()
    causes = [name for name in causes if name in catalogue.causes][:3]
    documents = [
        rule(1, THREE, cause=causes[0]),
        rule(2, "answered", cause=causes[1]),
        rule(3, "excluded", cause=causes[1], role="refutes", strength="definitive"),
        rule(4, "old", cause=causes[2], strength="weak"),
    ]
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", "76"))
    lines = agent(("02:00", "old"), ("10:00", "alpha and beta"), ("10:01", "answered"), ("10:02", "excluded"))
    found = near_misses(grounds_of(documents, [log, lines]))
    assert [(one.kind, one.cause) for one in found] == [
        ("history", causes[2]),
        ("refuted", causes[1]),
        ("almost", causes[0]),
    ]
    assert [one.line.original for one in found] == ["old", "answered", "alpha and beta"]
    assert found[2].why == '2 of 3 conditions hold; this one does not: message holds "gamma"'


def test_a_bundle_with_a_diagnosis_has_no_near_misses() -> None:
    documents = [rule(1, THREE), rule(2, "found", cause="freeze-timeout")]
    lines = agent(("10:00", "alpha and beta"), ("10:01", "found"))
    assert near_misses(grounds_of(documents, [lines])) == ()
    assert near_misses(grounds_of(documents[:1], [lines])) != ()


def test_a_row_that_could_not_count_or_lacks_more_than_one_condition_is_no_near_miss() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", "76"))
    assert near_misses(grounds_of([rule(1, THREE)], [log, agent(("02:00", "alpha and beta"))])) == ()
    assert near_misses(grounds_of([rule(1, THREE)], [log, agent(("10:00", "alpha alone"))])) == ()
    foreign = rule(1, THREE, cause="vss-service-bad-state")
    assert near_misses(grounds_of([foreign], [log, agent(("10:00", "alpha and beta"))])) == ()
    pair = rule(1, {"message|contains|all": ["alpha", "beta"]})
    assert near_misses(grounds_of([pair], [log, agent(("10:00", "alpha alone"))])) == ()


def test_near_misses_are_few_and_each_of_another_cause() -> None:
    names = list(load_catalogue().causes)[:8]
    documents = [rule(number, "old", cause=name) for number, name in enumerate([*names, *names], start=1)]
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", "76"))
    found = near_misses(grounds_of(documents, [log, agent(("02:00", "old"))]))
    assert len(found) == MOST_TOLD == len({one.cause for one in found})


def test_only_so_many_rows_are_looked_at() -> None:
    (one,), _ = loaded([rule(1, THREE)])
    frame = agent(("10:00", "alpha and beta"), *([("10:01", "nothing")] * 5))
    span = (frame.rows["@timestamp"][0], frame.rows["@timestamp"][5])
    assert [near.row for near in almost([one], [frame], span, 6, 2)] == [0]
    assert almost([one], [frame], span, 5, 2) == []
    assert almost([one], [frame], span, 6, 3) == []


def test_the_schema_names_the_fields_of_a_near_miss_in_order() -> None:
    described = schema()["$defs"]["NearMiss"]
    assert described["required"] == list(described["properties"]) == [each.name for each in fields(NearMiss)]


def test_the_receipt_of_a_scan_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(BUNDLES / SAMPLES["linux-wireserver-recovered"].file_name)
    report = judged("linux-wireserver-recovered").report
    assert [(one.kind, one.cause) for one in report.receipt.near_misses] == [("history", CAUSE)]
    assert run(["scan", path, "--color", "never"]) == 0
    assert f"({CAUSE}, history, var/log/waagent.log:5)" in " ".join(capsys.readouterr().out.split())


# The command


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are read and judged once in a process, also by the command."""
    names = {str(BUNDLES / sample.file_name): name for name, sample in SAMPLES.items()}
    monkeypatch.setattr("loganalyzer.cli.why_not.judge", lambda paths, *_, **__: judged(names[paths[0]]))


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run(["why-not", *arguments, "--color", "never"])
    told = capfd.readouterr()
    return status, told.out, told.err


@pytest.mark.usefixtures("read_once")
def test_the_command_answers_in_text_and_json(capfd: pytest.CaptureFixture[str]) -> None:
    path = str(BUNDLES / SAMPLES["windows-healthy"].file_name)
    status, out, err = said(capfd, path, "vss-service-bad-state")
    assert (status, err) == (0, "")
    assert "fails: EventID is" in out
    assert "EventID holds 7036" in out
    status, out, _ = said(capfd, path, "vss-service-bad-state", "-f", "json")
    told = json.loads(out)
    assert (status, told["schema"], told["asked"]) == (0, "loganalyzer/why-not/1", "vss-service-bad-state")
    held = [rule["nearest"]["holds"] for rule in told["answers"][0]["rules"] if rule["nearest"] is not None]
    assert [{"field": "EventID", "value": "7036"}] in held


@pytest.mark.usefixtures("read_once")
def test_an_error_code_asks_for_all_its_causes(capfd: pytest.CaptureFixture[str]) -> None:
    path = str(BUNDLES / SAMPLES["linux-wireserver-blocked"].file_name)
    status, out, _ = said(capfd, path, "usererrorguestagentstatusunavailable", "-f", "json")
    error = load_catalogue().errors["UserErrorGuestAgentStatusUnavailable"]
    told = [one["cause"] for one in json.loads(out)["answers"]]
    assert status == 0
    assert sorted(told) == sorted(error.causes)
    assert told[0] == CAUSE
    status, out, _ = said(capfd, path, "usererrorguestagentstatusunavailable")
    assert f"{len(told)} causes of usererrorguestagentstatusunavailable" in out
    assert f"{len(told) - 3} more (--all)" in out


def test_an_unknown_cause_is_a_wrong_call_with_suggestions(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capfd, "no-such-bundle.zip", "wireserver-blockt")
    assert (status, out) == (2, "")
    assert "did you mean wireserver-blocked" in err


def test_nothing_recognised_is_status_3_and_a_missing_path_too(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("nothing that a program wrote\n")
    status, _, err = said(capfd, str(tmp_path), CAUSE)
    assert status == 3
    assert "nothing was recognised" in err
    status, out, _ = said(capfd, str(tmp_path / "absent"), CAUSE)
    assert (status == 0, out) == (False, "")


@pytest.mark.usefixtures("read_once")
def test_a_damaged_source_is_told_and_the_question_still_answered(capfd: pytest.CaptureFixture[str]) -> None:
    path = str(BUNDLES / SAMPLES["windows-damaged-evtx"].file_name)
    status, out, err = said(capfd, path, "vss-service-bad-state")
    assert status == 0
    assert "The rules that look for it" in out
    assert "not read to its end" in err


def test_the_time_of_a_ticket_moves_the_window(capfd: pytest.CaptureFixture[str]) -> None:
    path = str(BUNDLES / SAMPLES["linux-wireserver-recovered"].file_name)
    status, out, _ = said(capfd, path, CAUSE, "--at", "2025-06-10T16:30", "--tz", "Europe/Rome", "-f", "json")
    (told,) = json.loads(out)["answers"]
    assert status == 0
    assert (told["verdict"], told["history"]) == ("ruled-out", [])
    assert [found["title"] for found in told["taken_away"]] == ["The platform endpoint was out of reach for a while"]
    assert said(capfd, path, CAUSE, "--at", "yesterday")[0] == 2


@pytest.mark.usefixtures("read_once")
def test_no_secret_of_a_bundle_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    secret: SampleBundle = next(bundle for bundle in SAMPLES.values() if bundle.secrets)
    path = str(BUNDLES / secret.file_name)
    for form in (["-f", "json"], ["--all"]):
        for asked in ("UserErrorGuestAgentStatusUnavailable", secret.cause or ""):
            _, out, _ = said(capfd, path, asked, *form)
            joined = re.sub(r"\s+", "", out)
            assert [one for one in secret.secrets if one in joined] == []
            assert "storage" in out.lower()


KEY = "AccountKey=aGVsbG8gd29ybGQgdGhpcyBpcyBhIGtleQ=="
HOSTILE = f"\x1b]0;owned\x07\x1b[2J[bold red]ERROR[/] \u202e Error fetching the goal state {KEY} \x9b31m"


def test_hostile_names_and_lines_reach_no_terminal(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "x\x1b[31m[bold]y" / "var" / "log"
    folder.mkdir(parents=True)
    stamp = "2026-03-01T02:10:{:02}.000123Z ERROR ExtHandler ExtHandler "
    lines = "".join(stamp.format(number) + HOSTILE + "\n" for number in range(9))
    (folder / "waagent.log").write_text(lines, encoding="utf-8")
    for form in (["--all"], ["-f", "json"]):
        status, out, _ = said(capfd, str(tmp_path), "UserErrorGuestAgentStatusUnavailable", *form)
        assert status == 0
        assert "Error fetching the goal state" in " ".join(out.split())
        assert re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out) == []
        assert "aGVsbG8gd29ybGQ" not in out
    status, out, err = said(capfd, str(tmp_path), "\x1b[31m[bold]nothing")
    assert status == 2
    assert "\x1b" not in out + err


def test_the_command_stands_alone(tmp_path: Path) -> None:
    sample = SAMPLES["linux-wireserver-recovered"]
    path = write_bundle(sample, tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    command = [sys.executable, "-m", "loganalyzer", "why-not", str(path), CAUSE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "What was found, and is history" in done.stdout

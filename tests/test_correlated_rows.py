"""Correlations as evidence: a row an episode, with the events that it was made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from loganalyzer.facts.correlated import MOST_CITED, Correlating, correlated
from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.sigma.rule import Loaded

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
RULES = """\
title: An error
name: an_error
logsource: {product: linux, service: waagent}
detection: {s: {message|contains: error}, condition: s}
---
title: Errors again and again
name: errors
id: 2e4b3a55-9ed1-4b8c-8ad1-5f4a2a6f9b01
correlation:
  type: event_count
  rules: [an_error]
  group-by: [host]
  timespan: 10m
  condition: {gte: 3}
"""


def rules() -> Loaded:
    return load_rules({"rules.yml": RULES})


def log(*minutes: float) -> EventFrame:
    events: list[dict[str, Any]] = [
        {
            "@timestamp": (START + timedelta(minutes=minute)).isoformat(),
            "message": f"error {number}",
            "event.original": f"line {number}",
            "log.file.path": "waagent.log",
            "log.line": number + 1,
            "log.offset": number * 10,
            "log.length": 9,
            "host.name": "vm",
        }
        for number, minute in enumerate(minutes)
    ]
    return frame_of(LogSource("linux", "waagent"), events)


def rows_of(outcome: Correlating) -> list[dict[str, Any]]:
    return [row for frame in outcome.frames for row in frame.rows.iter_rows(named=True)]


def judged(frame: EventFrame) -> Correlating:
    return correlated(rules().correlations, [frame], match(rules().rules, [frame]))


def test_windows_that_overlap_are_one_episode_from_its_first_event_to_its_last() -> None:
    outcome = judged(log(0, 1, 2, 9, 60, 61, 62))
    first, second = rows_of(outcome)
    assert (first["@timestamp"], first["event.end"]) == (START, START + timedelta(minutes=9))
    assert (first["count"], first["value"]) == (4, "4")
    assert first["message"] == "4 events within 0:09:00, host=vm: error 3"
    assert (first["log.line"], first["log.offset"], first["event.original"]) == (4, 30, "line 3")
    assert [cited["log.line"] for cited in first["derived_from"]] == [1, 2, 3, 4]
    assert [cited["log.line"] for cited in second["derived_from"]] == [5, 6, 7]


def test_an_episode_is_a_match_of_its_rule_in_a_frame_after_the_events() -> None:
    outcome = judged(log(0, 1, 2))
    (frame,) = outcome.frames
    assert frame.logsource == LogSource("linux", "waagent", "correlation")
    (found,) = [one for one in outcome.matches.matches if one.rule.name == "errors"]
    assert (found.frame, found.row) == (1, 0)
    assert found.rule.id in outcome.matches.ran


def test_a_long_episode_cites_its_first_and_last_events_and_counts_all() -> None:
    (row,) = rows_of(judged(log(*(number / 10 for number in range(100)))))
    lines = [cited["log.line"] for cited in row["derived_from"]]
    assert len(lines) == MOST_CITED
    assert (lines[0], lines[-1], row["count"]) == (1, 100, 100)


def test_a_correlation_that_had_nothing_to_judge_is_told_as_one_without_a_source() -> None:
    outcome = correlated(rules().correlations, [], match(rules().rules, []))
    assert outcome.frames == ()
    assert "2e4b3a55-9ed1-4b8c-8ad1-5f4a2a6f9b01" in outcome.matches.no_source


def test_a_correlation_that_could_not_be_judged_is_unable() -> None:
    untimed = frame_of(LogSource("linux", "waagent"), [{"message": "error", "host.name": "vm"}])
    outcome = judged(untimed)
    assert [one.rule_id for one in outcome.matches.unable] == ["2e4b3a55-9ed1-4b8c-8ad1-5f4a2a6f9b01"]
    assert "2e4b3a55-9ed1-4b8c-8ad1-5f4a2a6f9b01" not in outcome.matches.ran

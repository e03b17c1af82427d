"""The Sigma semantics, held against vectors that say which events a rule matches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from loganalyzer.sigma.correlate import correlate
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.sigma.rule import Correlation, Rule

VECTORS: list[dict[str, Any]] = yaml.load(
    (Path(__file__).parent / "sigma_vectors.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
)["vectors"]
EVENTS = [vector for vector in VECTORS if "rule" in vector and not vector.get("error")]
CORRELATIONS = [vector for vector in VECTORS if "rules" in vector]
REFUSALS = [vector for vector in VECTORS if vector.get("error")]


def flat(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """A nested Windows record as an event log parser gives it: one level, text of System elements, unnamed Data."""
    if "Event" not in event:
        return event
    system, data = event["Event"]["System"], event["Event"]["EventData"] or {}
    fields = {name: value.get("#text") if isinstance(value, dict) else value for name, value in system.items()}
    fields["Provider_Name"] = system.get("Provider", {}).get("#attributes", {}).get("Name")
    for name, value in data.items():
        fields[name.replace(" ", "")] = "\n".join(value["#text"]) if isinstance(value, dict) else value
    return {name: value for name, value in fields.items() if value is not None}


def test_every_vector_is_run() -> None:
    assert len(EVENTS) == 81
    assert len(CORRELATIONS) == 15
    assert len(REFUSALS) == 6
    assert len(VECTORS) == 81 + 15 + 6


@pytest.mark.parametrize("vector", EVENTS, ids=lambda vector: str(vector["name"]))
def test_a_rule_matches_exactly_the_expected_events(vector: dict[str, Any]) -> None:
    loaded = load_rules({"vector.yml": yaml.safe_dump(vector["rule"], allow_unicode=True)})
    assert loaded.faults == ()
    (rule,) = loaded.rules
    stored = Rule.from_json(json.loads(json.dumps(rule.to_json())))
    assert stored == rule
    outcome = match([stored], [frame_of(rule.logsource, map(flat, vector["events"]))])
    assert outcome.unable == ()
    assert outcome.ran == (rule.id,)
    assert [found.row + 1 for found in outcome.matches] == vector["expect"]


@pytest.mark.parametrize("vector", REFUSALS, ids=lambda vector: str(vector["name"]))
def test_a_rule_outside_the_specification_is_refused_with_place_and_help(vector: dict[str, Any]) -> None:
    good = {"title": "good", "logsource": {"product": "linux"}, "detection": {"s": {"f": "a"}, "condition": "s"}}
    loaded = load_rules({"rules/bad.yml": yaml.safe_dump_all([vector["rule"], good])})
    assert [rule.title for rule in loaded.rules] == ["good"]
    (fault,) = loaded.faults
    assert fault.where is not None
    assert fault.where.path == "rules/bad.yml"
    assert fault.where.line is not None
    assert fault.help


@pytest.mark.parametrize("vector", CORRELATIONS, ids=lambda vector: str(vector["name"]))
def test_a_correlation_is_completed_by_exactly_the_expected_events(vector: dict[str, Any]) -> None:
    loaded = load_rules({"vector.yml": yaml.safe_dump_all(vector["rules"])})
    assert loaded.faults == ()
    (written,) = loaded.correlations
    correlation = Correlation.from_json(json.loads(json.dumps(written.to_json())))
    assert correlation == written
    timed = [{**event, "@timestamp": event["ts"]} for event in vector["events"]]
    frames = [frame_of(loaded.rules[0].logsource, timed)]
    outcome = correlate([correlation], frames, match(loaded.rules, frames))
    assert outcome.unable == ()
    assert [found.row + 1 for found in outcome.found] == vector["expect"]
    assert all(found.records[-1].row == found.row for found in outcome.found)

"""The engine over SigmaHQ's own rules and the events recorded for them, which are not part of this repository.

``LOGANALYZER_SIGMAHQ`` is the path of a checkout of github.com/SigmaHQ/sigma; without it nothing is asked here.
``bench/sigmahq.py`` asks the same of folders of event logs as well.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

VARIABLE = "LOGANALYZER_SIGMAHQ"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no checkout of SigmaHQ's rules"),
]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parent.parent / "bench" / "sigmahq.py"
    spec = importlib.util.spec_from_file_location("bench_sigmahq", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for their module there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checkout() -> Path:
    return Path(os.environ[VARIABLE])


@pytest.fixture(scope="module")
def rules(bench: ModuleType, checkout: Path) -> Any:
    return bench.load(checkout)


def test_every_rule_of_sigmahq_converts_unless_it_needs_the_value_of_a_placeholder(rules: Any) -> None:
    assert rules.foreign_faults == []
    assert len(rules.loaded.rules) + len(rules.loaded.faults) == len(rules.documents)
    assert len(rules.loaded.rules) > 0.99 * len(rules.documents) > 3000


def test_every_rule_finds_the_events_that_were_recorded_for_it(bench: ModuleType, checkout: Path, rules: Any) -> None:
    replayed = list(bench.replay(rules, bench.recordings(checkout)))
    assert len(replayed) > 200
    assert [each.recording.evtx.name for each in replayed if not each.evtx] == []
    assert [each.recording.evtx.name for each in replayed if each.evtx != each.json] == []
    counted = [each for each in replayed if each.recording.count is not None]
    assert [each.recording.evtx.name for each in counted if each.evtx < each.recording.count] == []


@pytest.mark.parametrize("form", ["evtx", "json"])
def test_every_rule_says_of_every_recorded_event_what_the_plain_evaluator_says(
    bench: ModuleType, checkout: Path, rules: Any, form: str
) -> None:
    read = bench.read_evtx if form == "evtx" else bench.read_json
    events = bench.join(read(getattr(recording, form)) for recording in bench.recordings(checkout)).pooled()
    assert bench.unlike_fields(events) == {}
    probed = bench.with_probes(rules)
    agreed = bench.agreement(probed, events, bench.expected_of(probed, events))
    assert (agreed.missed, agreed.extra) == (set(), set())
    assert len(agreed.both) > 300

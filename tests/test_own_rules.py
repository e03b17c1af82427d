"""Rules of one's own speak beside the built-in ones: in a scan, in why-not, and in the score of labelled cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loganalyzer.cli import run
from loganalyzer.signatures_in_use import builtin_rules

LOG = "2025-03-01T02:10:00.000000Z INFO ExtHandler ExtHandler the Contoso shield holds the snapshot back\n"
RULE = """\
title: The Contoso shield holds snapshots back
id: 6f0e2c5a-7a43-4a55-9e0e-1d4c8f0b7a11
status: test
level: high
logsource: {product: linux, service: waagent}
detection:
  selection:
    message|contains: Contoso shield holds the snapshot back
  condition: selection
loganalyzer: {cause: CAUSE, role: supports, strength: definitive, examples: []}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    log = tmp_path / "bundle" / "var" / "log" / "waagent.log"
    log.parent.mkdir(parents=True)
    log.write_text(LOG, encoding="utf-8")
    return tmp_path / "bundle"


def rule_file(folder: Path, cause: str = "antivirus-blocks-extension", **changes: str) -> str:
    text = RULE.replace("CAUSE", cause)
    for old, new in changes.items():
        text = text.replace(old, new)
    path = folder / "own.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended."""

    exit_code: int
    stdout: str
    stderr: str


Call = Callable[..., Result]


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    def calling(*words: str) -> Result:
        status = run(list(words))
        out, err = capfdbinary.readouterr()
        return Result(status, out.decode(), err.decode())

    return calling


def diagnoses(result: Result) -> list[tuple[str, str]]:
    report = json.loads(result.stdout)
    return [(one["cause"], one["verdict"]) for one in report["diagnoses"]]


def test_a_rule_of_ones_own_gives_its_cause_beside_the_built_in_ones(call: Call, bundle: Path, tmp_path: Path) -> None:
    without = call("scan", str(bundle), "-f", "json")
    found = call("scan", str(bundle), "-f", "json", "-r", rule_file(tmp_path))
    assert diagnoses(without) == []
    assert diagnoses(found) == [("antivirus-blocks-extension", "confirmed")]
    assert found.exit_code == 1
    counts = [json.loads(one.stdout)["catalogue"]["rules"] for one in (without, found)]
    assert counts[1] == counts[0] + 1


def test_a_rule_of_ones_own_stands_for_the_built_in_one_of_its_id(call: Call, bundle: Path, tmp_path: Path) -> None:
    taken = builtin_rules().rules[0].id
    own = rule_file(tmp_path, **{"6f0e2c5a-7a43-4a55-9e0e-1d4c8f0b7a11": taken})
    found = call("scan", str(bundle), "-f", "json", "-r", own)
    assert diagnoses(found) == [("antivirus-blocks-extension", "confirmed")]
    assert json.loads(found.stdout)["catalogue"]["rules"] == len(builtin_rules().rules) + len(
        builtin_rules().correlations
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"CAUSE": "", "antivirus-blocks-extension": "no-such-cause"}, "the catalogue has no cause 'no-such-cause'"),
        ({"condition: selection": "condition: selektion"}, "selektion"),
    ],
)
def test_a_faulty_rule_is_told_with_its_place_and_the_scan_goes_on(
    call: Call, bundle: Path, tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    own = rule_file(tmp_path, **changes)
    found = call("scan", str(bundle), "-f", "json", "-r", own)
    assert found.exit_code == 2
    assert says in found.stderr
    assert own in found.stderr
    assert diagnoses(found) == []


def test_why_not_knows_rules_of_ones_own(call: Call, bundle: Path, tmp_path: Path) -> None:
    (bundle / "var" / "log" / "waagent.log").write_text(LOG.replace("Contoso", "Fabrikam"), encoding="utf-8")
    own = rule_file(tmp_path)
    found = call("why-not", str(bundle), "antivirus-blocks-extension", "--all", "-r", own)
    assert found.exit_code == 0
    assert "The Contoso shield holds snapshots back" in found.stdout


def test_cases_are_scored_with_both(call: Call, bundle: Path, tmp_path: Path) -> None:
    label = "expected_causes: [antivirus-blocks-extension]\ndecidable: yes\nhealthy: false\n"
    (bundle / "label.yaml").write_text(label, encoding="utf-8")
    arguments = ["signatures", "test", "--cases", str(bundle), "-f", "json", "--jobs", "1"]
    shares = [
        json.loads(call(*arguments, *more).stdout)["first_expected"] for more in ((), ("-r", rule_file(tmp_path)))
    ]
    assert [share["count"] for share in shares] == [0, 1]


def test_a_file_that_is_not_there_is_told(call: Call) -> None:
    found = call("scan", "anything", "-r", "no-such-rules.yml")
    assert found.exit_code == 2
    assert "no-such-rules.yml does not exist" in found.stderr

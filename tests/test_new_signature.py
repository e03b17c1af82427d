"""``signatures new``: what it writes is valid, linted and proved as it stands, for every log source and correlation."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest
import yaml

from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli import run
from loganalyzer.pipeline import example_frames
from loganalyzer.registry import parsers
from loganalyzer.schema import LogSource
from loganalyzer.sigma.examples import run_correlation_examples, run_examples
from loganalyzer.sigma.lint import lint
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.rule import CorrelationType, Loaded
from loganalyzer.sigma.shape import shape_of
from loganalyzer.sigma.taxonomy import DERIVED_CATEGORIES, OWN_CATEGORIES, WINDOWS_CATEGORIES
from loganalyzer.sigma.template import Wanted, correlation_rule, event_rule

KINDS: tuple[CorrelationType, ...] = get_args(CorrelationType)
CAUSE = "wireserver-blocked"
CAUSES = frozenset(load_catalogue().causes)

SOURCES = sorted(
    {
        *(parser.logsource for parser in parsers()),
        *(LogSource("linux", "waagent", category) for category in OWN_CATEGORIES),
        *(LogSource("windows", None, category) for category in WINDOWS_CATEGORIES),
        LogSource("windows", "system"),
        LogSource("windows", "system", "gap"),
        LogSource("windows", "sysmon", "process_creation"),
        LogSource("linux"),
        LogSource(None, None, "gap"),
        LogSource("azure", "extension"),
        LogSource("linux", "syslog"),
    }
)

#: One log source for each shape of rows.
SHAPES = [
    LogSource("linux", "waagent"),
    LogSource("windows", "system"),
    LogSource("windows", None, "process_creation"),
    LogSource("azure", "extension", "status"),
    *(LogSource("linux", "waagent", category) for category in sorted(DERIVED_CATEGORIES)),
]

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs the command line in this process: the status, and what was said on both streams."""
    monkeypatch.setenv("COLUMNS", "120")

    def called(*words: str | Path) -> tuple[int, str, str]:
        status = run([str(word) for word in words])
        return (status, *capfd.readouterr())

    return called


def wanted(source: LogSource, **changes: Any) -> Wanted:
    asked: dict[str, Any] = {"name": "my_rule", "title": "My rule", "level": "low", "logsource": source, "cause": None}
    return Wanted(**(asked | {"columns": ("a column",), "formats": ("a_log",), "today": date(2026, 3, 1)} | changes))


def faults_of(loaded: Loaded) -> list[str]:
    """Everything that is wrong with rules: faults, errors and advice of lint, and examples that fail."""
    linted = lint((*loaded.rules, *loaded.correlations), CAUSES, custom=True)
    results = [result for rule in loaded.rules for result in run_examples(rule, example_frames)]
    for correlation in loaded.correlations:
        results += run_correlation_examples(correlation, loaded, example_frames)
    assert len(results) == 2 * len(loaded.rules) + 2 * len(loaded.correlations)
    failed = [f"{result.example.name}: {result.why}" for result in results if not result.passed]
    return [*map(str, (*loaded.faults, *linted.errors, *linted.advice)), *failed]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_a_new_rule_is_in_order_for_every_log_source(source: LogSource) -> None:
    for cause in (None, CAUSE):
        loaded = load_rules({"new.yml": event_rule(wanted(source, cause=cause))})
        assert faults_of(loaded) == []
        (rule,) = loaded.rules
        assert rule.logsource == source
        assert rule.attribution is not None
        assert (rule.attribution.role, rule.attribution.cause) == ("supports" if cause else "fact", cause)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", SHAPES, ids=str)
def test_a_new_correlation_is_in_order_for_every_type_and_kind_of_rows(
    source: LogSource, kind: CorrelationType
) -> None:
    loaded = load_rules({"new.yml": correlation_rule(wanted(source, cause=CAUSE), kind)})
    assert faults_of(loaded) == []
    (correlation,) = loaded.correlations
    assert (correlation.type, correlation.name) == (kind, "my_rule")
    assert [rule.attribution.role for rule in loaded.rules if rule.attribution] == ["fact"] * len(loaded.rules)
    assert correlation.attribution is not None
    assert correlation.attribution.cause == CAUSE


@pytest.mark.slow
def test_the_columns_that_templates_ask_for_exist() -> None:
    columns: dict[str | None, set[str]] = {}
    for parser in parsers():
        for sample in parser.samples:
            for frame in example_frames(parser.name, sample.path, sample.raw):
                columns.setdefault(frame.logsource.category, set()).update(frame.rows.columns)
    for category in OWN_CATEGORIES & columns.keys():
        shape = shape_of(LogSource("linux", "waagent", category))
        named = {*shape.row, *shape.neighbour, shape.distinct[0], shape.number[0]}
        named |= {field.partition("|")[0] for field in shape.detection}
        assert named <= columns[category], category
    assert len(OWN_CATEGORIES & columns.keys()) >= 6


@pytest.mark.slow
def test_every_key_has_a_comment_and_the_log_source_its_columns(call: Call) -> None:
    status, text, _ = call("signatures", "new", "my_rule", "--cause", CAUSE)
    assert status == 0
    lines = text.splitlines()
    for key in ("title", "id", "name", "status", "description", "logsource", "detection", "level", "loganalyzer"):
        (place,) = (number for number, line in enumerate(lines) if re.match(rf"{key}:", line))
        assert lines[place - 1].lstrip().startswith("#"), key
    assert re.search(r'^#     log\.logger +"ExtHandler"$', text, re.MULTILINE)
    assert "'parser: waagent_log'" in text
    assert "most like the one above and means no harm" in text
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--logsource", "windows/application"], "Provider_Name"),
        (["--logsource", "windows/system"], "Provider_Name"),
        (["--logsource", "windows/waappagent"], "'parser: waappagent_log'"),
        (["--logsource", "linux/waagent/gap"], "closed_by"),
        (["--logsource", "*/*/gap"], "closed_by"),
        (["--logsource", "windows//process_creation"], "Provider_Name"),
        (["--logsource", "linux/nothing"], "loganalyzer formats"),
        (["--correlation", "temporal_ordered"], "type: temporal_ordered"),
        (["--correlation", "value_count", "--logsource", "windows/application"], "type: value_count"),
    ],
)
def test_what_new_writes_passes_lint_and_test(call: Call, tmp_path: Path, words: list[str], told: str) -> None:
    path = tmp_path / "new.yml"
    assert call("signatures", "new", "my_rule", *words, "-o", path) == (0, "", "")
    assert told in path.read_text(encoding="utf-8")
    status, out, err = call("signatures", "lint", "--rules", path)
    assert (status, err) == (0, "")
    assert "0 faults" in out
    status, out, err = call("signatures", "test", "--rules", path)
    assert (status, err) == (0, "")
    assert " 0 failed" in out
    assert not out.startswith("0 examples")


def test_the_id_is_new_each_time_and_the_date_is_today(call: Call) -> None:
    before = date.today()
    written = [yaml.safe_load(call("signatures", "new", "my_rule")[1]) for _ in range(2)]
    ids = {one["id"] for one in written}
    assert len(ids) == 2
    assert {UUID(one).version for one in ids} == {4}
    assert {one["date"] for one in written} <= {before, date.today()}
    documents = list(yaml.safe_load_all(call("signatures", "new", "my_rule", "--correlation", "temporal")[1]))
    assert len({one["id"] for one in documents}) == len(documents) == 3


def test_title_and_level_are_as_they_are_given(call: Call) -> None:
    title = 'It\'s: "100%" #1 – größer {ok}'
    status, text, _ = call("signatures", "new", "my_rule", "--title", title, "--level", "high")
    assert status == 0
    written = yaml.safe_load(text)
    assert (written["title"], written["level"], written["name"]) == (title, "high", "my_rule")


def test_a_file_is_overwritten_only_by_force(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("mine")
    status, _, err = call("signatures", "new", "my_rule", "-o", path)
    assert (status, path.read_text()) == (2, "mine")
    assert "exists already" in err
    assert "--force" in err
    assert call("signatures", "new", "my_rule", "-o", path, "--force")[0] == 0
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == "my_rule"
    assert [one.name for one in tmp_path.iterdir()] == ["mine.yml"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["My Rule!"], ["snake_case", "my_rule"]),
        (["1"], ["snake_case"]),
        (["my_rule", "--cause", "wireserver-blockt"], ["no cause", "wireserver-blocked"]),
        (["my_rule", "--cause", "wireserver"], ["no cause", "wireserver-blocked"]),
        (["my_rule", "--cause", "q"], ["no cause", "fact"]),
        (["my_rule", "--logsource", "a/b/c/d"], ["no log source", "product/service/category"]),
        (["my_rule", "--logsource", "*/*"], ["no log source"]),
        (["my_rule", "--logsource", "linux/waagent\n"], ["no log source"]),
        (["my_rule", "--logsource", "linux/waagent/gaps"], ["could never run", "linux/waagent/"]),
        (["my_rule", "--logsource", "aws"], ["could never run"]),
        (["my_rule", "--title", "two\nlines"], ["printable"]),
        (["my_rule", "--title", "\x1b[31mred"], ["printable"]),
        (["my_rule", "--title", "x" * 300], ["256"]),
        (["my_rule", "--title", " "], ["printable"]),
        (["my_rule", "--level", "huge"], ["--level"]),
        (["my_rule", "--correlation", "guess"], ["--correlation"]),
        (["my_rule", "-o", "no/such/folder/x.yml"], ["cannot write"]),
    ],
)
def test_what_cannot_be_written_is_said_with_what_is_near(call: Call, words: list[str], parts: list[str]) -> None:
    status, out, err = call("signatures", "new", *words)
    assert (status, out) == (2, "")
    assert all(part in err for part in parts), err
    assert "Traceback" not in err


@pytest.mark.parametrize(("source", "grouped"), [("linux/waagent", False), ("windows/application", True)])
def test_a_correlation_groups_by_host_only_where_rows_name_theirs(
    source: str, grouped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["signatures", "new", "some_rule", "--logsource", source, "--correlation", "event_count"]) == 0
    (correlation,) = load_rules({"new.yml": capsys.readouterr().out}).correlations
    assert (correlation.group_by == ("host.name",)) is grouped

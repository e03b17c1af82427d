"""Scoring on labelled cases: every number can go wrong, a bad label is named and stops nothing, none is scanned."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from loganalyzer.accuracy import Answer, Constant, Estimate, Scored, Share, artefacts_spoken_of, score
from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli import run
from loganalyzer.cli.labelled_cases import Case, answers_to, find_cases
from loganalyzer.errors import LogAnalyzerError
from loganalyzer.labels import LARGEST_LABEL, Label, read_label
from loganalyzer.pipeline import Scan, ScanOptions, scan
from loganalyzer.report.model import BundleVerdict, DiagnosisVerdict
from sample_logs import linux_bundles, windows_bundles
from sample_logs.packing import SampleBundle, write_directory

CATALOGUE = load_catalogue()
CAUSES = frozenset(CATALOGUE.causes)


# Labels


def test_a_label_needs_only_its_expected_causes() -> None:
    label, faults = read_label("expected_causes: [wireserver-blocked]", "label.yaml", CAUSES)
    assert faults == ()
    assert label == Label(expected=("wireserver-blocked",), healthy=False, decidable="yes")
    healthy, _ = read_label("expected_causes: [healthy]", "label.yaml", CAUSES)
    assert healthy == Label(expected=("healthy",), healthy=True)


def test_a_whole_label_is_read_and_fields_for_people_are_left_alone() -> None:
    text = """\
title: anything
era: 2020-01-01
expected_causes: [wireserver-blocked, guest-no-route]
acceptable_causes: [healthy]
must_not: [any]
healthy: false
decidable: 'partly'
perfect_verdict: "in words"
"""
    label, faults = read_label(text, "label.yaml", CAUSES)
    assert faults == ()
    assert label == Label(("wireserver-blocked", "guest-no-route"), ("healthy",), ("any",), False, "partly", "in words")


@pytest.mark.parametrize(("written", "meant"), [("no", "no"), ("yes", "yes"), ("'no'", "no"), ("true", "yes")])
def test_yes_and_no_need_no_quotes(written: str, meant: str) -> None:
    label, faults = read_label(f"expected_causes: [wireserver-blocked]\ndecidable: {written}", "label.yaml", CAUSES)
    assert faults == ()
    assert label is not None
    assert label.decidable == meant


FAULTS = {
    "an unknown cause, with a suggestion": ("expected_causes: [wireserver-bloked]", 1, "is it wireserver-blocked"),
    "any where only must_not knows it": ("expected_causes:\n- any", 2, "no cause 'any'"),
    "an unknown forbidden cause": (
        "expected_causes: [healthy]\nmust_not:\n- agent-crash-loop\n- nonsense",
        4,
        "no cause 'nonsense'",
    ),
    "no list": ("expected_causes: wireserver-blocked", 1, "must be a list"),
    "no cause of a failing case": ("title: x\nhealthy: false", 1, "needs at least one cause"),
    "a word that is none": ("expected_causes: [healthy]\ndecidable: maybe", 2, "'maybe' is none of yes, partly, no"),
    "a truth value that is none": ("expected_causes: [healthy]\nhealthy: perhaps", 2, "must be true or false"),
    "a misspelt field": ("expected_causes: [healthy]\nacceptable_cause: [x]", 1, "is it acceptable_causes?"),
    "expected and forbidden": (
        "expected_causes: [agent-crash-loop]\nmust_not: [agent-crash-loop]",
        1,
        "is expected or acceptable as well",
    ),
    "no mapping": ("- expected_causes", 1, "must be a mapping"),
    "no YAML": ("expected_causes: [healthy]\nmust_not: [", 2, "no YAML"),
    "a key twice": ("expected_causes: [healthy]\nexpected_causes: [healthy]", 2, "stands here twice"),
    "code": ("expected_causes: !!python/object/apply:os.system ['true']", 1, "no cause 'true'"),
    "nothing": ("", None, "is empty"),
    "depth": ("[" * 60_000, None, "nested too deeply"),
    "a list in itself": ("? &a [*a]\n: *a", 1, "needs at least one cause"),
    "a character that YAML has not": ("expected_causes: [\x00]", None, "no YAML"),
}


@pytest.mark.parametrize(("text", "line", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_label_is_named_by_file_and_line_with_help(text: str, line: int | None, said: str) -> None:
    label, faults = read_label(text, "case/label.yaml", CAUSES)
    assert label is None
    told = "\n".join(map(str, faults))
    assert said in told
    assert (f"--> case/label.yaml:{line}\n" if line else "--> case/label.yaml\n") in told
    assert told.count("help: ") == len(faults)


def test_all_faults_of_a_label_are_told_at_once() -> None:
    _, faults = read_label("expected_causes: [nonsense]\nmust_not: 1\ndecidable: 2", "label.yaml", CAUSES)
    assert len(faults) == 3
    _, faults = read_label("a:\n" * 1000, "label.yaml", CAUSES)
    assert len(faults) == 21
    assert faults[-1].what == "and 980 more faults"


# Numbers, from answers


def answer(verdict: BundleVerdict, *diagnoses: tuple[str, DiagnosisVerdict], **more: Any) -> Answer:
    return Answer(verdict, diagnoses, more.get("next", ()), more.get("undecided", {}), more.get("read", True))


def found(*causes: str) -> Answer:
    return answer("cause-found", *((cause, "likely") for cause in causes))


NOTHING = answer("cannot-tell")
WELL = answer("no-fault-found")
FAILING = Label(("a", "b"), ("c",), ("x",))
SOUND = Label(("healthy",), ("c",), ("any",), healthy=True)


def scored(label: Label, given: Answer, *spoken_of: str) -> Scored:
    return Scored("case", label, given, spoken_of)


@pytest.mark.parametrize(
    ("given", "right", "accepted", "three"),
    [
        (found("a"), 1, 1, 1),
        (found("b", "a"), 1, 1, 1),
        (found("c", "z", "a"), 0, 1, 1),
        (found("c", "y", "z", "a"), 0, 1, 0),
        (found("z", "a"), 0, 0, 1),
        (found("z"), 0, 0, 0),
        (NOTHING, 0, 0, 0),
        (WELL, 0, 0, 0),
    ],
)
def test_the_first_answer_and_the_first_three_are_counted(given: Answer, right: int, accepted: int, three: int) -> None:
    result = score([scored(FAILING, given)])
    assert (result.first_expected.count, result.first_expected.of) == (right, 1)
    assert (result.first_accepted.count, result.first_accepted.of) == (accepted, 1)
    assert (result.in_first_three.count, result.in_first_three.of) == (three, 1)


def test_no_fault_found_is_an_answer_too() -> None:
    label = Label(("a",), ("healthy",))
    assert scored(label, WELL).accepted
    assert not scored(label, NOTHING).accepted
    assert scored(Label(("a",), (), ("healthy",)), WELL).forbidden == ("healthy",)
    assert scored(Label(("a",), (), ("healthy",)), NOTHING).forbidden == ()


def test_a_weak_first_diagnosis_is_a_first_diagnosis() -> None:
    assert scored(FAILING, answer("cannot-tell", ("a", "possible"))).right
    assert not scored(FAILING, answer("cannot-tell", ("z", "possible"), ("a", "possible"))).accepted


def test_each_class_has_its_own_numbers() -> None:
    partly, undecidable = replace(FAILING, decidable="partly"), replace(FAILING, decidable="no")
    result = score([scored(FAILING, found("a")), scored(partly, found("z", "a")), scored(undecidable, NOTHING)])
    assert result.first_expected.of == result.partly_in_first_three.of == result.undecidable_honest.of == 1
    assert result.partly_in_first_three.count == 1
    assert score([scored(partly, found("x", "y", "z", "a"))]).partly_in_first_three.count == 0


def test_what_was_not_read_counts_as_missed_and_is_told() -> None:
    result = score([scored(FAILING, found("a")), scored(FAILING, answer("cannot-tell", read=False))])
    assert (result.read, result.first_expected.of) == (Share(1, 2), 2)


@pytest.mark.parametrize(
    ("given", "honest"),
    [
        (NOTHING, True),
        (answer("cannot-tell", ("z", "possible")), True),
        (found("a"), False),
        (answer("cannot-tell", ("a", "likely")), False),
        (answer("cannot-tell", ("z", "possible"), ("a", "confirmed")), False),
        (WELL, False),
    ],
)
def test_on_an_undecidable_case_only_cannot_tell_without_a_firm_cause_is_honest(given: Answer, honest: bool) -> None:
    result = score([scored(replace(FAILING, decidable="no"), given)])
    assert result.undecidable_honest == Share(int(honest), 1)


@pytest.mark.parametrize(
    ("must_not", "given", "wrong"),
    [
        (("x",), found("a", "x"), ("x",)),
        (("x",), answer("cannot-tell", ("a", "possible"), ("z", "possible"), ("x", "possible")), ("x",)),
        (("x",), found("a", "z"), ()),
        (("any",), found("a", "c", "z"), ("z",)),
        (("any",), found("a", "c"), ()),
    ],
)
def test_a_forbidden_cause_counts_wherever_it_stands(
    must_not: tuple[str, ...], given: Answer, wrong: tuple[str, ...]
) -> None:
    one = scored(replace(FAILING, must_not=must_not), given)
    assert one.forbidden == wrong
    result = score([one])
    assert result.forbidden == Share(int(bool(wrong)), 1)
    assert result.clean == (not wrong)


@pytest.mark.parametrize(
    ("given", "any_verdict", "firm", "said"),
    [
        (WELL, 0, 0, 1),
        (NOTHING, 0, 0, 0),
        (found("c"), 0, 0, 0),
        (answer("cannot-tell", ("z", "possible")), 1, 0, 0),
        (found("z"), 1, 1, 0),
    ],
)
@pytest.mark.parametrize("must_not", [(), ("any",)])
def test_a_healthy_case_bears_no_diagnosis_of_any_verdict(
    given: Answer, any_verdict: int, firm: int, said: int, must_not: tuple[str, ...]
) -> None:
    result = score([scored(replace(SOUND, must_not=must_not), given)])
    counts = (result.healthy_false.count, result.healthy_false_firm.count, result.healthy_said.count)
    assert counts == (any_verdict, firm, said)
    assert result.clean == (not any_verdict)
    assert result.first_expected.of == 0


def test_the_best_constant_answer_is_the_bar_to_beat() -> None:
    labels = [Label(("a",), ("c",)), Label(("b",), ("c",)), Label(("b",), ("c",)), Label(("healthy",), healthy=True)]
    result = score([scored(label, NOTHING) for label in labels])
    assert result.constant_expected == Constant("b", Share(2, 3))
    assert result.constant_accepted == Constant("c", Share(3, 3))
    assert score([]).constant_expected == Constant(None, Share(0, 0))


def test_every_cause_has_its_row() -> None:
    undecidable = Label(("a",), decidable="no")
    cases = [
        scored(FAILING, found("a")),
        scored(FAILING, found("c", "a")),
        scored(FAILING, found("z", "x")),
        scored(SOUND, found("a")),
        scored(undecidable, answer("cannot-tell", ("z", "possible"))),
    ]
    rows = {row.cause: row for row in score(cases).causes}
    assert set(rows) == {"a", "healthy", "x", "z"}
    a, healthy, z = rows["a"], rows["healthy"], rows["z"]
    assert (a.expected, a.first, a.in_first_three, a.missed, a.wrong) == (3, 1, 2, 1, 1)
    assert (healthy.expected, healthy.first, healthy.missed) == (1, 0, 1)
    assert (rows["x"].expected, rows["x"].wrong, z.wrong) == (0, 1, 1)


def test_what_the_rest_asks_for_is_compared_where_it_can_be() -> None:
    partly = replace(FAILING, decidable="partly")
    asks = answer("cannot-tell", next=("one",))
    lacks = answer("cannot-tell", undecided={"a": ("one",), "z": ("other",)})
    assert score([scored(partly, asks, "one", "two")]).partly_asks == Estimate(Share(1, 1), 0)
    assert score([scored(partly, lacks, "one")]).partly_asks == Estimate(Share(1, 1), 0)
    assert score([scored(partly, lacks, "other")]).partly_asks == Estimate(Share(0, 1), 0)
    assert score([scored(partly, replace(asks, verdict="cause-found"), "one")]).partly_asks.share == Share(0, 1)
    assert score([scored(partly, asks)]).partly_asks == Estimate(Share(0, 0), 1)
    assert score([scored(partly, found("a"), "one")]).partly_asks == Estimate(Share(0, 0), 0)
    undecidable = replace(FAILING, decidable="no")
    assert score([scored(undecidable, asks, "one")]).undecidable_asks == Estimate(Share(1, 1), 0)


@pytest.mark.parametrize(
    ("text", "artefacts"),
    [
        ("the system log is missing", {"lin.syslog"}),
        ("nothing after the start in extension.log.", {"lin.ext_log"}),
        ("the AppLocker channel was not collected", {"win.evtx.applocker"}),
        ("cp.backup_job", {"cp.backup_job"}),
        ("extension.logs, my_extension.log and a file system logger", set()),
        ("two channels are missing", set()),
    ],
)
def test_a_text_names_an_artefact_by_its_file_its_name_or_its_id(text: str, artefacts: set[str]) -> None:
    assert set(artefacts_spoken_of(text, CATALOGUE.artefacts.values())) == artefacts


@pytest.mark.parametrize(("share", "reached"), [(Share(3, 4), True), (Share(2, 3), False), (Share(0, 0), False)])
def test_a_share_reaches_a_percentage_exactly(share: Share, reached: bool) -> None:
    assert share.reaches(75) == reached


# Folders of cases


def write_case(folder: Path, name: str, bundle: SampleBundle, label: str) -> Path:
    path = folder / name
    write_directory(bundle.files, path)
    (path / "label.yaml").write_text(label, encoding="utf-8")
    return path


SOME = "expected_causes: [agent-crash-loop]\n"


def small_case(folder: Path, name: str, label: str | bytes = SOME) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "waagent.conf").write_text("Extensions.Enabled=n\n", encoding="utf-8")
    (path / "label.yaml").write_bytes(label if isinstance(label, bytes) else label.encode())
    return path


def test_cases_are_found_once_by_name_beside_other_files(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        small_case(tmp_path, name)
    (tmp_path / "README.md").write_text("text", encoding="utf-8")
    cases, faults = find_cases([str(tmp_path), str(tmp_path / "b")], CAUSES)
    assert [case.path.name for case in cases] == ["a", "b"]
    assert faults == []


def test_one_case_may_be_named_by_its_own_folder(tmp_path: Path) -> None:
    cases, faults = find_cases([str(small_case(tmp_path, "a"))], CAUSES)
    assert ([case.path.name for case in cases], faults) == (["a"], [])


def test_a_bad_label_does_not_stop_the_others(tmp_path: Path) -> None:
    small_case(tmp_path, "a")
    small_case(tmp_path, "b", "expected_causes: [nonsense]")
    small_case(tmp_path, "c", b"title: \xff")
    small_case(tmp_path, "d", SOME + "#" * LARGEST_LABEL)
    (small_case(tmp_path, "e") / "label.yaml").unlink()
    (small_case(tmp_path, "f") / "label.yaml").unlink()
    (tmp_path / "f" / "label.yaml").mkdir()
    small_case(tmp_path, "g")
    cases, faults = find_cases([str(tmp_path)], CAUSES)
    assert [case.path.name for case in cases] == ["a", "g"]
    told = [str(fault) for fault in faults]
    for text, said in zip(
        told, ("'nonsense'", "not UTF-8", "larger than", "has no label.yaml", "no regular file"), strict=True
    ):
        assert said in text
        assert "label.yaml" in text
        assert "help: " in text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_label_that_is_a_pipe_or_a_link_is_not_opened(tmp_path: Path) -> None:
    for name in ("pipe", "link"):
        (small_case(tmp_path, name) / "label.yaml").unlink()
    os.mkfifo(tmp_path / "pipe" / "label.yaml")
    (tmp_path / "link" / "label.yaml").symlink_to(small_case(tmp_path.parent, "away") / "label.yaml")
    cases, faults = find_cases([str(tmp_path)], CAUSES)
    assert cases == []
    assert [fault.what for fault in faults] == ["the label is no regular file"] * 2


def test_a_folder_that_is_a_link_is_told_and_not_followed(tmp_path: Path) -> None:
    away = small_case(tmp_path / "elsewhere", "a")
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "linked").symlink_to(away, target_is_directory=True)
    cases, faults = find_cases([str(tmp_path / "cases")], CAUSES)
    assert cases == []
    assert [fault.what for fault in faults] == ["a symbolic link is not followed"]


@pytest.mark.parametrize("name", ["nowhere", "file", "empty", "x" * 5000])
def test_a_folder_without_cases_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    cases, faults = find_cases([str(tmp_path / name)], CAUSES)
    assert cases == []
    assert len(faults) == 1
    assert "label.yaml" in str(faults[0])


def test_the_scan_sees_the_case_without_its_label_and_links_stay_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = small_case(tmp_path, "a")
    (case / "var").mkdir()
    (case / "var" / "label.yaml").write_text("of the bundle", encoding="utf-8")
    (case / "out").symlink_to("/etc", target_is_directory=True)
    seen: dict[str, bool] = {}

    def looking(inputs: list[Path], options: ScanOptions) -> Scan:
        (copy,) = inputs
        assert copy.name == "a"
        seen.update({str(path.relative_to(copy)): path.is_symlink() for path in copy.rglob("*")})
        return scan(inputs, options)

    monkeypatch.setattr("loganalyzer.cli.labelled_cases.scan", looking)
    (given,) = answers_to([Case(case, FAILING)], 1, ScanOptions())
    assert isinstance(given, Answer)
    assert seen == {"waagent.conf": False, "var": False, "var/label.yaml": False, "out": True}
    assert (case / "label.yaml").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_case_that_cannot_be_copied_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    os.mkfifo(small_case(tmp_path, "a") / "pipe")
    small_case(tmp_path, "b")
    first, second = answers_to([Case(tmp_path / name, FAILING) for name in ("a", "b")], 1, ScanOptions())
    assert isinstance(first, LogAnalyzerError)
    assert "pipe" in str(first)
    assert isinstance(second, Answer)


# The command


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    out: str
    err: str


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def called(*words: str | Path) -> Said:
        status = run(["signatures", "test", *map(str, words)])
        return Said(status, *capfd.readouterr())

    return called


#: Samples with labels that make every number differ from the best one.
CASES: Mapping[str, tuple[Callable[[], SampleBundle], str]] = {
    "right": (linux_bundles.prescript_failed, "expected_causes: [prescript-or-postscript-failed]"),
    "acceptable": (
        linux_bundles.python_missing,
        "expected_causes: [vmsnapshot-extension-failed]\nacceptable_causes: [linux-agent-dependency-python]",
    ),
    "wrong": (linux_bundles.wireserver_blocked, "expected_causes: [dhcp-option-245-unavailable]"),
    "forbidden": (
        linux_bundles.extensions_disabled,
        "expected_causes: [waagent-options-not-set]\nmust_not: [vmsnapshot-extension-failed]",
    ),
    "healthy": (linux_bundles.healthy, "expected_causes: [healthy]\nmust_not: [any]"),
    "healthy-false": (linux_bundles.dhcp_245, "expected_causes: [healthy]"),
    "honest": (
        windows_bundles.cannot_tell,
        "expected_causes: [app-control-blocks-bcdr]\ndecidable: no\nperfect_verdict: the AppLocker channel is missing",
    ),
    "dishonest": (windows_bundles.agent_stopped, "expected_causes: [agent-crash-loop]\ndecidable: no"),
    "partly": (
        windows_bundles.cannot_tell,
        'expected_causes: [app-control-blocks-bcdr]\ndecidable: partly\nperfect_verdict: "\\e[31mextension.log"',
    ),
}


@pytest.fixture
def scanned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that was scanned is not scanned again, however many commands score it."""
    monkeypatch.setattr(
        "loganalyzer.cli.accuracy.answers_to",
        lambda cases, jobs, options: [_answer_once(case.path.resolve()) for case in cases],
    )


@cache
def _answer_once(path: Path) -> Answer | LogAnalyzerError:
    return answers_to([Case(path, FAILING)], 1, ScanOptions())[0]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    for name, (bundle, label) in CASES.items():
        write_case(folder, name, bundle(), label)
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("scanned_once")
def test_the_command_tells_each_number_as_json(call: Callable[..., Said], labelled: Path) -> None:
    said = call("--cases", labelled, "-f", "json", "--jobs", 1)
    assert (said.status, said.err) == (1, "")
    told = json.loads(said.out)
    assert told["schema"] == "loganalyzer/accuracy/1"
    counts = {name: (one["count"], one["of"]) for name, one in told.items() if isinstance(one, dict) and "of" in one}
    assert counts == {
        "read": (4, 4),
        "first_expected": (2, 4),
        "first_accepted": (3, 4),
        "in_first_three": (3, 4),
        "partly_in_first_three": (0, 1),
        "undecidable_honest": (1, 2),
        "forbidden": (1, 9),
        "healthy_false": (1, 2),
        "healthy_false_firm": (1, 2),
        "healthy_said": (1, 2),
    }
    assert (told["first_accepted"]["percent"], told["first_accepted"]["target"]) == (75.0, 90)
    assert told["undecidable_asks"] == {
        "share": {"count": 1, "of": 1, "target": None, "percent": 100.0},
        "not_comparable": 1,
    }
    assert told["constant_expected"]["cause"] is not None
    assert [one["name"] for one in told["cases"]] == sorted(CASES)
    assert told["faults"] == []
    rows = {row["cause"]: row for row in told["causes"]}
    assert rows["wireserver-blocked"] == {
        "cause": "wireserver-blocked",
        "expected": 0,
        "first": 0,
        "in_first_three": 0,
        "missed": 0,
        "wrong": 1,
    }


@pytest.mark.slow
def test_several_processes_give_the_same_answers_in_the_same_order(labelled: Path) -> None:
    cases = [Case(labelled / name, FAILING) for name in ("wrong", "healthy", "right")]
    answers = answers_to(cases, 2, ScanOptions())
    assert answers == [_answer_once(case.path.resolve()) for case in cases]
    assert len({str(one) for one in answers}) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("scanned_once")
def test_the_command_tells_each_bar_and_each_case_as_text(call: Callable[..., Said], labelled: Path) -> None:
    said = call("--cases", labelled, "--jobs", 1)
    assert (said.status, said.err) == (1, "")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    for wanted in (
        "FORBIDDEN vmsnapshot-extension-failed",
        "FALSE dhcp-option-245-unavailable",
        "NOT HONEST: these files cannot decide it",
        "perfect: the AppLocker channel is missing",
        "perfect: extension.log",
        "failing, decidable: 4 cases, something was read of 4",
        "first diagnosis expected 2 of 4 50.0 % (target 75 %: MISSED)",
        "first diagnosis expected or acceptable 3 of 4 75.0 % (target 90 %: MISSED)",
        "expected among the first three 0 of 1 0.0 % (target 60 %: MISSED)",
        "cannot-tell, and nothing confirmed or likely 1 of 2 50.0 %",
        "with any diagnosis that is not acceptable 1 of 2 50.0 % WRONG",
        "with a forbidden diagnosis 1 of 9 11.1 % WRONG",
        "dhcp-option-245-unavailable 1 0 0 1 1",
    ):
        assert wanted in lines
    assert any(line.startswith("right yes right cause-found prescript-or-postscript-failed=") for line in lines)
    assert any(line.startswith("answered: cannot-tell, asks for") for line in lines)
    assert any(line.startswith("best constant answer, expected 1 of 4") for line in lines)
    assert [line.split()[0] for line in lines[: lines.index("")] if " yes " in line] == [
        *("acceptable", "forbidden", "healthy", "healthy-false", "right", "wrong")
    ]
    assert "\x1b" not in said.out
    quiet = call("--cases", labelled, "--jobs", 1, "--quiet").out.splitlines()
    assert [line.split()[0] for line in quiet[: quiet.index("")] if line[0] != " "] == [
        *("acceptable", "dishonest", "forbidden", "healthy-false", "partly", "wrong")
    ]


@pytest.mark.parametrize(
    ("names", "options", "status"),
    [
        (("right",), (), 0),
        (("healthy", "honest"), (), 0),
        (("wrong",), (), 0),
        (("forbidden",), (), 1),
        (("healthy-false",), (), 1),
        (("right",), ("--min-first", 100), 0),
        (("right", "acceptable"), ("--min-first", 51), 1),
        (("right", "acceptable"), ("--min-first", 50, "--min-accepted", 100), 0),
        (("wrong",), ("--min-accepted", 1), 1),
        (("partly",), ("--min-partly", 1), 1),
        (("healthy",), ("--min-first", 1), 1),
    ],
)
@pytest.mark.usefixtures("scanned_once")
def test_the_exit_status_tells_what_is_wrong_or_was_asked_for(
    call: Callable[..., Said], labelled: Path, names: tuple[str, ...], options: tuple[Any, ...], status: int
) -> None:
    chosen = [word for name in names for word in ("--cases", labelled / name)]
    said = call(*chosen, "--jobs", 1, *options)
    assert said.status == status
    assert ("is missed" in said.err) == (status == 1 and bool(options))


def test_a_broken_label_is_2_and_the_others_are_scored(call: Callable[..., Said], tmp_path: Path) -> None:
    small_case(tmp_path, "a", "expected_causes: [waagent-options-not-set]")
    small_case(tmp_path, "b", "expected_causes:\n- waagent-option-not-set")
    said = call("--cases", tmp_path, "-f", "json")
    assert said.status == 2
    assert "b/label.yaml:2" in said.err
    assert "is it waagent-options-not-set?" in said.err
    told = json.loads(said.out)
    assert [one["name"] for one in told["cases"]] == ["a"]
    assert told["first_expected"]["count"] == 1
    assert len(told["faults"]) == 1


@pytest.mark.parametrize(
    "words", [("-f", "json"), ("--min-first", "5"), ("--jobs", "2"), ("--cases", ".", "--rules", ".")]
)
def test_options_that_do_not_go_together_are_2(call: Callable[..., Said], words: tuple[str, ...]) -> None:
    said = call(*words)
    assert said.status == 2
    assert "help: " in said.err

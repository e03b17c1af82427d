"""The command line: what each word does, what goes where, and the exit status."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from loganalyzer.cli import COMMANDS, cli, run
from loganalyzer.pipeline import Scan, ScanOptions, scan
from loganalyzer.report.json_report import to_json
from loganalyzer.report.model import BundleVerdict, DiagnosisVerdict
from sample_logs import linux_bundles, linux_secrets
from sample_logs.packing import tar_gz_bytes, write_directory, zip_bytes

HEALTHY = linux_bundles.healthy()
FAILING = linux_bundles.extensions_disabled()
CAUSE = "waagent-options-not-set"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs the command line in this process."""
    monkeypatch.setenv("COLUMNS", "120")

    def called(*words: str | Path, stdin: bytes | None = None) -> Said:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        status = run([str(word) for word in words])
        return Said(status, *capfd.readouterr())

    return called


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("failing")
    write_directory(FAILING.files, folder)
    return folder


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest bundle with a cause: one file."""
    path = tmp_path_factory.mktemp("conf") / "waagent.conf"
    path.write_bytes(FAILING.files["etc/waagent.conf"])
    return path


# scan: what goes where


def test_scan_prints_the_verdict_the_cause_and_the_line_that_proves_it(call: Any, failing: Path) -> None:
    said = call("scan", failing)
    assert said.status == 1
    assert said.out.lstrip().startswith("CAUSE FOUND")
    assert CAUSE in said.out
    assert "Extensions.Enabled=n" in said.out
    assert said.err == ""


def test_scan_prints_json_alone_on_standard_output(call: Any, failing: Path) -> None:
    said = call("scan", failing, "--format", "json")
    assert said.status == 1
    assert said.json["schema"] == "loganalyzer/report/1"
    assert said.json["diagnoses"][0]["cause"] == CAUSE
    assert said.out.endswith("}\n")


def test_quiet_prints_the_verdict_only(call: Any, conf: Path) -> None:
    long, short = call("scan", conf), call("scan", "-q", conf)
    assert "CAUSE FOUND" in short.out
    assert len(short.out) < len(long.out) / 4
    assert (short.status, short.err) == (1, "")


def test_details_shows_more_than_the_overview(call: Any, failing: Path) -> None:
    short, long = call("scan", failing), call("scan", "--details", failing)
    assert len(long.out) > len(short.out)
    assert "HandlerManifest.json" in long.out
    assert "agent-service-stopped-linux" in long.out


def test_several_outputs_are_written_each_in_its_format(call: Any, conf: Path, tmp_path: Path) -> None:
    one, two, three = tmp_path / "a.json", tmp_path / "b.txt", tmp_path / "c.report"
    said = call("scan", conf, "-o", one, "-o", two, "-o", f"json:{three}")
    assert json.loads(one.read_bytes())["diagnoses"][0]["cause"] == CAUSE
    assert one.read_bytes() == three.read_bytes()
    assert CAUSE in two.read_text(encoding="utf-8")
    assert "\x1b" not in two.read_text(encoding="utf-8")
    assert "CAUSE FOUND" in said.out


@pytest.mark.parametrize(
    ("words", "is_json"),
    [
        (["-o", "-"], False),
        (["-f", "json", "-o", "-"], True),
        (["-o", "json:-"], True),
        (["-f", "json", "-o", "text:-"], False),
    ],
)
def test_a_dash_is_standard_output_once(call: Any, conf: Path, words: list[str], is_json: bool) -> None:
    said = call("scan", conf, *words)
    assert said.out.lstrip().startswith("{" if is_json else "CAUSE FOUND")
    assert said.out.count(CAUSE) == call("scan", conf, "-f", "json" if is_json else "text").out.count(CAUSE)


@pytest.mark.parametrize("pack", [zip_bytes, tar_gz_bytes])
def test_a_dash_is_a_bundle_on_standard_input(call: Any, pack: Callable[..., bytes]) -> None:
    said = call("scan", "-", "-f", "json", stdin=pack(FAILING.files))
    assert said.status == 1
    assert said.json["diagnoses"][0]["cause"] == CAUSE
    assert said.json["bundle"]["layout"] == "plain-copy"


def test_several_paths_are_one_bundle(call: Any, conf: Path, tmp_path: Path) -> None:
    (tmp_path / "waagent.log").write_bytes(HEALTHY.files["var/log/waagent.log"])
    said = call("scan", conf, tmp_path / "waagent.log", "-f", "json")
    assert len(said.json["coverage"]) == 2
    assert said.json["bundle"]["platform"] == "linux"


def test_progress_stays_off_a_pipe(call: Any, conf: Path) -> None:
    assert call("scan", conf).err == ""


# scan: the exit status


@cache
def example() -> Scan:
    return scan([Path(linux_bundles.__file__).parent / "bundles" / FAILING.file_name])


def result_of(diagnosis: DiagnosisVerdict | None, verdict: BundleVerdict, unread: tuple[str, ...] = ()) -> Scan:
    report = example().report
    found = () if diagnosis is None else (replace(report.diagnoses[0], verdict=diagnosis),)
    return replace(example(), report=replace(report, diagnoses=found, verdict=verdict), unread=unread)


WORDS = ("confirmed", "likely", "possible", "cannot-tell", "never")


@pytest.mark.parametrize(
    ("diagnosis", "verdict", "statuses"),
    [
        ("confirmed", "cause-found", (1, 1, 1, 1, 0)),
        ("likely", "cause-found", (0, 1, 1, 1, 0)),
        ("possible", "cannot-tell", (0, 0, 1, 1, 0)),
        (None, "cannot-tell", (0, 0, 0, 1, 0)),
        (None, "no-fault-found", (0, 0, 0, 0, 0)),
    ],
)
@pytest.mark.parametrize("unread", [(), ("waagent.log.1.gz: cut",)])
def test_fail_on_decides_from_which_verdict_on_the_status_is_1(
    call: Any,
    monkeypatch: pytest.MonkeyPatch,
    diagnosis: DiagnosisVerdict | None,
    verdict: BundleVerdict,
    statuses: tuple[int, ...],
    unread: tuple[str, ...],
) -> None:
    monkeypatch.setattr("loganalyzer.cli.scan.scan", lambda *a, **k: result_of(diagnosis, verdict, unread))
    got = [call("scan", "-q", "x", "--fail-on", word).status for word in WORDS]
    assert got == [status or (3 if unread else 0) for status in statuses]
    assert call("scan", "-q", "x").status == got[WORDS.index("likely")]
    assert {call("scan", "-q", "x", "--exit-zero", "--fail-on", word).status for word in WORDS} == {0}


def test_what_was_not_read_is_told_and_cut_to_ten(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    unread = tuple(f"{number}.gz: cut\x1b[31m" for number in range(14))
    monkeypatch.setattr("loganalyzer.cli.scan.scan", lambda *a, **k: result_of(None, "cannot-tell", unread))
    said = call("scan", "-q", "x")
    assert said.err.count("not read to its end: ") == 10
    assert "and 4 more" in said.err
    assert "\x1b" not in said.err


@pytest.mark.parametrize("stop", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_is_130(call: Any, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]) -> None:
    monkeypatch.setattr("loganalyzer.cli.scan.scan", raising(stop()))
    said = call("scan", "x")
    assert (said.status, said.out, said.err.strip()) == (130, "", "interrupted")


def test_a_bug_is_4_and_asks_to_be_reported(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loganalyzer.cli.scan.scan", raising(ZeroDivisionError("a bug")))
    said = call("scan", "x")
    assert said.status == 4
    assert "please report" in said.err
    assert "ZeroDivisionError: a bug" in said.err


def raising(error: BaseException) -> Callable[..., Scan]:
    def fail(*arguments: object, **options: object) -> Scan:
        raise error

    return fail


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--at", "yesterday"], ["yesterday", "help: ", "2026-03-01T02:10"]),
        (["--at", "2025-13-01"], ["2025-13-01", "help: "]),
        (["--at", "2025-06-11T01:30", "--tz", "Mars/Base"], ["Mars/Base", "help: ", "Europe/Rome"]),
        (["--tz", "../../etc/passwd"], ["unknown time zone", "help: "]),
        (["--tz", ""], ["unknown time zone", "help: "]),
        (["-o", "report.pdf"], ["report.pdf", "help: "]),
        (["-o", "json:/nonexistent/folder/x.json"], ["/nonexistent/folder/x.json", "help: "]),
        (["--fail-on", "sometimes"], ["sometimes", "Usage: "]),
        (["--redact", "perhaps"], ["perhaps", "Usage: "]),
        (["-f", "pdf"], ["pdf", "markdown", "Usage: "]),
        (["-f", "parquet"], ["parquet:DIR", "Usage: "]),
        (["-o", "parquet:-"], ["names no folder", "help: "]),
        (["-o", "sarif:"], ["names no file", "help: "]),
        (["-o", "json:-", "-o", "-"], ["two outputs", "help: "]),
        (["-o", "a.md", "-o", "./a.md"], ["given twice", "help: "]),
        (["--max-members", "0"], ["--max-members", "Usage: "]),
        (["--max-depth", "0"], ["--max-depth", "Usage: "]),
        (["--nonsense"], ["--nonsense", "Usage: "]),
    ],
)
def test_wrong_words_are_2_and_say_what_is_right(call: Any, conf: Path, words: list[str], told: list[str]) -> None:
    said = call("scan", conf, *words)
    assert said.status == 2
    assert [text for text in told if text not in said.err] == []
    assert "Traceback" not in said.err


@pytest.mark.parametrize("words", [["nonsense"], ["scan"], ["explain"], ["signatures", "nonsense"], ["--nonsense"]])
def test_an_unknown_command_or_a_missing_argument_is_2(call: Any, words: list[str]) -> None:
    said = call(*words)
    assert (said.status, said.out) == (2, "")
    assert "Usage: " in said.err


# scan: the ticket, the zone, redaction


@pytest.fixture
def options_of(call: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScanOptions]:
    """The options that the words of a command line become."""
    given: list[ScanOptions] = []

    def remember(inputs: object, options: ScanOptions, **more: object) -> Scan:
        given.append(options)
        return result_of(None, "no-fault-found")

    def options(*words: str) -> ScanOptions:
        monkeypatch.setattr("loganalyzer.cli.scan.scan", remember)
        assert call("scan", "-q", "x", *words).status == 0
        return given[-1]

    return options


@pytest.mark.parametrize(
    ("words", "utc"),
    [
        (["--at", "2025-06-11T01:30"], "2025-06-11T01:30:00+00:00"),
        (["--at", "2025-06-11 01:30:15"], "2025-06-11T01:30:15+00:00"),
        (["--at", "2025-06-11T01:30", "--tz", "Europe/Rome"], "2025-06-10T23:30:00+00:00"),
        (["--at", "2025-06-11T01:30Z", "--tz", "Europe/Rome"], "2025-06-11T01:30:00+00:00"),
        (["--at", "2025-06-11T01:30-05:00"], "2025-06-11T06:30:00+00:00"),
        (["--at", "2025-06-11"], "2025-06-11T00:00:00+00:00"),
    ],
)
def test_the_time_of_the_ticket_is_read_in_its_zone(options_of: Any, words: list[str], utc: str) -> None:
    assert options_of(*words).ticket.at.isoformat() == utc


def test_options_reach_the_scan(options_of: Any) -> None:
    plain = options_of()
    assert (plain.redact, plain.time_zone, plain.ticket.errors, plain.ticket.at) == (True, None, (), None)
    told = options_of("--error", "A", "--error", "b c", "--tz", "Asia/Tokyo", "--redact", "off", "--max-depth", "2")
    assert (told.redact, told.time_zone, told.ticket.errors) == (False, "Asia/Tokyo", ("A", "b c"))
    assert told.limits == replace(plain.limits, max_depth=2)


def test_the_error_of_the_ticket_is_in_the_report(call: Any, failing: Path) -> None:
    said = call(
        "scan", failing, "-f", "json", "--error", "GuestAgentSnapshotTaskStatusError", "--at", "2025-06-11T01:30"
    )
    errors = {one["code"]: one["explained_by"] for one in said.json["errors"]}
    assert CAUSE in errors["GuestAgentSnapshotTaskStatusError"]


def test_redaction_is_switched_off_only_by_its_own_word(call: Any, tmp_path: Path) -> None:
    secret = linux_secrets.bundle()
    write_directory(secret.files, tmp_path)
    kept = call("scan", tmp_path, "-f", "json", "--details").out
    shown = call("scan", tmp_path, "-f", "json", "--redact", "off").out
    assert [one for one in secret.secrets if one in kept] == []
    assert [one for one in secret.secrets if one in shown]
    assert "<sas:1>" in kept


# explain


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            ["UserErrorGuestAgentStatusUnavailable"],
            ["UserErrorGuestAgentStatusUnavailable", "agent-unresponsive-windows"],
        ),
        (["usererrorguestagentstatusunavailable"], ["UserErrorGuestAgentStatusUnavailable"]),
        ([CAUSE], ["Extensions.Enabled=y", "1. ", "https://"]),
        (["VMSnapshotLinux", "76"], ["FailedRetryableSnapshotFailedNoNetwork"]),
        (["Non è possibile comunicare con l'agente"], ["GuestAgentSnapshotTaskStatusError"]),
        (["could not communicate with the VM agent for snapshot status"], ["GuestAgentSnapshotTaskStatusError"]),
    ],
)
def test_explain_knows_codes_causes_numbers_and_portal_text(call: Any, query: list[str], told: list[str]) -> None:
    said = call("explain", *query)
    assert said.status == 0
    assert [text for text in told if text not in said.out] == []


def test_explain_reads_standard_input_and_speaks_json(call: Any) -> None:
    said = call(
        "explain", "-", "-f", "json", stdin="Errore: assenza di connettività di rete nella macchina virtuale".encode()
    )
    assert said.status == 0
    assert "ExtensionSnapshotFailedNoNetwork" in [one["code"] for one in said.json["errors"]]


def test_explain_suggests_what_may_have_been_meant(call: Any) -> None:
    said = call("explain", "UserErrorGuestAgentStatusUnavialable")
    assert said.status == 1
    assert "Did you mean" in said.out
    assert "UserErrorGuestAgentStatusUnavailable" in said.out
    nonsense = call("explain", "qwertyuiop")
    assert (nonsense.status, "Nothing is documented" in nonsense.out) == (1, True)


def test_explain_all_tells_more(call: Any) -> None:
    few, many = (call("explain", "UserErrorGuestAgentStatusUnavailable", *words).out for words in ([], ["--all"]))
    assert len(many) > 2 * len(few)
    assert "--all" in few


# formats and signatures


def test_formats_lists_every_parser_with_its_log_source(call: Any) -> None:
    said = call("formats")
    assert said.status == 0
    for name in ("waagent_log", "evtx_log", "status_file", "linux/waagent"):
        assert name in said.out


def test_signatures_are_listed_shown_and_tested(call: Any) -> None:
    listed = call("signatures", "list", "-f", "json")
    assert listed.status == 0
    rules = listed.json
    assert len(rules) > 50
    for_cause = call("signatures", "list", "--cause", CAUSE, "-f", "json").json
    assert 0 < len(for_cause) < len(rules)
    assert {rule["cause"] for rule in for_cause} == {CAUSE}
    for key in ("id", "name", "title"):
        shown = call("signatures", "show", for_cause[0][key])
        assert shown.status == 0
        assert f"id: {for_cause[0]['id']}" in shown.out
    assert CAUSE in call("signatures", "list").out


@pytest.mark.slow
def test_the_built_in_signatures_pass_their_examples_and_the_lint(call: Any) -> None:
    tested = call("signatures", "test")
    assert (tested.status, tested.err) == (0, "")
    assert " 0 failed" in tested.out
    linted = call("signatures", "lint")
    assert (linted.status, linted.err) == (0, "")
    assert "0 faults" in linted.out


def test_an_unknown_signature_is_2(call: Any) -> None:
    said = call("signatures", "show", "no_such_rule")
    assert said.status == 2
    assert "no_such_rule" in said.err
    assert "help: " in said.err


RULE = """\
title: A rule of my own
id: 22222222-2222-4222-8222-222222222222
name: my_own
taxonomy: loganalyzer
status: experimental
description: Own words.
author: me
date: 2026-01-01
logsource:
    product: linux
    service: waagent
detection:
    selection:
        message|contains: our own words
    condition: selection
falsepositives:
    - None known
level: low
loganalyzer:
    role: fact
    examples:
        - name: said
          match: true
          event: {message: here are our own words}
        - name: not said
          match: false
          event: {message: other words}
"""


@pytest.mark.parametrize("command", ["list", "test", "lint"])
def test_rules_of_ones_own_take_the_place_of_the_built_in_ones(call: Any, tmp_path: Path, command: str) -> None:
    (tmp_path / "own.yml").write_text(RULE, encoding="utf-8")
    for where in (tmp_path, tmp_path / "own.yml"):
        said = call("signatures", command, "-r", where)
        assert (said.status, said.err) == (0, "")
        assert "A rule of my own" in said.out or "1 rules" in said.out


@pytest.mark.parametrize("command", ["list", "test", "lint"])
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("message|contains", "message|nonsense", 14),
        ("condition: selection", "condition: selection and", 15),
        ("title: A rule of my own", "title: [not closed", 1),
        ("role: fact", "role: witness", 20),
    ],
)
def test_a_broken_rule_is_named_by_file_and_line(
    call: Any, tmp_path: Path, command: str, old: str, new: str, line: int
) -> None:
    path = tmp_path / "broken.yml"
    path.write_text(RULE.replace(old, new), encoding="utf-8")
    said = call("signatures", command, "-r", path)
    assert said.status == 2
    places = [int(place) for place in re.findall(r"broken\.yml:(\d+)", said.err)]
    assert places
    assert any(abs(place - line) <= 2 for place in places), said.err
    assert "help: " in said.err
    assert "Traceback" not in said.err


def test_a_rule_that_fails_its_example_is_1(call: Any, tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(RULE.replace("our own words}", "words of others}"), encoding="utf-8")
    said = call("signatures", "test", "-r", tmp_path)
    assert said.status == 1
    assert "FAILED" in said.out
    assert "own.yml" in said.out
    assert "said" in said.out


def test_rules_that_are_not_there_are_2(call: Any, tmp_path: Path) -> None:
    said = call("signatures", "list", "-r", tmp_path / "nowhere")
    assert said.status == 2
    assert "nowhere" in said.err


# help, and what the process around it sees


@pytest.mark.parametrize(
    "words", [[], *([name] for name in COMMANDS), *(["signatures", verb] for verb in ("list", "show", "test", "lint"))]
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(call: Any, words: list[str], flag: str) -> None:
    said = call(*words, flag)
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("Usage: ")
    assert "Options:" in said.out


def test_every_option_of_every_command_has_a_help_text() -> None:
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in COMMANDS]
    groups = [one for one in commands if isinstance(one, click.Group)]
    commands += [one.commands[name] for one in groups for name in one.commands]
    options = [one for command in commands if command for one in command.params if isinstance(one, click.Option)]
    assert len(options) > 15
    assert [one.name for one in options if one.name != "color" and not one.help] == []


def python(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_is_light(flag: str) -> None:
    done = python(
        f"""
import sys
from loganalyzer.cli import run
assert run([{flag!r}]) == 0
heavy = [name for name in ("polars", "pyarrow", "rich", "sigma", "evtx", "lxml", "yaml") if name in sys.modules]
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_piped_output_is_utf_8_wherever_it_runs(conf: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loganalyzer", "scan", str(conf)],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "LC_ALL": "C", "PYTHONUTF8": "0"},
        check=False,
    )
    assert done.returncode == 1
    text = done.stdout.decode("utf-8")
    assert any(ord(char) > 255 for char in text)
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("environment", "words", "coloured"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
        ({}, ["--color", "always"], True),
    ],
)
def test_colour_is_for_terminals_and_for_those_who_want_it(
    call: Any, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: list[str], coloured: bool
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("loganalyzer.cli.scan.scan", lambda *a, **k: result_of("confirmed", "cause-found"))
    assert ("\x1b[1;37;41m" in call("scan", "-q", "x", *words).out) == coloured


def test_a_reader_that_goes_away_is_no_error(conf: Path) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m loganalyzer scan "{conf}" --details | true',
        shell=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


def test_two_runs_print_the_same(call: Any, conf: Path) -> None:
    assert call("scan", conf, "-f", "json").out == call("scan", conf, "-f", "json").out
    assert to_json(example().report) == to_json(scan([example().report.bundle.path]).report)

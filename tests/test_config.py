"""Settings: where a value may stand, which one holds, what is told of a wrong one, what a stranger's file may not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import hypothesis
import platformdirs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loganalyzer.cli import COMMANDS, cli, run, settings_files
from loganalyzer.cli.settings import FROM_ANY_FOLDER, commands, settable
from sample_logs import linux_bundles

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder to run in, and the files that settings are read from."""

    call: Callable[..., Said]
    project: Path
    user: Path
    system: Path
    given: Path
    bundle: Path

    def value(self, option: str, *words: str | Path, command: str = "scan") -> tuple[Any, str, str | None]:
        """Value, origin and place of an option."""
        rows = self.call("config", "show", command, "-f", "json", *words).json
        (row,) = [row for row in rows if row["option"] == option]
        return row["value"], row["origin"], row["where"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Machine:
    monkeypatch.delenv("LOGANALYZER_NO_CONFIG")
    work, user, system = (tmp_path / name for name in ("work", "user", "system"))
    for folder in (work, user, system):
        folder.mkdir()
    monkeypatch.setattr(settings_files, "_own_folders", lambda: (user, system))
    monkeypatch.chdir(work)
    bundle = tmp_path / "waagent.conf"
    bundle.write_bytes(linux_bundles.extensions_disabled().files["etc/waagent.conf"])

    def call(*words: str | Path) -> Said:
        status = run([str(word) for word in words])
        return Said(status, *capfd.readouterr())

    files = (work / "loganalyzer.toml", user / "config.toml", system / "config.toml", tmp_path / "given.toml")
    return Machine(call, *files, bundle)


def test_the_strongest_source_holds_and_each_below_it_in_turn(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"system": "never", "user": "possible", "project": "likely", "given": "confirmed"}
    for name, word in words.items():
        getattr(machine, name).write_text(f'# first\n[scan]\nfail-on = "{word}"\n', encoding="utf-8")
    monkeypatch.setenv("LOGANALYZER_FAIL_ON", "never")
    monkeypatch.setenv("LOGANALYZER_SCAN_FAIL_ON", "cannot-tell")
    named: list[str | Path] = ["--config", machine.given]
    assert machine.value("fail-on", *named) == ("cannot-tell", "environment", "LOGANALYZER_SCAN_FAIL_ON")
    monkeypatch.delenv("LOGANALYZER_SCAN_FAIL_ON")
    assert machine.value("fail-on", *named) == ("never", "environment", "LOGANALYZER_FAIL_ON")
    monkeypatch.delenv("LOGANALYZER_FAIL_ON")
    assert machine.value("fail-on", *named) == ("confirmed", "--config", f"{machine.given}:3")
    assert machine.value("fail-on") == ("likely", "project", "./loganalyzer.toml:3")
    machine.project.unlink()
    assert machine.value("fail-on") == ("possible", "user", f"{machine.user}:3")
    machine.user.unlink()
    assert machine.value("fail-on") == ("never", "system", f"{machine.system}:3")
    machine.system.unlink()
    assert machine.value("fail-on") == ("likely", "default", None)


def test_a_scan_does_what_the_settings_say_and_the_command_line_says_it_last(machine: Machine) -> None:
    assert machine.call("scan", machine.bundle).status == 1
    machine.user.write_text('[scan]\nfail-on = "never"\nformat = "json"\nquiet = true\n', encoding="utf-8")
    said = machine.call("scan", machine.bundle)
    assert (said.status, said.err) == (0, "")
    assert said.json["verdict"] == "cause-found"
    assert machine.call("scan", machine.bundle, "--fail-on", "likely").status == 1
    assert "CAUSE FOUND" in machine.call("scan", machine.bundle, "-f", "text").out


def test_the_table_of_a_command_comes_before_that_of_all_but_not_before_a_stronger_file(machine: Machine) -> None:
    machine.user.write_text('[defaults]\ncolor = "never"\nmax-depth = 2\n[scan]\ncolor = "always"\n', encoding="utf-8")
    assert machine.value("color") == ("always", "user", f"{machine.user}:5")
    assert machine.value("color", command="query") == ("never", "user", f"{machine.user}:2")
    assert machine.value("max-depth")[0] == 2
    machine.project.write_text('[defaults]\ncolor = "auto"\n', encoding="utf-8")
    assert machine.value("color") == ("auto", "project", "./loganalyzer.toml:2")


def test_a_value_for_all_commands_is_for_those_that_take_it(machine: Machine) -> None:
    machine.user.write_text('[defaults]\nformat = "markdown"\n', encoding="utf-8")
    assert machine.value("format")[0] == "markdown"
    assert machine.value("format", command="explain") == ("text", "default", None)
    assert machine.call("explain", "wireserver-blocked").status == 0


def test_options_that_repeat_take_lists_and_variables_with_blanks(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.user.write_text('[scan]\nas = ["*.a=waagent_log", "*.b=waagent_conf"]\nerror = "E1"\n', encoding="utf-8")
    assert machine.value("as")[0] == ["*.a=waagent_log", "*.b=waagent_conf"]
    assert machine.value("error")[0] == ["E1"]
    monkeypatch.setenv("LOGANALYZER_SCAN_ERROR", "E2 E3")
    assert machine.value("error")[0] == ["E2", "E3"]
    assert machine.call("scan", machine.bundle, "-q").status == 1


def test_dates_and_numbers_are_written_as_toml_has_them(machine: Machine) -> None:
    machine.user.write_text("[scan]\nat = 2026-03-01T02:10:00Z\nmax-members = 7\n", encoding="utf-8")
    assert machine.value("at")[0] == "2026-03-01T02:10:00+00:00"
    assert machine.value("max-members")[0] == 7
    assert machine.call("scan", machine.bundle, "-q").status == 1


def test_commands_below_a_command_have_tables_below_its_table(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.user.write_text('[signatures.list]\nformat = "json"\n', encoding="utf-8")
    assert isinstance(machine.call("signatures", "list", "--cause", "wireserver-blocked").json, list)
    rows = machine.call("config", "show", "signatures", "list", "-f", "json").json
    assert {"json"} == {row["value"] for row in rows if row["option"] == "format"}
    monkeypatch.setenv("LOGANALYZER_SIGNATURES_LIST_CAUSE", "wireserver-blocked")
    assert all(row["cause"] == "wireserver-blocked" for row in machine.call("signatures", "list").json)


WRONG = [
    ('[scan]\nfail-onn = "never"', "scan.fail-onn: there is no option --fail-onn", 2, "is it 'fail-on'?"),
    ('[scna]\nfail-on = "never"', "'scna' is no command", 1, "is it 'scan'?"),
    ('fail-on = "never"', "'fail-on' is no command", 1, "[defaults]"),
    ("scan = 1", "'scan' is not a table", 1, "write [scan]"),
    ('[scan]\n\nfail-on = "often"', "scan.fail-on: 'often' is not one of", 3, "loganalyzer scan --help"),
    ('[defaults]\nfail-on = "often"', "defaults.fail-on: 'often' is not one of", 2, "--help"),
    ('[defaults]\nfail-onn = "never"', "defaults.fail-onn: there is no option", 2, "is it 'fail-on'?"),
    ("[scan]\nquiet = 3", "scan.quiet: it takes true or false", 2, "--help"),
    ("[scan]\nquiet = 'perhaps'", "scan.quiet: 'perhaps' is not a valid boolean", 2, "--help"),
    ("[scan]\ntz = true", "scan.tz: it takes no true", 2, "--help"),
    ("[scan]\ntz = ['a', 'b']", "scan.tz: it takes one value, not a list", 2, "--help"),
    ("[scan.tz]\na = 1", "scan.tz: it takes one value, not a table", 1, "--help"),
    ("[scan]\nmax-members = 0", "scan.max-members: 0 is not in the range", 2, "--help"),
    ("[scan]\nmax-members = 'many'", "scan.max-members: 'many' is not", 2, "--help"),
    ('[scan]\nformat = "pdf"', "scan.format: 'pdf' is not one of", 2, "--help"),
    ('[scan]\nconfig = "a.toml"', "scan.config: there is no option --config", 2, "config show"),
    ("[scan]\nquiet = yes", "a settings file is no TOML: Invalid value", 2, "--no-config"),
]


@pytest.mark.parametrize(("text", "told", "line", "help"), WRONG)
def test_what_is_wrong_is_told_with_file_and_line(machine: Machine, text: str, told: str, line: int, help: str) -> None:
    machine.user.write_text(text + "\n", encoding="utf-8")
    said = machine.call("scan", machine.bundle)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"error: {told}")
    assert f"--> {machine.user}:{line}" in said.err
    assert help in said.err
    shown = machine.call("config", "show", "--all")
    assert (shown.status, told in shown.err) == (2, True)
    assert "explain.format = " in shown.out
    assert machine.call("scan", machine.bundle, "--no-config").status == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff\xfe", "not UTF-8"), (b"#" * (1 << 21), "larger than 1 MiB"), (b"a = " + b"[" * 100_000, "settings file")],
)
def test_a_file_that_cannot_be_settings_is_told(machine: Machine, content: bytes, told: str) -> None:
    machine.user.write_bytes(content)
    said = machine.call("scan", machine.bundle)
    assert (said.status, said.out) == (2, "")
    assert told in said.err
    assert "Traceback" not in said.err


def test_the_file_of_config_must_be_there_and_the_others_need_not(machine: Machine) -> None:
    assert machine.call("scan", machine.bundle, "-q").err == ""
    said = machine.call("scan", machine.bundle, "--config", "nowhere.toml")
    assert (said.status, "nowhere.toml does not exist" in said.err) == (2, True)
    machine.user.mkdir()
    said = machine.call("scan", machine.bundle)
    assert (said.status, "is no regular file" in said.err) == (2, True)


@pytest.mark.parametrize("words", [["--config", "F", "scan"], ["scan", "--config", "F"]])
def test_config_is_given_before_or_behind_the_command_or_in_a_variable(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    machine.given.write_text("[scan]\nexit-zero = true\n", encoding="utf-8")
    given = [str(machine.given) if word == "F" else word for word in words]
    assert machine.call(*given, machine.bundle).status == 0
    assert machine.call("scan", machine.bundle).status == 1
    monkeypatch.setenv("LOGANALYZER_CONFIG", str(machine.given))
    assert machine.call("scan", machine.bundle).status == 0
    assert machine.call("--no-config", "scan", machine.bundle).status == 0


def test_a_variable_that_no_option_knows_is_told_and_a_wrong_value_is_an_error(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGANALYZER_SCAN_FAILON", "never")
    said = machine.call("scan", machine.bundle, "-q")
    assert said.status == 1
    assert "note: the variable LOGANALYZER_SCAN_FAILON is no option of a command" in said.err
    assert "is it LOGANALYZER_SCAN_FAIL_ON?" in said.err
    monkeypatch.delenv("LOGANALYZER_SCAN_FAILON")
    monkeypatch.setenv("LOGANALYZER_QUERY_FORMAT", "csv")
    assert machine.call("scan", machine.bundle, "-q").err == ""
    monkeypatch.setenv("LOGANALYZER_SCAN_QUIET", "perhaps")
    said = machine.call("scan", machine.bundle)
    assert said.status == 2
    assert "LOGANALYZER_SCAN_QUIET: 'perhaps' is not a valid boolean" in said.err


# a stranger's folder

HARMFUL = [
    'output = ["stolen.json"]',
    'rules = ["rules"]',
    'redact = "off"',
    'as = ["*=waagent_conf"]',
    "max-members = 1",
    'error = ["UserErrorGuestAgentStatusUnavailable"]',
    'at = "2020-01-01"',
    'tz = "Asia/Tokyo"',
]


@pytest.mark.parametrize("line", HARMFUL)
@pytest.mark.parametrize("table", ["scan", "defaults"])
def test_the_file_of_a_folder_does_no_harm_and_what_it_may_not_say_is_told(
    machine: Machine, line: str, table: str
) -> None:
    before = machine.call("scan", machine.bundle)
    machine.project.write_text(f"[{table}]\n{line}\n", encoding="utf-8")
    said = machine.call("scan", machine.bundle)
    assert (said.status, said.out) == (before.status, before.out)
    option = line.partition(" ")[0]
    assert said.err.startswith(f"note: {table}.{option} is ignored: ")
    assert "--> ./loganalyzer.toml:2" in said.err
    assert [path.name for path in machine.project.parent.iterdir()] == ["loganalyzer.toml"]
    assert machine.value(option)[1] == "default"


def test_a_folders_file_is_trusted_when_it_is_named(machine: Machine) -> None:
    machine.project.write_text('[scan]\nredact = "off"\n', encoding="utf-8")
    assert machine.value("redact", "--config", "loganalyzer.toml")[:2] == ("off", "--config")


def test_the_systems_file_is_no_more_trusted_than_a_folders_where_anybody_may_write_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.system.write_text('[scan]\nredact = "off"\n', encoding="utf-8")
    assert machine.value("redact")[:2] == ("off", "system")
    monkeypatch.setattr(sys, "platform", "win32")
    assert [(one.origin, one.trusted) for one in settings_files.candidates(None)] == [
        ("project", False),
        ("user", True),
        ("system", False),
    ]


def test_options_that_write_or_lift_something_are_not_among_those_of_any_folder() -> None:
    """The list is of what is allowed, so that a new option is not; this holds it to what exists."""
    options = {key: option for one in commands(click.Context(cli)) for key, option in settable(one.command).items()}
    assert set(options) >= FROM_ANY_FOLDER
    assert not {"output", "rules", "redact", "as", "force", "cases", "tables", "jobs"} & FROM_ANY_FOLDER
    assert not [key for key in FROM_ANY_FOLDER if isinstance(options[key].type, click.Path | click.File)]


# config show, config path, and where files lie


def test_config_show_tells_only_what_differs_from_the_defaults_unless_all_is_asked_for(machine: Machine) -> None:
    assert machine.call("config", "show").out == "no setting differs from the default of its option\n"
    machine.user.write_text("[scan]\nquiet = true\n", encoding="utf-8")
    assert machine.call("config", "show").out == f"scan.quiet = true  (user, {machine.user}:2)\n"
    everything = machine.call("config", "show", "--all", "-f", "json").json
    told = {row["command"].split()[0] for row in everything}
    assert {"scan", "query", "signatures"} <= told <= set(COMMANDS) - {"config", "completion"}
    assert {row["origin"] for row in everything} == {"user", "default"}


def test_config_show_hides_secrets_and_obeys_no_control_characters(machine: Machine) -> None:
    machine.user.write_text('[scan]\nerror = ["password=hunter2hunter2", "\\u001b[2J"]\n', encoding="utf-8")
    for words in (["config", "show"], ["config", "show", "-f", "json"]):
        out = machine.call(*words).out
        assert "hunter2" not in out
        assert "\x1b" not in out


def test_config_show_of_an_unknown_command_is_2(machine: Machine) -> None:
    said = machine.call("config", "show", "scna")
    assert (said.status, "there is no command 'scna'" in said.err) == (2, True)


def test_config_path_lists_the_files_with_their_state(machine: Machine) -> None:
    machine.user.write_text("[scan]\n", encoding="utf-8")
    machine.system.write_text("[scan\n", encoding="utf-8")
    rows = machine.call("config", "path", "-f", "json", "--config", machine.given).json
    assert [(row["origin"], row["path"], row["state"].partition(":")[0]) for row in rows] == [
        ("--config", str(machine.given), "faulty"),
        ("project", "./loganalyzer.toml", "not there"),
        ("user", str(machine.user), "read"),
        ("system", str(machine.system), "faulty"),
    ]
    text = machine.call("config", "path").out
    assert "./loganalyzer.toml  (project, not there; sets only how results are shown, and the exit status)" in text


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folders of Linux")
def test_the_files_lie_where_the_system_has_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    paths = [one.path for one in settings_files.candidates(None)]
    assert paths[1:] == [tmp_path / "loganalyzer" / "config.toml", Path("/etc/loganalyzer/config.toml")]
    for system in ("win32", "darwin"):
        monkeypatch.setattr(sys, "platform", system)
        folder = platformdirs.site_config_path("loganalyzer", appauthor=False)
        assert settings_files.candidates(None)[-1].path == folder / "config.toml"


# what the document says


def test_the_example_of_the_document_is_taken_as_it_stands(machine: Machine) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    machine.user.write_text(example, encoding="utf-8")
    said = machine.call("config", "show")
    assert (said.status, said.err) == (0, "")
    for told in ('scan.fail-on = "confirmed"', 'query.tz = "Europe/Rome"', "signatures.test.jobs = 2"):
        assert f"{told}  (user, " in said.out


def test_the_document_lists_what_the_file_of_a_folder_may_say() -> None:
    section = DOCUMENT[DOCUMENT.index("## What the file of a folder may say") :]
    listed = {word for line in re.findall(r"^    (.*)$", section.split("##")[1], re.MULTILINE) for word in line.split()}
    assert listed == FROM_ANY_FOLDER
    assert [name for name in settings_files.RESERVED if name not in DOCUMENT and name != "LOGANALYZER_PLUGINS"] == []


@given(text=st.text() | st.text(alphabet="[]=.'# abscandefultdy0123-\\\n\""))
@example(text="[scan]\nformat.x.y = 1\n[scan.format]")
@example(text="[[scan]]\nquiet = true")
@example(text="[defaults]\nformat = nan\nquiet = inf")
@example(text='["scan"]\n"fail-on" = """\nnever"""')
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_no_file_of_settings_is_a_bug(machine: Machine, text: str) -> None:
    machine.user.write_text(text, encoding="utf-8", errors="surrogatepass")
    said = machine.call("config", "show", "scan")
    assert said.status in (0, 2)
    assert "internal error" not in said.err
    assert machine.call("explain", "wireserver-blocked").status in (0, 2)


def test_help_reads_no_settings_and_is_light(tmp_path: Path) -> None:
    (tmp_path / "loganalyzer.toml").write_text("this is no TOML", encoding="utf-8")
    code = """
import sys
from loganalyzer.cli import run
assert run(["--help"]) == 0
heavy = {"polars", "pyarrow", "rich", "platformdirs"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")

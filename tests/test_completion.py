"""Completion: the scripts of four shells, and what they offer for commands, options, causes, codes and formats."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli import COMMANDS, COMPLETION, run
from loganalyzer.registry import parsers
from loganalyzer.report.formats import BUILT_IN

SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., list[tuple[str, str]]]:
    """What bash is offered for the last of some words: pairs of type and value."""

    def asked(*words: str) -> list[tuple[str, str]]:
        monkeypatch.setenv(COMPLETION, "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["loganalyzer", *(f"'{word}'" if word else "" for word in words)]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        monkeypatch.setattr(sys, "argv", ["loganalyzer"])
        with pytest.raises(SystemExit) as ended:
            run([])
        assert ended.value.code == 0
        said = capfd.readouterr()
        assert said.err == ""
        return [(kind, value) for kind, _, value in (line.partition(",") for line in said.out.splitlines())]

    return asked


def values(offered: Sequence[tuple[str, str]]) -> list[str]:
    return [value for kind, value in offered if kind == "plain"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_asks_this_program(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert f"{COMPLETION}" in said.out
    assert f"{shell}_complete" in said.out
    words = {"bash": "complete -o", "zsh": "compdef", "fish": "complete --", "powershell": "Register-ArgumentCompleter"}
    assert words[shell] in said.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_completes_with_the_script(tmp_path: Path) -> None:
    program = tmp_path / "loganalyzer"
    program.write_text(f"#!{sys.executable}\nfrom loganalyzer.cli import main\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    script = """
eval "$(loganalyzer completion bash)"
complete -p loganalyzer
COMP_WORDS=(loganalyzer why) COMP_CWORD=1
_loganalyzer_completion loganalyzer
echo "offered: ${COMPREPLY[*]}"
"""
    path = os.pathsep.join([str(tmp_path), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert "complete -o nosort -F _loganalyzer_completion loganalyzer" in done.stdout, done.stderr
    assert "offered: why-not" in done.stdout, done.stderr


def test_commands_are_offered_without_importing_them(offered: Callable[..., list[tuple[str, str]]]) -> None:
    assert values(offered("")) == list(COMMANDS)
    assert values(offered("why")) == ["why-not"]
    beginning = [name for name in COMMANDS if name.startswith("s")]
    code = f"""
import os, sys
os.environ.update({{{COMPLETION!r}: "bash_complete", "COMP_WORDS": "loganalyzer s", "COMP_CWORD": "1"}})
sys.argv = ["loganalyzer"]
from loganalyzer.cli import run
try:
    run([])
except SystemExit:
    pass
heavy = {{"polars", "rich", "yaml", "pyarrow"}} & set(sys.modules)
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"plain,{name}" for name in beginning]


def test_options_are_offered_where_a_dash_begins(offered: Callable[..., list[tuple[str, str]]]) -> None:
    assert {"--fail-on", "--format", "--config", "--no-plugins"} <= set(values(offered("scan", "--")))
    assert "--version" in values(offered("--v"))


def test_values_of_a_choice_are_offered(offered: Callable[..., list[tuple[str, str]]]) -> None:
    assert values(offered("scan", "--fail-on", "")) == ["confirmed", "likely", "possible", "cannot-tell", "never"]
    assert values(offered("completion", "")) == list(SHELLS)


def test_formats_are_offered_for_f_and_o(offered: Callable[..., list[tuple[str, str]]]) -> None:
    assert values(offered("scan", "-f", "")) == list(BUILT_IN)
    assert offered("scan", "-o", "sar") == [("file", "sar"), ("plain", "sarif:report.sarif")]
    assert offered("scan", "-o", "") == [("file", "")]


def test_causes_codes_and_states_are_offered_for_explain(offered: Callable[..., list[tuple[str, str]]]) -> None:
    catalogue = load_catalogue()
    found = values(offered("explain", ""))
    assert set(found) == {*catalogue.causes, *catalogue.errors, *catalogue.states}
    assert values(offered("explain", "wireserver-b")) == ["wireserver-blocked"]
    assert "UserErrorGuestAgentStatusUnavailable" in values(offered("explain", "usererrorguest"))


def test_causes_are_offered_for_why_not_behind_its_bundle(offered: Callable[..., list[tuple[str, str]]]) -> None:
    assert offered("why-not", "") == [("file", "")]
    assert offered("why-not", "bundle.zip", "wireserver-b") == [
        ("file", "wireserver-b"),
        ("plain", "wireserver-blocked"),
    ]


def test_parsers_are_offered_behind_the_glob_of_as(offered: Callable[..., list[tuple[str, str]]]) -> None:
    found = values(offered("scan", "--as", "*/odd.log=waagent_"))
    assert found == [f"*/odd.log={one.name}" for one in parsers() if one.name.startswith("waagent_")]
    assert offered("scan", "--as", "*/odd.log") == [("file", "*/odd.log")]


@pytest.mark.parametrize("words", [["scan", ""], ["verify", "report.json", "./b"], ["export", "x", ""]])
def test_files_are_offered_where_nothing_else_is_known(
    offered: Callable[..., list[tuple[str, str]]], words: list[str]
) -> None:
    assert offered(*words) == [("file", words[-1])]


def test_completion_reads_no_settings(
    offered: Callable[..., list[tuple[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOGANALYZER_NO_CONFIG")
    (tmp_path / "loganalyzer.toml").write_text("this is no TOML", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert values(offered("scan", "--fail-on", "lik")) == ["likely"]


def test_an_unknown_shell_is_2(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish', 'powershell'" in capfd.readouterr().err

"""The documents say what is so: commands work, the excerpt is real, CI runs what the README says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from loganalyzer.cli import COMMANDS, run

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    return [line.strip() for line in re.findall(r"^    (?! )(\S.*)$", text, re.MULTILINE)]


def test_ci_calls_exactly_the_test_command_of_the_readme() -> None:
    (command,) = [line for line in commands(README) if "pytest" in line]
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_excerpt_of_the_readme_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, excerpt = re.findall(r"^    \$ loganalyzer (scan .*)\n((?:    .*\n|\n)+)", README, re.MULTILINE)[0]
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "96")
    assert run([*shlex.split(prompt)]) == 1
    printed = capsys.readouterr().out.splitlines()
    shown = [line.removeprefix("    ").rstrip() for line in excerpt.rstrip("\n").splitlines()]
    assert len([line for line in shown if line]) > 15
    for line in shown:
        assert any(one.rstrip().startswith(line.removesuffix(" …")) for one in printed), line


def test_every_command_that_the_readme_names_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    section = README[README.index("## Further commands") :]
    named = [shlex.split(line, comments=True)[1:] for line in commands(section) if line.startswith("loganalyzer ")]
    assert len(named) >= 5
    for arguments in named:
        if arguments != ["signatures", "test"]:  # test_signatures.py runs every example on its own
            assert run(arguments) == 0, arguments
            assert capsys.readouterr().out


def test_the_readme_speaks_of_every_command() -> None:
    assert [name for name in COMMANDS if f"loganalyzer {name}" not in README] == []


def test_the_document_of_the_rooms_names_every_module_and_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    names = [path.name for path in (ROOT / "loganalyzer").iterdir() if path.suffix == ".py" and path.name[0] != "_"]
    names += [f"{path.name}/" for path in (ROOT / "loganalyzer").iterdir() if (path / "__init__.py").exists()]
    assert len(names) > 15
    assert [name for name in names if name not in text and not name.startswith("parser_")] == []

"""A bundle that holds logs of several machines is told; one machine with several names is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from loganalyzer.cli import run
from loganalyzer.facts.machines import SEVERAL_MACHINES
from loganalyzer.pipeline import scan

SYSLOG = "var/log/syslog"
AUTH = "var/log/auth.log"
OLD = "var/log/syslog.1"


def entries(host: str, hours: range, minute: int = 0) -> str:
    """A line of syslog an hour."""
    return "".join(
        f"2026-04-02T{hour:02}:{minute:02}:07.120000+00:00 {host} cron[811]: (root) CMD (true {hour})\n"
        for hour in hours
    )


def noted(folder: Path, files: Mapping[str, str]) -> list[str]:
    """The sources with a note on several machines."""
    write(folder, files)
    coverage = scan([folder]).report.coverage
    return [one.source for one in coverage if any(SEVERAL_MACHINES in note for note in one.notes)]


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def test_logs_of_two_machines_at_the_same_time_are_told_at_those_of_the_lesser_one(tmp_path: Path) -> None:
    files = {SYSLOG: entries("app03", range(0, 20)), AUTH: entries("db07", range(2, 18))}
    assert noted(tmp_path, files) == [AUTH]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({SYSLOG: entries("app03", range(20)), AUTH: entries("app03", range(20))}, id="one name"),
        pytest.param(
            {SYSLOG: entries("app03", range(20)), AUTH: entries("APP03.corp.example", range(20))}, id="with its domain"
        ),
        pytest.param(
            {SYSLOG: entries("accounting-archive-04", range(20)), AUTH: entries("ACCOUNTING-ARCH", range(20))},
            id="cut to fifteen characters",
        ),
        pytest.param(
            {OLD: entries("ubuntu", range(11)), SYSLOG: entries("app03", range(12, 23))}, id="renamed between two logs"
        ),
        pytest.param(
            {
                SYSLOG: entries("ubuntu", range(3)) + entries("app03", range(3, 20)),
                AUTH: entries("ubuntu", range(2, 20)),
                "var/log/daemon.log": entries("app03", range(2, 20)),
            },
            id="a log that has both names",
        ),
        pytest.param({SYSLOG: entries("app03", range(20)), AUTH: entries("localhost", range(20))}, id="no name at all"),
        pytest.param({SYSLOG: entries("app03", range(20)), AUTH: entries("db07", range(4, 7))}, id="a few lines"),
    ],
)
def test_one_machine_is_not_taken_for_several(tmp_path: Path, files: Mapping[str, str]) -> None:
    assert noted(tmp_path, files) == []


def test_a_scan_warns_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {SYSLOG: entries("app03", range(20)), AUTH: entries("db07", range(2, 18), 30)})
    run(["scan", str(tmp_path), "-q"])
    assert f"warning: {SEVERAL_MACHINES}: {AUTH};" in capsys.readouterr().err
    write(tmp_path, {AUTH: entries("app03", range(2, 18), 30)})
    run(["scan", str(tmp_path), "-q"])
    assert SEVERAL_MACHINES not in capsys.readouterr().err


def test_the_names_are_hidden_where_all_names_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {SYSLOG: entries("app03", range(20)), AUTH: entries("db07", range(2, 18))})
    run(["scan", str(tmp_path), "-q", "--redact", "all", "-f", "json"])
    told = "".join(capsys.readouterr())
    assert SEVERAL_MACHINES in told
    assert "app03" not in told
    assert "db07" not in told

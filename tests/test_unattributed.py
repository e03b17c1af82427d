"""Errors that no signature speaks about: which are told, in what order, and whether the good time knew them."""

from __future__ import annotations

from pathlib import Path

from loganalyzer.pipeline import scan
from loganalyzer.report.model import Report

FOLDER = "var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
PREFIX = "[Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0]"


def run_of(day: int, code: int, *lines: str) -> list[str]:
    stamp = f"2025-06-{day:02d} 01:30:0"
    said = ["starting enable", *lines, f"Enable,success,{code},,False"]
    return [f"{stamp}{min(number, 9)}.000001 {PREFIX}{text}" for number, text in enumerate(said)]


def report_of(folder: Path, *runs: list[str]) -> Report:
    log = folder / FOLDER / "extension.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"{line}\n" for run in runs for line in run), encoding="utf-8")
    return scan([folder]).report


FLUX = "The flux of device 7 failed, 0x1f"


def test_errors_of_one_template_are_counted_together_with_their_times_and_a_place(tmp_path: Path) -> None:
    report = report_of(tmp_path, run_of(10, 2, FLUX, "The flux of device 12 failed, 0x2a"))
    (one,) = (one for one in report.unattributed if "flux" in one.template)
    assert (one.template, one.count, one.example) == ("The flux of device <*> failed, <*>", 2, FLUX)
    assert (one.source, one.line) == (f"{FOLDER}/extension.log", 2)
    assert one.first is not None
    assert one.last is not None
    assert (one.last - one.first).total_seconds() == 1


def test_what_the_good_time_knew_is_told_after_what_is_new(tmp_path: Path) -> None:
    noise = "Some harmless probe failed"
    report = report_of(tmp_path, run_of(9, 1, noise), run_of(10, 2, noise, noise, FLUX))
    told = [(one.template[:8], one.new) for one in report.unattributed]
    assert told.index(("The flux", True)) < told.index(("Some har", False))


def test_without_a_good_time_nothing_is_called_new_or_known(tmp_path: Path) -> None:
    report = report_of(tmp_path, run_of(10, 2, FLUX))
    assert {one.new for one in report.unattributed} == {None}


def test_errors_before_the_last_success_are_not_told(tmp_path: Path) -> None:
    report = report_of(tmp_path, run_of(8, 2, FLUX), run_of(9, 1))
    assert not [one for one in report.unattributed if "flux" in one.template]


def test_lines_that_name_no_failure_are_not_told(tmp_path: Path) -> None:
    report = report_of(tmp_path, run_of(10, 2, "The flux of device 7 is fine"))
    assert not [one for one in report.unattributed if "flux" in one.template]


def test_what_a_signature_speaks_about_is_not_told(tmp_path: Path) -> None:
    report = report_of(tmp_path, run_of(10, 121, "fsfreeze: /data: freeze failed: Structure needs cleaning"))
    assert [one.cause for one in report.diagnoses]
    assert not [one for one in report.unattributed if "freeze failed" in one.template]

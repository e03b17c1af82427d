"""A bundle is held against its report: each cited entry is read again, and a changed byte is named with its place."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from loganalyzer.cli import run
from loganalyzer.pipeline import Reading, ScanOptions, read, scan
from loganalyzer.redact import Redactor
from loganalyzer.report.json_report import to_json
from loganalyzer.report.model import Evidence, Report
from loganalyzer.report.read_report import from_json
from loganalyzer.verify import Verified, verify
from sample_logs.generate import bundles
from sample_logs.packing import SampleBundle, write_directory, zip_bytes
from tests.test_packings import PACKINGS

FAST = ("linux-wireserver-blocked", "linux-sas-secrets", "windows-vss-writer")
SAMPLES = {bundle.name: bundle for bundle in bundles()}


def reading_of(path: Path) -> Reading:
    return read([path], ScanOptions(), None, lambda phase, name, size: None)


@cache
def report_on(name: str) -> Report:
    """The report on a sample, written and read back."""
    files = SAMPLES[name].files
    return from_json(to_json(scan_files(files)), name)


def scan_files(files: Mapping[str, bytes]) -> Report:
    with TemporaryDirectory() as folder:
        write_directory(files, Path(folder, "bundle"))
        return scan([Path(folder, "bundle")]).report


def verified(report: Report, files: Mapping[str, bytes], folder: Path) -> Verified:
    write_directory(files, folder)
    return verify(report, reading_of(folder))


def evidence_of(report: Report) -> Iterator[Evidence]:
    for diagnosis in report.diagnoses:
        yield from diagnosis.evidence


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SAMPLES]
)
def test_every_citation_of_a_sample_holds_in_its_own_bundle(name: str, tmp_path: Path) -> None:
    report = report_on(name)
    found = verified(report, SAMPLES[name].files, tmp_path / "bundle")
    assert [one for one in found.checks if one.outcome != "holds"] == []
    assert found.same_bytes
    assert len(found.checks) >= len({(one.source, one.offset) for one in evidence_of(report)})


@pytest.mark.parametrize("name", ["linux-sas-secrets", "windows-vss-writer"])
def test_a_report_in_which_names_and_addresses_are_hidden_too_can_be_verified(name: str, tmp_path: Path) -> None:
    write_directory(SAMPLES[name].files, tmp_path / "bundle")
    report = scan([tmp_path / "bundle"], redactor=Redactor("all")).report
    found = verify(report, reading_of(tmp_path / "bundle"))
    assert len(found.checks) > 3
    assert [one for one in found.checks if one.outcome != "holds"] == []


@pytest.mark.parametrize(
    "packing",
    [packing if packing == "zip in tar.gz" else pytest.param(packing, marks=pytest.mark.slow) for packing in PACKINGS],
)
def test_a_repacked_bundle_passes(packing: str, tmp_path: Path) -> None:
    path = tmp_path / f"bundle.{packing.replace(' ', '.')}"
    path.write_bytes(PACKINGS[packing](SAMPLES["linux-sas-secrets"].files))
    found = verify(report_on("linux-sas-secrets"), reading_of(path))
    assert found.holds
    assert found.same_bytes
    assert found.checks


def places(report: Report) -> list[tuple[str, int, int]]:
    """Source, offset and length of each entry that is cited with its length."""
    found = {(one.source, one.offset, one.length) for one in evidence_of(report) if one.offset and one.length}
    return sorted((source, offset, length) for source, offset, length in found if offset and length)


def flipped_each(name: str, tmp_path: Path, most: int, seed: int) -> None:
    """Flips bits of cited entries, one byte at a time: never does all hold, and the place is named."""
    report, chance = report_on(name), random.Random(seed)
    sound = verified(report, SAMPLES[name].files, tmp_path / "sound")
    assert sound.holds
    tried = 0
    for source, offset, length in places(report):
        for at in sorted(chance.sample(range(offset, offset + length), min(most, length))):
            files = dict(SAMPLES[name].files)
            if source not in files:  # inside of an archive of the bundle
                continue
            data = bytearray(files[source])
            data[at] ^= 1 << chance.randrange(8)
            files[source] = bytes(data)
            found = verified(report, files, tmp_path / f"{tried}")
            wrong = [one for one in found.checks if one.outcome != "holds"]
            assert (source, offset) in {(one.source, one.offset) for one in wrong}, (source, at, data[at])
            assert all(one.why for one in wrong)
            tried += 1
    assert tried or not places(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linux-sas-secrets"])
def test_a_changed_byte_of_a_cited_entry_is_named(name: str, tmp_path: Path) -> None:
    flipped_each(name, tmp_path, most=1, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_any_changed_byte_of_a_cited_entry_is_named_in_every_sample(name: str, tmp_path: Path) -> None:
    flipped_each(name, tmp_path, most=4, seed=5)


def changed(name: str, source: str, old: bytes, new: bytes) -> dict[str, bytes]:
    files = dict(SAMPLES[name].files)
    assert old in files[source]
    files[source] = files[source].replace(old, new)
    return files


LOG = "var/log/waagent.log"


def test_a_hidden_part_of_a_changed_file_cannot_be_proved(tmp_path: Path) -> None:
    """Of a secret nothing is in the report, so that a change inside it shows in the bytes of the file only."""
    report = report_on("linux-sas-secrets")
    hidden = next(one for one in evidence_of(report) if one.redacted and one.source == LOG and one.offset)
    assert hidden.offset is not None
    assert hidden.length is not None
    files = dict(SAMPLES["linux-sas-secrets"].files)
    entry = files[LOG][hidden.offset : hidden.offset + hidden.length]
    at = entry.index(b"sig=") + 6
    files[LOG] = b"".join((files[LOG][: hidden.offset + at], b"x", files[LOG][hidden.offset + at + 1 :]))
    found = verified(report, files, tmp_path)
    [check] = [
        one for one in found.checks if (one.source, one.offset) == (LOG, hidden.offset) and one.outcome != "holds"
    ]
    assert check.outcome == "unproved"
    assert "the file was changed" in check.why


def test_what_was_added_to_a_log_changes_no_citation_that_is_shown_whole(tmp_path: Path) -> None:
    files = dict(SAMPLES["linux-freeze-failed"].files)
    files[LOG] += b"2025-06-20T00:00:00.000000Z INFO ExtHandler ExtHandler one more line\n"
    found = verified(report_on("linux-freeze-failed"), files, tmp_path)
    assert found.changed == (LOG,)
    assert not found.same_bytes
    assert found.holds


def test_an_answer_inside_of_a_gap_ends_it_there(tmp_path: Path) -> None:
    """The entry is put into a quiet place of the same length as what stood there, so that nothing moves."""
    name = "linux-wireserver-blocked"
    report = report_on(name)
    gap = next(one for one in evidence_of(report) if one.kind == "gap" and len(one.bounds) == 2)
    first, last = (bound.offset for bound in gap.bounds)
    assert first is not None
    assert last is not None
    data = SAMPLES[name].files[gap.source]
    lines = data[first:last].split(b"\n")
    at = next(n for n, line in enumerate(lines) if n > 1 and b"Fetch failed" not in line and len(line) > 150)
    stamp = lines[at][:28]
    answer = (
        stamp + b"INFO ExtHandler ExtHandler Fetched a new incarnation for the WireServer goal state [incarnation 7]"
    )
    lines[at] = answer.ljust(len(lines[at]))
    files = dict(SAMPLES[name].files)
    files[gap.source] = data[:first] + b"\n".join(lines) + data[last:]
    assert len(files[gap.source]) == len(data)
    found = verified(report, files, tmp_path)
    assert any("the gap is not between these entries" in one.why for one in found.checks)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = dict(SAMPLES["linux-sas-secrets"].files)
    del files[LOG]
    found = verified(report_on("linux-sas-secrets"), files, tmp_path)
    assert found.gone == (LOG,)
    assert not found.holds
    assert {one.why for one in found.checks if one.source == LOG} >= {"the bundle has no such file"}


def test_a_report_whose_text_was_changed_is_told(tmp_path: Path) -> None:
    report = report_on("linux-python-missing")
    first, *others = report.diagnoses
    evidence = replace(first.evidence[0], original="somebody else's line")
    forged = replace(report, diagnoses=(replace(first, evidence=(evidence, *first.evidence[1:])), *others))
    found = verified(forged, SAMPLES["linux-python-missing"].files, tmp_path)
    assert [one.why for one in found.checks if one.outcome != "holds"] == [
        "the report itself was changed: its text and its hash disagree"
    ]


def bundle_and_report(folder: Path, sample: SampleBundle) -> tuple[str, str]:
    bundle, report = folder / "bundle.zip", folder / "report.json"
    bundle.write_bytes(zip_bytes(sample.files))
    report.write_bytes(to_json(report_on(sample.name)))
    return str(bundle), str(report)


def test_the_command_says_how_many_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, report = bundle_and_report(tmp_path, SAMPLES["linux-sas-secrets"])
    assert run(["verify", report, bundle]) == 0
    first, second = capsys.readouterr().out.splitlines()
    count = len(verify(report_on("linux-sas-secrets"), reading_of(Path(bundle))).checks)
    assert first == f"{count} of {count} cited entries hold"
    assert second == "the bundle holds the same bytes as the one that was scanned"


def test_the_command_names_what_differs_and_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, report = bundle_and_report(tmp_path, SAMPLES["linux-sas-secrets"])
    shown = {(one.source, one.offset) for one in evidence_of(report_on("linux-sas-secrets")) if not one.redacted}
    source, offset, length = next(place for place in places(report_on("linux-sas-secrets")) if place[:2] in shown)
    files = dict(SAMPLES["linux-sas-secrets"].files)
    data = bytearray(files[source])
    data[offset + length - 3] ^= 1
    Path(bundle).write_bytes(zip_bytes({**files, source: bytes(data)}))
    assert run(["verify", report, bundle]) == 1
    told = capsys.readouterr().out
    line = files[source][:offset].count(b"\n") + 1
    assert f"{source}:{line}: " in told
    assert "the text differs at byte" in told
    assert run(["verify", report, bundle, "-f", "json"]) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["holds"] is False
    assert found["changed"] == [source]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is no report"),
        (b"{}", "it names no schema"),
        (b'{"schema": "other/1"}', "its schema is 'other/1'"),
        (b'{"schema": "loganalyzer/report/1"}', "missing required field"),
        (b"[" * 100_000, "it is no report"),
        (b"\xff\xfe\x00", "it is no report"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(
    data: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(data)
    assert run(["verify", str(path), str(tmp_path)]) == 2
    assert says in capsys.readouterr().err

"""The sample bundles: made by their generator, diagnosed as they should be, and reported the same way each time."""

from __future__ import annotations

import difflib
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from loganalyzer.cli import run
from loganalyzer.pipeline import Scan, ScanOptions, scan
from loganalyzer.report.json_report import schema, to_json
from loganalyzer.report.terminal import render_terminal
from sample_logs.generate import BUNDLES, EXPECTED, bundles, expected_report
from sample_logs.packing import SampleBundle, tar_gz_bytes, write_bundle, write_directory, zip_bytes

SAMPLES = bundles()
NAMES = [bundle.name for bundle in SAMPLES]
LARGEST = 150_000

each_bundle = pytest.mark.parametrize("bundle", SAMPLES, ids=NAMES)


@cache
def scanned(path: str) -> Scan:
    return scan([path])


def committed(bundle: SampleBundle) -> Path:
    return BUNDLES / bundle.file_name


def report_of(bundle: SampleBundle) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(to_json(scanned(str(committed(bundle))).report))
    return report


# What the samples are


def test_there_are_enough_samples_of_both_platforms_healthy_and_failing() -> None:
    assert len(SAMPLES) == len(set(NAMES)) >= 12
    assert {bundle.packing for bundle in SAMPLES} == {"directory", "zip", "tar.gz", "zip in zip"}
    for platform in ("linux", "windows"):
        own = [bundle for bundle in SAMPLES if bundle.name.startswith(platform)]
        assert {bundle.verdict for bundle in own} >= {"cause-found", "no-fault-found"}


def test_no_bundle_and_no_report_is_without_its_generator() -> None:
    assert {path.name for path in BUNDLES.iterdir()} == {bundle.file_name for bundle in SAMPLES}
    assert {path.name for path in EXPECTED.iterdir()} == {f"{name}.json" for name in NAMES}


@each_bundle
def test_the_generator_gives_the_committed_bytes(bundle: SampleBundle, tmp_path: Path) -> None:
    made, kept = write_bundle(bundle, tmp_path), committed(bundle)
    assert contents(made) == contents(kept)
    if kept.is_file() and "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs the same files into other bytes
        assert made.read_bytes() == kept.read_bytes()


def contents(path: Path) -> dict[str, tuple[object, bytes]]:
    """Members with their stored times, in a nested zip those of the inner one too."""
    if path.is_dir():
        return {str(file.relative_to(path)): (None, file.read_bytes()) for file in path.rglob("*") if file.is_file()}
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as tar:
            members = [member for member in tar if member.isfile()]
            return {one.name: (one.mtime, unpacked(tar.extractfile(one))) for one in members}
    return zip_contents(path.read_bytes())


def zip_contents(data: bytes) -> dict[str, tuple[object, bytes]]:
    found: dict[str, tuple[object, bytes]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            inner = archive.read(member)
            if member.filename.endswith(".zip"):
                found |= {f"{member.filename}!{name}": value for name, value in zip_contents(inner).items()}
            else:
                found[member.filename] = (member.date_time, inner)
    return found


def unpacked(stream: Any) -> bytes:
    """The bytes of a member; a gzipped one is unpacked, for its packed bytes depend on the library."""
    data: bytes = stream.read()
    return zlib.decompress(data, 31) if data.startswith(b"\x1f\x8b") else data


@each_bundle
def test_a_bundle_is_small(bundle: SampleBundle) -> None:
    path = committed(bundle)
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    assert 0 < sum(file.stat().st_size for file in files) < LARGEST


# What a scan says


@each_bundle
def test_the_scan_says_what_the_generator_knows(bundle: SampleBundle) -> None:
    report = report_of(bundle)
    first = report["diagnoses"][0] if report["diagnoses"] else None
    assert report["verdict"] == bundle.verdict, first
    if first is None:
        assert bundle.cause is None
        return
    assert (first["cause"], first["verdict"] != "possible") == (bundle.cause, bundle.verdict == "cause-found")
    assert first["evidence"]
    assert first["remedies"]


@each_bundle
def test_the_command_ends_with_the_status_that_the_generator_knows(
    bundle: SampleBundle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = str(committed(bundle))
    monkeypatch.setattr("loganalyzer.cli.scan.scan", lambda *inputs, **options: scanned(path))
    assert run(["scan", path]) == bundle.exit_status
    out, err = capfd.readouterr()
    assert bundle.cause is None or bundle.cause in out
    assert (err == "") == (bundle.exit_status != 3)


@each_bundle
def test_the_report_is_the_expected_one(bundle: SampleBundle) -> None:
    expected = (EXPECTED / f"{bundle.name}.json").read_text(encoding="utf-8")
    actual = expected_report(bundle, to_json(scanned(str(committed(bundle))).report)).decode()
    if actual != expected:
        diff = list(
            difflib.unified_diff(expected.splitlines(), actual.splitlines(), "expected", "now", lineterm="", n=2)
        )
        shown = "\n".join(line[:200] for line in diff[:80])
        pytest.fail(
            f"{bundle.name}: {len(diff)} lines of difference; if they are right, run "
            f"`python sample_logs/generate.py --expected`\n{shown}",
            pytrace=False,
        )


@each_bundle
def test_the_expected_report_fits_the_schema(bundle: SampleBundle) -> None:
    report = json.loads((EXPECTED / f"{bundle.name}.json").read_bytes())
    jsonschema.Draft202012Validator(schema()).validate(report)


@each_bundle
def test_every_byte_is_accounted_for(bundle: SampleBundle) -> None:
    rows = report_of(bundle)["coverage"]
    leaves = [row for row in rows if row["status"] != "archive"]
    assert len(leaves) >= len(bundle.files)
    for row in leaves:
        assert row["parsed_bytes"] + row["rejected_bytes"] + row["skipped_bytes"] == row["bytes"], row["source"]
        assert row["parsed_bytes"] > 0 or row["status"] == "unrecognised", row
    for row in rows:
        if row["status"] == "archive":
            assert row["bytes"] == 0


@each_bundle
def test_evidence_can_be_read_again_where_it_says(bundle: SampleBundle) -> None:
    members = {name.removeprefix("device_0/"): data for name, data in bundle.files.items()}
    cited = [one for found in report_of(bundle)["diagnoses"] for one in found["evidence"] if one["kind"] == "line"]
    for one in cited:
        data = members.get(one["source"].removeprefix("device_0/"))
        if data is None or one["redacted"] or not one["source"].endswith(".log"):
            continue
        entry = data[one["offset"] : one["offset"] + one["length"]]
        encoding = "utf-16-le" if data.startswith(b"\xff\xfe") else "utf-8"
        text = entry.decode(encoding).removeprefix("\ufeff").replace("\r\n", "\n").rstrip("\n")
        assert one["original"].replace("\r\n", "\n").rstrip("\n") == text


def test_two_scans_give_the_same_bytes() -> None:
    for bundle in (SAMPLES[1], SAMPLES[-1]):
        again = scan([committed(bundle)])
        assert to_json(again.report) == to_json(scanned(str(committed(bundle))).report)


PACKED = [
    bundle for bundle in SAMPLES if bundle.name in ("linux-prescript-failed", "linux-sas-secrets", "windows-applocker")
]


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(bundle, id=bundle.name, marks=[pytest.mark.slow] if bundle.name.startswith("windows") else [])
        for bundle in PACKED
    ],
)
def test_a_directory_a_zip_and_a_tar_give_the_same_report(bundle: SampleBundle, tmp_path: Path) -> None:
    assert len(PACKED) == 3
    write_directory(bundle.files, tmp_path / "copy")
    (tmp_path / "copy.zip").write_bytes(zip_bytes(bundle.files))
    (tmp_path / "copy.tar.gz").write_bytes(tar_gz_bytes(bundle.files))
    reports = [scan([tmp_path / name]).report for name in ("copy", "copy.zip", "copy.tar.gz")]
    plain = [without_packing(json.loads(to_json(report))) for report in reports]
    assert plain[0] == plain[1]
    assert plain[0] == plain[2]


def without_packing(report: dict[str, Any]) -> dict[str, Any]:
    report["bundle"]["path"] = ""
    report["coverage"] = [row for row in report["coverage"] if row["status"] != "archive"]
    return report


# Secrets

SECRET = next(bundle for bundle in SAMPLES if bundle.secrets)


def seen_in(text: str, secrets: tuple[str, ...]) -> list[str]:
    """Secrets in a text, whatever the line breaks: a terminal wraps long words."""
    joined = re.sub(r"\s+", "", text)
    return [secret for secret in secrets if secret in joined]


@pytest.mark.parametrize("details", [False, True])
def test_no_secret_is_shown_at_a_terminal(details: bool) -> None:
    for width in (60, 120, 4000):
        console = Console(file=io.StringIO(), width=width)
        render_terminal(scanned(str(committed(SECRET))).report, console, details=details)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        assert "storage" in text.lower()
        assert seen_in(text, SECRET.secrets) == []


def test_no_secret_is_in_the_json() -> None:
    text = to_json(scanned(str(committed(SECRET))).report).decode()
    assert seen_in(text, SECRET.secrets) == []
    assert seen_in(json.dumps(flat(json.loads(text)), ensure_ascii=False), SECRET.secrets) == []
    assert seen_in((EXPECTED / f"{SECRET.name}.json").read_text(encoding="utf-8"), SECRET.secrets) == []


def flat(value: object) -> list[str]:
    """All texts of a JSON value, without escapes."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in flat(inner)]
    return [text for inner in value for text in flat(inner)] if isinstance(value, list) else []


def test_every_secret_stands_in_the_bundle_and_some_would_reach_a_report() -> None:
    everything = b"\n".join(SECRET.files.values()).decode()
    assert len(SECRET.secrets) >= 8
    assert [secret for secret in SECRET.secrets if secret not in everything] == []
    open_report = to_json(scan([committed(SECRET)], ScanOptions(redact=False)).report).decode()
    assert seen_in(open_report, SECRET.secrets), "nothing of the secrets is cited: redaction is not put to the test"

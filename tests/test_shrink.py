"""The smallest part of a bundle that gives the same findings."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganalyzer.cli import run
from loganalyzer.errors import LogAnalyzerError
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.shrink import Files, Findings, findings_of, reduced, shrink, write_files
from sample_logs.generate import bundles

SAMPLES = {bundle.name: bundle.files for bundle in bundles()}
OPTIONS = ScanOptions(redact=False)
LOG = "var/log/waagent.log"


def findings(files: Files) -> Findings:
    with TemporaryDirectory() as folder:
        write_files(files, Path(folder, "bundle"))
        return findings_of(scan([Path(folder, "bundle")], OPTIONS).report)


def size(files: Files) -> int:
    return sum(map(len, files.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_a_shrunk_and_redacted_sample_gives_the_same_findings_and_is_smaller(name: str, tmp_path: Path) -> None:
    write_files(SAMPLES[name], tmp_path / "bundle")
    assert run(["shrink", str(tmp_path / "bundle"), "-o", str(tmp_path / "small"), "--tries", "15", "-q"]) == 0
    small = {
        str(path.relative_to(tmp_path / "small")): path for path in (tmp_path / "small").rglob("*") if path.is_file()
    }
    assert findings_of(scan([tmp_path / "small"], OPTIONS).report) == findings(SAMPLES[name])
    assert sum(path.stat().st_size for path in small.values()) < size(SAMPLES[name])


@pytest.mark.slow
def test_nothing_of_a_secret_is_in_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, small = tmp_path / "bundle", tmp_path / "small.zip"
    write_files(SAMPLES["linux-sas-secrets"], bundle)
    assert run(["shrink", str(bundle), "-o", str(small)]) == 0
    assert "2 of 14 files" in capsys.readouterr().err
    with zipfile.ZipFile(small) as archive:
        texts = [archive.read(name) for name in archive.namelist()]
    assert any(b"<sas:" in text for text in texts)
    assert [text for text in texts if b"sig=" in text] == []


def test_a_part_with_its_secrets_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files({LOG: b"x"}, tmp_path / "bundle")
    assert run(["shrink", str(tmp_path / "bundle"), "-o", str(tmp_path / "small"), "--redact", "off"]) == 2
    assert "would hold the secrets" in capsys.readouterr().err
    assert not (tmp_path / "small").exists()


def test_what_does_not_give_the_wanted_findings_is_told() -> None:
    other = Findings("cause-found", (("somebody-else", "confirmed"),), ())
    with pytest.raises(LogAnalyzerError, match="does not give the same findings"):
        shrink(SAMPLES["linux-python-missing"], OPTIONS, other)


@pytest.mark.slow
def test_what_is_left_of_a_text_are_lines_of_it_in_their_order() -> None:
    found = shrink(SAMPLES["linux-extensions-disabled"], OPTIONS)
    for path, data in found.files.items():
        lines = iter(SAMPLES["linux-extensions-disabled"][path].splitlines(keepends=True))
        assert all(line in lines for line in data.splitlines(keepends=True))


def test_shrinking_ends_where_a_user_says_and_what_is_left_gives_the_same_findings() -> None:
    found = shrink(SAMPLES["linux-python-missing"], OPTIONS, tries=4)
    assert found.tries == 4
    assert found.exhausted
    assert findings(found.files) == findings(SAMPLES["linux-python-missing"])


@pytest.mark.slow
def test_what_is_already_as_small_as_can_be_stays() -> None:
    once = shrink(SAMPLES["linux-extensions-disabled"], OPTIONS)
    assert shrink(once.files, OPTIONS).files == once.files


def test_a_bundle_of_which_nothing_is_recognised_is_told() -> None:
    with pytest.raises(LogAnalyzerError, match="nothing in this bundle is recognised"):
        shrink({"odd.bin": b"\x00\x01\x02" * 100}, OPTIONS)


@given(st.sets(st.integers(0, 40), min_size=1), st.integers(41, 60))
def test_the_parts_that_are_needed_together_are_found(needed: set[int], count: int) -> None:
    assert set(reduced(range(count), lambda parts: needed <= set(parts))) == needed


@given(st.integers(1, 60))
def test_where_nothing_may_go_everything_stays(count: int) -> None:
    assert list(reduced(range(count), lambda parts: len(parts) == count)) == list(range(count))

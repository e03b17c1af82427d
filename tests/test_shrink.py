"""The smallest part of a bundle that gives the same findings."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    "name",
    SAMPLES,
)
@pytest.mark.slow
def test_a_shrunk_sample_gives_the_same_findings_and_is_much_smaller(name: str) -> None:
    found = shrink(SAMPLES[name], OPTIONS)
    assert findings(found.files) == findings(SAMPLES[name])
    assert found.files.keys() <= SAMPLES[name].keys()
    texts = {path for path in SAMPLES[name] if not path.endswith(".evtx")}
    before, after = ({path: files[path] for path in texts & files.keys()} for files in (SAMPLES[name], found.files))
    assert size(after) * 4 < size(before)
    assert size(found.files) * 3 < size(SAMPLES[name]) * 2


@pytest.mark.slow
def test_what_is_left_of_a_text_are_lines_of_it_in_their_order() -> None:
    found = shrink(SAMPLES["linux-extensions-disabled"], OPTIONS)
    for path, data in found.files.items():
        lines = iter(SAMPLES["linux-extensions-disabled"][path].splitlines(keepends=True))
        assert all(line in lines for line in data.splitlines(keepends=True))


def test_shrinking_ends_where_a_user_says_and_what_is_left_gives_the_same_findings() -> None:
    found = shrink(SAMPLES["linux-extensions-disabled"], OPTIONS, tries=4)
    assert found.tries == 4
    assert found.exhausted
    assert findings(found.files) == findings(SAMPLES["linux-extensions-disabled"])


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

"""Where a report goes: names and suffixes of formats, several outputs in one run, and what a failure costs."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import etree

from loganalyzer import plugins
from loganalyzer.cli import run
from loganalyzer.cli.report_outputs import targets_of
from loganalyzer.cli.whole_file import write_whole
from loganalyzer.errors import UsageError
from loganalyzer.report import formats as formats_module
from loganalyzer.report.formats import BUILT_IN, OutputFormat, format_called, format_of_file, formats
from loganalyzer.report.model import Report
from sample_logs import linux_bundles, linux_secrets

BUNDLES = Path(linux_bundles.__file__).parent / "bundles"
FAILING = BUNDLES / "linux-extensions-disabled.tar.gz"
CAUSE = "waagent-options-not-set"
SECRETS = (
    linux_secrets.SIGNATURE_OF_STATUS,
    linux_secrets.SIGNATURE_OF_DISK,
    linux_secrets.PROXY_PHRASE,
    linux_secrets.USER_PHRASE,
    linux_secrets.BEARER,
    linux_secrets.STORAGE_KEY,
)


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


@pytest.fixture
def scan(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs ``loganalyzer scan``."""

    def call(*words: object) -> Said:
        capfd.readouterr()
        status = run(["scan", *map(str, words)])
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return Said(status, out, err)

    return call


# ---- names and suffixes ----


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.txt", "text"),
        ("a.json", "json"),
        ("a.md", "markdown"),
        ("a.sarif", "sarif"),
        ("a.sarif.json", "sarif"),
        ("A.XML", "junit"),
        ("a.csv", "csv"),
        ("a.ndjson", "ndjson"),
        ("a.jsonl", "ndjson"),
        ("a.timesketch.csv", "timesketch-csv"),
        ("a.bulk.ndjson", "elastic"),
        ("json:a.md", "json"),
        ("md:a", "markdown"),
        ("timesketch:a.jsonl", "timesketch"),
        ("timesketch:a.csv", "timesketch-csv"),
        ("elastic:a.json", "elastic"),
        ("C:\\a.csv", "csv"),
    ],
)
def test_a_prefix_or_the_suffix_names_the_format(file: str, name: str) -> None:
    first, last = targets_of([file], BUILT_IN["text"])
    assert first.form is not None
    assert first.form.name == name
    assert (last.form, last.path) == (BUILT_IN["text"], None)


def test_standard_output_comes_last_and_may_be_taken_by_a_target() -> None:
    assert [target.path for target in targets_of(["json:-", "a.md"], BUILT_IN["text"])] == [Path("a.md"), None]
    assert [target.form for target in targets_of(["-"], BUILT_IN["csv"])] == [BUILT_IN["csv"]]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_format_is_printed_by_its_name(scan: Callable[..., Said], name: str) -> None:
    said = scan(FAILING, "-f", name)
    assert said.status == 1
    assert CAUSE in said.out
    assert said.err == ""


# ---- several in one run ----


def test_all_outputs_of_one_run_are_written_and_read(scan: Callable[..., Said], tmp_path: Path) -> None:
    names = ("a.md", "a.sarif", "a.xml", "a.csv", "a.ndjson", "a.json", "a.txt", "a.timesketch.jsonl", "a.bulk.ndjson")
    words = [word for name in names for word in ("-o", tmp_path / name)]
    said = scan(FAILING, "-q", *words, "-o", f"parquet:{tmp_path / 'tables'}")
    assert (said.status, said.err) == (1, "")
    assert said.out.split()[:2] == ["CAUSE", "FOUND"]
    assert [name for name in names if CAUSE not in (tmp_path / name).read_text(encoding="utf-8")] == []
    (invocation,) = json.loads((tmp_path / "a.sarif").read_bytes())["runs"][0]["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (1, True)
    assert etree.parse(tmp_path / "a.xml").getroot().get("failures") != "0"
    assert not list(tmp_path.glob("*.new"))


def test_the_exit_status_in_sarif_is_that_of_the_command(scan: Callable[..., Said], tmp_path: Path) -> None:
    said = scan(FAILING, "-q", "--exit-zero", "-o", tmp_path / "a.sarif")
    (invocation,) = json.loads((tmp_path / "a.sarif").read_bytes())["runs"][0]["invocations"]
    assert said.status == invocation["exitCode"] == 0


def test_one_that_cannot_be_written_does_not_cost_the_others(scan: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    said = scan(FAILING, "-o", tmp_path / "gone" / "a.md", "-o", tmp_path / "folder.md", "-o", tmp_path / "b.json")
    assert said.status == 2
    assert "CAUSE FOUND" in said.out
    assert json.loads((tmp_path / "b.json").read_bytes())["diagnoses"][0]["cause"] == CAUSE
    assert said.err.count("cannot write") == 2
    assert str(tmp_path / "gone" / "a.md") in said.err
    assert "Traceback" not in said.err


def test_a_bug_in_one_renderer_does_not_cost_the_others(
    scan: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: Report) -> bytes:
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(BUILT_IN, "csv", OutputFormat("csv", "t", (".csv",), broken))
    said = scan(FAILING, "-o", f"csv:{tmp_path / 'a.csv'}", "-o", tmp_path / "b.json")
    assert said.status == 4
    assert "ZeroDivisionError: a bug" in said.err
    assert json.loads((tmp_path / "b.json").read_bytes())["diagnoses"]
    assert "CAUSE FOUND" in said.out
    assert not (tmp_path / "a.csv").exists()


def test_a_file_is_replaced_whole_and_stays_where_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.md"
    write_whole(path, "é")
    write_whole(path, b"\xff\x00")
    assert path.read_bytes() == b"\xff\x00"

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"\xff\x00"
    assert [one.name for one in tmp_path.iterdir()] == ["a.md"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_device_is_written_to_and_not_replaced() -> None:
    write_whole(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()


# ---- tables ----


@pytest.mark.slow
def test_the_tables_beside_a_report_are_those_of_export_and_redacted(scan: Callable[..., Said], tmp_path: Path) -> None:
    bundle = BUNDLES / "linux-sas-secrets"
    said = scan(bundle, "-q", "-o", f"parquet:{tmp_path / 'a'}", "-o", tmp_path / "a.json")
    assert said.status == 1
    assert run(["export", str(bundle), "-q", "-o", str(tmp_path / "b")]) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert {"attempts.parquet", "coverage.parquet", "diagnoses.parquet", "matches.parquet"} < set(names)
    for name in names:
        path = tmp_path / "a" / name
        rows = pq.read_table(path)
        assert rows.equals(pq.read_table(tmp_path / "b" / name))
        assert rows.num_rows == pl.read_parquet(path).height
        counted = duckdb.connect().execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
        assert counted == (rows.num_rows,)
        shown = json.dumps(rows.to_pylist(), default=str)
        assert [secret for secret in SECRETS if secret in shown] == []
    assert run(["scan", str(bundle), "-q", "-o", str(tmp_path / "c.json")]) == 1
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "c.json").read_bytes()


def test_tables_that_only_an_earlier_run_had_are_gone_and_files_of_others_stay(
    scan: Callable[..., Said], tmp_path: Path
) -> None:
    scan(BUNDLES / "windows-healthy", "-q", "-o", f"parquet:{tmp_path}")
    others = {"mine.parquet": b"not Parquet at all", "attempts.txt": b"notes"}
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "theirs.parquet")
    scan(BUNDLES / "linux-healthy", "-q", "-o", f"parquet:{tmp_path}")
    names = {path.name for path in tmp_path.iterdir()}
    assert {"linux_waagent.parquet", "theirs.parquet", *others} <= names
    assert not [name for name in names if name.startswith("windows_")]


def test_secrets_are_hidden_in_every_format_unless_redaction_is_off(scan: Callable[..., Said], tmp_path: Path) -> None:
    log = "2025-06-11T01:30:02.000000Z ERROR ExtHandler ExtHandler Extensions.Enabled is set to false"
    (tmp_path / "waagent.log").write_bytes((f"{log} password=S3cr3tPa55w0rd9\n" * 3).encode())
    for name in BUILT_IN:
        assert "S3cr3tPa55w0rd9" not in scan(tmp_path, "-f", name).out
    assert "S3cr3tPa55w0rd9" in scan(tmp_path, "-f", "json", "--redact", "off").out


# ---- formats of other packages ----


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs entry points of the outputs group, each from an object; None: one whose import fails."""
    module = types.ModuleType("plugged_outputs")
    monkeypatch.setitem(sys.modules, "plugged_outputs", module)

    def install(**found: object) -> None:
        points = [EntryPoint(name, f"plugged_outputs:{name}", plugins.OUTPUTS) for name in found]
        for name, value in found.items():
            if value is not None:
                setattr(module, name, value)
        everything = importlib.metadata.entry_points

        def entry_points(**asked: str) -> Any:
            return points if asked.get("group") == plugins.OUTPUTS else everything(**asked)

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
        monkeypatch.setattr(plugins, "may_be_installed", lambda: True)
        forget()

    def forget() -> None:
        plugins._points.cache_clear()
        plugins._loaded.cache_clear()

    yield install
    monkeypatch.undo()
    forget()


def count_of_causes(report: Report) -> bytes:
    return f"{len(report.diagnoses)} causes\n".encode()


def test_another_package_adds_a_format(scan: Callable[..., Said], plugged: Callable[..., None], tmp_path: Path) -> None:
    plugged(counts=OutputFormat("counts", "how many causes", (".counts",), count_of_causes))
    assert scan(FAILING, "-f", "counts", "-o", tmp_path / "a.counts").out.endswith(" causes\n")
    assert (tmp_path / "a.counts").read_text(encoding="utf-8").endswith(" causes\n")
    assert [one.name for one in formats()] == [*BUILT_IN, "counts"]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (None, "AttributeError"),
        ("no format", "it is a str"),
        (OutputFormat("another", "t", (".x",), count_of_causes), "called 'another'"),
    ],
)
def test_a_format_that_cannot_be_loaded_is_told_by_the_name_of_its_plug_in(
    scan: Callable[..., Said], plugged: Callable[..., None], broken: object, told: str
) -> None:
    plugged(counts=broken)
    said = scan(FAILING, "-f", "counts")
    assert said.status == 2
    assert told in said.err
    assert "plug-in 'counts'" in said.err
    assert "Traceback" not in said.err
    with plugins.watch() as faults:
        assert format_of_file("a.counts") is None
        assert len(list(faults)) == 1
        faults.clear()


@pytest.mark.parametrize(("gives", "told"), [(lambda report: 1 // 0, "ZeroDivisionError"), (str, "not bytes")])
def test_a_format_that_fails_costs_only_its_own_file(
    scan: Callable[..., Said], plugged: Callable[..., None], tmp_path: Path, gives: Any, told: str
) -> None:
    plugged(counts=OutputFormat("counts", "t", (".counts",), gives))
    said = scan(FAILING, "-q", "-o", tmp_path / "a.counts", "-o", tmp_path / "b.csv")
    assert said.status == 2
    assert told in said.err
    assert list(csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text(encoding="utf-8"))))
    assert not (tmp_path / "a.counts").exists()


def test_a_built_in_format_is_found_without_looking_at_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(group: str) -> tuple[plugins.Plugin, ...]:
        raise AssertionError("looked at plug-ins")

    monkeypatch.setattr(formats_module, "installed", fail)
    assert format_called("markdown") is BUILT_IN["markdown"]
    assert format_of_file("a.csv") is BUILT_IN["csv"]

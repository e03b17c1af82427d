"""``loganalyzer formats``: what can be read, and which format each file is taken for, and why."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loganalyzer.cli import run
from loganalyzer.parser import HEAD_SIZE
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.registry import Choice, claims, parsers, recognise
from loganalyzer.source import Source, fits_glob
from sample_logs.packing import gzip_bytes, zip_bytes

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs" / "bundles"
LINE = b"2026-03-01T02:10:11.000123Z INFO ExtHandler ExtHandler Agent starts\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Said]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs ``formats``."""

    def called(*words: str | Path) -> Said:
        return Said(run(["formats", *map(str, words)]), *capfd.readouterr())

    return called


def test_without_a_bundle_every_parser_is_listed(call: Call) -> None:
    said = call("-f", "ndjson")
    assert said.status == 0
    assert [row["parser"] for row in said.rows] == [parser.name for parser in parsers()]
    assert all(row["title"] and row["logsource"] and row["paths"] for row in said.rows)
    assert "waagent_log" in call().out


@pytest.mark.slow
def test_every_file_has_a_row_with_the_parser_of_a_scan_and_its_reason(call: Call) -> None:
    bundle = SAMPLES / "windows-applocker.zip"
    coverage = {one.source: one for one in scan([bundle], ScanOptions()).report.coverage if one.status != "archive"}
    rows = {row["source"]: row for row in call(bundle, "-f", "ndjson").rows}
    assert rows.keys() == coverage.keys()
    for source, row in rows.items():
        assert row["parser"] == coverage[source].parser, source
        assert row["bytes"] == coverage[source].bytes
        if row["parser"] is not None:
            assert row["why"] == coverage[source].why
            assert 0 < row["strength"] <= 100


def test_the_runners_up_stand_below_the_first_with_their_reasons(call: Call, tmp_path: Path) -> None:
    log = tmp_path / "WaAppAgent.log"
    log.write_bytes(LINE)
    (row,) = call(log, "-f", "ndjson").rows
    assert row["others"]
    strengths = [row["strength"], *(one["strength"] for one in row["others"])]
    assert strengths == sorted(strengths, reverse=True)
    assert all(one["parser"] and one["why"] for one in row["others"])
    lines = call(log).out.splitlines()
    assert lines[0] == "WaAppAgent.log"
    assert lines[1].split()[:4] == ["read", "as", str(row["strength"]), row["parser"]]
    assert lines[2].split()[:3] == ["or", str(row["others"][0]["strength"]), row["others"][0]["parser"]]


def test_the_first_of_the_claims_is_what_is_recognised() -> None:
    for parser in parsers():
        for sample in parser.samples:
            source = Source(sample.path, sample.raw)
            assert claims(source)[0] == recognise(source)


def test_a_claim_sees_only_the_head_of_a_file() -> None:
    assert recognise(Source("odd", b"\x01" * HEAD_SIZE + LINE)) is None


def test_a_file_that_nobody_reads_says_why(call: Call, tmp_path: Path) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01\x02")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "shadow").write_bytes(b"root:x\n")
    said = call(tmp_path)
    assert said.status == 3
    assert "no parser knows a file of this name and content" in said.out
    assert "nothing was recognised" in said.err
    rows = {row["source"]: row for row in call(tmp_path, "-f", "ndjson").rows}
    assert rows["etc/shadow"]["parser"] is None
    assert rows["etc/shadow"]["why"] != rows["odd.bin"]["why"]


def test_a_file_alone_compressed_and_in_a_pipe_is_explained(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waagent.log.gz").write_bytes(gzip_bytes(LINE))
    (row,) = call(tmp_path / "waagent.log.gz", "-f", "ndjson").rows
    assert row["parser"] == "waagent_log"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(zip_bytes({"waagent.log": LINE}))))
    assert [row["parser"] for row in call("-", "-f", "ndjson").rows] == ["waagent_log"]


def test_what_cannot_be_read_to_its_end_gives_three(call: Call, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zip_bytes({"waagent.log": LINE * 100})[:-40])
    said = call(tmp_path / "x.zip")
    assert said.status == 3
    assert "not read to its end: " in said.err
    assert call(tmp_path / "none").status == 3
    assert call("--format", "xml", tmp_path).status == 2


def test_hostile_names_never_reach_the_output_raw(call: Call, tmp_path: Path) -> None:
    name = "x\x1b]0;owned\x07\u202elog?sv=1&sig=abcdefghijklmnopqrstuvwxyz0123456789%3D"
    (tmp_path / "x.zip").write_bytes(zip_bytes({name: LINE}))
    for form in ("text", "ndjson"):
        said = call(tmp_path / "x.zip", "-f", form)
        assert not set(said.out) & set("\x1b\x07\u202e"), form
        assert "abcdefghijkl" not in said.out
    assert "abcdefghijkl" in call(tmp_path / "x.zip", "--redact", "off").out


# choices of parsers


@pytest.mark.parametrize(
    ("glob", "fits"),
    [
        ("*", True),
        ("x.log", True),
        ("X.LOG", True),
        ("*.log", True),
        ("b/x.log", True),
        ("*/b/*", True),
        ("a.zip!b/x.log", True),
        ("/a.zip/b/x.log", True),
        ("a.zip\\b\\*", True),
        ("b", False),
        (".log", False),
        ("x.log/*", False),
        ("ip/b/x.log", False),
        ("[", False),
        ("?.log", True),
    ],
)
def test_a_glob_fits_a_path_as_a_whole_or_from_a_folder_on_in_any_case(glob: str, fits: bool) -> None:
    assert fits_glob("a.zip!b/x.log", glob) is fits


def test_the_last_choice_that_fits_counts_and_never_opens_a_private_file() -> None:
    by_name = {parser.name: parser for parser in parsers()}
    choices = [Choice("*", by_name["waagent_log"]), Choice("*.x", by_name["waagent_conf"])]
    chosen = [recognise(Source(path, LINE), choices) for path in ("a.x", "a.y", "etc/shadow")]
    assert [one and (one.parser.name, one.claim.strength) for one in chosen] == [
        ("waagent_conf", 100),
        ("waagent_log", 100),
        None,
    ]


def test_every_command_that_reads_events_takes_a_choice(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.txt").write_bytes(LINE.replace(b"INFO", b"ODD"))
    rule = tmp_path / "rule.yml"
    rule.write_text(
        "title: A\nid: 11111111-1111-4111-8111-111111111111\nlogsource: {product: linux, service: waagent}\n"
        "detection: {words: [Agent starts], condition: words}\n",
        encoding="utf-8",
    )
    odd = str(tmp_path / "odd.txt")
    assert run(["scan", odd, "-f", "json", "--as", "odd.txt=waagent_log"]) == 0
    (row,) = [row for row in json.loads(capfd.readouterr().out)["coverage"] if row["source"] == "odd.txt"]
    assert (row["parser"], row["why"]) == ("waagent_log", "said to be waagent_log: odd.txt")
    words = ["match", "--rules", str(rule), odd, "-f", "ndjson"]
    assert run(words) == 3
    assert capfd.readouterr().out == ""
    assert run([*words, "--as", "*.txt=waagent_log", "--as", "x=waagent_log"]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["rule_title"] == "A"
    assert "--as x=waagent_log fits no source" in said.err
    assert "*.txt" not in said.err

"""Input that is no bundle, or a broken one: a clear message, the documented exit status, and the rest is reported."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loganalyzer.cli import run
from loganalyzer.pipeline import scan
from loganalyzer.registry import parsers
from loganalyzer.report.json_report import to_json
from sample_logs import linux_bundles, windows_bundles
from sample_logs.packing import gzip_bytes, tar_gz_bytes, write_directory, zip_bytes

LINUX = linux_bundles.healthy()
FAILING = linux_bundles.freeze_failed()
WINDOWS = windows_bundles.damaged()
AGENT_LOG = "var/log/waagent.log"
NOTHING = "nothing was recognised"


@pytest.fixture
def says(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Runs a scan: its exit status, its report (empty: none was written) and what it said on standard error."""

    def scanned(*arguments: str | Path) -> tuple[int, dict[str, Any], str]:
        status = run(["scan", "-f", "json", *(str(one) for one in arguments)])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return status, json.loads(out) if out else {}, err

    return scanned


def row(report: dict[str, Any], source: str) -> dict[str, Any]:
    found = [one for one in report["coverage"] if one["source"] == source]
    assert len(found) == 1, [one["source"] for one in report["coverage"]]
    first: dict[str, Any] = found[0]
    return first


# Nothing that a parser knows


def test_an_empty_directory_is_a_bundle_of_nothing(says: Any, tmp_path: Path) -> None:
    status, report, err = says(tmp_path)
    assert status == 3
    assert NOTHING in err
    assert "help: " in err
    assert (report["verdict"], report["diagnoses"], report["coverage"]) == ("cannot-tell", [], [])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("notes.txt", b"milk, bread, a new disk\n"),
        ("notes", "Einkaufsliste: Brötchen".encode("latin-1")),
        ("random.bin", random.Random(1).randbytes(8000)),
        ("random.log", random.Random(2).randbytes(8000)),
        ("zeros.bin", bytes(5000)),
    ],
)
def test_a_file_that_is_no_log_is_named_and_not_guessed_at(says: Any, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    status, report, err = says(tmp_path / name)
    assert status == 3
    assert NOTHING in err
    only = row(report, name)
    assert (only["status"], only["bytes"], only["skipped_bytes"]) == ("unrecognised", len(data), len(data))
    assert only["why"]
    assert report["receipt"]["skipped_bytes"] == len(data)


def test_a_bundle_without_one_known_file_lists_them_all(says: Any, tmp_path: Path) -> None:
    files = {f"photos/{number}.jpg": b"\xff\xd8\xff" + bytes(99) for number in range(3)} | {"index.html": b"<html>"}
    (tmp_path / "photos.zip").write_bytes(zip_bytes(files))
    status, report, err = says(tmp_path / "photos.zip")
    assert status == 3
    assert NOTHING in err
    assert [one["status"] for one in report["coverage"]].count("unrecognised") == 4
    assert report["verdict"] == "cannot-tell"


def test_a_file_of_no_bytes_is_told_to_be_empty(says: Any, tmp_path: Path) -> None:
    (tmp_path / "waagent.log").touch()
    status, report, err = says(tmp_path / "waagent.log")
    assert status == 3
    assert "0 bytes" in err
    assert "waagent.log" in err
    assert report == {}


def test_a_file_of_no_bytes_beside_others_harms_nothing(says: Any, tmp_path: Path) -> None:
    write_directory({**LINUX.files, "var/log/azure/empty.log": b""}, tmp_path)
    status, report, _ = says(tmp_path)
    assert (status, report["verdict"]) == (0, "no-fault-found")
    assert row(report, "var/log/azure/empty.log")["bytes"] == 0


def test_a_path_that_is_not_there_is_named(says: Any, tmp_path: Path) -> None:
    status, report, err = says(tmp_path / "nowhere.zip")
    assert status == 3
    assert "nowhere.zip" in err
    assert "help: " in err
    assert report == {}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named_and_the_rest_is_read(says: Any, tmp_path: Path) -> None:
    write_directory(LINUX.files, tmp_path)
    (tmp_path / AGENT_LOG).chmod(0)
    status, report, err = says(tmp_path)
    assert status == 3
    assert AGENT_LOG in err
    assert row(report, "etc/waagent.conf")["status"] == "read"


# Something known that is broken


def test_a_truncated_gz_is_reported_and_its_beginning_is_read(says: Any, tmp_path: Path) -> None:
    packed = gzip_bytes(LINUX.files[AGENT_LOG])
    (tmp_path / "waagent.log.1.gz").write_bytes(packed[: len(packed) // 2])
    status, report, err = says(tmp_path / "waagent.log.1.gz")
    assert status == 3
    assert "not read to its end: waagent.log.1.gz: " in err
    read = row(report, "waagent.log.1.gz!waagent.log.1")
    assert read["parser"] == "waagent_log"
    assert 0 < read["events"] < LINUX.files[AGENT_LOG].count(b"\n")


def test_a_truncated_tar_gz_is_reported_and_the_members_before_the_cut_are_read(says: Any, tmp_path: Path) -> None:
    packed = tar_gz_bytes(LINUX.files)
    (tmp_path / "logs.tar.gz").write_bytes(packed[: len(packed) * 2 // 3])
    status, report, err = says(tmp_path / "logs.tar.gz", "--fail-on", "never")
    assert status == 3
    assert "not read to its end: logs.tar.gz: " in err
    assert row(report, "etc/waagent.conf")["status"] == "read"
    assert report["bundle"]["platform"] == "linux"


def test_the_silence_behind_the_cut_of_an_archive_is_no_cause(says: Any, tmp_path: Path) -> None:
    packed = tar_gz_bytes(LINUX.files)
    (tmp_path / "logs.tar.gz").write_bytes(packed[: len(packed) * 2 // 3])
    _, report, _ = says(tmp_path / "logs.tar.gz")
    assert row(report, AGENT_LOG)["bytes"] < len(LINUX.files[AGENT_LOG])
    assert [one["cause"] for one in report["diagnoses"] if one["verdict"] != "possible"] == []


def test_a_zip_with_a_bad_crc_is_reported_and_read(says: Any, tmp_path: Path) -> None:
    (tmp_path / "logs.zip").write_bytes(with_wrong_crc(zip_bytes(LINUX.files), AGENT_LOG))
    status, report, err = says(tmp_path / "logs.zip")
    assert status == 3
    assert AGENT_LOG in err
    assert "checksum" in err
    assert row(report, "etc/waagent.conf")["status"] == "read"
    assert row(report, "logs.zip")["status"] == "archive"


def with_wrong_crc(data: bytes, member: str) -> bytes:
    """The zip with another checksum of one member, in its header and in the directory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo(member)
    right = struct.pack("<I", info.CRC)
    assert data.count(right) == 2
    return data.replace(right, struct.pack("<I", info.CRC ^ 0xFFFF))


def test_a_zip_cut_in_the_middle_is_reported(says: Any, tmp_path: Path) -> None:
    packed = zip_bytes(LINUX.files)
    (tmp_path / "logs.zip").write_bytes(packed[: len(packed) * 2 // 3])
    status, report, err = says(tmp_path / "logs.zip", "--fail-on", "never")
    assert status == 3
    assert "not read to its end: logs.zip" in err
    assert report["coverage"]


def test_an_event_log_cut_in_the_middle_keeps_the_events_before_the_cut(says: Any, tmp_path: Path) -> None:
    (tmp_path / "System.evtx").write_bytes(WINDOWS.files["Windows/System32/winevt/Logs/System.evtx"])
    status, report, err = says(tmp_path / "System.evtx")
    assert status == 3
    assert "not read to its end: System.evtx: " in err
    assert "known records read" in err
    only = row(report, "System.evtx")
    assert only["status"] == "partial"
    assert only["events"] > 150
    assert only["parsed_bytes"] + only["rejected_bytes"] + only["skipped_bytes"] == only["bytes"]


def test_an_event_log_of_random_bytes_behind_its_header_is_reported(says: Any, tmp_path: Path) -> None:
    good = WINDOWS.files["Windows/System32/winevt/Logs/Application.evtx"]
    (tmp_path / "Application.evtx").write_bytes(good[:4096] + random.Random(3).randbytes(65536))
    status, report, err = says(tmp_path / "Application.evtx")
    assert status == 3
    assert "Application.evtx" in err
    assert row(report, "Application.evtx")["events"] == 0


def test_garbage_inside_a_log_is_rejected_with_a_reason_and_the_rest_is_read(says: Any, tmp_path: Path) -> None:
    text = LINUX.files[AGENT_LOG]
    middle = text.index(b"\n", len(text) // 2) + 1
    write_directory({**LINUX.files, AGENT_LOG: text[:middle] + bytes(4096) + b"\n" + text[middle:]}, tmp_path)
    _, report, _ = says(tmp_path)
    read = row(report, AGENT_LOG)
    assert read["rejected_bytes"] >= 4096
    assert read["rejected"] > 0
    assert any("rejected" in note for note in read["notes"])
    assert read["last"].startswith("2025-06-11")


def test_a_finding_counts_more_than_damage(says: Any, tmp_path: Path) -> None:
    write_directory({**FAILING.files, "cut.gz": gzip_bytes(LINUX.files[AGENT_LOG])[:900]}, tmp_path)
    status, report, err = says(tmp_path)
    assert "not read to its end: cut.gz" in err
    assert report["diagnoses"][0]["cause"] == FAILING.cause
    assert status == 1
    assert says(tmp_path, "--fail-on", "never")[0] == 3
    assert says(tmp_path, "--exit-zero")[0] == 0


def test_what_is_skipped_by_design_is_no_damage(says: Any, tmp_path: Path) -> None:
    write_directory(LINUX.files, tmp_path)
    (tmp_path / "etc/link").symlink_to(tmp_path / "etc/waagent.conf")
    status, report, err = says(tmp_path)
    skipped = row(report, "etc/link")
    assert skipped["status"] == "skipped"
    assert skipped["why"]
    assert (status, err) == (0, "")


def test_a_member_over_a_limit_is_skipped_with_the_limit_and_no_damage(says: Any, tmp_path: Path) -> None:
    write_directory({"etc/waagent.conf": LINUX.files["etc/waagent.conf"], AGENT_LOG: bytes(200_000)}, tmp_path)
    status, report, _ = says(tmp_path, "--max-member-memory", "100000", "--fail-on", "never")
    assert status == 0
    assert row(report, AGENT_LOG)["status"] == "skipped"
    assert "KiB" in row(report, AGENT_LOG)["why"]


@given(
    data=st.binary(max_size=3000), name=st.sampled_from(["waagent.log", "x.evtx", "a.zip", "b.tar.gz", "1.status", "c"])
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_report_in_which_none_is_lost(tmp_path: Path, data: bytes, name: str) -> None:
    folder = tmp_path / "any"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(data)
    report = json.loads(to_json(scan([folder]).report))
    for one in report["coverage"]:
        if one["status"] != "archive":
            assert one["parsed_bytes"] + one["rejected_bytes"] + one["skipped_bytes"] == one["bytes"]
    receipt = report["receipt"]
    assert receipt["parsed_bytes"] + receipt["rejected_bytes"] + receipt["skipped_bytes"] == receipt["bytes"]


# Memory

#: Bytes of a line that lost its end, and MiB that a reader may hold at once: the file, copies of it, and Python.
LONG_LINE = 200 << 20
MOST_MIB = 900
#: Readers that one process tries: each must stay below the most that the process ever held.
READERS = [[parser.name for parser in parsers()][start : start + 8] for start in range(0, len(parsers()), 8)]
ONE_LINE = """
import re, resource, sys
from pathlib import Path
from loganalyzer.parser import HEAD_SIZE, ParseContext, Source
from loganalyzer.registry import parsers

def stretch(raw, size, file):
    line = max(raw.split(b"\\n"), key=len)
    *_, letter = re.finditer(rb"[A-Za-z0-9]\\0?", line)
    fill = b"x\\0" if letter[0].endswith(b"\\0") else b"x"
    at = raw.index(line) + letter.end()
    with file.open("wb") as out:
        out.write(raw[:at])
        for _ in range(size >> 20):
            out.write(fill * ((1 << 20) // len(fill)))
        out.write(raw[at:])

size, most, file, names = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
for parser in parsers():
    if parser.name not in names:
        continue
    sample = parser.samples[0]
    stretch(sample.raw, size, file)
    source = Source(sample.path, file.read_bytes())
    claim = parser.claim(source.path, source.data[:HEAD_SIZE])
    parsed = parser.parse(source, ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == source.size >= size, parser.name
    rejected = parsed.rejected["log.length"].sum()
    assert rejected == parsed.rejected_bytes, (parser.name, rejected, parsed.rejected_bytes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(parser.name, claim, parsed.rejected_bytes, peak, "MiB")
    assert peak < most, f"{parser.name} held {peak} MiB"
    names.remove(parser.name)
    del source, parsed
assert not names, names
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the resource module tells memory in KiB on Linux only")
@pytest.mark.parametrize("names", READERS, ids=lambda names: names[0])
def test_a_line_of_200_mib_costs_no_reader_a_multiple_of_itself(names: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", ONE_LINE, str(LONG_LINE), str(MOST_MIB), str(tmp_path / "long"), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

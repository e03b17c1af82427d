"""The same bundle, however it is packed, gives the same report, byte for byte."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import py7zr
import pytest
import zstandard

from loganalyzer.pipeline import scan
from loganalyzer.report.json_report import to_json
from sample_logs.generate import bundles
from sample_logs.packing import SampleBundle, write_directory, zip_bytes

Files = Mapping[str, bytes]


def tar_bytes(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in sorted(files.items(), reverse=True):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def sevenzip_bytes(files: Files) -> bytes:
    """Solid, and not in the order of the names."""
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        for name, data in sorted(files.items(), key=lambda pair: (len(pair[1]), pair[0])):
            archive.writestr(data, name)
    return buffer.getvalue()


def wrapped(files: Files) -> Files:
    return {f"myvm 2025/{name}": data for name, data in files.items()}


PACKINGS: Mapping[str, Callable[[Files], bytes]] = {
    "zip": zip_bytes,
    "tar": tar_bytes,
    "tar.gz": lambda files: gzip.compress(tar_bytes({f"./{name}": data for name, data in files.items()})),
    "tar.xz": lambda files: lzma.compress(tar_bytes(wrapped(files)), preset=0),
    "tar.zst": lambda files: zstandard.compress(tar_bytes(files)),
    "7z": sevenzip_bytes,
    "zip in tar.gz": lambda files: gzip.compress(tar_bytes({"logs.zip": zip_bytes(files)})),
    "7z in zip": lambda files: zip_bytes({"ticket/logs.7z": sevenzip_bytes(wrapped(files))}),
}

#: Both platforms; files that are archives themselves, a damaged event log, secrets.
CHOSEN = ("linux-dhcp-245", "linux-sas-secrets", "windows-applocker", "windows-damaged-evtx")
SAMPLES = [bundle for bundle in bundles() if bundle.name in CHOSEN]


def report_of(path: Path) -> dict[str, Any]:
    """The report without what the packing may change: the path of the bundle and the rows of its archives."""
    report: dict[str, Any] = json.loads(to_json(scan([path]).report))
    assert report["bundle"].pop("path") == str(path)
    report["coverage"] = [row for row in report["coverage"] if row["status"] != "archive"]
    return report


def test_the_samples_are_there_and_the_packings_are_many() -> None:
    assert len(SAMPLES) == len(CHOSEN)
    assert len(PACKINGS) == 8


@pytest.mark.slow
@pytest.mark.parametrize("bundle", SAMPLES, ids=lambda one: one.name)
def test_every_packing_of_a_bundle_gives_the_same_report(bundle: SampleBundle, tmp_path: Path) -> None:
    write_directory(bundle.files, tmp_path / "directory")
    expected = report_of(tmp_path / "directory")
    assert expected["receipt"]["files"] >= 3
    assert expected["verdict"] == bundle.verdict
    for number, (name, pack) in enumerate(PACKINGS.items()):
        packed = tmp_path / f"ticket-{number}.bin"
        packed.write_bytes(pack(bundle.files))
        found = report_of(packed)
        different = [key for key in expected if json.dumps(found[key]) != json.dumps(expected[key])]
        assert not different, f"{name} says something else of {different}"
        assert json.dumps(found) == json.dumps(expected)

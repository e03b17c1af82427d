"""What becomes of a diagnosis when its bundle changes: its proof taken out, a log cut, the fault over, another form.

Every sample bundle with a cause goes through every change. The changes know nothing of causes or rules: they take what
the report itself cites.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from loganalyzer.catalogue import load_catalogue
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.report.json_report import to_json
from loganalyzer.schema import LogSource
from sample_logs.generate import bundles
from sample_logs.packing import SampleBundle, write_directory, zip_bytes

Files = Mapping[str, bytes]
Report = dict[str, Any]

FAILING = [bundle for bundle in bundles() if bundle.verdict == "cause-found"]
LINUX = [bundle for bundle in FAILING if bundle.name.startswith("linux")]
FIRM = ("confirmed", "likely")

#: One sample of each platform goes through every change always, the others in the slow tests.
ALWAYS = ("linux-freeze-failed",)


def each(found: Sequence[SampleBundle]) -> list[Any]:
    return [pytest.param(one, id=one.name, marks=() if one.name in ALWAYS else (pytest.mark.slow,)) for one in found]


def report_of(files: Files, packed: bool = False) -> Report:
    with TemporaryDirectory() as folder:
        path = Path(folder, "bundle.zip" if packed else "bundle")
        if packed:
            path.write_bytes(zip_bytes(files))
        else:
            write_directory(files, path)
        report: Report = json.loads(to_json(scan([path], ScanOptions(redact=False)).report))
    report["bundle"].pop("path")
    return report


@cache
def untouched(name: str) -> Report:
    (bundle,) = (one for one in FAILING if one.name == name)
    return report_of(bundle.files)


def file_of(source: str, files: Files) -> str:
    """The file of the bundle that a report calls ``source``: its paths begin below the root of the layout."""
    (name,) = (name for name in files if name == source or name.endswith(f"/{source}"))
    return name


def firm(report: Report) -> list[str]:
    return [one["cause"] for one in report["diagnoses"] if one["verdict"] in FIRM]


def cited(report: Report, cause: str) -> list[tuple[str, int, int | None]]:
    """Source, offset and end of the entries behind a cause; the end is None where what follows belongs to it too."""
    places: list[tuple[str, int, int | None]] = []
    for diagnosis in report["diagnoses"]:
        for one in diagnosis["evidence"] if diagnosis["cause"] == cause else ():
            if one["role"] != "supports" or one["offset"] is None:
                continue
            if one["kind"] == "gap":
                places.append((one["source"], min(place["offset"] for place in [one, *one["bounds"]]), None))
            elif one["kind"] == "line":
                places.append((one["source"], one["offset"], one["offset"] + one["length"]))
            else:
                known = [place for place in one["derived_from"] if place["offset"] is not None] or [one]
                places += [
                    (place["source"], place["offset"], place["offset"] + len(place["original"].encode()))
                    for place in known
                ]
    return places


def without(files: Files, places: Iterable[tuple[str, int, int | None]]) -> Files:
    """Text files lose the entries. A binary file or a document, of which no part stands alone, is left out whole.

    So is a log that proves something by its silence, which a shorter log would still do.
    """
    changed = dict(files)
    for source, start, end in sorted(set(places), key=lambda place: (place[0], -place[1])):
        name = file_of(source, files)
        if name not in changed:
            continue
        if end is None or not name.endswith((".log", ".conf")):
            del changed[name]
            continue
        data = changed[name]
        stop = end + len(data[end:]) - len(data[end:].lstrip(b"\r\n"))
        changed[name] = data[:start] + data[stop:]
    return changed


def test_there_are_bundles_to_change() -> None:
    assert len(FAILING) >= 14
    assert len(LINUX) >= 8


@pytest.mark.parametrize("bundle", each(FAILING))
def test_without_the_lines_that_prove_it_a_cause_is_gone(bundle: SampleBundle) -> None:
    report, files = untouched(bundle.name), bundle.files
    assert bundle.cause is not None
    assert bundle.cause in firm(report)
    for _ in range(12):  # a report shows some of many lines, so the next ones come to light
        places = cited(report, bundle.cause)
        assert places, "a cause without a line that proves it"
        files = without(files, places)
        report = report_of(files)
        if bundle.cause not in firm(report):
            return
    pytest.fail(f"{bundle.cause} is still {report['diagnoses'][0]['verdict']}")


def cut(files: Files, report: Report, cause: str) -> Files:
    """Every log ends, torn, where the first line of its proof begins; a document or binary file of it is not there."""
    changed = dict(files)
    first: dict[str, int] = {}
    for source, start, _ in cited(report, cause):
        name = file_of(source, files)
        first[name] = min(start, first.get(name, start))
    for name, start in first.items():
        if name.endswith(".log"):
            changed[name] = files[name][: start + 11]
        else:
            del changed[name]
    return changed


@pytest.mark.parametrize("bundle", each(FAILING))
def test_where_the_log_is_cut_before_the_proof_nothing_is_called_clear(bundle: SampleBundle) -> None:
    assert bundle.cause is not None
    report = report_of(cut(bundle.files, untouched(bundle.name), bundle.cause))
    assert bundle.cause not in firm(report)
    if len(load_catalogue().causes[bundle.cause].requires.any_of) < 2:  # else another log may make it clear
        assert bundle.cause not in report["clear"]
    assert report["verdict"] != "no-fault-found"
    umbrellas = {cause.id for cause in load_catalogue().causes.values() if cause.umbrella}
    before = {one["cause"] for one in untouched(bundle.name)["diagnoses"]}
    assert set(firm(report)) <= umbrellas | before, "a cut log is no proof of another cause"


STAMP = re.compile(rb"\b(20\d\d-\d\d-\d\d)([T ]\d\d:\d\d:\d\d)")


def earlier(data: bytes, days: int) -> bytes:
    def moved(found: re.Match[bytes]) -> bytes:
        day = datetime.fromisoformat(found[1].decode()) - timedelta(days=days)
        return day.strftime("%Y-%m-%d").encode() + found[2]

    return STAMP.sub(moved, data)


HEALTHY = next(bundle for bundle in bundles() if bundle.name == "linux-healthy")


@pytest.mark.parametrize("bundle", each(LINUX))
def test_a_fault_that_was_over_before_good_backups_is_history(bundle: SampleBundle) -> None:
    """The logs of the failing VM, a week older, stand before those of the healthy one, whose settings it has now."""
    assert bundle.cause is not None
    files = dict(HEALTHY.files)
    old = {Path(name).name: data for name, data in bundle.files.items() if name.endswith(".log")}
    assert old
    for name in files:
        if name.endswith(".log"):
            before = earlier(old.get(Path(name).name, b""), 7)
            files[name] = before + (b"" if before.endswith(b"\n") or not before else b"\n") + files[name]
    report = report_of(files)
    assert firm(report) == []
    assert report["verdict"] == "no-fault-found"
    assert len(report["attempts"]) > len(report_of(HEALTHY.files)["attempts"])


#: What says where a thing stands; all else must not change with the form.
PLACES = (
    "offset",
    "length",
    "sha256",
    "original",
    "bytes",
    "parsed_bytes",
    "rejected_bytes",
    "skipped_bytes",
    "bounds",
)


def without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_places(one) for key, one in value.items() if key not in PLACES}
    return [without_places(one) for one in value] if isinstance(value, list) else value


def other_line_ends(data: bytes) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = other_line_ends(data.decode("utf-16").encode())
        return data[:2] + text.decode().encode("utf-16-le" if data[0] == 0xFF else "utf-16-be")
    return data.replace(b"\r\n", b"\n") if b"\r\n" in data else data.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("bundle", each(FAILING))
def test_the_order_of_files_the_packing_and_the_ends_of_lines_change_nothing(bundle: SampleBundle) -> None:
    expected = untouched(bundle.name)
    names = sorted(bundle.files)
    random.Random(bundle.name).shuffle(names)
    shuffled = report_of({name: bundle.files[name] for name in names}, packed=True)
    shuffled["coverage"] = [row for row in shuffled["coverage"] if row["status"] != "archive"]
    bare = {**expected, "coverage": [row for row in expected["coverage"] if row["status"] != "archive"]}
    assert shuffled == bare
    endings = {name: other_line_ends(data) if name.endswith(".log") else data for name, data in bundle.files.items()}
    assert any(endings[name] != bundle.files[name] for name in endings)
    other = report_of(endings)
    assert without_places(other["diagnoses"]) == without_places(expected["diagnoses"])
    for part in ("verdict", "attempts", "undecided", "clear", "errors"):
        assert other[part] == expected[part], part


@pytest.mark.slow
def test_the_one_file_that_decides_is_what_to_collect_next_when_it_is_missing() -> None:
    """For every sample whose proof stands in one file: the report without that file asks for it before all others."""
    asked: dict[str, bool] = {}
    for bundle in FAILING:
        assert bundle.cause is not None
        report = untouched(bundle.name)
        sources = {source for source, _, _ in cited(report, bundle.cause)}
        if len(sources) != 1:
            continue
        (source,) = sources
        (row,) = (row for row in report["coverage"] if row["source"] == source)
        left = {name: data for name, data in bundle.files.items() if name != file_of(source, bundle.files)}
        wanted = report_of(left)["next_evidence"]
        frames = load_catalogue().artefacts[wanted[0]["artefact"]].logsources if wanted else ()
        held = {str(LogSource(one.product, one.service, one.category)) for one in frames}
        asked[bundle.name] = bool(held & set(row["logsource"].split(", ")))
    assert len(asked) >= 5
    missed = [name for name, first in asked.items() if not first]
    assert len(missed) <= len(asked) * 0.1, f"something else is asked for first: {missed}"

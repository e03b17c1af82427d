"""A rotated log is one log: its silences, its outages and the times that it shows do not depend on where it was cut."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import zstandard

from loganalyzer.facts import derive, load_tables
from loganalyzer.facts.coverage import Span, spans
from loganalyzer.facts.rotation import part_of
from loganalyzer.pipeline import ScanOptions, read, scan
from loganalyzer.schema import EventFrame, LogSource, conform
from sample_logs.generate import bundles
from sample_logs.packing import write_directory

WAAGENT = LogSource("linux", "waagent")
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "kind", "number"),
    [
        ("var/log/waagent.log", "live", 0),
        ("var/log/waagent.log.1", "numbered", 1),
        ("var/log/waagent.log.12.gz!waagent.log.12", "numbered", 12),
        ("var/log/waagent.log.3.gz", "numbered", 3),
        ("var/log/waagent.log-20250915", "aside", 0),
        ("var/log/waagent.log-2025-09-15-1757900000.gz!waagent.log-2025-09-15-1757900000", "aside", 0),
        ("var/log/waagent.log-20250915.xz!waagent.log-20250915", "aside", 0),
        ("var/log/waagent.log.old", "aside", 0),
        ("truncated__var_log_waagent.log", "live", 0),
        ("truncated_var_log_waagent.log.1", "numbered", 1),
    ],
)
def test_every_way_of_putting_a_log_aside_names_the_same_log(path: str, kind: str, number: int) -> None:
    part = part_of(path)
    assert (part.log, part.kind, part.number) == ("var_log_waagent.log", kind, number)


def test_the_agents_own_ways_on_windows_are_known() -> None:
    rolled = part_of("x/CommandExecution_20250301020304005.log")
    assert (rolled.log, rolled.kind) == (part_of("x/CommandExecution.log").log, "aside")
    assert part_of("x/WaAppAgent.000.log").log == part_of("x/WaAppAgent.log").log


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("var/log/waagent.log", "var/log/syslog"),
        ("a/extension.log", "b/extension.log"),
        ("var/lib/waagent/GoalState.1.xml", "var/lib/waagent/GoalState.2.xml"),
        ("config/0.settings", "config/1.settings"),
        ("first.zip!waagent.log", "second.zip!waagent.log"),
        ("logs/1.0.95.0", "logs/1.0.94.0x"),
    ],
)
def test_other_files_are_logs_of_their_own(one: str, other: str) -> None:
    assert part_of(one).log != part_of(other).log


def test_names_tell_the_order_as_far_as_they_can() -> None:
    numbered = ["waagent.log.10", "waagent.log.2", "waagent.log.1", "waagent.log"]
    dated = ["m-20250301", "m-20250401", "m"]
    for names in (numbered, dated):
        assert sorted(sorted(names), key=lambda name: part_of(name).age) == names


# What a rotated log shows


def frame(path: str, *hours: float) -> EventFrame:
    times = [START + timedelta(hours=hour) for hour in hours]
    rows = pl.DataFrame({"@timestamp": times, "message": ["x"] * len(times)})
    return EventFrame(WAAGENT, conform(rows, log_file_path=path))


def joined(*frames: EventFrame) -> list[EventFrame]:
    return [EventFrame(WAAGENT, pl.concat([one.rows for one in frames]))]


def covering(found: Sequence[Span], start: float, end: float) -> bool:
    answers = {span.covers(START + timedelta(hours=start), START + timedelta(hours=end)) for span in found}
    assert len(answers) == 1, "all parts of a log answer alike"
    return answers.pop()


def test_a_window_over_the_seam_of_two_parts_is_covered() -> None:
    found = spans(joined(frame("w.log", 10, 11, 12), frame("w.log.1", 0, 5, 9.9)), frozenset())
    assert covering(found, 9.5, 10.5)
    assert covering(found, 1, 2)
    assert not covering(found, -3, -2)


def test_a_missing_part_is_a_hole_that_no_neighbour_covers() -> None:
    found = spans(joined(frame("w.log", 20, 30), frame("w.log.2", 0, 10)), frozenset())
    assert covering(found, 5, 6)
    assert covering(found, 21, 22)
    assert not covering(found, 12, 13)
    assert not covering(found, 19, 21)


def test_a_log_without_its_live_part_covers_nothing_behind_its_end() -> None:
    found = spans(joined(frame("w.log-20260301", 0, 10)), frozenset())
    assert covering(found, 5, 11)
    assert not covering(found, 11, 12)
    assert covering(spans(joined(frame("w.log", 0, 10)), frozenset()), 11, 12)


def test_a_damaged_part_hides_its_own_times_only() -> None:
    parts = joined(frame("w.log", 20, 30), frame("w.log.1", 10, 19), frame("w.log.2", 0, 9))
    found = spans(parts, frozenset({"w.log.1"}))
    assert [covering(found, hour, hour + 1) for hour in (5, 12, 19.5, 25)] == [True, False, False, True]
    assert not covering(spans(joined(frame("w.log", 0, 9)), frozenset({"w.log"})), 1, 2)


def test_the_silence_between_two_parts_is_a_gap_of_the_later_one() -> None:
    found = {span.path: span for span in spans(joined(frame("w.log", 30, 31), frame("w.log.1", 0, 10)), frozenset())}
    assert found["w.log.1"].gaps == ((START, START + timedelta(hours=10)),)
    assert found["w.log"].gaps == ((START + timedelta(hours=10), START + timedelta(hours=30)),)
    assert found["w.log"].first == START + timedelta(hours=30)


def test_parts_are_ordered_by_the_times_inside_and_not_by_name() -> None:
    found = {span.path: span for span in spans(joined(frame("w.log.1", 0, 1), frame("w.log.9", 20, 21)), frozenset())}
    assert found["w.log.9"].gaps == ((START + timedelta(hours=1), START + timedelta(hours=20)),)


# The same log, rotated and not

SAMPLES = {bundle.name: bundle for bundle in bundles()}
LOG = "var/log/waagent.log"
ROTATIONS = {
    "numbers": ("waagent.log.2.gz", "waagent.log.1", "waagent.log"),
    "dates": ("waagent.log-20250601.xz", "waagent.log-2025-06-15-1757900000.zst", "waagent.log"),
}
PACK: Mapping[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def rotated(files: dict[str, bytes], names: Sequence[str]) -> dict[str, bytes]:
    (path,) = [path for path in files if path.endswith(LOG)]
    lines = files[path].splitlines(keepends=True)
    assert len(lines) >= 6
    third = len(lines) // 3
    pieces = [b"".join(part) for part in (lines[:third], lines[third : 2 * third], lines[2 * third :])]
    found = {name: data for name, data in files.items() if name != path}
    for name, piece in zip(names, pieces, strict=True):
        pack = PACK.get(Path(name).suffix)
        found[path.removesuffix("waagent.log") + name] = pack(piece) if pack else piece
    return found


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize(
    "name",
    [
        "linux-wireserver-blocked",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("linux-wireserver-recovered", "linux-dhcp-245")),
    ],
)
def test_a_bundle_says_the_same_when_its_log_was_rotated(name: str, rotation: str, tmp_path: Path) -> None:
    files = dict(SAMPLES[name].files)
    write_directory(files, tmp_path / "whole")
    write_directory(rotated(files, ROTATIONS[rotation]), tmp_path / "rotated")
    whole, parts = scan([tmp_path / "whole"]).report, scan([tmp_path / "rotated"]).report
    assert whole.verdict == SAMPLES[name].verdict
    assert parts.receipt.events == whole.receipt.events
    for field in ("verdict", "clear", "undecided"):
        assert getattr(parts, field) == getattr(whole, field), field
    attempts = [[(one.start, one.end, one.outcome, one.codes) for one in report.attempts] for report in (whole, parts)]
    assert attempts[0] == attempts[1]
    told = [
        [(one.cause, one.verdict, one.how, one.first_seen, one.last_seen, one.count) for one in report.diagnoses]
        for report in (whole, parts)
    ]
    assert told[0] == told[1]
    cited = {evidence.source for one in parts.diagnoses for evidence in one.evidence}
    assert cited <= {row.source for row in parts.coverage}, "each line is cited from the file that it stands in"


def test_gaps_of_a_series_do_not_depend_on_rotation(tmp_path: Path) -> None:
    files = dict(SAMPLES["linux-wireserver-blocked"].files)
    found = []
    for number, variant in enumerate((files, *(rotated(files, names) for names in ROTATIONS.values()))):
        folder = tmp_path / str(number)
        write_directory(variant, folder)
        reading = read([folder], ScanOptions(), None, lambda phase, name, size: None)
        frames = [one.rows for one in derive(reading.frames, load_tables()).frames if one.logsource.category == "gap"]
        kept = ["@timestamp", "event.end", "series", "kind", "seconds", "closed_by", "count", "witnessed_seconds"]
        found.append([row for rows in frames for row in rows.select(kept).iter_rows()])
        (waagent,) = [one.rows for one in reading.frames if one.logsource == WAAGENT]
        known = waagent.filter(pl.col("log.file.path").str.contains("waagent.log"))["@timestamp"].drop_nulls()
        assert known.is_sorted()
    assert found[0]
    assert found[0] == found[1] == found[2]

"""Long files are given in pieces: the same bytes in every packing, and whole where somebody needs them so."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from bench.long_logs import lines as agent_lines
from loganalyzer.intake import Limits, LongLeaf, Skipped, Source, walk_in_pieces
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.report.json_report import to_json
from loganalyzer.report.model import Report
from tests.test_intake import EXPECTED, LOG, PACKINGS, tar_of, zip_of

LONG = bytes(range(256)) * 8_000  # 2 MB


def leaves_of(path: Path | str, limits: Limits | None = None, stdin: BinaryIO | None = None) -> Iterator[LongLeaf]:
    return (item for item in walk_in_pieces([path], 0, limits, stdin) if isinstance(item, LongLeaf))


@contextmanager
def leaf_of(path: Path | str, limits: Limits | None = None, stdin: BinaryIO | None = None) -> Iterator[LongLeaf]:
    """The only one, while its file is open."""
    walk = leaves_of(path, limits, stdin)
    yield next(walk)
    assert next(walk, None) is None


def taken(leaf: LongLeaf, size: int = 1000, most: int | None = None) -> bytes:
    """What the leaf gives to a buffer of so many bytes, until there is no more or so many were taken."""
    buffer, found = bytearray(size), b""
    while (most is None or len(found) < most) and (count := leaf.source.readinto(memoryview(buffer))):
        found += buffer[:count]
    return found


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_gives_the_same_bytes_and_hash_in_pieces(packing: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.bin"
    bundle.write_bytes(PACKINGS[packing]())
    found = {}
    for leaf in leaves_of(bundle):
        data = taken(leaf, size=7)
        assert leaf.source.sha256 == hashlib.sha256(data).hexdigest()
        assert leaf.source.size == len(data)
        found[leaf.source.name] = data
    found.pop("._x", None)  # of the zip of a Mac
    assert found == {Source(path, data).name: data for path, data in EXPECTED.items() if data}


@pytest.mark.parametrize("packing", ["file", "gz", "zip", "tar"])
@pytest.mark.parametrize("before", [0, 1, 1_500_000, None])
def test_a_leaf_is_had_whole_however_much_of_it_was_taken(packing: str, before: int | None, tmp_path: Path) -> None:
    packed = {
        "file": LONG,
        "gz": gzip.compress(LONG),
        "zip": zip_of({"a.log": LONG}),
        "tar": tar_of({"a.log": LONG}),
    }
    bundle = tmp_path / "a.log"
    bundle.write_bytes(packed[packing])
    with leaf_of(bundle) as leaf:
        taken(leaf, 100_000, before)
        whole = leaf.whole()
        assert isinstance(whole, Source)
        assert whole.data == LONG


def test_a_leaf_of_standard_input_is_had_whole_from_where_that_began(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"skipped" + LONG)
    with log.open("rb") as stdin:
        stdin.seek(len(b"skipped"))
        with leaf_of("-", stdin=stdin) as leaf:
            assert taken(leaf, most=5000) == LONG[:5000]
            whole = leaf.whole()
    assert isinstance(whole, Source)
    assert whole.data == LONG


@pytest.mark.parametrize("packed", [LONG, gzip.compress(LONG)])
def test_what_may_not_be_held_is_given_in_pieces_and_refused_whole(packed: bytes, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(packed)
    with leaf_of(log, Limits(max_member_memory=1_000_000)) as leaf:
        assert taken(leaf, 100_000) == LONG
        whole = leaf.whole()
        assert isinstance(whole, Skipped)
        assert "larger than" in whole.why


def test_pieces_of_a_bomb_stop_at_the_limit(tmp_path: Path) -> None:
    bomb = tmp_path / "a.log.gz"
    bomb.write_bytes(gzip.compress(b"\0" * 20_000_000))
    with leaf_of(bomb, Limits(max_ratio=100, ratio_floor_bytes=1_000_000)) as leaf:
        taken(leaf, 100_000)
        assert leaf.stopped is not None
        assert "bomb" in leaf.stopped.why
        assert leaf.whole() == leaf.stopped


def test_pieces_of_a_cut_archive_end_with_its_damage(tmp_path: Path) -> None:
    cut = tmp_path / "a.log.gz"
    cut.write_bytes(gzip.compress(os.urandom(50_000))[:30_000])
    with leaf_of(cut) as leaf:
        assert 0 < len(taken(leaf)) < 50_000
        assert leaf.damage is not None


def agent_log(size: int, folder: Path) -> Path:
    log = folder / "var/log/waagent.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(agent_lines(size, 5, 0.02)))
    return log


def statuses(report: Report) -> dict[str, str]:
    return {row.source: row.status for row in report.coverage}


def test_a_log_that_may_not_be_held_is_read_all_the_same(tmp_path: Path) -> None:
    agent_log(300_000, tmp_path)
    small = Limits(max_member_memory=100_000)
    held, in_pieces = (scan([tmp_path], ScanOptions(limits=limits)).report for limits in (Limits(), small))
    assert statuses(in_pieces) == {"var/log/waagent.log": "read"}
    assert to_json(held) == to_json(in_pieces)


def test_one_that_is_not_plain_is_not(tmp_path: Path) -> None:
    log = agent_log(300_000, tmp_path)
    log.write_bytes(log.read_bytes().replace(b"\n", b"\r\n"))
    report = scan([tmp_path], ScanOptions(limits=Limits(max_member_memory=100_000))).report
    assert statuses(report) == {"var/log/waagent.log": "skipped"}
    assert "larger than" in report.coverage[0].why


def test_a_damaged_log_that_was_read_in_pieces_is_partial(tmp_path: Path) -> None:
    log = agent_log(300_000, tmp_path)
    data = gzip.compress(log.read_bytes())
    log.unlink()
    log.with_name("waagent.log.1.gz").write_bytes(data[: len(data) // 2])
    part, whole = (scan([tmp_path], ScanOptions(long_log=long)) for long in (1000, None))
    assert statuses(part.report)["var/log/waagent.log.1.gz!waagent.log.1"] == "partial"
    assert part.unread == whole.unread
    assert to_json(part.report) == to_json(whole.report)


def test_of_a_log_that_is_there_twice_one_is_read(tmp_path: Path) -> None:
    log = agent_log(300_000, tmp_path / "first")
    copy = tmp_path / "second/var/log/waagent.log"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(log.read_bytes())
    inputs = [tmp_path / "first", tmp_path / "second"]
    part, whole = (scan(inputs, ScanOptions(long_log=long)).report for long in (1000, None))
    assert [row.why for row in part.coverage if row.status == "skipped"] == [
        "the same bytes as first/var/log/waagent.log, which is read"
    ]
    assert to_json(part) == to_json(whole)


def test_short_files_are_not_given_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(LOG)
    (item,) = walk_in_pieces([log], len(LOG))
    assert isinstance(item, Source)

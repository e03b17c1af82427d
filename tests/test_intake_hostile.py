"""Hostile and damaged input: nothing leaves the bundle, nothing explodes, nothing raises, nothing vanishes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import socket
import stat
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import py7zr
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loganalyzer.intake import Archive, Limits, Skipped, walk
from loganalyzer.source import Source

Items = Sequence[Source | Skipped | Archive]
TEXT = b"".join(b"2026-01-01T00:00:00.%06dZ INFO line\n" % number for number in range(400))
LEAVES = "path leaves the bundle"


def scan(data: bytes, limits: Limits | None = None) -> Items:
    return list(walk(["-"], limits, io.BytesIO(data)))


def sources(items: Items) -> dict[str, bytes]:
    return {item.path: item.data for item in items if isinstance(item, Source)}


def reasons(items: Items) -> dict[str, tuple[str, bool]]:
    return {item.path: (item.why, item.by_design) for item in items if isinstance(item, Skipped)}


def archive(items: Items, path: str = "stdin") -> Archive:
    (found,) = [item for item in items if isinstance(item, Archive) and item.path == path]
    return found


def zip_of(files: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as out:
        for name, data in files:
            out.writestr(name, data, compress_type=method)
    return buffer.getvalue()


def sevenzip_of(files: Iterable[tuple[str, bytes]], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", **options) as out:
        for name, data in files:
            out.writestr(data, name)
    return buffer.getvalue()


def renamed(data: bytes, old: str, new: str) -> bytes:
    """Another name in a 7z whose header is not packed: py7zr itself writes no bad names."""
    assert len(old) == len(new)
    data = data.replace(old.encode("utf-16-le"), new.encode("utf-16-le"))
    return with_header(data, data[32 + int.from_bytes(data[12:20], "little") :])


def with_header(data: bytes, header: bytes) -> bytes:
    """The 7z with another header behind its packed bytes, and right checksums."""
    offset = int.from_bytes(data[12:20], "little")
    start = struct.pack("<QQL", offset, len(header), zlib.crc32(header))
    return data[:8] + struct.pack("<L", zlib.crc32(start)) + start + data[32 : 32 + offset] + header


def plain_header(files: Iterable[tuple[str, bytes]], **options: Any) -> bytes:
    """A 7z whose header is not packed."""
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", **options) as out:
        out.set_encoded_header_mode(False)
        for name, data in files:
            out.writestr(data, name)
    return buffer.getvalue()


def zst_of(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


def tar_of(members: Iterable[tuple[str, bytes, bytes]]) -> bytes:
    """Members as (name, type, data)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            out.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/passwd", "\\\\host\\share\\x", "..\\evil", "C:\\Windows\\x", "c:evil", "a/.."],
)
def test_a_member_that_leaves_the_bundle_is_skipped_and_reported(name: str) -> None:
    for data in (zip_of([(name, b"x"), ("good", b"y")]), tar_of([(name, tarfile.REGTYPE, b"x"), ("good", b"0", b"y")])):
        items = scan(data)
        assert sources(items) == {"good": b"y"}
        assert list(reasons(items).values()) == [(LEAVES, True)]
        assert archive(items).members == 2


def test_a_nul_in_a_name_is_no_way_out() -> None:
    data = zip_of([("good.logXevil", b"x")]).replace(b"good.logXevil", b"good.log\0evil")
    assert reasons(scan(data)) == {"good.log\ufffdevil": (LEAVES, True)}


def test_control_characters_never_reach_a_report() -> None:
    items = scan(tar_of([("a\x1b[31m\nb", tarfile.REGTYPE, b"x")]))
    assert sources(items) == {"a\ufffd[31m\ufffdb": b"x"}


def test_links_and_devices_of_a_tar_are_skipped_and_reported() -> None:
    kinds = {
        "symbolic": (tarfile.SYMTYPE, "symbolic link, not followed"),
        "hard": (tarfile.LNKTYPE, "hard link, not followed"),
        "char": (tarfile.CHRTYPE, "device"),
        "block": (tarfile.BLKTYPE, "device"),
        "fifo": (tarfile.FIFOTYPE, "FIFO"),
    }
    members = [(name, kind, b"") for name, (kind, _) in kinds.items()]
    items = scan(tar_of([*members, ("folder", tarfile.DIRTYPE, b""), ("good", tarfile.REGTYPE, b"y")]))
    assert reasons(items) == {name: (why, True) for name, (_, why) in kinds.items()}
    assert sources(items) == {"good": b"y"}


@pytest.mark.parametrize(
    ("mode", "why"), [(stat.S_IFLNK, "symbolic link, not followed"), (stat.S_IFCHR, "no regular file")]
)
def test_links_and_devices_of_a_zip_are_skipped_and_reported(mode: int, why: str) -> None:
    info = zipfile.ZipInfo("x")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    assert reasons(scan(zip_of([(info, b"/etc/passwd")]))) == {"x": (why, True)}


def test_links_pipes_and_sockets_of_a_directory_are_skipped_and_reported(tmp_path: Path) -> None:
    secret = tmp_path / "outside"
    secret.mkdir()
    (secret / "secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").symlink_to(secret / "secret")
    (root / "folder").symlink_to(secret, target_is_directory=True)
    (root / "broken").symlink_to("nowhere")
    (root / "loop").symlink_to(".")
    os.mkfifo(root / "pipe")
    (root / "good").write_bytes(b"y")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "sock"))
        items = list(walk([root]))
    link = ("symbolic link, not followed", True)
    expected = dict.fromkeys(("broken", "file", "folder", "loop"), link)
    assert reasons(items) == expected | {"pipe": ("FIFO", True), "sock": ("socket", True)}
    assert sources(items) == {"good": b"y"}


def test_an_input_that_is_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (item,) = walk([tmp_path / "pipe"])
    assert isinstance(item, Skipped)
    assert item.by_design
    assert "FIFO" in item.why


def test_directories_deeper_than_any_recursion_are_walked(tmp_path: Path) -> None:
    folders = [str(tmp_path) + "/d" * depth for depth in range(1, 1101)]
    for folder in folders:
        os.mkdir(folder)  # noqa: PTH102
    log = Path(folders[-1] + "/a.log")
    log.write_bytes(b"x")
    items = list(walk([tmp_path]))
    log.unlink()  # by hand: the clean-up of pytest is recursive
    for folder in reversed(folders):
        os.rmdir(folder)  # noqa: PTH106
    assert list(sources(items).values()) == [b"x"]


def test_an_encrypted_member_is_skipped_and_reported() -> None:
    data = bytearray(zip_of([("secret", b"x" * 50), ("zgood", b"y")]))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    items = scan(bytes(data))
    assert reasons(items) == {"secret": ("encrypted", True)}
    assert sources(items) == {"zgood": b"y"}


def test_an_unknown_compression_is_skipped_with_its_name() -> None:
    data = bytearray(zip_of([("big", b"x" * 50)]))
    data[data.index(b"PK\x01\x02") + 10] = 9
    assert reasons(scan(bytes(data))) == {"big": ("compressed with method 9 (deflate64), which is not read", True)}


def fast_xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": fast_xz,
    "zst": zst_of,
}


def nested(depth: int) -> bytes:
    data = b"the log"
    for level in range(depth):
        data = zip_of([(f"{level}.zip" if level else "a.log", data)])
    return data


def test_archives_inside_archives_end_at_the_depth_limit() -> None:
    items = scan(nested(3))
    assert sources(items) == {"2.zip!1.zip!a.log": b"the log"}
    items = scan(nested(4))
    assert not sources(items)
    assert reasons(items) == {"3.zip!2.zip!1.zip": ("more than 3 archives inside each other", True)}
    assert sources(scan(nested(4), Limits(max_depth=4))) == {"3.zip!2.zip!1.zip!a.log": b"the log"}


def test_a_gz_that_holds_itself_deeper_and_deeper_ends_at_the_depth_limit() -> None:
    data = b"x"
    for _ in range(50):
        data = gzip.compress(data)
    items = scan(data)
    assert reasons(items) == {"stdin!stdin!stdin!stdin": ("more than 3 archives inside each other", True)}


ZEROS = b"\0" * (40 * 1024 * 1024)
BOMBS = {
    "gz": gzip.compress(ZEROS),
    "bz2": bz2.compress(ZEROS),
    "xz": lzma.compress(ZEROS),
    "zst": zst_of(ZEROS),
    "7z": sevenzip_of([("zeros", ZEROS)], filters=[{"id": py7zr.FILTER_LZMA2, "preset": 1}]),
    "7z of zstd": sevenzip_of([("zeros", ZEROS)], filters=[{"id": py7zr.FILTER_ZSTD, "level": 3}]),
    "zip": zip_of([("zeros", ZEROS)]),
    "tar.gz": gzip.compress(tar_of([("zeros", tarfile.REGTYPE, ZEROS)])),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_defused_by_ratio_by_size_and_by_memory(kind: str) -> None:
    mib = 1024 * 1024
    for limits, why in (
        (Limits(max_ratio=100, ratio_floor_bytes=mib), "expands more than 100 times"),
        (Limits(max_expanded_bytes=8 * mib, max_ratio=10**6), "more than 8 MiB came out of archives"),
        (Limits(max_member_memory=8 * mib, max_ratio=10**6), "larger than 8 MiB"),
    ):
        tracemalloc.start()
        items = scan(BOMBS[kind], limits)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert not sources(items)
        assert any(reason.startswith(why) and by_design for reason, by_design in reasons(items).values()), why
        assert peak < 36 * mib


def test_the_default_ratio_stops_bz2_but_lets_a_log_of_equal_lines_pass() -> None:
    assert reasons(scan(BOMBS["bz2"] * 4))
    assert sources(scan(gzip.compress(TEXT * 1000))) == {"stdin!stdin": TEXT * 1000}


def test_members_before_and_after_a_bomb_are_read() -> None:
    data = zip_of([("a", b"1"), ("bomb", ZEROS), ("c", b"3")])
    items = scan(data, Limits(max_member_memory=1024))
    assert sources(items) == {"a": b"1", "c": b"3"}
    assert archive(items) == Archive("stdin", "zip", len(data), 3, None)
    data = tar_of([("a", b"0", b"1"), ("bomb", b"0", ZEROS), ("c", b"0", b"3")])
    assert sources(scan(data, Limits(max_member_memory=1024))) == {"a": b"1", "c": b"3"}


def overlapping_zip(count: int) -> bytes:
    """Many names for one and the same compressed member."""
    one = zip_of([("000000", ZEROS + random.Random(5).randbytes(20_000))])
    directory = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry = one[directory:end]
    entries = b"".join(entry.replace(b"000000", b"%06d" % number) for number in range(count))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), directory, 0)
    return one[:directory] + entries + tail


def test_overlapping_members_are_counted_by_what_really_comes_out() -> None:
    items = scan(overlapping_zip(50), Limits(max_expanded_bytes=100 * 1024 * 1024, max_ratio=10**6))
    assert len(sources(items)) == 2
    assert len(reasons(items)) == 48
    items = scan(overlapping_zip(5))
    assert len(sources(items)) == 1  # together they give far more than 1000 bytes for each byte of the zip
    assert {why for why, _ in reasons(items).values()} == {"expands more than 1000 times: an archive bomb"}


def test_more_members_than_the_limit_are_not_looked_at(tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(20)]
    for data in (zip_of([(name, b"x") for name in names]), tar_of([(name, b"0", b"x") for name in names])):
        items = scan(data, Limits(max_members=5))
        assert list(sources(items)) == names[:5]
        assert reasons(items) == {"stdin": ("more than 5 files: the rest was not looked at", True)}
        assert archive(items).members == 5
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    items = list(walk([tmp_path], Limits(max_members=5)))
    assert list(sources(items)) == names[:5]
    assert reasons(items) == {".": ("more than 5 files: the rest was not looked at", True)}


def test_a_zip_directory_with_room_for_far_too_many_members_is_not_read_into_memory() -> None:
    entry = b"PK\x01\x02".ljust(46, b"\0")
    data = b"PK\x03\x04" + bytes(26) + entry * 40_000
    data += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 40_000, 40_000, len(entry) * 40_000, 30, 0)
    items = scan(data, Limits(max_members=10))
    assert reasons(items) == {"stdin": ("its directory has room for more members than the limit allows", True)}


def test_an_endless_extended_tar_header_is_not_read_into_memory() -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 5 * 1024**3
    items = scan(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    assert archive(items).damage == "an extended header of 5368709120 bytes"


def test_a_zip_member_with_a_wrong_checksum_is_given_with_the_damage() -> None:
    data = bytearray(zip_of([("a.log", TEXT), ("b.log", b"good")]))
    data[data.index(b"PK\x01\x02") + 16] ^= 0xFF
    items = scan(bytes(data))
    assert sources(items) == {"a.log": TEXT, "b.log": b"good"}
    assert archive(items).damage == "a.log: wrong checksum (CRC-32)"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_member_broken_in_the_middle_never_costs_the_others(method: int) -> None:
    noise = random.Random(1).randbytes(200_000)
    data = bytearray(zip_of([("a", b"log" + noise), ("b", b"good")], method))
    data[100_000:100_010] = b"\xff" * 10
    items = scan(bytes(data))
    assert sources(items)["b"] == b"good"
    assert "a: " in (archive(items).damage or "")


def test_of_a_broken_gz_everything_before_the_break_is_given() -> None:
    compressed = bytearray(gzip.compress(TEXT))
    compressed[-5] ^= 0xFF  # the checksum
    items = scan(bytes(compressed))
    assert sources(items) == {"stdin!stdin": TEXT}
    assert "incorrect data check" in (archive(items).damage or "")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_a_truncated_compressed_file_is_reported_and_the_rest_is_read(kind: str) -> None:
    text = TEXT + random.Random(2).randbytes(1_000_000).hex().encode()
    data = COMPRESS[kind](text)
    items = scan(data[: len(data) * 2 // 3])
    (got,) = sources(items).values()
    assert text.startswith(got)
    assert len(got) > len(text) // 4
    assert "the compressed data end early" in (archive(items).damage or "")


@pytest.mark.parametrize("kind", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_a_truncated_tar_gives_whole_members_and_the_beginning_of_the_last(kind: str) -> None:
    big = random.Random(3).randbytes(1_000_000).hex().encode()
    data = tar_of([("a.log", b"0", TEXT), ("b.log", b"0", big), ("c.log", b"0", b"lost")])
    data = COMPRESS[kind.removeprefix(".")](data)
    items = scan(data[: len(data) * 3 // 4])
    found = sources(items)
    assert found["a.log"] == TEXT
    assert big.startswith(found["b.log"])
    assert 0 < len(found["b.log"]) < len(big)
    row = archive(items)
    assert row.kind == "tar" + kind
    assert "b.log: " in (row.damage or "")


def test_a_tar_cut_between_two_members_is_reported() -> None:
    data = tar_of([("a", b"0", b"1"), ("b", b"0", b"2")])
    items = scan(data[:1024])
    assert sources(items) == {"a": b"1"}
    assert archive(items).damage == "the tar has no end mark: it may be cut"


def test_a_bad_header_in_the_middle_of_a_tar_is_not_taken_for_its_end() -> None:
    data = bytearray(tar_of([("a", b"0", b"1"), ("b", b"0", b"2"), ("c", b"0", b"3")]))
    data[1024:1030] = b"broken"
    items = scan(bytes(data))
    assert sources(items) == {"a": b"1"}
    assert archive(items).damage == "bad checksum"


def test_bytes_behind_the_end_of_an_archive_are_reported() -> None:
    assert "were not read" in (archive(scan(tar_of([("a", b"0", b"1")]) + b"more")).damage or "")
    items = scan(gzip.compress(b"log") + b"more")
    assert sources(items) == {"stdin!stdin": b"log"}
    assert "further bytes follow" in (archive(items).damage or "")


def streamed_zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip as a pipe gets it: the sizes follow the data."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files:
            out.writestr(name, data)
    return pipe.getvalue()


@pytest.mark.parametrize("pack", [zip_of, streamed_zip])
def test_a_zip_without_its_directory_is_read_by_the_headers_of_its_members(
    pack: Callable[[Iterable[tuple[str, bytes]]], bytes],
) -> None:
    noise = random.Random(4).randbytes(50_000)
    data = pack([("a.log", TEXT), ("b/c.log", b"good"), ("d.log", b"log" + noise)])
    items = scan(data[: data.index(b"PK\x01\x02") - 1000])
    found = sources(items)
    assert found["a.log"] == TEXT
    assert found["b/c.log"] == b"good"
    assert (b"log" + noise).startswith(found["d.log"])
    row = archive(items)
    assert row.members == 3
    assert row.damage is not None
    assert row.damage.startswith("no readable central directory")
    assert "d.log: " in row.damage


def test_a_damaged_archive_in_an_archive_leaves_the_outer_one_whole() -> None:
    broken = gzip.compress(TEXT)[:-300]
    items = scan(zip_of([("a.log.gz", broken), ("b.log", b"good")]))
    assert TEXT.startswith(sources(items)["a.log.gz!a.log"])
    assert archive(items, "a.log.gz").damage is not None
    assert archive(items).damage is None
    assert sources(items)["b.log"] == b"good"


def test_an_archive_of_which_nothing_can_be_read_is_reported() -> None:
    items = scan(b"\x1f\x8b\x08" + b"\xff" * 40)
    assert not sources(items)
    assert [by_design for _, by_design in reasons(items).values()] == [False]
    assert archive(items).damage


FILTERS = {
    "LZMA2": [{"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "LZMA": [{"id": py7zr.FILTER_LZMA}],
    "deflate": [{"id": py7zr.FILTER_DEFLATE}],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "zstd": [{"id": py7zr.FILTER_ZSTD, "level": 3}],
    "copy": [{"id": py7zr.FILTER_COPY}],
    "delta": [{"id": py7zr.FILTER_DELTA}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "branches": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
}


@pytest.mark.parametrize("method", FILTERS)
def test_a_7z_of_any_usual_method_is_read_whole(method: str) -> None:
    files = {"a.log": TEXT * 20, "folder/b.log": b"", "c.log": b"log" + random.Random(6).randbytes(300_000)}
    items = scan(sevenzip_of(files.items(), filters=FILTERS[method]))
    assert sources(items) == files
    assert archive(items).damage is None


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        ([{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 20}], "compressed with PPMd, which is not read"),
        ([{"id": py7zr.FILTER_BROTLI, "level": 1}], "compressed with Brotli, which is not read"),
        (
            [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA}],
            "compressed with a branch filter behind another method than LZMA2, which is not read",
        ),
    ],
)
def test_a_method_of_7z_that_is_not_read_is_named(filters: list[dict[str, int]], why: str) -> None:
    assert reasons(scan(sevenzip_of([("a.log", TEXT)], filters=filters))) == {"a.log": (why, True)}


def test_an_encrypted_7z_is_skipped_and_reported_with_and_without_its_names() -> None:
    assert reasons(scan(sevenzip_of([("a.log", TEXT)], password="x"))) == {"a.log": ("encrypted", True)}
    items = scan(sevenzip_of([("a.log", TEXT)], password="x", header_encryption=True))
    assert reasons(items) == {"stdin": ("its list of files is encrypted", True)}


@pytest.mark.parametrize("name", ["../evi", "a/../x", "/etc/p", "\\\\ho\\x", "C:\\Wind"])
def test_a_member_of_a_7z_that_leaves_the_bundle_is_skipped_and_the_others_are_read(name: str) -> None:
    stand_in = "d" * len(name)
    data = renamed(plain_header([(stand_in, b"x"), ("good", b"y")]), stand_in, name)
    items = scan(data)
    assert sources(items) == {"good": b"y"}
    assert list(reasons(items).values()) == [(LEAVES, True)]


def test_links_in_a_7z_are_skipped_and_equal_names_kept(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "link").symlink_to("real")
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as out:
        out.write(tmp_path / "real", "real")
        out.write(tmp_path / "link", "link")
        out.writestr(b"2", "real")
    items = scan(buffer.getvalue())
    assert sources(items) == {"real": b"1", "real#2": b"2"}
    assert reasons(items) == {"link": ("symbolic link, not followed", True)}


def test_a_bomb_in_a_solid_7z_costs_only_the_members_behind_it_that_a_limit_keeps_out() -> None:
    data = sevenzip_of([("a", b"1"), ("bomb", ZEROS), ("c", b"3")])
    items = scan(data, Limits(max_member_memory=1024 * 1024, max_ratio=10**6))
    assert sources(items) == {"a": b"1", "c": b"3"}
    items = scan(data, Limits(max_ratio=100, ratio_floor_bytes=1024 * 1024))
    assert sources(items) == {"a": b"1"}
    assert reasons(items) == dict.fromkeys(("bomb", "c"), ("expands more than 100 times: an archive bomb", True))


def test_a_7z_with_a_flipped_bit_gives_what_comes_before_it() -> None:
    noise = b"log" + random.Random(7).randbytes(300_000)
    data = bytearray(sevenzip_of([("a.log", TEXT), ("b.bin", noise), ("c.log", TEXT)], filters=FILTERS["copy"]))
    data[32 + len(TEXT) + 100_000] ^= 1
    items = scan(bytes(data))
    assert (sources(items)["a.log"], sources(items)["c.log"]) == (TEXT, TEXT)
    assert archive(items).damage == "b.bin: wrong checksum (CRC-32)"


def test_a_7z_without_its_end_says_that_its_list_of_files_is_missing() -> None:
    data = sevenzip_of([("a.log", TEXT)])
    items = scan(data[:-1])
    assert not sources(items)
    assert archive(items).damage == "cut: a 7z has its header at its end, and that is missing"


def test_a_7z_that_declares_far_too_many_members_is_not_built_in_memory() -> None:
    whole = sevenzip_of([("a.log", TEXT)])
    many = b"\x01\x05\xe0" + (50_000).to_bytes(3, "little") + bytes(60_000)
    assert reasons(scan(with_header(whole, many), Limits(max_members=1000))) == {
        "stdin": ("its header has room for more members than the limit allows", True)
    }
    huge = b"\x01\x05\xe0" + (4_000_000).to_bytes(3, "little") + bytes(5_000_000)
    tracemalloc.start()
    items = scan(with_header(whole, huge))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reasons(items) == {"stdin": ("its header has room for more members than the limit allows", True)}
    assert peak < 40 * 1024 * 1024


def test_a_zst_that_asks_for_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    items = scan(compressor.compress(TEXT) + compressor.flush())
    assert "too much memory" in (archive(items).damage or "")


def test_a_zst_of_several_frames_and_frames_to_skip_is_read_to_its_end() -> None:
    skipped = b"\x5a\x2a\x4d\x18\x04\0\0\0none"
    items = scan(skipped + zst_of(b"one\n") + skipped + zst_of(b"two\n"))
    assert sources(items) == {"stdin!stdin": b"one\ntwo\n"}
    assert archive(items).damage is None


def test_a_zip_member_may_be_compressed_with_zstd() -> None:
    data = bytearray(zip_of([("a.log", zst_of(TEXT))], zipfile.ZIP_STORED))
    for signature, method, size, crc in ((b"PK\x03\x04", 8, 22, 14), (b"PK\x01\x02", 10, 24, 16)):
        place = data.index(signature)
        data[place + method : place + method + 2] = (93).to_bytes(2, "little")
        data[place + size : place + size + 4] = len(TEXT).to_bytes(4, "little")
        data[place + crc : place + crc + 4] = zlib.crc32(TEXT).to_bytes(4, "little")
    items = scan(bytes(data))
    assert sources(items) == {"a.log": TEXT}
    assert archive(items).damage is None


MAGICS = [
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x03\x04" + bytes(18) + b"PK\x01\x02",
    b"\x1f\x8b\x08",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"BZh91AY&SY",
    b"\xfd7zXZ\x00",
    b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46",
    bytes(257) + b"ustar\x0000",
    b"7z\xbc\xaf\x27\x1c",
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"",
]
SMALL = Limits(max_expanded_bytes=1 << 22, max_member_memory=1 << 20, max_members=100)


@settings(max_examples=100, deadline=None)
@given(magic=st.sampled_from(MAGICS), rest=st.binary(min_size=1, max_size=1500))
@example(magic=b"PK\x05\x06", rest=b"\xff" * 18)
def test_random_bytes_behind_a_magic_never_raise_and_are_always_answered(magic: bytes, rest: bytes) -> None:
    assert scan(magic + rest, SMALL)


WHOLE = {
    "zip": zip_of([("a", TEXT), ("b/c.gz", gzip.compress(TEXT)), ("d", b"x")]),
    "streamed zip": streamed_zip([("a", TEXT), ("d", b"x")]),
    "bzip2 zip": zip_of([("a", TEXT)], zipfile.ZIP_BZIP2),
    "lzma zip": zip_of([("a", TEXT)], zipfile.ZIP_LZMA),
    "tar": tar_of([("a", b"0", TEXT), ("ä" * 120, b"0", TEXT), ("l", tarfile.SYMTYPE, b"")]),
    "tar.xz": lzma.compress(tar_of([("a", b"0", TEXT)])),
    "gz": gzip.compress(TEXT) + gzip.compress(TEXT),
    "bz2": bz2.compress(TEXT),
    "zst": zst_of(TEXT) + zst_of(TEXT),
    "tar.zst": zst_of(tar_of([("a", b"0", TEXT)])),
    "7z": sevenzip_of([("a", TEXT), ("b/c.gz", gzip.compress(TEXT)), ("d", b"x"), ("e", b"")]),
    "7z with a plain header": plain_header([("a", TEXT), ("d", b"x")], filters=[{"id": py7zr.FILTER_COPY}]),
}


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_archive_never_raises_and_ends_with_its_row(
    kind: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(WHOLE[kind])
    for place, value in flips:
        data[int(place * len(data))] = value
    data = data[: 1 + int(cut * (len(data) - 1))]
    items = scan(bytes(data), SMALL)
    assert items
    assert all(isinstance(item, Source | Skipped | Archive) for item in items)
    for item in items:
        assert not any(ord(character) < 32 for character in item.path)
    for source in sources(items):
        assert not source.startswith("/")
        assert ".." not in source.split("/")


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, len(WHOLE["zip"]) - 1))
def test_a_truncated_zip_always_tells_its_damage(cut: int) -> None:
    items = scan(WHOLE["zip"][:cut])
    if cut >= 4:
        assert archive(items).damage
    else:
        assert sources(items) == {"stdin": WHOLE["zip"][:cut]}


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for data in (*WHOLE.values(), zip_of([("../evil", b"x")])):
        assert scan(data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", WHOLE)
def test_a_small_memory_limit_does_not_make_a_whole_archive_look_damaged(kind: str) -> None:
    items = scan(WHOLE[kind], SMALL)
    assert TEXT in [data[: len(TEXT)] for data in sources(items).values()]
    assert archive(items).damage is None


def test_the_same_input_gives_the_same_items_in_the_same_order() -> None:
    assert len(WHOLE) > 5
    for data in WHOLE.values():
        assert scan(data) == scan(data)


def test_the_inflater_ends_where_input_and_output_end_together() -> None:
    for size in (256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1 << 20):
        data = zlib.compress(b"x", 9, wbits=31) if size == 0 else gzip.compress(b"a" * size)
        items = scan(data)
        assert [len(found) for found in sources(items).values()] == [size]
        assert archive(items).damage is None

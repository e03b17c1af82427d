"""The walk over well-made bundles: every packing, order, names, several inputs, standard input, limits."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import py7zr
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loganalyzer.errors import BundleError, UsageError
from loganalyzer.intake import Archive, Limits, Skipped, recognise_layout, relative, walk
from loganalyzer.source import Source

LOG = b"2026-01-01T00:00:00.000000Z INFO ExtHandler ExtHandler started\n" * 3
HISTORY = "var/lib/waagent/history/2026-01-01T00-00-00__1.zip"


def zip_of(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tar_of(files: Mapping[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def sevenzip_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return buffer.getvalue()


def zst_of(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def directory_of(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


BUNDLE = {
    "etc/waagent.conf": b"Extensions.Enabled=y\n",
    "var/log/waagent.log": LOG,
    "var/log/waagent.log.1.gz": gzip.compress(LOG * 2),
    "var/log/syslog.2.xz": lzma.compress(LOG * 3),
    "var/log/syslog.3.bz2": bz2.compress(LOG * 4),
    "var/log/syslog.4.zst": zst_of(LOG * 5),
    "var/log/empty.log": b"",
    HISTORY: zip_of({"GoalState.xml": b"<GoalState/>", "history.log": LOG}),
}
EXPECTED = {
    "etc/waagent.conf": b"Extensions.Enabled=y\n",
    "var/log/waagent.log": LOG,
    "var/log/waagent.log.1.gz!waagent.log.1": LOG * 2,
    "var/log/syslog.2.xz!syslog.2": LOG * 3,
    "var/log/syslog.3.bz2!syslog.3": LOG * 4,
    "var/log/syslog.4.zst!syslog.4": LOG * 5,
    "var/log/empty.log": b"",
    f"{HISTORY}!GoalState.xml": b"<GoalState/>",
    f"{HISTORY}!history.log": LOG,
}


def under(prefix: str) -> dict[str, bytes]:
    return {prefix + name: data for name, data in BUNDLE.items()}


PACKINGS: dict[str, Callable[[], bytes]] = {
    "zip": lambda: zip_of(BUNDLE),
    "stored zip": lambda: zip_of(BUNDLE, zipfile.ZIP_STORED),
    "bzip2 zip": lambda: zip_of(BUNDLE, zipfile.ZIP_BZIP2),
    "lzma zip": lambda: zip_of(BUNDLE, zipfile.ZIP_LZMA),
    "zip with a wrapping folder": lambda: zip_of(under("myvm-logs/")),
    "zip of a Mac": lambda: zip_of({**under("myvm-logs/"), "__MACOSX/myvm-logs/._x": b"x"}),
    "backslash zip": lambda: zip_of({name.replace("/", "\\"): data for name, data in under("logs/").items()}),
    "tar": lambda: tar_of(BUNDLE),
    "ustar": lambda: tar_of(BUNDLE, tarfile.USTAR_FORMAT),
    "tar.gz with ./": lambda: gzip.compress(tar_of(under("./"))),
    "gnu tar.bz2": lambda: bz2.compress(tar_of(under("./a/"), tarfile.GNU_FORMAT)),
    "tar.xz": lambda: lzma.compress(tar_of(BUNDLE)),
    "tar.zst": lambda: zst_of(tar_of(under("./"))),
    "7z": lambda: sevenzip_of(BUNDLE),
    "7z with a wrapping folder": lambda: sevenzip_of(under("myvm-logs/")),
    "7z in a zip": lambda: zip_of({"logs.7z": sevenzip_of(BUNDLE)}),
    "zip in a 7z": lambda: sevenzip_of({"logs.zip": zip_of(BUNDLE)}),
    "zip in a tar.gz": lambda: gzip.compress(tar_of({"logs.zip": zip_of(BUNDLE)})),
    "7z in a tar.zst": lambda: zst_of(tar_of({"logs.7z": sevenzip_of(BUNDLE)})),
    "zip in a zip": lambda: zip_of({"logs.zip": zip_of(BUNDLE)}),
    "tar.gz in a zip": lambda: zip_of({"x/logs.tgz": gzip.compress(tar_of(under("./")))}),
    "zip in a tar": lambda: tar_of({"./logs.zip": zip_of(under("wrap/"))}),
    "zip in a gz": lambda: gzip.compress(zip_of(BUNDLE)),
}


def sources(items: Sequence[Source | Skipped | Archive]) -> dict[str, bytes]:
    return {item.path: item.data for item in items if isinstance(item, Source)}


def skipped(items: Sequence[Source | Skipped | Archive]) -> dict[str, Skipped]:
    return {item.path: item for item in items if isinstance(item, Skipped)}


def archives(items: Sequence[Source | Skipped | Archive]) -> dict[str, Archive]:
    return {item.path: item for item in items if isinstance(item, Archive)}


@pytest.fixture
def packed(tmp_path: Path) -> Callable[..., Path]:
    def write(data: bytes, name: str = "bundle.bin") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_a_directory_gives_its_files_and_what_lies_in_its_archives(tmp_path: Path) -> None:
    items = list(walk([directory_of(tmp_path, BUNDLE)]))
    assert sources(items) == EXPECTED
    assert not skipped(items)
    rows = archives(items)
    assert {path: (row.kind, row.members, row.damage) for path, row in rows.items()} == {
        HISTORY: ("zip", 2, None),
        "var/log/syslog.2.xz": ("xz", 1, None),
        "var/log/syslog.3.bz2": ("bz2", 1, None),
        "var/log/syslog.4.zst": ("zst", 1, None),
        "var/log/waagent.log.1.gz": ("gz", 1, None),
    }
    assert all(row.size == len(BUNDLE[path]) for path, row in rows.items())


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_gives_the_same_relative_paths_and_bytes(
    packing: str, packed: Callable[..., Path], tmp_path: Path
) -> None:
    items = list(walk([packed(PACKINGS[packing]())]))
    found = {path: data for path, data in sources(items).items() if "__MACOSX" not in path}
    layout = recognise_layout(list(sources(items)))
    assert {relative(path, layout.root): data for path, data in found.items()} == EXPECTED
    assert layout.name == "plain-copy"
    assert not skipped(items)
    assert all(row.damage is None for row in archives(items).values())


def test_the_members_of_the_only_input_have_no_prefix_and_the_archive_comes_last(packed: Callable[..., Path]) -> None:
    path = packed(zip_of({"b.log": b"b", "a.log": b"a"}), "bundle.zip")
    items = list(walk([path]))
    assert [item.path for item in items] == ["a.log", "b.log", "bundle.zip"]
    assert items[-1] == Archive("bundle.zip", "zip", path.stat().st_size, 2, None)


def test_the_order_of_a_directory_and_of_a_zip_of_it_is_the_same(tmp_path: Path, packed: Callable[..., Path]) -> None:
    files = dict.fromkeys(("b/z", "a.b", "a/c", "a/b/c", "B", "a-b/c", "ä"), b"x")
    directory = directory_of(tmp_path / "d", files)
    of_directory = [item.path for item in walk([directory])]
    of_zip = [item.path for item in walk([packed(zip_of(files))]) if isinstance(item, Source)]
    assert of_directory == of_zip == ["B", "a/b/c", "a/c", "a-b/c", "a.b", "b/z", "ä"]


def test_a_tar_is_read_in_the_order_of_the_archive(packed: Callable[..., Path]) -> None:
    items = list(walk([packed(tar_of({"b": b"b", "a": b"a"}))]))
    assert [item.path for item in items] == ["b", "a", "bundle.bin"]


def test_the_kind_is_told_by_content_and_not_by_name(packed: Callable[..., Path]) -> None:
    assert sources(list(walk([packed(zip_of({"a": b"1"}), "no-suffix")]))) == {"a": b"1"}
    assert sources(list(walk([packed(b"plain text\n", "text.zip")]))) == {"text.zip": b"plain text\n"}


def test_a_compressed_file_is_named_without_its_suffix_inside(packed: Callable[..., Path]) -> None:
    items = list(walk([packed(gzip.compress(LOG), "waagent.log.1.gz")]))
    assert sources(items) == {"waagent.log.1.gz!waagent.log.1": LOG}
    source = items[0]
    assert isinstance(source, Source)
    assert source.name == "waagent.log.1"
    assert sources(list(walk([packed(gzip.compress(LOG), "renamed.log")]))) == {"renamed.log!renamed.log": LOG}


def test_concatenated_compressed_parts_are_read_to_the_end(packed: Callable[..., Path]) -> None:
    for compress in (gzip.compress, bz2.compress, lzma.compress, zst_of):
        items = list(walk([packed(compress(b"") + compress(b"one\n") + compress(b"two\n") + b"\0" * 512, "x")]))
        assert sources(items) == {"x!x": b"one\ntwo\n"}
        assert archives(items)["x"].damage is None


def test_a_large_compressed_file_is_read_whole(packed: Callable[..., Path]) -> None:
    data = os.urandom(700_000) + b"line\n" * 300_000
    for compress in (gzip.compress, bz2.compress, lzma.compress, zst_of):
        assert list(sources(list(walk([packed(compress(data), "x.z")]))).values()) == [data]


def test_long_names_of_every_tar_format_are_read(packed: Callable[..., Path]) -> None:
    name = "/".join(["directory" * 10] * 4) + "/waagent.log"
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert sources(list(walk([packed(tar_of({name: b"x", "next": b"y"}, format))]))) == {name: b"x", "next": b"y"}


def test_equal_names_in_an_archive_are_all_kept(packed: Callable[..., Path]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.log", b"1")
        for data in (b"2", b"3"):
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("a.log", data)
    assert sources(list(walk([packed(buffer.getvalue())]))) == {"a.log": b"1", "a.log#2": b"2", "a.log#3": b"3"}


def test_several_inputs_put_their_names_in_front_where_paths_could_meet(tmp_path: Path) -> None:
    first = directory_of(tmp_path / "one" / "logs", {"a.log": b"1"})
    second = directory_of(tmp_path / "two" / "logs", {"a.log": b"2"})
    archive = tmp_path / "b.zip"
    archive.write_bytes(zip_of({"a.log": b"3"}))
    single = directory_of(tmp_path, {"a.log": b"4"}) / "a.log"
    items = list(walk([first, str(second), archive, single]))
    assert sources(items) == {"logs/a.log": b"1", "logs#2/a.log": b"2", "b.zip!a.log": b"3", "a.log": b"4"}


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("packing", ["zip", "tar", "tar.gz with ./", "tar.xz", "tar.zst", "7z"])
def test_standard_input_may_be_any_archive(packing: str, seekable: bool) -> None:
    stream = io.BytesIO(PACKINGS[packing]())
    if not seekable:
        stream.seekable = lambda: False  # type: ignore[method-assign]
    items = list(walk(["-"], stdin=stream))
    assert sources(items) == EXPECTED
    assert "stdin" in archives(items)


def test_a_log_on_standard_input_is_a_source() -> None:
    assert sources(list(walk(["-"], stdin=io.BytesIO(LOG)))) == {"stdin": LOG}


def test_one_leaf_is_held_at_a_time(packed: Callable[..., Path]) -> None:
    path = packed(tar_of({f"{number}.log": LOG for number in range(5)}))
    items = walk([path])
    assert isinstance(items, Iterator)
    first = next(items)
    assert (first.path, isinstance(first, Source)) == ("0.log", True)


def test_a_symlink_that_is_the_input_is_followed(tmp_path: Path) -> None:
    directory_of(tmp_path / "real", {"a.log": b"1"})
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert sources(list(walk([tmp_path / "link"]))) == {"a.log": b"1"}


def test_an_empty_directory_yields_nothing(tmp_path: Path) -> None:
    assert list(walk([tmp_path])) == []


def test_an_empty_zip_and_an_empty_file_among_others_are_reported(tmp_path: Path) -> None:
    directory_of(tmp_path, {"a.zip": zip_of({}), "b.log": b""})
    items = list(walk([tmp_path / "a.zip", tmp_path / "b.log"]))
    assert items == [Archive("a.zip", "zip", 22, 0, None), Source("b.log", b"")]


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ([], UsageError),
        ([""], UsageError),
        (["-"], UsageError),
        (["no/such/file"], BundleError),
        (["a\0b"], BundleError),
    ],
)
def test_an_input_that_cannot_be_says_what_where_and_what_to_do(inputs: list[str], kind: type[BundleError]) -> None:
    with pytest.raises(kind) as caught:
        walk(inputs)
    assert caught.value.what
    assert caught.value.help


def test_an_input_of_no_bytes_is_refused(packed: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match="0 bytes"):
        walk([packed(b"")])
    with pytest.raises(BundleError, match="standard input"):
        list(walk(["-"], stdin=io.BytesIO()))


def test_a_file_that_cannot_be_opened_is_reported_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory_of(tmp_path, {"a.log": b"1", "b.log": b"2"})
    opened = Path.open

    def refuse(self: Path, mode: str = "r") -> object:
        if self.name == "a.log":
            raise PermissionError(13, "Permission denied")
        return opened(self, mode)

    monkeypatch.setattr(Path, "open", refuse)
    assert list(walk([tmp_path])) == [
        Skipped("a.log", 1, "cannot be read: Permission denied", False),
        Source("b.log", b"2"),
    ]


def test_a_file_that_breaks_off_while_it_is_read_keeps_what_was_read() -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= 10:
                raise OSError(5, "Input/output error")
            return super().read(10)

    items = list(walk(["-"], stdin=Breaking(b"0123456789rest")))
    assert items[0] == Source("stdin", b"0123456789", "Input/output error")
    assert isinstance(items[1], Skipped)
    assert (items[1].why, items[1].by_design) == ("cannot be read to its end: Input/output error", False)


def test_a_format_that_is_not_read_is_named_with_the_way_out(tmp_path: Path) -> None:
    directory_of(tmp_path, {"x": b"Rar!\x1a\x07\x01\x00rest"})
    assert list(walk([tmp_path])) == [Skipped("x", 12, "rar archives are not read: pack the files as a zip", True)]


def test_limits_have_defaults_and_refuse_nonsense() -> None:
    limits = Limits()
    assert (limits.max_members, limits.max_depth, limits.max_ratio) == (100_000, 3, 1000)
    assert (limits.max_expanded_bytes, limits.max_member_memory) == (20 * 1024**3, 256 * 1024**2)
    with pytest.raises(UsageError, match="max_depth"):
        Limits(max_depth=0)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.text("abcÄ .-_#", min_size=1, max_size=6).filter(lambda name: name.strip(". ")),
        st.binary(max_size=300).map(lambda data: b"log:" + data),
        min_size=1,
        max_size=6,
    ),
    pack=st.sampled_from([zip_of, tar_of, lambda files: gzip.compress(tar_of(files)), sevenzip_of]),
)
def test_no_file_and_no_byte_is_lost(files: dict[str, bytes], pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    assert sources(list(walk(["-"], stdin=io.BytesIO(pack(files))))) == files

"""Text in every encoding and state of repair: the same entries, at true places, and no byte lost."""

from __future__ import annotations

import codecs
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.parser import (
    LINE_LIMIT,
    Entries,
    Grammar,
    ParseContext,
    Source,
    decode,
    read_entries,
    text_head,
)

HEAD = r"^(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?P<msg>.*)$"
GRAMMAR = Grammar("head", HEAD, "%Y-%m-%d %H:%M:%S", "utc")
LINES = ("2025-03-01 02:10:00 Größe – first", "  continued", "2025-03-01 02:10:01 café", "2025-03-01 02:10:02 last")
MESSAGES = ["Größe – first\n  continued", "café", "last"]

ENCODINGS: Mapping[str, tuple[bytes, str]] = {
    "UTF-8": (b"", "utf-8"),
    "UTF-8 with a mark": (codecs.BOM_UTF8, "utf-8"),
    "UTF-16 little": (b"", "utf-16-le"),
    "UTF-16 big": (b"", "utf-16-be"),
    "UTF-16 little with a mark": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "UTF-16 big with a mark": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "Windows-1252": (b"", "cp1252"),
}


def read(data: bytes) -> Entries:
    """Reads, and holds the result to the account of its bytes: every byte once, in order, parsed or rejected."""
    entries = read_entries(Source("a.log", data), [GRAMMAR], ParseContext())
    assert entries.parsed_bytes + entries.rejected_bytes == len(data)
    columns = ("log.offset", "log.length")
    places = sorted([*entries.rows.select(columns).rows(), *entries.rejected.select(columns).rows()])
    assert sum(length for _, length in places) == len(data)
    assert all(one[0] + one[1] == next_one[0] for one, next_one in itertools.pairwise(places))
    assert not places or (places[0][0], places[-1][0] + places[-1][1]) == (0, len(data))
    assert int(entries.rejected["log.length"].sum()) == entries.rejected_bytes
    assert entries.rejected["error.message"].null_count() == 0
    return entries


def messages(entries: Entries) -> list[str]:
    return entries.rows["message"].to_list()


def texts_at(entries: Entries, data: bytes, encoding: str) -> list[str]:
    """What the bytes say at the places of the entries."""
    places = entries.rows.select("log.offset", "log.length").rows()
    return [
        data[offset : offset + length].decode(encoding).lstrip("\ufeff").replace("\r\n", "\n").rstrip("\n")
        for offset, length in places
    ]


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("closed", [True, False])
def test_every_encoding_and_line_end_gives_the_same_entries_at_true_places(name: str, end: str, closed: bool) -> None:
    mark, encoding = ENCODINGS[name]
    data = mark + (end.join(LINES) + (end if closed else "")).encode(encoding)
    entries = read(data)
    assert messages(entries) == MESSAGES
    assert entries.rejected.is_empty()
    assert entries.lines == 4
    assert texts_at(entries, data, encoding) == entries.rows["event.original"].to_list()
    assert decode(data).splitlines() == list(LINES)
    assert text_head(data[: len(data) & ~1]).startswith(LINES[0])


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("zeros", [1, 2, 3, 40, 5000])
def test_zeros_behind_the_text_cost_no_line_of_it(name: str, zeros: int) -> None:
    mark, encoding = ENCODINGS[name]
    for text in ("\r\n".join(LINES), "\r\n".join(LINES) + "\r\n"):
        data = mark + text.encode(encoding) + b"\0" * zeros
        entries = read(data)
        assert messages(entries)[:2] == MESSAGES[:2]
        assert messages(entries)[2].startswith("last")
        if zeros > 3:
            assert entries.rejected_bytes >= zeros - 1
            assert set(entries.rejected["error.message"]) == {"not text: the line holds NUL characters"}


@pytest.mark.parametrize("name", [name for name in ENCODINGS if not ENCODINGS[name][0]])
@pytest.mark.parametrize("zeros", [2, 40, 5000])
def test_zeros_before_the_text_and_between_lines_cost_no_line_of_it(name: str, zeros: int) -> None:
    encoding = ENCODINGS[name][1]
    first, second = "\n".join(LINES[:2]) + "\n", "\n".join(LINES[2:]) + "\n"
    data = b"\0" * zeros + first.encode(encoding) + b"\0" * zeros + second.encode(encoding)
    entries = read(data)
    assert messages(entries) == MESSAGES
    assert entries.rejected["log.length"].to_list() == [zeros, zeros]
    assert entries.rejected["log.offset"].to_list() == [0, zeros + len(first.encode(encoding))]


@pytest.mark.parametrize("name", [name for name in ENCODINGS if not ENCODINGS[name][0]])
def test_a_file_torn_at_any_byte_keeps_its_whole_entries(name: str) -> None:
    """The collector keeps the last 30 MiB of a file, wherever that begins."""
    encoding = ENCODINGS[name][1]
    data = "\n".join(LINES * 3).encode(encoding)
    for start in range(1, 40):
        assert messages(read(data[start:]))[-6:] == MESSAGES * 2
    for cut in range(1, 40):
        assert messages(read(data[:-cut]))[:6] == MESSAGES * 2


def test_a_character_torn_off_at_either_end_does_not_make_a_file_windows_1252() -> None:
    entries = read(b"\xa4 rest\n2025-03-01 02:10:00 plain\n2025-03-01 02:10:01 end \xe2\x80")
    assert messages(entries) == ["\ufffd rest", "plain", "end \ufffd"]


def test_windows_1252_is_told_line_by_line_and_only_where_nothing_is_utf_8() -> None:
    head = "2025-03-01 02:10:00 "
    data = b"".join(
        head.encode() + text + b"\n"
        for text in (b"Gr\xf6\xdfe \x96 caf\xe9", "Größe".encode(), "é".encode() + b" \xe9", b"\xff\x81", b"plain")
    )
    assert messages(read(data)) == ["Größe – café", "Größe", "é \ufffd", "\ufffd\ufffd", "plain"]
    assert decode(data).split("\n")[0] == head + "Größe – café"


def test_a_line_beyond_the_limit_is_read_to_the_limit_and_the_rest_is_rejected_with_its_place() -> None:
    head, behind = "2025-03-01 02:10:00 ", "2025-03-01 02:10:01 next\n"
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        data = (head + "é" * (2 * LINE_LIMIT) + "\n" + behind).encode(encoding)
        entries = read(data)
        assert len(messages(entries)[0].encode(encoding)) == LINE_LIMIT - len(head.encode(encoding))
        assert set(messages(entries)[0]) == {"é"}
        assert messages(entries)[1:] == ["next"]
        (place, why) = entries.rejected.select("log.offset", "error.message").row(0)
        assert (place, "longer than 1024 KiB" in why) == (LINE_LIMIT, True)
        assert entries.rejected.height == 1


def test_a_character_is_not_torn_by_the_limit_of_a_line() -> None:
    for shift, letter, encoding in itertools.product(range(4), ("é", "漢", "😀"), ("utf-8", "utf-16-le", "utf-16-be")):
        data = ("\ufeff2025-03-01 02:10:00 " + "x" * shift + letter * LINE_LIMIT + "\n").encode(encoding)
        entries = read(data)
        assert "\ufffd" not in messages(entries)[0]
        assert LINE_LIMIT - 4 < entries.rejected["log.offset"][0] <= LINE_LIMIT + 3


def test_zeros_beyond_the_limit_of_a_line_are_padding_and_hide_nothing() -> None:
    padding = b"\0" * (2 * LINE_LIMIT)
    entries = read(padding + b"2025-03-01 02:10:00 a\n2025-03-01 02:10:01 b" + padding)
    assert messages(entries) == ["a", "b"]
    assert set(entries.rejected["error.message"]) == {"not text: the line holds NUL characters"}
    assert entries.rejected_bytes == 2 * len(padding)
    assert entries.rejected["event.original"].str.len_chars().max() == 1024


PIECES = st.sampled_from(
    [*LINES, "\n", "\r\n", "\r", "\0", "\0\0\0", "é", "😀", "\ufeff", "x" * 50, "\n\0", "\u0a00", "\u000a", "ÿ"]
)


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(PIECES, max_size=12),
    name=st.sampled_from(sorted(ENCODINGS)),
    start=st.integers(0, 5),
    cut=st.integers(0, 5),
    rest=st.binary(max_size=5),
)
def test_whatever_the_bytes_are_each_is_accounted_for_once(
    pieces: list[str], name: str, start: int, cut: int, rest: bytes
) -> None:
    mark, encoding = ENCODINGS[name]
    data = mark + "".join(pieces).encode(encoding, errors="replace")
    read(data[start : len(data) - cut] + rest)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_at_all_are_accounted_for_once(data: bytes) -> None:
    read(data)


FILLS: Mapping[str, Callable[[int], bytes]] = {
    "letters": lambda size: b"x" * size,
    "UTF-16": lambda size: b"x\0" * (size // 2),
    "Windows-1252": lambda size: b"\xe9" * size,
    "zeros": bytes,
    "any bytes": lambda size: os.urandom(size).replace(b"\n", b"-").replace(b"\0", b"-"),
}
MEASURE = """
import resource, sys
from pathlib import Path
from loganalyzer.pipeline import scan
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = scan([sys.argv[1]]).report
(row,) = [one for one in report.coverage if one.source.endswith("waagent.log")]
assert row.bytes == row.parsed_bytes + row.rejected_bytes + row.skipped_bytes == Path(sys.argv[2]).stat().st_size
assert row.events >= 2 and row.rejected >= 1, (row.events, row.rejected)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured with the resource module")
@pytest.mark.parametrize("fill", FILLS)
def test_a_line_of_200_mib_costs_little_more_than_its_bytes(fill: str, tmp_path: Path) -> None:
    size = 200
    line = b"2026-03-01T02:10:11.000123Z INFO ExtHandler ExtHandler started "
    encode = (lambda data: data.decode().encode("utf-16-le")) if fill == "UTF-16" else bytes
    log = tmp_path / "var" / "log" / "waagent.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(encode(line) + FILLS[fill](size << 20) + encode(b"\n" + line + b"\n"))
    done = subprocess.run([sys.executable, "-c", MEASURE, tmp_path, log], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2 * size, f"{done.stdout} MiB for a line of {size}"

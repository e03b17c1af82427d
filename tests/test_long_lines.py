"""Lines and documents beyond what is read of one: the rest is rejected at its place, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest

from loganalyzer import parser_json
from loganalyzer.parser import LINE_LIMIT, ParseContext, Parsed, Source
from loganalyzer.parser_json import JSON_LIMIT, UnreadableError, read_json
from loganalyzer.parser_listing import DOCUMENT_LIMIT, console_lines, unread
from loganalyzer.registry import recognise

FIRST = "Extensions.Enabled=n\n"


def read(path: str, data: bytes) -> tuple[list[Mapping[str, object]], Parsed]:
    source = Source(path, data)
    recognised = recognise(source)
    assert recognised is not None
    parsed = recognised.parser.parse(source, ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == source.size
    assert parsed.rejected["log.length"].sum() == parsed.rejected_bytes
    return [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)], parsed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"])
def test_an_overlong_line_ends_at_the_last_whole_character_within_the_limit(encoding: str, letter: str) -> None:
    if encoding == "cp1252" and letter not in "xé":
        pytest.skip("not a letter of Windows-1252")
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    data = f"{mark}first é\nab{letter * (LINE_LIMIT + 9)}\nlast\n".encode(encoding)
    lines = console_lines(data)
    assert [line.text for line in lines][::2] == ["first é", "last"]
    assert set(lines[1].text[2:]) == {letter}
    assert LINE_LIMIT - 4 < lines[1].length <= LINE_LIMIT
    assert [line.number for line in lines] == [1, 2, 3]
    [rest] = unread(Source("a.txt", data), lines)
    assert (rest.line.number, rest.line.offset) == (2, lines[1].offset + lines[1].length)
    assert rest.line.offset + rest.line.length == lines[2].offset
    assert rest.line.text.startswith(letter * 9)
    assert rest.why == "the line is longer than 1024 KiB: the rest of it was not read"


def test_lines_of_any_length_are_whole_where_they_are_asked_for() -> None:
    data = b"x" * (LINE_LIMIT + 5) + b"\ny"
    assert [line.length for line in console_lines(data, longest=None)] == [LINE_LIMIT + 6, 1]
    assert unread(Source("a.txt", data), console_lines(data, longest=None)) == []


def test_a_setting_behind_an_overlong_line_is_read() -> None:
    rows, parsed = read("etc/waagent.conf", f"{FIRST}Lib.Dir={'x' * LINE_LIMIT}\nOS.RootDeviceScsiTimeout=1\n".encode())
    assert [(row["key"], row["log.line"]) for row in rows] == [
        ("Extensions.Enabled", 1),
        ("Lib.Dir", 2),
        ("OS.RootDeviceScsiTimeout", 3),
    ]
    [rest] = parsed.rejected.iter_rows(named=True)
    assert (rest["log.line"], rest["log.offset"], rest["log.length"]) == (2, len(FIRST) + LINE_LIMIT, len("Lib.Dir=\n"))


def test_the_rest_of_an_overlong_writer_is_rejected_and_the_next_one_read() -> None:
    writer = "Writer name: '{}'\n   Writer Id: {{11111111-2222-3333-4444-555555555555}}\n   State: [1] Stable{}\n"
    text = writer.format("One", "") + writer.format("Two", " " * (LINE_LIMIT + 9)) + "\n" + writer.format("Three", "")
    rows, parsed = read("vss_writers.txt", b"vssadmin 1.1 - Volume Shadow Copy Service\n\n" + text.encode())
    assert [row["writer"] for row in rows] == ["One", "Two", "Three"]
    assert parsed.rejected["log.line"].to_list() == [8]


def test_the_rest_of_an_overlong_event_is_rejected() -> None:
    head = "Log Name:      System\nSource:        disk\nDate: 5/6/2024 7:08:01 PM\nEvent ID:      7\nLevel: Error\n"
    text = f"{head}Description:\n{'x' * (LINE_LIMIT + 9)}\n\n{head}Description:\nA bad block.\n"
    rows, parsed = read("events.txt", text.encode())
    assert [row["log.line"] for row in rows] == [1, 9]
    assert [(row["log.line"], row["log.length"]) for row in parsed.rejected.iter_rows(named=True)] == [(7, 10)]


def test_json_on_one_line_is_read_beyond_the_limit_of_text() -> None:
    entry = {"__REALTIME_TIMESTAMP": "1740795004000000", "MESSAGE": "x" * LINE_LIMIT, "_HOSTNAME": "vm01"}
    data = orjson.dumps(entry) + b"\n"
    assert LINE_LIMIT < len(data) < DOCUMENT_LIMIT
    rows, parsed = read("journal.json", data)
    assert [row["host.name"] for row in rows] == ["vm01"]
    assert parsed.rejected_bytes == 0


def test_a_json_document_beyond_the_limit_is_rejected_with_the_reason() -> None:
    with pytest.raises(UnreadableError, match="of more than 64 MiB is not read"):
        read_json(Source("a.json", b" " * (JSON_LIMIT + 1)))


def test_a_json_document_of_too_many_values_is_rejected_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_json, "JSON_VALUES", 9)
    assert read_json(Source("a.json", b"[[],[],[],[]]")) == [[], [], [], []]
    with pytest.raises(UnreadableError, match="of more than 9 values is not read"):
        read_json(Source("a.json", b"[[],[],[],[],[]]"))

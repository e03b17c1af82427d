"""The parser kit: encodings, true byte places, entries, times, claims."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.clock import between_neighbours, name_offset, nearest_offset, zone_offset
from loganalyzer.parser import (
    ENTRY_LIMIT,
    Entries,
    Grammar,
    ParseContext,
    Source,
    claim_by,
    cut_at_start,
    decode,
    read_entries,
    rejected_whole,
    text_head,
)
from loganalyzer.schema import REJECTED_COLUMNS, SHARED_COLUMNS

UTC_LINE = Grammar(
    "utc", r"^(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:(?P<level>[A-Z]+): )?(?P<msg>.*)$", "%F %T", "utc"
)
LOCAL_LINE = Grammar(
    "local", r"^(?P<ts>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) <(?P<who>\w+)> (?P<msg>.*)$", "%Y/%m/%d %T", "local"
)
GRAMMARS = (UTC_LINE, LOCAL_LINE)

TEXT = "2025-03-01 02:10:00 INFO: first\nsecond line\n2025-03-01 02:10:01 naïve – 漢字\n2025/03/01 03:10:02 <me> last\n"


def read(data: bytes | str, zone: str | None = None) -> Entries:
    raw = data.encode() if isinstance(data, str) else data
    entries = read_entries(Source("a.log", raw), GRAMMARS, ParseContext(zone))
    assert entries.parsed_bytes + entries.rejected_bytes == len(raw)
    assert int(entries.rows["log.length"].sum()) == entries.parsed_bytes
    assert {name: entries.rows.schema[name] for name in SHARED_COLUMNS} == dict(SHARED_COLUMNS)
    assert dict(entries.rejected.schema) == dict(REJECTED_COLUMNS)
    return entries


def messages(entries: Entries) -> list[str]:
    return entries.rows["message"].to_list()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_encoding_and_line_end_gives_the_same_entries_at_true_byte_places(encoding: str, end: str) -> None:
    data = TEXT.replace("\n", end).encode(encoding)
    entries = read(data)
    assert messages(entries) == ["first\nsecond line", "naïve – 漢字", "last"]
    assert entries.rows["log.level"].to_list() == ["INFO", None, None]
    assert entries.rows["log.line"].to_list() == [1, 3, 4]
    assert entries.rows["event.sequence"].to_list() == [0, 1, 2]
    assert entries.lines == 4
    bare = encoding.removesuffix("-sig") if encoding != "utf-16" else "utf-16-le"
    for offset, length, original in entries.rows.select("log.offset", "log.length", "event.original").rows():
        piece = data[offset : offset + length].decode(bare).replace("\r\n", "\n").lstrip("\ufeff")
        assert piece == original + "\n"


def test_utf_16_big_endian_with_a_mark_is_read() -> None:
    assert messages(read(b"\xfe\xff" + TEXT.encode("utf-16-be")))[0] == "first\nsecond line"


def test_a_torn_last_line_is_an_entry_of_its_bytes() -> None:
    entries = read("2025-03-01 02:10:00 whole\r\n2025-03-01 02:10:01 tor\r")
    assert messages(entries) == ["whole", "tor"]
    assert entries.rows["log.length"].to_list() == [27, 24]


def test_half_a_character_at_the_end_of_a_utf_16_file_belongs_to_the_last_entry() -> None:
    data = TEXT.encode("utf-16-le")[:-3]
    entries = read(data)
    assert entries.rows.height == 3
    assert entries.rows["log.offset"][-1] + entries.rows["log.length"][-1] == len(data)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b"\r\n", b"\r", b"\xff"])
def test_next_to_nothing_is_read_without_a_lost_byte(data: bytes) -> None:
    assert read(data).rows["@timestamp"].null_count() == (1 if data else 0)


def test_bad_bytes_of_utf_8_become_the_replacement_character_and_the_places_stay_true() -> None:
    entries = read(b"2025-03-01 02:10:00 \xc3\xa9 caf\xe9\n2025-03-01 02:10:01 b\n")
    assert messages(entries) == ["é caf\ufffd", "b"]
    assert entries.rows["log.offset"].to_list() == [0, 28]


def test_marks_of_direction_and_order_inside_a_line_are_dropped() -> None:
    assert messages(read("2025-03-01 02:10:00 a\n\ufeff2025-03-01 02:10:01 \u200eb\u200f\n")) == ["a", "b"]


def test_padding_of_nul_bytes_is_rejected_and_the_line_behind_it_is_read() -> None:
    entries = read(b"2025-03-01 02:10:00 a\n" + b"\0" * 40 + b"2025-03-01 02:10:01 b\n2025-03-01 02:10:02 c\0\0\n")
    assert messages(entries) == ["a", "b", "c"]
    assert entries.rows["log.offset"].to_list() == [0, 62, 84]
    assert entries.rows["log.line"].to_list() == [1, 2, 3]
    assert entries.rejected.select("log.offset", "log.length", "log.line").rows() == [(22, 40, 2), (105, 3, 3)]
    assert entries.lines == 3


def test_a_line_with_nul_inside_is_rejected_with_its_reason() -> None:
    entries = read(b"2025-03-01 02:10:00 a\n2025-03-01 02:10:01 b\0b\n")
    assert messages(entries) == ["a"]
    assert entries.rejected["event.original"].to_list() == ["2025-03-01 02:10:01 b\0b"]
    assert "NUL" in entries.rejected["error.message"][0]


def test_an_entry_interrupted_by_rejected_bytes_goes_on_in_a_further_one_so_that_places_stay_true() -> None:
    data = b"2025-03-01 02:10:00 a\nb\nx\0x\nc\n2025-03-01 02:10:01 d\n"
    entries = read(data)
    assert messages(entries) == ["a\nb", "c", "d"]
    assert entries.rows["grammar"].to_list() == ["utc", "overflow", "utc"]
    pieces = [data[start : start + length] for start, length in entries.rows.select("log.offset", "log.length").rows()]
    assert pieces == [b"2025-03-01 02:10:00 a\nb\n", b"c\n", b"2025-03-01 02:10:01 d\n"]
    assert entries.rows["@timestamp"][1] == entries.rows["@timestamp"][0]


def test_a_long_entry_overflows_into_further_entries_of_the_same_time_and_level() -> None:
    body = "x" * 999 + "\n"
    entries = read("2025-03-01 02:10:00 WARN: head\n" + body * 140 + "2025-03-01 02:10:01 next\n")
    assert entries.rows["grammar"].to_list() == ["utc", "overflow", "overflow", "utc"]
    assert entries.rows["log.level"].to_list() == ["WARN", "WARN", "WARN", None]
    assert entries.rows["@timestamp"][:3].n_unique() == 1
    assert max(entries.rows["log.length"]) <= ENTRY_LIMIT + len(body)


def test_one_line_longer_than_the_limit_stays_whole() -> None:
    entries = read("2025-03-01 02:10:00 " + "x" * (3 * ENTRY_LIMIT) + "\n")
    assert entries.rows.height == 1
    assert len(messages(entries)[0]) == 3 * ENTRY_LIMIT


def test_lines_before_the_first_head_are_one_entry_without_a_time() -> None:
    entries = read("rest of\nsomething\n2025-03-01 02:10:00 a\n")
    assert messages(entries) == ["rest of\nsomething", "a"]
    assert entries.rows["grammar"].to_list() == [None, "utc"]
    assert entries.rows["@timestamp"][0] is None
    assert entries.rows["time.assumed"].to_list() == [None, None]


def test_the_first_grammar_that_fits_wins_and_its_groups_become_columns() -> None:
    entries = read(TEXT)
    assert entries.rows["grammar"].to_list() == ["utc", "utc", "local"]
    assert entries.rows["who"].to_list() == [None, None, "me"]


def test_a_line_that_also_fits_unless_continues_the_entry_above() -> None:
    grammar = Grammar("g", r"^(?P<ts>\d{4}) (?P<msg>.*)$", "%Y", "utc", unless=r"^\d{4} \[")
    entries = read_entries(Source("a", b"2025 a\n2026 [b\n"), [grammar], ParseContext())
    assert messages(entries) == ["a\n2026 [b"]


def test_a_local_stamp_without_a_zone_is_read_as_utc_and_says_so() -> None:
    rows = read("2025/03/01 03:10:02 <me> a\n2025-03-01 02:10:00 b\n").rows
    assert rows["@timestamp"].to_list() == [
        datetime(2025, 3, 1, 3, 10, 2, tzinfo=UTC),
        datetime(2025, 3, 1, 2, 10, tzinfo=UTC),
    ]
    assert rows["time.assumed"].to_list() == ["local time of an unknown zone, read as UTC", None]


def test_a_local_stamp_in_a_given_zone_is_moved_by_its_summer_and_winter_offset() -> None:
    rows = read("2025/03/01 03:10:02 <me> a\n2025/07/01 03:10:02 <me> b\n2025-03-01 02:10:00 c\n", "Europe/Rome").rows
    assert [stamp.hour for stamp in rows["@timestamp"]] == [2, 1, 2]
    assert rows["time.assumed"].to_list() == ["local time, read in the given zone Europe/Rome"] * 2 + [None]


def test_a_stamp_inside_the_hour_that_summer_time_skips_has_no_time() -> None:
    rows = read("2025/03/30 02:30:00 <me> a\n", "Europe/Rome").rows
    assert rows["@timestamp"].to_list() == [None]
    assert rows["time.assumed"].to_list() == [None]


@pytest.mark.parametrize(
    "stamp", ["2025-02-30 02:10:00", "2025-13-01 02:10:00", "2025-03-01 25:10:00", "0000-00-00 00:00:00"]
)
def test_an_impossible_date_stays_an_event_with_its_text_and_without_a_time(stamp: str) -> None:
    entries = read(f"2025-03-01 02:10:00 a\n{stamp} ERROR: b\n")
    assert messages(entries) == ["a", "b"]
    assert entries.rows["@timestamp"][1] is None
    assert entries.rows["log.level"][1] == "ERROR"


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.sampled_from([b"2025-03-01 02:10:00 a", b"\n", b"\r\n", b"\0", b"x"])).map(b"".join),
    )
)
def test_any_bytes_are_read_without_a_lost_byte(data: bytes) -> None:
    entries = read(data)
    ends = 0
    for offset, length in entries.rows.select("log.offset", "log.length").rows():
        assert offset >= ends
        ends = offset + length
    assert ends <= len(data)


def test_a_claim_is_strongest_by_name_and_content_then_content_then_name() -> None:
    def claim(path: str, head: bytes) -> int | None:
        found = claim_by(path, head, name=r"(?:^|/)a\.log$", content="^mark", text="a log")
        return None if found is None else found.strength

    assert claim("deep/A.LOG", b"x\nmark\n") == 90
    assert claim(r"deep\a.log", "mark".encode("utf-16")) == 90
    assert claim("other.txt", b"mark") == 50
    assert claim("a.log", b"else") == 20
    assert claim("a.log", bytes(range(32)) * 10) is None
    assert claim("other.txt", b"else") is None


def test_a_format_without_a_mark_is_claimed_by_name_alone() -> None:
    found = claim_by("a.log", b"text", name=r"a\.log", content=None, text="a log")
    assert found is not None
    assert found.strength == 60
    assert claim_by("b.log", b"text", name=r"a\.log", content=None, text="a log") is None


def test_text_is_decoded_by_mark_or_by_its_zeros() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        assert decode("some text – and more".encode(encoding)) == "some text – and more"
    assert text_head("ä".encode()[:1]) == "\ufffd"


def test_a_source_that_cannot_be_read_is_rejected_whole() -> None:
    parsed = rejected_whole(Source("a", b"\x01" * 500), "not an archive")
    assert (parsed.parsed_bytes, parsed.rejected_bytes, parsed.damage) == (0, 500, ("not an archive",))
    assert parsed.rejected["log.length"].to_list() == [500]


def test_a_log_that_lost_its_beginning_says_so() -> None:
    assert cut_at_start(Source("a.log", b""), read("rest\n2025-03-01 02:10:00 a\n"))
    assert cut_at_start(Source("x/truncated__var_log_a.log", b""), read(TEXT))
    assert cut_at_start(Source("a.log", b""), read(TEXT)) == ()
    assert cut_at_start(Source("a.log", b""), read("only a traceback\n")) == ()


def test_an_offset_is_a_quarter_of_an_hour_within_the_tolerance_and_the_zones_of_the_world() -> None:
    hours = [1.0, -3.5, 5.75, 0.0, 1.1, 20.0]
    frame = pl.DataFrame({"difference": [timedelta(hours=hour, seconds=4) for hour in hours]})
    offset = zone_offset(pl.col("difference"), timedelta(seconds=5))
    assert frame.select(offset)["difference"].to_list() == [*(timedelta(hours=hour) for hour in hours[:4]), None, None]
    assert frame.select(name_offset(offset)).to_series().to_list() == [
        "UTC+01:00", "UTC-03:30", "UTC+05:45", "UTC+00:00", None, None
    ]  # fmt: skip


def test_a_local_line_between_two_close_utc_lines_shows_its_offset_and_one_beside_a_gap_does_not() -> None:
    noon = datetime(2025, 3, 1, 12)
    frame = pl.DataFrame(
        {
            "utc": [noon, None, noon + timedelta(seconds=9), None, noon + timedelta(hours=3)],
            "stamp": [None, noon + timedelta(hours=2, seconds=4), None, noon + timedelta(hours=4), None],
        }
    )
    offsets = frame.select(between_neighbours(pl.col("stamp"), pl.col("utc")).alias("offset"))["offset"]
    assert offsets.to_list() == [None, timedelta(hours=2), None, None, None]


def test_the_offset_measured_nearest_in_time_counts() -> None:
    winter, summer = timedelta(hours=1), timedelta(hours=2)
    measured = pl.DataFrame(
        {"stamp": [datetime(2025, 6, 1), datetime(2025, 1, 1), None], "offset": [summer, winter, summer]}
    )
    stamps = pl.Series([datetime(2025, 5, 1), None, datetime(2024, 12, 1)])
    assert nearest_offset(stamps, measured).to_list() == [summer, None, winter]
    assert nearest_offset(stamps, measured.clear()).to_list() == [None, None, None]

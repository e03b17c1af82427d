"""Long logs: rows for those entries only that something may ask for, and the reports are those of all rows."""

from __future__ import annotations

import io
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.long_logs import lines as agent_lines
from loganalyzer import near_misses, parser_long_log
from loganalyzer.cli import run
from loganalyzer.facts import load_tables
from loganalyzer.literal_search import line_search
from loganalyzer.parser import HEAD_SIZE, ParseContext, Selection
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.registry import parsers
from loganalyzer.report.json_report import to_json
from loganalyzer.required_text import texts_of_regex
from loganalyzer.schema import EventFrame, LogSource, to_the_minute
from loganalyzer.selection import selection_for, without_text
from loganalyzer.sigma.ir import leaves
from loganalyzer.sigma.load import load_rules
from loganalyzer.signatures_in_use import builtin_rules
from loganalyzer.source import LongSource, Source
from sample_logs import linux_bundles

BUNDLES = sorted(path for path in (Path(linux_bundles.__file__).parent / "bundles").iterdir() if "linux" in path.name)
AGENT = LogSource("linux", "waagent")
agent_log: Any = next(parser for parser in parsers() if parser.name == "waagent_log")
WANTED = frozenset({"snapshot failed", "goal"})


@pytest.fixture(autouse=True)
def few_last_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are short: without this all of them would be the end of a log."""
    monkeypatch.setattr(parser_long_log, "LAST_ENTRIES", 2)
    monkeypatch.setattr(near_misses, "MOST_ROWS", 2)


def frame_of(data: bytes, texts: frozenset[str] | None) -> EventFrame:
    """The frame of a log, read for the sake of some texts where it can be; None: of all of it."""
    context = ParseContext(
        selection=None if texts is None else Selection(lambda logsource: texts, lambda logsource: None, 0)
    )
    source = LongSource("var/log/waagent.log", data[:HEAD_SIZE], io.BytesIO(data).readinto)
    parsed = agent_log.parse_long(source, context) or agent_log.parse(Source(source.path, data), context)
    frame: EventFrame = parsed.frames[0]
    return frame


def entry(second: int, text: str, level: str = "INFO") -> bytes:
    return f"2025-06-10T00:{second // 60:02}:{second % 60:02}.000000Z {level} ExtHandler ExtHandler {text}\n".encode()


QUIET = b"".join(entry(number, f"quiet {number}") for number in range(100))


def kept(frame: EventFrame) -> list[int]:
    return frame.rows["event.sequence"].to_list()


def test_an_entry_that_holds_a_text_in_any_case_and_what_bounds_the_log_are_rows() -> None:
    data = QUIET + entry(100, "The GOAL is") + QUIET.replace(b"2025-06-10", b"2025-06-11")
    frame = frame_of(data, WANTED)
    assert kept(frame) == [0, 1, 2, 100, 199, 200]
    assert (frame.height, frame.passed[0].count) == (201, 195)
    assert frame.passed[0].beside(0, 1000)["event.sequence"].to_list() == [3, 4, 98, 99, 101, 102, 197, 198]
    assert frame.rows["log.line"].to_list() == [1, 2, 3, 101, 200, 201]


def test_levels_that_speak_for_themselves_clocks_set_back_and_foreign_letters_are_rows() -> None:
    middle = entry(20, "back") + entry(21, "worse", "ERROR") + entry(22, "grüße") + entry(23, "x" * 60)
    frame = frame_of(QUIET + middle + QUIET.replace(b"2025-06-10", b"2025-06-11"), WANTED)
    assert set(kept(frame)) >= {99, 100, 101, 102, 103}
    assert 50 not in kept(frame)


@pytest.mark.parametrize(
    "odd",
    [
        b"2025/06/10 00:01:50.000000 INFO Daemon in local time\n",
        b"2025/06/10 00:01:50 ERROR:of the oldest era\n",
        b"2025-02-30T00:00:00.000000Z INFO Daemon of no day\n",
        b"2025-06-10T00:00:60.000000Z INFO Daemon of a leap second\n",
        b"with a carriage return\r\n",
        b"with a NUL \0\n",
        b"not UTF-8 \xff\n",
        "\ufeff2025-06-10T00:01:50.000000Z INFO Daemon behind a mark\n".encode(),
        b"x" * 70_000 + b"\n",
    ],
)
def test_a_log_that_is_not_plain_is_read_whole(odd: bytes) -> None:
    frame = frame_of(QUIET + odd + QUIET, WANTED)
    assert frame.passed == ()
    assert frame.rows.equals(frame_of(QUIET + odd + QUIET, None).rows)


def test_of_a_log_of_which_too_much_is_asked_nothing_is_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    data = QUIET + entry(100, "The GOAL is") * 50 + QUIET.replace(b"2025-06-10", b"2025-06-11")
    assert frame_of(data, WANTED).passed != ()
    monkeypatch.setattr(parser_long_log, "MOST_HELD", 3_000)
    assert frame_of(data, WANTED).passed == ()


PIECES = st.sampled_from(
    [
        b"2025-06-10T00:00:01.000001Z INFO ExtHandler ExtHandler quiet\n",
        b"2025-06-10T00:00:02.000000Z VERBOSE Daemon Daemon quiet\n",
        b"2025-06-10T00:00:02.000000Z INFO \n",
        b"2025-06-10T00:00:02.000000Z INFO\n",
        b"2025-06-10T00:00:02.000000Z INFORMAL\n",
        b"2025-06-10T00:00:03.500000Z INFO ExtHandler [Contoso.Sample-1.2.3] goal\n",
        b"2025-06-10T00:00:03.500000Z INFO ExtHandler ExtHandler a Snapshot FAILED here\n",
        b"2025-06-10T00:00:00.000000Z WARNING ExtHandler ExtHandler before\n",
        b"2025-06-11T00:00:00.000000Z INFO EnvHandler ExtHandler later\n",
        b"2025-06-11T00:00:00.00000Z INFO EnvHandler ExtHandler short\n",
        b"2025-06-10T00:00:02.000000Z INFO ExtHandler ExtHandler " + b"QUJD" * 20 + b"\n",
        b"  continued, snapshot\n",
        b" failed\n",
        b"7 of 9\n",
        b"\n",
        "  grüße\n".encode(),
        b"2025/06/10 00:00:02.000000 INFO Daemon local\n",
        b"2025-02-31T00:00:02.000000Z INFO Daemon no day\n",
        b"windows\r\n",
        b"nul\0\n",
        b"\xff\xfe\n",
        b"2025-06-10T00:00:09.000000Z INFO Daemon torn",
    ]
)


LOGS = given(st.lists(PIECES, min_size=1, max_size=60), st.sampled_from([200, 350, 4 << 20]))


@settings(max_examples=40, deadline=None)
@LOGS
def test_rows_that_are_made_are_those_of_the_whole_log_and_the_others_are_counted(
    pieces: list[bytes], block: int
) -> None:
    check_selection(pieces, block)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@LOGS
def test_the_same_of_many_more_logs(pieces: list[bytes], block: int) -> None:
    check_selection(pieces, block)


def check_selection(pieces: list[bytes], block: int) -> None:
    data = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser_long_log, "BLOCK", block)
        patch.setattr(parser_long_log, "LAST_ENTRIES", 2)
        part = frame_of(data, WANTED)
    whole = frame_of(data, None)
    assert part.height == whole.rows.height
    chosen = whole.rows.filter(pl.col("event.sequence").is_in(kept(part)))
    assert part.rows.equals(chosen)
    left = whole.rows.filter(~pl.col("event.sequence").is_in(kept(part)))
    assert not left["message"].str.to_lowercase().str.contains_any(sorted(WANTED)).any()
    assert left["payload"].null_count() == left.height
    for one in part.passed:
        assert one.times.to_list() == to_the_minute(left["@timestamp"].drop_nulls()).to_list()
        assert one.timed == left["@timestamp"].drop_nulls().len()
        names = ["log.line", "@timestamp", "event.original"]
        beside = one.beside(0, len(data))
        told = left.filter(pl.col("event.sequence").is_in(beside["event.sequence"].to_list()))
        assert beside.select(names).equals(told.select(names))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sets(st.sampled_from(["abc", "a.c", "b\\", "xyz", "c(d", "0a0"]), min_size=1))
def test_both_engines_find_the_same_lines(noise: bytes, texts: set[str]) -> None:
    pytest.importorskip("hyperscan", reason="hyperscan has no wheel here")
    rng = random.Random(noise)
    words = [text.upper() if rng.random() < 0.5 else text for text in sorted(texts)] + ["quiet", "A" * 45]
    block = noise + b"\n" + b"\n".join(f"{rng.choice(words)} {rng.choice(words)}".encode() for _ in range(20)) + b"\n"
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == 10)
    found = [
        line_search(frozenset(texts), frozenset({"[A-Z]{40}"}), portable=portable).lines(memoryview(block), ends)
        for portable in (True, False)
    ]
    assert found[0].tolist() == found[1].tolist()
    lower = block.lower().split(b"\n")
    assert all(found[0][number] for number, line in enumerate(lower[:-1]) if any(t.encode() in line for t in texts))


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("^OS: (?P<value>.+)$", {"os: "}),
        (r"ab(?:failed to read|cannot open)\d+", {"failed to read", "cannot open"}),
        (r"(?i)Time(?:d out|OUT)?", {"time"}),
        (r"x*|never", set()),
        (r"(?:longest of all)?", set()),
        (r"(?:longest of all)+ short", {"longest of all"}),
        (r"[[:alpha:]]three", set()),
        (r"\p{L}three", set()),
        ("zwölf", set()),
    ],
)
def test_what_a_regex_requires(pattern: str, texts: set[str]) -> None:
    assert texts_of_regex(pattern) == texts


@pytest.mark.slow
def test_whatever_a_regex_of_ours_fits_holds_one_of_its_texts() -> None:
    patterns = {pattern.regex for pattern in load_tables().patterns}
    patterns |= {
        str(value)
        for rule in builtin_rules().rules
        for leaf in leaves(rule.condition)
        if leaf.op == "re"
        for value in leaf.values
    }
    known = sorted(pattern for pattern in patterns if texts_of_regex(pattern))
    assert len(known) > 200

    @settings(max_examples=1500, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        pattern = data.draw(st.sampled_from(known))
        text = data.draw(st.from_regex(re.compile(pattern, re.ASCII), alphabet=st.characters(max_codepoint=127)))
        assert any(one in text.lower() for one in texts_of_regex(pattern))

    check()


def test_everything_that_is_asked_of_the_agents_log_has_a_text() -> None:
    texts = selection_for(builtin_rules().rules, load_tables()).texts(AGENT)
    assert texts is not None
    assert len(texts) > 300
    assert without_text(builtin_rules().rules) == []


def test_a_rule_that_asks_for_no_text_is_told_and_makes_long_logs_be_read_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(
        "title: Any short word\nid: 6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0009\n"
        "logsource: {product: linux, service: waagent}\n"
        "detection: {word: {message|re: 'x[0-9]+'}, condition: word}\nlevel: low\n"
    )
    assert run(["signatures", "lint", "-r", str(rule)]) == 0
    assert "Any short word: no text is known" in " ".join(capsys.readouterr().err.split())
    own = load_rules({"rule.yml": rule.read_text()}).rules
    assert selection_for([*builtin_rules().rules, *own], load_tables()).texts(AGENT) is None


def reports(path: Path) -> tuple[bytes, bytes]:
    part, whole = (scan([path], ScanOptions(long_log=long)).report for long in (0, None))
    return to_json(part), to_json(whole)


@pytest.mark.parametrize(
    "bundle",
    [pytest.param(one, marks=[pytest.mark.slow] * (at % 8 > 0), id=one.name) for at, one in enumerate(BUNDLES)],
)
def test_the_report_of_a_sample_bundle_is_the_same(bundle: Path) -> None:
    part, whole = reports(bundle)
    assert part == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_the_report_of_a_made_up_log_is_the_same(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    made = list(agent_lines(120_000, seed, rng.choice([0.0, 0.01, 0.1])))
    for _ in range(rng.randrange(30)):  # failures of all kinds in the midst: the samples of the rules' own wordings
        stamp = made[(at := rng.randrange(len(made)))][:28]
        made.insert(
            at, f"{stamp}{rng.choice(['INFO', 'WARNING', 'ERROR'])} ExtHandler ExtHandler {rng.choice(_TOLD)}\n"
        )
    log = tmp_path / "var/log/waagent.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(made))
    part, whole = reports(tmp_path)
    assert part == whole


_TOLD = (
    "Event: name=WALinuxAgent, op=HostPlugin, message=[HTTP Failed] GET http://168.63.129.16:32526/versions timed out",
    "Fetch goal state from WireServer completed",
    "Extension Microsoft.Azure.RecoveryServices.VMSnapshotLinux is disabled",
    "Agent WALinuxAgent-2.9.1.1 is running as the goal state agent [DEBUG HeartbeatCounter: 7]",
    "[Errno 28] No space left on device",
    "Failed to send DHCP request: [Errno 101] Network is unreachable",
    "Command: main/handle.sh enable\n[stdout]\nfreeze failed\n[stderr]",
)


def test_a_scan_of_a_long_log_passes_over_what_nobody_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "var/log/waagent.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(agent_lines(6 << 20, 3, 0.01)))
    monkeypatch.setattr(parser_long_log, "LAST_ENTRIES", 5_000)
    frames: list[EventFrame] = []
    read = agent_log.parse_long

    def seen(source: LongSource, context: ParseContext) -> object:
        parsed = read(source, context)
        frames.extend(parsed.frames if parsed is not None else ())
        return parsed

    monkeypatch.setattr(type(agent_log.inner), "parse_long", lambda self, source, context: seen(source, context))
    receipt = scan([tmp_path]).report.receipt
    (frame,) = frames
    assert receipt.events == frame.height
    assert frame.rows.height < frame.height / 4

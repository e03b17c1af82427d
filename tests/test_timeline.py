"""``loganalyzer timeline``: what it shows in which order, what it leaves out and says so, and the exit status."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loganalyzer.cli import run
from loganalyzer.schema import EventFrame, LogSource, conform
from loganalyzer.tables.events import LEVELS, Wanted, choose, merged
from loganalyzer.tables.redaction import ColumnRedactor
from sample_logs.packing import zip_bytes

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "sample_logs" / "bundles"
HEALTHY = SAMPLES / "linux-healthy"

NEW = """\
2026-03-01T02:10:11.000123Z INFO ExtHandler ExtHandler Agent starts
2026-03-01T02:10:12.000000Z WARNING ExtHandler ExtHandler Agent waits
2026-03-01T02:10:13.000000Z ERROR ExtHandler ExtHandler Agent fails
"""
OLD = "2026/03/01 02:10:12.500000 INFO Daemon wakes\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Said]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs ``timeline``."""

    def called(*words: str | Path) -> Said:
        return Said(run(["timeline", *map(str, words)]), *capfd.readouterr())

    return called


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A log of today's agent and one of an older one, whose stamps have no zone."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "waagent.log").write_text(NEW, encoding="utf-8")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "waagent.log").write_text(OLD, encoding="utf-8")
    return tmp_path


def messages(said: Said) -> list[str]:
    return [row["message"] for row in said.rows]


# what is shown, and how


def test_events_of_all_sources_stand_in_the_order_of_time_each_with_its_place(call: Call, two: Path) -> None:
    said = call(two)
    assert said.status == 0
    assert said.out.splitlines() == [
        "2026-03-01 02:10:11.000Z  linux/waagent  INFO         Agent starts  [a/waagent.log:1]",
        "2026-03-01 02:10:12.000Z  linux/waagent  WARNING      Agent waits  [a/waagent.log:2]",
        "2026-03-01 02:10:12.500Z~ linux/waagent  INFO         wakes  [b/waagent.log:1]",
        "2026-03-01 02:10:13.000Z  linux/waagent  ERROR        Agent fails  [a/waagent.log:3]",
    ]


def test_an_assumed_time_is_marked_and_explained_on_standard_error(call: Call, two: Path) -> None:
    assert "1 times are assumed (~): local time of an unknown zone, read as UTC" in call(two).err
    said = call(two, "-f", "ndjson", "--tz", "Europe/Rome")
    assert [row["time_assumed"] for row in said.rows] == ["local time, read in the given zone Europe/Rome", *[None] * 3]
    assert said.rows[0]["timestamp"] == "2026-03-01T01:10:12.500000Z"


def test_a_record_of_an_event_log_is_named_by_its_number(call: Call) -> None:
    said = call(SAMPLES / "windows-applocker.zip", "--source", "windows/applocker")
    assert said.out.splitlines()[0].endswith("EXE and DLL.evtx record 1]")


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_the_formats_for_programs_hold_the_same_events(call: Call, form: str) -> None:
    said = call(HEALTHY, "-f", form)
    rows = said.rows if form == "ndjson" else list(csv.DictReader(io.StringIO(said.out)))
    assert len(rows) == len(call(HEALTHY).out.splitlines())
    assert list(rows[0]) == [
        *("timestamp", "time_assumed", "logsource", "level", "host", "message", "source", "line", "record_id", "offset")
    ]
    times = [row["timestamp"] for row in rows]
    assert times == sorted(times, key=lambda time: time.replace("Z", ".000000Z") if "." not in time else time)


def test_the_order_is_the_same_however_the_bundle_is_packed(call: Call, tmp_path: Path) -> None:
    files = {path.relative_to(HEALTHY).as_posix(): path.read_bytes() for path in HEALTHY.rglob("*") if path.is_file()}
    (tmp_path / "b.zip").write_bytes(zip_bytes(dict(reversed(files.items()))))
    assert call(tmp_path / "b.zip", "-f", "ndjson").out == call(HEALTHY, "-f", "ndjson").out


def test_equal_times_stand_by_file_and_then_by_place() -> None:
    def frame(service: str, path: str, *sequences: int) -> EventFrame:
        rows = pl.DataFrame({"event.sequence": sequences, "message": [f"{path} {one}" for one in sequences]})
        rows = rows.with_columns(pl.lit("2026-03-01").str.to_datetime(time_zone="UTC").alias("@timestamp"))
        return EventFrame(LogSource("linux", service), conform(rows, log_file_path=path))

    events = merged([frame("x", "b", 1, 0), frame("y", "a", 10, 9)])
    assert events.get_column("message").to_list() == ["a 9", "a 10", "b 0", "b 1"]


# what is asked for


def test_since_and_until_are_inside_of_the_span(call: Call, two: Path) -> None:
    said = call(two, "-f", "ndjson", "--since", "2026-03-01T02:10:12Z", "--until", "2026-03-01T03:10:12.5+01:00")
    assert messages(said) == ["Agent waits", "wakes"]


def test_a_time_without_a_zone_is_in_that_of_tz(call: Call, two: Path) -> None:
    assert messages(call(two, "-f", "ndjson", "--since", "2026-03-01T03:10:13", "--tz", "Europe/Rome")) == [
        "Agent fails"
    ]


def test_a_level_takes_those_above_and_counts_what_has_none(call: Call, two: Path) -> None:
    assert messages(call(two, "-f", "ndjson", "--level", "warning")) == ["Agent waits", "Agent fails"]
    said = call(SAMPLES / "linux-freeze-failed.tar.gz", "--level", "error")
    assert "events have no level that is known: --level left them out" in said.err


def test_every_level_of_the_list_has_its_place() -> None:
    words = [word for words in LEVELS.values() for word in words]
    rows = pl.DataFrame({"log.level": [word.upper() for word in words], "message": words})
    events = merged([EventFrame(LogSource("linux", "x"), conform(rows))])
    kept = choose(events, Wanted(level="error"))
    assert kept.unknown_level == 0
    assert set(kept.untimed.get_column("message")) == {*LEVELS["error"], *LEVELS["critical"]}


@pytest.mark.parametrize(
    ("asked", "sources"),
    [
        ("linux/waagent", {"var/log/waagent.log"}),
        ("LINUX/*/*", None),
        ("waagent.log", {"var/log/waagent.log"}),
        ("log/waagent.log", {"var/log/waagent.log"}),
        ("agent.log", set()),
        ("waagent", {"var/log/waagent.log"}),
        ("*/status/*.status", "statuses"),
        ("azure/*/status", "statuses"),
    ],
)
def test_a_source_is_a_path_its_end_or_a_log_source(call: Call, asked: str, sources: Any) -> None:
    everything = {row["source"] for row in call(HEALTHY, "-f", "ndjson", "--untimed").rows}
    statuses = {source for source in everything if source.endswith(".status")}
    linux = everything - statuses
    found = {row["source"] for row in call(HEALTHY, "-f", "ndjson", "--source", asked).rows}
    timed = {row["source"] for row in call(HEALTHY, "-f", "ndjson").rows}
    assert statuses
    assert found == (statuses if sources == "statuses" else linux & timed if sources is None else sources)


def test_a_source_that_fits_nothing_is_told_with_those_that_there_are(call: Call, two: Path) -> None:
    said = call(two, "--source", "linux/wagent", "--source", "*/b/*")
    assert said.status == 0
    assert "--source linux/wagent fits no source; the log sources are linux/waagent" in said.err
    assert len(said.out.splitlines()) == 1


def test_around_an_attempt_are_the_minutes_before_and_after_it(call: Call) -> None:
    bundle = SAMPLES / "linux-sas-secrets"
    times = [row["timestamp"] for row in call(bundle, "-f", "ndjson", "--around", "attempt-2", "--before", "1").rows]
    assert times[0] >= "2025-06-11T01:29:05"
    assert times[-1] <= "2025-06-11T01:55"
    assert times == [row["timestamp"] for row in call(bundle, "-f", "ndjson", "--around", "last", "--before", 1).rows]
    assert len(times) < len(call(bundle, "-f", "ndjson", "--around", "attempt-2").rows)


def test_an_unknown_attempt_is_told_with_those_that_there_are(call: Call, two: Path) -> None:
    said = call(SAMPLES / "linux-sas-secrets", "--around", "attempt-9")
    assert said.status == 2
    assert "attempt-1 from 2025-06-10T01:30:02" in said.err
    assert "use --since and --until" in call(two, "--around", "last").err


def test_a_limit_says_how_many_it_left_out(call: Call, two: Path) -> None:
    said = call(two, "--limit", "1")
    assert len(said.out.splitlines()) == 1
    assert "3 more events: --limit left them out" in said.err
    assert "more events" not in call(two, "--limit", "4").err


def test_events_without_a_time_are_counted_and_shown_on_request(call: Call, tmp_path: Path) -> None:
    (tmp_path / "waagent.log").write_text("the end of a line\n" + NEW, encoding="utf-8")
    said = call(tmp_path)
    assert "1 events have no known time: --untimed shows them" in said.err
    assert "the end of a line" not in said.out
    said = call(tmp_path, "--untimed", "--since", "2026-03-01T02:10:13Z")
    assert said.out.splitlines()[-1] == (
        "time unknown              linux/waagent  -            the end of a line  [waagent.log:1]"
    )
    assert said.err == ""


# redaction and hostile text


def test_secrets_are_tokens_unless_redaction_is_off(call: Call) -> None:
    for form in ("text", "ndjson", "csv"):
        said = call(SAMPLES / "linux-sas-secrets", "-f", form)
        assert "<sas:1>" in said.out
        assert "sig=" not in said.out
    assert "sig=" in call(SAMPLES / "linux-sas-secrets", "--redact", "off", "-f", "ndjson").out


def test_a_secret_that_one_event_names_is_hidden_in_all_events(call: Call, tmp_path: Path) -> None:
    log = "".join(
        f"2026-03-01T02:10:1{number}.000000Z INFO ExtHandler ExtHandler {text}\n"
        for number, text in enumerate(["saw hunter2xyz9 here", "password=hunter2xyz9", "and hunter2xyz9 there"])
    )
    (tmp_path / "waagent.log").write_text(log, encoding="utf-8")
    said = call(tmp_path, "-f", "ndjson")
    assert messages(said) == ["saw <password:1> here", "password=<password:1>", "and <password:1> there"]


def test_columns_are_redacted_inside_of_lists_and_structs_and_by_their_names() -> None:
    secret = "https://x/y?sv=1&sig=abcdefghijklmnopqrstuvwxyz0123456789%3D"
    table = pl.DataFrame(
        {
            "DataValues": [[secret, None, "plain"], None, []],
            "derived_from": [[{"event.original": secret, "log.line": 1}], None, [None]],
            "ServicePassword": ["Tiger99", "", None],
            "log.file.path": ["a", None, "etc/shadow"],
            "message": ["root:x:1", "nothing", "root:x:1"],
        }
    )
    redacted = ColumnRedactor().table(table)
    assert redacted.schema == table.schema
    hidden = redacted["DataValues"].to_list()
    assert hidden == [["https://x/y?<sas:1>", None, "plain"], None, []]
    assert redacted["derived_from"].to_list()[0] == [{"event.original": "https://x/y?<sas:1>", "log.line": 1}]
    assert redacted["derived_from"].to_list()[1:] == table["derived_from"].to_list()[1:]
    assert redacted["ServicePassword"].to_list() == ["<password:1>", "", None]
    assert redacted["message"].to_list() == ["root:x:1", "nothing", "<file:1>"]
    assert ColumnRedactor("off").table(table).equals(table)


def test_hostile_text_never_reaches_the_output_raw(call: Call, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066 \x9b31m\rEND"
    (tmp_path / "waagent.log").write_text(NEW + f"2026-03-01T02:10:14.000000Z INFO A A x{evil}\n", encoding="utf-8")
    for form in ("text", "ndjson", "csv"):
        said = call(tmp_path, "-f", form, "--color", "never")
        assert not set(said.out) & set("\x1b\x07\x9b\r\u202e\u2066"), form
        assert "END" in said.out
    assert json.loads(call(tmp_path, "-f", "ndjson").out.splitlines()[-1])["message"].endswith("END")
    colored = call(tmp_path, "--color", "always").out
    assert "owned" not in colored
    assert "\u202e" not in colored


def test_a_message_of_many_lines_is_one_line_and_cut_only_in_text(call: Call, tmp_path: Path) -> None:
    (tmp_path / "waagent.log").write_text(NEW + "more\n" + "y" * 900 + "\n", encoding="utf-8")
    assert "Agent fails ⏎ more ⏎ yyy" in call(tmp_path).out
    assert "…  [waagent.log:3]" in call(tmp_path).out
    assert call(tmp_path, "-f", "ndjson").rows[-1]["message"].endswith("y" * 900)


# how it ends


@pytest.mark.parametrize(
    "words",
    [
        ["--since", "yesterday"],
        ["--since", "2026-03-02", "--until", "2026-03-01"],
        ["--tz", "Mars/Olympus"],
        ["--level", "loud"],
        ["--limit", "0"],
        ["--around", "attempt-1"],
        ["--as", "nonsense"],
    ],
)
def test_wrong_usage_gives_two_and_no_output(call: Call, two: Path, words: list[str]) -> None:
    said = call(two, *words)
    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_nothing_recognised_and_damage_give_three(call: Call, tmp_path: Path) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01\x02")
    assert call(tmp_path).status == 3
    said = call(SAMPLES / "windows-damaged-evtx.zip")
    assert said.status == 3
    assert "not read to its end: " in said.err
    assert said.out


def test_standard_input_is_a_bundle(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(zip_bytes({"waagent.log": NEW.encode()}))))
    assert len(call("-").out.splitlines()) == 3


# --as


def test_as_reads_a_source_with_another_parser(call: Call, two: Path) -> None:
    said = call(two, "--as", "b/*=vmsnapshot_shell_log", "-f", "ndjson", "--untimed")
    assert {row["logsource"] for row in said.rows if row["source"] == "b/waagent.log"} == {"linux/vmsnapshot_shell"}
    assert {row["logsource"] for row in said.rows if row["source"] == "a/waagent.log"} == {"linux/waagent"}


def test_as_makes_a_file_known_that_no_parser_claims(call: Call, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("nothing\nthat has a form\n", encoding="utf-8")
    assert call(tmp_path).status == 3
    said = call(tmp_path, "--as", "*.txt=waagent_log", "--untimed")
    assert said.status == 0
    assert "that has a form" in said.out


def test_as_that_fits_no_source_is_told(call: Call, two: Path) -> None:
    assert "--as c/*=waagent_log fits no source" in call(two, "--as", "c/*=waagent_log").err


def test_as_with_an_unknown_parser_names_those_that_are_near(call: Call, two: Path) -> None:
    said = call(two, "--as", "*=waagent_lgo")
    assert said.status == 2
    assert "is it waagent_log" in said.err

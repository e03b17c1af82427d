"""``loganalyzer match``: what its rows say, what goes where, what faults cost, and the exit status."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.cli import run
from loganalyzer.cli.match_output import redacted
from loganalyzer.event_match import MatchOptions, match_events
from loganalyzer.redact import Redactor
from loganalyzer.registry import parsers
from loganalyzer.schema import LogSource
from loganalyzer.sigma.bind import bind
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.sigma.matched_fields import matched_fields
from loganalyzer.sigma.rows import rows_of
from loganalyzer.sigma.taxonomy import unmapped
from sample_logs.packing import tar_gz_bytes, zip_bytes

ROOT = Path(__file__).resolve().parent.parent

LOGON = """
title: Failed logon
id: 11111111-1111-4111-8111-111111111111
name: failed_logon
logsource: {product: windows, service: security}
detection:
    wanted: {EventID: 4625}
    machine: {TargetUserName|endswith: '$'}
    condition: wanted and not machine
level: low
"""
MANY = """
title: Many failed logons
id: 22222222-2222-4222-8222-222222222222
correlation:
    type: event_count
    rules: [failed_logon]
    group-by: [TargetUserName]
    timespan: 5m
    condition: {gte: 3}
level: high
"""
WHOAMI = r"""
title: Whoami
id: 33333333-3333-4333-8333-333333333333
logsource: {product: windows, category: process_creation}
detection:
    image: {Image|endswith: '\whoami.exe'}
    line: {CommandLine|contains: [/all, /priv]}
    condition: image or line
level: medium
"""
AUDITD = """
title: Nmap by a user
id: 44444444-4444-4444-8444-444444444444
logsource: {product: linux, service: auditd}
detection:
    run: {type: EXECVE, a0|endswith: nmap}
    condition: run
"""
PROXY = """
title: Proxy
id: 55555555-5555-4555-8555-555555555555
logsource: {category: proxy}
detection: {any: {c-uri|contains: x}, condition: any}
level: high
"""
VSS = """
title: A writer failed
id: 66666666-6666-4666-8666-666666666666
logsource: {product: windows, service: application}
detection: {vss: {Provider_Name: VSS, EventID: 8193}, condition: vss}
level: critical
"""
KEYWORDS = """
title: Words
id: 77777777-7777-4777-8777-777777777777
logsource: {product: linux, service: waagent}
detection: {words: [Disabling, nothing like it], condition: words}
level: informational
"""


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
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Writes rules and runs ``match`` over files, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def called(*words: str, rules: str, stdin: bytes | None = None) -> Said:
        (tmp_path / "rules").mkdir(exist_ok=True)
        for number, text in enumerate(rules.split("%%")):
            (tmp_path / "rules" / f"rule{number}.yml").write_text(text, encoding="utf-8")
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        status = run(["match", "--rules", "rules", *words])
        return Said(status, *capfd.readouterr())

    return called


def ndjson(path: str | Path, *events: dict[str, Any] | str) -> str:
    """Writes a file of one event a line."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def logon(minute: int, user: str = "bob", **more: Any) -> dict[str, Any]:
    time = f"2024-05-06T07:{minute:02}:00Z"
    return {"Channel": "Security", "EventID": 4625, "TargetUserName": user, "TimeCreated": time, **more}


def evtx() -> bytes:
    """The event log among the parser's own samples: VSS 8193 as record 1."""
    (parser,) = (one for one in parsers() if one.name == "evtx_log")
    return parser.samples[0].raw


# Rows.


def test_a_row_says_which_rule_which_event_where_when_and_why(call: Call) -> None:
    ndjson("logs/a.ndjson", logon(0, Computer="h", EventRecordID=901, Status="0xc000006a"))
    said = call("logs/a.ndjson", rules=LOGON)
    assert said.status == 0
    assert said.rows == [
        {
            "rule_id": "11111111-1111-4111-8111-111111111111",
            "rule_title": "Failed logon",
            "level": "low",
            "file": "logs/a.ndjson",
            "record_id": 901,
            "timestamp": "2024-05-06T07:00:00Z",
            "logsource": "windows/security",
            "host": "h",
            "matched_fields": {"EventID": 4625},
        }
    ]


def test_an_event_without_a_record_id_is_named_by_its_line(call: Call) -> None:
    ndjson("a.ndjson", logon(0), "", logon(1))
    assert [row["record_id"] for row in call("a.ndjson", rules=LOGON).rows] == [1, 3]


def test_an_unknown_time_host_and_level_are_null(call: Call) -> None:
    ndjson("a.ndjson", {"type": "EXECVE", "a0": "/usr/bin/nmap"})
    (row,) = call("a.ndjson", "--logsource", "linux/auditd", rules=AUDITD).rows
    assert (row["timestamp"], row["host"], row["level"]) == (None, None, None)
    assert row["logsource"] == "linux/auditd"


def test_a_record_of_an_event_log_is_named_by_its_record_id(call: Call) -> None:
    Path("Application.evtx").write_bytes(evtx())
    (row,) = call("Application.evtx", rules=VSS).rows
    assert (row["file"], row["record_id"], row["host"]) == ("Application.evtx", 1, "vm-app-01")
    assert row["timestamp"] == "2024-05-06T07:08:01.250000Z"
    assert row["matched_fields"] == {"Provider_Name": "VSS", "EventID": "8193"}


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("dir", "dir/sub/a.ndjson"),
        ("dir/", "dir/sub/a.ndjson"),
        ("./dir", "./dir/sub/a.ndjson"),
        ("dir/sub/a.ndjson", "dir/sub/a.ndjson"),
        ("a.ndjson.gz", "a.ndjson.gz!a.ndjson"),
        ("all.zip", "all.zip!x/a.ndjson"),
        ("all.tar.gz", "all.tar.gz!x/a.ndjson"),
    ],
)
def test_the_file_of_a_row_begins_with_the_input_as_it_was_given(call: Call, given: str, file: str) -> None:
    content = Path(ndjson("dir/sub/a.ndjson", logon(0))).read_bytes()
    Path("a.ndjson.gz").write_bytes(gzip.compress(content))
    Path("all.zip").write_bytes(zip_bytes({"x/a.ndjson": content}))
    Path("all.tar.gz").write_bytes(tar_gz_bytes({"x/a.ndjson": content}))
    assert [row["file"] for row in call(given, rules=LOGON).rows] == [file]
    absolute = [row["file"] for row in call(str(Path(given).absolute()), rules=LOGON).rows]
    assert absolute == [str(Path.cwd() / file.removeprefix("./"))]


def test_standard_input_is_read_and_called_so(call: Call) -> None:
    said = call("-", rules=LOGON, stdin=json.dumps(logon(0)).encode("utf-16"))
    assert [(row["file"], row["record_id"]) for row in said.rows] == [("stdin", 1)]


def test_rows_come_by_file_as_given_then_place_then_rule(call: Call) -> None:
    ndjson("b.ndjson", logon(5), logon(1))
    ndjson("a.ndjson", logon(3))
    twin = LOGON.replace("11111111-1111-4111-8111", "00000000-0000-4000-8000")
    rows = call("b.ndjson", "a.ndjson", rules=f"{LOGON}%%{twin}").rows
    assert [(row["file"], row["record_id"], row["rule_id"][0]) for row in rows] == [
        ("b.ndjson", 1, "0"),
        ("b.ndjson", 1, "1"),
        ("b.ndjson", 2, "0"),
        ("b.ndjson", 2, "1"),
        ("a.ndjson", 1, "0"),
        ("a.ndjson", 1, "1"),
    ]


def test_a_file_that_is_given_twice_is_read_once(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    assert len(call("a.ndjson", "a.ndjson", rules=LOGON).rows) == 1


def test_only_fields_that_speak_for_the_match_are_told(call: Call) -> None:
    ndjson("a.ndjson", {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "CommandLine": "x /ALL"})
    (row,) = call("a.ndjson", rules=WHOAMI).rows
    assert row["matched_fields"] == {"CommandLine": "x /ALL"}


def test_a_keyword_is_told_with_the_fields_that_hold_it() -> None:
    (rule,) = load_rules({"k.yml": KEYWORDS}).rules
    rows = rows_of([{"message": "is DISABLING it", "handler": "disabling", "other": "x"}])
    assert matched_fields(rule, rows, [0]) == [{"message": "is DISABLING it", "handler": "disabling"}]


def test_fields_of_a_double_negation_null_lists_and_compared_fields_are_told() -> None:
    text = """
title: T
id: 88888888-8888-4888-8888-888888888888
logsource: {product: linux, service: x}
detection:
    a: {tags: red}
    b: {gone: null}
    c: {left|fieldref: right}
    d: {n|gt: 3}
    e: {shown: yes it is}
    condition: a and b and c and d and not not e
"""
    (rule,) = load_rules({"t.yml": text}).rules
    rows = rows_of([{"tags": ["blue", "red"], "left": "x", "right": "X", "n": 4, "shown": "Yes it is"}])
    assert matched_fields(rule, rows, [0]) == [
        {"tags": ["blue", "red"], "gone": None, "left": "x", "right": "X", "n": 4, "shown": "Yes it is"}
    ]


def test_matched_fields_follow_each_row_of_a_large_frame() -> None:
    (rule,) = load_rules({"w.yml": WHOAMI}).rules
    rows = rows_of([{"Image": f"{number}\\whoami.exe" if number % 3 else "x"} for number in range(30)])
    numbers = rows.select(bind(rule.condition, rows.schema).arg_true()).to_series().to_list()
    told = matched_fields(rule, rows, numbers)
    assert [one["Image"] for one in told] == [f"{number}\\whoami.exe" for number in range(30) if number % 3]


# Correlations.


def test_a_correlation_row_holds_every_record_across_files(call: Call) -> None:
    ndjson("a.ndjson", logon(0), logon(1, EventRecordID=77), logon(2, user="eve"))
    ndjson("b.ndjson", logon(3))
    said = call("a.ndjson", "b.ndjson", rules=f"{LOGON}%%{MANY}")
    (row,) = said.rows
    rule = "11111111-1111-4111-8111-111111111111"
    assert (row["rule_title"], row["level"], row["type"]) == ("Many failed logons", "high", "event_count")
    assert (row["group"], row["value"], row["count"]) == ({"TargetUserName": "bob"}, 3, 3)
    assert (row["first"], row["last"]) == ("2024-05-06T07:00:00Z", "2024-05-06T07:03:00Z")
    assert (row["file"], row["record_id"], row["timestamp"]) == ("b.ndjson", 1, "2024-05-06T07:03:00Z")
    assert row["matched_fields"] == {"EventID": 4625}
    assert row["records"] == [
        {"file": "a.ndjson", "record_id": 1, "timestamp": "2024-05-06T07:00:00Z", "rule_ids": [rule]},
        {"file": "a.ndjson", "record_id": 77, "timestamp": "2024-05-06T07:01:00Z", "rule_ids": [rule]},
        {"file": "b.ndjson", "record_id": 1, "timestamp": "2024-05-06T07:03:00Z", "rule_ids": [rule]},
    ]


def test_rules_below_a_correlation_are_rows_too_if_it_says_so(call: Call) -> None:
    ndjson("a.ndjson", logon(0), logon(1), logon(2))
    generating = MANY.replace("correlation:", "correlation:\n    generate: true")
    rows = call("a.ndjson", rules=f"{LOGON}%%{generating}").rows
    assert [row["rule_title"] for row in rows] == ["Failed logon"] * 3 + ["Many failed logons"]


def test_a_minimum_level_keeps_correlations_over_lesser_rules(call: Call) -> None:
    ndjson("a.ndjson", logon(0), logon(1), logon(2))
    generating = MANY.replace("correlation:", "correlation:\n    generate: true")
    rows = call("a.ndjson", "--min-level", "high", rules=f"{LOGON}%%{generating}").rows
    assert [row["rule_title"] for row in rows] == ["Many failed logons"]


# Log sources.


def test_a_rule_of_an_unmapped_log_source_matches_nothing_and_the_reason_is_told(call: Call) -> None:
    ndjson("a.ndjson", {"c-uri": "x"}, logon(0))
    said = call("a.ndjson", rules=f"{PROXY}%%{LOGON}")
    assert [row["rule_title"] for row in said.rows] == ["Failed logon"]
    assert "unable, because log source */*/proxy: category 'proxy' maps to no log that is read: Proxy (555" in said.err
    assert "2 rules: 1 ran, 0 without events of their log source, 1 unable; 0 faults" in said.err


def test_events_that_do_not_say_what_they_are_are_tried_with_every_known_rule_and_it_is_told_once(call: Call) -> None:
    ndjson("a.ndjson", {"Image": "C:\\whoami.exe"}, {"type": "EXECVE", "a0": "nmap"})
    ndjson("b.ndjson", {"a": 1})
    said = call("a.ndjson", "b.ndjson", rules=f"{WHOAMI}%%{AUDITD}%%{PROXY}")
    assert [(row["rule_title"], row["record_id"]) for row in said.rows] == [("Whoami", 1), ("Nmap by a user", 2)]
    told = (
        "3 events of a.ndjson and 1 further file do not say what they are: rules of every known log source were tried"
    )
    assert said.err.count(told) == 1
    assert "--logsource" in said.err


def test_an_event_id_narrows_the_rules_of_a_category_also_without_a_channel(call: Call) -> None:
    image = {"Image": "C:\\whoami.exe"}
    ndjson("a.ndjson", {"EventID": 1, **image}, {"EventID": "3", **image}, image, {"EventID": None, **image})
    assert [row["record_id"] for row in call("a.ndjson", rules=WHOAMI).rows] == [1, 3, 4]


def test_an_undeclared_4688_is_read_in_the_words_of_process_creation(call: Call) -> None:
    ndjson("a.ndjson", {"EventID": 4688, "NewProcessName": "C:\\whoami.exe"}, {"EventID": 1, "Image": "x"})
    (row,) = call("a.ndjson", rules=WHOAMI).rows
    assert (row["record_id"], row["matched_fields"]) == (1, {"Image": "C:\\whoami.exe"})


def test_a_named_log_source_runs_the_rules_that_cover_it_and_no_others(call: Call) -> None:
    ndjson("a.ndjson", {"Image": "C:\\whoami.exe", "type": "EXECVE", "a0": "nmap"})
    rules = f"{WHOAMI}%%{AUDITD}"
    as_auditd = call("a.ndjson", "--logsource", "linux/auditd", rules=rules)
    as_process = call("a.ndjson", "--logsource", "Windows/*/process_creation", rules=rules)
    assert [row["rule_title"] for row in as_auditd.rows] == ["Nmap by a user"]
    assert [row["rule_title"] for row in as_process.rows] == ["Whoami"]
    assert "do not say" not in as_auditd.err + as_process.err


def test_a_named_log_source_runs_rules_that_are_unmapped_otherwise(call: Call) -> None:
    assert unmapped(LogSource(None, None, "proxy")) is not None
    ndjson("a.ndjson", {"c-uri": "x"})
    said = call("a.ndjson", "--logsource", "*/*/proxy", rules=PROXY)
    assert [row["rule_title"] for row in said.rows] == ["Proxy"]
    assert "unable," not in said.err


@pytest.mark.parametrize("text", ["", "*", "*/*/*", "a/b/c/d"])
def test_a_log_source_that_is_none_is_wrong_usage(call: Call, text: str) -> None:
    ndjson("a.ndjson", logon(0))
    said = call("a.ndjson", "--logsource", text, rules=LOGON)
    assert said.status == 2
    assert "is no log source" in said.err


def test_derived_rows_of_a_bundle_are_matched_and_point_at_their_first_entry(call: Call) -> None:
    rule = """
title: A version
id: 99999999-9999-4999-8999-999999999999
logsource: {product: linux, category: fact}
detection: {any: {fact: daemon_version}, condition: any}
"""
    lines = "2026-03-01T02:10:00.000000Z INFO Daemon Daemon Azure Linux Agent Version: 2.2.46\n" * 2
    Path("var/log").mkdir(parents=True)
    Path("var/log/waagent.log").write_text("2026-03-01T02:09:00.000000Z INFO Daemon Daemon other\n" + lines)
    rows = call(".", rules=rule).rows
    assert [(row["file"], row["record_id"], row["logsource"]) for row in rows] == [
        ("./var/log/waagent.log", 3, "linux/waagent/fact")
    ]


# What is read.


def test_settings_in_a_folder_are_no_events_but_a_named_file_is(call: Call) -> None:
    ndjson("dir/settings.json", {"Image": "C:\\whoami.exe"})
    ndjson("dir/events.json", {"Image": "C:\\whoami.exe", "UtcTime": "2024-05-06 07:08:09"})
    assert [row["file"] for row in call("dir", rules=WHOAMI).rows] == ["dir/events.json"]
    assert [row["file"] for row in call("dir/settings.json", rules=WHOAMI).rows] == ["dir/settings.json"]


def test_a_named_file_that_is_no_log_is_told_and_gives_3_and_the_others_are_read(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    Path("b.bin").write_bytes(bytes(range(256)))
    said = call("b.bin", "a.ndjson", rules=LOGON)
    assert (said.status, len(said.rows)) == (3, 1)
    assert "not read: b.bin: nothing in it is a log that can be read" in said.err
    assert call("b.bin", "a.ndjson", "--exit-zero", rules=LOGON).status == 0


def test_a_file_in_a_folder_that_is_no_log_is_only_counted(call: Call) -> None:
    ndjson("dir/a.ndjson", logon(0))
    Path("dir/b.bin").write_bytes(bytes(range(256)))
    said = call("dir", rules=LOGON)
    assert said.status == 0
    assert "1 file in folders and archives without any" in said.err


def test_an_input_that_does_not_exist_gives_3_before_anything_is_written(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    said = call("a.ndjson", "missing.evtx", rules=LOGON)
    assert (said.status, said.out) == (3, "")
    assert "missing.evtx" in said.err


def test_a_damaged_event_log_gives_its_other_records_and_3(call: Call) -> None:
    Path("a.evtx").write_bytes(evtx()[:5972])
    said = call("a.evtx", rules=VSS)
    assert (said.status, len(said.rows)) == (3, 1)
    assert "not read: a.evtx: " in said.err


def test_lines_that_are_no_events_are_told_with_their_place_and_cost_nothing_else(call: Call) -> None:
    ndjson("a.ndjson", logon(0), "{oops", logon(1), "hello")
    said = call("a.ndjson", rules=LOGON)
    assert (said.status, len(said.rows)) == (0, 2)
    assert "lines that are no events: 2, the first at a.ndjson:2: not JSON: Expecting property name" in said.err


def test_a_time_zone_is_for_times_that_name_none(call: Call) -> None:
    ndjson("a.ndjson", logon(0, TimeCreated="2024-07-01T12:00:00"))
    assert call("a.ndjson", "--tz", "Europe/Rome", rules=LOGON).rows[0]["timestamp"] == "2024-07-01T10:00:00Z"
    assert call("a.ndjson", "--tz", "Nowhere/Else", rules=LOGON).status == 2


# Rules.


def test_a_broken_rule_file_is_told_with_its_place_and_the_others_run(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    said = call("a.ndjson", rules=f"{LOGON}%%title: x\nlogsource: [\n%%title: y\ndetection: {{}}\nlogsource: {{}}\n")
    assert (said.status, len(said.rows)) == (0, 1)
    place = re.escape(str(Path("rules") / "rule1.yml"))
    assert re.search(rf"no valid YAML.*\n  --> {place}:\d+\n  help: ", said.err)
    assert "rule2.yml:" in said.err
    assert "Traceback" not in said.err


def test_a_broken_rule_file_gives_2_where_rules_must_be_sound(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    said = call("a.ndjson", "--strict", rules=f"{LOGON}%%title: x\nlogsource: [\n")
    assert (said.status, len(said.rows)) == (2, 1)


def test_a_rule_file_that_cannot_be_decoded_is_a_fault_among_others(call: Call, tmp_path: Path) -> None:
    ndjson("a.ndjson", logon(0))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "latin.yml").write_bytes(b"title: caf\xe9\n")
    said = call("a.ndjson", rules=LOGON)
    assert (said.status, len(said.rows)) == (0, 1)
    assert "latin.yml: it is not UTF-8" in said.err


def test_without_one_rule_that_loads_the_run_ends_with_2(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    said = call("a.ndjson", rules="title: x\nlogsource: [\n")
    assert (said.status, said.out) == (2, "")
    assert "no rule could be loaded" in said.err


def test_rules_are_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["match", "a.ndjson"]) == 2
    assert "--rules" in capfd.readouterr().err
    assert run(["match", "--rules", "nowhere", "a.ndjson"]) == 2
    assert "nowhere does not exist" in capfd.readouterr().err


def test_yaml_beside_the_rules_is_counted_and_a_file_that_is_named_must_be_a_rule(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    said = call("a.ndjson", rules=f"{LOGON}%%id: 1\ntests: []\n")
    assert "0 faults; 1 further YAML file without a rule" in said.err
    assert "rule1.yml" in call("a.ndjson", "--rules", "rules/rule1.yml", rules=f"{LOGON}%%id: 1\ntests: []\n").err


def test_a_rule_that_polars_cannot_run_is_unable_and_the_others_run(call: Call) -> None:
    ndjson("a.ndjson", logon(0, a=["x"], b=["y"]))
    broken = LOGON.replace("11111111", "0a0a0a0a").replace("Failed logon", "Parts").replace("failed_logon", "parts")
    broken = broken.replace("wanted: {EventID: 4625}", "wanted: {a|fieldref|contains: b}")
    said = call("a.ndjson", rules=f"{LOGON}%%{broken}")
    assert [row["rule_title"] for row in said.rows] == ["Failed logon"]
    assert re.search(r"unable, because .*Parts \(0a0a0a0a-", said.err)


def test_of_many_faults_twenty_are_told_and_all_on_request(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    rules = "%%".join([LOGON, *["title: x\nlogsource: [\n"] * 25])
    said = call("a.ndjson", rules=rules)
    assert said.err.count("no valid YAML") == 20
    assert "and 5 more faults of rules; -v lists all" in said.err
    assert call("a.ndjson", "-v", rules=rules).err.count("no valid YAML") == 25


# Output.


def test_standard_output_holds_rows_only(call: Call) -> None:
    ndjson("a.ndjson", logon(0), "{oops", {"x": 1})
    said = call("a.ndjson", "-v", rules=f"{LOGON}%%{PROXY}%%title: x\nlogsource: [\n")
    assert [row["rule_title"] for row in said.rows] == ["Failed logon"]
    assert "read: 2 events" in said.err
    assert "1 match: 1 low" in said.err


def test_quiet_leaves_only_what_went_wrong(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    assert call("a.ndjson", "-q", rules=f"{LOGON}%%{PROXY}").err == ""
    Path("b.bin").write_bytes(b"\x00\x01")
    assert call("b.bin", "-q", rules=LOGON).err.count("\n") == 1


def test_json_is_one_array_also_when_it_is_empty(call: Call) -> None:
    ndjson("a.ndjson", logon(0), logon(1))
    assert [row["record_id"] for row in json.loads(call("a.ndjson", "-f", "json", rules=LOGON).out)] == [1, 2]
    assert json.loads(call("a.ndjson", "-f", "json", rules=AUDITD).out) == []


def test_files_are_written_in_the_format_of_their_suffix_or_prefix(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    outputs = [word for name in ("x.ndjson", "x.json", "x.txt", "json:x.out") for word in ("-o", name)]
    said = call("a.ndjson", *outputs, rules=LOGON)
    (row,) = said.rows
    assert json.loads(Path("x.ndjson").read_text()) == row
    assert json.loads(Path("x.json").read_text()) == json.loads(Path("x.out").read_text()) == [row]
    assert "Failed logon" in Path("x.txt").read_text()
    assert call("a.ndjson", "-o", "x.csv", rules=LOGON).status == 2
    said = call("a.ndjson", "-o", "missing/x.json", rules=LOGON)
    assert said.status == 2
    assert "cannot write" in said.err


@pytest.mark.parametrize("width", ["80", "160"])
def test_a_table_fits_its_width_and_shows_what_matters(call: Call, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    ndjson("a.ndjson", *(logon(minute, TargetUserName="b" * 50) for minute in range(4)))
    generating = MANY.replace("correlation:", "correlation:\n    generate: true")
    out = call("a.ndjson", "-f", "table", rules=f"{LOGON}%%{generating}").out
    assert max(map(len, out.splitlines())) <= int(width)
    for text in ("level", "Failed logon", "a.ndjson:1", "2024-05-06 07:00:00Z", "EventID: 4625", "4 events"):
        assert text in out
    assert out.count("level") == 1


def test_hostile_text_does_nothing_to_a_terminal(call: Call) -> None:
    hostile = "\x1b[31mred\x1b]0;title\x07 \u202etxt\r\nnext\x00"
    ndjson("a.ndjson", {"Channel": "Security", "EventID": 4625, "TargetUserName": hostile, hostile: hostile})
    rule = LOGON.replace("EventID: 4625", "TargetUserName|contains: red").replace("Failed logon", '"A\\e[31m title"')
    table = call("a.ndjson", "-f", "table", "--color", "never", rules=rule).out
    assert "red txt ⏎ next" in " ".join(table.split())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", table)
    said = call("a.ndjson", rules=rule)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said.out + said.err)
    assert said.rows[0]["matched_fields"]["TargetUserName"] == hostile


def test_a_hostile_file_name_does_nothing_to_a_terminal(call: Call) -> None:
    if os.name == "nt":
        pytest.skip("Windows allows no such name")
    ndjson("a\x1b[31m.ndjson", logon(0))
    said = call("a\x1b[31m.ndjson", "-f", "table", rules=LOGON)
    assert "\x1b" not in said.out + said.err


def test_secrets_become_tokens_unless_that_is_turned_off(call: Call) -> None:
    event = logon(0, CommandLine="tool --password hunter2horse", AdminPassword="correct horse")
    ndjson("a.ndjson", event)
    rule = LOGON.replace(
        "wanted: {EventID: 4625}", "wanted: {CommandLine|contains: tool, AdminPassword|contains: horse}"
    )
    hidden = call("a.ndjson", rules=rule)
    assert "hunter2horse" not in hidden.out
    assert hidden.rows[0]["matched_fields"]["AdminPassword"] == "<password:2>"
    assert call("a.ndjson", "--redact", "off", rules=rule).rows[0]["matched_fields"] == {
        "CommandLine": "tool --password hunter2horse",
        "AdminPassword": "correct horse",
    }


def test_hosts_that_only_other_events_name_are_hidden_in_matches_too(call: Call, tmp_path: Path) -> None:
    lines = ["Jun 10 01:00:00 dbserver7 kernel: eth0: link up", "Jun 10 01:00:01 web1 app: asked dbserver7 for ready"]
    (tmp_path / "syslog").write_text("".join(f"{line}\n" for line in lines))
    rule = "title: Ready\nlogsource: {product: linux}\ndetection: {a: {message|contains: ready}, condition: a}\n"
    said = call("syslog", "--rules", "rules", "--redact", "all", rules=rule)
    assert "asked <host:" in said.rows[0]["matched_fields"]["message"]
    assert "dbserver7" not in said.out


def test_what_rules_bring_is_not_redacted_and_what_events_bring_is_at_every_depth() -> None:
    secret = "password=hunter2horse"
    row = {"rule_title": secret, "records": [{"file": secret, "rule_ids": [secret]}], "group": {secret: [secret, 1]}}
    told = redacted(row, Redactor())
    hidden = "password=<password:1>"
    assert told == {
        "rule_title": secret,
        "records": [{"file": hidden, "rule_ids": [secret]}],
        "group": {hidden: [hidden, 1]},
    }


@pytest.mark.parametrize(
    ("fail_on", "status"), [("never", 0), ("any", 1), ("informational", 1), ("low", 1), ("medium", 0), ("critical", 0)]
)
def test_the_exit_status_follows_the_level_that_is_asked_for(call: Call, fail_on: str, status: int) -> None:
    ndjson("a.ndjson", logon(0))
    assert call("a.ndjson", "--fail-on", fail_on, rules=LOGON).status == status
    assert call("a.ndjson", "--fail-on", fail_on, "--exit-zero", rules=LOGON).status == 0


def test_rules_that_a_level_leaves_out_are_counted(call: Call) -> None:
    ndjson("a.ndjson", logon(0))
    said = call("a.ndjson", "--min-level", "high", rules=f"{LOGON}%%{PROXY}")
    assert said.rows == []
    assert "2 rules: 0 ran, 0 without events of their log source, 1 unable, 1 below the level; 0 faults" in said.err


def test_a_rule_without_a_level_counts_as_the_least(call: Call) -> None:
    ndjson("a.ndjson", {"type": "EXECVE", "a0": "nmap"})
    words = ("a.ndjson", "--logsource", "linux/auditd")
    assert call(*words, "--fail-on", "any", rules=AUDITD).status == 1
    assert call(*words, "--fail-on", "low", rules=AUDITD).status == 0
    assert call(*words, "--min-level", "low", rules=AUDITD).rows == []


def test_the_excerpt_of_the_readme_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ((words, excerpt),) = re.findall(r"^    \$ loganalyzer (match .*)\n\n((?:    .*\n)+)", readme, re.MULTILINE)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "96")
    assert run(words.split()) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    shown = [line.removeprefix("    ") for line in excerpt.splitlines()]
    assert shown == printed[: len(shown)]
    assert len(shown) > 5


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([4625, "nmap", "Security"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *(
            "Channel",
            "EventID",
            "Image",
            "NewProcessName",
            "type",
            "a0",
            "TargetUserName",
            "@timestamp",
            "derived_from",
        ),
        *("log.line", "EventRecordID", "Event", "System", "EventData", "host", "message", "^a$", "*", "", "\x1frow"),
    ]
)
ODD_FILES = st.lists(
    st.dictionaries(NAMES, VALUES, max_size=6).map(json.dumps) | st.text(alphabet='{}[]",:\n', max_size=6), max_size=5
).map("\n".join)


@given(first=ODD_FILES, second=ODD_FILES, declared=st.sampled_from([None, LogSource("linux", "auditd")]))
@settings(deadline=None, max_examples=40)
def test_odd_events_of_two_files_give_rows_that_json_can_hold(
    first: str, second: str, declared: LogSource | None
) -> None:
    rules = load_rules({"all.yml": "---".join([LOGON, MANY, WHOAMI, AUDITD, KEYWORDS, PROXY])})
    assert len(rules.rules) == 5
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, name)) for name in ("a.json", "b.json")]
        for path, text in zip(paths, (first, second), strict=True):
            Path(path).write_text(text, encoding="utf-8")
        found = match_events(paths, rules, MatchOptions(logsource=declared))
    for row in found.rows:
        told = redacted(row.to_json(), Redactor())
        assert json.loads(orjson.dumps(told))["file"] in paths
        assert isinstance(told["record_id"], int)
    told_of = {*found.ran, *found.no_source, *(one.rule_id for one in found.unable)}
    # A correlation stands there only when it could not run: an event without a time is one reason.
    assert told_of - {one.id for one in rules.correlations} == {rule.id for rule in rules.rules}


# Against the engine itself.


def test_rows_are_the_matches_of_the_engine(tmp_path: Path) -> None:
    events = [logon(minute, user) for minute in range(20) for user in ("bob", "host$")]
    loaded = load_rules({"l.yml": LOGON})
    found = match_events([ndjson(tmp_path / "a.ndjson", *events)], loaded)
    expected = match(loaded.rules, [frame_of(LogSource("windows", "security"), events)])
    assert [row.place.record_id for row in found.rows] == [one.row + 1 for one in expected.matches]
    assert len(found.rows) == 20


def test_sigmahqs_recorded_events_match_their_rules_in_both_forms(capfd: pytest.CaptureFixture[str]) -> None:
    """Needs a checkout of SigmaHQ's rules; its path is in LOGANALYZER_SIGMAHQ."""
    checkout = os.environ.get("LOGANALYZER_SIGMAHQ")
    if checkout is None:
        pytest.skip("LOGANALYZER_SIGMAHQ names no checkout of SigmaHQ's rules")
    root = Path(checkout)
    folders = [str(path) for path in sorted(root.glob("rules*")) if path.name != "rules-placeholder"]
    status = run(["match", "-q", *(word for path in folders for word in ("-r", path)), str(root / "regression_data")])
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    by_file: dict[str, set[str]] = {}
    for row in rows:
        by_file.setdefault(row["file"], set()).add(row["rule_id"])
    missing = []
    for info in sorted((root / "regression_data").rglob("info.yml")):
        (rule_id,) = re.findall(r"rule_metadata:\s*\n\s+- id: (\S+)", info.read_text(encoding="utf-8"))
        samples = [path for path in info.parent.iterdir() if path.suffix in (".json", ".evtx")]
        missing += [str(path) for path in samples if rule_id not in by_file.get(str(path), ())]
    assert (status, missing) == (0, [])


def test_a_file_of_keys_is_not_tried_as_events(call: Call) -> None:
    ndjson("waagent/TransportPrivate.pem", logon(1))
    ndjson("waagent/ManagedIdentity-1.json", logon(1))
    ndjson("waagent/events.ndjson", logon(1))
    assert [row["file"] for row in call("waagent", rules=LOGON).rows] == ["waagent/events.ndjson"]

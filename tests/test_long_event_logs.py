"""Long event logs: rows for those events only that something may ask for, and the reports are those of all rows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loganalyzer import near_misses, parser_long_evtx, parser_long_log
from loganalyzer.events_asked import EventsAsked
from loganalyzer.evtx.events import Event, read_event
from loganalyzer.evtx.glance import glance
from loganalyzer.facts import load_tables
from loganalyzer.parser import ParseContext, Selection
from loganalyzer.parser_long_evtx import EventPicker, NotPlainError, RenderedStretch
from loganalyzer.pipeline import ScanOptions, read, scan
from loganalyzer.report.json_report import to_json
from loganalyzer.schema import EventFrame, LogSource, to_the_minute
from loganalyzer.selection import selection_for
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.signatures_in_use import builtin_rules
from loganalyzer.source import Source
from tests.test_evtx import START, evtx_parser, record, write

BUNDLES = sorted(
    path
    for path in (Path(__file__).parents[1] / "sample_logs" / "bundles").iterdir()
    if path.name.startswith("windows") and path.suffix in (".zip", ".gz")
)
SYSTEM = LogSource("windows", "system")


@pytest.fixture(autouse=True)
def few_last_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are short: without this all of them would be the end of a log."""
    monkeypatch.setattr(parser_long_log, "LAST_ENTRIES", 2)
    monkeypatch.setattr(parser_long_evtx, "OF_A_MACHINE", 1)
    monkeypatch.setattr(near_misses, "MOST_ROWS", 2)


@dataclass(frozen=True)
class Rendered:
    """An event as the Rust binding renders it."""

    text: str

    @property
    def head(self) -> Any:
        return glance(self.text)

    def event(self, sequence: int) -> Event | None:
        places = {"offset": 0, "length": 0, "number": sequence, "written": None}
        return read_event(json.loads(self.text), self.text, sequence=sequence, **places)  # type: ignore[arg-type]


def rendered(
    second: int, provider: str = "Contoso", event_id: int = 1, level: int = 4, computer: str = "vm-01", **payload: Any
) -> Rendered:
    time = datetime(2024, 5, 6, tzinfo=UTC) + timedelta(seconds=second)
    system = {
        "Provider": {"#attributes": {"Name": provider, "Guid": "{1}"}},
        "EventID": {"#attributes": {"Qualifiers": 0}, "#text": event_id},
        "Version": 0,
        "Level": level,
        "Keywords": "0x80",
        "TimeCreated": {"#attributes": {"SystemTime": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"}},
        "EventRecordID": second,
        "Channel": payload.pop("Channel", "System"),
        "Computer": computer,
        "Security": None,
    }
    event = {"#attributes": {"xmlns": "http://schemas.example"}, "System": system, "EventData": payload or None}
    return Rendered(json.dumps({"Event": event}, separators=(",", ":")))


def picked(events: list[Rendered], asked: EventsAsked | None) -> EventFrame:
    picker = EventPicker(lambda logsource: asked if logsource == SYSTEM else None)
    for start in range(0, len(events), 7):
        picker.add(RenderedStretch.of(events[start : start + 7]))
    (frame,) = picker.frames("System.evtx")
    return frame


def kept(events: list[Rendered], asked: EventsAsked) -> list[int]:
    """The places of the rows that are not rows in any log: its first three, its last two."""
    found: list[int] = picked(events, asked).rows["event.sequence"].to_list()
    assert found[:3] == [0, 1, 2]
    assert found[-2:] == [len(events) - 2, len(events) - 1]
    return found[3:-2]


def quiet(count: int, start: int = 0) -> list[Rendered]:
    return [rendered(start + second, name=f"value {second}") for second in range(count)]


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        (rendered(50, event_id=7), EventsAsked(ids=frozenset({"7"}))),
        (rendered(50, provider="VolSnap"), EventsAsked(kinds=frozenset({("volsnap", "1")}))),
        (rendered(50, path="C:\\Thing\\RdAgent.exe"), EventsAsked(texts=frozenset({"rdagent"}))),
        (rendered(50, provider="EventLog", event_id=6005), EventsAsked(texts=frozenset({"eventlog 6005"}))),
        (rendered(50, level=2), EventsAsked()),
        (rendered(50, level=1), EventsAsked()),
        (rendered(50, level=99), EventsAsked()),
        (rendered(50, event_id=2), EventsAsked()),
        (rendered(50, computer="vm-02"), EventsAsked()),
        (rendered(50, provider="with \u201cquotation\u201d"), EventsAsked()),
    ],
)
def test_an_event_that_may_be_asked_for_is_a_row(event: Rendered, asked: EventsAsked) -> None:
    assert kept([*quiet(50), event, *quiet(50, 51)], asked) == [50]


def test_warnings_and_information_are_none() -> None:
    events = [*quiet(50), rendered(50, level=3), rendered(51, level=0), rendered(52, level=5), *quiet(50, 53)]
    assert kept(events, EventsAsked()) == []


def test_where_the_clock_went_back_both_events_are_rows() -> None:
    assert kept([*quiet(50, 100), *quiet(50, 20)], EventsAsked()) == [49, 50]


def test_the_others_are_counted_and_timed_and_those_beside_a_row_are_told() -> None:
    events = [*quiet(50), rendered(50, event_id=7), *quiet(50, 51)]
    frame = picked(events, EventsAsked(ids=frozenset({"7"})))
    (passed,) = frame.passed
    assert (passed.count, passed.timed, frame.height) == (95, 95, 101)
    beside = passed.beside(48, 52)
    assert beside["event.sequence"].to_list() == [48, 49, 51, 52]
    assert beside["message"][0] == "Contoso 1: name=value 48"
    assert passed.beside(60, 64).is_empty()
    every = pl.concat([passed.times, frame.rows["@timestamp"]])
    start = datetime(2024, 5, 6, tzinfo=UTC)
    whole = pl.Series([start + timedelta(seconds=second) for second in range(101)], dtype=pl.Datetime("us", "UTC"))
    assert to_the_minute(every).to_list() == to_the_minute(whole).to_list()


@pytest.mark.parametrize(
    "odd",
    [
        rendered(50, Channel="Application"),
        Rendered(rendered(50).text.replace("00:00:50.", "00:00:50,")),
    ],
)
def test_a_log_that_is_not_plain_is_read_whole(odd: Rendered) -> None:
    with pytest.raises(NotPlainError):
        picked([*quiet(50), odd, *quiet(50, 51)], EventsAsked())


def test_a_channel_of_which_something_is_asked_that_nothing_tells_is_read_whole() -> None:
    with pytest.raises(NotPlainError):
        picked(quiet(50), None)


def written(count: int, seed: int = 1) -> bytes:
    """A log of mostly quiet events, with failures of all kinds."""
    rng = random.Random(seed)
    time, events = START, []
    for number in range(count):
        time += timedelta(seconds=rng.choice([0, 1, 30, 600]))
        level = 4 if rng.random() < 0.95 else rng.choice([1, 2, 3])
        provider, event_id, values = rng.choice(_KINDS) if rng.random() < 0.1 else ("Contoso", number % 5, ("quiet",))
        events.append(record(provider, event_id, "System", level=level, time=time, data=values))
    return write(*events)


_KINDS = (
    ("volsnap", 25, ("\\Device\\HarddiskVolumeShadowCopy1", "C:")),
    ("Service Control Manager", 7036, ("RdAgent", "stopped")),
    ("Service Control Manager", 7036, ("Contoso", "running")),
    ("Service Control Manager", 7031, ("RdAgent", "1", "60000", "1", "Restart the service")),
    ("EventLog", 6008, ("07:00:00", "6/5/2024", "", "", "1")),
    ("Microsoft-Windows-Kernel-General", 12, ("10", "0")),
    ("Microsoft-Windows-Time-Service", 35, ("time.windows.com",)),
)


def rows_of(data: bytes, selection: Selection | None) -> EventFrame:
    (frame,) = evtx_parser().parse(Source("System.evtx", data), ParseContext(selection=selection)).frames
    return frame


def test_rows_of_a_part_are_those_of_the_whole_log() -> None:
    data = written(2_000)
    whole, part = rows_of(data, None), rows_of(data, selection_for(builtin_rules().rules, load_tables(), 0))
    assert part.height == whole.height == 2_000
    assert part.rows.height < 1_000
    chosen = whole.rows.filter(pl.col("event.sequence").is_in(part.rows["event.sequence"].to_list()))
    assert part.rows.equals(chosen.select(part.rows.columns))


def test_rules_fit_the_same_events_of_a_part() -> None:
    rules, data = builtin_rules().rules, written(2_000, seed=2)
    selection = selection_for(rules, load_tables(), 0)
    found = []
    for frame in (rows_of(data, None), rows_of(data, selection)):
        matches = match(rules, [frame]).matches
        found.append({(one.rule.id, frame.rows["event.sequence"][one.row]) for one in matches})
    assert len(found[0]) > 50
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "bundle",
    [pytest.param(one, marks=[pytest.mark.slow] * (at % 5 > 0), id=one.name) for at, one in enumerate(BUNDLES)],
)
def test_rules_fit_the_same_events_of_a_sample_bundle_and_its_report_is_the_same(bundle: Path) -> None:
    rules = builtin_rules().rules
    found = []
    for selection in (None, selection_for(rules, load_tables(), 0)):
        frames = read([bundle], ScanOptions(), None, lambda phase, name, size: None, selection).frames
        places = [frame.rows.select("log.file.path", "event.sequence").rows() for frame in frames]
        matches = match(rules, frames).matches
        found.append({(one.rule.id, places[one.frame][one.row]) for one in matches})
    assert found[0] == found[1]
    part, whole = (to_json(scan([bundle], ScanOptions(long_log=long)).report) for long in (0, None))
    assert part == whole


def test_bundles_with_event_logs_were_found() -> None:
    assert len(BUNDLES) >= 5


def test_what_a_glance_tells_is_what_the_decoded_event_says() -> None:
    frame = rows_of(written(500), None)
    names = {
        "provider": "Provider_Name",
        "event_id": "EventID",
        "level": "Level",
        "channel": "Channel",
        "computer": "Computer",
    }
    heads = [glance(text) for text in frame.rows["event.original"]]
    assert all(heads)
    for own, column in names.items():
        assert [getattr(head, own) for head in heads] == frame.rows[column].to_list()


RULE = """\
title: A rule
id: 6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0010
logsource: {product: windows, service: system}
detection:
    word: %s
    condition: word
level: low
"""


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ("{EventID: [7, 8]}", EventsAsked(ids=frozenset({"7", "8"}))),
        ("{EventID: 7, Provider_Name: VolSnap}", EventsAsked(kinds=frozenset({("volsnap", "7")}))),
        ("{EventID: 7036, param1|contains: 'Windows Agent'}", EventsAsked(texts=frozenset({"windows agent"}))),
        ("{EventID: 7036, param1|contains: 'ab'}", EventsAsked(ids=frozenset({"7036"}))),
        ("{message|contains: 'param1=RdAgent; param2'}", EventsAsked(texts=frozenset({"rdagent"}))),
        ("{Provider_Name|startswith: 'MSExchange'}", EventsAsked(texts=frozenset({"msexchange"}))),
        (
            "[{EventID: 7}, {message|contains: 'a failure'}]",
            EventsAsked(frozenset({"7"}), texts=frozenset({"a failure"})),
        ),
        ("{Level: 4}", None),
        ("{error_codes|contains: '0x80042306'}", None),
    ],
)
def test_what_a_rule_asks_of_a_channel(condition: str, asked: EventsAsked | None) -> None:
    loaded = load_rules({"rule.yml": RULE % condition})
    assert not loaded.faults
    always = selection_for([], load_tables()).events(SYSTEM)
    found = selection_for(loaded.rules, load_tables()).events(SYSTEM)
    assert always is not None
    if asked is None:
        assert found is None
    else:
        assert found == EventsAsked(always.ids | asked.ids, always.kinds | asked.kinds, always.texts | asked.texts)


def test_every_channel_that_rules_read_can_be_read_in_part() -> None:
    events: Callable[[LogSource], EventsAsked | None] = selection_for(builtin_rules().rules, load_tables()).events
    channels = {rule.logsource for rule in builtin_rules().rules if rule.logsource.product == "windows"}
    told = {
        one.service for one in channels if one.service in ("application", "system", "security") and not one.category
    }
    assert told == {"application", "system", "security"}
    assert all(events(LogSource("windows", service)) is not None for service in told)

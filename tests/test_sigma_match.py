"""Which rules run on which frames, and what is said of those that do not."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma import taxonomy
from loganalyzer.sigma.examples import frame_of
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import BATCH, match
from loganalyzer.sigma.rule import Rule


def rule_for(logsource: dict[str, str], detection: dict[str, Any], title: str = "r") -> Rule:
    document = {"title": title, "logsource": logsource, "detection": {"s": detection, "condition": "s"}}
    loaded = load_rules({title: yaml.safe_dump(document)})
    assert loaded.faults == ()
    return loaded.rules[0]


def channel(service: str, *events: dict[str, Any]) -> EventFrame:
    return frame_of(LogSource("windows", service), events)


def test_a_windows_service_is_the_frame_of_its_channel_only() -> None:
    rule = rule_for({"product": "windows", "service": "system"}, {"EventID": 7036})
    frames = [channel("application", {"EventID": 7036}), channel("system", {"EventID": 1}, {"EventID": 7036})]
    outcome = match([rule], frames)
    assert [(found.frame, found.row) for found in outcome.matches] == [(1, 1)]


def test_process_creation_is_sysmon_1_and_security_4688_in_the_words_of_sysmon() -> None:
    rule = rule_for({"product": "windows", "category": "process_creation"}, {"Image|endswith": r"\waagent.exe"})
    frames = [
        channel("sysmon", {"EventID": 1, "Image": r"C:\WAAGENT.exe"}, {"EventID": 7, "Image": r"C:\waagent.exe"}),
        channel(
            "security",
            {"EventID": 4688, "NewProcessName": r"C:\waagent.exe"},
            {"EventID": 4689, "NewProcessName": r"C:\waagent.exe"},
            {"EventID": 4688, "NewProcessName": r"C:\waagent.exe", "Image": r"C:\other.exe"},
        ),
        channel("application", {"EventID": 1, "Image": r"C:\waagent.exe"}),
    ]
    outcome = match([rule], frames)
    assert [(found.frame, found.row) for found in outcome.matches] == [(0, 0), (1, 0)]


@pytest.mark.parametrize(
    ("category", "event_ids"),
    [("file_delete", {23, 26}), ("registry_event", {12, 13, 14}), ("pipe_created", {17, 18}), ("image_load", {7})],
)
def test_a_sysmon_category_is_its_event_ids(category: str, event_ids: set[int]) -> None:
    rule = rule_for({"product": "windows", "category": category}, {"Image": None})
    outcome = match([rule], [channel("sysmon", *({"EventID": str(event_id)} for event_id in range(1, 30)))])
    assert {found.row + 1 for found in outcome.matches} == event_ids


@pytest.mark.parametrize(
    "logsource",
    [
        {"product": "aws", "service": "cloudtrail"},
        {"category": "proxy"},
        {"product": "windows", "category": "file_access"},
        {"product": "linux", "category": "process_creation"},
        {"product": "azure", "service": "signinlogs"},
        {"product": "windows", "category": "registry_set", "service": "security"},
    ],
    ids=lambda source: "-".join(source.values()),
)
def test_a_rule_whose_log_source_maps_to_nothing_runs_on_nothing_and_says_why(logsource: dict[str, str]) -> None:
    rule = rule_for(logsource, {"x": None})
    frames = [channel("security", {"EventID": 1}), frame_of(LogSource("linux", "waagent"), [{"message": "x"}])]
    outcome = match([rule], frames)
    assert outcome.matches == ()
    assert outcome.ran == outcome.no_source == ()
    (unable,) = outcome.unable
    assert unable.rule_id == rule.id
    assert "log source" in unable.why


@pytest.mark.parametrize(
    ("logsource", "fitting", "others"),
    [
        ({"category": "antivirus"}, ("windows", "windefend", 1116), [("windows", "windefend", 5007)]),
        ({"category": "process_creation"}, ("windows", "sysmon", 1), [("linux", "sysmon", 5)]),
        ({"category": "process_creation"}, ("linux", "sysmon", 1), []),
        ({"product": "linux", "category": "file_event"}, ("linux", "sysmon", 11), [("windows", "sysmon", 11)]),
        ({"product": "linux", "category": "file_event", "service": "auditd"}, None, [("linux", "sysmon", 11)]),
        ({"product": "windows", "service": "microsoft-servicebus-client"}, ("windows", "servicebus-client", 2), []),
    ],
)
def test_a_log_source_is_what_the_taxonomy_of_sigma_says(
    logsource: dict[str, str], fitting: tuple[str, str, int] | None, others: list[tuple[str, str, int]]
) -> None:
    rule = rule_for(logsource, {"f": "a"})
    events = [*others, fitting] if fitting is not None else others
    frames = [
        frame_of(LogSource(product, service), [{"EventID": event_id, "f": "a"}])
        for product, service, event_id in events
    ]
    found = [found.frame for found in match([rule], frames).matches]
    assert found == ([len(others)] if fitting is not None else [])


def test_a_threat_that_defender_found_has_the_field_names_of_antivirus() -> None:
    rule = rule_for({"category": "antivirus"}, {"Signature|contains": "eicar", "Filename|endswith": ".com"})
    event = {"EventID": "1116", "Threat Name": "Test/EICAR", "ThreatName": "Test/EICAR", "Path": r"C:\a.com"}
    assert len(match([rule], [channel("windefend", event)]).matches) == 1


def test_a_known_log_source_without_a_frame_is_no_fault() -> None:
    rule = rule_for({"product": "linux", "service": "waagent", "category": "gap"}, {"series": "heartbeat"})
    outcome = match([rule], [frame_of(LogSource("linux", "vmsnapshot", "gap"), [{"series": "heartbeat"}])])
    assert (outcome.matches, outcome.ran, outcome.no_source, outcome.unable) == ((), (), (rule.id,), ())


def test_a_frame_of_a_plug_in_is_found_under_its_own_log_source() -> None:
    rule = rule_for({"product": "appliance", "service": "audit"}, {"f": "a"})
    outcome = match([rule], [frame_of(LogSource("appliance", "audit"), [{"f": "a"}])])
    assert len(outcome.matches) == 1
    assert outcome.unable == ()


@pytest.mark.parametrize("category", sorted(taxonomy.OWN_CATEGORIES))
def test_our_own_categories_cover_every_product_that_the_rule_leaves_out(category: str) -> None:
    rule = rule_for({"category": category}, {"key": "a"})
    frames = [frame_of(LogSource(product, "x", category), [{"key": "a"}]) for product in ("linux", "windows")]
    other = frame_of(LogSource("linux", "x"), [{"key": "a"}])
    assert [found.frame for found in match([rule], [*frames, other]).matches] == [0, 1]


def test_matches_are_sorted_and_the_same_for_any_order_and_number_of_rules() -> None:
    source = {"product": "linux", "service": "waagent"}
    rules = [rule_for(source, {"f|contains": str(index % 7)}, f"t{index:03}") for index in range(2 * BATCH + 5)]
    events = [{"f": str(index)} for index in range(20)]
    frames = [frame_of(LogSource("linux", "waagent"), events), frame_of(LogSource("linux", "waagent"), events[::-1])]
    forward, backward = match(rules, frames), match(rules[::-1], frames)
    assert forward == backward
    assert len(forward.ran) == len(rules)
    keys = [(found.frame, found.row, found.rule.id) for found in forward.matches]
    assert keys == sorted(set(keys))
    expected = sum(str(index % 7) in event["f"] for index in range(len(rules)) for event in events) * 2
    assert len(keys) == expected > 100


def test_no_rules_or_no_frames_give_no_matches() -> None:
    assert match([], [channel("system", {"EventID": 1})]).matches == ()
    rule = rule_for({"product": "windows", "service": "system"}, {"EventID": 1})
    assert match([rule], []).no_source == (rule.id,)


def test_a_rule_on_lines_does_not_find_them_again_in_derived_rows() -> None:
    waagent = {"product": "linux", "service": "waagent"}
    line = rule_for(waagent, {"message|contains": "alpha"})
    gap = rule_for({**waagent, "category": "gap"}, {"message|contains": "alpha"})
    sources = (LogSource("linux", "waagent"), LogSource("linux", "waagent", "gap"))
    frames = [frame_of(source, [{"message": "alpha"}]) for source in sources]
    assert [one.frame for one in match([line], frames).matches] == [0]
    assert [one.frame for one in match([gap], frames).matches] == [1]


@pytest.mark.parametrize("keyword", ["Image=", "Sysmon 1", "C:*whoami", "information", "4711"])
def test_a_keyword_is_not_asked_of_what_was_made_from_an_event_to_be_read(keyword: str) -> None:
    event = {
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "EventID": "1",
        "Level": "4",
        "Image": r"C:\a.exe",
        "CommandLine": "whoami",
        "RecordNumber": 4711,
        "log.level": "Information",
        "message": r"Microsoft-Windows-Sysmon 1: Image=C:\a.exe; CommandLine=whoami",
    }
    rules = [rule_for({"product": "windows"}, detection) for detection in ({"|all": [keyword]}, {"|all": ["WHOAMI"]})]
    line = frame_of(LogSource("windows", "waappagent"), [{"message": event["message"], "log.level": "Information"}])
    assert [found.rule for found in match(rules[:1], [channel("sysmon", event)]).matches] == []
    assert [found.frame for found in match(rules[1:], [channel("sysmon", event), line]).matches] == [0, 1]

"""From findings to verdicts: the verdict table, the windows, the order, and the bundle's verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from textwrap import indent
from typing import Any

import pytest

from loganalyzer.attribute import Attribution, attribute
from loganalyzer.catalogue import Catalogue, load_catalogue
from loganalyzer.facts import derive, load_tables
from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.windows import Ticket
from tests.frames import make_frame

WAAGENT = LogSource("linux", "waagent")
VMSNAPSHOT = LogSource("linux", "vmsnapshot")
WAAPPAGENT = LogSource("windows", "waappagent")
APPLICATION = LogSource("windows", "application")

SUCCEEDED, FAILED = "1", "76"


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    return load_catalogue()


def rule(number: int, cause: str, word: str, role: str = "supports", strength: str = "strong", source: str = "") -> str:
    logsource = source or "product: linux\nservice: waagent"
    return f"""
title: rule {number} finds {word}
id: 00000000-0000-4000-8000-{number:012d}
taxonomy: loganalyzer
logsource:
{indent(logsource, "    ")}
detection:
    selection:
        message|contains: {word}
    condition: selection
level: medium
loganalyzer:
    cause: {cause}
    role: {role}
    strength: {strength}
"""


def run(texts: list[str], frames: list[EventFrame], ticket: Ticket | None = None) -> Attribution:
    loaded = load_rules({f"{number}.yml": text for number, text in enumerate(texts)})
    assert loaded.faults == ()
    derived = derive(frames, load_tables())
    everything = [*frames, *derived.frames]
    matches = match(loaded.rules, everything)
    return attribute(catalogue(), derived, everything, matches, loaded.rules, ticket or Ticket())


def backup(start: str, code: str, number: int = 1) -> list[dict[str, Any]]:
    """The extension's lines of one backup on 2026-03-01 that ends half a minute later with a code."""
    task = f"5b1c6c7e-9b0d-4a54-9d0f-7a1e0000000{number}"
    return [
        {"at": f"2026-03-01 {start}:00", "message": "starting enable"},
        {"at": f"2026-03-01 {start}:01", "message": f"taskId: {task}"},
        {"at": f"2026-03-01 {start}:30", "message": f"Enable,success,{code},,False"},
    ]


def agent(*lines: tuple[str, str]) -> EventFrame:
    return make_frame(
        WAAGENT, "var/log/waagent.log", *({"at": f"2026-03-01 {at}", "message": text} for at, text in lines)
    )


@pytest.mark.parametrize(
    ("strengths", "verdict"),
    [
        (["definitive"], "confirmed"),
        (["strong", "strong"], "confirmed"),
        (["strong"], "likely"),
        (["strong", "weak"], "likely"),
        (["weak", "weak"], "likely"),
        (["weak"], "possible"),
    ],
)
def test_the_verdict_follows_from_the_strengths_of_independent_findings(strengths: list[str], verdict: str) -> None:
    texts = [rule(n, "wireserver-blocked", f"word{n}", strength=word) for n, word in enumerate(strengths)]
    frame = agent(*((f"02:0{n}", f"word{n}") for n in range(len(strengths))))
    assert run(texts, [frame]).verdicts["wireserver-blocked"].verdict == verdict


def test_two_rules_on_one_line_are_not_independent() -> None:
    texts = [rule(1, "wireserver-blocked", "alpha"), rule(2, "wireserver-blocked", "beta")]
    assert run(texts, [agent(("02:00", "alpha beta"))]).verdicts["wireserver-blocked"].verdict == "likely"


def test_one_rule_on_many_lines_is_one_finding() -> None:
    frame = agent(("02:00", "alpha"), ("02:01", "alpha"), ("02:02", "alpha"))
    assert run([rule(1, "wireserver-blocked", "alpha")], [frame]).verdicts["wireserver-blocked"].verdict == "likely"


def test_support_outside_of_every_failed_attempt_is_history() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", FAILED))
    result = run([rule(1, "wireserver-blocked", "alpha")], [log, agent(("02:00", "alpha"), ("11:30", "end"))])
    verdict = result.verdicts["wireserver-blocked"]
    assert verdict.verdict not in ("confirmed", "likely", "possible")
    assert len(verdict.history) == 1


def test_support_inside_a_failed_attempt_counts() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", FAILED))
    result = run([rule(1, "wireserver-blocked", "alpha")], [log, agent(("09:45", "alpha"))])
    assert result.verdicts["wireserver-blocked"].verdict == "likely"
    assert result.verdict == "cause-found"


def test_a_state_that_began_before_the_last_success_is_history_and_one_that_began_after_it_stands() -> None:
    operation = rule(1, "other-extension-failed", "alpha", source="product: linux\nservice: waagent\ncategory: gap")
    text = operation.replace("message|contains: alpha", "series: wireserver\n        closed_by: bundle_end")
    bad = "[HTTP Failed] GET http://168.63.129.16/machine -- IOError timed out"
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", SUCCEEDED))
    before = run([text], [log, agent(("09:00", bad), ("11:00", "end"))])
    after = run([text], [log, agent(("10:30", bad), ("11:00", "end"))])
    assert before.ranked == ()
    assert after.ranked == ("other-extension-failed",)


def test_a_failed_attempt_before_a_success_is_history() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", FAILED), *backup("12:00", SUCCEEDED, 2))
    result = run([rule(1, "wireserver-blocked", "alpha")], [log, agent(("10:00", "alpha"), ("12:30", "end"))])
    assert result.ranked == ()
    assert result.verdict == "no-fault-found"


@pytest.mark.parametrize("seen", [(), (("09:00", "end"),)])
def test_a_success_is_no_proof_where_the_log_that_would_show_a_later_command_is_missing(
    seen: tuple[tuple[str, str], ...],
) -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("12:00", SUCCEEDED, 2))
    result = run([rule(1, "wireserver-blocked", "alpha")], [log, *([agent(*seen)] if seen else [])])
    assert result.verdict == "cannot-tell"
    assert "what would show a later one was not read" in result.why


def test_the_time_of_a_ticket_brings_an_older_failed_attempt_back() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", FAILED), *backup("18:00", SUCCEEDED, 2))
    frames = [log, agent(("10:00", "alpha"))]
    ticket = Ticket(at=datetime(2026, 3, 1, 10, 5, tzinfo=UTC))
    assert run([rule(1, "wireserver-blocked", "alpha")], frames, ticket).ranked == ("wireserver-blocked",)


def test_without_attempts_a_later_refutation_shows_that_a_fault_is_over() -> None:
    texts = [rule(1, "wireserver-blocked", "alpha"), rule(2, "wireserver-blocked", "fine", role="refutes")]
    over = run(texts, [agent(("02:00", "alpha"), ("03:00", "fine"))])
    again = run(texts, [agent(("02:00", "fine"), ("03:00", "alpha"))])
    assert over.verdicts["wireserver-blocked"].verdict == "ruled-out"
    assert again.verdicts["wireserver-blocked"].verdict == "likely"


UNKNOWN_ZONE = "local time of an unknown zone, read as UTC"


@pytest.mark.parametrize(
    ("assumed", "counts"),
    [
        (UNKNOWN_ZONE, True),
        ("local time, UTC+02:00 measured at UTC times beside it", False),
        (None, False),
    ],
)
def test_only_a_time_of_an_unknown_zone_counts_hours_away(assumed: str | None, counts: bool) -> None:
    failed = make_frame(VMSNAPSHOT, "extension.log", *backup("14:00", FAILED))
    row = {"at": "2026-03-01 09:00", "message": "alpha", "time.assumed": assumed}
    result = run([rule(1, "wireserver-blocked", "alpha")], [failed, make_frame(WAAGENT, "waagent.log", row)])
    assert (result.verdicts["wireserver-blocked"].verdict == "likely") is counts


def test_the_lines_of_the_attempts_own_log_need_no_zone_to_be_compared_with_it() -> None:
    local = [{**row, "time.assumed": UNKNOWN_ZONE} for row in backup("14:00", FAILED)]
    early = {"at": "2026-03-01 09:00", "message": "alpha", "time.assumed": UNKNOWN_ZONE}
    about = rule(1, "wireserver-blocked", "alpha", source="product: linux\nservice: vmsnapshot")
    own = run([about], [make_frame(VMSNAPSHOT, "extension.log", early, *local)])
    assert own.verdicts["wireserver-blocked"].verdict not in ("confirmed", "likely", "possible")
    other = run(
        [rule(1, "wireserver-blocked", "alpha")],
        [make_frame(VMSNAPSHOT, "extension.log", *local), agent(("09:00", "alpha"))],
    )
    assert other.verdicts["wireserver-blocked"].verdict == "likely"


def test_a_refutation_after_the_attempt_does_not_heal_the_attempt() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", FAILED))
    texts = [rule(1, "wireserver-blocked", "alpha"), rule(2, "wireserver-blocked", "fine", role="refutes")]
    result = run(texts, [log, agent(("10:00", "alpha"), ("10:05", "fine"))])
    assert result.verdicts["wireserver-blocked"].verdict == "likely"


def test_a_definitive_refutation_always_wins() -> None:
    texts = [
        rule(1, "wireserver-blocked", "alpha"),
        rule(2, "wireserver-blocked", "never", role="refutes", strength="definitive"),
    ]
    result = run(texts, [agent(("02:00", "never"), ("03:00", "alpha"))])
    assert result.verdicts["wireserver-blocked"].verdict == "ruled-out"


def test_what_needs_an_unread_artefact_is_undecided_and_says_which() -> None:
    result = run(
        [rule(1, "wireserver-blocked", "alpha")], [make_frame(VMSNAPSHOT, "extension.log", *backup("10:00", FAILED))]
    )
    verdict = result.verdicts["wireserver-blocked"]
    assert verdict.verdict == "undecided"
    assert "lin.waagent_log" in verdict.missing


def test_a_log_that_begins_after_the_failure_does_not_cover_it() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("02:00", FAILED))
    late = run([rule(1, "wireserver-blocked", "alpha")], [log, agent(("09:00", "nothing"))])
    early = run([rule(1, "wireserver-blocked", "alpha")], [log, agent(("01:00", "nothing"), ("09:00", "nothing"))])
    assert late.verdicts["wireserver-blocked"].verdict == "undecided"
    assert early.verdicts["wireserver-blocked"].verdict == "clear"


def test_a_source_that_was_read_only_in_part_makes_nothing_clear() -> None:
    frame = agent(("01:00", "nothing"))
    loaded = load_rules({"1.yml": rule(1, "wireserver-blocked", "alpha")})
    derived = derive([frame], load_tables(), frozenset(["var/log/waagent.log"]))
    result = attribute(catalogue(), derived, [frame], match(loaded.rules, [frame]), loaded.rules, Ticket())
    assert result.verdicts["wireserver-blocked"].verdict == "undecided"


def test_a_cause_without_a_signature_is_never_clear() -> None:
    result = run([], [agent(("01:00", "nothing"))])
    assert result.verdicts
    assert not [name for name, one in result.verdicts.items() if one.verdict == "clear"]


def test_settings_are_not_the_log_of_the_same_service_and_make_nothing_clear() -> None:
    settings = make_frame(LogSource("linux", "waagent", "config"), "etc/waagent.conf", {"key": "OS.X", "value": "y"})
    verdict = run([rule(1, "wireserver-blocked", "alpha")], [settings]).verdicts["wireserver-blocked"]
    assert (verdict.verdict, "lin.waagent_log" in verdict.missing) == ("undecided", True)


def test_of_artefacts_of_which_any_would_do_one_that_no_signature_reads_makes_nothing_clear() -> None:
    cause = catalogue().causes["noexec-or-restricted-path"]
    assert set(cause.requires.any_of) == {"lin.waagent_log", "lin.fstab"}
    mounts = make_frame(LogSource("linux", "mounts", "config"), "etc/fstab", {"key": "/", "kind": "fstab"})
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("02:00", FAILED))
    late = run([rule(1, cause.id, "alpha")], [mounts, log, agent(("09:00", "nothing"))])
    early = run([rule(1, cause.id, "alpha")], [mounts, log, agent(("01:00", "nothing"), ("09:00", "nothing"))])
    assert late.verdicts[cause.id].verdict == "undecided"
    assert early.verdicts[cause.id].verdict == "clear"


def test_every_cause_of_the_catalogue_has_exactly_one_verdict() -> None:
    assert run([], [agent(("01:00", "x"))]).verdicts.keys() == catalogue().causes.keys()


def test_a_cause_of_the_other_platform_is_ruled_out() -> None:
    verdict = run([], [agent(("01:00", "x"))]).verdicts["antivirus-blocks-extension"]
    assert (verdict.verdict, verdict.how) == ("ruled-out", "the VM runs Linux")


_COMMON = rule(1, "agent-outdated-linux", "old", strength="weak") + "    needs: failure\n"


def test_what_is_common_where_all_is_well_says_nothing_without_a_failure() -> None:
    found = run([_COMMON], [agent(("02:00:00", "old"))]).verdicts["agent-outdated-linux"]
    assert (found.verdict, found.supports, len(found.history)) == ("undecided", (), 1)
    assert "none is seen to fail" in found.how


def test_what_is_common_counts_beside_a_failed_backup_a_reported_error_and_other_evidence() -> None:
    log = agent(("02:00:10", "old"), ("02:00:20", "worse"))
    snapshot = make_frame(VMSNAPSHOT, "extension.log", *backup("02:00", FAILED))
    worse = rule(2, "agent-outdated-linux", "worse", strength="weak")
    [error, *_] = catalogue().causes["agent-outdated-linux"].errors
    verdicts = [
        run([_COMMON], [log, snapshot]),
        run([_COMMON], [log], Ticket(errors=(error,))),
        run([_COMMON, worse], [log]),
    ]
    assert [one.verdicts["agent-outdated-linux"].verdict for one in verdicts] == ["possible", "possible", "likely"]


def test_the_most_upstream_supported_cause_comes_first() -> None:
    texts = [
        rule(1, "wireserver-blocked", "beta", strength="definitive"),
        rule(2, "proxy-breaks-agent-traffic", "alpha"),
    ]
    result = run(texts, [agent(("02:00", "alpha"), ("02:01", "beta"))])
    assert result.ranked[0] == "proxy-breaks-agent-traffic"
    assert result.roots["wireserver-blocked"] == "proxy-breaks-agent-traffic"


def test_what_is_only_possible_never_stands_before_something_stronger() -> None:
    texts = [
        rule(1, "wireserver-blocked", "beta"),
        rule(2, "proxy-breaks-agent-traffic", "alpha", strength="weak"),
    ]
    assert run(texts, [agent(("02:00", "alpha"), ("02:01", "beta"))]).ranked[0] == "wireserver-blocked"


def test_an_old_version_stands_behind_what_failed_even_behind_an_umbrella_cause() -> None:
    fact = "product: linux\ncategory: fact"
    texts = [
        rule(1, "agent-outdated-linux", "2.2.10", strength="weak", source=fact),
        rule(2, "status-upload-failed", "alpha", strength="weak"),
    ]
    frame = agent(("02:00", "Agent WALinuxAgent-2.2.10 is running as the goal state agent"), ("02:01", "alpha"))
    assert run(texts, [frame]).ranked == ("status-upload-failed", "agent-outdated-linux")


def test_among_what_is_only_possible_the_most_upstream_comes_first() -> None:
    texts = [
        rule(1, "agent-certificate-missing-or-expired", "alpha", strength="weak"),
        rule(2, "agent-lib-dir-moved", "beta", strength="weak"),
    ]
    ranked = run(texts, [agent(("02:00", "alpha"), ("02:01", "beta"))]).ranked
    assert ranked == ("agent-lib-dir-moved", "agent-certificate-missing-or-expired")


def test_an_umbrella_cause_stands_after_a_cause_of_its_own() -> None:
    texts = [
        rule(1, "snapshot-status-unavailable", "alpha", strength="definitive"),
        rule(2, "waagent-options-not-set", "beta"),
    ]
    result = run(texts, [agent(("02:00", "alpha"), ("02:01", "beta"))])
    assert catalogue().causes["snapshot-status-unavailable"].umbrella
    assert result.ranked[0] == "waagent-options-not-set"


def test_the_last_failed_attempt_speaks_before_an_older_one() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("02:00", FAILED), *backup("10:00", FAILED, 2))
    texts = [
        rule(1, "wireserver-blocked", "alpha", strength="definitive"),
        rule(2, "storage-egress-blocked", "beta"),
    ]
    result = run(texts, [log, agent(("02:00", "alpha"), ("10:00", "beta"))])
    assert result.ranked == ("storage-egress-blocked", "wireserver-blocked")


def test_a_ticket_with_an_italian_text_is_understood() -> None:
    ticket = Ticket(errors=("L'agente di macchine virtuali non riesce a comunicare con Backup di Azure",))
    assert "UserErrorGuestAgentStatusUnavailable" in run([], [agent(("01:00", "x"))], ticket).ticket_errors


def test_a_failed_last_attempt_without_evidence_is_cannot_tell() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *backup("02:00", FAILED))
    assert run([], [log]).verdict == "cannot-tell"


def test_nothing_read_is_cannot_tell() -> None:
    assert run([], []).verdict == "cannot-tell"


def test_a_crash_in_the_night_before_the_last_day_is_history_without_attempts() -> None:
    source = "product: windows\nservice: application"
    frame = make_frame(
        APPLICATION,
        "Application.evtx",
        {"at": "2026-03-01 02:00", "message": "alpha"},
        {"at": "2026-03-04 02:00", "message": "end"},
    )
    result = run([rule(1, "antivirus-blocks-extension", "alpha", source=source)], [frame])
    assert result.ranked == ()

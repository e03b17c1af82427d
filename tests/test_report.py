"""The report: its JSON against its schema, its redaction by structure, and what a terminal shows."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.cells import cell_len
from rich.console import Console

from loganalyzer.redact import NOT_BUNDLE_TEXT, Redactor, redact_report
from loganalyzer.report.json_report import iso, schema, to_json
from loganalyzer.report.model import Report, RuledOut
from loganalyzer.report.plain_text import cut_end, one_line, plain
from loganalyzer.report.terminal import render_terminal
from tests.example_reports import (
    DIAGNOSIS,
    EXAMPLE,
    HOSTILE,
    SAS,
    WHEN,
    WORD,
    evidence_of,
    filled,
    sha256,
    with_citations,
)


def _shown(
    report: Report,
    width: int = 80,
    *,
    color: bool = False,
    details: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, color_system="truecolor" if color else None, legacy_windows=False
    )
    render_terminal(report, console, details=details, quiet=quiet, verbose=verbose)
    return out.getvalue()


# ---- JSON ----


def test_the_json_of_a_report_is_valid_by_the_schema_that_ships() -> None:
    Draft202012Validator.check_schema(schema())
    errors = list(Draft202012Validator(schema()).iter_errors(json.loads(to_json(with_citations(EXAMPLE)))))
    assert errors == []


@pytest.mark.parametrize("name", [each.name for each in fields(Report)])
def test_the_schema_wants_every_part_of_a_report(name: str) -> None:
    parts = json.loads(to_json(EXAMPLE))
    del parts[name]
    assert list(Draft202012Validator(schema()).iter_errors(parts))


def test_the_schema_refuses_unknown_words_and_allows_additions() -> None:
    validator = Draft202012Validator(schema())
    parts = json.loads(to_json(EXAMPLE))
    assert validator.is_valid({**parts, "new": 1, "tool": {"version": "1", "new": True}})
    assert not validator.is_valid({**parts, "verdict": "perhaps"})
    assert not validator.is_valid({**parts, "schema": "loganalyzer/report/2"})


def _dataclasses(value: Any) -> Iterator[Any]:
    if is_dataclass(value):
        yield value
        for each in fields(value):
            yield from _dataclasses(getattr(value, each.name))
    elif isinstance(value, tuple):
        for inner in value:
            yield from _dataclasses(inner)


def test_the_schema_names_the_fields_of_every_part_in_order() -> None:
    described = schema()
    seen = {type(value) for value in _dataclasses(with_citations(EXAMPLE))}
    assert len(seen) > 15
    for part in seen:
        definition = described if part is Report else described["$defs"][part.__name__]
        names = [each.name for each in fields(part)]
        assert definition["required"] == names
        assert list(definition["properties"]) == names
        assert definition.get("additionalProperties", True) is True


def test_the_same_report_gives_the_same_bytes_with_one_line_end_at_the_end() -> None:
    secret = filled(with_citations(EXAMPLE), f"password={WORD} x?sig={SAS}")
    first, second = (to_json(redact_report(secret, Redactor())) for _ in range(2))
    assert first == second
    assert to_json(EXAMPLE).endswith(b"}\n")
    assert b'\n  "verdict": "cause-found"' in to_json(EXAMPLE)


def test_times_are_utc_with_six_digits_or_none() -> None:
    assert iso(WHEN) == "2026-03-01T02:10:32.125000Z"
    assert iso(datetime(2026, 3, 1, 4, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-01T02:00:00Z"


def test_json_holds_any_text() -> None:
    for text in HOSTILE:
        parts = json.loads(to_json(filled(EXAMPLE, text)))
        assert parts["unattributed"][0]["example"] == text.replace("\ud800", "\ufffd")


# ---- redaction ----


def test_no_string_of_a_bundle_keeps_a_secret_in_json_or_at_the_terminal() -> None:
    for secret, text in (
        (SAS, f"PUT https://a.net/x?sv=2019&sig={SAS} failed"),
        (WORD, f'{{"a": "{{\\"password\\": \\"{WORD}\\"}}"}}'),
        (WORD, f"<UserPassword>{WORD}</UserPassword>"),
        ("q1w2e3r4", "-----BEGIN PRIVATE KEY-----\nq1w2e3r4\n-----END PRIVATE KEY-----"),
    ):
        report = redact_report(filled(with_citations(EXAMPLE), text), Redactor())
        parts = to_json(report).decode()
        assert secret not in parts
        assert secret.replace("/", "\\/") not in parts
        for width in (60, 200):
            assert secret not in _shown(report, width, details=True).replace("\n", "")


def test_a_changed_entry_is_marked_and_its_hash_is_of_what_is_shown() -> None:
    clean, secret = evidence_of("nothing here", offset=1), evidence_of(f"password={WORD}", offset=2)
    report = replace(EXAMPLE, diagnoses=(replace(DIAGNOSIS, evidence=(clean, secret)),))
    kept, changed = redact_report(report, Redactor()).diagnoses[0].evidence
    assert kept == clean
    assert (changed.original, changed.redacted) == ("password=<password:1>", True)
    assert changed.sha256 == sha256("password=<password:1>")


def test_tokens_are_numbered_in_source_order_not_in_report_order() -> None:
    later = evidence_of("password=zz2", source="b.log", offset=5)
    middle = evidence_of("password=zz1", source="a.log", offset=900)
    first = evidence_of("password=zz0", source="a.log", offset=20)
    report = replace(EXAMPLE, diagnoses=(replace(DIAGNOSIS, summary="password=zz9", evidence=(later, middle, first)),))
    diagnosis = redact_report(report, Redactor()).diagnoses[0]
    assert [one.original[-3:-1] for one in diagnosis.evidence] == [":3", ":2", ":1"]
    assert diagnosis.summary == "password=<password:4>"


def test_words_of_the_catalogue_are_not_redacted_and_off_changes_nothing() -> None:
    remedy = ("Run az vm user update --password NEW0pass",)
    report = replace(EXAMPLE, diagnoses=(replace(DIAGNOSIS, remedies=remedy, summary=f"password={WORD}"),))
    assert redact_report(report, Redactor()).diagnoses[0].remedies == remedy
    assert redact_report(report, Redactor("off")) is report
    assert redact_report(EXAMPLE, Redactor()) == EXAMPLE


def test_nothing_of_a_key_file_is_shown() -> None:
    report = replace(EXAMPLE, ruled_out=(RuledOut("x", "y", (evidence_of("MIIB", source="a.zip!lib/AB12.prv"),)),))
    (one,) = redact_report(report, Redactor()).ruled_out[0].evidence
    assert one.original == "<file:1>"
    assert one.redacted


@dataclass(frozen=True)
class _Later:
    added: str
    table: dict[str, str]
    ours: str = field(metadata={NOT_BUNDLE_TEXT: True})


def test_a_field_that_is_added_later_is_redacted_unless_it_says_that_it_is_ours() -> None:
    later = _Later(f"password={WORD}", {"k": f"pwd={WORD}"}, f"password={WORD}")
    redacted = redact_report(later, Redactor())
    assert redacted == _Later("password=<password:1>", {"k": "pwd=<password:1>"}, f"password={WORD}")


def test_a_value_that_cannot_be_searched_is_an_error_not_a_leak() -> None:
    with pytest.raises(TypeError, match="bytes"):
        redact_report(_Later("a", {"k": b"password=x"}, "o"), Redactor())  # type: ignore[dict-item]


# ---- terminal ----


def test_the_verdict_comes_first_and_says_the_cause() -> None:
    first = _shown(EXAMPLE).splitlines()[0]
    assert first.split() == ["CAUSE", "FOUND", "AppLocker", "blocks", "IaaSBcdrExtension.exe", "(confirmed)"]
    assert len(_shown(EXAMPLE, quiet=True).splitlines()) == 1


def test_a_report_without_a_cause_says_what_to_collect() -> None:
    shown = _shown(replace(EXAMPLE, verdict="cannot-tell", diagnoses=()))
    assert shown.splitlines()[0].strip().startswith("CANNOT TELL")
    assert "wevtutil epl" in shown
    assert "not in the bundle" in shown


def test_a_healthy_report_gives_its_statement() -> None:
    receipt = replace(EXAMPLE.receipt, statement="the last backup attempt succeeded")
    shown = _shown(replace(EXAMPLE, verdict="no-fault-found", diagnoses=(), receipt=receipt))
    assert "NO FAULT FOUND" in shown.splitlines()[0]
    assert "the last backup attempt succeeded" in shown


def test_a_diagnosis_shows_its_proof_what_it_leads_to_and_what_to_do() -> None:
    shown = _shown(EXAMPLE, 200)
    for wanted in (
        "logs/AppLocker.evtx record 61",
        "IaaSBcdrExtension.exe was prevented from running.",
        "+2 more",
        "extension-command-not-run → GuestAgentSnapshotTaskStatusError",
        "1. Allow the extension's publisher",
        "2. Start an on-demand backup.",
        "https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
        "antivirus-blocks-bcdr",
        "explained by app-control-blocks-bcdr",
        "2026-03-01 02:10:32Z",
        "the gz ends early",
        "4 files, 87.9 KiB",
        "plug-in names of acme-logs failed: TypeError: it is a str",
    ):
        assert wanted in shown, wanted


def test_details_show_all_evidence_sources_and_what_was_ruled_out() -> None:
    brief, full = _shown(EXAMPLE, 120), _shown(with_citations(EXAMPLE), 120, details=True)
    assert "4: IaaSBcdrExtension.exe" in full
    assert "4: IaaSBcdrExtension.exe" not in brief
    assert "inner.zip" in full
    assert "inner.zip" not in brief
    assert "Extensions.Enabled=n" in full
    assert "agent-stopped-windows" in full
    assert "--details" in brief
    assert "--details" not in full


def test_verbose_says_how_the_verdicts_came_about_without_all_evidence() -> None:
    brief, verbose = _shown(EXAMPLE, 120), _shown(EXAMPLE, 120, verbose=True)
    for wanted in (
        "how       definitive rule in the window of attempt-1",
        "antivirus-blocks-bcdr: ruled out: no crash of the program is recorded in the window",
        "static-ip-in-guest needs network-config",
        "antivirus-blocks-bcdr: the log covers the window",
        "agent-stopped-windows",
        "user.yml: field X is unknown",
        "acme_log of acme-logs 1.2 (loganalyzer.parsers)",
        "a cause is confirmed",
    ):
        assert wanted in verbose, wanted
    assert "definitive rule in the window" not in brief
    assert "network-config" not in brief
    assert "inner.zip" not in verbose
    assert "4: IaaSBcdrExtension.exe" not in verbose


def test_a_path_breaks_between_its_folders_and_an_entry_stands_behind_a_bar() -> None:
    deep = replace(DIAGNOSIS.evidence[0], source="device_0/Windows/System32/winevt/Logs/Microsoft-Windows-A.evtx")
    lines = _shown(replace(EXAMPLE, diagnoses=(replace(DIAGNOSIS, evidence=(deep,)),)), 60).splitlines()
    at = next(number for number, line in enumerate(lines) if "device_0" in line)
    assert lines[at].endswith("device_0/Windows/System32/")
    assert lines[at + 1].strip() == "winevt/Logs/Microsoft-Windows-A.evtx record 61"
    assert any(line.strip().startswith("│ 0: IaaSBcdrExtension.exe") for line in lines)


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_but_what_is_to_be_copied(width: int, details: bool) -> None:
    copied = {doc.url for doc in DIAGNOSIS.docs} | {one.command for one in EXAMPLE.next_evidence}
    copied |= {one.doc for one in EXAMPLE.errors if one.doc is not None}
    for report in (EXAMPLE, *(filled(with_citations(EXAMPLE), text) for text in HOSTILE)):
        lines = _shown(report, width, details=details).split("\n")
        assert copied <= {line.strip() for line in lines}
        assert max(cell_len(line) for line in lines if line.strip() not in copied) <= width


@pytest.mark.parametrize("verdict", ["cause-found", "no-fault-found", "cannot-tell"])
def test_text_of_a_log_cannot_drive_the_terminal(verdict: Any) -> None:
    reports = (filled(with_citations(replace(EXAMPLE, verdict=verdict)), text) for text in HOSTILE)
    for report in reports:
        for details in (False, True):
            shown = _shown(report, 80, details=details)
            assert not [char for char in shown if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)]
            assert not set(shown) & set("\u202e\u202c\u2066\u2069\u200b\U000e0041\u2028\ud800")
            colored = _shown(report, 80, color=True, details=details)
            assert not [char for char in colored if char not in "\n\x1b" and ord(char) < 32]
            assert "\x1b]" not in colored
            assert "\x1b[2J" not in colored


def test_markup_in_a_log_is_shown_as_it_stands() -> None:
    report = filled(EXAMPLE, "[red]alarm[/red]")
    assert "[red]alarm[/red]" in _shown(report, 80)
    assert "[red]alarm[/red]" in _shown(report, 80, color=True)


def test_color_is_used_only_where_it_is_wanted() -> None:
    assert "\x1b[" not in _shown(EXAMPLE)
    assert "\x1b[" in _shown(EXAMPLE, color=True)


def test_lines_do_not_end_in_blanks_outside_of_tables() -> None:
    lines = _shown(replace(EXAMPLE, coverage=(), attempts=())).split("\n")
    assert [line for line in lines if line != line.rstrip()] == []


def test_plain_text_loses_control_characters_and_keeps_the_rest() -> None:
    assert plain("\x1b[31ma\x1b[0m\tb\r\nc\x1b]0;t\x07d\u202ee") == "a   b\ncde"
    assert plain("\x1b]52;never closed") == "]52;never closed"
    assert one_line(" a  b \n\n c ") == "a b ⏎ c"
    assert cut_end("漢字漢字", 5) == "漢字…"
    assert cut_end("abc", 3) == "abc"


def test_of_a_file_of_keys_neither_the_entry_nor_its_message_is_shown() -> None:
    (diagnosis, *_) = EXAMPLE.diagnoses
    shown = replace(diagnosis.evidence[0], source="waagent/TransportPrivate.pem", message="q1w2e3r4t5y6")
    report = replace(EXAMPLE, diagnoses=(replace(diagnosis, evidence=(shown,)),))
    (told,) = redact_report(report, Redactor()).diagnoses[0].evidence
    assert told.redacted
    assert "q1w2e3r4t5y6" not in told.message
    assert told.message == told.original

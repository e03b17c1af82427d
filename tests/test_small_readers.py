"""Small outputs and files of Linux VMs: what their rows say, and who takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loganalyzer.known_files import known_file
from loganalyzer.parser import ParseContext, Source
from loganalyzer.pipeline import scan
from loganalyzer.registry import recognise


def rows_of(path: str, text: str) -> list[Mapping[str, Any]]:
    source = Source(path, text.encode())
    recognised = recognise(source)
    assert recognised is not None
    parsed = recognised.parser.parse(source, ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == source.size
    return [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)]


@pytest.mark.parametrize(
    ("path", "text", "taker"),
    [
        ("some.txt", "Id=a.service\nLoadState=loaded\nActiveState=active\n", "systemctl_show"),
        ("some.json", '{"policyVersion": "0.1.0", "extensionPolicies": {}}', "agent_policy_json"),
        ("some.txt", "Distributor ID:\tDebian\nRelease:\t12\n", "os_release"),
        ("some.txt", "Status: active\n\nTo  Action  From\n22/tcp   ALLOW IN   Anywhere\n", "host_firewall_text"),
        ("some.txt", "Status: active\nof a service that is well\n", None),
        ("some.txt", "drop\n  target: DROP\n  services: \n", "host_firewall_text"),
        ("journalctl_cat.txt", "Started Azure Linux Agent.\n", "journal_cat_text"),
        ("catalogue.txt", "Started Azure Linux Agent.\n", None),
        ("journal-cat.txt", "Id=a.service\nLoadState=loaded\nActiveState=active\n", "systemctl_show"),
        ("var/log/journal/0123/system.journal", "LPKSHHRH\0\0\0\0", None),
    ],
)
def test_a_file_is_taken_for_what_it_is(path: str, text: str, taker: str | None) -> None:
    recognised = recognise(Source(path, text.encode()))
    assert (recognised.parser.name if recognised else None) == taker


def test_a_binary_journal_is_named_with_the_command_that_makes_text_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/journal/0123"
    folder.mkdir(parents=True)
    (folder / "system@1-2.journal").write_bytes(b"LPKSHHRH" + bytes(200))
    [row] = scan([tmp_path]).report.coverage
    assert (row.status, row.notes) == ("skipped", ("binary journal of systemd",))
    assert "journalctl --file" in row.why
    assert "-o export" in row.why


@pytest.mark.parametrize("name", ["SYSTEM.LOG1", "SOFTWARE.LOG2", "RegBack/SYSTEM.LOG", "TxR/a.TxR.blf"])
def test_transaction_logs_of_the_registry_are_named(name: str) -> None:
    known = known_file(f"device_0/Windows/System32/config/{name}")
    assert known is not None
    assert known.id == "windows.registry-log"


def test_a_unit_of_systemctl_show_has_the_words_of_its_status() -> None:
    [row] = rows_of(
        "a.txt", "MainPID=9x\nNRestarts=-1\nId=a.service\nActiveState=failed\nSubState=\nLoadState=loaded\n"
    )
    assert (row["active_state"], row["sub_state"], row["main_pid"], row["restarts"]) == ("failed", None, None, None)


def test_a_time_in_a_zone_that_is_not_told_is_unknown() -> None:
    states = "ActiveState=active\nSubState=running\nStateChangeTimestamp="
    assert rows_of("a.txt", f"{states}Sat 2025-03-01 02:10:03 CET\n")[0]["since"] is None
    assert rows_of("a.txt", f"{states}Sat 2025-03-01 99:10:03 UTC\n")[0]["since"] is None


def test_lines_of_the_agent_in_a_journal_without_stamps_keep_their_own_time() -> None:
    first, second = rows_of(
        "journal-cat.txt", "Started.\n2025-03-01T02:10:04.500000Z INFO ExtHandler ExtHandler Going\n"
    )
    assert first["@timestamp"] is None
    assert (second["log.level"], second["message"]) == ("INFO", "Going")


def test_a_rule_of_ufw_tells_direction_address_and_port() -> None:
    text = "Status: active\n\n[ 1] 168.63.129.16 32526   DENY OUT   Anywhere   (out)\n[ 2] 22   LIMIT   10.0.0.4\n"
    first, second = rows_of("ufw.txt", text)
    assert [first[name] for name in ("chain", "target", "destination", "port", "source")] == [
        *("OUTPUT", "DROP", "168.63.129.16", "32526", None)
    ]
    assert [second[name] for name in ("chain", "target", "port", "source")] == ["INPUT", "ACCEPT", "22", "10.0.0.4"]


def test_a_rich_rule_about_all_but_an_address_says_so() -> None:
    text = 'drop\n  target: DROP\n  services: \n  rich rules: \n\trule destination NOT address="168.63.129.16" reject\n'
    zone, rule = rows_of("zones.txt", text)
    assert (zone["kind"], zone["target"]) == ("chain", "DROP")
    assert (rule["target"], rule["destination"], rule["negated"]) == ("REJECT", "168.63.129.16", "destination")


def test_a_policy_that_is_none_is_rejected_with_the_reason() -> None:
    source = Source("etc/waagent_policy.json", b'{"extensionPolicies": []}')
    recognised = recognise(source)
    assert recognised is not None
    parsed = recognised.parser.parse(source, ParseContext())
    assert parsed.damage == ("no policy in it: neither policyVersion nor extensionPolicies",)

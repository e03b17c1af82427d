"""Files of the Linux agent and its extensions: each has a parser, or a name and a reason why it is not read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loganalyzer.known_files import is_private, known_file, known_files
from loganalyzer.pipeline import scan
from loganalyzer.registry import recognise
from loganalyzer.report.model import Coverage
from loganalyzer.source import Source

SNAPSHOT = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
HANDLER = f"var/lib/waagent/{SNAPSHOT}-1.0.9225.0"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\n"


def coverage_of(folder: Path, files: dict[str, str]) -> dict[str, Coverage]:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {one.source: one for one in scan([folder]).report.coverage}


# ---- files that are known and not read ----


def test_every_entry_of_the_table_has_an_id_of_its_own_and_says_what_and_why() -> None:
    ids = [known.id for known in known_files()]
    assert sorted(set(ids)) == sorted(ids)
    for known in known_files():
        assert re.fullmatch(r"[a-z0-9.-]+", known.id)
        assert known.what.strip()
        assert known.why.strip()
        assert known.private == ("never read" in known.why)


def test_private_entries_come_first_so_that_no_other_entry_hides_one() -> None:
    privacy = [known.private for known in known_files()]
    assert any(privacy)
    assert privacy == sorted(privacy, reverse=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("var/lib/waagent/provisioned", "linux.provisioned"),
        ("device_0/var/lib/waagent/PROVISIONED", "linux.provisioned"),
        ("outer.zip!var/lib/waagent/provisioned", "linux.provisioned"),
        ("home/someone/provisioned", None),
        ("var/lib/waagent/provisioned.txt", None),
        (f"{HANDLER}/mrseq", "linux.mrseq"),
        ("etc/azure/machine_identity_FD76C85E-406F-4CFA-8EB0-CF18B123358B", "linux.machine-identity"),
        ("var/lib/waagent/0123456789ABCDEF0123456789ABCDEF01234567.prv", "private-key"),
        ("var\\lib\\waagent\\TransportPrivate.pem", "private-key"),
        (f"{HANDLER}/main/safefreeze/bin/safefreeze", "linux.handler-program"),
        (f"{HANDLER}/main/handle.py", "linux.handler-program"),
        ("opt/msawb/var/lib/catalog/InquiryCatalog/a/b.bin", "linux.workload-catalogue"),
        ("var/log/waagent.log", None),
    ],
)
def test_a_file_is_known_by_the_end_of_its_path(path: str, expected: str | None) -> None:
    known = known_file(path)
    assert (known.id if known else None) == expected


@pytest.mark.parametrize(
    "name", ["waagent.log.pem", "Certificates.xml", "etc/azure/extension.log.key", "GoalState.xml.crt"]
)
def test_a_private_file_is_shown_to_no_parser_whatever_it_holds(name: str) -> None:
    line = b"2025-03-01T02:10:03.120001Z INFO ExtHandler ExtHandler Wire server endpoint:168.63.129.16\n"
    assert is_private(name)
    assert recognise(Source(name, line)) is None
    assert recognise(Source("waagent.log", line)) is not None


def test_a_known_file_is_skipped_with_its_reason_and_an_unknown_one_is_unrecognised(tmp_path: Path) -> None:
    rows = coverage_of(
        tmp_path,
        {
            "var/lib/waagent/provisioned": "0AAEF486",
            "var/lib/waagent/ABCDEF.prv": KEY,
            "var/lib/waagent/shopping": "milk",
        },
    )
    known, private, unknown = (rows[f"var/lib/waagent/{name}"] for name in ("provisioned", "ABCDEF.prv", "shopping"))
    assert (known.status, known.bytes, known.skipped_bytes, known.parser) == ("skipped", 8, 8, None)
    assert "presence" in known.why
    assert known.notes == ("mark of the agent that the VM was provisioned",)
    assert (private.status, private.parsed_bytes, private.skipped_bytes) == ("skipped", 0, len(KEY))
    assert "never read" in private.why
    assert unknown.status == "unrecognised"

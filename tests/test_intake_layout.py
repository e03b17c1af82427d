"""How a bundle was collected, and where its root lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loganalyzer.intake import Archive, Layout, Skipped, Source, recognise_layout, relative, walk
from loganalyzer.intake.layout import place
from loganalyzer.intake.places import WHOLE_DISK, places
from loganalyzer.pipeline import ScanOptions, read, scan
from loganalyzer.registry import parsers

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    ("paths", "layout"),
    [
        ([], Layout("unknown", "")),
        (["device_0/WindowsAzure/Logs/WaAppAgent.log", "results.txt"], Layout("disk-inspect", "")),
        (["vm/device_0/var/log/syslog", "vm/device_1/etc/fstab", "vm/diskinfo.txt"], Layout("disk-inspect", "vm/")),
        (["device_0/var/log/waagent.log", "device_0/var/log/syslog"], Layout("disk-inspect", "")),
        (["results.txt", "var/log/waagent.log", "truncated__var_log_syslog.1"], Layout("collect-logs", "")),
        (["a/logs.zip!results.txt", "a/logs.zip!var/log/waagent.log"], Layout("collect-logs", "a/logs.zip!")),
        ([f"x/{GUID}.zip!WaAppAgent.log", f"x/{GUID}.zip.json"], Layout("guest-logs", "x/")),
        (["CollectGuestLogsTemp/a.log", "CollectGuestLogsTemp/b.log"], Layout("guest-logs", "CollectGuestLogsTemp/")),
        (["m/EventLogs/VM1_evt_System.evtx", "m/other.txt"], Layout("msrd", "m/")),
        (["m/EventLogs/VM1_evt_System.evtx", "m/EventLogs/VM1_evt_Application.evtx"], Layout("msrd", "m/")),
        (["var/log/waagent.log"], Layout("plain-copy", "")),
        (["a/b/var/log/waagent.log", "a/b/var/log/azure/x/extension.log"], Layout("plain-copy", "a/b/")),
        (["c/windowsazure/logs/waappagent.log", "c/windows/system32/x.evtx"], Layout("plain-copy", "")),
        (["d/WindowsAzure/Logs/WaAppAgent.log"], Layout("plain-copy", "")),
        (["waagent.log", "extension.log", "waagent.log.1.gz!waagent.log.1"], Layout("flat", "")),
        (["case/waagent.log", "case/extension.log"], Layout("flat", "case/")),
        (["case/waagent.log"], Layout("single-file", "case/")),
        (["waagent.log.1.gz!waagent.log.1"], Layout("single-file", "")),
        (["x/waagent.log.1.gz!waagent.log.1"], Layout("single-file", "x/")),
        (["x/a/one.log", "x/b/two.log"], Layout("unknown", "x/")),
        (["truncated__var_log_syslog.1", "var/log/waagent.log"], Layout("collect-logs", "")),
        (
            ["sosreport-vm1-2025/sos_commands/date/date", "sosreport-vm1-2025/var/log/x"],
            Layout("sosreport", "sosreport-vm1-2025/"),
        ),
        (["s/sos_commands/a", "s/sos_commands/b"], Layout("sosreport", "s/")),
        (["TSS_VM1_250301/VM1_System.evtx", "TSS_VM1_250301/x.txt"], Layout("msrd", "TSS_VM1_250301/")),
        (["IaaSBcdrExtension0.log", "CommandExecution.log"], Layout("vmsnapshot-folder", "")),
        (
            ["1.0.95.0/IaaSBcdrExtension0.log", "1.0.95.0/Install.log", "1.0.94.0/a.log"],
            Layout("vmsnapshot-folder", ""),
        ),
        (
            [f"x/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/{name}" for name in ("extension.log", "shell.log")],
            Layout("vmsnapshot-folder", "x/"),
        ),
        (
            ["var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log", "var/log/waagent.log"],
            Layout("plain-copy", ""),
        ),
    ],
)
def test_a_layout_is_recognised_by_its_paths_alone(paths: list[str], layout: Layout) -> None:
    assert recognise_layout(paths) == layout
    assert recognise_layout(paths[::-1]) == layout


@pytest.mark.parametrize("wrap", ["", "myvm/", "a/b/", "logs.zip!", "logs.tar.gz!myvm/", "x/outer.zip!inner.zip!"])
def test_any_wrapping_is_taken_away(wrap: str) -> None:
    names = ["etc/waagent.conf", "var/log/waagent.log", "var/log/waagent.log.1.gz!waagent.log.1"]
    layout = recognise_layout([wrap + name for name in names])
    assert layout.root == wrap
    assert [relative(wrap + name, layout.root) for name in names] == names


def test_what_packers_add_does_not_hide_the_wrapping_folder() -> None:
    assert recognise_layout(["__MACOSX/vm/._x", "vm/var/log/waagent.log", ".DS_Store"]).root == "vm/"


def test_a_folder_name_that_only_begins_alike_is_no_common_root() -> None:
    assert recognise_layout(["logs/a.log", "logs2/b.log"]) == Layout("unknown", "")


def test_a_path_outside_the_root_stays_as_it_is() -> None:
    assert relative("__MACOSX/x", "vm/") == "__MACOSX/x"


def test_a_zip_of_the_guest_agents_own_collector_is_told_by_its_name() -> None:
    others = [Archive(f"{GUID}.zip", "zip", 1, 2, None)]
    assert recognise_layout(["a.log", "b.log"], others) == Layout("guest-logs", "")


def test_several_inputs_have_the_layouts_of_all_and_keep_their_names() -> None:
    paths = ["one.zip!device_0/var/log/syslog", "two.zip!results.txt", "two.zip!var/log/waagent.log", "waagent.log"]
    assert recognise_layout(paths, several=True) == Layout("collect-logs + disk-inspect + single-file", "")
    both = ["a.zip!vm/var/log/x", "b/var/log/x"]
    assert recognise_layout(both, several=True) == Layout("plain-copy", "")


@pytest.mark.parametrize(
    ("path", "several", "expected"),
    [
        ("case/device_0/var/log/Waagent.log", False, "var/log/waagent.log"),
        ("one.zip!var/log/waagent.log", True, "var/log/waagent.log"),
        ("one.zip!waagent.log", True, "waagent.log"),
        ("one.zip!waagent.log", False, "one.zip/waagent.log"),
        ("waagent.log.1.gz!waagent.log.1", True, "waagent.log.1.gz/waagent.log.1"),
        ("c/Windows/System32/x.evtx", False, "c/windows/system32/x.evtx"),
    ],
)
def test_a_place_is_the_path_on_the_disk_as_far_as_it_is_told(path: str, several: bool, expected: str) -> None:
    assert place(path, several) == expected


LINE = b"2026-01-01T00:00:00.%06dZ INFO ExtHandler ExtHandler started\n"
LOG = b"".join(LINE % number for number in range(50))


def written(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def read_paths(inputs: Sequence[Path]) -> tuple[list[str], dict[str, str]]:
    reading = read(inputs, ScanOptions(), None, lambda phase, name, size: None)
    return [leaf.path for leaf in reading.leaves], {one.path: one.why for one in reading.skipped}


def test_the_same_file_in_several_collections_is_read_once_and_the_others_are_named(tmp_path: Path) -> None:
    inspect = written(tmp_path / "inspect", {"device_0/var/log/waagent.log": LOG, "device_0/etc/hostname": b"vm\n"})
    collect = written(tmp_path / "collect", {"var/log/waagent.log": LOG, "var/log/waagent.log.1": LOG[:100]})
    flat = written(tmp_path / "flat", {"waagent.log": LOG})
    leaves, skipped = read_paths([inspect, collect, flat])
    assert leaves == ["collect/var/log/waagent.log", "collect/var/log/waagent.log.1", "inspect/device_0/etc/hostname"]
    why = "the same bytes as collect/var/log/waagent.log, which is read"
    assert skipped == {"flat/waagent.log": why, "inspect/device_0/var/log/waagent.log": why}
    assert read_paths([flat, inspect, collect]) == (leaves, skipped)


def test_a_bundle_given_twice_says_what_it_says_once(tmp_path: Path) -> None:
    files = {"var/log/waagent.log": LOG, "etc/waagent.conf": b"Extensions.Enabled=n\n"}
    one, two = written(tmp_path / "one", files), written(tmp_path / "two", files)
    once, twice = scan([one, written(tmp_path / "three", {"x.txt": b"x"})]).report, scan([one, two]).report
    assert twice.receipt.events == once.receipt.events == 51
    assert twice.bundle.layout == "plain-copy"
    rows = {row.source: (row.status, row.skipped_bytes) for row in twice.coverage}
    assert rows["two/var/log/waagent.log"] == ("skipped", len(LOG))


def test_equal_files_of_different_places_are_all_read(tmp_path: Path) -> None:
    states = {f"var/lib/waagent/{name}-1.0/config/HandlerState": b"Enabled" for name in ("A.B", "C.D")}
    leaves, skipped = read_paths([written(tmp_path, states)])
    assert (leaves, skipped) == (sorted(states), {})


def test_of_a_whole_disk_only_the_places_of_known_files_are_read(tmp_path: Path) -> None:
    known = {
        "var/log/waagent.log": LOG,
        "var/log/waagent.log.1": LOG,
        "var/lib/waagent/history/2026-01-01T00-00-00__1/GoalState.xml": b"<GoalState/>",
        "etc/waagent.conf": b"a=b\n",
    }
    others = {"usr/bin/env": b"x", "home/u/waagent.log": LOG, "proc/1/mem": b"x", "var/log/other/big": b"x"}
    disk = written(tmp_path, known | others)
    (disk / "var" / "run").symlink_to("/run")
    leaves, skipped = read_paths([disk])
    assert leaves == sorted(known)
    assert skipped == {".": WHOLE_DISK}
    assert scan([disk]).report.bundle.layout == "whole-disk"
    assert "home/u/waagent.log" in [item.path for item in walk([disk]) if isinstance(item, Source)]


def test_a_running_machine_is_walked_only_where_known_files_are() -> None:
    items = walk(["/"], known=["/var/log/no-such-log-anywhere*.log"])
    assert [(item.path, item.why) for item in items if isinstance(item, Skipped)] == [(".", WHOLE_DISK)]


def test_places_are_read_from_paths_as_people_write_them() -> None:
    found = places(
        ["/var/lib/<name>-<version>/status/<N>.status", r"C:\Logs\{A,B-*}.log", "sc query > x/y.txt", "bare.log"]
    )
    for path in ("var/lib/X-1.0/status/3.status", "LOGS/a.log", "Logs/B-2.log", "var/lib/X-1.0.zip"):
        assert found.hold(path), path
    for path in ("var/lib/X/status/3.status", "Logs/C.log", "bare.log", "x/y.txt", "var/lib/X-1.0", "a/Logs/A.log"):
        assert not found.hold(path), path
    assert found.lead_on("var/lib/X-1.0")
    assert found.lead_on("Logs")
    assert not found.lead_on("var/log")
    assert not found.lead_on("Logs/A.log")


def test_every_parser_with_a_place_on_a_disk_is_found_there() -> None:
    found = places([path for parser in parsers() for path in parser.paths])
    assert len(found.patterns) >= 30
    assert found.hold("var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log")
    assert found.hold("Windows/System32/winevt/Logs/System.evtx")
    assert found.hold("var/lib/waagent/history/2026-01-01T00-00-00__1.zip")

"""How a bundle was collected, and where its root lies."""

from __future__ import annotations

import pytest

from loganalyzer.intake import Layout, recognise_layout, relative

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

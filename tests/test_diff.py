"""Two reports of one machine: what is fixed, still there and new, and which settings changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from loganalyzer.cli import run
from loganalyzer.compare import Comparison, compare
from loganalyzer.pipeline import scan
from loganalyzer.redact import TOKEN, Redactor
from loganalyzer.report.json_report import to_json
from loganalyzer.report.model import Report
from sample_logs.generate import bundles
from sample_logs.packing import write_directory

SAMPLES = {bundle.name: bundle for bundle in bundles()}
CONF = "etc/waagent.conf"
LOG = "var/log/waagent.log"


def report_on(files: Mapping[str, bytes], redactor: Redactor | None = None) -> Report:
    with TemporaryDirectory() as folder:
        write_directory(files, Path(folder, "bundle"))
        return scan([Path(folder, "bundle")], redactor=redactor).report


@cache
def sample(name: str) -> Report:
    return report_on(SAMPLES[name].files)


def changes(found: Comparison) -> dict[str, str]:
    return {one.cause: one.change for one in found.causes}


def with_changed(name: str, source: str, old: bytes, new: bytes) -> dict[str, bytes]:
    files = dict(SAMPLES[name].files)
    assert old in files[source]
    files[source] = files[source].replace(old, new)
    return files


def test_a_report_compared_with_itself_has_no_change() -> None:
    found = compare(sample("linux-freeze-failed"), sample("linux-freeze-failed"))
    assert set(changes(found).values()) == {"same"}
    assert found.settings == ()
    assert found.new_errors == found.gone_errors == ()
    assert found.unlike == ("they are of the same bytes",)
    assert not found.worse


def test_a_cause_is_new_one_way_and_fixed_the_other_where_backups_succeed_again() -> None:
    healthy, failing = sample("linux-healthy"), sample("linux-freeze-failed")
    first = failing.diagnoses[0].cause
    worse, better = compare(healthy, failing), compare(failing, healthy)
    assert changes(worse)[first] == "new"
    assert worse.worse
    assert changes(better)[first] == "fixed"
    assert not better.worse
    assert better.verdicts == ("cause-found", "no-fault-found")
    assert [side.outcomes for side in worse.attempts] == [{"success": 2}, {"failure": 1, "success": 1}]


def test_a_cause_of_which_the_proof_was_not_collected_is_not_called_fixed() -> None:
    files = dict(SAMPLES["linux-freeze-failed"].files)
    kept = {name: data for name, data in files.items() if name.endswith(("waagent.conf", "os-release"))}
    assert kept
    found = compare(sample("linux-freeze-failed"), report_on(kept))
    assert set(changes(found).values()) <= {"not-shown", "fixed"}
    assert changes(found)[sample("linux-freeze-failed").diagnoses[0].cause] == "not-shown"


def test_a_changed_setting_is_told_with_both_values() -> None:
    files = with_changed("linux-healthy", CONF, b"Extensions.Enabled=y", b"Extensions.Enabled=n")
    [one] = compare(sample("linux-healthy"), report_on(files)).settings
    assert (one.logsource, one.name, one.before, one.after) == (
        "linux/waagent/config",
        "Extensions.Enabled",
        ("y",),
        ("n",),
    )


def test_a_setting_of_a_file_that_one_side_lacks_is_no_change() -> None:
    files = {name: data for name, data in SAMPLES["linux-healthy"].files.items() if name != CONF}
    assert compare(sample("linux-healthy"), report_on(files)).settings == ()


def test_a_changed_version_of_the_agent_is_told() -> None:
    files = with_changed("linux-healthy", LOG, b"2.14.0.1", b"2.15.1.3")
    found = {one.name: (one.before, one.after) for one in compare(sample("linux-healthy"), report_on(files)).settings}
    assert found["agent_version"] == (("2.14.0.1",), ("2.15.1.3",))


def test_a_vss_writer_that_came_and_a_file_system_that_changed_are_told() -> None:
    writers = [
        f"Writer name: '{name}'\r\n   Writer Id: {{22222222-2222-2222-2222-22222222222{number}}}\r\n"
        f"   Writer Instance Id: {{33333333-3333-3333-3333-33333333333{number}}}\r\n"
        "   State: [1] Stable\r\n   Last error: No error\r\n\r\n"
        for number, name in enumerate(("Fabrikam Index Writer", "Fabrikam Mail Writer"))
    ]
    mounts = "proc /proc proc rw 0 0\n/dev/sda1 / {} rw 0 0\nfs02:/export /net nfs4 rw 0 0\n"
    before, after = (
        report_on({"vss_writers.txt": listed.encode(), "proc/mounts": mounts.format(kind).encode()})
        for listed, kind in ((writers[0], "ext4"), ("".join(writers), "xfs"))
    )
    assert {(one.name, one.value) for one in before.settings} >= {
        ("vss_writer", "Fabrikam Index Writer"),
        ("file_system", "ext4"),
        ("file_system", "nfs4"),
    }
    assert "proc" not in {one.value for one in before.settings}
    found = {one.name: (one.before, one.after) for one in compare(before, after).settings}
    assert found["vss_writer"] == (("Fabrikam Index Writer",), ("Fabrikam Index Writer", "Fabrikam Mail Writer"))
    assert found["file_system"] == (("ext4", "nfs4"), ("nfs4", "xfs"))


def test_the_value_of_a_setting_whose_name_names_a_secret_is_in_no_report() -> None:
    secret = b"hunter2andmore"
    files = with_changed("linux-healthy", CONF, b"Logs.Verbose=n", b"Logs.Verbose=n\nProxy.Password=" + secret)
    report = report_on(files)
    assert secret not in to_json(report)
    (value,) = [one.value for one in report.settings if one.name == "Proxy.Password"]
    assert TOKEN.fullmatch(value)


def test_a_setting_whose_name_names_a_machine_is_hidden_where_identities_are() -> None:
    files = with_changed("linux-healthy", CONF, b"Logs.Verbose=n", b"Logs.Verbose=n\nProxy.HostName=qxproxy")
    report = report_on(files, Redactor("all"))
    assert b"qxproxy" not in to_json(report)
    assert b"qxproxy" in to_json(report_on(files))


def test_errors_that_nobody_explains_are_told_when_they_are_new() -> None:
    failed = sample("linux-freeze-failed")
    assert failed.attempts[-1].end is not None
    stamp = failed.attempts[-1].end.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    files = dict(SAMPLES["linux-freeze-failed"].files)
    files[LOG] += stamp + b" ERROR ExtHandler ExtHandler the frobnicator of Contoso broke\n"
    found = compare(failed, report_on(files))
    assert ["frobnicator" in one.example for one in found.new_errors] == [True]
    back = compare(report_on(files), failed)
    assert back.new_errors == ()
    assert len(back.gone_errors) == 1


def test_two_machines_are_told_apart_by_their_names() -> None:
    nameless = sample("linux-healthy")
    one, other = (replace(nameless, bundle=replace(nameless.bundle, hosts=hosts)) for hosts in (("vm1",), ("VM1", "a")))
    third = replace(nameless, bundle=replace(nameless.bundle, hosts=("vm2",), platform="windows"))
    assert compare(one, other).same_host is True
    assert compare(one, third).same_host is False
    assert compare(one, third).unlike[0] == "one is of a linux machine, the other of a windows one"
    assert compare(nameless, one).same_host is None


def written(folder: Path, name: str) -> str:
    path = folder / f"{name}.json"
    path.write_bytes(to_json(sample(name)))
    return str(path)


def bundle(folder: Path, name: str) -> str:
    write_directory(SAMPLES[name].files, folder / name)
    return str(folder / name)


@pytest.mark.parametrize("side", [written, bundle])
def test_the_command_takes_reports_and_bundles(
    side: Any, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    before, after = side(tmp_path, "linux-healthy"), side(tmp_path, "linux-freeze-failed")
    assert run(["diff", before, after, "-q"]) == 1
    told = capfdbinary.readouterr().out.decode()
    assert "no-fault-found -> cause-found" in told
    assert "new              A file system is not clean" in told
    assert run(["diff", after, before, "-q", "-f", "json"]) == 0
    found = json.loads(capfdbinary.readouterr().out)
    assert found["verdict"] == {"before": "cause-found", "after": "no-fault-found"}
    assert {one["change"] for one in found["causes"]} == {"fixed"}
    assert found["attempts"]["before"]["last"]["outcome"] == "failure"


def test_a_side_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(tmp_path / "none"), str(tmp_path / "nothing")]) == 3
    assert "there is no such file or directory" in capsys.readouterr().err

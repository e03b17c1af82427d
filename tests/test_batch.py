"""Many bundles in one run: which they are, what the dataset holds, and that nothing on the way changes it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import psutil
import pyarrow.parquet as pq
import pytest

from loganalyzer.cli import run
from loganalyzer.errors import UsageError
from loganalyzer.evtx.child import Child
from loganalyzer.fleet import batch as batch_module
from loganalyzer.fleet import dataset as dataset_module
from loganalyzer.fleet import task as task_module
from loganalyzer.fleet.collection import members
from loganalyzer.fleet.outcome import Chunk, Outcome
from loganalyzer.fleet.scanning import scanned
from loganalyzer.fleet.schemas import COLUMNS, schema
from loganalyzer.report.read_report import read_report
from tests.small_fleet import write_bundle, write_fleet

#: A module that Python imports at its start, in the processes of a run: bundles of these names end them, or take
#: memory.
_HOSTILE = """
import hashlib, os, signal, time
plain = hashlib.file_digest
def file_digest(file, digest):
    if "killer" in file.name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "once" in file.name and not os.path.exists(file.name + ".seen"):
        open(file.name + ".seen", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if "sleeper" in file.name:
        time.sleep(600)
    if "greedy" in file.name:
        hold = bytearray(700 << 20)
        while True:
            pass
    return plain(file, digest)
hashlib.file_digest = file_digest
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hostile").mkdir()
    (tmp_path / "hostile" / "sitecustomize.py").write_text(_HOSTILE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hostile"))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans without a process of their own, for what does not depend on it: the start of one is most of a small run."""

    def run_chunk(chunk: Chunk) -> tuple[Outcome, ...]:
        answers = [(request.member, scanned(request, chunk.settings)) for request in chunk.requests]
        return tuple(Outcome(member, found, report or None) for member, (found, report) in answers)

    monkeypatch.setattr(batch_module, "run_chunk", run_chunk)


def batch(*words: str | Path) -> int:
    return run(["batch", *map(str, words)])


def table(dataset: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(sorted(dataset.glob(f"part=*/{name}.parquet")))


def content(dataset: Path) -> dict[str, bytes]:
    """All that a reader may look at."""
    paths = [path for path in dataset.rglob("*") if path.is_file() and "_work" not in path.parts]
    return {path.relative_to(dataset).as_posix(): path.read_bytes() for path in paths}


def test_a_folder_of_bundles_gives_a_row_and_a_report_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = write_fleet(tmp_path / "fleet", 5)
    assert batch(fleet, "-o", tmp_path / "ds") == 0
    bundles = table(tmp_path / "ds", "bundles").sort("bundle")
    assert bundles["bundle"].to_list() == [f"vm{number:05}.zip" for number in range(5)]
    for row in bundles.iter_rows(named=True):
        report = read_report(tmp_path / "ds" / row["report"])
        assert (report.verdict, report.bundle.sha256) == (row["verdict"], row["sha256"])
        causes = table(tmp_path / "ds", "diagnoses").filter(bundle_id=row["bundle_id"]).sort("rank")["cause"]
        assert causes.to_list() == [one.cause for one in report.diagnoses]
    assert bundles["cause"].null_count() < 5
    assert "5 bundles: 5 scanned, 0 unchanged, 0 failed" in capsys.readouterr().err


@pytest.mark.usefixtures("in_this_process")
def test_what_is_known_is_not_scanned_again_and_what_changed_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = write_fleet(tmp_path / "fleet", 4)
    batch(fleet, "-o", tmp_path / "ds")
    before = content(tmp_path / "ds")
    capsys.readouterr()
    os.utime(fleet / "vm00000.zip")
    assert batch(fleet, "-o", tmp_path / "ds") == 0
    assert "4 bundles: 0 scanned, 4 unchanged" in capsys.readouterr().err
    assert content(tmp_path / "ds") == before
    write_bundle(fleet / "vm00001.zip", random.Random("another"))
    write_bundle(fleet / "vm00009.zip", random.Random("new"))
    (tmp_path / "ds/reports/00").mkdir(exist_ok=True)
    (tmp_path / "ds/reports/00/0011223344556677-889900112233.json").write_text("of a run that was ended")
    assert batch(fleet, "-o", tmp_path / "ds") == 0
    assert "5 bundles: 2 scanned, 3 unchanged" in capsys.readouterr().err
    assert batch(fleet, "-o", tmp_path / "fresh") == 0
    assert content(tmp_path / "ds") == content(tmp_path / "fresh")


@pytest.mark.usefixtures("in_this_process")
def test_other_options_that_a_report_depends_on_scan_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = write_fleet(tmp_path / "fleet", 2)
    batch(fleet, "-o", tmp_path / "ds")
    capsys.readouterr()
    batch(fleet, "-o", tmp_path / "ds", "--tz", "Europe/Rome")
    assert "2 bundles: 2 scanned, 0 unchanged" in capsys.readouterr().err


_RULE = """
title: A rule of one's own
id: 0d7d7b3e-7a7c-4f0e-9b43-2f8b7c1f0a11
logsource: {{product: {product}}}
detection: {{selection: {{message|contains: '{text}'}}, condition: selection}}
"""


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_other_rules_scan_only_the_machines_that_they_speak_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = write_fleet(tmp_path / "fleet", 2)
    rule = tmp_path / "own.yml"
    batch(fleet, "-o", tmp_path / "ds")
    for product, text, told in (
        ("windows", "one", "0 scanned, 2 unchanged"),
        ("windows", "another", "0 scanned, 2 unchanged"),
        ("linux", "another", "2 scanned, 0 unchanged"),
        ("linux", "another", "0 scanned, 2 unchanged"),
        ("macos", "another", "2 scanned, 0 unchanged"),  # a product that is not read, which each report tells
    ):
        rule.write_text(_RULE.format(product=product, text=text))
        capsys.readouterr()
        assert batch(fleet, "-o", tmp_path / "ds", "--rules", rule) == 0
        assert told in capsys.readouterr().err
        shutil.rmtree(tmp_path / "fresh", ignore_errors=True)
        assert batch(fleet, "-o", tmp_path / "fresh", "--rules", rule) == 0
        assert content(tmp_path / "ds") == content(tmp_path / "fresh")


@pytest.mark.usefixtures("in_this_process")
def test_a_dataset_keeps_the_bundles_that_a_later_run_is_not_about(tmp_path: Path) -> None:
    fleet = write_fleet(tmp_path / "fleet", 3)
    batch(fleet / "vm00000.zip", "-o", tmp_path / "ds")
    batch(fleet / "vm00002.zip", "-o", tmp_path / "ds")
    assert sorted(table(tmp_path / "ds", "bundles")["bundle"]) == ["vm00000.zip", "vm00002.zip"]


@pytest.mark.slow
def test_a_bundle_that_kills_its_process_costs_itself_alone(
    tmp_path: Path, hostile: None, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = write_fleet(tmp_path / "fleet", 4)
    (fleet / "vm00001.zip").rename(fleet / "killer.zip")
    (fleet / "vm00002.zip").rename(fleet / "once.zip")
    assert batch(fleet, "-o", tmp_path / "ds", "-j", "1") == 3
    rows = {row["bundle"]: row for row in table(tmp_path / "ds", "bundles").iter_rows(named=True)}
    assert {name for name, row in rows.items() if row["status"] == "scanned"} == {
        "vm00000.zip",
        "vm00003.zip",
        "once.zip",
    }
    assert rows["killer.zip"]["failure_kind"] == "crash"
    assert rows["killer.zip"]["failure"] == "tried 3 times: its process was ended by signal 9"
    assert "killer.zip: tried 3 times" in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_goes_on_from_chunk_to_chunk_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    start = Child.start

    def counted(child: Child) -> None:
        started.append(child)
        start(child)

    monkeypatch.setattr(Child, "start", counted)
    monkeypatch.setattr(batch_module, "_MOST_OF_A_CHUNK", 1)
    monkeypatch.setattr(task_module, "MOST_OF_A_PROCESS", 3)
    assert batch(write_fleet(tmp_path / "fleet", 4), "-o", tmp_path / "ds", "-j", "1") == 0
    assert len(started) == 2
    assert all(child.process is None for child in started)


@pytest.mark.parametrize(("killed", "failures"), [(5, 0), (100, 2)])
def test_what_ends_a_process_before_it_saw_a_bundle_is_not_held_against_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: int, failures: int
) -> None:
    starts = []
    start = Child.start

    def start_and_die(child: Child) -> None:
        start(child)
        starts.append(child)
        if len(starts) <= killed and child.process is not None:
            child.process.kill()

    monkeypatch.setattr(Child, "start", start_and_die)
    assert batch(write_fleet(tmp_path / "fleet", 2), "-o", tmp_path / "ds", "-j", "1") == (3 if failures else 0)
    rows = table(tmp_path / "ds", "bundles")
    assert rows.filter(status="failed").height == failures
    assert set(rows.filter(status="failed")["failure_kind"]) <= {"crash"}


@pytest.mark.slow
def test_a_bundle_that_takes_too_much_memory_is_ended_and_told(tmp_path: Path, hostile: None) -> None:
    fleet = write_fleet(tmp_path / "fleet", 2)
    (fleet / "vm00001.zip").rename(fleet / "greedy.zip")
    assert batch(fleet, "-o", tmp_path / "ds", "-j", "1", "--bundle-memory", "512") == 3
    row = table(tmp_path / "ds", "bundles").filter(bundle="greedy.zip").row(0, named=True)
    assert row["failure_kind"] == "memory"
    assert "of 512 MiB that it may have" in row["failure"]


@pytest.mark.slow
def test_a_bundle_that_never_ends_is_ended_and_tried_again_only_with_more_time(
    tmp_path: Path, hostile: None, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(tmp_path / "sleeper.zip", random.Random(1))
    words = (tmp_path / "sleeper.zip", "-o", tmp_path / "ds", "--bundle-timeout")
    assert batch(*words, "3") == 3
    row = table(tmp_path / "ds", "bundles").row(0, named=True)
    assert (row["failure_kind"], row["failure"]) == ("time", "it was not done within 3 seconds")
    capsys.readouterr()
    assert batch(*words, "3") == 3
    assert "0 scanned, 0 unchanged, 1 failed" in capsys.readouterr().err


def test_a_device_is_no_bundle(tmp_path: Path) -> None:
    fleet = write_fleet(tmp_path / "fleet", 1)
    (fleet / "endless.log").symlink_to("/dev/zero")
    assert batch(fleet, "-o", tmp_path / "ds") == 3
    rows = {row["bundle"]: row for row in table(tmp_path / "ds", "bundles").iter_rows(named=True)}
    assert (rows["endless.log"]["failure_kind"], rows["endless.log"]["content_sha256"]) == ("input", None)
    assert rows["vm00000.zip"]["status"] == "scanned"


@pytest.mark.usefixtures("in_this_process")
def test_a_missing_bundle_of_a_manifest_is_a_failed_one_and_labels_are_kept(tmp_path: Path) -> None:
    write_fleet(tmp_path / "fleet", 1)
    manifest = tmp_path / "fleet.csv"
    manifest.write_text("bundle,region,vm\nfleet/vm00000.zip,westeurope,web 1\nfleet/gone.zip,northeurope,web 2\n")
    assert batch("--manifest", manifest, "-o", tmp_path / "ds") == 3
    rows = {row["bundle"]: row for row in table(tmp_path / "ds", "bundles").iter_rows(named=True)}
    assert rows["fleet/gone.zip"]["failure_kind"] == "input"
    told = {one["name"]: one["value"] for one in rows["fleet/vm00000.zip"]["labels"]}
    assert told == {"region": "westeurope", "vm": "web 1"}


@pytest.mark.usefixtures("in_this_process")
def test_secrets_in_names_of_bundles_do_not_reach_the_dataset(tmp_path: Path) -> None:
    name = "vm password=Tr0ub4dor-3x.zip"
    write_bundle(tmp_path / name, random.Random(1))
    batch(tmp_path / name, "-o", tmp_path / "ds")
    assert table(tmp_path / "ds", "bundles").height == 1
    assert not [path for path, data in content(tmp_path / "ds").items() if b"Tr0ub4dor" in data or "Tr0ub4dor" in path]


class TestCollections:
    def test_each_entry_of_a_folder_is_a_bundle(self, tmp_path: Path) -> None:
        for path in ("vm1/var/log/waagent.log", "vm2/waagent.log", "vm3.zip", ".hidden"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        assert [one.name for one in members([str(tmp_path)])] == ["vm1", "vm2", "vm3.zip"]

    def test_a_folder_with_a_disk_or_with_plain_files_is_one_bundle(self, tmp_path: Path) -> None:
        (tmp_path / "vm1/var/log").mkdir(parents=True)
        (tmp_path / "vm2").mkdir()
        (tmp_path / "vm2/waagent.log.1.gz").touch()
        assert [one.name for one in members([str(tmp_path / "vm1"), str(tmp_path / "vm2")])] == ["vm1", "vm2"]

    def test_bundles_of_one_name_are_told_apart_by_their_folders(self, tmp_path: Path) -> None:
        for region in ("north", "south"):
            (tmp_path / region).mkdir()
            (tmp_path / region / "vm1.zip").touch()
        assert [one.name for one in members([str(tmp_path / "*/*.zip")])] == ["north/vm1.zip", "south/vm1.zip"]

    def test_the_same_bundle_given_twice_is_one(self, tmp_path: Path) -> None:
        (tmp_path / "vm1.zip").touch()
        assert len(members([str(tmp_path / "*.zip"), str(tmp_path / "vm1.zip")])) == 1

    def test_a_glob_that_fits_nothing_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing fits"):
            members([str(tmp_path / "*.zip")])


class TestDatasets:
    def test_a_folder_that_holds_something_else_is_left_alone(self, tmp_path: Path) -> None:
        write_fleet(tmp_path / "fleet", 1)
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/notes.txt").write_text("keep")
        assert batch(tmp_path / "fleet", "-o", tmp_path / "mine") == 2
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]

    @pytest.mark.usefixtures("in_this_process")
    def test_files_carry_the_documented_schemas(self, tmp_path: Path) -> None:
        batch(write_fleet(tmp_path / "fleet", 2), "-o", tmp_path / "ds")
        (part,) = (tmp_path / "ds").glob("part=*")
        assert {path.stem for path in part.iterdir()} == set(COLUMNS)
        for name, columns in COLUMNS.items():
            written = pq.read_schema(part / f"{name}.parquet")
            assert written.names == [column for column, _, _ in columns]
            assert [str(field.type).replace("element", "item") for field in written] == [
                str(field.type) for field in schema(name)
            ]
            assert written.field(0).metadata[b"description"].decode() == columns[0][2]
            assert written.metadata[b"loganalyzer.dataset"] == b"1"

    def test_the_documentation_has_every_column(self) -> None:
        text = (Path(__file__).parents[1] / "docs/dataset.md").read_text(encoding="utf-8")
        for name, columns in COLUMNS.items():
            told = text.split(f"### `{name}`\n")[1].split("\n#")[0]
            rows = [line.split("`")[1] for line in told.splitlines() if line.startswith("| `")]
            assert rows == [one for one, _, _ in columns]
            assert all(f"| {meaning} |" in told for _, _, meaning in columns)

    @pytest.mark.usefixtures("in_this_process")
    def test_duckdb_sees_the_documented_types(self, tmp_path: Path) -> None:
        batch(write_fleet(tmp_path / "fleet", 3), "-o", tmp_path / "ds")
        asked = f"SELECT bundle, cause, first, files FROM read_parquet('{tmp_path}/ds/part=*/bundles.parquet')"
        answer = duckdb.sql(asked)
        assert answer is not None
        assert [str(kind) for kind in answer.types] == ["VARCHAR", "VARCHAR", "TIMESTAMP WITH TIME ZONE", "BIGINT"]
        assert len(answer.fetchall()) == 3

    @pytest.mark.slow
    @pytest.mark.usefixtures("in_this_process")
    def test_pandas_sees_the_documented_types(self, tmp_path: Path) -> None:
        pandas = pytest.importorskip("pandas")  # of the dev extra alone: it brings numpy, which nothing here may need
        fleet = write_fleet(tmp_path / "fleet", 2)
        manifest = tmp_path / "manifest.txt"
        manifest.write_text(
            "".join(f"{fleet}/{name}.zip\n" for name in ("gone", "vm00000", "vm00001")), encoding="utf-8"
        )
        batch("--manifest", manifest, "-o", tmp_path / "ds")
        (part,) = (tmp_path / "ds").glob("part=*")
        for name in COLUMNS:
            read = pandas.read_parquet(part / f"{name}.parquet", dtype_backend="pyarrow")
            told = {field.name: f"{field.type}[pyarrow]" for field in schema(name)}
            seen = {column: str(kind).replace("element", "item") for column, kind in read.dtypes.items()}
            assert seen == {column: kind.replace("element", "item") for column, kind in told.items()}
        bundles = pandas.read_parquet(part / "bundles.parquet")
        assert str(bundles["first"].dtype) == "datetime64[us, UTC]"
        assert bundles["files"].isna().tolist() == (bundles["status"] == "failed").tolist()
        assert sorted(bundles["status"]) == ["failed", "scanned", "scanned"]

    @pytest.mark.slow
    @pytest.mark.usefixtures("in_this_process")
    def test_a_dataset_that_grows_is_split_into_more_parts_and_keeps_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dataset_module, "PART_SIZE", 3)
        fleet = write_fleet(tmp_path / "fleet", 12)
        first = sorted(fleet.glob("*.zip"))[:3]
        batch(*first, "-o", tmp_path / "ds")
        assert [path.name for path in (tmp_path / "ds").glob("part=*")] == ["part=00-00000"]
        batch(fleet, "-o", tmp_path / "ds")
        batch(fleet, "-o", tmp_path / "fresh")
        assert len(list((tmp_path / "ds").glob("part=*"))) > 2
        assert content(tmp_path / "ds") == content(tmp_path / "fresh")
        assert table(tmp_path / "ds", "bundles")["bundle_id"].n_unique() == 12


def _kill_once(process: subprocess.Popen[bytes], rng: random.Random) -> None:
    """Ends the run, or one of the processes that it started, in the middle of its work."""
    time.sleep(rng.uniform(0.2, 2.5))
    victims = [psutil.Process(process.pid)]
    try:
        victims += victims[0].children(recursive=True)
        rng.choice(victims).send_signal(signal.SIGKILL)
    except psutil.Error:
        return


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_like_one_that_is_not(tmp_path: Path) -> None:
    fleet = write_fleet(tmp_path / "fleet", 60)
    assert batch(fleet, "-o", tmp_path / "calm", "-q") == 0
    rng = random.Random(7)
    words = [sys.executable, "-m", "loganalyzer", "batch", str(fleet), "-o", str(tmp_path / "ds"), "-q"]
    killed = 0
    for _ in range(12):
        with subprocess.Popen(words) as process:
            _kill_once(process, rng)
            killed += 1
            if process.poll() is None and rng.random() < 0.5:
                process.kill()
    assert batch(fleet, "-o", tmp_path / "ds", "-q") == 0
    assert killed == 12
    assert content(tmp_path / "ds") == content(tmp_path / "calm")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def scheduler() -> Iterator[str]:
    """A Dask scheduler with two workers on loopback; its address."""
    address = f"127.0.0.1:{_free_port()}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", f"tcp://{address}", "--no-dashboard"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://{address}", "--no-dashboard"]
    limits = ["--nworkers", "2", "--nthreads", "1"]
    with subprocess.Popen(dask, stderr=subprocess.DEVNULL) as one:
        with subprocess.Popen([*worker, *limits], stderr=subprocess.DEVNULL) as two:
            yield address
            two.terminate()
        one.terminate()


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_dataset_though_a_worker_is_killed(tmp_path: Path, scheduler: str) -> None:
    fleet = write_fleet(tmp_path / "fleet", 40)
    assert batch(fleet, "-o", tmp_path / "calm", "-q") == 0
    words = [sys.executable, "-m", "loganalyzer", "batch", str(fleet), "-o", str(tmp_path / "ds"), "-q"]
    with subprocess.Popen([*words, "--executor", f"dask://{scheduler}"]) as process:
        scans: list[psutil.Process] = []
        deadline = time.monotonic() + 120
        while not scans and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
            scans = [one for one in psutil.process_iter(["cmdline"]) if _scans_for(one, scheduler)]
        assert scans, "no worker began to scan"
        worker = scans[0].parent()
        assert worker is not None
        worker.kill()
        assert process.wait(120) == 0
    assert content(tmp_path / "ds") == content(tmp_path / "calm")


def _scans_for(one: psutil.Process, scheduler: str) -> bool:
    """Whether a process scans bundles for a worker of this scheduler."""
    with contextlib.suppress(psutil.Error):
        if "loganalyzer.fleet.scanning" in (one.info["cmdline"] or ()):
            return any(f"tcp://{scheduler}" in parent.cmdline() for parent in one.parents())
    return False


def test_an_executor_that_cannot_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = write_fleet(tmp_path / "fleet", 1)
    assert batch(fleet, "-o", tmp_path / "ds", "--executor", "cloud") == 2
    assert "there is no executor 'cloud'" in capsys.readouterr().err

"""Bundles that lie in object storage: in memory, on a server that speaks as S3 does, and in an emulator of Azure's."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import polars as pl
import pytest

from loganalyzer.cli import run
from loganalyzer.errors import UsageError
from loganalyzer.fleet import storage
from loganalyzer.fleet.collection import members
from loganalyzer.report.read_report import read_report
from tests.small_fleet import write_bundle, write_fleet

#: The account that every installation of the emulator has; its key is published and no secret.
_AZURITE_ACCOUNT = "devstoreaccount1"
_AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """The storage ``memory://``, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def batch(*words: str | Path) -> int:
    return run(["batch", *map(str, words)])


def bundles(dataset: Path) -> dict[str, dict[str, object]]:
    rows = pl.read_parquet(sorted(dataset.glob("part=*/bundles.parquet"))).iter_rows(named=True)
    return {row["bundle"]: row for row in sorted(rows, key=lambda row: row["bundle"])}


def uploaded(system: fsspec.AbstractFileSystem, fleet: Path, root: str) -> None:
    for path in fleet.rglob("*"):
        if path.is_file():
            system.pipe_file(f"{root}/{path.relative_to(fleet).as_posix()}", path.read_bytes())


class TestMembers:
    def test_each_entry_below_a_url_is_a_bundle(self, memory: fsspec.AbstractFileSystem) -> None:
        for path in ("vm1/var/log/waagent.log", "vm1/etc/waagent.conf", "vm2/waagent.log", "vm3.zip", ".hidden/x"):
            memory.pipe_file(f"/fleet/{path}", b"1234")
        found = members(["memory://fleet"])
        assert [(one.name, one.path, one.size) for one in found] == [
            ("vm1", "memory://fleet/vm1", 8),
            ("vm2", "memory://fleet/vm2", 4),
            ("vm3.zip", "memory://fleet/vm3.zip", 4),
        ]

    def test_a_url_with_a_disk_or_with_plain_files_is_one_bundle(self, memory: fsspec.AbstractFileSystem) -> None:
        memory.pipe_file("/fleet/vm1/var/log/waagent.log", b"x")
        memory.pipe_file("/fleet/vm2/waagent.log.1.gz", b"x")
        found = members(["memory://fleet/vm1", "memory://fleet/vm2/"])
        assert [(one.name, one.path) for one in found] == [("vm1", "memory://fleet/vm1"), ("vm2", "memory://fleet/vm2")]

    def test_globs_and_single_objects_are_told_apart_by_their_folders(self, memory: fsspec.AbstractFileSystem) -> None:
        for path in ("north/vm1.zip", "south/vm1.zip", "south/vm2.zip"):
            memory.pipe_file(f"/fleet/{path}", b"x")
        assert [one.name for one in members(["memory://fleet/*/vm1.zip", "memory://fleet/south/vm2.zip"])] == [
            "north/vm1.zip",
            "south/vm1.zip",
            "vm2.zip",
        ]

    def test_a_file_url_is_the_path(self, tmp_path: Path) -> None:
        (tmp_path / "my vm.zip").touch()
        assert [one.path for one in members([f"file://{tmp_path}/my vm.zip"])] == [str(tmp_path / "my vm.zip")]

    @pytest.mark.parametrize(
        ("url", "told"),
        [
            ("ftp://host/fleet", "no storage that is read"),
            ("memory://fleet::s3://fleet", "no storage that is read"),
            ("az://fleet?sv=2024&sig=abcdef", "secret in it"),
            ("s3://key:word@fleet", "secret in it"),
            ("memory://nothing", "there is nothing at"),
            ("memory://nothing/*.zip", "nothing fits"),
        ],
    )
    def test_a_url_that_cannot_be_read_is_told_without_its_secrets(
        self, memory: fsspec.AbstractFileSystem, url: str, told: str
    ) -> None:
        with pytest.raises(UsageError, match=told) as error:
            members([url])
        assert "abcdef" not in str(error.value)
        assert "word" not in str(error.value)

    def test_a_storage_whose_package_is_missing_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(*words: object, **options: object) -> None:
            raise ImportError("Install adlfs")

        monkeypatch.setattr(storage, "url_to_fs", missing)
        with pytest.raises(UsageError, match=r"azure-vm-loganalyzer\[azure\]"):
            members(["az://fleet"])


class TestCopies:
    @pytest.mark.parametrize("name", ["../outside.log", "var/../../outside.log", "a/./b", "var\0log"])
    def test_no_object_leaves_the_folder_of_its_bundle(
        self, memory: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        memory.store[f"/fleet/vm1/{name}"] = memory.open("/fleet/tmp", "wb")
        memory.pipe_file("/fleet/vm1/waagent.log", b"x")
        with pytest.raises(OSError, match="has a name that no file can have"), storage.at_hand("memory://fleet/vm1", 9):
            pass
        assert list(tmp_path.rglob("*")) == []

    def test_a_copy_has_the_paths_of_its_objects_and_goes_at_the_end(self, memory: fsspec.AbstractFileSystem) -> None:
        memory.pipe_file("/fleet/vm1/var/log/waagent.log", b"one")
        memory.pipe_file("/fleet/vm1/etc/waagent.conf", b"two")
        with storage.at_hand("memory://fleet/vm1", 9) as copy:
            assert {one.relative_to(copy).as_posix(): one.read_bytes() for one in copy.rglob("*") if one.is_file()} == {
                "var/log/waagent.log": b"one",
                "etc/waagent.conf": b"two",
            }
            assert copy.name == "vm1"
        assert not copy.exists()

    def test_a_copy_that_takes_too_long_is_given_up(self, memory: fsspec.AbstractFileSystem) -> None:
        memory.pipe_file("/fleet/vm1.zip", b"x" * 100)
        with (
            pytest.raises(storage.TooSlowError, match="not copied within -1 seconds"),
            storage.at_hand("memory://fleet/vm1.zip", -1),
        ):
            pass


@pytest.mark.slow
def test_a_run_over_urls_gives_the_dataset_of_the_files(
    memory: fsspec.AbstractFileSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = write_fleet(tmp_path / "fleet", 2)
    uploaded(memory, fleet, "/fleet")
    assert batch(fleet, "-o", tmp_path / "local") == 0
    assert batch("memory://fleet", "-o", tmp_path / "ds") == 0
    plain, stored = bundles(tmp_path / "local"), bundles(tmp_path / "ds")
    assert list(stored) == ["vm00000.zip", "vm00001.zip"]
    for name, row in stored.items():
        assert row["content_sha256"] == plain[name]["content_sha256"]
        report = read_report(tmp_path / "ds" / str(row["report"]))
        assert report.bundle.path == f"memory://fleet/{name}"
        assert (report.verdict, report.bundle.sha256) == (plain[name]["verdict"], plain[name]["sha256"])
    capsys.readouterr()
    assert batch("memory://fleet", "-o", tmp_path / "ds") == 0
    assert "2 bundles: 0 scanned, 2 unchanged" in capsys.readouterr().err


def test_a_bundle_that_is_gone_when_its_turn_comes_is_a_failed_one(
    memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    manifest = tmp_path / "fleet.txt"
    manifest.write_text("memory://fleet/gone.zip\n")
    assert batch("--manifest", manifest, "-o", tmp_path / "ds") == 3
    row = bundles(tmp_path / "ds")["fleet/gone.zip"]
    assert (row["failure_kind"], row["failure"]) == ("input", "there is nothing at memory://fleet/gone.zip")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def _serving(words: list[str], port: int) -> Iterator[None]:
    """A server, from its first answer to the end of the test."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, "the server does not answer"
                    time.sleep(0.2)
            yield
        finally:
            server.terminate()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The root of a bucket on a server on loopback that speaks as S3 does."""
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    pytest.importorskip("moto.server", reason="moto is not installed")
    port = _free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with _serving([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("fleet")
        yield "s3://fleet"


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The root of a container in the emulator of Azure's storage, on loopback."""
    pytest.importorskip("adlfs", reason="the extra azure is not installed")
    program = os.environ.get("AZURITE_BLOB") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("the emulator azurite-blob is not on the path")
    port = _free_port()
    told = f"DefaultEndpointsProtocol=http;AccountName={_AZURITE_ACCOUNT};AccountKey={_AZURITE_KEY};"
    told += f"BlobEndpoint=http://127.0.0.1:{port}/{_AZURITE_ACCOUNT};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", told)
    words = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(tmp_path / "azurite")]
    with _serving([*words, "--silent", "--skipApiVersionCheck"], port):
        fsspec.filesystem("az", skip_instance_cache=True).mkdir("fleet")
        yield "az://fleet"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["s3", "azure"])
def test_bundles_of_a_cloud_are_scanned_and_known_by_their_marks(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    root = request.getfixturevalue(kind)
    fleet = write_fleet(tmp_path / "fleet", 3)
    (fleet / "vm9/var/log").mkdir(parents=True)
    (fleet / "vm9/var/log/waagent.log").write_text(
        "2025-06-10T01:00:00.1Z INFO Daemon Azure Linux Agent Version: 2.2.46\n"
    )
    (fleet / "vm9/var/log/messages").write_text("")
    system, path = fsspec.url_to_fs(root, skip_instance_cache=True)
    uploaded(system, fleet, path)
    words = (root, "-o", tmp_path / "ds")
    assert batch(*words) == 0
    assert list(bundles(tmp_path / "ds")) == ["vm00000.zip", "vm00001.zip", "vm00002.zip", "vm9"]
    assert all(row["etag"] is not None for row in bundles(tmp_path / "ds").values())
    capsys.readouterr()
    write_bundle(fleet / "vm00001.zip", random.Random("another"))
    uploaded(system, fleet / "vm9", f"{path}/vm9")
    system.pipe_file(f"{path}/vm00001.zip", (fleet / "vm00001.zip").read_bytes())
    assert batch(*words, "--executor", "dask") == 0
    assert "4 bundles: 1 scanned, 3 unchanged" in capsys.readouterr().err
    assert batch(fleet, "-o", tmp_path / "local") == 0
    plain = {name: row["content_sha256"] for name, row in bundles(tmp_path / "local").items()}
    assert {name: row["content_sha256"] for name, row in bundles(tmp_path / "ds").items()} == plain

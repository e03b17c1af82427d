"""No seeded secret leaves: in no output of a command, in no message, in no redacted copy."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from loganalyzer.cli import run
from loganalyzer.report.formats import BUILT_IN
from sample_logs.packing import write_directory
from tests.redaction_seeds import HOST, Seeds, seeds, written_ways

SEEDS = seeds()


def _scan_as(form: str) -> Callable[[str, Path], list[str]]:
    return lambda path, out: ["scan", path, "-f", form, "--details", "-v"]


COMMANDS: Mapping[str, Callable[[str, Path], list[str]]] = {
    **{f"scan {form}": _scan_as(form) for form in BUILT_IN},
    "scan tables": lambda path, out: ["scan", path, "-o", f"parquet:{out}/tables", "-o", f"json:{out}/r.json"],
    "why-not": lambda path, out: ["why-not", path, "wireserver-blocked", "--all"],
    "why-not json": lambda path, out: ["why-not", path, "storage-egress-blocked", "-f", "json"],
    "match": lambda path, out: ["match", path, "-r", f"{out.parent}/any.yml", "-f", "ndjson", "-v"],
    "match table": lambda path, out: ["match", path, "-r", f"{out.parent}/any.yml", "-f", "table"],
    "export ndjson": lambda path, out: ["export", path, "-o", f"{out}/n", "-f", "ndjson"],
    "export csv": lambda path, out: ["export", path, "-o", f"{out}/c", "-f", "csv"],
    "export parquet": lambda path, out: ["export", path, "-o", f"{out}/p"],
    "query": lambda path, out: ["query", path, "SELECT * FROM events", "-f", "csv"],
    "timeline": lambda path, out: ["timeline", path, "--untimed"],
    "timeline ndjson": lambda path, out: ["timeline", path, "--untimed", "-f", "ndjson"],
    "formats": lambda path, out: ["formats", path],
    "diff": lambda path, out: ["diff", path, path, "--all"],
    "wrong path": lambda path, out: ["scan", f"{path}/gone/token={SEEDS.secrets['SAS']}/x"],
    "wrong parser": lambda path, out: ["scan", path, "--as", f"password={SEEDS.secrets['SAS']}=none"],
}
RULE = """
title: Any
id: 5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001
logsource: {product: linux}
detection: {a: {message|contains: e}, condition: a}
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("seeded")
    (root / "any.yml").write_text(RULE)
    write_directory(SEEDS.files, root / "bundle")
    return root / "bundle"


def leaks(sought: Mapping[str, str], data: bytes) -> list[str]:
    """The shapes whose secret stands in the bytes, in any encoding and case."""
    return [shape for shape, secret in sought.items() if any(way in data for way in written_ways(secret))]


def test_the_seeds_are_of_thirty_shapes_and_places_at_least() -> None:
    assert len(SEEDS.secrets) >= 30
    whole = b"".join((*SEEDS.files.values(), *(name.encode() for name in SEEDS.files)))
    packed = {"base64", "hex", "gz", "nested", "archive", "percent", "protected", "private key", "HTML", "cp1252"}
    plain = {shape: secret for shape, secret in SEEDS.secrets.items() if not any(word in shape for word in packed)}
    assert set(leaks(plain, whole)) >= {shape for shape in plain if not shape.startswith("reg")}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["on", "all"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_seeded_secret_leaves_by_a_command(
    command: str, mode: str, bundle: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = bundle.parent / f"{command}-{mode}".replace(" ", "-")
    run([*COMMANDS[command](str(bundle), out), "--redact", mode])
    said, told = capfdbinary.readouterr()
    files = [file for file in out.rglob("*") if file.is_file()] if out.exists() else []
    whole = b"\n".join([said, told, *(file.read_bytes() for file in files)])
    assert b"internal error" not in told
    assert said or told
    sought = SEEDS.secrets | (SEEDS.identities if mode == "all" else {})
    if "parquet" in command or "tables" in command:
        whole += _table_text(out)
    assert leaks(sought, whole) == []


def _table_text(folder: Path) -> bytes:
    import polars as pl

    tables = [pl.read_parquet(file) for file in folder.rglob("*.parquet")]
    return "".join(table.write_ndjson() for table in tables).encode()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", ".zip", ".tar.gz"])
@pytest.mark.parametrize("mode", ["on", "all"])
def test_no_seeded_secret_stays_in_a_copy(
    mode: str, suffix: str, bundle: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = tmp_path / f"copy{suffix}"
    assert run(["redact", str(bundle), "-o", str(out), "--redact", mode]) == 0
    told = b"".join(capfdbinary.readouterr())
    sought = SEEDS.secrets | (SEEDS.identities if mode == "all" else {})
    found = dict(contents(out))
    assert leaks(sought, b"\n".join([told, *found.values(), *(name.encode() for name in found)])) == []
    listing = found["REDACTED.txt"].decode()
    assert "A1.prv: private" in listing
    assert "unknown.bin: binary" in listing
    assert b"2.14.0.1 and 1.0.9225.0" in found["var/log/syslog"]
    assert (HOST.encode() in found["var/log/syslog"]) is (mode == "on")


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of a copy, compressed members unpacked."""
    if path.is_dir():
        pairs = [(str(file.relative_to(path)), file.read_bytes()) for file in path.rglob("*") if file.is_file()]
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            pairs = [(one.filename, archive.read(one)) for one in archive.infolist()]
    else:
        with tarfile.open(path) as tar:
            pairs = [(one.name, (tar.extractfile(one) or io.BytesIO()).read()) for one in tar]
    for name, data in pairs:
        yield name, gzip.decompress(data) if name.endswith(".gz") else data


def test_the_seeds_are_the_same_each_time() -> None:
    again: Seeds = seeds()
    assert again.files == SEEDS.files

"""Redacted copies: they scan like the original, keep lines and offsets, and are the same bytes each time."""

from __future__ import annotations

import json
import os
import stat
import struct
import zlib
from pathlib import Path

import pytest

from loganalyzer.cli import run
from loganalyzer.pipeline import scan
from loganalyzer.redact import Redactor
from loganalyzer.redact.binary import runs
from loganalyzer.redact.copying import CopyRedactor
from loganalyzer.redact.file_text import read_text
from loganalyzer.redact.stand_ins import StandIns, fitted
from loganalyzer.report.model import Report
from sample_logs.generate import BUNDLES, bundles

SAMPLES = bundles()
FAST = [one for one in SAMPLES if one.name in ("linux-python-missing", "linux-sas-secrets")]


def told(report: Report) -> tuple[object, ...]:
    """What a copy must not change."""
    attempts = [(one.start, one.end, one.phase, one.outcome, one.codes) for one in report.attempts]
    causes = [(one.cause, one.verdict, one.count) for one in report.diagnoses]
    return report.verdict, causes, attempts, [one.cause for one in report.ruled_out], report.clear


def copied(bundle: Path, out: Path, *options: str) -> Path:
    assert run(["redact", str(bundle), "-o", str(out), "-q", *options]) == 0
    return out


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("mode", ["on", "all"])
@pytest.mark.parametrize("name", [one.file_name for one in FAST])
def test_a_copy_scans_like_its_original(name: str, mode: str, tmp_path: Path) -> None:
    copy = copied(BUNDLES / name, tmp_path / "copy", "--redact", mode)
    assert told(scan([copy]).report) == told(scan([BUNDLES / name]).report)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["on", "all"])
@pytest.mark.parametrize("name", [one.file_name for one in SAMPLES])
def test_a_copy_of_every_sample_scans_like_its_original(name: str, mode: str, tmp_path: Path) -> None:
    copy = copied(BUNDLES / name, tmp_path / "copy.zip", "--redact", mode)
    assert told(scan([copy]).report) == told(scan([BUNDLES / name]).report)


@pytest.mark.parametrize("suffix", ["", pytest.param(".zip", marks=pytest.mark.slow), ".tar.gz"])
def test_two_copies_are_the_same_bytes_from_any_working_directory(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = BUNDLES / "linux-sas-secrets"
    first = copied(bundle, tmp_path / f"one{suffix}", "--redact", "all")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    second = copied(Path(os.path.relpath(bundle)), Path(f"two{suffix}"), "--redact", "all")
    if suffix:
        assert first.read_bytes() == second.read_bytes()
    else:
        assert all_bytes(first) == all_bytes(second)


def test_a_copy_of_a_copy_has_nothing_more_to_hide(tmp_path: Path) -> None:
    once = copied(BUNDLES / "linux-sas-secrets", tmp_path / "one")
    assert all_bytes(copied(once, tmp_path / "two")) | {"REDACTED.txt": b""} == all_bytes(once) | {"REDACTED.txt": b""}


def test_text_keeps_its_lines(tmp_path: Path) -> None:
    bundle = BUNDLES / "linux-sas-secrets"
    copy = copied(bundle, tmp_path / "copy", "--redact", "all")
    for file, data in all_bytes(bundle).items():
        assert (copy / file).read_bytes().count(b"\n") == data.count(b"\n"), file


@pytest.mark.slow
def test_an_event_log_of_a_copy_has_sound_checksums_and_the_same_records(tmp_path: Path) -> None:
    copy = copied(BUNDLES / "windows-applocker.zip", tmp_path / "copy", "--redact", "all")
    logs = list(copy.rglob("*.evtx"))
    assert logs
    for log in logs:
        data = log.read_bytes()
        assert "FILE02".encode("utf-16-le") not in data
        for at in range(4096, len(data), 65536):
            free = struct.unpack_from("<I", data, at + 48)[0]
            assert struct.unpack_from("<I", data, at + 52)[0] == zlib.crc32(data[at + 512 : at + free])
            head = zlib.crc32(data[at + 128 : at + 512], zlib.crc32(data[at : at + 120]))
            assert struct.unpack_from("<I", data, at + 124)[0] == head


def test_a_copy_is_not_written_over_anything_unless_it_is_forced(tmp_path: Path) -> None:
    bundle, out = BUNDLES / "linux-python-missing", tmp_path / "copy"
    copied(bundle, out)
    (out / "mine.txt").write_text("mine")
    assert run(["redact", str(bundle), "-o", str(out), "-q"]) == 2
    assert (out / "mine.txt").exists()
    copied(bundle, out, "--force")
    assert not (out / "mine.txt").exists()
    assert [one.name for one in tmp_path.iterdir()] == ["copy"]


def test_where_a_secret_would_stay_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CopyRedactor, "file", lambda self, text: text)
    out = tmp_path / "copy"
    assert run(["redact", str(BUNDLES / "linux-sas-secrets"), "-o", str(out), "-q"]) == 3
    assert "a secret would stay in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_copy_without_redaction_is_refused(tmp_path: Path) -> None:
    assert run(["redact", str(BUNDLES / "linux-healthy"), "-o", str(tmp_path / "x"), "--redact", "off"]) == 2


def test_a_map_is_sealed_private_never_overwritten_and_opens_with_its_secret_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    monkeypatch.setenv("REDACT_MAP_PASSPHRASE", "open sesame")
    secret, bundle, where = SAMPLES_SECRET, BUNDLES / "linux-sas-secrets", tmp_path / "map.json"
    copied(bundle, tmp_path / "copy", "--redact-map", str(where))
    sealed = where.read_bytes()
    assert secret.encode() not in sealed
    assert json.loads(sealed)["format"] == "loganalyzer/redaction-map/1"
    if os.name == "posix":
        assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert run(["scan", str(bundle), "--redact-map", str(where)]) == 2
    assert where.read_bytes() == sealed
    capsys.readouterr()
    assert run(["redact", "--open-map", str(where)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any(secret in row["value"] for row in rows)
    monkeypatch.setenv("REDACT_MAP_PASSPHRASE", "open barley")
    assert run(["redact", "--open-map", str(where)]) == 2


SAMPLES_SECRET = "sample-User-Pa55phrase!"


def test_a_map_may_be_sealed_with_the_key_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cryptography")
    key, where = tmp_path / "k", tmp_path / "map.json"
    key.write_bytes(b"0123456789abcdef")
    copied(BUNDLES / "linux-sas-secrets", tmp_path / "c", "--redact-map", str(where), "--redact-key", str(key))
    assert run(["redact", "--open-map", str(where), "--redact-key", str(key)]) == 0
    assert SAMPLES_SECRET in capsys.readouterr().out
    key.write_bytes(b"0123456789abcdeX")
    assert run(["redact", "--open-map", str(where), "--redact-key", str(key)]) == 2


def test_a_map_that_nothing_seals_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    monkeypatch.delenv("REDACT_MAP_PASSPHRASE", raising=False)
    where = tmp_path / "map.json"
    assert run(["scan", str(BUNDLES / "linux-healthy"), "--redact-map", str(where)]) == 2
    assert not where.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a\nb\r\n",
        "gr\u00fc\u00dfe\n".encode("cp1252") + "gr\u00fc\u00dfe\n".encode() + b"\x81\x8d odd\n",
        "\ufeffa\r\nb".encode("utf-16-le"),
        "\ufeffa\r\nb \ud83d\ude00".encode("utf-16-be", "surrogatepass"),
        ("2026 a line without a mark\r\n" * 3).encode("utf-16-le"),
        "\ufeffa".encode("utf-16-le") + b"x",
        b"2026 text\0\0\0 and padding\n",
        b"\xef\xbb\xbfa\n",
    ],
)
def test_a_file_is_read_as_text_and_written_back_byte_for_byte(data: bytes) -> None:
    content = read_text(data)
    assert content is not None
    assert content.encoded(content.text) == data


def test_bytes_that_are_no_text_are_told() -> None:
    assert read_text(bytes(range(256)) * 16) is None
    assert read_text(b"\0" * 4000 + b"\x01\x02\x03") is None


def test_a_stand_in_has_the_shape_of_what_it_stands_for_and_is_no_name_of_the_bundle() -> None:
    made = StandIns(["host-1", "192.0.2.1"])
    assert made.of("<host:1>", "host", "web-01") == "host-2"
    assert made.of("<host:2>", "host", "ab1") == "h01"
    assert made.of("<ip:1>", "ip", "10.0.0.4") == "192.0.2.2"
    assert made.of("<ip:2>", "ip", "fe80::1") == "2001:db8::1"
    guid = "5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001"
    assert made.of("<vm:1>", "vm", guid) == "00000000-0000-4000-8000-000000000001"
    sid = made.of("<sid:1>", "sid", "s-1-5-21-1004336348-1177238915-682003330-1117")
    assert sid.startswith("S-1-5-21-")
    assert sid.endswith("-1117")
    assert len(sid) == len("s-1-5-21-1004336348-1177238915-682003330-1117")


@pytest.mark.parametrize("length", [1, 3, 6, 12, 40])
def test_what_is_written_into_an_event_log_has_its_length(length: int) -> None:
    for shown, kind in (("<password:12>", "password"), ("192.0.2.17", "ip"), ("host-1", "host")):
        assert len(fitted(shown, kind, length)) == length


def test_text_in_unknown_bytes_is_found_in_both_widths() -> None:
    data = b"\1\2" + "wide text".encode("utf-16-le") + b"\1narrow text\2"
    assert [one.text for one in runs(data, 0, len(data))] == ["wide text", "narrow text"]


def test_a_token_in_a_copy_keeps_lines_and_the_form_of_xml_and_json() -> None:
    copy = CopyRedactor(Redactor())
    assert copy.file("<a><Password>\nabc1\n</Password></a>") == "<a><Password>\n&lt;password:1&gt;\n</Password></a>"
    assert json.loads(copy.file('{"fileUris": ["a", "b"], "x": 1}'))["x"] == 1
    leak = "2026-01-01 JSON exception decoding {'a':\n 'b1'}\n2026-01-02 next\n"
    assert copy.file(leak).count("\n") == leak.count("\n")

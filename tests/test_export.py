"""``loganalyzer export``: what its files hold when other programs read them, what it refuses, and the exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal
from pyarrow import ipc, parquet

from loganalyzer.cli import run
from loganalyzer.pipeline import Judged, ScanOptions, judge, scan
from loganalyzer.report.model import AttemptEntry, Coverage, Diagnosis
from loganalyzer.schema import DERIVED_COLUMNS, SHARED_COLUMNS
from loganalyzer.tables.bundle import (
    EVENTS,
    OURS_OF,
    REPORT_SCHEMAS,
    REPORT_TABLES,
    bundle_tables,
    table_names,
)
from loganalyzer.tables.events import EVENT_COLUMNS
from loganalyzer.tables.meanings import DERIVED, groups
from loganalyzer.tables.redaction import ColumnRedactor
from loganalyzer.tables.write import FORMATS
from sample_logs import linux_secrets
from sample_logs.evtx_writer import EventRecord, write_evtx
from sample_logs.packing import zip_bytes

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "sample_logs" / "bundles"
APPLOCKER = SAMPLES / "windows-applocker.zip"
SECRETS = SAMPLES / "linux-sas-secrets"
LINE = "2026-03-01T02:10:11.000123Z INFO ExtHandler ExtHandler {}\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs ``export``."""

    def called(*words: str | Path) -> Said:
        return Said(run(["export", *map(str, words)]), *capfd.readouterr())

    return called


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judge([APPLOCKER], ScanOptions())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a Windows bundle in all formats, a folder each."""
    folder = tmp_path_factory.mktemp("written")
    for form in FORMATS:
        assert run(["export", "-q", str(APPLOCKER), "-f", form, "-o", str(folder / form)]) == 0
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# what is written


def test_every_log_source_and_finding_has_a_file_and_events_only_on_request(
    judged: Judged, written: Path, call: Call, tmp_path: Path
) -> None:
    names = table_names(judged)
    assert {*REPORT_TABLES, EVENTS, "windows_system", "windows_waappagent_extension_operation"} <= set(names)
    for form in FORMATS:
        assert files(written / form) == sorted(f"{name}.{form}" for name in names if name != EVENTS)
    said = call(APPLOCKER, "-o", tmp_path / "some", "--tables", "events,attempts", "--tables", "windows_system")
    assert said.status == 0
    assert files(tmp_path / "some") == ["attempts.parquet", "events.parquet", "windows_system.parquet"]
    assert [line.split()[0] for line in said.err.splitlines()] == ["attempts", "events", "windows_system", "written:"]
    assert said.out == ""


def test_polars_and_pyarrow_read_back_what_the_bundle_holds(judged: Judged, written: Path) -> None:
    for table in bundle_tables(judged, ColumnRedactor()):
        assert_frame_equal(pl.read_parquet(written / "parquet" / f"{table.name}.parquet"), table.rows)
        assert_frame_equal(pl.read_ipc(written / "arrow" / f"{table.name}.arrow"), table.rows)
        rows = parquet.read_table(written / "parquet" / f"{table.name}.parquet")
        assert rows.equals(ipc.open_file(written / "arrow" / f"{table.name}.arrow").read_all())
        assert rows.num_rows == table.rows.height


def test_ndjson_and_csv_hold_the_same_values_with_nested_ones_as_json(judged: Judged, written: Path) -> None:
    nested = 0
    for table in bundle_tables(judged, ColumnRedactor()):
        lines = (written / "ndjson" / f"{table.name}.ndjson").read_text(encoding="utf-8").splitlines()
        objects = [json.loads(line) for line in lines]
        with (written / "csv" / f"{table.name}.csv").open(encoding="utf-8", newline="") as file:
            cells = list(csv.DictReader(file))
        assert len(objects) == len(cells) == table.rows.height
        for number, row in enumerate(table.rows.iter_rows(named=True)):
            for name, value in row.items():
                told, cell = objects[number][name], cells[number][name]
                if isinstance(value, datetime):
                    assert datetime.fromisoformat(told) == value
                    assert told == cell
                    assert told.endswith("Z")
                elif isinstance(value, list):
                    nested += 1
                    assert json.loads(cell) == told
                    assert len(told) == len(value)
                elif value is None:
                    assert (told, cell) == (None, "")
                else:
                    assert told == value
                    assert cell == (str(value).lower() if isinstance(value, bool) else str(value))
    assert nested > 10


def test_a_frame_says_in_its_metadata_what_it_is(written: Path) -> None:
    about = parquet.read_schema(written / "parquet" / "windows_system.parquet").metadata
    assert about[b"schema"] == b"loganalyzer/tables/1"
    assert (about[b"table"], about[b"logsource"]) == (b"windows_system", b"windows/system")
    assert b"logsource" not in parquet.read_schema(written / "parquet" / "attempts.parquet").metadata


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_every_column_that_is_not_a_source_s_own_says_what_it_means(written: Path, form: str) -> None:
    for path in (written / form).iterdir():
        shown = parquet.read_schema(path) if form == "parquet" else ipc.open_file(path).schema
        own = {*SHARED_COLUMNS, *DERIVED_COLUMNS} if path.stem not in REPORT_TABLES else set(shown.names)
        category = next((one for one in DERIVED if path.stem.endswith(f"_{one}")), None)
        own |= set(shown.names) if category is not None else set()
        for each in shown:
            if each.name in own:
                assert each.metadata[b"meaning"], (path.name, each.name)
        time = shown.field("@timestamp") if "@timestamp" in shown.names else None
        assert time is None or (time.metadata[b"zone"], time.metadata[b"unit"]) == (b"UTC", b"microsecond")


def test_every_shared_derived_and_reported_column_has_a_meaning() -> None:
    known = groups()
    assert set(known["shared"]) == set(SHARED_COLUMNS)
    assert {*DERIVED_COLUMNS, "EventRecordID"} == set(known["derived"])
    assert set(DERIVED) <= set(known)
    assert set(EVENT_COLUMNS) | {"table"} <= {*known["events"], *known["shared"]}
    for name, schema in REPORT_SCHEMAS.items():
        assert set(known[name]) == set(schema)
    for dtypes in (SHARED_COLUMNS, DERIVED_COLUMNS):
        for name, dtype in dtypes.items():
            if isinstance(dtype, pl.Datetime):
                assert {**known["shared"], **known["derived"]}[name].zone == "UTC"
    for name in ("log.offset", "log.length"):
        assert known["shared"][name].unit == "byte"


def test_every_column_of_a_derived_frame_has_a_meaning() -> None:
    for bundle in (SAMPLES / "linux-dhcp-245.zip", SAMPLES / "windows-agent-stopped.zip"):
        judged = judge([bundle], ScanOptions())
        for table in bundle_tables(judged, ColumnRedactor("off")):
            if set(table.kinds) & (set(DERIVED) - {"config"} | set(REPORT_TABLES)):
                assert [name for name in table.rows.columns if table.meaning(name) is None] == [], table.name


def test_the_file_of_meanings_names_no_column_twice() -> None:
    text = (ROOT / "loganalyzer" / "columns.yml").read_text(encoding="utf-8")
    entries = sum(len(columns) for columns in yaml.safe_load(text).values())
    assert entries == sum(line.startswith("  ") for line in text.splitlines())


def test_the_tables_of_findings_say_what_the_report_says() -> None:
    report = scan([SECRETS], ScanOptions()).report
    tables = {one.name: one.rows for one in bundle_tables(judge([SECRETS], ScanOptions()), ColumnRedactor())}
    assert tables["attempts"]["id"].to_list() == [one.id for one in report.attempts]
    assert tables["attempts"]["codes"].to_list() == [list(one.codes) for one in report.attempts]
    assert tables["coverage"]["source"].to_list() == [one.source for one in report.coverage]
    assert tables["coverage"]["bytes"].sum() == report.receipt.bytes
    assert tables["diagnoses"]["cause"].to_list() == [one.cause for one in report.diagnoses]
    cited = {one.rule for diagnosis in report.diagnoses for one in diagnosis.evidence}
    assert cited
    assert cited <= set(tables["matches"]["rule"])
    assert set(tables["matches"]["table"]) <= set(tables)


def test_the_columns_of_findings_are_fields_of_the_report() -> None:
    for name, kind in (("attempts", AttemptEntry), ("coverage", Coverage), ("diagnoses", Diagnosis)):
        fields = set(kind.__dataclass_fields__)
        assert set(REPORT_SCHEMAS[name]) <= fields
        assert fields - set(REPORT_SCHEMAS[name]) <= {"evidence"}
        assert set(OURS_OF[name]) <= fields
    assert "message" not in OURS_OF["matches"]


@pytest.mark.parametrize("form", [FORMATS[0], *(pytest.param(form, marks=pytest.mark.slow) for form in FORMATS[1:])])
def test_the_same_bundle_gives_the_same_bytes(written: Path, call: Call, tmp_path: Path, form: str) -> None:
    assert call(APPLOCKER, "-f", form, "-o", tmp_path).status == 0
    for name in files(written / form):
        assert (tmp_path / name).read_bytes() == (written / form / name).read_bytes(), name


@pytest.mark.slow
def test_one_table_goes_to_a_file_whose_suffix_names_the_format(call: Call, tmp_path: Path) -> None:
    for name, read in (
        ("x.parquet", pl.read_parquet),
        ("x.feather", pl.read_ipc),
        ("x.jsonl", pl.read_ndjson),
        ("x.csv", pl.read_csv),
    ):
        assert call(APPLOCKER, "-o", tmp_path / name, "--tables", "attempts").status == 0
        rows: Any = read(tmp_path / name)
        assert rows.height == 2


# names


def evtx(*payloads: dict[str, str | int | bool | None], channel: str = "Application") -> bytes:
    """An event log with an event for each payload."""
    time = datetime(2026, 3, 1, tzinfo=UTC)
    return write_evtx([EventRecord("Tests", 1, channel, "vm01", time, data=data) for data in payloads])


def test_of_columns_that_differ_only_in_case_the_second_is_renamed_and_says_so(call: Call, tmp_path: Path) -> None:
    (tmp_path / "Application.evtx").write_bytes(
        evtx({"ProcessId": "1", "ProcessID": "2", "processid": "3", "ProcessID_2": "4", "Message": "5"})
    )
    target = tmp_path / "out.parquet"
    assert call(tmp_path / "Application.evtx", "-o", target, "--tables", "windows_application").status == 0
    rows = parquet.read_table(target)
    assert len({name.casefold() for name in rows.schema.names}) == rows.num_columns
    of = {name: rows.column(name)[0].as_py() for name in rows.schema.names}
    assert [of[name] for name in ("ProcessId", "ProcessID_2", "ProcessID_3", "processid_4")] == ["1", "4", "2", "3"]
    assert of["Message_2"] == "5"
    told = {each.name: (each.metadata or {}).get(b"renamed_from") for each in rows.schema}
    assert told["ProcessID_3"] == b"ProcessID"
    assert told["processid_4"] == b"processid"
    assert told["Message_2"] == b"Message"
    assert told["ProcessId"] is None


@pytest.mark.slow
def test_names_of_tables_are_letters_digits_and_underscores(call: Call, tmp_path: Path) -> None:
    events = [evtx({"a": "1"}, channel=channel) for channel in ("Ab/Cd", "ab_cd", "../../x", "con", "é" * 300)]
    for number, data in enumerate(events):
        (tmp_path / f"{number}.evtx").write_bytes(data)
    assert call(tmp_path, "-o", tmp_path / "out").status == 0
    names = [Path(name).stem for name in files(tmp_path / "out")]
    of_channels = [name for name in names if name.startswith("windows_") and name != "windows_clock_fact"]
    assert len(of_channels) == len(events)
    assert all(name.replace("_", "").isalnum() and name.isascii() and len(name) < 110 for name in names)
    assert {"windows_ab_cd", "windows_ab_cd_2", "windows_con"} <= set(names)


# redaction and hostile text


def test_secrets_are_tokens_in_every_format_unless_redaction_is_off(call: Call, tmp_path: Path) -> None:
    secrets = [secret.encode() for secret in linux_secrets.bundle().secrets]
    assert secrets
    for form in FORMATS:
        assert call(SECRETS, "-f", form, "-o", tmp_path / form, "--tables", "events,linux_waagent,matches").status == 0
    for path in tmp_path.rglob("*.*"):
        rows = pl.read_parquet(path) if path.suffix == ".parquet" else None
        data = rows.write_ndjson().encode() if rows is not None else path.read_bytes()
        assert [secret for secret in secrets if secret in data] == [], path.name
    assert call(SECRETS, "-f", "ndjson", "-o", tmp_path / "off", "--redact", "off").status == 0
    written = b"".join(path.read_bytes() for path in (tmp_path / "off").iterdir())
    assert any(secret in written for secret in secrets)


def test_the_value_of_a_setting_whose_name_names_a_secret_is_hidden() -> None:
    table = pl.DataFrame({"key": ["HttpProxy.Password", "Extensions.Enabled"], "value": ["Swordfish", "y"]})
    assert ColumnRedactor().table(table)["value"].to_list() == ["<password:1>", "y"]


def test_hostile_text_and_names_are_escaped_in_text_files_and_whole_in_the_others(call: Call, tmp_path: Path) -> None:
    evil = 'x\x1b]0;owned\x07\u202egnp,"\x9b31m'
    (tmp_path / "waagent.log").write_text(LINE.format(evil), encoding="utf-8")
    (tmp_path / "Application.evtx").write_bytes(evtx({evil: "1", "^a.*$": "2", "*": "3", "": "4"}))
    for form in FORMATS:
        assert (
            call(tmp_path / "waagent.log", tmp_path / "Application.evtx", "-f", form, "-o", tmp_path / form).status == 0
        )
    for form in ("ndjson", "csv"):
        for path in (tmp_path / form).iterdir():
            assert not set(path.read_text(encoding="utf-8")) & set("\x1b\x07\x9b\u202e"), path
    line = json.loads((tmp_path / "ndjson" / "linux_waagent.ndjson").read_text(encoding="utf-8"))
    assert line["message"] == evil
    assert pl.read_parquet(tmp_path / "parquet" / "linux_waagent.parquet")["message"].to_list() == [evil]
    with (tmp_path / "csv" / "linux_waagent.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["message"] == evil.replace("\x1b", "\\u001b").replace(
            "\x07", "\\u0007"
        ).replace("\u202e", "\\u202e").replace("\x9b", "\\u009b")
    shown = parquet.read_table(tmp_path / "parquet" / "windows_application.parquet")
    assert [shown.column(name)[0].as_py() for name in ("^a.*$", "*")] == ["2", "3"]
    assert all(name.isprintable() and name for name in shown.schema.names)


# what is refused, and how it ends


@pytest.mark.slow
def test_a_file_that_is_there_is_not_overwritten_without_force(call: Call, tmp_path: Path) -> None:
    folder, target = tmp_path / "out", tmp_path / "x.csv"
    assert call(SECRETS, "-o", folder, "--tables", "attempts").status == 0
    target.write_text("mine", encoding="utf-8")
    (folder / "attempts.parquet").write_text("mine", encoding="utf-8")
    said = call(SECRETS, "-o", folder)
    assert said.status == 2
    assert "is there already" in said.err
    assert f"{folder / 'attempts.parquet'}" in said.err
    assert files(folder) == ["attempts.parquet"]
    assert call(SECRETS, "-o", target, "--tables", "attempts").status == 2
    assert target.read_text(encoding="utf-8") == "mine"
    assert call(SECRETS, "-o", folder, "--force").status == 0
    assert call(SECRETS, "-o", target, "--tables", "attempts", "--force").status == 0
    assert pl.read_parquet(folder / "attempts.parquet").height == pl.read_csv(target).height == 2


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "attempts.csv").write_text("old", encoding="utf-8")

    def full(*given: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loganalyzer.tables.write.csv", full)
    said = call(SECRETS, "-f", "csv", "-o", tmp_path, "--force")
    assert said.status == 2
    assert "No space left on device" in said.err
    assert files(tmp_path) == ["attempts.csv"]
    assert (tmp_path / "attempts.csv").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "Missing option '-o'"),
        (["-o", "x.csv"], "a file, which takes one table"),
        (["-o", "x.csv", "--tables", "attempts,coverage"], "a file, which takes one table"),
        (["-o", "out", "--tables", "atempts"], "no table atempts in this bundle"),
        (["-o", "out", "--tables", ","], "--tables names no table"),
        (["-o", "out", "-f", "xlsx"], "is not one of"),
        (["-o", "out", "--tz", "Mars/Olympus"], "unknown time zone"),
        (["-o", "taken/out"], "cannot write"),
    ],
)
def test_wrong_usage_gives_two_and_says_why(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("", encoding="utf-8")
    said = call(SECRETS, *words)
    assert said.status == 2
    assert why in said.err
    assert files(tmp_path) == ["taken"]


def test_nothing_recognised_and_damage_give_three_and_what_was_read_is_written(call: Call, tmp_path: Path) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\x00")
    assert call(tmp_path / "odd.bin", "-o", tmp_path / "a").status == 3
    assert files(tmp_path / "a") == [f"{name}.parquet" for name in REPORT_TABLES]
    said = call(SAMPLES / "windows-damaged-evtx.zip", "-o", tmp_path / "b")
    assert said.status == 3
    assert "not read to its end: " in said.err
    assert "windows_application.parquet" in files(tmp_path / "b")
    assert call(tmp_path / "none", "-o", tmp_path / "c").status == 3


def test_standard_input_and_several_paths_are_read(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zip_bytes({"waagent.log": LINE.format("a").encode()})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert call("-", "-o", tmp_path / "a").status == 0
    assert "linux_waagent.parquet" in files(tmp_path / "a")
    (tmp_path / "x.zip").write_bytes(data)
    assert call(tmp_path / "x.zip", APPLOCKER, "-o", tmp_path / "b").status == 0
    assert {"linux_waagent.parquet", "windows_system.parquet"} <= set(files(tmp_path / "b"))


def test_a_source_can_be_read_with_another_parser(call: Call, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("nothing known\n", encoding="utf-8")
    assert call(tmp_path / "odd.txt", "-o", tmp_path / "out", "--as", "odd.txt=waagent_log").status == 0
    assert "linux_waagent.parquet" in files(tmp_path / "out")


@pytest.mark.skipif(os.name == "nt", reason="of another kind on Windows")
def test_a_link_to_nowhere_is_something_that_is_there(call: Call, tmp_path: Path) -> None:
    (tmp_path / "x.csv").symlink_to(tmp_path / "gone")
    assert call(SECRETS, "-o", tmp_path / "x.csv", "--tables", "attempts").status == 2
    assert not (tmp_path / "gone").exists()

"""``loganalyzer query``: what SQL may ask of a bundle, what it may not, and how answers look."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loganalyzer.cli import run
from loganalyzer.errors import UsageError
from loganalyzer.pipeline import Judged, ScanOptions, judge
from loganalyzer.schema import SHARED_COLUMNS
from loganalyzer.tables.bundle import bundle_tables, table_names
from loganalyzer.tables.redaction import ColumnRedactor
from loganalyzer.tables.sql import ask, check_statement, mentioned
from loganalyzer.tables.text import json_array
from sample_logs import linux_secrets
from sample_logs.packing import zip_bytes

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs" / "bundles"
APPLOCKER = SAMPLES / "windows-applocker.zip"
SECRETS = SAMPLES / "linux-sas-secrets"
LINE = "2026-03-01T02:10:1{}.000123Z INFO ExtHandler ExtHandler {}\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Said]


@cache
def judged(bundle: Path) -> Judged:
    return judge([bundle], ScanOptions())


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs ``query``; a sample bundle is judged once for all tests."""
    monkeypatch.setenv("COLUMNS", "100")
    real = judge

    def once(inputs: Any, options: ScanOptions, **given: Any) -> Judged:
        sample = len(inputs) == 1 and Path(inputs[0]).parent == SAMPLES and options == ScanOptions()
        return judged(Path(inputs[0])) if sample else real(inputs, options, **given)

    monkeypatch.setattr("loganalyzer.cli.query.judge", once)

    def called(*words: str | Path) -> Said:
        return Said(run(["query", *map(str, words)]), *capfd.readouterr())

    return called


# what can be asked


def test_a_question_over_the_table_of_a_log_source_is_answered(call: Call) -> None:
    sql = "SELECT EventID, Provider_Name, count(*) AS n FROM windows_applocker GROUP BY ALL ORDER BY EventID"
    said = call(APPLOCKER, sql)
    assert said.status == 0
    assert said.err == ""
    assert [(row["EventID"], row["Provider_Name"], row["n"]) for row in said.rows] == [
        ("8003", "Microsoft-Windows-AppLocker", 1),
        ("8004", "Microsoft-Windows-AppLocker", 2),
    ]


def test_events_are_all_events_with_their_shared_columns_by_time(call: Call) -> None:
    rows = call(APPLOCKER, "SELECT * FROM events").rows
    frames = judged(APPLOCKER).reading.frames
    assert len(rows) == sum(frame.rows.height for frame in frames)
    assert set(rows[0]) == {*SHARED_COLUMNS, "logsource", "table", "EventRecordID"}
    times = [row["@timestamp"] for row in rows if row["@timestamp"] is not None]
    assert times == sorted(times)
    assert {row["table"] for row in rows} <= set(table_names(judged(APPLOCKER)))


def test_a_time_compares_with_a_time_and_tables_can_be_joined(call: Call) -> None:
    sql = (
        'SELECT a.id, count(*) AS n FROM attempts a CROSS JOIN events e WHERE e."@timestamp" >= a.start'
        " AND e.\"log.level\" = 'Error' GROUP BY a.id ORDER BY a.id"
    )
    assert [row["id"] for row in call(APPLOCKER, sql).rows] == ["attempt-1", "attempt-2"]
    for time in ("2025-06-11T01:30:00Z", "2025-06-11 01:30:00"):
        since = f'SELECT min("@timestamp") AS t FROM events WHERE "@timestamp" >= \'{time}\''
        assert call(APPLOCKER, since).rows == [{"t": "2025-06-11T01:30:07.067000Z"}]


def test_findings_are_tables(call: Call) -> None:
    (row,) = call(APPLOCKER, "SELECT cause, verdict FROM diagnoses WHERE rank = 1").rows
    assert row == {"cause": "app-control-blocks-bcdr", "verdict": "confirmed"}
    sql = "SELECT DISTINCT m.cause FROM matches m JOIN diagnoses d ON m.cause = d.cause WHERE m.strength = 'definitive'"
    assert {"cause": "app-control-blocks-bcdr"} in call(APPLOCKER, sql).rows
    assert call(APPLOCKER, "SELECT source FROM coverage WHERE status = 'unrecognised'").status == 0


def test_the_tables_and_their_columns_are_listed_with_what_they_mean(call: Call) -> None:
    rows = call(APPLOCKER, "--tables").rows
    assert {row["table"] for row in rows} == set(table_names(judged(APPLOCKER)))
    of = {(row["table"], row["column"]): row for row in rows}
    assert of["windows_system", "log.offset"]["meaning"]
    assert of["windows_system", "EventRecordID"]["type"] == "Int64"
    assert of["windows_system", "@timestamp"]["type"] == "Datetime"
    assert of["attempts", "id"]["rows"] == 2
    assert "windows_applocker" in call(APPLOCKER, "SHOW TABLES").out


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as x",
        "SELECT 1 AS x",
        "  -- a comment\n/* and another */ SELECT 1 AS x",
        "(SELECT 1 AS x)",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
        "VALUES (1)",
        "SELECT x FROM (SELECT 1 AS x UNION ALL SELECT 2) t",
    ],
)
def test_all_forms_of_a_question_are_taken(sql: str) -> None:
    assert ask(sql, {}, []).height >= 1


# how the answer looks


def test_every_format_has_the_same_answer(call: Call) -> None:
    sql = 'SELECT EventRecordID, "@timestamp", DataValues FROM windows_system ORDER BY EventRecordID LIMIT 2'
    lines = call(APPLOCKER, sql, "-f", "ndjson").rows
    assert json.loads(call(APPLOCKER, sql, "-f", "json").out) == lines
    cells = list(csv.DictReader(io.StringIO(call(APPLOCKER, sql, "-f", "csv").out)))
    assert [json.loads(row["DataValues"]) for row in cells] == [row["DataValues"] for row in lines]
    assert [row["@timestamp"] for row in cells] == [row["@timestamp"] for row in lines]
    assert lines[0]["@timestamp"] == "2025-06-09T18:02:11.000000Z"
    shown = call(APPLOCKER, sql, "-f", "table").out
    assert shown.split()[:3] == ["EventRecordID", "@timestamp", "DataValues"]
    assert lines[0]["@timestamp"] in shown


def test_an_answer_without_rows_is_an_empty_one_in_every_format(call: Call) -> None:
    sql = "SELECT message FROM events WHERE message = 'never'"
    assert call(APPLOCKER, sql, "-f", "ndjson").out == ""
    assert json.loads(call(APPLOCKER, sql, "-f", "json").out) == []
    assert call(APPLOCKER, sql, "-f", "csv").out == "message\n"
    assert call(APPLOCKER, sql, "-f", "table").out.split() == ["message"]


def test_an_array_of_many_blocks_is_one_array() -> None:
    rows = pl.DataFrame({"n": range(10_000)})
    assert [one["n"] for one in json.loads("".join(json_array(rows)))] == list(range(10_000))


def test_a_table_says_how_many_rows_it_leaves_out(call: Call) -> None:
    said = call(APPLOCKER, "SELECT message FROM events", "-f", "table")
    assert "more rows: -f ndjson, csv or json have all" in said.err


# what is refused


@pytest.mark.parametrize(
    "table",
    [
        "{}('{}')",
        "{} ('{}')",
        "{}/* x */('{}')",
        "{}/* /* */ */('{}')",
        "{}--\n('{}')",
        "\"{}\"('{}')",
        "`{}`('{}')",
        "(SELECT * FROM {}('{}')) t",
        "events JOIN {}('{}') f ON true",
        "events, {}('{}')",
        "events WHERE message IN (SELECT a FROM {}('{}'))",
    ],
)
@pytest.mark.parametrize("function", ["read_csv", "READ_CSV", "Read_Parquet", "read_ipc", "read_json", "scan_csv"])
def test_functions_that_open_files_are_refused_however_they_are_written(
    tmp_path: Path, table: str, function: str
) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("a\nstolen\n", encoding="utf-8")
    for sql in (
        f"SELECT * FROM {table.format(function, path)}",
        f"WITH t AS (SELECT * FROM {table.format(function, path)}) SELECT * FROM t",
    ):
        with pytest.raises(UsageError, match="is refused: a query reads the tables of the bundle and no files"):
            ask(sql, {"events": pl.DataFrame({"message": ["x"]})}, ["events"])


def test_no_table_function_of_the_engine_passes_the_check(tmp_path: Path) -> None:
    names = {name for name in dir(pl) if name.startswith(("read_", "scan_"))}
    names |= {f"{verb}_{kind}" for verb in ("read", "scan") for kind in ("ndjson", "avro", "delta", "text", "blob")}
    known = set()
    for name in sorted(names):
        try:
            pl.SQLContext().execute(f"SELECT * FROM {name}('{tmp_path}/none')", eager=True)
        except Exception as error:  # noqa: BLE001  whatever it says, the question is whether it knows the function
            if "not a supported table function" not in str(error):
                known.add(name)
        with pytest.raises(UsageError):
            check_statement(f"SELECT * FROM {name}('x')")
    assert {"read_csv", "read_parquet"} <= known


def test_a_path_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n", encoding="utf-8")
    for table in (f"'{path}'", f'"{path}"', "csv(x)", f"glob('{path}')"):
        with pytest.raises(UsageError):
            ask(f"SELECT * FROM {table}", {}, [])


def test_names_of_python_are_no_tables() -> None:
    secret_frame = pl.DataFrame({"a": [1]})
    assert secret_frame.height
    with pytest.raises(UsageError, match="secret_frame"):
        ask("SELECT * FROM secret_frame", {}, [])


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE events",
        "/* SELECT */ drop table events",
        "-- SELECT\nDROP TABLE events",
        "DELETE FROM events",
        "TRUNCATE TABLE events",
        "CREATE TABLE x AS SELECT * FROM events",
        "INSERT INTO events VALUES (1)",
        "COPY events TO 'x.csv'",
        "SET x = 1",
        "",
        "  ",
        "-- nothing",
        "selec 1",
        ";",
    ],
)
def test_what_is_no_question_is_refused(sql: str) -> None:
    with pytest.raises(UsageError, match="a query is one SELECT statement"):
        check_statement(sql)


def test_two_statements_are_refused() -> None:
    for sql in ("SELECT 1; SELECT 2", "SELECT 1; DROP TABLE events"):
        with pytest.raises(UsageError, match="one \\(and only one\\) statement"):
            ask(sql, {}, ["events"])


def test_a_statement_that_could_exhaust_the_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="too long"):
        check_statement(" UNION ALL ".join(["SELECT 1"] * 1000))
    with pytest.raises(UsageError, match="recursion limit"):
        ask(f"SELECT {'(' * 4000}1{')' * 4000}", {}, [])


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT * FROM evnts", "relation 'evnts' was not found"),
        ("SELECT mesage FROM events", 'unable to find column "mesage"'),
        ("SELECT * FROM events WHERE", "sql parser error"),
        ("SELECT message + 1 AS x FROM events", "the query cannot be answered"),
        ("SELECT nosuch(message) FROM events", "nosuch"),
    ],
)
def test_an_error_has_the_words_of_the_engine_and_the_tables(call: Call, sql: str, why: str) -> None:
    said = call(APPLOCKER, sql)
    assert said.status == 2
    assert said.out == ""
    assert why in said.err
    assert "help: tables are attempts, azure_diskinspect" in said.err
    assert "Traceback" not in said.err


def test_wrong_usage_gives_two_before_anything_is_read(call: Call, tmp_path: Path) -> None:
    for words in ([], ["SELECT 1", "--tables"], ["SELECT 1", "-f", "xml"], ["DROP TABLE x"], ["SELECT 1", "--as", "x"]):
        assert call(tmp_path / "none", *words).status == 2
    assert call(tmp_path / "none", "SELECT 1").status == 3


def test_what_could_not_be_read_gives_three(call: Call) -> None:
    said = call(SAMPLES / "windows-damaged-evtx.zip", "SELECT count(*) AS n FROM events")
    assert said.status == 3
    assert said.rows[0]["n"] > 0
    assert "not read to its end: " in said.err


# redaction and hostile text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM events",
        "SELECT substr(message, strpos(message, 'sig=') + 4, 60) AS x FROM events",
        'SELECT "event.original" FROM linux_waagent',
        "SELECT message FROM linux_vmsnapshot",
        "SELECT message FROM matches",
        "SELECT reverse(message) AS x FROM events",
    ],
)
def test_a_question_finds_tokens_in_place_of_secrets(call: Call, sql: str) -> None:
    said = call(SECRETS, sql)
    assert said.status == 0
    secrets = linux_secrets.bundle().secrets
    assert [one for one in secrets if one in said.out or one[::-1] in said.out] == []


def test_redaction_off_shows_what_is_there(call: Call) -> None:
    out = call(SECRETS, "SELECT message FROM events", "--redact", "off").out
    assert any(secret in out for secret in linux_secrets.bundle().secrets)


def test_only_tables_that_a_question_names_are_made(call: Call) -> None:
    names = table_names(judged(APPLOCKER))
    assert mentioned("SELECT 1 FROM Windows_System", names) == ["windows_system"]
    assert mentioned("SELECT 1", names) == []
    (table,) = bundle_tables(judged(APPLOCKER), ColumnRedactor(), ["attempts"])
    assert table.name == "attempts"


def test_hostile_text_never_reaches_the_output_raw(call: Call, tmp_path: Path) -> None:
    evil = "x\x1b]0;owned\x07\x1b[2J\u202egnp \x9b31m"
    log = LINE.format(1, evil) + LINE.format(2, "password=hunter2xyz9")
    (tmp_path / "x.zip").write_bytes(zip_bytes({"waagent.log": log.encode()}))
    for form in ("table", "ndjson", "csv", "json"):
        for sql in ("SELECT message FROM events", f'SELECT 1 AS "{evil}"', f"SELECT '{evil}' AS x"):
            said = call(tmp_path / "x.zip", sql, "-f", form)
            assert said.status == 0
            assert not set(said.out) & set("\x1b\x07\x9b\u202e"), (form, sql)
            assert "hunter2" not in said.out
    said = call(tmp_path / "x.zip", f'SELECT "{evil}" FROM events')
    assert said.status == 2
    assert not set(said.err) & set("\x1b\x07\x9b\u202e")

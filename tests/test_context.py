"""The entries around a cited one: which they are, how much of them is quoted, and which evidence has any."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from loganalyzer.report.build import MOST_IN_CONTEXT
from loganalyzer.report.quoting import CONTEXT_LIMIT, context_of
from loganalyzer.schema import conform
from sample_logs import linux_bundles

KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
EXPECTED = Path(linux_bundles.__file__).parent / "expected"


def log_rows(*texts: str, source: str = "a.log") -> pl.DataFrame:
    lines = [{"event.original": text, "log.line": number} for number, text in enumerate(texts, start=1)]
    return conform(pl.DataFrame(lines), log_file_path=source)


def test_context_is_two_entries_before_and_after_of_the_same_source() -> None:
    rows = pl.concat([log_rows("other", source="0.log"), log_rows("one", "two", "three", "four", "five", "six")])
    assert [(one.before, one.line, one.text) for one in context_of(rows, 4)] == [
        (True, 2, "two"),
        (True, 3, "three"),
        (False, 5, "five"),
        (False, 6, "six"),
    ]
    assert [(one.before, one.text) for one in context_of(rows, 1)] == [(False, "two"), (False, "three")]
    assert context_of(rows, 0) == ()


def test_a_neighbour_among_event_records_is_told_by_its_message_and_record_number() -> None:
    records = pl.DataFrame(
        {"EventRecordID": [7, 8], "event.original": ["<Event>7</Event>", None], "message": ["seven", "eight"]}
    )
    (before,) = context_of(conform(records, log_file_path="System.evtx"), 1)
    assert (before.record_id, before.line, before.text) == (7, None, "seven")


def test_a_neighbour_is_cut_between_words_and_a_word_that_may_be_a_key_is_left_out() -> None:
    rows = log_rows(KEY, "word " * 100, "cited", f"first {KEY * 10}", "x" * 900)
    texts = [one.text for one in context_of(rows, 2)]
    assert texts == ["…", f"{'word ' * 47}…", "first …", "…"]
    assert all(len(text) <= CONTEXT_LIMIT for text in texts)


@pytest.mark.parametrize("path", sorted(EXPECTED.glob("*.json")), ids=lambda path: path.stem)
def test_only_leading_lines_and_records_of_a_diagnosis_have_context(path: Path) -> None:
    report = json.loads(path.read_text(encoding="utf-8"))
    for diagnosis in report["diagnoses"]:
        around = [one for one in diagnosis["evidence"] if one["context"]]
        assert len(around) <= MOST_IN_CONTEXT
        assert len({one["rule"] for one in around}) == len(around)
        assert {one["kind"] for one in around} <= {"line", "record"}
        assert all(one["line"] != near["line"] or one["line"] is None for one in around for near in one["context"])
    assert not any(one["context"] for ruled_out in report["ruled_out"] for one in ruled_out["evidence"])

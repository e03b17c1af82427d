"""The event frame and the log source."""

from __future__ import annotations

import polars as pl
import pytest

from loganalyzer.schema import SHARED_COLUMNS, LogSource, conform


def test_a_conformed_frame_has_every_shared_column_first_and_typed() -> None:
    frame = conform(pl.DataFrame({"own": [1], "message": ["x"]}), log_file_path="a.log")
    assert frame.columns == [*SHARED_COLUMNS, "own"]
    assert all(frame.schema[name] == dtype for name, dtype in SHARED_COLUMNS.items())
    assert frame["log.file.path"].to_list() == ["a.log"]


def test_a_frame_without_rows_stays_without_rows() -> None:
    assert conform(pl.DataFrame({"own": []}, schema={"own": pl.String}), log_file_path="a").height == 0


@pytest.mark.parametrize("name", ["*", "^message$", "^.*$", ""])
def test_a_column_name_from_a_bundle_is_never_a_pattern(name: str) -> None:
    frame = conform(pl.DataFrame({name: ["kept"], "message": ["x"]}))
    assert frame.get_column(name).to_list() == ["kept"]


@pytest.mark.parametrize(
    ("rule", "covered"),
    [
        (LogSource("linux"), True),
        (LogSource("linux", "waagent"), True),
        (LogSource(), True),
        (LogSource("linux", "waagent", "gap"), False),
        (LogSource("windows"), False),
        (LogSource("linux", "syslog"), False),
    ],
)
def test_what_a_log_source_leaves_out_covers_everything(rule: LogSource, covered: bool) -> None:
    assert rule.covers(LogSource("linux", "waagent")) is covered

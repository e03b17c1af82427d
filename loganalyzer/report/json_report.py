"""The JSON report, version 1, and its JSON Schema (draft 2020-12), which ships beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import orjson

from loganalyzer.report.model import Report
from loganalyzer.report.plain_text import plain_json, without_surrogates


def to_json(report: Report) -> bytes:
    """The report as UTF-8 JSON: two blanks of indent, keys in the order of the fields, a line end at the end.

    Times are in UTC as ``2026-03-01T02:10:00Z``; six digits of a second follow only if they are not all zero. A
    character that JSON cannot hold (half of a UTF-16 pair) becomes U+FFFD; one that a terminal obeys is escaped.
    """
    written = orjson.dumps(jsonable(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return plain_json(written.decode()).encode()


def schema() -> dict[str, Any]:
    """The JSON Schema of the report. Additional properties are allowed everywhere."""
    text = files("loganalyzer.report").joinpath("report-1.schema.json").read_bytes()
    loaded: dict[str, Any] = orjson.loads(text)
    return loaded


def iso(time: datetime) -> str:
    """An aware time in UTC, ISO 8601 with ``Z``."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def jsonable(value: Any) -> Any:
    """A value of a report as JSON has it: times in UTC as text, dataclasses and mappings as objects, valid Unicode."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, datetime):
        return iso(value)
    if is_dataclass(value):
        return {each.name: jsonable(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple | list):
        return [jsonable(inner) for inner in value]
    if isinstance(value, Mapping):
        return {jsonable(key): jsonable(inner) for key, inner in value.items()}
    return value

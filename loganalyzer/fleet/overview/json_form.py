"""The overview as JSON, version 1, and its JSON Schema (draft 2020-12), which ships beside this module."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import orjson

from loganalyzer.fleet.overview.overview import Overview
from loganalyzer.report.json_report import jsonable
from loganalyzer.report.plain_text import plain_json


def to_json(found: Overview) -> bytes:
    """The overview as UTF-8 JSON, written as a report is: times in UTC, what a terminal obeys escaped."""
    written = orjson.dumps(_objects(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return plain_json(written.decode()).encode()


def schema() -> dict[str, Any]:
    """The JSON Schema of the overview. Additional properties are allowed everywhere."""
    text = files("loganalyzer.fleet.overview").joinpath("fleet-1.schema.json").read_bytes()
    loaded: dict[str, Any] = orjson.loads(text)
    return loaded


def _objects(found: Overview) -> dict[str, Any]:
    """The overview as plain values: weeks by their Monday, and pairs as objects where JSON has names for them."""
    told: dict[str, Any] = jsonable(found)
    for one, cause in zip(told["causes"], found.causes, strict=True):
        one["weeks"] = [{"week": week.isoformat(), "machines": count} for week, count in cause.weeks]
    for one in told["errors"]:
        one["explained_by"] = dict(one["explained_by"])
    for counts in told["by"].values():
        for one in counts:
            one["causes"] = dict(one["causes"])
    if told["against"] is not None:
        told["against"]["verdicts_before"] = dict(told["against"]["verdicts_before"])
    return told | {"failed": dict(told["failed"]), "verdicts": dict(told["verdicts"])}

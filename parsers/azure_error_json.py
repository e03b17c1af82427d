"""Errors of Azure's resource manager as JSON: a refused call, a failed deployment, its operations.

Errors lie in errors, and as JSON text in their messages: each is a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import Record, Row, errors_in, field_of, first_text, moment, parsed_export
from loganalyzer.parser_json import member, text_of
from loganalyzer.parser_listing import console_head

_LOGSOURCE = LogSource("azure", "deployment")

#: ``depth``: 0 for the outermost error. ``resource`` is the id of what a deployment's operation was about.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "operation": pl.String(),
    "status": pl.String(),
    "error_code": pl.String(),
    "error_message": pl.String(),
    "target": pl.String(),
    "resource": pl.String(),
    "depth": pl.Int64(),
    "correlation_id": pl.String(),
}
_OPENING = re.compile(r"[\[{]")
_MARK = re.compile(
    r'"(?:error|statusMessage)"\s*:\s*(?:\{|\[|"\s*\{)'
    r'|\A\s*\[?\s*\{\s*"code"\s*:\s*"[A-Z]\w{3,80}"\s*,\s*"message"\s*:'
    r'|\A\s*\{\s*"(?:code|message|status)"\s*:(?=[^{}]{0,2000}"(?:message|code)"\s*:)(?=[^{}]{0,2000}"details"\s*:\s*\[)'
)
_CODE = re.compile(r'\\?"code\\?"\s*:\s*\\?"')
_NAMED = re.compile(r"(?:^|[/!])[^/!]*(?:error|deploy|failure)[^/!]*$", re.IGNORECASE)

_REFUSED = {"status": "Failed", "error": {"code": "UserErrorMadeUp", "message": "It may not."}}
_DEPLOYMENT = {
    "name": "vm-deploy",
    "properties": {
        "provisioningState": "Failed",
        "timestamp": "2026-03-01T22:20:11.1234567Z",
        "correlationId": "66666666-0000-0000-0000-000000000000",
        "error": {
            "code": "DeploymentFailed",
            "message": "At least one operation failed.",
            "details": [
                {"code": "Conflict", "message": '{"error": {"code": "MadeUpError", "message": "Told inside."}}'}
            ],
        },
    },
}


@dataclass(frozen=True, slots=True)
class AzureErrorJson:
    """One row an error, the outermost first."""

    name: str = "azure_error_json"
    title: str = "errors of Azure as JSON: a refused call, a failed deployment and its operations"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az deployment group show -g <rg> -n <name> -o json > deployment-error.json",)
    samples: tuple[Sample, ...] = (
        Sample(
            "errors as a list, as the portal shows them",
            "error.json",
            b'[{"code":"MadeUpHandlerError","message":"The handler has reported a failure.\\r\\n"}]',
            ({"kind": "error", "error_code": "MadeUpHandlerError", "depth": 0},),
        ),
        Sample(
            "a refused call",
            "control-plane/error.json",
            orjson.dumps(_REFUSED, option=orjson.OPT_INDENT_2),
            (
                {
                    "kind": "error",
                    "status": "Failed",
                    "error_code": "UserErrorMadeUp",
                    "error_message": "It may not.",
                    "depth": 0,
                    "@timestamp": None,
                },
            ),
        ),
        Sample(
            "a deployment, with an error inside of a message",
            "deployment.json",
            orjson.dumps(_DEPLOYMENT),
            (
                {
                    "error_code": "DeploymentFailed",
                    "@timestamp": datetime(2026, 3, 1, 22, 20, 11, 123456, tzinfo=UTC),
                    "correlation_id": "66666666-0000-0000-0000-000000000000",
                },
                {"error_code": "Conflict", "error_message": None, "depth": 1},
                {"error_code": "MadeUpError", "error_message": "Told inside.", "depth": 2},
            ),
        ),
        Sample(
            "operations of a deployment",
            "deployment-operations.json",
            orjson.dumps(
                [
                    {
                        "properties": {
                            "provisioningOperation": "Create",
                            "provisioningState": "Failed",
                            "statusMessage": {"error": {"code": "MadeUpError", "message": "Told."}},
                            "targetResource": {"id": "/subscriptions/0/x"},
                            "timestamp": "2026-03-01T22:20:11Z",
                        }
                    },
                ]
            ),
            ({"error_code": "MadeUpError", "operation": "Create", "resource": "/subscriptions/0/x"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By an object called error with a code in it; weakly, for many answers have one."""
        text = console_head(head)
        if not _OPENING.search(text) or not _MARK.search(text) or not _CODE.search(text):
            return None
        if '"operationName"' in text:
            return None
        named = _NAMED.search(path.replace("\\", "/"))
        return Claim(72 if named else 38, f"{'named and ' if named else ''}built like an error of Azure")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an error."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows)


def _rows(record: Record) -> Iterator[Row]:
    answer = record.value
    told = field_of(answer, "statusMessage")
    found = errors_in(told) if told is not None else errors_in(field_of(answer, "error"))
    found = found or errors_in(answer)
    shared: Row = {
        "@timestamp": moment(answer, "timestamp"),
        "kind": "error",
        "operation": first_text(answer, "provisioningOperation"),
        "status": first_text(answer, "status", "provisioningState"),
        "resource": text_of(member(field_of(answer, "targetResource"), "id")) or first_text(answer, "id"),
        "correlation_id": first_text(answer, "correlationId"),
    }
    for error in found:
        yield shared | {
            "error_code": error.code,
            "error_message": error.message,
            "target": error.target,
            "depth": error.depth,
            "message": ": ".join(part for part in (error.code, error.message) if part),
        }


parser: Parser = AzureErrorJson()

"""Errors of Azure's resource manager as JSON: a refused call, a failed deployment, its operations.

Errors lie in errors, and as JSON text in their messages: each is a row. Where the JSON is quoted in what another
program prints of an answer (Node's ``util.inspect``, a Python ``repr``), code and message are read from the quotation.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import Record, Row, errors_in, field_of, first_text, moment, parsed_export
from loganalyzer.parser_json import member, text_of
from loganalyzer.parser_listing import Line, Rejected, cited, console_head, console_lines, listing
from loganalyzer.schema import TIMESTAMP

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
    r'|^[^\S\n]{0,40}\[?\s*\{\s*"code"\s*:\s*"[A-Z]\w{3,80}"\s*,\s*"message"\s*:'
    r'|\A\s*\{\s*"(?:code|message|status)"\s*:(?=[^{}]{0,2000}"(?:message|code)"\s*:)(?=[^{}]{0,2000}"details"\s*:\s*\[)',
    re.MULTILINE,
)
_CODE = re.compile(r'\\?"code\\?"\s*:\s*\\?"')
_GAP = r"(?:\s|\\{1,3}[rn])*"
#: A code and its message inside of a quotation; the message ends at its own quote, or is cut.
_QUOTED = re.compile(
    r"""(?P<mark>\\{0,3}["'])code(?P=mark)\s*:\s*(?P=mark)(?P<code>[A-Za-z]\w{3,80})(?P=mark)"""
    rf"""{_GAP},{_GAP}(?P=mark)message(?P=mark)\s*:\s*(?P<open>\\{{0,3}}["'])"""
    r"""(?P<message>[^\x00]{0,4000}?)(?:(?<!\\)(?P=open)|\Z)"""
)
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
    strongest = 72
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
        Sample(
            "an answer that Node prints as the text that it was, cut off",
            "azure.err",
            b'{ [Error: It failed.]\n  response:\n   { body: \'{\\r\\n  "status": "Failed",\\r\\n  "error": {\\r\\n'
            b'    "code": "MadeUpError",\\r\\n    "message": "The VM \\\'vm07\\\' did',
            (
                {
                    "kind": "error",
                    "error_code": "MadeUpError",
                    "error_message": "The VM 'vm07' did",
                    "depth": 0,
                },
            ),
            rejected=2,
        ),
        Sample(
            "an answer that Python prints as it has it",
            "out.txt",
            b"{'error': {'code': 'MadeUpError', 'message': \"The VM 'vm07' did not.\"}}\n",
            ({"error_code": "MadeUpError", "error_message": "The VM 'vm07' did not."},),
        ),
        Sample(
            "an error behind the words of the portal",
            "portal.txt",
            b'Your deployment failed\n{"code":"MadeUpFailed","message":"One failed.","details":[{"code":"MadeUpError",'
            b'"message":"It did."}]}\n',
            ({"error_code": "MadeUpFailed", "depth": 0}, {"error_code": "MadeUpError", "depth": 1}),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By an object called error with a code in it; weakly, for many answers have one."""
        text = console_head(head)
        if text.lstrip().startswith("{'") and _QUOTED.search(text):
            return Claim(36, "an error of Azure as Python prints it")
        if not _OPENING.search(text) or not _MARK.search(text) or not _CODE.search(text):
            return None
        if '"operationName"' in text:
            return None
        named = _NAMED.search(path.replace("\\", "/"))
        return Claim(72 if named else 38, f"{'named and ' if named else ''}built like an error of Azure")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an error."""
        parsed = parsed_export(source, self.logsource, _COLUMNS, _rows)
        quoted = [] if any(len(frame.rows) for frame in parsed.frames) else list(_quoted(console_lines(source.data)))
        return _told_in_quotations(source, quoted) if quoted else parsed


def _quoted(lines: Sequence[Line]) -> Iterator[tuple[Row, list[Line]]]:
    """The errors of quotations, with the lines that each stands on."""
    text = "\n".join(line.text for line in lines)
    starts = list(accumulate((len(line.text) + 1 for line in lines[:-1]), initial=0))
    for found in _QUOTED.finditer(text):
        own = lines[bisect_right(starts, found.start()) - 1 : bisect_right(starts, found.end() - 1)]
        told = re.sub(r"\\+[rn]", " ", found["message"])
        message = re.sub(r"\\+(?=[\"'])", "", told).strip()
        row: Row = {"kind": "error", "error_code": found["code"], "error_message": message or None, "depth": 0}
        yield row | cited(own) | {"message": ": ".join(part for part in (found["code"], message) if part)}, list(own)


def _told_in_quotations(source: Source, quoted: Sequence[tuple[Row, list[Line]]]) -> Parsed:
    lines = console_lines(source.data)
    used = {line.number for _, own in quoted for line in own}
    around = [
        Rejected(line, "around the quotation of an error")
        for line in lines
        if line.number not in used and not line.blank
    ]
    own = {"@timestamp": TIMESTAMP, "time.assumed": pl.String(), **_COLUMNS}
    return listing(source, _LOGSOURCE, lines, [row for row, _ in quoted], own, around)


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

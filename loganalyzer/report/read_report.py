"""A JSON report read back into the Report value."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from loganalyzer.errors import Location, UsageError
from loganalyzer.report.model import SCHEMA, Report

#: Bytes of a report; none that this program writes comes near it.
LARGEST: Final = 256 << 20

_HELP: Final = "give a report that 'loganalyzer scan BUNDLE -f json' wrote"


class _Envelope(msgspec.Struct):
    schema: str = ""


def from_json(data: bytes, where: str) -> Report:
    """The report; fields that this version does not know are left aside.

    ``where`` is how a fault names the report.

    Raises:
        UsageError: it is no report of version 1, or a field is missing or of another kind.
    """
    try:
        if (found := msgspec.json.decode(data, type=_Envelope).schema) != SCHEMA:
            what = f"its schema is {found[:100]!r}, not {SCHEMA!r}" if found else "it names no schema"
            raise UsageError(f"it is no report: {what}", Location(where), _HELP)
        return msgspec.json.decode(data, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"it is no report: {error}", Location(where), _HELP) from error


def read_report(path: Path) -> Report:
    """The report of a file.

    Raises:
        UsageError: the file cannot be read, or is no report.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"the report is larger than {LARGEST >> 20} MiB", Location(str(path)), _HELP)
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the report cannot be read: {error.strerror}", Location(str(path)), _HELP) from error
    return from_json(data, str(path))

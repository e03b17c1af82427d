"""The parser kit for JSON files: reading what agents wrote in whatever state, and looking into values of any type.

Nothing here raises for odd values: a missing key, a string for a number or a list for an object is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import orjson
import polars as pl

from loganalyzer.parser import Parsed, decode
from loganalyzer.schema import EventFrame, LogSource, conform
from loganalyzer.source import Source

#: ``event.original`` of a JSON row: at most this many bytes of its compact text.
ORIGINAL_LIMIT = 4096

#: Bytes of a document that are read: what is longer is an export, and those can be had with one object a line.
JSON_LIMIT = 64 * 1024 * 1024
#: Values and keys of a document that are read. Each costs some 100 bytes, ``[],`` and ``{},`` only three in the file;
#: a list of events has one in 20 bytes.
JSON_VALUES = 4_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOTNET_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_JSON_DATE = re.compile(r"\A\\?/Date\((-?\d{1,16})(?:[+-]\d{4})?\)\\?/\Z")
_INT64 = range(-(2**63), 2**63)

# Keys whose values never belong in a row (linux.md 3.12); they may stand in JSON inside a string, where each quote has
# backslashes in front: a value ends at the quote that has as many as the one that opened it. A redactor that comes
# after the cut could not see where such a value ends, so they go before it.
_SECRET = re.compile(
    r"(?i)(\\*\"(?:protectedSettings|objectStr|blobSASUri|logsBlobUri|statusBlobUri|snapshotTaskToken|token"
    r"|DiskEncryptionSettings|commandToExecute|script|fileUris|storageAccountKey|password)\\*\"\s*:\s*)"
    r"(?:\[[^\]]*\]?|(?P<quote>\\*\")(?!(?P=quote)).+?(?:(?<!\\)(?P=quote)|\Z))"
)


class UnreadableError(ValueError):
    """The bytes are not the JSON that the name promises; the text says why and where."""


def read_json(source: Source) -> object:
    """The value of a JSON file in any Unicode encoding, with or without byte order mark and trailing NULs.

    Raises:
        UnreadableError: it is no JSON, with the place as ``path:line``; or more than is read of a document.
    """
    if source.size > JSON_LIMIT:
        raise UnreadableError(f"a JSON document of more than {JSON_LIMIT >> 20} MiB is not read")
    text = decode(source.data).rstrip("\x00 \t\r\n")
    if not text:
        raise UnreadableError("the file holds only blanks or NULs: its content was never written or was lost")
    if sum(map(text.count, ",[{")) > JSON_VALUES:
        raise UnreadableError(f"a JSON document of more than {JSON_VALUES} values is not read")
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error.msg} at {source.path}:{error.lineno}:{error.colno}") from None
    return value


def inner_json(text: object) -> object:
    """The value of JSON that stands as text inside a value; None when it is no JSON text."""
    if not isinstance(text, str):
        return None
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value


def member(value: object, *keys: str) -> object:
    """Walks into nested objects; keys compare without case (linux.md 3.3). None where the way ends."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        if key in value:
            value = value[key]
            continue
        folded = key.casefold()
        value = next((found for name, found in value.items() if str(name).casefold() == folded), None)
    return value


def items(value: object) -> Sequence[object]:
    """The elements of a list; an object stands for a list of one; anything else has none."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def text_of(value: object) -> str | None:
    """Text, or the text of a number or truth value; None for null, lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def word_of(value: object) -> str | None:
    """Text in lower case without blanks around it; None when nothing is left."""
    return (text_of(value) or "").strip().lower() or None


def int_of(value: object) -> int | None:
    """A whole number of 64 bits, also from text such as ``"2"``; None for anything else."""
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", value) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else None


def time_of(value: object) -> datetime | None:
    """The time of a ``timestampUTC``: ISO 8601 (no zone: UTC, as the key says) or ``/Date(<ms>)/`` (linux.md 3.7)."""
    if not isinstance(value, str):
        return None
    try:
        if date := _JSON_DATE.match(value):
            return _EPOCH + timedelta(milliseconds=int(date[1]))
        time = datetime.fromisoformat(value.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ticks_time(value: object) -> datetime | None:
    """The time of .NET ticks: 100 ns since 0001-01-01 UTC (linux.md 3.2); 0 and negative numbers are no time."""
    ticks = int_of(value)
    if ticks is None or ticks <= 0:
        return None
    try:
        return _DOTNET_EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None


def compact(value: object) -> str:
    """The value as compact JSON of at most ``ORIGINAL_LIMIT`` bytes, the values of secret keys left out."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # nested more deeply than orjson writes
        return "<JSON that is nested too deeply to show>"
    return _SECRET.sub(_leave_out, text).encode()[:ORIGINAL_LIMIT].decode(errors="ignore")


def _leave_out(found: re.Match[str]) -> str:
    quote = found["quote"]
    return f"{found[1]}[]" if quote is None else f"{found[1]}{quote}<left out>{quote}"


def whole_file_rows(
    source: Source,
    logsource: LogSource,
    rows: Sequence[Mapping[str, object]],
    own: Mapping[str, pl.DataType],
    *,
    damage: tuple[str, ...] = (),
) -> Parsed:
    """The result for a file whose rows all cite the whole of it; ``own`` are the columns beside the shared ones."""
    lines = source.data.count(b"\n") + (not source.data.endswith(b"\n")) if source.data else 0
    place = {"log.line": 1, "log.offset": 0, "log.length": source.size}
    shared: dict[str, pl.DataType] = {
        name: pl.String() for name in ("message", "event.original", "host.name") if any(name in row for row in rows)
    }
    shared |= dict.fromkeys(place, pl.Int64()) | {"event.sequence": pl.Int64()}
    shared |= {"@timestamp": pl.Datetime("us", "UTC")}
    full = [{**row, **place, "event.sequence": number} for number, row in enumerate(rows)]
    frame = pl.DataFrame(full, schema=shared | dict(own))
    return Parsed((EventFrame(logsource, conform(frame)),), source.size, lines, damage=damage)

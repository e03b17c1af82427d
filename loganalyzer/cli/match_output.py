"""Rows of ``loganalyzer match`` as NDJSON, JSON or a table, written one by one."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loganalyzer.cli.options import cannot_write, console_for
from loganalyzer.redact import Redactor
from loganalyzer.redact.field_names import hidden_value, named_identity, names_a_secret, names_an_identity
from loganalyzer.report.plain_text import cut_end, one_line, plain_json

#: Text that the rules bring, not the events.
_OF_RULES: Final = frozenset({"rule_id", "rule_title", "level", "type", "rule_ids"})

#: A table is laid out this many rows at a time, so that the first are seen at once.
_BLOCK: Final = 50
#: From this width on place and time have columns of their own.
_WIDE: Final = 120
#: Cells of one field's value in a table, in its own lines; JSON holds all of it.
_LONGEST_VALUE: Final = 400
_MOST_RECORDS: Final = 5
_STYLES: Final = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}

Row: TypeAlias = Mapping[str, Any]


def redacted(row: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """The row with a token for each secret in what the events bring."""
    return {name: value if name in _OF_RULES else _redacted(name, value, redactor) for name, value in row.items()}


def hidden_elsewhere(row: Mapping[str, Any], hide: Callable[[str], str]) -> dict[str, Any]:
    """A redacted row without the secrets that only other rows told by name."""
    return {name: value if name in _OF_RULES else _hidden(value, hide) for name, value in row.items()}


def _hidden(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [_hidden(one, hide) for one in value]
    return hidden_elsewhere(value, hide) if isinstance(value, Mapping) else value


def _redacted(name: str, value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        if names_a_secret(name):
            return hidden_value(name, value, redactor)
        if name == "host":
            return redactor.host(value)
        is_told = redactor.mode == "all" and names_an_identity(name)
        return named_identity(name, value, redactor) if is_told else redactor.text(value)
    if isinstance(value, list):
        return [_redacted(name, one, redactor) for one in value]
    if isinstance(value, dict):
        return redacted({redactor.text(key): one for key, one in value.items()}, redactor)
    return value


class Sink(Protocol):
    """Where rows go."""

    def write(self, row: Row) -> None:
        """One row more."""

    def close(self) -> None:
        """After the last."""


class NdjsonSink:
    """One JSON object a line."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, row: Row) -> None:
        """A line."""
        self._stream.write(_json(row) + b"\n")

    def close(self) -> None:
        """Nothing follows the last line."""
        self._stream.flush()


class JsonSink:
    """One JSON array, a row a line."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._before = b"[\n"

    def write(self, row: Row) -> None:
        """An element."""
        self._stream.write(self._before + _json(row))
        self._before = b",\n"

    def close(self) -> None:
        """The end of the array."""
        self._stream.write(b"\n]\n" if self._before == b",\n" else b"[]\n")
        self._stream.flush()


class TableSink:
    """A table for people, laid out by the width of the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._waiting: list[Row] = []
        self._first = True

    def write(self, row: Row) -> None:
        """A row, shown with its block."""
        self._waiting.append(row)
        if len(self._waiting) == _BLOCK:
            self._show()

    def close(self) -> None:
        """The last block."""
        if self._waiting:
            self._show()

    def _show(self) -> None:
        wide = self._console.width >= _WIDE
        table = (_wide_table if wide else _narrow_table)(self._console.width)
        table.show_header = self._first
        for row in self._waiting:
            level, title, place, time, fields = _level(row), _title(row), _place(row), _time(row), _fields(row)
            if wide:
                table.add_row(level, title, place, time, fields)
            else:
                table.add_row(level, Text("\n").join([title, place, time]), fields)
        self._console.print(table)
        self._waiting, self._first = [], False


_LEVEL_CELLS: Final = len("critical")
_TIME_CELLS: Final = len("2026-03-01 02:10:00Z")
_GAP: Final = 2


def _wide_table(width: int) -> Table:
    rest = width - _LEVEL_CELLS - _TIME_CELLS - 4 * _GAP
    narrow = rest * 3 // 11
    columns = {"level": _LEVEL_CELLS, "rule": narrow, "file:record": narrow, "time": _TIME_CELLS}
    return _table({**columns, "fields": rest - 2 * narrow})


def _narrow_table(width: int) -> Table:
    rest = width - _LEVEL_CELLS - 2 * _GAP
    return _table({"level": _LEVEL_CELLS, "rule, file:record, time": rest // 2, "fields": rest - rest // 2})


def _table(columns: Mapping[str, int]) -> Table:
    """Fixed widths, so that one block stands below the other; an empty line between rows, which have several lines."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 1, 0), header_style="bold")
    for heading, cells in columns.items():
        table.add_column(heading, width=max(cells, 1), overflow="fold")
    return table


def _level(row: Row) -> Text:
    level = row["level"] or "-"
    return Text(one_line(level), style=_STYLES.get(level, "dim"))


def _title(row: Row) -> Text:
    return Text(one_line(row["rule_title"]), style="bold")


def _place(row: Row) -> Text:
    return Text(_named_place(row))


def _named_place(place: Mapping[str, Any]) -> str:
    record = "" if place["record_id"] is None else f":{place['record_id']}"
    return one_line(f"{place['file'] or '-'}{record}")


def _time(row: Row) -> Text:
    """To the second; JSON has the rest."""
    time = row["timestamp"]
    return Text("no time" if time is None else f"{time[:10]} {time[11:19]}Z", style="dim")


def _fields(row: Row) -> Text:
    lines = [_field(name, value) for name, value in {**row.get("group", {}), **row["matched_fields"]}.items()]
    if "records" in row:
        shown = [_named_place(one) for one in row["records"][:_MOST_RECORDS]]
        more = row["count"] - len(shown)
        text = ", ".join(shown) + (f" and {more} more" if more else "")
        lines.insert(0, _field(f"{row['count']} events ({row['type']})", text))
    return Text("\n").join(lines)


def _field(name: str, value: Any) -> Text:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "null" if value is None else str(value)
    shown = Text(f"{one_line(name)}: ", style="dim")
    return shown.append(cut_end(one_line(text), _LONGEST_VALUE), style="not dim")


class FileSink:
    """A file, which is written anew.

    Raises:
        UsageError: here and in all its methods: the file cannot be written.
    """

    def __init__(self, form: str, path: Path) -> None:
        self._path = path
        with self._told():
            self._file = path.open("wb")
        if form == "table":
            text = io.TextIOWrapper(self._file, encoding="utf-8", errors="replace", write_through=True)
            self._sink: Sink = TableSink(Console(file=text, width=_WIDTH_OF_FILES, no_color=True))
        else:
            self._sink = _JSON_SINKS[form](self._file)

    def write(self, row: Row) -> None:
        """A row, perhaps not on disk yet."""
        with self._told():
            self._sink.write(row)

    def close(self) -> None:
        """Whatever is not on disk yet."""
        with self._told():
            self._sink.close()
            self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self._path, error) from error


def opened(form: str, path: Path | None, color: str) -> Sink:
    """A sink for a file, or for standard output (None).

    Raises:
        UsageError: the file cannot be written.
    """
    if path is not None:
        return FileSink(form, path)
    return TableSink(console_for(color)) if form == "table" else _JSON_SINKS[form](sys.stdout.buffer)


_WIDTH_OF_FILES: Final = 160
_JSON_SINKS: Final[Mapping[str, Callable[[IO[bytes]], Sink]]] = {"ndjson": NdjsonSink, "json": JsonSink}


def _json(row: Row) -> bytes:
    return plain_json(orjson.dumps(row).decode()).encode()

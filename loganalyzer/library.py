"""The library: a bundle to a report, and a bundle to frames. What ``import loganalyzer`` offers comes from here.

    from loganalyzer import read, scan

    report = scan("bundle.zip")
    frames = read("bundle.zip").frames

Nothing is printed. A plug-in that fails is named in ``Report.plugins``, and is a `PluginWarning`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from loganalyzer import pipeline
from loganalyzer.errors import UsageError
from loganalyzer.intake import Limits
from loganalyzer.plugins import check_switch, watch
from loganalyzer.registry import Choice, parsers
from loganalyzer.report.model import Report
from loganalyzer.tables.redaction import ColumnRedactor
from loganalyzer.windows import Ticket

#: No limits but the usual ones.
_USUAL: Final = Limits()


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a bundle.

    ``frames``: one polars frame a log source, by its name (``linux/waagent``, ``windows/system``), sorted. Each has the
    shared columns with ECS names (``@timestamp`` in UTC or null, ``time.assumed``, ``message``, ``event.original``,
    ``log.file.path``, ``log.line``, ``log.offset`` in bytes, ...) and those of the source. ``unread``: each recognised
    source that could not be read to its end, with the reason. ``unrecognised``: files that no parser knows. Texts are
    redacted in all of them, unless `read` was told not to.
    """

    frames: Mapping[str, pl.DataFrame]
    unread: tuple[str, ...]
    unrecognised: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[str, pl.DataFrame]]:
        return iter(self.frames.items())


def scan(
    *bundle: str | os.PathLike[str],
    errors: Sequence[str] = (),
    at: datetime | None = None,
    time_zone: str | None = None,
    redact: bool = True,
    rules: Mapping[str, str] | None = None,
    parse_as: Mapping[str, str] | None = None,
    limits: Limits = _USUAL,
    stdin: BinaryIO | None = None,
) -> Report:
    """Scans one bundle, given as one or more paths: directories, archives, single files; ``-`` is ``stdin``.

    Args:
        errors: what the portal said: codes, numbers or texts.
        at: when the backup failed; a time without a zone is in UTC.
        time_zone: IANA name for stamps of logs without a zone; without it such a stamp stays uncertain.
        redact: whether secrets become tokens.
        rules: Sigma rules of one's own, texts by path; they speak beside the built-in ones. What is faulty in them
            stands in ``Report.rules.unable``.
        parse_as: names of parsers by glob of source paths; of several that fit a source the last counts.
        limits: of archives and files.

    Raises:
        BundleError: a path does not exist or cannot be read.
        UsageError: a parser or time zone does not exist.
        LogAnalyzerError: the built-in rules or catalogue are broken.
    """
    moment = at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)
    options = pipeline.ScanOptions(
        limits=limits,
        time_zone=_zone(time_zone),
        ticket=Ticket(tuple(errors), moment if moment is None else moment.astimezone(UTC)),
        redact=redact,
        choices=_choices(parse_as),
        rules=tuple((rules or {}).items()),
    )
    return pipeline.scan(bundle, options, stdin=stdin).report


def read(
    *bundle: str | os.PathLike[str],
    time_zone: str | None = None,
    redact: bool = True,
    parse_as: Mapping[str, str] | None = None,
    limits: Limits = _USUAL,
    stdin: BinaryIO | None = None,
) -> Events:
    """Reads the events of one bundle without judging them; arguments and errors are those of `scan`.

    A secret has the same token in all frames; of tokens with the same number in a report nothing follows.
    """
    check_switch()
    options = pipeline.ScanOptions(limits=limits, time_zone=_zone(time_zone), choices=_choices(parse_as))
    with watch():
        reading = pipeline.read(bundle, options, stdin, lambda phase, name, size: None)
        redactor = ColumnRedactor("tokens" if redact else "off")
        frames = redactor.tables({str(frame.logsource): frame.rows for frame in reading.frames})
        unread = redactor.texts(reading.unread)
        unrecognised = redactor.texts(sorted(reading.relative(one) for one in reading.leaves if one.recognised is None))
    return Events(dict(sorted(frames.items())), tuple(unread), tuple(unrecognised))


def _zone(name: str | None) -> str | None:
    if name is not None:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise UsageError(f"unknown time zone {name!r}", None, "use an IANA name such as Europe/Rome") from error
    return name


def _choices(parse_as: Mapping[str, str] | None) -> tuple[Choice, ...]:
    by_name = {parser.name: parser for parser in parsers()}
    for name in (parse_as or {}).values():
        if name not in by_name:
            raise UsageError(f"there is no parser {name!r}", None, f"there are {', '.join(by_name)}")
    return tuple(Choice(glob, by_name[name]) for glob, name in (parse_as or {}).items())

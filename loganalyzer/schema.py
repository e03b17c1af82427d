"""The event frame: log sources, ECS column names, one dtype each.

Names are ECS's, written flat with dots; ``log.offset`` is Elastic Beats' (ECS has no name for a byte offset), and
``log.length``, ``time.assumed`` and ``derived_from`` are ours. A frame's own fields keep the names that rules use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

TIMESTAMP = pl.Datetime("us", "UTC")

#: Bounds of the times of events. What lies outside is a zero of .NET or Go, a FILETIME without a value or damage, not a
#: time: polars holds years that Python cannot, and hours are added to and taken from what lies inside.
FIRST_TIME = datetime(1601, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(9998, 12, 31, tzinfo=UTC)
_KNOWN_TIME = pl.when(pl.col("@timestamp").is_between(FIRST_TIME, LAST_TIME)).then(pl.col("@timestamp"))

#: The columns that every frame has. ``@timestamp`` is null when the time is unknown; ``time.assumed`` says why a time
#: zone or a year had to be assumed (null: nothing was). ``log.offset`` and ``log.length`` are bytes of the source as
#: stored, ``log.line`` is 1-based, ``event.sequence`` is the order in the file. ``event.original`` is the whole entry.
SHARED_COLUMNS: Mapping[str, pl.DataType] = {
    "@timestamp": TIMESTAMP,
    "time.assumed": pl.String(),
    "event.original": pl.String(),
    "message": pl.String(),
    "log.level": pl.String(),
    "log.file.path": pl.String(),
    "log.offset": pl.Int64(),
    "log.length": pl.Int64(),
    "log.line": pl.Int64(),
    "event.sequence": pl.Int64(),
    "host.name": pl.String(),
    "event.code": pl.String(),
    "event.provider": pl.String(),
    "process.name": pl.String(),
    "process.pid": pl.Int64(),
    "process.thread.name": pl.String(),
    "log.logger": pl.String(),
}

#: One cited place, as derived rows carry it in the list column ``derived_from``.
CITATION = pl.Struct(
    {
        "log.file.path": pl.String(),
        "log.line": pl.Int64(),
        "log.offset": pl.Int64(),
        "EventRecordID": pl.Int64(),
        "@timestamp": TIMESTAMP,
        "event.original": pl.String(),
    }
)

#: What every derived row (config, fact, gap, extension_operation, attempt) has beside the shared columns.
#: A row stands from ``@timestamp`` to ``event.end``; both null: it is a state without a time.
DERIVED_COLUMNS: Mapping[str, pl.DataType] = {
    "event.end": TIMESTAMP,
    "derived_from": pl.List(CITATION),
}

#: Rejected lines or records: kept with the reason, never lost.
REJECTED_COLUMNS: Mapping[str, pl.DataType] = {
    "log.offset": pl.Int64(),
    "log.length": pl.Int64(),
    "log.line": pl.Int64(),
    "event.original": pl.String(),
    "error.message": pl.String(),
}


@dataclass(frozen=True, slots=True)
class LogSource:
    """Sigma's log source: product, service, category. What a rule leaves out covers everything, and sorts first."""

    product: str | None = None
    service: str | None = None
    category: str | None = None

    def covers(self, other: LogSource) -> bool:
        """Whether a rule with this log source speaks about events of ``other``."""
        return all(
            mine is None or mine == theirs
            for mine, theirs in (
                (self.product, other.product),
                (self.service, other.service),
                (self.category, other.category),
            )
        )

    def __lt__(self, other: LogSource) -> bool:
        return self._sorted_by() < other._sorted_by()

    def _sorted_by(self) -> tuple[str, str, str]:
        return self.product or "", self.service or "", self.category or ""

    def __str__(self) -> str:
        return "/".join(part or "*" for part in (self.product, self.service, self.category)).removesuffix("/*")


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Entries of a long log that are not among the rows, for nothing asks what they say.

    ``path`` is as in ``log.file.path``; ``timed``: how many of them have a time, ``times``: these (UTC), as
    `to_the_minute` has them. ``beside``: those of them that stand beside a row, between two places of
    ``event.sequence``, both included, with that, ``log.line``, ``@timestamp`` and ``event.original``.
    """

    path: str
    count: int
    timed: int
    times: pl.Series
    beside: Callable[[int, int], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class EventFrame:
    """Events of one log source, as columns. ``rows`` has at least ``SHARED_COLUMNS``.

    ``borrowed``: they stood in other logs, so that nothing can be said of what is not among them. ``passed``: what was
    counted and timed, and is not among them.
    """

    logsource: LogSource
    rows: pl.DataFrame
    borrowed: bool = False
    passed: tuple[PassedOver, ...] = ()

    @property
    def height(self) -> int:
        """How many events there are, those among them that were passed over."""
        return self.rows.height + sum(one.count for one in self.passed)

    def times(self) -> Mapping[str, pl.Series]:
        """The known times of all events by the path of their file, as `to_the_minute` has them."""
        found: dict[str, list[pl.Series]] = {}
        known = self.rows.select("log.file.path", "@timestamp").drop_nulls()
        for (path,), rows in known.group_by("log.file.path", maintain_order=True):
            found.setdefault(str(path), []).append(rows["@timestamp"])
        for one in self.passed:
            found.setdefault(one.path, []).append(one.times.alias("@timestamp"))
        return {path: to_the_minute(pl.concat(parts)) for path, parts in found.items()}


def to_the_minute(times: pl.Series) -> pl.Series:
    """Of times those that tell all that lasts longer than a minute: the first and the last of each minute, sorted."""
    ordered = times.sort()
    minute = ordered.to_physical() // 60_000_000
    return ordered.filter((minute != minute.shift()).fill_null(True) | (minute != minute.shift(-1)).fill_null(True))


def conform(rows: pl.DataFrame, **constants: str | None) -> pl.DataFrame:
    """Returns ``rows`` with every shared column present, typed and in front; own columns follow in their order.

    ``constants`` fill a shared column for all rows; a key uses ``_`` for ``.`` (``log_file_path="a.log"``). A time
    outside of ``FIRST_TIME`` to ``LAST_TIME`` is unknown: null.
    """
    fixed = {key.replace("_", "."): value for key, value in constants.items()}
    shared = [
        (
            pl.lit(fixed[name], dtype=dtype)
            if name in fixed
            else pl.col(name).cast(dtype)
            if name in rows.columns
            else pl.lit(None, dtype=dtype)
        ).alias(name)
        for name, dtype in SHARED_COLUMNS.items()
    ]
    own = [name for name in rows.columns if name not in SHARED_COLUMNS]
    filled = rows.with_columns(shared)
    if "@timestamp" in rows.columns:
        filled = filled.with_columns(_KNOWN_TIME)
    # By exact name: polars reads a name such as ``^a$`` or ``*`` as a pattern, and bundles can bring such names.
    return pl.DataFrame({name: filled.get_column(name) for name in (*SHARED_COLUMNS, *own)})


def empty_events() -> pl.DataFrame:
    """A frame of no events with the shared columns."""
    return pl.DataFrame(schema=dict(SHARED_COLUMNS))


def empty_rejected() -> pl.DataFrame:
    """A frame of no rejected lines."""
    return pl.DataFrame(schema=dict(REJECTED_COLUMNS))

"""What a dataset says as a whole, as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from loganalyzer.catalogue import load_catalogue
from loganalyzer.fleet.overview.factors import Factor, common_factors
from loganalyzer.fleet.overview.machines import Fleet, features

#: The version of the JSON form: additions are allowed, changes are not.
SCHEMA = "loganalyzer/fleet/1"
#: Machines that are named of a group, and clusters of errors.
MOST_NAMED = 50
MOST_CLUSTERS = 100
#: Stands for every cause together.
ANY_CAUSE = "any cause"


@dataclass(frozen=True, slots=True)
class CauseCount:
    """A cause that is first for ``machines``. ``weeks``: Mondays (UTC), and machines whose last failure was then."""

    cause: str
    title: str
    machines: int
    weeks: tuple[tuple[date, int], ...]
    reports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValueCount:
    """How many machines have a value, and of how many of them a cause is known."""

    value: str
    machines: int
    with_cause: int


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """A documented error, its machines, and the causes that explain it, each with their number."""

    code: str
    machines: int
    explained_by: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Collect:
    """Machines that cannot be told and need the same artefact first."""

    artefact: str | None
    command: str | None
    machines: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Errors of one template that no signature explains. ``first``: the earliest of them."""

    template: str
    machines: int
    count: int
    first: datetime | None
    example: str


@dataclass(frozen=True, slots=True)
class Overview:
    """``by``: counts of values by name: agent, extension, system, and each label of the manifest."""

    schema: str
    bundles: int
    machines: int
    failed: tuple[tuple[str, int], ...]
    verdicts: tuple[tuple[str, int], ...]
    causes: tuple[CauseCount, ...]
    factors: tuple[Factor, ...]
    by: Mapping[str, tuple[ValueCount, ...]]
    errors: tuple[ErrorCount, ...]
    cannot_tell: tuple[Collect, ...]
    clusters: tuple[Cluster, ...]


def overview(fleet: Fleet, rate: float, since: datetime | None = None) -> Overview:
    """The overview. ``rate``: of false discoveries among the factors; ``since``: only clusters that began then."""
    machines = fleet.machines
    return Overview(
        SCHEMA,
        fleet.bundles.height,
        machines.height,
        _counted(fleet.bundles.filter(status="failed"), "failure_kind"),
        _counted(machines, "verdict"),
        _causes(machines),
        tuple(common_factors(_by_cause(machines), features(fleet), machines.height, rate)),
        _by(machines),
        _errors(fleet),
        _cannot_tell(machines),
        _clusters(fleet, since),
    )


def _counted(rows: pl.DataFrame, column: str) -> tuple[tuple[str, int], ...]:
    found = rows.drop_nulls(column).group_by(column).len().sort("len", column, descending=[True, False])
    return tuple(found.iter_rows())


def _causes(machines: pl.DataFrame) -> tuple[CauseCount, ...]:
    catalogue = load_catalogue()
    week = pl.coalesce("last_failure", "last").dt.truncate("1w").dt.date().alias("week")
    told = machines.drop_nulls("cause").with_columns(week)
    found = []
    for (cause,), rows in told.group_by("cause"):
        weeks = rows.drop_nulls("week").group_by("week").len().sort("week")
        known = catalogue.causes.get(str(cause))
        title = known.title if known is not None else str(cause)
        reports = tuple(rows.sort("machine")["report"].head(MOST_NAMED))
        found.append(CauseCount(str(cause), title, rows.height, tuple(weeks.iter_rows()), reports))
    return tuple(sorted(found, key=lambda one: (-one.machines, one.cause)))


def _by_cause(machines: pl.DataFrame) -> dict[str, int]:
    """The machines of each cause, as bits by their place, and those of any."""
    found: dict[str, int] = {}
    for place, cause in enumerate(machines["cause"]):
        if cause is not None:
            found[cause] = found.get(cause, 0) | 1 << place
            found[ANY_CAUSE] = found.get(ANY_CAUSE, 0) | 1 << place
    if len(found) == 2:  # one cause is any cause
        del found[ANY_CAUSE]
    return found


def _by(machines: pl.DataFrame) -> dict[str, tuple[ValueCount, ...]]:
    labels = machines.select("cause", "labels").explode("labels").drop_nulls("labels").unnest("labels")
    named = {str(name): rows for (name,), rows in sorted(labels.group_by("name"), key=lambda pair: str(pair[0]))}
    plain = {name: machines.select("cause", pl.col(name).alias("value")) for name in _COLUMNS}
    return {name: counts for name, rows in {**plain, **named}.items() if (counts := _value_counts(rows))}


_COLUMNS = ("agent_version", "extension_version", "os", "platform")


def _value_counts(rows: pl.DataFrame) -> tuple[ValueCount, ...]:
    counted = rows.drop_nulls("value").group_by("value").agg(pl.len(), pl.col("cause").count().alias("with_cause"))
    ordered = counted.sort("with_cause", "len", "value", descending=[True, True, False])
    return tuple(ValueCount(*row) for row in ordered.iter_rows())


def _errors(fleet: Fleet) -> tuple[ErrorCount, ...]:
    rows = fleet.rows("errors", "code", "explained_by")
    found = []
    for (code,), own in rows.group_by("code"):
        explained = own.explode("explained_by").drop_nulls("explained_by").unique(["machine", "explained_by"])
        found.append(ErrorCount(str(code), own["machine"].n_unique(), _counted(explained, "explained_by")))
    return tuple(sorted(found, key=lambda one: (-one.machines, one.code)))


def _cannot_tell(machines: pl.DataFrame) -> tuple[Collect, ...]:
    rows = machines.filter(verdict="cannot-tell")
    found = [
        Collect(artefact, command, own.height, tuple(own["machine"].sort().head(MOST_NAMED)))
        for (artefact, command), own in rows.group_by("next_artefact", "next_command")
    ]
    return tuple(sorted(found, key=lambda one: (-one.machines, one.artefact or "")))


def _clusters(fleet: Fleet, since: datetime | None) -> tuple[Cluster, ...]:
    rows = fleet.rows("unattributed", "template", "count", "first", "example")
    found = rows.group_by("template", maintain_order=True).agg(
        pl.col("machine").n_unique(), pl.col("count").sum(), pl.col("first").min(), pl.col("example").first()
    )
    if since is not None:
        found = found.filter(pl.col("first") >= since)
    ordered = found.sort("machine", "count", "template", descending=[True, True, False]).head(MOST_CLUSTERS)
    return tuple(Cluster(*row) for row in ordered.iter_rows())


def sequence_of_weeks(causes: Sequence[CauseCount]) -> list[date]:
    """All weeks in which any of the causes was last seen."""
    return sorted({week for one in causes for week, _ in one.weeks})

"""What a dataset says as a whole, as one value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from loganalyzer.catalogue import load_catalogue
from loganalyzer.fleet.overview.change import Change, change, templates
from loganalyzer.fleet.overview.factors import Factor, common_factors
from loganalyzer.fleet.overview.machines import Fleet, features

#: The version of the JSON form: additions are allowed, changes are not.
SCHEMA = "loganalyzer/fleet/1"
#: Machines that are named of a group, and clusters of errors.
MOST_NAMED = 50
MOST_CLUSTERS = 100
#: Stands for every cause together.
ANY_CAUSE = "any cause"
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class CauseCount:
    """A cause that is first for ``machines``. ``weeks``: Mondays (UTC), and machines whose last failure was then.

    ``names``: the first of the machines; ``reports``: theirs, in the same order.
    """

    cause: str
    title: str
    machines: int
    weeks: tuple[tuple[date, int], ...]
    reports: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValueCount:
    """How many machines have a value, of how many of them a cause is known, and which causes these are."""

    value: str
    machines: int
    with_cause: int
    causes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """A documented error, its machines, the causes that explain it, each with their number, and those without one."""

    code: str
    machines: int
    explained_by: tuple[tuple[str, int], ...]
    unexplained: int


@dataclass(frozen=True, slots=True)
class Collect:
    """Machines that cannot be told and need the same artefact first. ``what``: the artefact in words.

    ``names``: the first of the machines; ``reports``: theirs, in the same order.
    """

    artefact: str | None
    command: str | None
    machines: int
    names: tuple[str, ...]
    what: str | None
    reports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Errors of one template that no signature explains. ``first``: the earliest of them.

    ``new``: on so many machines it does not stand in what was logged before their last successful backup.
    ``names``: the first of the machines; ``reports``: theirs, in the same order. ``in_older``: whether the dataset that
    this one is compared with has it; null without one.
    """

    template: str
    machines: int
    count: int
    first: datetime | None
    example: str
    new: int
    names: tuple[str, ...]
    reports: tuple[str, ...]
    in_older: bool | None


@dataclass(frozen=True, slots=True)
class FailedBundle:
    """A bundle without a report. ``kind``: why, as the dataset has it; ``why``: in words."""

    bundle: str
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Overview:
    """``by``: counts of values by name: agent, extension, system, and each label of the manifest.

    ``rate``: of false discoveries among the factors; ``since``: clusters are only those that began then.
    ``earliest`` and ``latest``: when the newest bundles of the machines end. ``failed_bundles``: the first of them.
    ``against``: what changed since an older dataset; null without one.
    """

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
    rate: float
    since: datetime | None
    earliest: datetime | None
    latest: datetime | None
    failed_bundles: tuple[FailedBundle, ...]
    against: Change | None


def overview(fleet: Fleet, rate: float, since: datetime | None = None, older: Fleet | None = None) -> Overview:
    """The overview. ``rate``: of false discoveries among the factors; ``since``: only clusters that began then.

    ``older``: an earlier dataset to compare with.
    """
    machines = fleet.machines
    failed = fleet.bundles.filter(status="failed")
    return Overview(
        SCHEMA,
        fleet.bundles.height,
        machines.height,
        _counted(failed, "failure_kind"),
        _counted(machines, "verdict"),
        _causes(machines),
        tuple(common_factors(_by_cause(machines), features(fleet), machines.height, rate)),
        _by(machines),
        _errors(fleet),
        _cannot_tell(machines),
        _clusters(fleet, since, None if older is None else templates(older)),
        rate,
        since,
        *_ends(machines),
        tuple(FailedBundle(*row) for row in failed.head(MOST_NAMED).select(*_FAILURE).iter_rows()),
        None if older is None else change(older, fleet, rate),
    )


def _ends(machines: pl.DataFrame) -> tuple[datetime | None, datetime | None]:
    earliest, latest = machines.select(pl.col("last").min().alias("first"), pl.col("last").max()).row(0)
    return earliest, latest


_FAILURE = (pl.col("bundle"), pl.col("failure_kind").fill_null(""), pl.col("failure").fill_null(""))


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
        names, reports = _named(rows)
        found.append(CauseCount(str(cause), title, rows.height, tuple(weeks.iter_rows()), reports, names))
    return tuple(sorted(found, key=lambda one: (-one.machines, one.cause)))


def _named(rows: pl.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the first machines, and the reports on them."""
    first = rows.unique("machine").sort("machine").head(MOST_NAMED)
    return tuple(first["machine"]), tuple(first["report"])


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
    counted = (
        rows.drop_nulls("value")
        .group_by("value")
        .agg(pl.len(), pl.col("cause").count().alias("with_cause"), pl.col("cause").drop_nulls().alias("causes"))
    )
    ordered = counted.sort("with_cause", "len", "value", descending=[True, True, False])
    return tuple(
        ValueCount(value, machines, with_cause, _most_common(causes))
        for value, machines, with_cause, causes in ordered.iter_rows()
    )


def _most_common(causes: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(causes).items(), key=lambda pair: (-pair[1], pair[0])))


def _errors(fleet: Fleet) -> tuple[ErrorCount, ...]:
    rows = fleet.rows("errors", "code", "explained_by")
    found = []
    for (code,), own in rows.group_by("code"):
        explained = own.explode("explained_by").drop_nulls("explained_by").unique(["machine", "explained_by"])
        machines = own["machine"].n_unique()
        unexplained = machines - explained["machine"].n_unique()
        found.append(ErrorCount(str(code), machines, _counted(explained, "explained_by"), unexplained))
    return tuple(sorted(found, key=lambda one: (-one.machines, one.code)))


def _cannot_tell(machines: pl.DataFrame) -> tuple[Collect, ...]:
    artefacts = load_catalogue().artefacts
    found = []
    for (artefact, command), own in machines.filter(verdict="cannot-tell").group_by("next_artefact", "next_command"):
        known = artefacts.get(str(artefact))
        names, reports = _named(own)
        what = known.what if known is not None else None
        found.append(Collect(artefact, command, own.height, names, what, reports))
    return tuple(sorted(found, key=lambda one: (-one.machines, one.artefact or "", one.command or "")))


def _clusters(fleet: Fleet, since: datetime | None, older: Set[str] | None) -> tuple[Cluster, ...]:
    rows = fleet.rows("unattributed", "template", "count", "first", "example", "new")
    counted = rows.group_by("template", maintain_order=True).agg(
        pl.col("machine").n_unique(),
        pl.col("count").sum(),
        pl.col("first").min(),
        pl.col("example").first(),
        pl.col("machine").filter(pl.col("new")).n_unique().alias("new"),
    )
    if since is not None:
        counted = counted.filter(pl.col("first") >= since)
    ordered = counted.sort("machine", "count", "template", descending=[True, True, False]).head(MOST_CLUSTERS)
    reports = rows.select("template", "machine").join(fleet.machines.select("machine", "report"), on="machine")
    own = {str(template): _named(found) for (template,), found in reports.group_by("template")}
    return tuple(
        Cluster(
            template,
            machines,
            count,
            first,
            example,
            new,
            *own[template],
            in_older=None if older is None else template in older,
        )
        for template, machines, count, first, example, new in ordered.iter_rows()
    )


def shown_weeks(causes: Sequence[CauseCount], most: int) -> list[date]:
    """Consecutive weeks, at most so many: of all that were told those with most machines, the latest among equals.

    A machine whose clock is years off has its week far away from those of all others.
    """
    machines: Counter[date] = Counter()
    for one in causes:
        machines.update(dict(one.weeks))
    if not machines:
        return []
    lasts = sorted(machines)
    counts = {last: sum(n for week, n in machines.items() if last - most * _WEEK < week <= last) for last in lasts}
    last = max(lasts, key=lambda one: (counts[one], one))
    first = min(week for week in lasts if last - most * _WEEK < week)
    return [first + number * _WEEK for number in range((last - first).days // 7 + 1)]

"""The overview as one HTML page: plots drawn where they stand, nothing loaded, machines linked to their reports.

However many machines there are, of each group the first are named, and of each table the first rows stand in the page;
what is left out is counted, and JSON has more of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, TypeAlias

from loganalyzer.fleet.overview.change import MachineChange
from loganalyzer.fleet.overview.factors import Factor
from loganalyzer.fleet.overview.overview import Overview, ValueCount, shown_weeks
from loganalyzer.fleet.overview.plots import Segment, difference_axis, segments, shade, week_bars
from loganalyzer.report.html.page import page

#: Of each group of machines, the names in the page; of a cluster of errors, which are many, fewer.
MOST_NAMES: Final = 20
MOST_NAMES_OF_A_CLUSTER: Final = 5
MOST_CAUSES: Final = 40
MOST_FACTORS: Final = 10
MOST_VALUES: Final = 15
MOST_ERRORS: Final = 30
MOST_COLUMNS: Final = 8
MOST_CLUSTERS: Final = 40
MOST_WEEKS: Final = 53
#: A plot of fewer weeks begins with empty ones, so that a bar is no wider than a week looks.
LEAST_WEEKS: Final = 12
#: Causes with a colour of their own; all others share one.
_COLOURS: Final = 6
_VERDICTS: Final = {
    "cause-found": ("cause found", "v-found"),
    "cannot-tell": ("cannot be told", "v-unknown"),
    "no-fault-found": ("no fault found", "v-well"),
}
#: What a change of machines is called, and what it says.
_CHANGES: Final[Mapping[MachineChange, tuple[str, str]]] = {
    "newly-failing": ("Newly failing", "no fault was found before"),
    "newly-told": ("With a cause now", "they could not be told before"),
    "other-cause": ("With another cause", "they had one before, too"),
    "no-longer-told": ("No longer told", "they had a cause before and cannot be told now, which proves no recovery"),
    "recovered": ("Recovered", "they had a cause before, and no fault is found now"),
}
#: The address of a machine's report, by its path below the dataset; null: none that can be opened.
Link: TypeAlias = Callable[[str], str | None]


def to_html(found: Overview, link: Link) -> bytes:
    """The page in UTF-8; the same overview and links give the same bytes. Times are in UTC."""
    changed = found.against.causes if found.against is not None else ()
    colours = {one.cause: f"c{place}" for place, one in enumerate(found.causes[:_COLOURS], start=1)}
    weeks = _with_weeks_before(shown_weeks(found.causes, MOST_WEEKS))
    values = {
        "found": found,
        "headline": headline(found),
        "verdicts": _verdicts(found),
        "titles": {one.cause: one.title for one in found.causes} | {one.cause: one.title for one in changed},
        "changes": {one.cause: one for one in changed},
        "change_words": _CHANGES,
        "colours": colours,
        "weeks": weeks,
        "week_bars": week_bars,
        "beyond": sum(count for one in found.causes for week, count in one.weeks if week not in set(weeks)),
        "factors": _by_cause(found.factors),
        "axis": difference_axis(found.factors),
        "parts_of": lambda one, counts: _parts(one, counts, colours),
        "columns": _columns(found),
        "shade": shade,
        "link": link,
        "most": _MOST,
    }
    return page("fleet.html", ("report.js",), ("palette.css", "report.css", "fleet.css"), values)


_MOST: Final = {
    "names": MOST_NAMES,
    "names_of_a_cluster": MOST_NAMES_OF_A_CLUSTER,
    "causes": MOST_CAUSES,
    "factors": MOST_FACTORS,
    "rows": MOST_VALUES,
    "errors": MOST_ERRORS,
    "clusters": MOST_CLUSTERS,
}


def reports_named(found: Overview) -> list[str]:
    """The reports that the page links to, each once, in its order."""
    changed = found.against.machines if found.against is not None else ()
    groups: list[Sequence[str]] = [[each.report for each in one.named[:MOST_NAMES]] for one in changed]
    groups += [one.reports[:MOST_NAMES] for one in found.causes[:MOST_CAUSES]]
    groups += [one.reports[:MOST_NAMES] for one in found.cannot_tell]
    groups += [one.reports[:MOST_NAMES_OF_A_CLUSTER] for one in found.clusters[:MOST_CLUSTERS]]
    return list(dict.fromkeys(report for group in groups for report in group))


def headline(found: Overview) -> str:
    """How many machines have a known cause, in one sentence without its full stop."""
    if not found.machines:
        return "no machine could be scanned"
    known = sum(one.machines for one in found.causes)
    machines = "1 machine" if found.machines == 1 else f"{found.machines:,} machines"
    return f"{known:,} of {machines} {'has' if known == 1 else 'have'} a known cause"


def _with_weeks_before(weeks: Sequence[date]) -> list[date]:
    missing = LEAST_WEEKS - len(weeks) if weeks else 0
    return [*(weeks[0] - timedelta(weeks=number) for number in range(missing, 0, -1)), *weeks]


def _verdicts(found: Overview) -> list[Segment]:
    counts = dict(found.verdicts)
    return segments(
        ((name, counts.get(verdict, 0), kind) for verdict, (name, kind) in _VERDICTS.items()), found.machines
    )


def _by_cause(factors: Sequence[Factor]) -> Mapping[str, list[Factor]]:
    """In the order in which causes first appear: that of the least probable factor of each."""
    found: dict[str, list[Factor]] = {}
    for one in factors:
        found.setdefault(one.cause, []).append(one)
    return found


def _parts(one: ValueCount, counts: Sequence[ValueCount], colours: Mapping[str, str]) -> list[Segment]:
    """The machines of a value by cause; all bars of a table have one scale."""
    own = [(cause, count, colours[cause]) for cause, count in one.causes if cause in colours]
    own.sort(key=lambda part: part[2])
    other = sum(count for cause, count in one.causes if cause not in colours)
    parts = [*own, ("other causes", other, "c-other"), ("no known cause", one.machines - one.with_cause, "c-none")]
    return segments(parts, max(each.machines for each in counts))


def _columns(found: Overview) -> list[str]:
    """The causes that explain errors, those of most machines first; so many as the matrix has columns."""
    machines: dict[str, int] = {}
    for one in found.errors:
        for cause, count in one.explained_by:
            machines[cause] = machines.get(cause, 0) + count
    return sorted(machines, key=lambda cause: (-machines[cause], cause))[:MOST_COLUMNS]

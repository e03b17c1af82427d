"""The overview of a fleet for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table
from rich.text import Text

from loganalyzer.fleet.overview.change import Change, ChangedCause
from loganalyzer.fleet.overview.factors import Factor
from loganalyzer.fleet.overview.overview import CauseCount, Cluster, Overview, ValueCount, shown_weeks
from loganalyzer.report.plain_text import cut_end, one_line

#: Rows of a table and factors of a cause on a terminal; JSON has all.
_MOST_ROWS = 10
_MOST_FACTORS = 5
_LONGEST_NAME = 100
_MOST_WEEKS = 26
#: From this width on causes have their titles beside them.
_WIDE = 110
_MOST_NAMES = 5
_NUMBERS = ("machines", "with a cause", "times", "before", "now", "of those in both")
_BARS = "▁▂▃▄▅▆▇█"


def show(found: Overview, console: Console) -> None:
    """Prints the overview, causes first."""
    console.print(Text(f"{found.machines:,} machines, {found.bundles:,} bundles", "bold"))
    told = [f"{count:,} {verdict}" for verdict, count in found.verdicts]
    told += [f"{count:,} failed ({kind})" for kind, count in found.failed]
    console.print(Text(", ".join(told)))
    if found.against is not None:
        _show_change(found.against, console)
    if found.causes:
        _show_causes(found.causes, console)
    _show_factors(found.factors, console, found.rate)
    for name, counts in found.by.items():
        _show_values(name.replace("_", " "), counts, console)
    if found.errors:
        rows = [
            (one.code, f"{one.machines:,}", ", ".join(f"{cause} {count:,}" for cause, count in one.explained_by))
            for one in found.errors
        ]
        _table("Documented errors", ("error", "machines", "explained by"), rows, console)
    if found.cannot_tell:
        rows = [(one.artefact or "-", f"{one.machines:,}", one.command or "") for one in found.cannot_tell]
        _table("Cannot be told: collect", ("artefact", "machines", "command"), rows, console)
    if found.clusters:
        rows = [(f"{_mark(one)}{one.template}", f"{one.machines:,}", f"{one.count:,}") for one in found.clusters]
        _table("Errors that no signature explains", ("template", "machines", "times"), rows, console)


def _mark(one: Cluster) -> str:
    return "new: " if one.in_older is False else ""


def _show_change(change: Change, console: Console) -> None:
    _heading(f"Since the older dataset: {change.machines_before:,} machines then, {change.in_both:,} in both", console)
    for why in change.unlike:
        console.print(Text(f"  Note: {why}.", "yellow"))
    for one in change.machines:
        names = ", ".join(_name(each.name) for each in one.named[:_MOST_NAMES])
        more = f" and {one.machines - _MOST_NAMES:,} more" if one.machines > _MOST_NAMES else ""
        console.print(Text(f"  {one.change.replace('-', ' ')}: {one.machines:,} ({names}{more})"))
    if change.gone_clusters:
        console.print(Text(f"  clusters of unexplained errors that are gone: {change.gone_clusters:,}"))
    rows = [
        (_way(one), one.cause, f"{one.before:,}", f"{one.after:,}", f"+{one.gained:,} -{one.lost:,}")
        for one in change.causes
        if one.change != "same" or one.gained or one.before != one.after
    ]
    if rows:
        _table(
            "Causes that changed (*: beyond machines that come and go at random)",
            ("change", "cause", "before", "now", "of those in both"),
            rows,
            console,
        )
    else:
        console.print(Text("  no cause has other machines than it had"))


def _way(one: ChangedCause) -> str:
    return f"{one.change} *" if one.beyond_chance else one.change


def _show_causes(causes: Sequence[CauseCount], console: Console) -> None:
    weeks = shown_weeks(causes, _MOST_WEEKS)
    title = f"Causes by week, {weeks[0]} to {weeks[-1]}" if weeks else "Causes"
    wide = console.width >= _WIDE
    rows = [(one.cause, f"{one.machines:,}", _spark(one, weeks), *([one.title] if wide else [])) for one in causes]
    _table(title, ("cause", "machines", "weeks", *(["title"] if wide else [])), rows, console)


def _spark(one: CauseCount, weeks: Sequence[date]) -> str:
    counts = dict(one.weeks)
    most = max(counts.values(), default=1)
    return "".join(_BARS[-(-counts[week] * (len(_BARS) - 1) // most)] if week in counts else "·" for week in weeks)


def _show_factors(factors: Sequence[Factor], console: Console, rate: float) -> None:
    _heading(f"Common factors (of all that is told here, {rate:.0%} may be chance)", console)
    if not factors:
        console.print(Text("  none: nothing that machines with a cause share and the others lack is beyond chance"))
    shown: dict[str, int] = {}
    for one in factors:
        shown[one.cause] = shown.get(one.cause, 0) + 1
        if shown[one.cause] <= _MOST_FACTORS:
            _show_factor(one, console)
    more = sum(max(0, count - _MOST_FACTORS) for count in shown.values())
    if more:
        console.print(Text(f"  and {more:,} more (-f json)", "dim"))


def _show_factor(one: Factor, console: Console) -> None:
    share = f"{one.cases_with:,} of {one.cases:,} with {one.cause}, {one.others_with:,} of {one.others:,} others"
    console.print(Text.assemble("  ", (_name(one.features[0]), "bold")))
    console.print(Text(f"    {share}: {one.difference:+.0%} ({one.difference_low:+.0%} to {one.difference_high:+.0%})"))
    if len(one.features) > 1:
        others = ", ".join(_name(name) for name in one.features[1:4])
        more = f" and {len(one.features) - 4:,} more" if len(one.features) > 4 else ""
        console.print(Text(f"    the same machines: {others}{more}", "dim"))


def _show_values(name: str, counts: Sequence[ValueCount], console: Console) -> None:
    rows = [(one.value, f"{one.machines:,}", f"{one.with_cause:,}") for one in counts]
    _table(f"By {name}", (name, "machines", "with a cause"), rows, console)


def _table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    _heading(title, console)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(Text(_name(name)), justify="right" if name in _NUMBERS else "left")
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(Text(_name(cell)) for cell in row))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(Text(f"  and {len(rows) - _MOST_ROWS:,} more (-f json)", "dim"))


def _heading(title: str, console: Console) -> None:
    console.print()
    console.print(Text(one_line(title), "bold"))


def _name(text: str) -> str:
    return cut_end(one_line(text), _LONGEST_NAME)

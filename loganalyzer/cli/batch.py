"""``loganalyzer batch``: many bundles in, a dataset out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import polars as pl
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from loganalyzer.cli import EXIT_UNREADABLE, EXIT_USAGE, tell
from loganalyzer.cli.console import open_console
from loganalyzer.cli.options import limit_options, limits_of, redact_option, redactor_of, zone_of
from loganalyzer.cli.rule_files import own_rules, own_rules_option
from loganalyzer.errors import UsageError
from loganalyzer.fleet import executors
from loganalyzer.fleet.batch import Progress, run
from loganalyzer.fleet.collection import members
from loganalyzer.fleet.dataset import Dataset
from loganalyzer.fleet.outcome import ScanSettings, TaskLimits
from loganalyzer.redact import read_key
from loganalyzer.report.plain_text import one_line

#: Failed bundles that are told by name; the table ``bundles`` has all.
_MOST_FAILED = 20
_MIB = 1 << 20


@click.command("batch")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    "dataset",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DATASET",
    help="The folder of the dataset; one that is there is brought up to date.",
)
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Paths of bundles, one a line; or CSV with a column 'bundle', whose other columns become labels. May repeat.",
)
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1, max=1024), help="Bundles scanned at a time.  [default: one a core]"
)
@click.option(
    "--bundle-timeout",
    type=click.FloatRange(min=0.1),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest scan of one bundle.",
)
@click.option(
    "--bundle-memory",
    type=click.IntRange(min=64),
    default=4096,
    show_default=True,
    metavar="MIB",
    help="Most memory of one scan.",
)
@click.option("--executor", metavar="WORD", help="Where to scan: dask (a cluster on this machine) or dask://HOST:PORT.")
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of log stamps without one (Europe/Rome).")
@redact_option
@own_rules_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
@limit_options
def command(sources: tuple[str, ...], dataset: Path, **given: Any) -> int:
    """Scan many bundles, one a VM, into a dataset of Parquet tables and JSON reports.

    A SOURCE is a folder of bundles (archives, or a folder a VM), a glob of bundles, one bundle, or a URL of object
    storage (az://, abfs://, s3://). Bundles whose content, rules and options are as before are not scanned again, and a
    run that was interrupted goes on where it was.

    \b
    Exit status: 0 all scanned, 2 wrong usage, 3 a bundle failed or nothing of one was recognised, 130 interrupted.
    """
    zone_of(given["zone"])
    if not sources and not given["manifests"]:
        raise UsageError("no bundles are given", None, "write: loganalyzer batch FOLDER -o DATASET")
    redactor_of(given)
    rules, faults = own_rules(given["rules"])
    if faults:
        return EXIT_USAGE
    found = members(sources, given["manifests"])
    jobs = given["jobs"] or os.cpu_count() or 1
    limits = TaskLimits(given["bundle_timeout"], given["bundle_memory"] * _MIB)
    settings = _settings(given, rules)
    with (
        Dataset.opened(dataset) as opened,
        executors.opened(given["executor"], jobs) as executor,
        _progress_shown(given["quiet"]) as shown,
    ):
        progress = run(found, opened, executor, jobs, settings, limits, shown)
    rows = _rows(dataset, [one.id for one in found])
    if not given["quiet"]:
        _tell_summary(progress, rows, dataset)
    return EXIT_UNREADABLE if not rows.filter(_IS_LOST).is_empty() else 0


_IS_LOST = (pl.col("status") == "failed") | (pl.col("recognised") == 0)


def _settings(given: dict[str, Any], rules: tuple[tuple[str, str], ...]) -> ScanSettings:
    key = None if given["redact_key"] is None else read_key(given["redact_key"]).hex()
    mode = {"on": "tokens", "all": "all", "off": "off"}[given["redact"]]
    return ScanSettings(limits_of(given), given["zone"], mode, key, rules)  # type: ignore[arg-type]


@contextmanager
def _progress_shown(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar with rate, failures and the time left on standard error, while that is a terminal."""
    console = open_console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda progress: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("scanning"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate="", failed=0)

        def show(progress: Progress) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f}/s" if speed else ""
            bar.update(task, total=progress.total, completed=progress.done, rate=rate, failed=progress.failed)

        yield show


def _rows(dataset: Path, ids: list[str]) -> pl.DataFrame:
    """What the dataset says of the bundles of this run."""
    columns = ["bundle_id", "bundle", "status", "failure", "recognised", "verdict"]
    paths = sorted(dataset.glob("part=*/bundles.parquet"))
    if not paths:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String) | {"recognised": pl.Int64})
    return pl.read_parquet(paths, columns=columns).filter(pl.col("bundle_id").is_in(ids)).sort("bundle")


def _tell_summary(progress: Progress, rows: pl.DataFrame, dataset: Path) -> None:
    counts = dict(rows.group_by("verdict").len().iter_rows())
    verdicts = ", ".join(
        f"{counts[one]} {one}" for one in ("cause-found", "cannot-tell", "no-fault-found") if one in counts
    )
    done = f"{progress.scanned} scanned, {progress.unchanged} unchanged, {progress.failed} failed"
    tell(f"{progress.total} bundles: {done}")
    if verdicts:
        tell(f"verdicts: {verdicts}")
    lost = rows.filter(_IS_LOST)
    for name, failure in lost.select("bundle", "failure").head(_MOST_FAILED).iter_rows():
        tell(one_line(f"{name}: {failure or 'nothing of it was recognised'}"))
    if lost.height > _MOST_FAILED:
        tell(f"and {lost.height - _MOST_FAILED} more: the table bundles has them")
    tell(f"written: {dataset}")

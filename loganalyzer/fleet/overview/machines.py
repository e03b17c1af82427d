"""The machines of a dataset: of each the newest bundle, and what is known of it as features."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from loganalyzer.errors import Location, UsageError

#: A token that is numbered anew in each report: the same one stands for another machine elsewhere.
_NUMBERED_HOST: Final = r"^<host:\d{1,6}>$"
_VERSION: Final = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,3}")
#: So many versions are thresholds, at most.
_MOST_THRESHOLDS: Final = 40


@dataclass(frozen=True, slots=True)
class Fleet:
    """``bundles``: all of them. ``machines``: the newest scanned bundle of each, by ``machine``."""

    folder: Path
    bundles: pl.DataFrame
    machines: pl.DataFrame

    def rows(self, table: str, *columns: str) -> pl.DataFrame:
        """Rows of another table that are of these bundles, with ``machine``."""
        found = pl.scan_parquet(self.folder / f"part=*/{table}.parquet", hive_partitioning=False)
        known = self.machines.lazy().select("bundle_id", "machine")
        return found.select("bundle_id", *columns).join(known, on="bundle_id").sort("machine", *columns).collect()


@dataclass(frozen=True, slots=True)
class Feature:
    """What some machines have: ``machines`` as bits by their place. ``known``: those of which it is known."""

    label: str
    machines: int
    known: int


def read_fleet(folder: Path) -> Fleet:
    """The machines of a dataset. A bundle that names one host is of that machine, any other one is a machine itself.

    Raises:
        UsageError: the folder is no dataset, or its tables cannot be read.
    """
    if not any(folder.glob("part=*/bundles.parquet")):
        help = "give a dataset that 'loganalyzer batch' wrote"
        raise UsageError("it is no dataset, or has no bundles yet", Location(str(folder)), help)
    try:
        bundles = pl.read_parquet(folder / "part=*/bundles.parquet", hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        first = str(error).partition("\n")[0]
        raise UsageError(f"its tables cannot be read: {first}", Location(str(folder)), "run batch again") from error
    host = pl.col("hosts").list.first()
    is_named = (pl.col("hosts").list.len() == 1) & ~host.str.contains(_NUMBERED_HOST)
    bundles = bundles.with_columns(pl.when(is_named).then(host).otherwise("bundle").alias("machine"))
    newest = bundles.filter(status="scanned").sort("machine", "last", "bundle", nulls_last=False)
    return Fleet(folder, bundles.sort("bundle"), newest.unique("machine", keep="last", maintain_order=True))


def features(fleet: Fleet) -> tuple[Feature, ...]:
    """What machines have, by label: settings, versions as thresholds, labels, platform, hour of the last attempt."""
    places = {machine: place for place, machine in enumerate(fleet.machines["machine"])}
    values = _values(fleet)
    found = []
    for name, by_value in sorted(values.items()):
        bits = {value: _bits(places[one] for one in machines) for value, machines in by_value.items()}
        known = _bits(places[one] for machines in by_value.values() for one in machines)
        found += [Feature(f"{name}: {value}", own, known) for value, own in sorted(bits.items())]
        found += _thresholds(name, bits, known)
    return tuple(found)


def _values(fleet: Fleet) -> Mapping[str, Mapping[str, set[str]]]:
    """By name and value, the machines that have it."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for machine, platform, labels in fleet.machines.select("machine", "platform", "labels").iter_rows():
        found["platform"][platform].add(machine)
        for one in labels or ():
            found[f"label {one['name']}"][one["value"]].add(machine)
    settings = fleet.rows("settings", "logsource", "name", "object", "value")
    for _, logsource, name, obj, value, machine in settings.iter_rows():
        told = f"{logsource.split('/')[1]} {name}" if logsource.endswith("/config") else name.replace("_", " ")
        found[f"{told} of {obj}" if obj else told][value].add(machine)
    last = fleet.rows("attempts", "start").drop_nulls("start").group_by("machine").agg(pl.col("start").max())
    for machine, start in last.iter_rows():
        found["hour of the last attempt (UTC)"][f"{start:%H}"].add(machine)
    return found


def _thresholds(name: str, bits: Mapping[str, int], known: int) -> Iterable[Feature]:
    """``up to V`` and ``above V``, only where all values are versions; of many, those about as many machines apart.

    Which versions these are depends on how many machines have each, never on which of them fail: a test at the best
    threshold of all would find one by chance alone.
    """
    if len(bits) < 3 or not all(_VERSION.fullmatch(value) for value in bits):
        return
    ordered = sorted(bits, key=lambda value: [int(part) for part in value.split(".")])
    apart = known.bit_count() / _MOST_THRESHOLDS if len(bits) > _MOST_THRESHOLDS else 0
    up_to, told = bits[ordered[0]], 0
    for version in ordered[1:-1]:
        up_to |= bits[version]
        if up_to.bit_count() - told >= apart:
            told = up_to.bit_count()
            yield Feature(f"{name} up to {version}", up_to, known)
            yield Feature(f"{name} above {version}", known & ~up_to, known)


def _bits(places: Iterable[int]) -> int:
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits

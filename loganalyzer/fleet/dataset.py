"""The dataset on disk: parts that appear whole, a report for each bundle, and a journal to go on from.

    DATASET/part=00-00000/<table>.parquet    all tables of the bundles of one part
    DATASET/reports/ab/<id>-<hash>.json      a report, under a name that changes with its content
    DATASET/_work/                           the journal, what is being written, and the lock; readers leave it alone

Whoever reads ``part=*/<table>.parquet`` sees each bundle whole or not at all, in the middle of a run as well: a part
holds all tables and is published by one rename. A part that changes is taken away before its successor is put in its
place, so that no bundle is ever there twice. Names of parts depend on how many bundles there are, and what is in them
on their names: runs that were interrupted and runs that were not give the same files. Nothing is synchronised to the
disk's platters: this survives the end of a process, not that of the power.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from loganalyzer.errors import Location, UsageError
from loganalyzer.fleet.rule_changes import RulesInUse
from loganalyzer.fleet.schemas import COLUMNS, Row, report_columns, report_rows, schema
from loganalyzer.report.read_report import read_report

#: Bundles of a part, at most about so many. Their tables are written in one go.
PART_SIZE: Final = 1000
_WORK: Final = "_work"
_HELP: Final = "give an empty or new folder, or a dataset that 'loganalyzer batch' wrote"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the dataset knows of a bundle beside its report; the columns of ``bundles`` have the same names.

    ``report``: its path below the dataset.
    """

    bundle_id: str
    bundle: str
    labels: tuple[tuple[str, str], ...]
    content_sha256: str | None
    etag: str | None
    judged_by: str
    status: str
    failure_kind: str | None
    failure: str | None
    report: str | None
    recognised: int
    unread: int


class _Swap(msgspec.Struct, frozen=True):
    """Parts and reports that go, and parts that come; written down before the first of them is touched."""

    retired: list[str]
    published: list[str]
    reports: list[str]


class Dataset:
    """A dataset that this process alone writes to, from `opened` on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._work = folder / _WORK
        self._journal = self._work / "journal.ndjson"

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path) -> Iterator[Dataset]:
        """The dataset of a folder, which is made if need be; what an interrupted run left half done is finished first.

        Raises:
            UsageError: the folder holds something else, cannot be written to, or another process writes to it.
        """
        dataset = cls(folder)
        try:
            if folder.exists() and not dataset._is_ours():
                raise UsageError("it is no dataset, and not empty", Location(str(folder)), _HELP)
            (folder / _WORK).mkdir(parents=True, exist_ok=True)
            with FileLock(folder / _WORK / "lock", timeout=0):
                dataset._finish_swap()
                dataset._mend_journal()
                yield dataset
        except Timeout as error:
            raise UsageError(
                "another run writes to it", Location(str(folder)), "wait for its end, or give another folder"
            ) from error
        except OSError as error:
            raise UsageError(
                f"it cannot be written: {error.strerror or error}", Location(str(folder)), _HELP
            ) from error

    def _is_ours(self) -> bool:
        names = [entry.name for entry in os.scandir(self.folder)]
        return not names or _WORK in names

    def entries(self) -> dict[str, Entry]:
        """What is known of each bundle, by id: from the parts, and from the journal of a run that did not end."""
        names = list(Entry.__dataclass_fields__)
        known = {}
        for part in self.parts():
            rows = pq.read_table(part / "bundles.parquet", columns=names, partitioning=None).to_pylist()
            for row in rows:
                row["labels"] = tuple((one["name"], one["value"]) for one in row["labels"])
                known[row["bundle_id"]] = Entry(**row)
        return {**known, **{one.bundle_id: one for one in self.journal()}}

    def products(self) -> dict[str, Set[str]]:
        """The products of the logs of each bundle that a part has, and its platform; nothing where that is unknown."""
        found: dict[str, Set[str]] = {}
        for part in self.parts():
            of_part: dict[str, set[str]] = {}
            for row in pq.read_table(part / "bundles.parquet", columns=["bundle_id", "platform"]).to_pylist():
                if row["platform"] in ("linux", "windows"):
                    of_part[row["bundle_id"]] = {row["platform"]}
            rows = pq.read_table(part / "coverage.parquet", columns=["bundle_id", "logsource"]).to_pylist()
            for row in rows:
                sources = (row["logsource"] or "").split(", ")
                of_part.get(row["bundle_id"], set()).update(one.partition("/")[0] for one in sources if one)
            found |= of_part
        return found

    def keep_rules(self, rules: RulesInUse) -> None:
        """Writes down by which rules bundles are judged from now on."""
        new = self._work / "rules.new"
        new.write_bytes(msgspec.json.encode(rules))
        new.replace(self._work / f"rules-{rules.digest}.json")

    def rules(self, digest: str) -> RulesInUse | None:
        """The rules by which bundles were judged; null if nobody knows them any more."""
        try:
            return msgspec.json.decode((self._work / f"rules-{digest}.json").read_bytes(), type=RulesInUse)
        except (OSError, msgspec.DecodeError):
            return None

    def forget_rules(self, but: Set[str]) -> None:
        """Removes the rules by which no bundle is judged any more."""
        for path in self._work.glob("rules-*.json"):
            if path.stem.removeprefix("rules-") not in but:
                path.unlink(missing_ok=True)

    def forget_reports(self, but: Set[str | None]) -> None:
        """Removes the reports that nothing names: of bundles that changed while a run that wrote them was ended."""
        for path in self.folder.glob("reports/*/*.json"):
            if path.relative_to(self.folder).as_posix() not in but:
                path.unlink(missing_ok=True)

    def parts(self) -> list[Path]:
        """The folders of the parts, by name."""
        return sorted(self.folder.glob("part=*"))

    def journal(self) -> list[Entry]:
        """The bundles that are done and in no part yet, in the order of their end; a line that was cut is none."""
        try:
            lines = self._journal.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for line in lines[:-1]:
            with contextlib.suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(line, type=Entry))
        return found

    def _mend_journal(self) -> None:
        """Takes away a line that was cut, or the next one would be part of it."""
        if self._journal.exists():
            new = self._work / "journal.new"
            new.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in self.journal()))
            new.replace(self._journal)

    def keep(self, entry: Entry) -> None:
        """Writes down that a bundle is done; its report was written before."""
        with self._journal.open("ab") as journal:
            journal.write(msgspec.json.encode(entry) + b"\n")

    def write_report(self, bundle_id: str, report: bytes) -> str:
        """Writes a report whole or not at all; its path below the dataset."""
        name = f"reports/{bundle_id[:2]}/{bundle_id}-{hashlib.sha256(report).hexdigest()[:12]}.json"
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self._work / "report.new"
        new.write_bytes(report)
        new.replace(path)
        return name

    def publish(self, parts: Mapping[str, Iterable[Entry]], retired: Iterable[str], reports: Iterable[str]) -> None:
        """Puts these parts in the place of others, and removes the reports that no part names any more."""
        for name, entries in parts.items():
            self._stage(name, entries)
        swap = _Swap(sorted(retired), sorted(parts), sorted(reports))
        new = self._work / "swap.new"
        new.write_bytes(msgspec.json.encode(swap))
        new.replace(self._work / "swap.json")
        self._finish_swap()

    def forget_journal(self) -> None:
        """All that it says is in parts now."""
        self._journal.unlink(missing_ok=True)

    def _stage(self, name: str, entries: Iterable[Entry]) -> None:
        """Writes the tables of a part where no reader looks."""
        folder = self._work / "staged" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        for entry in sorted(entries, key=lambda one: one.bundle_id):
            told = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
            told["labels"] = [{"name": name, "value": value} for name, value in entry.labels]
            if entry.report is not None:
                report = read_report(self.folder / entry.report)
                told.update(report_columns(report))
                for table, of_table in report_rows(entry.bundle_id, report).items():
                    rows[table] += of_table
            rows["bundles"].append(told)
        for table, of_table in rows.items():
            pq.write_table(
                pa.Table.from_pylist(of_table, schema=schema(table)), folder / f"{table}.parquet", compression="zstd"
            )

    def _finish_swap(self) -> None:
        """Does what is left of a swap that was written down; each step may have been done already."""
        note = self._work / "swap.json"
        if note.exists():
            swap = msgspec.json.decode(note.read_bytes(), type=_Swap)
            for name in swap.retired:
                # what was published under this name by this very swap is no longer staged, and stays
                if name not in swap.published or (self._work / "staged" / name).exists():
                    self._retire(name)
            for name in swap.published:
                staged = self._work / "staged" / name
                if staged.exists():
                    staged.rename(self.folder / name)
            for report in swap.reports:
                (self.folder / report).unlink(missing_ok=True)
            note.unlink()
        for leftover in ("staged", "retired"):
            shutil.rmtree(self._work / leftover, ignore_errors=True)

    def _retire(self, name: str) -> None:
        place = self.folder / name
        if place.exists():
            grave = self._work / "retired" / name
            shutil.rmtree(grave, ignore_errors=True)
            grave.parent.mkdir(exist_ok=True)
            place.rename(grave)


def part_name(bundle_id: str, bits: int) -> str:
    """The part of a bundle when the first ``bits`` bits of its id tell the part."""
    return f"part={bits:02d}-{int(bundle_id, 16) >> (64 - bits):05d}"


def bits_for(bundles: int) -> int:
    """How many bits tell parts of about `PART_SIZE` bundles apart."""
    bits = 0
    while bundles > PART_SIZE << bits:
        bits += 1
    return bits

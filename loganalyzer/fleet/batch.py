"""A run over many bundles: what is known stays, what is new or changed is scanned, and what is done is never lost."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from loganalyzer.fleet.collection import Member
from loganalyzer.fleet.dataset import Dataset, Entry, bits_for, part_name
from loganalyzer.fleet.judged_by import judged_alike, judged_by, rules_of
from loganalyzer.fleet.outcome import PASSING, Chunk, Found, Outcome, Request, ScanSettings, TaskLimits
from loganalyzer.fleet.rule_changes import EVERY, rules_in_use
from loganalyzer.fleet.task import TRIES, failed, run_chunk
from loganalyzer.report.json_report import to_json
from loganalyzer.report.read_report import read_report

#: A chunk is full with so many bundles, or bytes: starting a process must cost little beside it, and progress must
#: show.
_MOST_OF_A_CHUNK: Final = 32
_BYTES_OF_A_CHUNK: Final = 64 << 20
#: Chunks that are handed out for each job: one that runs, one that waits.
_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. ``scanned`` and ``unchanged`` and ``failed`` are bundles done."""

    total: int
    scanned: int = 0
    unchanged: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """Bundles that this run is done with."""
        return self.scanned + self.unchanged + self.failed


def run(
    members: Sequence[Member],
    dataset: Dataset,
    executor: Executor,
    jobs: int,
    settings: ScanSettings,
    limits: TaskLimits,
    report_progress: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Scans the members that are new, changed, or judged by other rules, and publishes part by part."""
    run = _Run(dataset, settings, limits, [member.id for member in members])
    progress = Progress(len(members))
    report_progress(progress)
    requests = sorted((run.request(member) for member in members), key=lambda one: one.member.id)
    left = Counter(run.unit(one.member.id) for one in requests)
    told = [Outcome(one.member, Found("unchanged")) for one in requests if run.is_told_unchanged(one)]
    asked = [one for one in requests if not run.is_told_unchanged(one)]
    for outcome in itertools.chain(told, _outcomes(_chunks(asked, settings, limits, jobs), executor, jobs * _AHEAD)):
        run.take(outcome)
        status = outcome.found.status
        progress = replace(progress, **{status: getattr(progress, status) + 1})
        report_progress(progress)
        unit = run.unit(outcome.member.id)
        left[unit] -= 1
        if not left[unit]:
            run.publish(unit)
    run.publish_rest()
    return progress


class _Run:
    """What is known before and during a run, by bundle."""

    def __init__(self, dataset: Dataset, settings: ScanSettings, limits: TaskLimits, ids: Iterable[str]) -> None:
        self._dataset = dataset
        self._redactor = settings.redactor()
        self._rules = rules_in_use(settings)
        dataset.keep_rules(self._rules)
        self._judged_by = judged_by(settings, self._rules.digest)
        self._failed_by = hashlib.sha256(self._judged_by.encode() + msgspec.json.encode(limits)).hexdigest()[:12]
        self._superseded: dict[str, list[str]] = defaultdict(list)
        self._entries = dataset.entries()
        self._products: Mapping[str, Set[str]] | None = None
        self._changed_products: dict[str, Set[str]] = {}
        self._bits = bits_for(len({*self._entries, *ids}))
        self._unit_bits = min([self._bits, *(_bits_of(part) for part in dataset.parts())])
        self._of_unit: dict[str, set[str]] = defaultdict(set)
        for bundle_id in self._entries:
            self._of_unit[self.unit(bundle_id)].add(bundle_id)
        self._changed_units = {self.unit(one.bundle_id) for one in dataset.journal()}

    def unit(self, bundle_id: str) -> str:
        """What is published together: a part, or all parts that a former part is split into or joined from."""
        return part_name(bundle_id, self._unit_bits)

    def request(self, member: Member) -> Request:
        """The request for a member, with what is known of it if that can stay."""
        entry = self._entries.get(member.id)
        if entry is None or not self._can_stay(entry):
            return Request(member)
        return Request(member, entry.content_sha256)

    def is_told_unchanged(self, request: Request) -> bool:
        """Whether the storage of a bundle tells that its content is that of the report which can stay."""
        entry = self._entries.get(request.member.id)
        etag = request.member.etag
        return request.known_sha256 is not None and entry is not None and etag is not None and entry.etag == etag

    def _can_stay(self, entry: Entry) -> bool:
        if entry.report is not None:
            alike = entry.judged_by == self._judged_by or self._is_not_concerned(entry)
            return alike and (self._dataset.folder / entry.report).is_file()
        return entry.judged_by == self._failed_by and entry.failure_kind not in PASSING

    def _is_not_concerned(self, entry: Entry) -> bool:
        """Whether all that differs from when the bundle was judged are rules of products of which it has no log."""
        rules = rules_of(entry.judged_by)
        if rules not in self._changed_products:
            before = self._dataset.rules(rules)
            self._changed_products[rules] = {EVERY} if before is None else self._rules.changed_products(before)
        if not judged_alike(entry.judged_by, self._judged_by) or EVERY in self._changed_products[rules]:
            return False
        if self._products is None:
            self._products = self._dataset.products()
        own = self._products.get(entry.bundle_id)
        return own is not None and not own & self._changed_products[rules]

    def take(self, outcome: Outcome) -> None:
        """Keeps what became of a bundle."""
        before = self._entries.get(outcome.member.id)
        entry = self._entry(outcome, before)
        if entry == before:
            return
        unit = self.unit(entry.bundle_id)
        self._entries[entry.bundle_id] = entry
        self._of_unit[unit].add(entry.bundle_id)
        self._changed_units.add(unit)
        if before is not None and before.report is not None and before.report != entry.report:
            self._superseded[unit].append(before.report)
        self._dataset.keep(entry)

    def _entry(self, outcome: Outcome, before: Entry | None) -> Entry:
        member, found = outcome.member, outcome.found
        shown = found.shown or self._redactor.text(member.name)
        labels = tuple((name, self._redactor.text(value)) for name, value in member.labels)
        if found.status == "unchanged" and before is not None:
            stays = replace(before, bundle=shown, labels=labels, etag=member.etag)
            if before.report is None or before.judged_by == self._judged_by:
                return stays
            anew = self._dataset.write_report(member.id, self._counted_anew(before.report))
            return replace(stays, judged_by=self._judged_by, report=anew)
        report = None if outcome.report is None else self._dataset.write_report(member.id, outcome.report)
        return Entry(
            bundle_id=member.id,
            bundle=shown,
            labels=labels,
            content_sha256=found.content_sha256,
            etag=member.etag,
            judged_by=self._judged_by if report is not None else self._failed_by,
            status=found.status,
            failure_kind=found.failure_kind,
            failure=found.failure,
            report=report,
            recognised=found.recognised,
            unread=found.unread,
        )

    def _counted_anew(self, path: str) -> bytes:
        """A report that other rules leave as it is, with their number."""
        report = read_report(self._dataset.folder / path)
        return to_json(replace(report, catalogue=replace(report.catalogue, rules=len(self._rules.rules))))

    def publish(self, unit: str) -> None:
        """Writes the parts of a unit anew, if anything in it changed."""
        parts: dict[str, list[Entry]] = defaultdict(list)
        for bundle_id in self._of_unit[unit]:
            parts[part_name(bundle_id, self._bits)].append(self._entries[bundle_id])
        there = [part.name for part in self._dataset.parts() if self._is_of(part, unit)]
        if unit in self._changed_units or sorted(parts) != there:
            self._dataset.publish(parts, there, self._superseded.pop(unit, []))
            self._changed_units.discard(unit)

    def publish_rest(self) -> None:
        """The units in which this run had nothing to do but where an earlier one left something; then the journal is
        done with.
        """
        for unit in sorted(self._of_unit):
            self.publish(unit)
        self._dataset.forget_journal()
        self._dataset.forget_reports({entry.report for entry in self._entries.values()})
        self._dataset.forget_rules({rules_of(entry.judged_by) for entry in self._entries.values()})

    def _is_of(self, part: Path, unit: str) -> bool:
        bits, number = _bits_of(part), int(part.name.rpartition("-")[2])
        return part_name(f"{number << (64 - bits):016x}", self._unit_bits) == unit


def _bits_of(part: Path) -> int:
    return int(part.name.removeprefix("part=").partition("-")[0])


def _chunks(requests: Sequence[Request], settings: ScanSettings, limits: TaskLimits, jobs: int) -> Iterator[Chunk]:
    """Chunks in the order of the requests: of a small run no job gets all."""
    most = max(1, min(_MOST_OF_A_CHUNK, len(requests) // (jobs * 2)))
    taken: list[Request] = []
    size = 0
    for request in requests:
        taken.append(request)
        size += _size(request.member)
        if len(taken) >= most or size >= _BYTES_OF_A_CHUNK:
            yield Chunk(tuple(taken), settings, limits)
            taken, size = [], 0
    if taken:
        yield Chunk(tuple(taken), settings, limits)


def _size(member: Member) -> int:
    """Bytes of a file or of what a storage has; a folder is not walked for it, and counts as a small bundle."""
    if member.size is not None:
        return member.size
    try:
        return Path(member.path).stat().st_size if Path(member.path).is_file() else 1 << 20
    except OSError:
        return 0


def _outcomes(chunks: Iterator[Chunk], executor: Executor, most: int) -> Iterator[Outcome]:
    """The outcomes of all chunks as they come. Of a chunk whose worker was lost each bundle goes round again, alone."""
    again: deque[tuple[Chunk, int]] = deque()
    running: dict[Future[tuple[Outcome, ...]], tuple[Chunk, int]] = {}
    fresh = ((chunk, 1) for chunk in chunks)
    while True:
        for chunk, turn in itertools.islice(itertools.chain(_emptied(again), fresh), most - len(running)):
            running[executor.submit(run_chunk, chunk)] = (chunk, turn)
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            chunk, turn = running.pop(future)
            error = future.exception()
            if error is None:
                yield from future.result()
            elif turn >= TRIES:
                why = f"its worker was lost {turn} times: {type(error).__name__}: {error}"
                yield from (failed(request, "crash", why) for request in chunk.requests)
            else:
                again.extend((replace(chunk, requests=(request,)), turn + 1) for request in chunk.requests)


def _emptied(queue: deque[tuple[Chunk, int]]) -> Iterator[tuple[Chunk, int]]:
    while queue:
        yield queue.popleft()

"""The whole way of a scan, from inputs to a Report: the only module that knows every room."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import BinaryIO, TypeAlias

import polars as pl

from loganalyzer import __version__
from loganalyzer.attribute import attribute
from loganalyzer.catalogue import load_catalogue
from loganalyzer.facts import Derived, correlated, derive, load_tables
from loganalyzer.facts.clock_facts import zone_notes
from loganalyzer.facts.clock_years import with_years
from loganalyzer.facts.machines import other_machines
from loganalyzer.facts.rotation import part_of
from loganalyzer.grounds import Grounds
from loganalyzer.intake import Archive, Limits, LongLeaf, Skipped, walk_in_pieces
from loganalyzer.intake.layout import Layout, place, recognise_layout, relative
from loganalyzer.known_files import is_private, known_file
from loganalyzer.near_misses import near_misses
from loganalyzer.parser import ParseContext, Parsed, Selection
from loganalyzer.parser_agent import with_borrowed_agent_lines
from loganalyzer.plugins import GROUPS, check_switch, installed, watch
from loganalyzer.redact import Redactor, is_secret_file, redact_report
from loganalyzer.registry import Choice, Recognised, parsers, recognise
from loganalyzer.report.build import build_body
from loganalyzer.report.model import (
    Bundle,
    CatalogueInfo,
    Coverage,
    CoverageStatus,
    PluginEntry,
    Receipt,
    Report,
    RulesRun,
    Tool,
    UnableRule,
)
from loganalyzer.report.state import settings
from loganalyzer.rule_packs import rule_packs
from loganalyzer.schema import EventFrame, LogSource, PassedOver, conform
from loganalyzer.selection import LONG, selection_for
from loganalyzer.sigma.match import Matches, match
from loganalyzer.sigma.rule import Correlation, Loaded, Rule
from loganalyzer.signatures_in_use import rules_with
from loganalyzer.source import Source
from loganalyzer.transcript import Block, read_source
from loganalyzer.windows import Ticket, with_reported_errors

Progress = Callable[[str, str, int], None]
_Place: TypeAlias = tuple[str, str, tuple[bool, int, str], str]


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What a scan may be told.

    ``time_zone``: IANA name for stamps without a zone. ``redact`` off is explicit. ``choices`` of parsers for sources
    override recognition; of several that fit a source the last counts. ``rules``: texts of rule files of one's own, by
    path, which are judged beside the built-in ones. ``long_log``: of logs of more bytes a scan makes rows only of the
    entries that something asks for, where their parser can; None: of none. The report is the same.
    """

    limits: Limits = field(default_factory=Limits)
    time_zone: str | None = None
    ticket: Ticket = field(default_factory=Ticket)
    redact: bool = True
    choices: tuple[Choice, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    long_log: int | None = LONG


@dataclass(frozen=True, slots=True)
class Leaf:
    """One file of the bundle after parsing; its bytes are gone.

    ``torn``: they did not end with the end of a line. ``blocks``: what a transcript of several formats holds.
    """

    path: str
    size: int
    sha256: str
    recognised: Recognised | None
    parsed: Parsed | None
    torn: bool = False
    blocks: tuple[Block, ...] = ()

    @property
    def parsers(self) -> tuple[str, ...]:
        """The names of the parsers that read it, in the order of its lines."""
        found = [block.recognised for block in self.blocks] or [self.recognised]
        return tuple(dict.fromkeys(one.parser.name for one in found if one is not None))

    @property
    def torn_log(self) -> bool:
        """Whether it is a log of lines whose last line has no end."""
        frames = self.parsed.frames if self.parsed is not None else ()
        logs = [one for one in frames if one.logsource.category is None and one.logsource.product != "azure"]
        return self.torn and any("EventRecordID" not in one.rows.columns for one in logs)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that was read of a bundle: leaves, what was skipped, archives; and the event frames.

    ``idle``: choices of parsers that fit no source.
    """

    layout: Layout
    leaves: tuple[Leaf, ...]
    skipped: tuple[Skipped, ...]
    archives: tuple[Archive, ...]
    frames: tuple[EventFrame, ...]
    idle: tuple[Choice, ...] = ()

    def relative(self, leaf: Leaf) -> str:
        """The path of a leaf as the report names it."""
        return relative(leaf.path, self.layout.root)

    @property
    def recognised(self) -> int:
        """How many files a parser knows."""
        return sum(leaf.recognised is not None for leaf in self.leaves)

    @property
    def unread(self) -> tuple[str, ...]:
        """Each recognised source or archive that could not be read to its end, with the reason; not redacted."""
        root = self.layout.root
        told = [(leaf.path, leaf.parsed.damage[0]) for leaf in self.leaves if leaf.parsed and leaf.parsed.damage]
        told += [(archive.path, archive.damage) for archive in self.archives if archive.damage is not None]
        told += [(skipped.path, skipped.why) for skipped in self.skipped if not skipped.by_design]
        return tuple(sorted(f"{relative(path, root)}: {why}" for path, why in told))

    @property
    def damaged(self) -> frozenset[str]:
        """Relative paths of recognised sources that could not be read to their end."""
        return frozenset(
            relative(leaf.path, self.layout.root)
            for leaf in self.leaves
            if leaf.parsed is not None and leaf.parsed.damage
        )

    @property
    def torn(self) -> frozenset[str]:
        """Relative paths of logs that end in the middle of a line."""
        return frozenset(relative(leaf.path, self.layout.root) for leaf in self.leaves if leaf.torn_log)


@dataclass(frozen=True, slots=True)
class Scan:
    """The result: the report, and what the exit status needs to know.

    ``recognised``: files that a parser knows. ``unread``: what could not be read to its end and why, redacted as the
    report is; what was skipped by design is not among it. ``idle``: choices of parsers that fit no source.
    """

    report: Report
    recognised: int
    unread: tuple[str, ...]
    idle: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A bundle read and judged, before anything is redacted.

    ``frames``: events, derived rows and correlations, numbered as ``matches`` number them. ``signatures``: by id.
    ``grounds``: these, and all else that the verdicts rest on.
    """

    reading: Reading
    frames: tuple[EventFrame, ...]
    matches: Matches
    signatures: Mapping[str, Rule | Correlation]
    report: Report
    grounds: Grounds


def scan(
    inputs: Sequence[str | os.PathLike[str]],
    options: ScanOptions | None = None,
    *,
    stdin: BinaryIO | None = None,
    progress: Progress | None = None,
    redactor: Redactor | None = None,
) -> Scan:
    """Scans one bundle, given as one or more paths (``-``: ``stdin``).

    ``redactor`` hides secrets and remembers its tokens; without one, a new one does as ``options.redact`` says.

    Raises:
        LogAnalyzerError: an input does not exist, or the built-in rules or catalogue are broken.
    """
    options = options or ScanOptions()
    judged = _watched(inputs, options, stdin, progress, options.long_log)
    redactor = redactor or Redactor("tokens" if options.redact else "off")
    report = redacted(judged.report, redactor)
    reading = judged.reading
    return Scan(report, reading.recognised, tuple(redactor.texts(reading.unread)), reading.idle)


def judge(
    inputs: Sequence[str | os.PathLike[str]],
    options: ScanOptions,
    *,
    stdin: BinaryIO | None = None,
    progress: Progress | None = None,
) -> Judged:
    """A scan whose rows, those of all events, are kept beside the report; nothing of it is redacted.

    Raises:
        LogAnalyzerError: an input does not exist, or the built-in rules or catalogue are broken.
    """
    return _watched(inputs, options, stdin, progress, None)


def _watched(
    inputs: Sequence[str | os.PathLike[str]],
    options: ScanOptions,
    stdin: BinaryIO | None,
    progress: Progress | None,
    long_log: int | None,
) -> Judged:
    """A bundle judged, and what plug-ins did wrong meanwhile."""
    check_switch()
    with watch() as faults:
        judged = _judge(inputs, options, stdin, progress or (lambda phase, name, size: None), long_log)
        in_use = tuple(plugin for group in GROUPS for plugin in installed(group))
        entries = tuple(
            PluginEntry(one.group, one.name, one.distribution, one.version, faults.of(one)) for one in in_use
        )
    return replace(judged, report=replace(judged.report, plugins=entries))


def redacted(report: Report, redactor: Redactor) -> Report:
    """The report without secrets; a redactor of a plug-in that fails on it is named in it.

    Raises:
        TypeError: a field holds a kind of value that cannot be searched for strings.
    """
    with watch() as faults:
        report = redact_report(report, redactor)
        fresh = {(one.plugin.group, one.plugin.name, one.plugin.distribution): one.what for one in faults}
    plugins = tuple(
        one
        if one.fault is not None or (fault := fresh.get((one.group, one.name, one.distribution))) is None
        else replace(one, fault=redactor.text(fault))
        for one in report.plugins
    )
    return replace(report, plugins=plugins)


def _judge(
    inputs: Sequence[str | os.PathLike[str]],
    options: ScanOptions,
    stdin: BinaryIO | None,
    report_progress: Progress,
    long_log: int | None,
) -> Judged:
    rules = rules_with(options.rules, rule_packs())
    held = options.limits.max_member_memory
    selection = selection_for(rules.rules, load_tables(), held if long_log is None else min(held, long_log))
    reading = read(inputs, options, stdin, report_progress, selection)
    report_progress("matching", "", 0)
    catalogue = load_catalogue()
    derived = derive(reading.frames, load_tables(), reading.damaged, reading.torn)
    frames = [*(frame for frame in reading.frames if frame.logsource.category != "config"), *derived.frames]
    correlating = correlated(rules.correlations, frames, match(rules.rules, frames))
    frames, matches = [*frames, *correlating.frames], correlating.matches
    signatures: tuple[Rule | Correlation, ...] = (*rules.rules, *rules.correlations)
    ticket = with_reported_errors(derived, options.ticket)
    attribution = attribute(catalogue, derived, frames, matches, signatures, ticket)
    by_id = {one.id: one for one in signatures}
    grounds = Grounds(catalogue, derived, tuple(frames), matches, by_id, attribution)
    report = _report(inputs, reading, grounds, rules)
    return Judged(reading, tuple(frames), matches, by_id, report, grounds)


def read(
    inputs: Sequence[str | os.PathLike[str]],
    options: ScanOptions,
    stdin: BinaryIO | None,
    progress: Progress,
    selection: Selection | None = None,
) -> Reading:
    """Walks, recognises and parses, the same file once; one leaf's bytes are in memory at a time, or a part of them.

    ``selection``: what will be asked of long logs; None: rows are made of all events.
    """
    context = ParseContext(options.time_zone, selection)
    found = _Leaves(len(inputs) > 1)
    skipped: list[Skipped] = []
    archives: list[Archive] = []
    known = [path for parser in parsers() for path in parser.paths]
    long = None if selection is None else selection.longer_than
    for item in walk_in_pieces(inputs, long, options.limits, stdin, known):
        if isinstance(item, Source | LongLeaf):
            progress("reading", item.path, item.size or 0)
            skipped += found.add(item, context, options.choices)
        elif isinstance(item, Archive):
            archives.append(item)
        else:
            skipped.append(item)
    leaves, repeated = found.read(), found.repeated()
    paths = [*(leaf.path for leaf in leaves), *(path for path, _ in repeated)]
    layout = recognise_layout(paths, [*archives, *skipped], len(inputs) > 1)
    for path, kept in repeated:
        why = f"the same bytes as {relative(kept.path, layout.root)}, which is read"
        skipped.append(Skipped(path, kept.size, why, True))
    leaves.sort(key=lambda leaf: (relative(leaf.path, layout.root), leaf.sha256))
    leaves = _with_years(leaves, context)
    idle = tuple(one for one in options.choices if not any(one.fits(path) for path in paths))
    frames = with_borrowed_agent_lines(_frames(leaves, layout))
    return Reading(layout, tuple(leaves), tuple(skipped), tuple(archives), frames, idle)


class _Leaves:
    """The leaves of a bundle. Several collections of one VM hold the same files: of equal ones a single one is read."""

    def __init__(self, several: bool) -> None:
        self._several = several
        self._by_hash: dict[str, list[Leaf]] = defaultdict(list)
        self._repeated: list[tuple[str, str]] = []

    def add(self, item: Source | LongLeaf, context: ParseContext, choices: Sequence[Choice]) -> list[Skipped]:
        """Parses it, unless the same bytes were read from the same place of the disk; what of it had to be left out.

        The one with the longest path on its disk stays, of these the first by name, in whatever order they come.
        """
        if isinstance(item, LongLeaf):
            leaf = _long_leaf(item, context, choices)
            if item.stopped is not None:
                return [item.stopped]
            if leaf is not None:
                self._keep(leaf.path, leaf.size, leaf.sha256, lambda: leaf)
                return []
            whole = item.whole()
            if isinstance(whole, Skipped):
                return [whole]
            item = whole
        source = item
        self._keep(source.path, source.size, source.sha256, lambda: _leaf(source, context, choices))
        return []

    def _keep(self, path: str, size: int, sha256: str, leaf: Callable[[], Leaf]) -> None:
        equal = self._by_hash[sha256]
        kept = self._same(path, sha256) if size else None
        if kept is not None and self._order(kept.path) <= self._order(path):
            self._repeated.append((path, sha256))
            return
        if kept is not None:
            equal.remove(kept)
            self._repeated.append((kept.path, sha256))
        equal.append(leaf())

    def read(self) -> list[Leaf]:
        """The leaves that were read."""
        return [leaf for equal in self._by_hash.values() for leaf in equal]

    def repeated(self) -> list[tuple[str, Leaf]]:
        """The paths of the others, each with the leaf that stands for it."""
        pairs = ((path, self._same(path, sha256)) for path, sha256 in self._repeated)
        return [(path, kept) for path, kept in pairs if kept is not None]

    def _same(self, path: str, sha256: str) -> Leaf | None:
        own = place(path, self._several)
        for leaf in self._by_hash[sha256]:
            longer, shorter = sorted((own, place(leaf.path, self._several)), key=len, reverse=True)
            if longer == shorter or longer.endswith(f"/{shorter}"):
                return leaf
        return None

    def _order(self, path: str) -> tuple[int, str]:
        return (-place(path, self._several).count("/"), path)


def _leaf(source: Source, context: ParseContext, choices: Sequence[Choice]) -> Leaf:
    found = read_source(source, context, choices)
    parsed = None if found.parsed is None else _with_damage(found.parsed, source.damage)
    return Leaf(source.path, source.size, source.sha256, found.recognised, parsed, source.ends_torn, found.blocks)


def _long_leaf(long: LongLeaf, context: ParseContext, choices: Sequence[Choice]) -> Leaf | None:
    """A leaf that was read in pieces; None: it must be read whole."""
    source = long.source
    recognised = recognise(Source(source.path, source.head), choices)
    parse_long = None if recognised is None else getattr(recognised.parser, "parse_long", None)
    parsed: Parsed | None = None if parse_long is None else parse_long(source, context)
    if parsed is None:
        return None
    parsed = _with_damage(parsed, long.damage)
    return Leaf(source.path, source.size, source.sha256, recognised, parsed, source.ends_torn)


def _with_damage(parsed: Parsed, damage: str | None) -> Parsed:
    return parsed if damage is None else replace(parsed, damage=(*parsed.damage, damage))


def _with_years(leaves: Sequence[Leaf], context: ParseContext) -> list[Leaf]:
    """The leaves, with times for stamps whose year only the other leaves tell."""
    parsed = [(leaf.path, leaf.parsed.frames if leaf.parsed is not None else ()) for leaf in leaves]
    placed = with_years(parsed, context.time_zone)
    return [
        leaf if leaf.parsed is None else replace(leaf, parsed=replace(leaf.parsed, frames=frames))
        for leaf, frames in zip(leaves, placed, strict=True)
    ]


def _frames(leaves: Iterable[Leaf], layout: Layout) -> tuple[EventFrame, ...]:
    """One frame a log source, rows by log and place; each row knows its path, and rotated logs are in order of time."""
    parts: dict[LogSource, list[tuple[_Place, pl.DataFrame]]] = defaultdict(list)
    passed: dict[LogSource, list[PassedOver]] = defaultdict(list)
    for leaf in leaves:
        path = relative(leaf.path, layout.root)
        for frame in leaf.parsed.frames if leaf.parsed is not None else ():
            passed[frame.logsource] += [replace(one, path=path) for one in frame.passed]
            if frame.rows.height:
                rows = conform(frame.rows, log_file_path=path)
                parts[frame.logsource].append((_order(path, rows), rows))
    return tuple(
        EventFrame(
            logsource,
            pl.concat((rows for _, rows in sorted(parts[logsource], key=itemgetter(0))), how="diagonal_relaxed"),
            passed=tuple(passed[logsource]),
        )
        for logsource in sorted(parts, key=str)
    )


def _order(path: str, rows: pl.DataFrame) -> _Place:
    """A log by its name, its parts by the first time inside, and where there is none by their age."""
    part = part_of(path)
    first = rows["@timestamp"].min()
    return (part.log, str(first or ""), part.age, path)


def example_frames(parser_name: str, path: str | None, raw: bytes) -> Sequence[EventFrame]:
    """Reads the ``raw`` text of a signature's example with the parser that it names.

    Raises:
        KeyError: there is no parser of this name.
    """
    by_name = {parser.name: parser for parser in parsers()}
    parser = by_name[parser_name]
    where = path or parser.samples[0].path
    frames = parser.parse(Source(where, raw), ParseContext()).frames
    events = [EventFrame(frame.logsource, conform(frame.rows, log_file_path=where)) for frame in frames]
    return [*events, *derive(events, load_tables()).frames]


def _report(inputs: Sequence[str | os.PathLike[str]], reading: Reading, grounds: Grounds, rules: Loaded) -> Report:
    catalogue, derived, matches = grounds.catalogue, grounds.derived, grounds.matches
    frames, attribution = grounds.frames, grounds.attribution
    signatures = tuple(grounds.signatures.values())
    body = build_body(catalogue, derived, frames, matches, attribution, signatures, reading.layout.name)
    coverage = (*_leaf_coverage(reading, derived), *_other_coverage(reading))
    unable = [UnableRule(one.rule_id, one.why) for one in matches.unable]
    unable += [UnableRule(str(fault.where), fault.what) for fault in rules.faults]
    return Report(
        schema="loganalyzer/report/1",
        tool=Tool(__version__),
        catalogue=CatalogueInfo(
            str(catalogue.version), len(rules.rules) + len(rules.correlations), len(catalogue.causes)
        ),
        bundle=_bundle(inputs, reading, derived),
        verdict=attribution.verdict,
        diagnoses=body.diagnoses,
        errors=body.errors,
        attempts=body.attempts,
        undecided=body.undecided,
        ruled_out=body.ruled_out,
        clear=body.clear,
        next_evidence=body.next_evidence,
        receipt=_receipt(reading, grounds, body.not_guest_visible),
        unattributed=body.unattributed,
        coverage=coverage,
        rules=RulesRun(len(matches.ran), tuple(unable)),
        settings=settings((*reading.frames, *derived.frames)),
    )


def _bundle(inputs: Sequence[str | os.PathLike[str]], reading: Reading, derived: Derived) -> Bundle:
    hosts = {host for frame in reading.frames for host in frame.rows["host.name"].drop_nulls().unique().to_list()}
    return Bundle(
        path=" ".join(str(one) for one in inputs),
        layout=reading.layout.name,
        platform=derived.platform,
        hosts=tuple(sorted(hosts)),
        sha256=bundle_digest(reading.leaves),
        first=derived.first,
        last=derived.last,
    )


def bundle_digest(leaves: Iterable[Leaf]) -> str:
    """The hash of a bundle: over the sorted sizes and hashes of its files, so that their packing does not matter."""
    found = hashlib.sha256()
    for size, sha256 in sorted((leaf.size, leaf.sha256) for leaf in leaves):
        found.update(f"{size} {sha256}\n".encode())
    return found.hexdigest()


def _leaf_coverage(reading: Reading, derived: Derived) -> list[Coverage]:
    spans = defaultdict(list)
    for span in derived.spans:
        spans[span.path].append(span)
    zones, machines = zone_notes(derived.frames), other_machines(reading.frames)
    rows = []
    for leaf in reading.leaves:
        path = relative(leaf.path, reading.layout.root)
        if leaf.recognised is None or leaf.parsed is None:
            if (known := known_file(leaf.path)) is not None:
                row = _unread_row(path, leaf.size, "skipped", known.why)
                rows.append(replace(row, notes=(known.what,), sha256=_digest(leaf)))
                continue
            why = "no parser knows a file of this name and content"
            rows.append(replace(_unread_row(path, leaf.size, "unrecognised", why), sha256=_digest(leaf)))
            continue
        parsed, own = leaf.parsed, spans[path]
        times = [time for span in own for time in (span.first, span.last) if time is not None]
        rows.append(
            Coverage(
                source=path,
                logsource=", ".join(sorted({str(span.logsource) for span in own}))
                or str(leaf.recognised.parser.logsource),
                parser=", ".join(leaf.parsers),
                why="a transcript of several formats" if leaf.blocks else leaf.recognised.claim.why,
                bytes=leaf.size,
                parsed_bytes=parsed.parsed_bytes,
                rejected_bytes=parsed.rejected_bytes,
                skipped_bytes=parsed.skipped_bytes,
                lines=parsed.lines,
                events=sum(frame.height for frame in parsed.frames),
                rejected=parsed.rejected.height,
                first=min(times, default=None),
                last=max(times, default=None),
                gaps=tuple((_iso(a), _iso(b)) for span in own for a, b in span.gaps),
                status="partial" if parsed.damage else "read",
                notes=(
                    *parsed.damage,
                    *parsed.cut,
                    *parsed.notes,
                    *_reasons(parsed),
                    *zones.get(path, ()),
                    *machines.get(path, ()),
                ),
                sha256=_digest(leaf),
            )
        )
    return rows


def _digest(leaf: Leaf) -> str | None:
    """The hash of a leaf, but none from which a secret that is nearly all of the leaf could be guessed."""
    return None if is_private(leaf.path) or is_secret_file(leaf.path) else leaf.sha256


def _iso(time: object) -> str:
    return str(time).replace(" ", "T").replace("+00:00", "Z")


def _reasons(parsed: Parsed) -> tuple[str, ...]:
    """Why lines were rejected, each reason once with its count."""
    if parsed.rejected.is_empty():
        return ()
    counted = parsed.rejected.group_by("error.message", maintain_order=True).len()
    return tuple(f"{count} rejected: {why}" for why, count in counted.iter_rows())


def _other_coverage(reading: Reading) -> list[Coverage]:
    root = reading.layout.root
    rows = [_unread_row(relative(one.path, root), one.size, "skipped", one.why) for one in reading.skipped]
    for archive in reading.archives:
        why = f"{archive.kind} of {archive.members} members"
        rows.append(_unread_row(relative(archive.path, root), 0, "archive", why, archive.damage))
    return sorted(rows, key=lambda row: (row.source, row.status))


def _unread_row(path: str, size: int, status: CoverageStatus, why: str, damage: str | None = None) -> Coverage:
    return Coverage(
        source=path,
        logsource=None,
        parser=None,
        why=why,
        bytes=size,
        parsed_bytes=0,
        rejected_bytes=0,
        skipped_bytes=size,
        lines=0,
        events=0,
        rejected=0,
        first=None,
        last=None,
        gaps=(),
        status=status,
        notes=(damage,) if damage is not None else (),
    )


def _receipt(reading: Reading, grounds: Grounds, not_guest_visible: int) -> Receipt:
    parsed = [leaf.parsed for leaf in reading.leaves if leaf.parsed is not None]
    size = sum(leaf.size for leaf in reading.leaves)
    parsed_bytes = sum(one.parsed_bytes for one in parsed)
    rejected_bytes = sum(one.rejected_bytes for one in parsed)
    return Receipt(
        files=len(reading.leaves),
        bytes=size,
        parsed_bytes=parsed_bytes,
        rejected_bytes=rejected_bytes,
        skipped_bytes=size - parsed_bytes - rejected_bytes,
        events=sum(frame.height for frame in reading.frames),
        rules_ran=len(grounds.matches.ran),
        first=grounds.derived.first,
        last=grounds.derived.last,
        not_guest_visible=not_guest_visible,
        statement=grounds.attribution.why,
        near_misses=near_misses(grounds),
    )

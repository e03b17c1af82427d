"""The report for a person at a terminal: the verdict first, then what proves it and what to do.

Text of logs only ever enters as ``Text`` (never as markup) and through ``plain``, so that it cannot drive the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from loganalyzer.report.model import (
    AttemptEntry,
    Citation,
    Coverage,
    Diagnosis,
    ErrorEntry,
    Evidence,
    NearMiss,
    NextEvidence,
    Report,
    Undecided,
)
from loganalyzer.report.plain_text import cut_end, one_line, plain

_EVIDENCE_SHOWN: Final = 3
_ATTEMPTS_SHOWN: Final = 5
#: With all details: a hostile log shows thousands, and a table of them takes minutes to lay out.
_ATTEMPTS_LAID_OUT: Final = 500
_CODES_SHOWN: Final = 4
_CAUSES_SHOWN: Final = 6
_DOCS_SHOWN: Final = 2
#: How much to collect: all of it matters only while nothing is known.
_NEXT_SHOWN: Final = {"cannot-tell": 3, "cause-found": 1, "no-fault-found": 0}

_VERDICTS: Final = {
    "cause-found": ("CAUSE FOUND", "bold white on red"),
    "no-fault-found": ("NO FAULT FOUND", "bold white on green"),
    "cannot-tell": ("CANNOT TELL", "bold black on yellow"),
}
_STRENGTHS: Final = {"confirmed": "bold red", "likely": "bold yellow", "possible": "bold cyan"}
_NEAR: Final = {"history": "history", "refuted": "answered", "almost": "all but one condition"}
_STATUSES: Final = {"read": "green", "partial": "yellow", "skipped": "dim", "unrecognised": "dim", "archive": "dim"}


def render_terminal(report: Report, console: Console, details: bool = False, quiet: bool = False) -> None:
    """Prints the report on the console. ``details`` shows all evidence and sources, ``quiet`` the verdict alone.

    No line is wider than the console. Times are in UTC.
    """
    page = _Page(console)
    _verdict(page, report)
    if quiet:
        return
    _bundle(page, report)
    for diagnosis in report.diagnoses:
        _diagnosis(page, diagnosis, details)
    _cannot_tell(page, report, details)
    _errors(page, report.errors)
    _attempts(page, report.attempts, details)
    _unattributed(page, report, details)
    if details:
        _ruled_out(page, report)
    _coverage(page, report.coverage, details)
    _receipt(page, report)


class _Page:
    """The few shapes that the report is made of, printed as they come."""

    def __init__(self, console: Console) -> None:
        self.console: Final = console
        self.width: Final = console.width

    def text(self, text: Text | str, indent: int = 0, style: str = "") -> None:
        """A paragraph, wrapped at words and, where a word is too long, inside it."""
        body = text if isinstance(text, Text) else Text(plain(text), style)
        self._lines(body, Text(" " * min(indent, self.width // 3)))

    def item(self, mark: str, text: str, indent: int, style: str = "") -> None:
        """A paragraph that hangs behind a mark."""
        lead = Text(" " * min(indent, self.width // 3))
        lead.append(cut_end(plain(mark), self.width // 2) + " ", "dim")
        self._lines(Text(plain(text), style), lead)

    def _lines(self, body: Text, lead: Text) -> None:
        left = lead.cell_len
        for number, line in enumerate(body.wrap(self.console, max(self.width - left, 1), overflow="fold")):
            line.rstrip()
            self.console.print((lead if number == 0 else Text(" " * left)) + line, highlight=False, soft_wrap=True)

    def heading(self, title: str) -> None:
        """The title of a block, after an empty line."""
        self.console.print()
        self.text(Text(title, "bold underline"))

    def table(self, table: Table) -> None:
        """A table, two blanks in."""
        self.console.print(Padding(table, (0, 0, 0, 2), expand=False), highlight=False)


def _verdict(page: _Page, report: Report) -> None:
    word, style = _VERDICTS[report.verdict]
    line = Text()
    line.append(f" {word} ", style)
    line.append(f"  {_headline(report)}", "bold")
    page.text(line)


def _headline(report: Report) -> str:
    if report.diagnoses and report.verdict != "no-fault-found":
        first, more = report.diagnoses[0], len(report.diagnoses) - 1
        further = f"; {more} more below" if more else ""
        return f"{plain(first.title)} ({first.verdict}){further}"
    if report.verdict == "cannot-tell" and report.next_evidence:
        return f"next, collect {plain(report.next_evidence[0].what)}"
    if report.verdict == "cannot-tell":
        return "these files neither prove nor exclude a cause"
    return one_line(report.receipt.statement) or "nothing in these files explains a failed backup"


def _bundle(page: _Page, report: Report) -> None:
    bundle = report.bundle
    parts = [bundle.layout, bundle.platform, ", ".join(bundle.hosts[:3]) + (" …" if len(bundle.hosts) > 3 else "")]
    page.text(Text(plain(" · ".join([bundle.path, *(part for part in parts if part)])), "dim"), indent=1)
    if bundle.first is not None and bundle.last is not None:
        page.text(Text(_span(bundle.first, bundle.last), "dim"), indent=1)


def _diagnosis(page: _Page, diagnosis: Diagnosis, details: bool) -> None:
    page.console.print()
    title = Text(f"{diagnosis.rank}  ")
    title.append(plain(diagnosis.title), "bold")
    title.append("  ")
    title.append(diagnosis.verdict, _STRENGTHS[diagnosis.verdict])
    page.text(title)
    page.text(Text(" · ".join(_about(diagnosis)), "dim"), indent=3)
    page.text(diagnosis.summary.strip(), indent=3)
    _evidence(page, diagnosis.evidence, details)
    if len(diagnosis.chain) > 1:
        page.item("leads to", " → ".join(diagnosis.chain[1:]), indent=3)
    if diagnosis.consequences:
        page.item("also explains", ", ".join(diagnosis.consequences), indent=3)
    for number, remedy in enumerate(diagnosis.remedies, start=1):
        page.item("repair" if number == 1 else "      ", f"{number}. {remedy}", indent=3)
    for doc in diagnosis.docs if details else diagnosis.docs[:_DOCS_SHOWN]:
        page.text(Text(plain(doc.url), "underline"), indent=3)
    for rival in diagnosis.rivals:
        page.item("not", f"{rival.cause}: {one_line(rival.why_not)}", indent=3)
    if details and diagnosis.how:
        page.item("how", diagnosis.how, indent=3)


def _about(diagnosis: Diagnosis) -> list[str]:
    """Id, count, times and codes of a diagnosis: each said only if it is known."""
    about = [diagnosis.cause]
    if diagnosis.count:
        about.append(f"seen {diagnosis.count}×")
    if diagnosis.first_seen is not None:
        about.append(_span(diagnosis.first_seen, diagnosis.last_seen or diagnosis.first_seen))
    codes = diagnosis.error_codes
    if codes:
        about.append(", ".join(codes[:_CODES_SHOWN]) + (f" +{len(codes) - _CODES_SHOWN}" * (len(codes) > _CODES_SHOWN)))
    return about


def _evidence(page: _Page, evidence: Sequence[Evidence], details: bool) -> None:
    shown = evidence if details else _first_of_each_rule(evidence)
    for number, one in enumerate(shown):
        if number == 0 or one.rule != shown[number - 1].rule:
            page.text(Text(plain(one.rule_title), "italic"), indent=3)
        head = Text(f"{'✗' if one.role == 'refutes' else '●'} ", "dim")
        head.append(plain(_place(one)), "cyan")
        if one.timestamp is not None:
            head.append(f"  {_time(one.timestamp)}" + (" (zone assumed)" if one.time_assumed else ""), "dim")
        page.text(head, indent=3)
        told = one.kind == "record" or len(one.derived_from) > 1
        _quote(page, one.message if told and not details else one.original, details)
        for cited in (*one.bounds, *one.derived_from) if details else ():
            page.text(Text(f"from {plain(_place(cited))}", "dim"), indent=7)
            _quote(page, cited.original, details, indent=7)
    if len(shown) < len(evidence):
        page.text(Text(f"+{len(evidence) - len(shown)} more (--details)", "dim"), indent=3)


def _first_of_each_rule(evidence: Sequence[Evidence]) -> list[Evidence]:
    """A few entries that show each rule once before they show one twice, in the order of the report."""
    firsts = list({one.rule: one for one in reversed(evidence)}.values())
    rest = [one for one in evidence if not any(one is first for first in firsts)]
    ranks = {id(one): rank for rank, one in enumerate(evidence)}
    chosen = [*sorted(firsts, key=lambda one: ranks[id(one)]), *rest][:_EVIDENCE_SHOWN]
    return sorted(chosen, key=lambda one: ranks[id(one)])


def _quote(page: _Page, original: str, details: bool, indent: int = 5) -> None:
    """The text of an entry: cut to two rows, or in full."""
    room = page.width - min(indent, page.width // 3)
    text = original if details else cut_end(one_line(original), 2 * room - 8 if page.width < 120 else room)
    if text:
        page.text(text, indent)


def _place(cited: Evidence | Citation) -> str:
    if cited.record_id is not None:
        return f"{cited.source} record {cited.record_id}"
    return cited.source if cited.line is None else f"{cited.source}:{cited.line}"


def _cannot_tell(page: _Page, report: Report, details: bool) -> None:
    if not report.undecided and not report.next_evidence:
        return
    page.heading("Not decided")
    if report.undecided:
        page.text(_undecided_line(report.undecided, details), indent=2)
    if report.receipt.not_guest_visible:
        page.text(f"{report.receipt.not_guest_visible} causes leave no trace in the guest.", indent=2, style="dim")
    most = len(report.next_evidence) if details else _NEXT_SHOWN[report.verdict]
    for number, one in enumerate(report.next_evidence[:most], start=1):
        _next_evidence(page, number, one)
    if details:
        for undecided in report.undecided:
            page.item(undecided.cause, one_line(undecided.why), indent=2)


def _undecided_line(undecided: Sequence[Undecided], details: bool) -> str:
    names = [one.cause for one in undecided]
    return f"{len(names)} undecided: {_some(names, len(names) if details else _CAUSES_SHOWN)}"


def _next_evidence(page: _Page, number: int, one: NextEvidence) -> None:
    page.item(f"{number}.", f"collect {one.what or one.artefact}: {one_line(one.why_missing)}", indent=2)
    if one.command:
        page.text(Text(plain(one.command), "green"), indent=5)
    if one.separates:
        page.text(Text(f"decides {_some(one.separates, _CODES_SHOWN)}", "dim"), indent=5)


def _some(names: Sequence[str], most: int) -> str:
    return plain(", ".join(names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _errors(page: _Page, errors: Sequence[ErrorEntry]) -> None:
    if not errors:
        return
    page.heading("Errors of the ticket")
    for error in errors:
        page.text(Text.assemble((plain(error.code), "bold"), "  ", one_line(error.message)), indent=2)
        explained = ", ".join(error.explained_by) or "nothing found that explains it"
        page.item("explained by", explained, indent=4)
        if error.doc:
            page.text(Text(plain(error.doc), "underline"), indent=4)


def _attempts(page: _Page, attempts: Sequence[AttemptEntry], details: bool) -> None:
    if not attempts:
        return
    page.heading("Backup attempts")
    table = Table(Column("start", no_wrap=True), "took", "phase", "outcome", "codes", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow, column.header_style = "fold", "dim"
    shown = attempts[-(_ATTEMPTS_LAID_OUT if details else _ATTEMPTS_SHOWN) :]
    for one in shown:
        took = _duration(one.start, one.end) if one.start and one.end else "?"
        start = _time(one.start) if one.start else "?"
        row = (start, took, one.phase, one.outcome, ", ".join(one.codes))
        table.add_row(*(Text(one_line(cell)) for cell in row))
    page.table(table)
    if len(shown) < len(attempts):
        where = "-f json" if details else "--details"
        page.text(Text(f"+{len(attempts) - len(shown)} earlier ({where})", "dim"), indent=2)


def _unattributed(page: _Page, report: Report, details: bool) -> None:
    if not report.unattributed:
        return
    page.heading("Errors that no signature explains")
    for one in report.unattributed if details else report.unattributed[:3]:
        known = {True: "new: ", False: "known from the good time: ", None: ""}[one.new]
        text = known + (one.example if details else cut_end(one_line(one.template), page.width - 10 - len(known)))
        page.item(f"{one.count}×", text, indent=2)


def _ruled_out(page: _Page, report: Report) -> None:
    if report.ruled_out:
        page.heading("Ruled out")
    for one in report.ruled_out:
        page.item(one.cause, one_line(one.why), indent=2)
        _evidence(page, one.evidence, details=True)
    if report.clear:
        page.heading("Clear: read, and nothing found")
        page.text(", ".join(report.clear), indent=2)


def _coverage(page: _Page, coverage: Sequence[Coverage], details: bool) -> None:
    if not coverage:
        return
    page.heading("Sources")
    if details:
        _every_source(page, coverage)
        return
    _log_sources(page, [one for one in coverage if one.status in ("read", "partial")])
    for one in coverage:
        if one.status == "partial" or (one.status == "archive" and one.notes):
            why = "; ".join(one_line(note) for note in one.notes[:2]) or one_line(one.why)
            page.item(one.status, f"{one_line(one.source)}: {why}", indent=2, style=_STATUSES[one.status])
    _skipped(page, [one for one in coverage if one.status == "skipped"])
    unknown = [one.source for one in coverage if one.status == "unrecognised"]
    if unknown:
        named = _some([one_line(_last(source)) for source in unknown], _CAUSES_SHOWN)
        page.text(Text(f"{len(unknown)} not recognised: {named} (--details)", "dim"), indent=2)


def _skipped(page: _Page, skipped: Sequence[Coverage]) -> None:
    """One line a reason: the file that was skipped for it, or some of the files."""
    for why in dict.fromkeys(one.why for one in skipped):
        own = [one_line(one.source) for one in skipped if one.why == why]
        named = own[0] if len(own) == 1 else f"{len(own)} files ({_some([_last(path) for path in own], _CAUSES_SHOWN)})"
        page.item("skipped", f"{named}: {one_line(why)}", indent=2, style=_STATUSES["skipped"])


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _table(*columns: Column) -> Table:
    for column in columns:
        column.header_style = "dim"
    return Table(*columns, box=None, pad_edge=False)


def _log_sources(page: _Page, read: Sequence[Coverage]) -> None:
    """One row a log source: how many files and events, and the time that they show."""
    table = _table(
        Column("log source"),
        Column("files", justify="right", no_wrap=True),
        Column("events", justify="right", no_wrap=True),
        Column("time shown", no_wrap=True),
    )
    for logsource in sorted({one.logsource or "" for one in read}):
        own = [one for one in read if (one.logsource or "") == logsource]
        firsts = [one.first for one in own if one.first is not None]
        lasts = [one.last for one in own if one.last is not None]
        span = _rough_span(min(firsts), max(lasts)) if firsts and lasts else ""
        events = str(sum(one.events for one in own))
        table.add_row(Text(plain(logsource), overflow="fold"), str(len(own)), events, Text(span, "dim"))
    if read:
        page.table(table)


def _every_source(page: _Page, coverage: Sequence[Coverage]) -> None:
    table = _table(
        Column("source"),
        Column("status", no_wrap=True),
        Column("events", justify="right", no_wrap=True),
        Column("what was read, or why not"),
    )
    for one in coverage:
        table.add_row(
            Text(plain(one.source), overflow="fold"),
            Text(one.status, _STATUSES[one.status]),
            str(one.events) if one.events else "",
            Text("\n".join(_about_source(one, details=True)), "dim", overflow="fold"),
        )
    page.table(table)


def _about_source(one: Coverage, details: bool) -> list[str]:
    about = []
    if one.first is not None and one.last is not None:
        about.append(_span(one.first, one.last) if details else _rough_span(one.first, one.last))
    if details or one.status in ("skipped", "unrecognised", "partial"):
        about.append(one_line(one.why))
    if one.rejected:
        about.append(f"{one.rejected} rejected ({_size(one.rejected_bytes)})")
    about += [one_line(note) for note in (one.notes if details else one.notes[:1])]
    if details:
        about += [f"silent {plain(start)} → {plain(end)}" for start, end in one.gaps]
    return [line for line in about if line]


def _receipt(page: _Page, report: Report) -> None:
    receipt = report.receipt
    page.console.print()
    page.text(
        Text(
            f"{receipt.files} files, {_size(receipt.bytes)}: {_size(receipt.parsed_bytes)} parsed, "
            f"{_size(receipt.rejected_bytes)} rejected, {_size(receipt.skipped_bytes)} skipped; "
            f"{receipt.events} events, {receipt.rules_ran} rules"
            + (f" ({len(report.rules.unable)} more could not run)" if report.rules.unable else "")
            + f". loganalyzer {report.tool.version}",
            "dim",
        )
    )
    if receipt.statement and report.verdict != "no-fault-found":
        page.text(Text(one_line(receipt.statement), "dim"))
    if receipt.near_misses:
        page.text(Text(f"Nearest: {'; '.join(map(_near_miss, receipt.near_misses))}.", "dim"))


def _near_miss(one: NearMiss) -> str:
    """In a few words: ``why-not`` tells the rest."""
    place = _place(one.line)
    return one_line(f"{one.title} ({one.cause}, {_NEAR[one.kind]}, {place})")


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _span(first: datetime, last: datetime) -> str:
    """Two times; the second without its day if that is the same."""
    if _time(first) == _time(last):
        return _time(first)
    same_day = first.astimezone(UTC).date() == last.astimezone(UTC).date()
    return f"{_time(first)} → {_time(last)[11:] if same_day else _time(last)}"


def _rough_span(first: datetime, last: datetime) -> str:
    """Two times to the minute; the second without its year if that is the same."""
    start, end = (f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in (first, last))
    return start if start == end else f"{start} → {end[5:] if start[:4] == end[:4] else end}"


def _duration(start: datetime, end: datetime) -> str:
    seconds = int((end - start).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _size(size: int) -> str:
    """Bytes for people, in powers of 1024."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"

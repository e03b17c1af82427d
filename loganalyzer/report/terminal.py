"""The report for a person at a terminal: the verdict first, then what proves it and what to do.

Text of logs only ever enters as ``Text`` (never as markup) and through ``plain``, so that it cannot drive the terminal.
It stands behind a bar; what this program says does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from loganalyzer.report.model import (
    AttemptEntry,
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
from loganalyzer.report.wording import (
    duration,
    first_of_each_rule,
    headline,
    place,
    rough_span,
    size_text,
    span,
    time_text,
)

_EVIDENCE_SHOWN: Final = 3
_ATTEMPTS_SHOWN: Final = 5
#: With all details: a hostile log shows thousands, and a table of them takes minutes to lay out.
_ATTEMPTS_LAID_OUT: Final = 500
_CODES_SHOWN: Final = 4
_CAUSES_SHOWN: Final = 6
_DOCS_SHOWN: Final = 1
#: How much to collect: all of it matters only while nothing is known.
_NEXT_SHOWN: Final = {"cannot-tell": 3, "cause-found": 1, "no-fault-found": 0}
#: Sentences are not set wider than this; entries of logs, paths and tables are.
_MEASURE: Final = 100
#: Cells of the words in front of a diagnosis' facts.
_LABELS: Final = 9

_VERDICTS: Final = {
    "cause-found": ("CAUSE FOUND", "bold white on red"),
    "no-fault-found": ("NO FAULT FOUND", "bold white on green"),
    "cannot-tell": ("CANNOT TELL", "bold black on yellow"),
}
_STRENGTHS: Final = {"confirmed": "bold red", "likely": "bold yellow", "possible": "bold cyan"}
_NEAR: Final = {"history": "history", "refuted": "answered", "almost": "all but one condition"}
_STATUSES: Final = {"read": "green", "partial": "yellow", "skipped": "dim", "unrecognised": "dim", "archive": "dim"}
_OUTCOMES: Final = {"success": "green", "failure": "red", "unfinished": "yellow"}


def render_terminal(
    report: Report, console: Console, details: bool = False, quiet: bool = False, verbose: bool = False
) -> None:
    """Prints the report on the console.

    ``details`` shows all evidence and sources, ``verbose`` how each verdict came about, ``quiet`` the verdict alone. No
    line is wider than the console but addresses and commands, which can be copied whole. Times are in UTC.
    """
    page = _Page(console)
    _verdict(page, report)
    if quiet:
        return
    why = verbose or details
    _bundle(page, report)
    if report.verdict == "cannot-tell":
        _not_decided(page, report, details, why)
    for diagnosis in report.diagnoses:
        _diagnosis(page, diagnosis, details, why)
    _errors(page, report.errors)
    _attempts(page, report.attempts, details)
    if report.verdict != "cannot-tell":
        _not_decided(page, report, details, why)
    _unattributed(page, report, details)
    if why:
        _ruled_out(page, report, details)
    _coverage(page, report.coverage, details)
    _receipt(page, report, why)


class _Page:
    """The few shapes that the report is made of, printed as they come."""

    def __init__(self, console: Console) -> None:
        self.console: Final = console
        self.width: Final = console.width

    def text(self, text: Text | str, indent: int = 0, style: str = "") -> None:
        """A paragraph, wrapped at words and, where a word is too long, inside it."""
        self._lines(text, Text(self._blanks(indent)), style, min(self.width, indent + _MEASURE))

    def item(self, mark: str, text: Text | str, indent: int, style: str = "", fill: int = 0) -> None:
        """A paragraph that hangs behind a mark, which is filled up to ``fill`` cells."""
        lead = Text(self._blanks(indent))
        lead.append(cut_end(plain(mark), self.width // 2).ljust(min(fill, self.width // 4)) + " ", "dim")
        self._lines(text, lead, style, min(self.width, lead.cell_len + _MEASURE))

    def under(self, badge: Text, text: Text) -> None:
        """A paragraph beside a badge, as wide as there is room."""
        self._lines(text, badge + Text("  "), "", self.width)

    def fact(self, label: str, text: Text | str, style: str = "") -> None:
        """What is known of a diagnosis, behind its label."""
        self.item(label, text, 4, style, _LABELS)

    def quote(self, text: str, indent: int) -> None:
        """Text of a log, behind a bar."""
        bar = Text(self._blanks(indent)).append("│ ", "dim")
        self._print(bar, bar, self._broken(plain(text), self.width - bar.cell_len))

    def path(self, text: Text, indent: int) -> None:
        """A line that ends in a path: it breaks between folders."""
        blanks = self._blanks(indent)
        self._print(Text(blanks), Text(f"{blanks}  "), self._broken(text, self.width - len(blanks) - 2))

    def whole(self, text: str, indent: int, style: str) -> None:
        """An address or a command of ours, never broken: a terminal wraps it, and it can be copied."""
        line = Text(self._blanks(indent)).append(one_line(text), style)
        self.console.print(line, highlight=False, soft_wrap=True)

    def heading(self, title: str) -> None:
        """The title of a block between an empty line and its text."""
        self.console.print()
        line = Text().append(cut_end(title, self.width), "bold")
        room = min(self.width, _MEASURE) - line.cell_len - 1
        line.append(f" {'─' * room}" if room > 0 else "", "dim")
        self.console.print(line, highlight=False, soft_wrap=True)

    def table(self, table: Table) -> None:
        """A table, two blanks in."""
        self.console.print(Padding(table, (0, 0, 0, 2), expand=False), highlight=False)

    def _blanks(self, indent: int) -> str:
        return " " * min(indent, self.width // 4)

    def _lines(self, text: Text | str, lead: Text, style: str, right: int) -> None:
        body = text if isinstance(text, Text) else Text(plain(text), style)
        lines = list(body.wrap(self.console, max(right - lead.cell_len, 1), overflow="fold"))
        self._print(lead, Text(" " * lead.cell_len), lines)

    def _print(self, lead: Text, further: Text, lines: Sequence[Text]) -> None:
        for number, line in enumerate(lines):
            line.rstrip()
            self.console.print((further if number else lead) + line, highlight=False, soft_wrap=True)

    def _broken(self, text: Text | str, room: int) -> list[Text]:
        """The lines of a text, broken where a path or a word ends if there is such a place in the second half."""
        whole = text if isinstance(text, Text) else Text(text)
        return [part for line in whole.split("\n", allow_blank=True) for part in _parts(line, max(room, 1))]


#: After these a path or a list of values may be broken; the first kind is better.
_BREAKS: Final = (re.compile(r'[/ ,;&?]|\\(?!["\\/])'), re.compile(r"[.:=_+-]"))


def _parts(line: Text, room: int) -> list[Text]:
    parts = []
    while line.cell_len > room:
        end, cells = 0, 0
        while end < len(line.plain) and (cells := cells + cell_len(line.plain[end])) <= room:
            end += 1
        ends = (max((found.end() for found in breaks.finditer(line.plain, 0, end)), default=0) for breaks in _BREAKS)
        at = next((one for one in ends if one > end // 2), max(end, 1))
        part, line = line.divide([at])
        parts.append(part)
    return [*parts, line]


def _verdict(page: _Page, report: Report) -> None:
    word, style = _VERDICTS[report.verdict]
    badge = Text().append(f" {word} ", style)
    line = Text(one_line(headline(report)), "bold")
    if report.diagnoses and report.verdict != "no-fault-found":
        first, more = report.diagnoses[0], len(report.diagnoses) - 1
        said = f"({first.verdict}{f', +{more} more' if more else ''})"
        fits = badge.cell_len + line.cell_len + len(said) + 3 <= page.width
        line.append(f"{' ' if fits else chr(10)}{said}", "bold")
    page.under(badge, line)


def _bundle(page: _Page, report: Report) -> None:
    bundle = report.bundle
    page.path(Text(one_line(bundle.path), "dim"), indent=1)
    about = [bundle.layout, bundle.platform, ", ".join(bundle.hosts[:3]) + (" …" if len(bundle.hosts) > 3 else "")]
    if bundle.first is not None and bundle.last is not None:
        about.append(f"{rough_span(bundle.first, bundle.last)} UTC")
    page.text(Text(one_line(" · ".join(part for part in about if part)), "dim"), indent=1)


def _diagnosis(page: _Page, diagnosis: Diagnosis, details: bool, why: bool) -> None:
    page.console.print()
    title = Text(plain(diagnosis.title), "bold")
    title.append("  ")
    title.append(diagnosis.verdict, _STRENGTHS[diagnosis.verdict])
    page.item(f"{diagnosis.rank:>2} ", title, indent=0)
    page.text(Text(" · ".join(_about(diagnosis)), "dim"), indent=4)
    page.text(diagnosis.summary.strip(), indent=4)
    _evidence(page, diagnosis.evidence, details)
    for number, remedy in enumerate(diagnosis.remedies, start=1):
        page.fact("repair" if number == 1 else "", f"{number}. {remedy}")
    if diagnosis.error_codes:
        page.fact("errors", _some(diagnosis.error_codes, len(diagnosis.error_codes) if details else _CODES_SHOWN))
    if len(diagnosis.chain) > 1:
        page.fact("leads to", " → ".join(diagnosis.chain[1:]))
    if diagnosis.consequences:
        page.fact("explains", ", ".join(diagnosis.consequences))
    for rival in diagnosis.rivals:
        told = f"{rival.cause}: {one_line(rival.why_not)}"
        page.fact("not", told if why else cut_end(told, min(page.width - _LABELS - 5, _MEASURE)), "" if why else "dim")
    if why and diagnosis.how:
        page.fact("how", diagnosis.how)
    for doc in diagnosis.docs if details else diagnosis.docs[:_DOCS_SHOWN]:
        page.whole(doc.url, 4, "underline")


def _about(diagnosis: Diagnosis) -> list[str]:
    """Id, count and times of a diagnosis: each said only if it is known."""
    about = [diagnosis.cause]
    if diagnosis.count:
        about.append(f"seen {diagnosis.count}×")
    if diagnosis.first_seen is not None:
        about.append(span(diagnosis.first_seen, diagnosis.last_seen or diagnosis.first_seen))
    return about


def _evidence(page: _Page, evidence: Sequence[Evidence], details: bool) -> None:
    shown = evidence if details else first_of_each_rule(evidence, _EVIDENCE_SHOWN)
    for number, one in enumerate(shown):
        if number == 0 or one.rule != shown[number - 1].rule:
            against = one.role == "refutes"
            page.item("✗" if against else "●", Text(plain(one.rule_title), "italic" if against else "italic cyan"), 4)
        head = Text()
        if one.timestamp is not None:
            head.append(f"{time_text(one.timestamp)}{' (zone assumed)' if one.time_assumed else ''}  ", "dim")
        head.append(one_line(place(one)), "cyan")
        page.path(head, indent=6)
        told = one.kind == "record" or len(one.derived_from) > 1
        _quote(page, one.message if told and not details else one.original, details, 6)
        for cited in (*one.bounds, *one.derived_from) if details else ():
            page.path(Text(f"from {one_line(place(cited))}", "dim"), indent=8)
            _quote(page, cited.original, details, 8)
    if len(shown) < len(evidence):
        page.text(Text(f"+{len(evidence) - len(shown)} more (--details)", "dim"), indent=6)


def _quote(page: _Page, original: str, details: bool, indent: int) -> None:
    """The text of an entry: cut to two rows, of a wide terminal to one, or in full."""
    room = page.width - min(indent, page.width // 4) - 2
    text = original if details else cut_end(one_line(original), 2 * room - 20 if page.width < 120 else room)
    if text.strip():
        page.quote(text.rstrip(), indent)


def _not_decided(page: _Page, report: Report, details: bool, why: bool) -> None:
    if not report.undecided and not report.next_evidence:
        return
    page.heading("Not decided")
    most = len(report.next_evidence) if details else _NEXT_SHOWN[report.verdict]
    for number, one in enumerate(report.next_evidence[:most], start=1):
        _next_evidence(page, number, one)
    if report.undecided and why:
        _why_undecided(page, report.undecided)
    elif report.undecided:
        names = [one.cause for one in report.undecided]
        page.text(f"{len(names)} undecided: {_some(names, _CAUSES_SHOWN)} (-v)", indent=2, style="dim")
    if report.receipt.not_guest_visible:
        page.text(f"{report.receipt.not_guest_visible} causes leave no trace in the guest.", indent=2, style="dim")


def _why_undecided(page: _Page, undecided: Sequence[Undecided]) -> None:
    """The causes by the reason why nothing decides them, each with the artefacts that would."""
    for why in dict.fromkeys(one.why for one in undecided):
        own = [one for one in undecided if one.why == why]
        page.text(f"{one_line(why)}: {len(own)}" if why else f"undecided: {len(own)}", indent=2)
        for one in own:
            missing = f" needs {', '.join(one.missing)}" if one.missing else ""
            page.item("○", f"{one.cause}{missing}", indent=4, style="dim")


def _next_evidence(page: _Page, number: int, one: NextEvidence) -> None:
    line = Text(plain(f"collect {one.what or one.artefact}"), "bold")
    line.append(f": {one_line(one.why_missing)}" if one.why_missing else "", "not bold")
    page.item(f"{number}.", line, indent=2)
    if one.command:
        page.whole(one.command, 5, "green")
    if one.separates:
        page.text(Text(f"decides {_some(one.separates, _CODES_SHOWN)}", "dim"), indent=5)


def _some(names: Sequence[str], most: int) -> str:
    return plain(", ".join(names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _errors(page: _Page, errors: Sequence[ErrorEntry]) -> None:
    if not errors:
        return
    page.heading("Errors of the ticket")
    for error in errors:
        page.text(Text(plain(error.code), "bold"), indent=2)
        page.text(one_line(error.message), indent=4)
        page.item("explained by", ", ".join(error.explained_by) or "nothing found that explains it", indent=4)
        if error.doc:
            page.whole(error.doc, 4, "underline")


def _attempts(page: _Page, attempts: Sequence[AttemptEntry], details: bool) -> None:
    if not attempts:
        return
    page.heading("Backup attempts")
    table = _table(Column("start", no_wrap=True), Column("took"), Column("phase"), Column("outcome"), Column("codes"))
    shown = attempts[-(_ATTEMPTS_LAID_OUT if details else _ATTEMPTS_SHOWN) :]
    for one in shown:
        took = duration(one.start, one.end) if one.start and one.end else "–"
        start = time_text(one.start) if one.start else "–"
        outcome = Text(one_line(one.outcome), _OUTCOMES.get(one.outcome, ""), overflow="fold")
        texts = [Text(one_line(cell), overflow="fold") for cell in (start, took, one.phase, ", ".join(one.codes))]
        table.add_row(*texts[:3], outcome, texts[3])
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


def _ruled_out(page: _Page, report: Report, details: bool) -> None:
    if report.ruled_out:
        page.heading("Ruled out")
    for one in report.ruled_out:
        if one.evidence:
            page.item("✗", Text.assemble((plain(one.cause), "bold"), f": {one_line(one.why)}"), indent=2)
            _evidence(page, one.evidence if details else (), details=True)
    unseen = [one for one in report.ruled_out if not one.evidence]
    for why in dict.fromkeys(one.why for one in unseen):
        names = [one.cause for one in unseen if one.why == why]
        page.item("✗", Text.assemble((one_line(why), "bold"), f": {plain(', '.join(names))}"), indent=2)
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
        span = rough_span(min(firsts), max(lasts)) if firsts and lasts else ""
        events = str(sum(one.events for one in own))
        table.add_row(Text(plain(logsource), overflow="fold"), str(len(own)), events, Text(span, "dim"))
    if read:
        page.table(table)


def _every_source(page: _Page, coverage: Sequence[Coverage]) -> None:
    """Each source on a line of its own; below it what became of it."""
    for one in coverage:
        page.path(Text(one_line(one.source)), indent=2)
        about = [f"{one.events} event{'s' if one.events > 1 else ''}"] if one.events else []
        if one.first is not None and one.last is not None:
            about.append(span(one.first, one.last))
        if one.why:
            about.append(one_line(one.why))
        line = Text().append(one.status, _STATUSES[one.status])
        line.append("".join(f" · {part}" for part in about), "dim")
        page.text(line, indent=4)
        for note in _notes(one):
            page.text(Text(note, "dim"), indent=4)


def _notes(one: Coverage) -> list[str]:
    rejected = [f"{one.rejected} rejected ({size_text(one.rejected_bytes)})"] if one.rejected else []
    silent = [f"silent {plain(start)} → {plain(end)}" for start, end in one.gaps]
    return [note for note in (*rejected, *map(one_line, one.notes), *silent) if note]


def _receipt(page: _Page, report: Report, why: bool) -> None:
    receipt = report.receipt
    page.console.print()
    page.text(
        Text(
            f"{receipt.files} files, {size_text(receipt.bytes)}: {size_text(receipt.parsed_bytes)} parsed, "
            f"{size_text(receipt.rejected_bytes)} rejected, {size_text(receipt.skipped_bytes)} skipped; "
            f"{receipt.events} events, {receipt.rules_ran} rules"
            + (f" ({len(report.rules.unable)} more could not run)" if report.rules.unable else "")
            + f". loganalyzer {report.tool.version}",
            "dim",
        )
    )
    for one in report.rules.unable if why else ():
        page.item("could not run", f"{one.rule}: {one_line(one.why)}", indent=0, style="dim")
    for plugin in report.plugins:
        told = " ".join(part for part in (plugin.name, "of", plugin.distribution or "?", plugin.version) if part)
        if plugin.fault is not None:
            page.item("plug-in", f"{told} failed: {one_line(plugin.fault)}", indent=0, style="yellow")
        elif why:
            page.item("plug-in", f"{told} ({plugin.group})", indent=0, style="dim")
    if receipt.statement and (report.verdict == "cannot-tell" or (why and report.verdict == "cause-found")):
        page.text(Text(one_line(receipt.statement), "dim"))
    if receipt.near_misses:
        page.text(Text(f"Nearest: {'; '.join(map(_near_miss, receipt.near_misses))}.", "dim"))


def _near_miss(one: NearMiss) -> str:
    """In a few words: ``why-not`` tells the rest."""
    return one_line(f"{one.title} ({one.cause}, {_NEAR[one.kind]}, {place(one.line)})")

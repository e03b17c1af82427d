"""The report as Markdown, to paste into a ticket: CommonMark with tables, no HTML.

Text of logs stands in code only: short text in code spans, entries in fenced blocks. All other text is escaped, and a
word that a ticket system would make a link, a mention or a reference of stands in a code span, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from loganalyzer.report.model import AttemptEntry, Coverage, Diagnosis, Evidence, NextEvidence, Report
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

#: A ticket has room for what proves a diagnosis, not for all of it.
_EVIDENCE_SHOWN: Final = 5
_ENTRY_LIMIT: Final = 2000
_ATTEMPTS_SHOWN: Final = 10
_SOURCES_SHOWN: Final = 30
_NAMES_SHOWN: Final = 12

_WORDS: Final = {"cause-found": "Cause found", "no-fault-found": "No fault found", "cannot-tell": "Cannot tell"}
#: What Markdown may take for markup inside a line; ``$`` begins a formula on some systems.
_MARKUP: Final = re.compile(r"[\\`*_\[\]|~#$!]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
#: What it may take for markup only where it begins a block.
_BLOCK_START: Final = re.compile(r"^(\d{1,9})([.)])|^[-+=:]")
#: Words that become links, mentions, references or pictures of themselves.
_SPOKEN: Final = re.compile(r"@|://|(?i:\bwww\.)|(?i:mailto:|xmpp:)|#\d|\bGH-\d|:[A-Za-z0-9_+-]+:")


def to_markdown(report: Report) -> bytes:
    """Blocks with an empty line between them, in UTF-8; times are in UTC."""
    blocks = [
        *_head(report),
        *(block for one in report.diagnoses for block in _diagnosis(one)),
        *_errors(report),
        *_attempts(report.attempts),
        *_undecided(report),
        *_sources(report.coverage),
        *_receipt(report),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def text_of(text: str) -> str:
    """Any text as a paragraph's text: one line in which nothing is markup."""
    words = [code(word) if _SPOKEN.search(word) else _escaped(word) for word in one_line(text).split(" ")]
    line = " ".join(words)
    return _BLOCK_START.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[0]}", line)


def code(text: str) -> str:
    """Any text as a code span, whose ticks are more than any run of ticks inside; an empty text is a dash."""
    line = one_line(text)
    if not line:
        return "–"
    ticks = "`" * (_longest_run(line) + 1)
    blank = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{blank}{line}{blank}{ticks}"


def fenced(text: str, kind: str = "text") -> str:
    """Any text as a fenced block, whose fence is longer than any run of ticks inside."""
    body = plain(text).strip("\n")
    fence = "`" * max(_longest_run(body) + 1, 3)
    return f"{fence}{kind}\n{body}\n{fence}"


def link_of(title: str, url: str) -> str:
    """A link to a page of documentation; whatever else the address may be is shown and not linked."""
    if re.fullmatch(r"https://[^\s<>()\[\]\\`|]+", url):
        return f"[{text_of(title)}]({url})"
    return f"{text_of(title)}: {code(url)}"


def _escaped(word: str) -> str:
    return re.sub("[&<>]", lambda found: _ENTITIES[found[0]], _MARKUP.sub(lambda found: f"\\{found[0]}", word))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _cell(markdown: str) -> str:
    """A cell of a table: there a bar ends even a code span, unless it is escaped."""
    return re.sub(r"(?<!\\)\|", r"\\|", markdown)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *([_cell(cell) or " " for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(report: Report) -> Iterator[str]:
    bundle = report.bundle
    strength = f" ({report.diagnoses[0].verdict})" if report.verdict == "cause-found" else ""
    yield f"## {_WORDS[report.verdict]}: {text_of(headline(report))}{strength}"
    about = [code(bundle.path), text_of(bundle.layout), bundle.platform, *(code(host) for host in bundle.hosts[:3])]
    if bundle.first is not None and bundle.last is not None:
        about.append(f"{rough_span(bundle.first, bundle.last)} UTC")
    yield "Bundle " + " · ".join(about)


def _diagnosis(one: Diagnosis) -> Iterator[str]:
    yield f"### {one.rank}. {text_of(one.title)}: {one.verdict}"
    about = [code(one.cause)]
    if one.count:
        about.append(f"seen {one.count}×")
    if one.first_seen is not None:
        about.append(span(one.first_seen, one.last_seen or one.first_seen))
    yield " · ".join(about)
    yield text_of(one.summary)
    yield from _evidence(one.evidence)
    if one.remedies:
        yield "**Repair**"
        yield "\n".join(f"{number}. {text_of(remedy)}" for number, remedy in enumerate(one.remedies, start=1))
    facts = list(_facts(one))
    if facts:
        yield "\n".join(f"- {fact}" for fact in facts)


def _evidence(evidence: Sequence[Evidence]) -> Iterator[str]:
    shown = first_of_each_rule(evidence, _EVIDENCE_SHOWN)
    for one in shown:
        said = "Against it" if one.role == "refutes" else "Evidence"
        when = f", {time_text(one.timestamp)}" if one.timestamp is not None else ""
        assumed = f" ({text_of(one.time_assumed)})" if one.time_assumed else ""
        yield f"**{said}:** {text_of(one.rule_title)}, {code(place(one))}{when}{assumed}"
        yield fenced(cut_end(one.message if one.kind == "record" else one.original, _ENTRY_LIMIT))
    if len(shown) < len(evidence):
        yield f"{len(evidence) - len(shown)} more entries are in the JSON report."


def _facts(one: Diagnosis) -> Iterator[str]:
    if len(one.chain) > 1:
        yield f"Leads to {' → '.join(map(code, one.chain[1:]))}"
    if one.consequences:
        yield f"Also explains {', '.join(map(code, one.consequences))}"
    if one.error_codes:
        yield f"Errors: {_some(one.error_codes)}"
    for rival in one.rivals:
        yield f"Not {code(rival.cause)}: {text_of(rival.why_not)}"
    if one.how:
        yield f"How the verdict came about: {text_of(one.how)}"
    for doc in one.docs:
        yield link_of(doc.title, doc.url)


def _some(names: Sequence[str]) -> str:
    further = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(map(code, names[:_NAMES_SHOWN])) + further


def _errors(report: Report) -> Iterator[str]:
    if not report.errors:
        return
    yield "### Errors of the ticket"
    rows = [(code(one.code), text_of(one.message), _some(one.explained_by) or "nothing found") for one in report.errors]
    yield _table(("error", "message", "explained by"), rows)


def _attempts(attempts: Sequence[AttemptEntry]) -> Iterator[str]:
    if not attempts:
        return
    yield "### Backup attempts"
    rows = [
        (
            time_text(one.start) if one.start else "unknown",
            duration(one.start, one.end) if one.start and one.end else "unknown",
            text_of(one.phase),
            text_of(one.outcome),
            ", ".join(map(code, one.codes)),
        )
        for one in attempts[-_ATTEMPTS_SHOWN:]
    ]
    yield _table(("start (UTC)", "took", "phase", "outcome", "codes"), rows)
    if len(attempts) > _ATTEMPTS_SHOWN:
        yield f"{len(attempts) - _ATTEMPTS_SHOWN} earlier attempts are in the JSON report."


def _undecided(report: Report) -> Iterator[str]:
    if not report.undecided and not report.next_evidence:
        return
    yield "### Not decided"
    if report.undecided:
        yield f"{len(report.undecided)} undecided: {_some([one.cause for one in report.undecided])}"
    for number, one in enumerate(report.next_evidence, start=1):
        yield from _next_evidence(number, one)


def _next_evidence(number: int, one: NextEvidence) -> Iterator[str]:
    decides = f"; decides {_some(one.separates)}" if one.separates else ""
    yield f"Collect {number}: **{text_of(one.what or one.artefact)}** ({text_of(one.why_missing)}){decides}"
    if one.command:
        yield fenced(one.command)


def _sources(coverage: Sequence[Coverage]) -> Iterator[str]:
    if not coverage:
        return
    yield "### Sources"
    rows = [
        (
            code(one.source),
            one.status,
            str(one.events) if one.events else "",
            rough_span(one.first, one.last) if one.first and one.last else "",
            text_of("; ".join(one.notes)) if one.status in ("partial", "archive") else "",
        )
        for one in coverage[:_SOURCES_SHOWN]
    ]
    yield _table(("source", "status", "events", "time shown (UTC)", "notes"), rows)
    if len(coverage) > _SOURCES_SHOWN:
        yield f"{len(coverage) - _SOURCES_SHOWN} more sources are in the JSON report."


def _receipt(report: Report) -> Iterator[str]:
    receipt = report.receipt
    yield (
        f"{receipt.files} files, {size_text(receipt.bytes)}: {size_text(receipt.parsed_bytes)} parsed, "
        f"{size_text(receipt.rejected_bytes)} rejected, {size_text(receipt.skipped_bytes)} skipped; "
        f"{receipt.events} events, {receipt.rules_ran} rules. {text_of(receipt.statement)}. "
        f"loganalyzer {report.tool.version}, bundle {code(report.bundle.sha256)}"
    )

"""The answers of ``why-not`` for a person at a terminal.

Text of logs only ever enters as ``Text`` (never as markup) and through ``plain``, so that it cannot drive the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from loganalyzer.report.plain_text import cut_end, one_line, plain
from loganalyzer.sigma.ir import TEXT_FIELDS
from loganalyzer.why_not import Below, Found, Line, Missing, NearestLine, RivalCause, RuleTold, WhyNot, WhyNotReport

#: Shown without ``--all``: causes in full, rules, rivals, lines of one rule.
_CAUSES: Final = 3
_RULES: Final = 5
_UNREAD: Final = 3
_RIVALS: Final = 5
_LINES: Final = 2
#: Cells of a value of a row, and of a line.
_VALUE: Final = 120
_LINE: Final = 300

_VERDICTS: Final = {
    "confirmed": "bold red",
    "likely": "bold yellow",
    "possible": "bold cyan",
    "ruled-out": "bold green",
    "undecided": "bold magenta",
    "clear": "bold green",
}
_SEEN: Final = {
    "yes": "",
    "partly": "It is only partly visible in the guest.",
    "no": "It leaves no trace in the guest.",
}


def render(report: WhyNotReport, console: Console, everything: bool = False) -> None:
    """Prints the answers. ``everything``: all causes in full, with all rules, rivals and cited lines."""
    full = len(report.answers) if everything else _CAUSES
    if len(report.answers) > 1:
        _say(console, f"{len(report.answers)} causes of {one_line(report.asked)}", style="bold underline")
    for number, one in enumerate(report.answers):
        if number:
            console.print()
        if number == full:
            _say(console, f"{len(report.answers) - full} more (--all)", style="bold underline")
        if number < full:
            _answer(console, one, everything)
        else:
            _headline(console, one)
            _say(console, one.how, 2)


def _answer(console: Console, one: WhyNot, everything: bool) -> None:
    _headline(console, one)
    _say(console, one.how, 2)
    if _SEEN[one.guest_visible]:
        _say(console, _SEEN[one.guest_visible], 2)
    _found(console, "What speaks for it", one.supports, everything)
    _found(console, "What speaks against it", one.refutes, everything)
    _found(console, "What would speak for it, and was answered", one.taken_away, everything)
    _found(console, "What was found, and is history", one.history, everything)
    _missing(console, one.missing)
    if one.rank is not None:
        _given(console, one, everything)
    else:
        _rules(console, one, everything)


def _headline(console: Console, one: WhyNot) -> None:
    rank = f", diagnosis {one.rank}" if one.rank is not None else ""
    title = Text(plain(one.title), "bold")
    title.append("  ")
    title.append(one.verdict, _VERDICTS[one.verdict])
    title.append(f"  ({plain(one.cause)}{rank})", "dim")
    _print(console, title)


def _found(console: Console, heading: str, found: Sequence[Found], everything: bool) -> None:
    if not found:
        return
    _heading(console, heading)
    for one in found:
        times = f", {_span(one.first, one.last)}" if one.first is not None and one.last is not None else ""
        _say(console, f"{one.title} ({one.strength}), seen {one.count}×{times}", 2)
        _say(console, one.why, 4)
        shown = one.lines if everything else one.lines[:_LINES]
        for line in shown:
            _line(console, line, 4)
        if len(shown) < one.count:
            _say(console, f"and {one.count - len(shown)} more", 4, "dim")


def _missing(console: Console, missing: Sequence[Missing]) -> None:
    if not missing:
        return
    _heading(console, "What has to be read to decide it")
    for one in missing:
        _say(console, f"{one.what} ({one.artefact}): {one_line(one.why)}", 2)
        for read in one.read[:_LINES]:
            _say(console, f"read: {one_line(read)}", 4, "dim")
        for command in one.commands:
            _say(console, command, 4, "green")


def _rules(console: Console, one: WhyNot, everything: bool) -> None:
    """The rules that could have found it, the nearest first; those that had nothing to read in a line."""
    read = [told for told in one.rules if told.state not in ("unread", "matched")]
    if read:
        _heading(console, "The rules that look for it, the nearest first")
    for told in read if everything else read[:_RULES]:
        _rule(console, told)
    if not everything and len(read) > _RULES:
        _say(console, f"and {len(read) - _RULES} more (--all)", 2, "dim")
    unread = [told for told in one.rules if told.state == "unread"]
    if unread:
        _heading(console, "Rules that had nothing to read")
    for why in dict.fromkeys(told.why for told in unread):
        titles = [f"{told.title} ({told.strength})" for told in unread if told.why == why]
        shown = titles if everything else titles[:_UNREAD]
        more = f" and {len(titles) - len(shown)} more" if len(shown) < len(titles) else ""
        _say(console, f"{one_line(why)}: {'; '.join(shown)}{more}", 2)
    if not one.rules:
        _say(console, "No signature looks for it.", 2)


def _rule(console: Console, told: RuleTold) -> None:
    _say(console, f"{told.title} ({told.strength}, {', '.join(told.logsources)}): {one_line(told.why)}", 2)
    if told.nearest is not None:
        _nearest(console, told.nearest)
    for below in told.below:
        _below(console, below)


def _below(console: Console, below: Below) -> None:
    _say(console, f"- {below.title}: matched {below.matched}×", 4)
    if below.nearest is not None:
        _nearest(console, below.nearest, 6)


def _nearest(console: Console, near: NearestLine, indent: int = 4) -> None:
    _say(console, f"fails: {one_line(near.failed)}", indent, "red")
    for holds in near.holds:
        value = "nothing" if holds.value is None else one_line(holds.value)
        if holds.field not in TEXT_FIELDS:  # those are the line itself, which stands below
            _say(console, f"{one_line(holds.field)} holds {cut_end(value, _VALUE)}", indent)
    _line(console, near.line, indent)


def _given(console: Console, one: WhyNot, everything: bool) -> None:
    _listed(console, "Its place", one.order)
    _rivals(console, one.rivals, everything)
    _listed(console, "What would raise it", one.would_raise)
    _listed(console, "What would take it away", one.would_take_away)


def _rivals(console: Console, rivals: Sequence[RivalCause], everything: bool) -> None:
    if not rivals:
        return
    _heading(console, "Other causes of the same errors")
    for one in rivals if everything else rivals[:_RIVALS]:
        _say(console, f"{one.title} ({one.cause}): {one.verdict}: {one_line(one.why)}", 2)
    if not everything and len(rivals) > _RIVALS:
        _say(console, f"and {len(rivals) - _RIVALS} more (--all)", 2, "dim")


def _listed(console: Console, heading: str, lines: Sequence[str]) -> None:
    if lines:
        _heading(console, heading)
    for line in lines:
        _say(console, f"- {one_line(line)}", 2)


def _line(console: Console, line: Line, indent: int) -> None:
    place = f" record {line.record_id}" if line.record_id is not None else f":{line.line}" if line.line else ""
    head = Text(f"{one_line(line.source)}{place}", "cyan")
    told = f"  {_time(line.timestamp)}" if line.timestamp is not None else "  time unknown"
    head.append(told + (" (zone assumed)" if line.time_assumed else ""), "dim")
    _print(console, head, indent)
    text = line.message if line.record_id is not None and line.message else line.original
    _say(console, cut_end(one_line(text), _LINE), indent + 2)


def _heading(console: Console, text: str) -> None:
    _say(console, text, 1, "underline")


def _say(console: Console, text: str, indent: int = 0, style: str = "") -> None:
    if text:
        _print(console, Text(plain(text), style), indent)


def _print(console: Console, text: Text, indent: int = 0) -> None:
    text.overflow = "fold"
    console.print(Padding(text, (0, 0, 0, min(indent, console.width // 3)), expand=False), highlight=False)


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _span(first: datetime, last: datetime) -> str:
    return _time(first) if first == last else f"{_time(first)} to {_time(last)}"

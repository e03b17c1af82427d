"""Runs the examples inside a rule: each must match, or must not, as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.match import match
from loganalyzer.sigma.rows import rows_of
from loganalyzer.sigma.rule import Example, Rule
from loganalyzer.sigma.taxonomy import scopes, speaks_of

#: Reads raw text as a parser would: the parser's name, a path hint or None, the bytes. Raises LookupError for an
#: unknown parser.
Read: TypeAlias = Callable[[str, str | None, bytes], Sequence[EventFrame]]


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """Whether an example holds. ``matched``: rows that the rule matched; ``why``: what is wrong, or None."""

    example: Example
    matched: int
    why: str | None

    @property
    def passed(self) -> bool:
        """Whether the rule does what the example says."""
        return self.why is None


def run_examples(rule: Rule, read: Read) -> list[ExampleResult]:
    """Runs every example of the rule, in order. Nothing to read or no fitting log source is a failure, match or not."""
    examples = rule.attribution.examples if rule.attribution is not None else ()
    return [_run(rule, example, read) for example in examples]


def _run(rule: Rule, example: Example, read: Read) -> ExampleResult:
    try:
        frames = _frames(rule, example, read)
    except LookupError as error:
        return ExampleResult(example, 0, f"no parser {example.parser!r}: {error}")
    outcome = match([rule], frames)
    matched = len(outcome.matches)
    if outcome.unable:
        return ExampleResult(example, matched, f"the rule cannot run: {outcome.unable[0].why}")
    if not sum(frame.rows.height for frame in frames if _covers(rule, frame)):
        read_as = ", ".join(sorted({str(frame.logsource) for frame in frames})) or "nothing"
        return ExampleResult(example, matched, f"it holds no event of {rule.logsource}: it was read as {read_as}")
    if (matched > 0) != example.match:
        why = "no row matches" if example.match else f"{matched} rows match and none may"
        return ExampleResult(example, matched, why)
    if example.count is not None and matched != example.count:
        return ExampleResult(example, matched, f"{matched} rows match, not {example.count}")
    return ExampleResult(example, matched, None)


def _frames(rule: Rule, example: Example, read: Read) -> Sequence[EventFrame]:
    if example.raw is not None:
        return read(example.parser or "", example.path, example.raw.encode())
    events = example.events if example.events is not None else (example.event or {},)
    rows = rows_of(events)
    return [EventFrame(scope.source, rows) for scope in scopes(rule.logsource)]


def _covers(rule: Rule, frame: EventFrame) -> bool:
    return any(speaks_of(scope.source, frame.logsource) for scope in scopes(rule.logsource))


def frame_of(logsource: LogSource, events: Iterable[Mapping[str, object]]) -> EventFrame:
    """Events as plain values, as a frame of this log source."""
    return EventFrame(logsource, rows_of(events))

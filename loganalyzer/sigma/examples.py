"""Runs the examples inside a rule or correlation: each must match, or must not, as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.correlate import correlate
from loganalyzer.sigma.match import Match, Matches, Unable, match
from loganalyzer.sigma.rows import rows_of
from loganalyzer.sigma.rule import Correlation, Example, Loaded, Rule
from loganalyzer.sigma.taxonomy import scopes, speaks_of

#: Reads raw text as a parser would: the parser's name, a path hint or None, the bytes. Raises LookupError for an
#: unknown parser.
Read: TypeAlias = Callable[[str, str | None, bytes], Sequence[EventFrame]]


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """Whether an example holds. ``why``: what is wrong, or None.

    ``matched``: rows that the rule matched, or events that completed the correlation.
    """

    example: Example
    matched: int
    why: str | None

    @property
    def passed(self) -> bool:
        """Whether the rule does what the example says."""
        return self.why is None


def run_examples(rule: Rule, read: Read) -> list[ExampleResult]:
    """Runs every example of the rule, in order. Nothing to read or no fitting log source is a failure, match or not."""
    return [_run(rule, example, read) for example in _examples(rule)]


def run_correlation_examples(correlation: Correlation, loaded: Loaded, read: Read) -> list[ExampleResult]:
    """Runs every example of a correlation of ``loaded``, in order, with the rules below it.

    An ``event`` goes to each log source that these rules read, and is one event in all of them. Beside what fails for a
    rule, an example that must not match fails if no rule below matches any of its events: it would prove nothing.
    """
    below = _below(correlation, loaded)
    return [_run_correlation(correlation, below, example, read) for example in _examples(correlation)]


def _examples(signature: Rule | Correlation) -> tuple[Example, ...]:
    return signature.attribution.examples if signature.attribution is not None else ()


def _run(rule: Rule, example: Example, read: Read) -> ExampleResult:
    try:
        frames = _frames(rule.logsources, example, read)
    except LookupError as error:
        return ExampleResult(example, 0, f"no parser {example.parser!r}: {error}")
    outcome = _match([rule], frames, example)
    why = _cannot(outcome.unable) or _unread(rule.logsources, frames)
    return _result(example, len(outcome.matches), _ROWS, why)


@dataclass(frozen=True, slots=True)
class _Below:
    """The event rules that a correlation rests on, and the correlations in their order; it is the last itself."""

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]


def _below(correlation: Correlation, loaded: Loaded) -> _Below:
    wanted, chain = {correlation.id}, []
    for one in reversed(loaded.correlations):  # each stands after those that it refers to
        if one.id in wanted:
            wanted.update(one.rules)
            chain.append(one)
    return _Below(tuple(rule for rule in loaded.rules if rule.id in wanted), tuple(reversed(chain)))


def _run_correlation(correlation: Correlation, below: _Below, example: Example, read: Read) -> ExampleResult:
    try:
        frames = _frames(correlation.logsources, example, read)
    except LookupError as error:
        return ExampleResult(example, 0, f"no parser {example.parser!r}: {error}")
    outcome = _match(below.rules, frames, example)
    judged = correlate(below.correlations, frames, outcome)
    completed = sum(one.rule.id == correlation.id for one in judged.found)
    why = _cannot(judged.unable) or _unread(correlation.logsources, frames)
    if why is None and not outcome.matches:
        why = "no rule below it matches any of the events"
    return _result(example, completed, _COMPLETING, why)


def _match(rules: Sequence[Rule], frames: Sequence[EventFrame], example: Example) -> Matches:
    outcome = match(rules, frames)
    if example.raw is not None:
        return outcome
    # Every frame has the same rows: what several of them match is one event, told as one of the first frame.
    once = {(found.row, found.rule.id): Match(found.rule, 0, found.row) for found in outcome.matches}
    return replace(outcome, matches=tuple(once[key] for key in sorted(once)))


def _cannot(unable: Sequence[Unable]) -> str | None:
    return f"the rule cannot run: {unable[0].why}" if unable else None


def _unread(sources: Sequence[LogSource], frames: Sequence[EventFrame]) -> str | None:
    """Why there is nothing to look at, or None."""
    if any(frame.rows.height and any(_covers(source, frame) for source in sources) for frame in frames):
        return None
    wanted = " or ".join(map(str, sources))
    read_as = ", ".join(sorted({str(frame.logsource) for frame in frames})) or "nothing"
    return f"it holds no event of {wanted}: it was read as {read_as}"


#: What is counted, none of it and some of it.
_ROWS = ("no row matches", "rows match")
_COMPLETING = ("no event completes it", "events complete it")


def _result(example: Example, matched: int, counted: tuple[str, str], why: str | None) -> ExampleResult:
    none, some = counted
    if why is None and (matched > 0) != example.match:
        why = none if example.match else f"{matched} {some} and none may"
    if why is None and example.count is not None and matched != example.count:
        why = f"{matched} {some}, not {example.count}"
    return ExampleResult(example, matched, why)


def _frames(sources: Sequence[LogSource], example: Example, read: Read) -> Sequence[EventFrame]:
    if example.raw is not None:
        return read(example.parser or "", example.path, example.raw.encode())
    rows = rows_of(example.events if example.events is not None else (example.event or {},))
    spoken_of = dict.fromkeys(scope.source for source in sources for scope in scopes(source))
    return [EventFrame(source, rows) for source in spoken_of]


def _covers(source: LogSource, frame: EventFrame) -> bool:
    return any(speaks_of(scope.source, frame.logsource) for scope in scopes(source))


def frame_of(logsource: LogSource, events: Iterable[Mapping[str, object]]) -> EventFrame:
    """Events as plain values, as a frame of this log source."""
    return EventFrame(logsource, rows_of(events))

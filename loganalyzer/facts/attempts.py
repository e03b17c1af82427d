"""Backup attempts: what each backup did in the guest, rebuilt from every source that saw a part of it.

Simple for now: steps are put in order of time, a ``start`` step opens an attempt, the others belong to the attempt
that is open. The outcome is judged by the codes of ``signatures/derived/attempts.yml`` (linux.md section 0, fact 5),
never by the word *success* of a status file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from loganalyzer.facts.hits import Hit, by_time, derived_frame, find
from loganalyzer.facts.tables import StepRow, Tables
from loganalyzer.schema import EventFrame, LogSource

Outcome = Literal["success", "failure", "unfinished"]

#: Starts closer than this belong to one attempt: the agent and the extension both write one.
SAME_START = timedelta(minutes=10)
#: A command older than 140 minutes is refused by the extension (linux.md 4.1), so an attempt ends by then.
LONGEST = timedelta(minutes=140)

ATTEMPT_COLUMNS = {
    "attempt": pl.String(),
    "phase": pl.String(),
    "outcome": pl.String(),
    "code": pl.Int64(),
    "codes": pl.List(pl.String()),
    "task_id": pl.String(),
    "sources": pl.List(pl.String()),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One backup attempt. ``start`` and ``end`` are UTC; ``end`` is None while nothing shows that it ended.

    ``phase`` is the last phase that a step showed; ``codes`` in order of appearance, without repeats.
    """

    id: str
    start: datetime
    end: datetime | None
    phase: str | None
    outcome: Outcome
    codes: tuple[str, ...]
    task_id: str | None
    sources: tuple[str, ...]
    steps: tuple[Hit, ...] = field(repr=False)

    @property
    def platform(self) -> str | None:
        """The platform that a step names (a status file's handler does), or None."""
        return next((name for hit in self.steps if (name := hit.values.get("platform")) is not None), None)

    @property
    def last(self) -> datetime:
        """The time of the last step that was seen."""
        return self.end or max((hit.time for hit in self.steps if hit.time is not None), default=self.start)


@dataclass(slots=True)
class _Open:
    """An attempt while its steps come in."""

    start: datetime
    hits: list[Hit] = field(default_factory=list)
    phase: str | None = None
    codes: list[str] = field(default_factory=list)
    outcome: Outcome = "unfinished"
    end: datetime | None = None
    task_id: str | None = None
    skipped: bool = False


def attempts(frames: Sequence[EventFrame], tables: Tables) -> tuple[Attempt, ...]:
    """All attempts by time. A run that the extension itself skipped (a repeat of a known command) is none."""
    marked = [(row, hit) for row in tables.steps for hit in by_time(find(frames, row.pattern))]
    marked.sort(key=lambda pair: (str(pair[1].time), pair[1].path or "", pair[1].sequence or 0))
    closed: list[_Open] = []
    for row, hit in marked:
        assert hit.time is not None  # by_time keeps known times only
        current = closed[-1] if closed else None
        if current is None or _opens(row, hit, hit.time, current):
            current = _Open(_start(hit))
            closed.append(current)
        _take(current, row, hit, hit.time, tables.outcomes)
    kept = [one for one in closed if not one.skipped]
    return tuple(_close(one, number) for number, one in enumerate(kept, start=1))


def _opens(row: StepRow, hit: Hit, time: datetime, current: _Open) -> bool:
    """Whether this step belongs to a new attempt."""
    task = hit.values.get("task_id")
    if task is not None and current.task_id is not None:
        return task != current.task_id
    if time - current.start > LONGEST:
        return True
    if row.step == "report":
        return current.end is not None and _begun(hit) is not None and _start(hit) > current.end
    return row.step == "start" and (current.end is not None or time - current.start > SAME_START)


def _begun(hit: Hit) -> str | None:
    return hit.values.get("begun")


def _start(hit: Hit) -> datetime:
    """The time at which the command was given where the step tells it, else the step's own time."""
    assert hit.time is not None
    text = _begun(hit)
    if text is None:
        return hit.time
    begun = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" UTC", "+00:00"))
    begun = begun if begun.tzinfo is not None else begun.replace(tzinfo=hit.time.tzinfo)
    return begun if timedelta() <= hit.time - begun <= LONGEST else hit.time


def _take(current: _Open, row: StepRow, hit: Hit, time: datetime, outcomes: Mapping[str, str]) -> None:
    current.hits.append(hit)
    current.phase = row.phase or current.phase
    current.task_id = current.task_id or hit.values.get("task_id")
    if row.step == "skip":
        current.skipped = current.outcome == "unfinished"
        return
    code, word = hit.values.get("code"), hit.values.get("outcome")
    if code is not None and code not in current.codes:
        current.codes.append(code)
    judged = word or outcomes.get(code or "") or (outcomes.get("other") if code is not None else None)
    if judged in ("success", "failure"):
        current.outcome = "success" if judged == "success" else "failure"
        current.end = time


def _close(one: _Open, number: int) -> Attempt:
    return Attempt(
        f"attempt-{number}",
        one.start,
        one.end,
        one.phase,
        one.outcome,
        tuple(one.codes),
        one.task_id,
        tuple(sorted({hit.path for hit in one.hits if hit.path is not None})),
        tuple(one.hits),
    )


def attempt_frames(found: Sequence[Attempt], product: str) -> list[EventFrame]:
    """The attempts as a frame ``<product>/backup/attempt``, so that rules can read them."""
    if not found:
        return []
    return [derived_frame(LogSource(product, "backup", "attempt"), [_row(one) for one in found], ATTEMPT_COLUMNS)]


def _row(one: Attempt) -> dict[str, Any]:
    deciding = one.steps[-1]
    code = next((int(code) for code in reversed(one.codes) if code.lstrip("-").isdigit() and len(code) < 12), None)
    return {
        **deciding.row(),
        "@timestamp": one.start,
        "event.end": one.last,
        "derived_from": [hit.citation() for hit in _bounds(one.steps)],
        "attempt": one.id,
        "phase": one.phase,
        "outcome": one.outcome,
        "code": code,
        "codes": list(one.codes),
        "task_id": one.task_id,
        "sources": list(one.sources),
    }


def _bounds(steps: Sequence[Hit]) -> Iterable[Hit]:
    return steps if len(steps) < 3 else (steps[0], steps[-1])

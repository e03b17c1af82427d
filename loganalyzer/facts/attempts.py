"""Backup attempts: what each backup did in the guest, rebuilt from every source that saw a part of it.

Steps are put in order of time. One that names a task, a sequence number of settings or a job belongs to the attempt of
that name, also where the clocks of two logs differ by a zone; the others belong to the attempt that is open. What each
kind of step does stands in ``signatures/derived/attempts.yml``. The outcome is judged by the codes of that table
(linux.md section 0, fact 5), never by the word *success* of a status file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from loganalyzer.facts.clock_facts import zone_is_unknown
from loganalyzer.facts.hits import Hit, Sightings, by_time, derived_frame
from loganalyzer.facts.tables import StepRow, Tables
from loganalyzer.schema import EventFrame, LogSource

Outcome = Literal["success", "failure", "unfinished"]

#: Starts closer than this belong to one attempt: the agent and the extension both write one.
SAME_START = timedelta(minutes=10)
#: A command older than 140 minutes is refused by the extension (linux.md 4.1), so an attempt ends by then.
LONGEST = timedelta(minutes=140)
#: A stamp whose zone had to be assumed may be off by a zone.
UNCERTAIN = timedelta(hours=14)
#: How many attempts back a name is looked for: sequence numbers begin again when the extension is installed anew.
RECENT = 16
#: The names that a step may carry. A step never joins an attempt whose name of the same kind differs.
NAMES = ("task_id", "sequence_number", "job")

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

    ``phase`` is the furthest phase of work that a step showed, of a success that which reported it; ``codes`` in order
    of appearance, without repeats. ``deciding``: the step that tells the outcome. ``assumed``: the zone of its first
    step is unknown. ``told``: when a source inside the guest told the outcome.
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
    deciding: Hit | None = field(default=None, repr=False)
    assumed: bool = False
    told: datetime | None = None

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
    """An attempt while its steps come in. ``worked`` is the furthest phase of work, ``told`` one that reports."""

    start: datetime
    hits: list[Hit] = field(default_factory=list)
    worked: str | None = None
    told: str | None = None
    codes: list[str] = field(default_factory=list)
    outcome: Outcome = "unfinished"
    end: datetime | None = None
    judged: Hit | None = None
    told_at: datetime | None = None
    names: dict[str, str] = field(default_factory=dict)
    assumed: bool = False
    skipped: bool = False

    def reaches(self, hit: Hit, time: datetime) -> bool:
        """Whether an attempt of a name that the step carries may still be the same one at the step's time."""
        slack = UNCERTAIN if zone_is_unknown(hit.assumed) or self.assumed else timedelta()
        return self.start - LONGEST - slack <= time <= max(self.end or self.start, self.start) + LONGEST + slack


def attempts(events: Sightings, tables: Tables) -> tuple[Attempt, ...]:
    """All attempts by time. A run that the extension itself skipped (a repeat of a known command) is none."""
    marked = [(row, hit) for row in tables.steps for hit in by_time(events.find(row.pattern))]
    marked.sort(key=lambda pair: (str(pair[1].time), pair[1].path or "", pair[1].sequence or 0))
    found: list[_Open] = []
    before: tuple[object, ...] | None = None
    owner: _Open | None = None
    for row, hit in marked:
        assert hit.time is not None  # by_time keeps known times only
        place = (hit.path, hit.sequence, hit.record_id, hit.offset)
        if place != before:  # an entry that is a step twice belongs to one attempt
            before, owner = place, _owner(found, row, hit, hit.time)
        if owner is not None:
            _take(owner, row, hit, hit.time, tables)
    kept = sorted((one for one in found if not one.skipped), key=lambda one: one.start)
    return tuple(_close(one, number) for number, one in enumerate(kept, start=1))


def _owner(found: list[_Open], row: StepRow, hit: Hit, time: datetime) -> _Open | None:
    """The attempt that a step belongs to, a new one, or None for a step that counts only inside one and is in none."""
    named = _named(found, hit, time)
    if named is not None:
        _join_beginning(found, named, hit, time)
        return named
    current = found[-1] if found else None
    if current is not None and not _differs(current, hit) and not _opens(row, hit, time, current):
        return current
    if row.step == "inside":
        return None
    opened = _Open(_start(row, hit, time), assumed=zone_is_unknown(hit.assumed))
    found.append(opened)
    return opened


def _named(found: Sequence[_Open], hit: Hit, time: datetime) -> _Open | None:
    names = _names(hit)
    for one in reversed(found[-RECENT:] if names else ()):
        same = any(one.names.get(name) == value for name, value in names.items())
        if same and not _differs(one, hit) and one.reaches(hit, time):
            return one
    return None


def _join_beginning(found: list[_Open], named: _Open, hit: Hit, time: datetime) -> None:
    """A log begins to tell of a command before it names it: what it opened just then is the attempt of that name."""
    begun = found[-1]
    own_log = begun is not named and not begun.names and all(step.path == hit.path for step in begun.hits)
    if own_log and begun.end is None and time - begun.start <= SAME_START:
        named.hits[:0] = begun.hits
        found.pop()


def _names(hit: Hit) -> dict[str, str]:
    return {name: value for name in NAMES if (value := hit.values.get(name)) is not None}


def _differs(current: _Open, hit: Hit) -> bool:
    return any(current.names.get(name, value) != value for name, value in _names(hit).items())


def _opens(row: StepRow, hit: Hit, time: datetime, current: _Open) -> bool:
    """Whether this step belongs to a new attempt, by what it is and by the time."""
    if row.step == "inside":
        return not current.start <= time <= (current.end + SAME_START if current.end else current.start + LONGEST)
    if row.step == "job":
        return _start(row, hit, time) > (current.end or current.start) + SAME_START or time < current.start
    if _same_task(current, hit):
        return False
    if time - current.start > LONGEST:
        return True
    if row.step == "report":
        begun = _start(row, hit, time)
        return current.end is not None and begun > current.end + (timedelta() if _begun(hit) else SAME_START)
    return row.step == "start" and (current.end is not None or time - current.start > SAME_START)


def _same_task(current: _Open, hit: Hit) -> bool:
    return current.names.get("task_id", "") == hit.values.get("task_id")


def _begun(hit: Hit) -> str | None:
    return hit.values.get("begun")


def _start(row: StepRow, hit: Hit, time: datetime) -> datetime:
    """The time at which the command was given where the step tells it, else the step's own time.

    The file of a status may be older than the command that it names; a job goes on for as long as its transfer takes.
    """
    text = _begun(hit)
    if text is None:
        return time
    try:
        begun = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" UTC", "+00:00"))
    except ValueError:
        return time
    begun = begun if begun.tzinfo is not None else begun.replace(tzinfo=time.tzinfo)
    return begun if timedelta() <= time - begun and (row.step == "job" or time - begun <= LONGEST) else time


def _take(current: _Open, row: StepRow, hit: Hit, time: datetime, tables: Tables) -> None:
    current.hits.append(hit)
    if row.phase in tables.phases:
        current.worked = max(row.phase, current.worked or row.phase, key=tables.phases.index)
    else:
        current.told = row.phase or current.told
    for name, value in _names(hit).items():
        current.names.setdefault(name, value)
    if row.step == "skip":
        current.skipped = current.outcome == "unfinished"
        return
    code, word = hit.values.get("code"), hit.values.get("outcome")
    if code is not None and code not in current.codes:
        current.codes.append(code)
    outcomes = tables.outcomes
    judged = word or outcomes.get(code or "") or (outcomes.get("other") if code is not None else None)
    if judged in ("success", "failure"):
        current.outcome = "success" if judged == "success" else "failure"
        current.end = max(time, current.end or time)
        current.judged = hit
        current.told_at = current.told_at if row.step == "job" else time


def _close(one: _Open, number: int) -> Attempt:
    return Attempt(
        f"attempt-{number}",
        one.start,
        one.end,
        (one.told or one.worked) if one.outcome == "success" else (one.worked or one.told),
        one.outcome,
        tuple(one.codes),
        one.names.get("task_id"),
        tuple(sorted({hit.path for hit in one.hits if hit.path is not None})),
        tuple(one.hits),
        one.judged,
        one.assumed,
        one.told_at,
    )


def attempt_frames(found: Sequence[Attempt], product: str) -> list[EventFrame]:
    """The attempts as a frame ``<product>/backup/attempt``, so that rules can read them."""
    if not found:
        return []
    return [derived_frame(LogSource(product, "backup", "attempt"), [_row(one) for one in found], ATTEMPT_COLUMNS)]


def _row(one: Attempt) -> dict[str, Any]:
    code = next((int(code) for code in reversed(one.codes) if code.lstrip("-").isdigit() and len(code) < 12), None)
    return {
        **(one.deciding or one.steps[-1]).row(),
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

"""Records that the Rust binding refuses, read by python-evtx in a process of its own (``python_evtx``).

The process starts with the first record that is refused, never for a sound log, and stays for further ones until its
reader is dropped; if it dies, the next chunk gets a new one, a few times in one scan. What it may do is bounded in
steps, the same everywhere; the clock and, where there is one, a limit of memory are for what steps do not catch.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from loganalyzer.evtx.child import Child, FailedError, command_of

#: Steps for one record. A step is a node of BinXML or 64 characters; the largest real records take a few thousand.
STEPS_A_RECORD = 20_000
#: Steps for one file: about a minute.
STEPS_A_FILE = 4_000_000
#: Seconds for one chunk, and for all of a scan. Sound definitions take 3 at most for a chunk of 64 KiB.
SECONDS_A_CHUNK = 60.0
SECONDS_A_SCAN = 600.0
#: Processes that a scan may start after the first.
RESTARTS = 3
#: Bytes of an answer: a chunk holds 64 KiB, a value may stand in several places of an event.
LARGEST_ANSWER = 64 << 20

_NO_ANSWER = "not read: the process of python-evtx gave an answer that is none"
_LONGEST_FAULT = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """What one scan may cost. The first two decide alike on every machine, the seconds are the last resort."""

    steps_a_record: int = STEPS_A_RECORD
    steps_a_file: int = STEPS_A_FILE
    seconds_a_chunk: float = SECONDS_A_CHUNK
    seconds_a_scan: float = SECONDS_A_SCAN
    restarts: int = RESTARTS


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry for each record asked for, in that order: its JSON or None, and why not. ``steps`` were taken."""

    events: tuple[str | None, ...]
    faults: tuple[str | None, ...]
    steps: int


@dataclass
class SecondReader:
    """Holds the process, if there is one. ``command`` starts it; safe to use from several threads."""

    limits: Limits = Limits()
    command: tuple[str, ...] = field(default_factory=lambda: command_of("python_evtx.py"))
    _child: Child = field(init=False)
    _scan: object = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._child = Child("python-evtx", self.command, LARGEST_ANSWER)

    def read(self, chunks: Sequence[bytes], places: Sequence[tuple[int, int]], steps: int, scan: object) -> Answer:
        """Records of the first chunk (64 KiB) at (offset, length). Never raises: a failure is each record's fault.

        Further chunks of the file may lend definitions that are damaged in the first. ``steps``: what is left for the
        file. ``scan``: any object that is the same for all files of one scan.
        """
        with self._lock:
            if self._scan is not scan:
                self._scan, self._child.starts, self._child.seconds = scan, 0, 0.0
            try:
                return self._asked(chunks, places, steps)
            except FailedError as failure:
                self._child.stop()
                return Answer((None,) * len(places), (str(failure),) * len(places), 0)

    def _asked(self, chunks: Sequence[bytes], places: Sequence[tuple[int, int]], steps: int) -> Answer:
        if not self._child.runs:
            if self._child.starts > self.limits.restarts:
                raise FailedError(f"not read: python-evtx died {self._child.starts} times in this scan")
            self._child.start()
        seconds = min(self.limits.seconds_a_chunk, self.limits.seconds_a_scan - self._child.seconds)
        if seconds <= 0:
            raise FailedError("not read: python-evtx has had all the time that a scan gives it")
        limits = {"steps": steps, "steps_a_record": self.limits.steps_a_record}
        request = {"chunks": len(chunks), "places": [*places], **limits}
        return _checked(self._child.ask([json.dumps(request).encode(), *chunks], seconds), len(places))


def _checked(frame: bytes, count: int) -> Answer:
    """The answer, if it is one: the process has read hostile bytes."""
    try:
        answer = json.loads(frame)
        events, faults, steps = answer["events"], answer["faults"], answer["steps"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise FailedError(_NO_ANSWER) from None
    rows = [events, faults]
    if not all(isinstance(row, list) and len(row) == count for row in rows) or not isinstance(steps, int) or steps < 0:
        raise FailedError(_NO_ANSWER)
    if not all(one is None or isinstance(one, str) for row in rows for one in row):
        raise FailedError(_NO_ANSWER)
    return Answer(tuple(events), tuple(None if why is None else why[:_LONGEST_FAULT] for why in faults), steps)

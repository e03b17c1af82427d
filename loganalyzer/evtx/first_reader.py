"""Chunks decoded by the Rust binding in a process of its own (``binding``); what harms it costs only the record itself.

A record that unfolds to more than any real one is kept from the binding (``unfolding``): that is decided in steps, the
same everywhere. The process, its memory limit and the clock are for what steps do not count. If it dies of a chunk,
the chunk's records are decoded one by one: those of which it dies again are not read, the others are. That is done a
few times for a file.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from loganalyzer.evtx.child import Child, FailedError, command_of
from loganalyzer.evtx.chunks import FILE_HEADER_SIZE, SMALLEST_RECORD, Place, alone, without
from loganalyzer.evtx.unfolding import refused

#: Seconds for one chunk, with the start of the process, and those that failures may take of a scan. Real chunks take
#: a thousandth.
SECONDS_A_CHUNK = 10.0
SECONDS_A_SCAN = 300.0
#: Times that the process may fail for one file: die, hang, or not start.
FAILURES_A_FILE = 8
#: Bytes of an answer: the texts of a chunk (``binding`` bounds them), ids and complaints.
LARGEST_ANSWER = 8 << 20

_NO_ANSWER = "not read: the process of the evtx binding gave an answer that is none"


@dataclass(frozen=True, slots=True)
class BindingLimits:
    """What failures may cost: ``failures_a_file`` decides alike on every machine, the seconds are the last resort."""

    failures_a_file: int = FAILURES_A_FILE
    seconds_a_chunk: float = SECONDS_A_CHUNK
    seconds_a_scan: float = SECONDS_A_SCAN


@dataclass(frozen=True, slots=True)
class Decoded:
    """Of a chunk: record ids with the JSON of what the binding could read, in order; its complaints by record id.

    ``unread``: why it was not asked for a record, or gave no answer, by the record's offset.
    """

    events: tuple[tuple[int, str], ...] = ()
    faults: dict[int, str] = field(default_factory=dict)
    unread: dict[int, str] = field(default_factory=dict)


@dataclass
class Failures:
    """Of one file: how often the process may still fail."""

    left: int


@dataclass
class FirstReader:
    """Holds the process, if there is one. ``command`` starts it; safe to use from several threads."""

    limits: BindingLimits = BindingLimits()
    command: tuple[str, ...] = field(default_factory=lambda: command_of("binding.py"))
    _child: Child = field(init=False)
    _scan: object = None
    _failed_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._child = Child("the evtx binding", self.command, LARGEST_ANSWER)

    def failures(self) -> Failures:
        """What a file may cost."""
        return Failures(self.limits.failures_a_file)

    def read(self, one_chunk: bytes, places: Sequence[Place], failures: Failures, scan: object) -> Decoded:
        """Records of a rebuilt chunk (``chunks.rebuilt``), and gaps that are dressed as such. Never raises.

        ``scan``: any object that is the same for all files of one scan.
        """
        places = [place for place in places if place.length >= SMALLEST_RECORD]
        header, raw = one_chunk[:FILE_HEADER_SIZE], one_chunk[FILE_HEADER_SIZE:]
        refusals = refused(raw, places)
        raw = without(raw, refusals) if refusals else raw
        rest = [place for place in places if place.offset not in refusals]
        with self._lock:
            if self._scan is not scan:
                self._scan, self._failed_seconds = scan, 0.0
            try:
                found = self._decoded(header + raw, failures)
            except FailedError:
                found = self._one_by_one(header, raw, rest, failures)
        certain = {offset: refusal.why for offset, refusal in refusals.items() if not refusal.guessed}
        guessed = {place.number: refusals[place.offset].why for place in places if place.offset in refusals}
        return Decoded(found.events, found.faults | guessed, certain | found.unread)

    def _one_by_one(self, header: bytes, raw: bytes, places: Sequence[Place], failures: Failures) -> Decoded:
        events, faults, unread = list[tuple[int, str]](), dict[int, str](), dict[int, str]()
        for place in places:
            try:
                one = self._decoded(header + alone(raw, place), failures)
            except FailedError as failure:
                unread[place.offset] = str(failure)
            else:
                events += [event for event in one.events if event[0] == place.number][:1]
                faults |= {number: why for number, why in one.faults.items() if number == place.number}
        return Decoded(tuple(events), faults, unread)

    def _decoded(self, one_chunk: bytes, failures: Failures) -> Decoded:
        """What the process makes of a file of one chunk. Only failures count against file and scan."""
        if failures.left <= 0:
            raise FailedError(f"not read: the evtx binding failed {self.limits.failures_a_file} times for this file")
        seconds = min(self.limits.seconds_a_chunk, self.limits.seconds_a_scan - self._failed_seconds)
        if seconds <= 0:
            raise FailedError("not read: the evtx binding has had all the time that a scan gives to failures")
        before = self._child.seconds
        try:
            if not self._child.runs:
                self._child.start()
            return _checked(self._child.ask([one_chunk], seconds))
        except FailedError:
            self._child.stop()
            failures.left -= 1
            self._failed_seconds += self._child.seconds - before
            raise


def _checked(frame: bytes) -> Decoded:
    """The answer, if it is one: the process has read hostile bytes."""
    try:
        end = 4 + int.from_bytes(frame[:4], "little")
        head = json.loads(frame[4:end])
        events = []
        for number, size in head["records"]:
            events.append((int(number), frame[end : end + size].decode()))
            end += size
        faults = {int(number): str(why) for number, why in head["faults"]}
    except (ValueError, RecursionError, KeyError, TypeError):
        raise FailedError(_NO_ANSWER) from None
    if end != len(frame):
        raise FailedError(_NO_ANSWER)
    return Decoded(tuple(events), faults)

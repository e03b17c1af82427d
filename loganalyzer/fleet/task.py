"""A task: the bundles of a chunk, scanned in a process of their own under a clock and a limit of memory.

It runs wherever an executor runs it. A bundle that ends its process costs itself alone: the others go on in a new one.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from contextvars import ContextVar
from dataclasses import replace
from typing import Final

import msgspec

from loganalyzer.errors import LogAnalyzerError
from loganalyzer.evtx.child import Child, FailedError
from loganalyzer.fleet.content import content_sha256
from loganalyzer.fleet.outcome import Chunk, FailureKind, Found, Outcome, Request
from loganalyzer.fleet.storage import TooSlowError, at_hand, is_url
from loganalyzer.watched import end_offspring, how_it_ended, watched

#: A process may be ended from outside: by the system for want of memory, or by an operator. That is tried again.
TRIES: Final = 3
#: The same while a process starts, and has not seen the bundle yet.
_STARTS: Final = 20
#: Bundles that one process scans: what it keeps of them must not add up to the limit of a single one.
MOST_OF_A_PROCESS: Final = 500
#: Bytes of one answer: no report comes near it.
_LARGEST_ANSWER: Final = 256 << 20
#: Seconds after which an end that was ordered must have come.
_GRACE: Final = 60.0


class Threads:
    """What the threads of an executor share: whether the run is given up, and the process of each, which goes on from
    chunk to chunk.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._scanners: dict[int, _Scanner] = {}

    def scanner(self, chunk: Chunk) -> _Scanner:
        """That of the calling thread."""
        own = self._scanners.get(threading.get_ident())
        if own is None or not own.serves(chunk):
            own = self._scanners[threading.get_ident()] = _Scanner(chunk)
        return own

    def end(self) -> None:
        """Ends all processes; no thread may be at work any more."""
        for scanner in self._scanners.values():
            scanner.stop()


#: Those that this thread is one of; none: the task runs alone, as on a cluster.
threads: ContextVar[Threads | None] = ContextVar("loganalyzer_batch_threads", default=None)


def stopped() -> bool:
    """Whether no further bundle is to be scanned in this thread."""
    shared = threads.get()
    return shared is not None and shared.stop.is_set()


def run_chunk(chunk: Chunk) -> tuple[Outcome, ...]:
    """The outcome of each bundle of the chunk, in order; fewer if the run is given up. Never raises for what a bundle
    does.
    """
    shared = threads.get()
    scanner = _Scanner(chunk) if shared is None else shared.scanner(chunk)
    try:
        return tuple(scanner.outcome(request) for request in chunk.requests if not stopped())
    finally:
        if shared is None:
            scanner.stop()


class _Scanner:
    """The process that scans, started when it is first asked and again after each end."""

    def __init__(self, chunk: Chunk) -> None:
        self._limits = chunk.limits
        self._settings = msgspec.json.encode(chunk.settings)
        self._redactor = chunk.settings.redactor()
        # -P: a bundle may lie in the current folder, and hold a module of any name
        command = (sys.executable, "-P", "-m", "loganalyzer.fleet.scanning")
        self._child = Child("the scan", command, _LARGEST_ANSWER)
        self._scanned_by_child = 0

    def serves(self, chunk: Chunk) -> bool:
        """Whether the process is one for such a chunk."""
        return msgspec.json.encode(chunk.settings) == self._settings and chunk.limits == self._limits

    def outcome(self, request: Request) -> Outcome:
        """What becomes of one bundle; of one in object storage a copy is scanned."""
        try:
            with at_hand(request.member.path, self._limits.seconds) as path:
                here = str(path) if is_url(request.member.path) else None
                return self._scanned(replace(request, copy=here))
        except LogAnalyzerError as error:
            return failed(request, "input", self._redactor.text(error.what))
        except OSError as error:
            kind: FailureKind = "time" if isinstance(error, TooSlowError) else "input"
            return failed(request, kind, self._redactor.text(error.strerror or str(error)))

    def _scanned(self, request: Request) -> Outcome:
        deaths, starts = list[str](), 0
        if self._scanned_by_child >= MOST_OF_A_PROCESS:
            self.stop()
        self._scanned_by_child += 1
        while len(deaths) < TRIES and not stopped():
            if not self._child.runs and (why_not := self._start()) is not None:
                starts += 1
                if starts == _STARTS:
                    return failed(request, "crash", f"tried {_STARTS} times: {why_not}")
                continue
            answer, kind, why = self._asked(msgspec.json.encode(request))
            if answer is not None:
                size = int.from_bytes(answer[:4], "little")
                found = msgspec.json.decode(answer[4 : 4 + size], type=Found)
                return Outcome(request.member, found, answer[4 + size :] or None)
            if kind != "crash":
                return failed(request, kind, why)
            deaths.append(why)
        return failed(request, "crash", f"tried {TRIES} times: {'; '.join(dict.fromkeys(deaths))}")

    def stop(self) -> None:
        """Ends the process; the next bundle is scanned by another."""
        if self._child.process is not None:
            end_offspring(self._child.process.pid)
        self._child.stop()
        self._scanned_by_child = 0

    def _asked(self, frame: bytes) -> tuple[bytes | None, FailureKind, str]:
        """The answer; or none, and why."""
        process = self._child.process
        assert process is not None
        with (
            watched(process.pid, self._limits.seconds, self._limits.resident_bytes) as end,
            contextlib.suppress(FailedError),
        ):
            return self._child.ask([frame], self._limits.seconds + _GRACE), "crash", ""
        if end.why is not None:
            return None, end.kind, end.why
        return None, "crash", how_it_ended(process.returncode)

    def _start(self) -> str | None:
        """A new process that knows the settings and waits for bundles; or why there is none."""
        try:
            self._child.start()
            self._child.ask([self._settings], _GRACE)
        except FailedError as error:
            self._child.stop()
            return str(error)
        return None


def failed(request: Request, kind: FailureKind, why: str) -> Outcome:
    """The outcome of a bundle that has no report, for a reason that is not the bundle's text."""
    content = None
    with contextlib.suppress(OSError):
        content = content_sha256(request.path)
    return Outcome(request.member, Found("failed", content_sha256=content, failure_kind=kind, failure=why))

"""Records that the Rust binding refuses, read by python-evtx in a process of its own (``python_evtx``).

The process starts with the first record that is refused, never for a sound log, and stays for further ones until its
reader is dropped; if it dies, the next chunk gets a new one, a few times in one scan. What it may do is bounded in
steps, the same everywhere; the clock and, where there is one, a limit of memory are for what steps do not catch.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

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

_PROGRAM = Path(__file__).with_name("python_evtx.py")


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


class _FailedError(Exception):
    """The process gave no answer; the text says why."""


@dataclass
class _Spent:
    """What the present scan has cost."""

    scan: object = None
    seconds: float = 0.0
    starts: int = 0


def _command() -> tuple[str, ...]:
    """Isolated from the environment and from the current folder: a bundle may lie there."""
    return (sys.executable or "", "-I", "-S", str(_PROGRAM))


@dataclass
class SecondReader:
    """Holds the process, if there is one. ``command`` starts it; safe to use from several threads."""

    limits: Limits = Limits()
    command: tuple[str, ...] = field(default_factory=_command)
    _process: subprocess.Popen[bytes] | None = None
    _finalizer: weakref.finalize[..., SecondReader] | None = None
    _owner: int = 0
    _spent: _Spent = field(default_factory=_Spent)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, chunks: Sequence[bytes], places: Sequence[tuple[int, int]], steps: int, scan: object) -> Answer:
        """Records of the first chunk (64 KiB) at (offset, length). Never raises: a failure is each record's fault.

        Further chunks of the file may lend definitions that are damaged in the first. ``steps``: what is left for the
        file. ``scan``: any object that is the same for all files of one scan.
        """
        with self._lock:
            if self._spent.scan is not scan:
                self._spent = _Spent(scan)
            try:
                return self._asked(chunks, places, steps)
            except _FailedError as failure:
                self._stop()
                return Answer((None,) * len(places), (str(failure),) * len(places), 0)

    def _asked(self, chunks: Sequence[bytes], places: Sequence[tuple[int, int]], steps: int) -> Answer:
        process = self._running()
        seconds = min(self.limits.seconds_a_chunk, self.limits.seconds_a_scan - self._spent.seconds)
        if seconds <= 0:
            raise _FailedError("not read: python-evtx has had all the time that a scan gives it")
        limits = {"steps": steps, "steps_a_record": self.limits.steps_a_record}
        request = {"chunks": len(chunks), "places": [*places], **limits}
        with _deadline(process, seconds) as deadline:
            answer = None
            with contextlib.suppress(OSError):  # a process that died reads no more
                _send(process.stdin, json.dumps(request).encode())
                for chunk in chunks:
                    _send(process.stdin, chunk)
                answer = _received(process.stdout)
        self._spent.seconds += deadline.seconds
        if deadline.passed:
            raise _FailedError(f"not read: python-evtx came to no end within {seconds:g} seconds")
        if answer is None:
            raise _FailedError("not read: the process of python-evtx ended without an answer")
        return _checked(answer, len(places))

    def _running(self) -> subprocess.Popen[bytes]:
        """The process; a new one where there is none, or where it belongs to the process that we were forked from."""
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self._stop()
        if self._spent.starts > self.limits.restarts:
            raise _FailedError(f"not read: python-evtx died {self._spent.starts} times in this scan")
        self._spent.starts += 1
        try:
            process = subprocess.Popen(  # noqa: S603  # our own program
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError) as error:
            raise _FailedError(
                f"not read: a process for python-evtx cannot be started ({type(error).__name__})"
            ) from None
        self._process, self._owner = process, os.getpid()
        self._finalizer = weakref.finalize(self, _end, process, self._owner)
        with contextlib.suppress(OSError):
            path = [entry for entry in sys.path if Path(entry).is_absolute()]
            _send(process.stdin, json.dumps(path).encode())
        return process

    def _stop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    if owner != os.getpid():
        return
    process.kill()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
    process.wait()


@dataclass
class _Deadline:
    seconds: float = 0.0
    passed: bool = False


@contextlib.contextmanager
def _deadline(process: subprocess.Popen[bytes], seconds: float) -> Iterator[_Deadline]:
    """Ends the process when time is up: what waits for its pipes then goes on."""
    deadline = _Deadline()

    def end() -> None:
        deadline.passed = True
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    start = time.monotonic()
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        deadline.seconds = time.monotonic() - start


def _send(stream: IO[bytes] | None, frame: bytes) -> None:
    assert stream is not None
    stream.write(len(frame).to_bytes(4, "little") + frame)
    stream.flush()


def _received(stream: IO[bytes] | None) -> bytes | None:
    """The frame that comes next; None: the stream ended, or the frame is longer than any answer."""
    assert stream is not None
    head = stream.read(4)
    length = int.from_bytes(head, "little")
    if len(head) < 4 or length > LARGEST_ANSWER:
        return None
    frame = stream.read(length)
    return frame if len(frame) == length else None


def _checked(frame: bytes, count: int) -> Answer:
    """The answer, if it is one: the process has read hostile bytes."""
    try:
        answer = json.loads(frame)
        events, faults, steps = answer["events"], answer["faults"], answer["steps"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise _FailedError(_NO_ANSWER) from None
    rows = [events, faults]
    if not all(isinstance(row, list) and len(row) == count for row in rows) or not isinstance(steps, int) or steps < 0:
        raise _FailedError(_NO_ANSWER)
    if not all(one is None or isinstance(one, str) for row in rows for one in row):
        raise _FailedError(_NO_ANSWER)
    return Answer(tuple(events), tuple(None if why is None else why[:_LONGEST_FAULT] for why in faults), steps)

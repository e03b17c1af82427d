"""A process of our own that reads hostile bytes for us: started when it is first asked, ended with its owner.

It may die, hang or answer anything; whoever asks says how long it may take. We speak in frames: a length of four bytes,
little-endian, then that many bytes.
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
from dataclasses import dataclass
from pathlib import Path
from typing import IO


class FailedError(Exception):
    """The process gave no answer; the text says why."""


def command_of(program: str) -> tuple[str, ...]:
    """Isolated from the environment and from the current folder: a bundle may lie there."""
    return (sys.executable or "", "-I", "-S", str(Path(__file__).with_name(program)))


@dataclass
class Child:
    """The process, if there is one. ``name`` is what it reads with; ``starts`` and ``seconds`` are what it has cost."""

    name: str
    command: tuple[str, ...]
    largest_answer: int
    starts: int = 0
    seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    _finalizer: weakref.finalize[..., Child] | None = None
    _owner: int = 0

    @property
    def runs(self) -> bool:
        """Whether there is one; not, if it belongs to the process that we were forked from."""
        return self.process is not None and self._owner == os.getpid() and self.process.poll() is None

    def start(self) -> None:
        """A new process, which is told first where it may import from."""
        self.stop()
        self.starts += 1
        try:
            process = subprocess.Popen(  # noqa: S603  # our own program
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError) as error:
            raise FailedError(
                f"not read: a process for {self.name} cannot be started ({type(error).__name__})"
            ) from None
        self.process, self._owner = process, os.getpid()
        self._finalizer = weakref.finalize(self, _end, process, self._owner)
        with contextlib.suppress(OSError):
            path = [entry for entry in sys.path if Path(entry).is_absolute()]
            _send(process.stdin, json.dumps(path).encode())

    def ask(self, frames: Sequence[bytes], seconds: float) -> bytes:
        """The answer of the running process. It is ended when there is none."""
        assert self.process is not None
        answer = None
        with _deadline(self.process, seconds) as deadline, contextlib.suppress(OSError):  # the dead read no more
            for frame in frames:
                _send(self.process.stdin, frame)
            answer = _received(self.process.stdout, self.largest_answer)
        self.seconds += deadline.seconds
        if deadline.passed:
            self.stop()
            raise FailedError(f"not read: {self.name} came to no end within {seconds:g} seconds")
        if answer is None:
            self.stop()
            raise FailedError(f"not read: the process of {self.name} ended without an answer")
        return answer

    def stop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self.process = self._finalizer = None


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


def _received(stream: IO[bytes] | None, most: int) -> bytes | None:
    """The frame that comes next; None: the stream ended, or the frame is longer than any that is meant."""
    assert stream is not None
    head = stream.read(4)
    length = int.from_bytes(head, "little")
    if len(head) < 4 or length > most:
        return None
    frame = stream.read(length)
    return frame if len(frame) == length else None

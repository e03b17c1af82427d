"""A process that may need too much: it is watched by clock and by resident size, and ended with all that it started."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import psutil

#: What a process was ended for; ``crash``: it ended by itself, or by somebody else.
EndKind: TypeAlias = Literal["crash", "time", "memory"]
#: Seconds between two looks at the memory of a process.
_LOOK: Final = 0.1


def how_it_ended(status: int | None) -> str:
    """The end of a process in words; ``status`` as `subprocess.Popen.returncode` has it."""
    if status is not None and status < 0:
        return f"its process was ended by signal {-status}"
    return f"its process ended by itself with status {status}"


class End:
    """Why a process was ended by who watched it; ``why`` is null while it was not."""

    def __init__(self) -> None:
        self.kind: EndKind = "crash"
        self.why: str | None = None
        self.over = threading.Event()


@contextlib.contextmanager
def watched(pid: int, seconds: float, resident_bytes: int) -> Iterator[End]:
    """Ends the process, and what it started, when it needs more time or memory than it may have."""
    end = End()

    def look() -> None:
        left = seconds
        while not end.over.wait(min(_LOOK, left)):
            left -= _LOOK
            if left <= 0:
                end.kind, end.why = "time", f"it was not done within {seconds:g} seconds"
            elif (resident := _resident(pid)) > resident_bytes:
                end.kind = "memory"
                end.why = f"it took {resident >> 20} MiB of memory, of {resident_bytes >> 20} MiB that it may have"
            if end.why is not None:
                end_offspring(pid)
                with contextlib.suppress(psutil.Error):
                    psutil.Process(pid).kill()
                return

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield end
    finally:
        end.over.set()
        watcher.join()


def _resident(pid: int) -> int:
    """Resident memory of the process and all that it started; 0 if it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for one in family:
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total


def end_offspring(pid: int) -> None:
    """What the process started would outlive it, were it busy: an event log can keep its reader busy for ever."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()

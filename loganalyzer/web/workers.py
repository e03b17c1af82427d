"""What scans: a thread a job, each of which lets a process of its own read the bundle and watches it.

The queue is the database. A scan that was running when the server ended is begun again when it starts, but not for
ever: what ends the server again and again is told as that, and lets others go first meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import psutil

from loganalyzer.watched import end_offspring, how_it_ended, watched
from loganalyzer.web.rows import Scan, Upload
from loganalyzer.web.scanning import Order, Said
from loganalyzer.web.settings import ServerSettings
from loganalyzer.web.store import Store, now
from loganalyzer.web.uploads import Uploads

_LOG: Final = logging.getLogger("loganalyzer.web")
#: How often a scan is begun that the server does not survive, which others may be to blame for.
_TRIES: Final = 10
#: Seconds without a word to a worker until it looks for work by itself.
_IDLE: Final = 2.0
#: An upload that was not started is deleted after this time.
_ABANDONED: Final = timedelta(days=1)
#: Seconds between two looks for what is too old.
_SWEEP: Final = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running scan is: ``phase``, the ``file`` that is being read, ``bytes`` read so far."""

    phase: str
    file: str | None
    bytes: int


class Workers:
    """The threads of one server."""

    def __init__(self, settings: ServerSettings, store: Store, uploads: Uploads) -> None:
        self._settings, self._store, self._uploads = settings, store, uploads
        self._work = threading.Event()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._progress: dict[str, Progress] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._cancelled: set[str] = set()

    def start(self) -> None:
        """Takes up what an earlier server left, and begins to work."""
        for scan in self._store.all(Scan, "scans", "state = 'running'"):
            if scan.tries >= _TRIES:
                self._end(scan, Said(failed=f"the server ended {_TRIES} times while it was read"))
            else:
                self._store.update("scans", "id = ? AND state = 'running'", [scan.id], state="queued", started=None)
        self._uploads.sweep()
        self._sweep_reports()
        for target, name in [(self._run, f"scan {number}") for number in range(self._settings.jobs)] + [
            (self._retire, "retention")
        ]:
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Ends the processes; what they scanned waits for the next start."""
        self._stop.set()
        self._work.set()
        for process in list(self._processes.values()):
            _kill(process)
        for thread in self._threads:
            thread.join(10)

    def wake(self) -> None:
        """There is something to do."""
        self._work.set()

    def progress(self, scan: str) -> Progress | None:
        """Where a running scan is; None: it has not said anything yet, or does not run."""
        return self._progress.get(scan)

    def cancel(self, scan: Scan) -> bool:
        """Ends a scan that waits or runs; whether it was one."""
        if self._store.update("scans", "id = ? AND state = 'queued'", [scan.id], state="cancelled", ended=now()):
            return True
        if self._store.count("scans", "id = ? AND state = 'running'", scan.id) == 0:
            return False
        self._cancelled.add(scan.id)
        process = self._processes.get(scan.id)
        if process is not None:
            _kill(process)
        return True

    def delete(self, scan: Scan) -> None:
        """The scan, its report and its upload."""
        self.cancel(scan)
        self._store.delete("scans", "id = ?", scan.id)
        self._settings.report(scan.id).unlink(missing_ok=True)
        self._uploads.delete(scan.upload)

    # ---- one thread ----

    def _run(self) -> None:
        while not self._stop.is_set():
            scan = self._store.claim()
            if scan is None:
                self._work.wait(_IDLE)
                self._work.clear()
                continue
            try:
                said = self._scanned(scan)
            except Exception:  # noqa: BLE001  (one scan must not end the thread that all others wait for)
                _LOG.exception("scan %s: the server could not run it", scan.id)
                said = Said(failed="the server could not run it; its log says why")
            if self._stop.is_set() and said.verdict is None:
                self._store.update(
                    "scans", "id = ? AND state = 'running'", [scan.id], state="queued", tries=scan.tries - 1
                )
            else:
                self._end(scan, said)
            self._progress.pop(scan.id, None)
            self._cancelled.discard(scan.id)

    def _scanned(self, scan: Scan) -> Said:
        """What the process says in the end, or why it says nothing."""
        settings = self._settings
        path, report = self._uploads.scanned_path(scan), settings.report(scan.id)
        order = Order(str(path), scan.name, str(report), settings.expanded_bytes, settings.time_zone)
        report.parent.mkdir(parents=True, exist_ok=True)
        # -P: an upload may hold a module of any name
        process = subprocess.Popen(  # our own program
            (sys.executable, "-P", "-m", "loganalyzer.web.scanning"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._processes[scan.id] = process
        assert process.stdin is not None
        assert process.stdout is not None
        last = Said()
        try:
            with watched(process.pid, settings.scan_seconds, settings.scan_bytes) as end:
                if scan.id in self._cancelled:
                    _kill(process)
                with contextlib.suppress(OSError):
                    process.stdin.write(msgspec.json.encode(order))
                    process.stdin.close()
                for line in process.stdout:
                    last = msgspec.json.decode(line, type=Said)
                    self._progress[scan.id] = Progress(last.phase or "", last.file, last.bytes)
                process.wait()
        finally:
            self._processes.pop(scan.id, None)
            _kill(process)
            process.stdout.close()
        if last.verdict is not None or last.failed is not None:
            return last
        return Said(failed=end.why or how_it_ended(process.returncode))

    def _end(self, scan: Scan, said: Said) -> None:
        """Writes down how it ended; nothing, if it was deleted meanwhile."""
        if scan.id in self._cancelled and said.verdict is None:
            self._store.update("scans", "id = ? AND state = 'running'", [scan.id], state="cancelled", ended=now())
            return
        report = self._settings.report(scan.id)
        size = report.stat().st_size if report.exists() else 0
        done = self._store.update(
            "scans",
            "id = ? AND state = 'running'",
            [scan.id],
            state="done" if said.verdict is not None else "failed",
            ended=now(),
            why=said.failed,
            verdict=said.verdict,
            cause=said.cause,
            cause_title=said.cause_title,
            host=said.host,
            codes=" ".join(said.codes) or None,
            first=_time(said.first),
            last=_time(said.last),
            stored=scan.stored + size,
        )
        if not done:
            report.unlink(missing_ok=True)
        _LOG.info("scan %s: %s", scan.id, said.verdict or said.failed)

    # ---- what is too old ----

    def _retire(self) -> None:
        while not self._stop.wait(_SWEEP):
            try:
                self.retire()
            except Exception:  # noqa: BLE001  (tried again a minute later)
                _LOG.exception("what is too old could not be deleted")

    def retire(self) -> None:
        """Deletes uploads that nobody goes on with, used and outdated keys, and scans that were kept long enough."""
        self._store.delete("tokens", "expires < ?", now())
        self._store.delete("answers", "created < ?", now() - _ABANDONED)
        for upload in self._store.all(Upload, "uploads", "NOT started AND created < ?", now() - _ABANDONED):
            self._uploads.delete(upload.id)
        if self._settings.keep is not None:
            for scan in self._store.all(Scan, "scans", "ended < ?", now() - self._settings.keep):
                self.delete(scan)

    def _sweep_reports(self) -> None:
        folder = self._settings.data / "reports"
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.suffix != ".json" or not self._store.count("scans", "id = ?", path.stem):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.Error, OSError):
        end_offspring(process.pid)
        process.kill()
    process.wait()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None

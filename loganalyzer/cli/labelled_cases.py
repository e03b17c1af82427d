"""Folders of labelled cases: found, and scanned in parallel without their labels."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from loganalyzer.accuracy import Answer, answer_of
from loganalyzer.errors import Location, LogAnalyzerError, UsageError
from loganalyzer.labels import LABEL_FILE, LARGEST_LABEL, Label, read_label
from loganalyzer.pipeline import ScanOptions, scan

#: Reasons told of one case that cannot be copied.
MOST_REASONS = 5

_LAYOUT = f"give a folder with a folder a case, each laid out as a bundle with a {LABEL_FILE}"


@dataclass(frozen=True, slots=True)
class Case:
    """A folder laid out as a bundle, and what is true of it."""

    path: Path
    label: Label


def find_cases(folders: Sequence[str], causes: Collection[str]) -> tuple[list[Case], list[UsageError]]:
    """The cases of these folders, each once, in the order given and by name, and what is wrong with others.

    A folder that has a label itself is a case. Hidden folders and files beside the cases are none; a link is not
    followed, and told.
    """
    cases: dict[Path, Case] = {}
    faults: list[UsageError] = []
    for folder in map(Path, folders):
        for path in _case_folders(folder, faults):
            text = _label_text(path / LABEL_FILE)
            label, wrong = (None, (text,)) if isinstance(text, UsageError) else _read(text, path, causes)
            faults += wrong
            if label is not None:
                cases.setdefault(path.resolve(), Case(path, label))
    return list(cases.values()), faults


def _case_folders(folder: Path, faults: list[UsageError]) -> Iterator[Path]:
    try:
        if os.path.lexists(folder / LABEL_FILE):
            yield folder
            return
        children = sorted(entry.path for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError as error:
        faults.append(UsageError(f"cannot read the folder: {error.strerror}", Location(str(folder)), _LAYOUT))
        return
    found = [Path(child) for child in children if os.path.isdir(child)]  # noqa: PTH112
    if not found:
        faults.append(UsageError("there is no case in this folder", Location(str(folder)), _LAYOUT))
    for path in found:
        if path.is_symlink():
            faults.append(UsageError("a symbolic link is not followed", Location(str(path)), "name the folder itself"))
        else:
            yield path


def _label_text(path: Path) -> str | UsageError:
    """The text of a label; what is no regular file may never end, or lie elsewhere, and is not opened."""
    try:
        if not os.path.lexists(path):
            what = f"the case has no {LABEL_FILE}"
        elif path.is_symlink() or not path.is_file():
            what = "the label is no regular file"
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST_LABEL + 1)
            if len(data) <= LARGEST_LABEL:
                return data.decode("utf-8-sig")
            what = f"the label is larger than {LARGEST_LABEL >> 10} KiB"
    except OSError as error:
        what = f"the label cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        what = f"the label is not UTF-8: {error.reason} at byte {error.start}"
    return UsageError(what, Location(str(path)), _LAYOUT)


def _read(text: str, case: Path, causes: Collection[str]) -> tuple[Label | None, tuple[UsageError, ...]]:
    return read_label(text, str(case / LABEL_FILE), causes)


def answers_to(cases: Sequence[Case], jobs: int, options: ScanOptions) -> list[Answer | LogAnalyzerError]:
    """What a scan answers to each case, or why it could not be scanned, in the order of the cases.

    ``jobs`` processes scan at a time; one: this process does.

    Raises:
        LogAnalyzerError: a process ended at once, as for want of memory.
    """
    paths = [str(case.path) for case in cases]
    answer = partial(_answer, options)
    jobs = min(jobs, len(paths))
    if jobs <= 1:
        told = [answer(path) for path in paths]
    else:
        # not forked: the threads of polars do not live on in a fork
        pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_leave_interrupts_to_the_parent)
        try:
            told = list(pool.map(answer, paths))
        except BrokenProcessPool as error:
            help = "give a smaller --jobs; with 1 no further process is started"
            raise LogAnalyzerError("a process that scanned cases ended at once", None, help) from error
        finally:
            pool.shutdown(cancel_futures=True)
    return [
        LogAnalyzerError(f"the case cannot be scanned: {one}", Location(path)) if isinstance(one, str) else one
        for path, one in zip(paths, told, strict=True)
    ]


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(options: ScanOptions, case: str) -> Answer | str:
    """Scans a copy without the label: the answer, or why there is none (as text, which any process can hand over)."""
    with TemporaryDirectory() as folder:
        copy = Path(folder, Path(case).resolve().name)
        try:
            shutil.copytree(case, copy, symlinks=True, ignore=_label_of(case), copy_function=shutil.copyfile)
            return answer_of(scan([copy], options).report)
        except shutil.Error as error:  # everything else was copied, but the answer would be to another bundle
            return "; ".join(sorted(str(why) for _, _, why in error.args[0])[:MOST_REASONS])
        except RecursionError:
            return "folders are nested too deeply"
        except LogAnalyzerError as error:
            return error.what
        except OSError as error:
            return error.strerror or str(error)


def _label_of(case: str) -> Callable[[str, list[str]], list[str]]:
    """What to leave out of a copy: the label of the case, and not a file of the same name further down."""
    return lambda folder, names: [LABEL_FILE] if folder == case else []
